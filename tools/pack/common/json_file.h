/*
 * json_file.h - JSON files, read in one way and with one set of messages.
 */
#ifndef TFM_TOOLS_PACK_COMMON_JSON_FILE_H
#define TFM_TOOLS_PACK_COMMON_JSON_FILE_H

#include <jansson.h>

#include "format/tfm_error.h"

/* What may be different from file to file. */
enum {
    TFM_JSON_OPTIONAL = 1, /* without a file *json is NULL, and all is well */
    TFM_JSON_OBJECT = 2,   /* anything but an object is refused */
    TFM_JSON_NUL = 4       /* strings may have U+0000 in them */
};

/*
 * Reads a JSON file as Python's json module has it, which wrote it: of a key that is there twice the last one counts; a
 * byte order mark is passed over; whole numbers of over 18 digits are reals; NaN, Infinity and numbers that no double
 * holds are strings of that spelling, so that a file is only refused where such a value is needed. *json is the
 * caller's to decref, NULL after an error. Errors: TFM_ERROR_IO, _FORMAT (the file, the line and what is wrong there;
 * too large), _MEMORY.
 */
tfm_status tfm_json_load(const char *path, unsigned rules, json_t **json, tfm_error *error);

#endif
