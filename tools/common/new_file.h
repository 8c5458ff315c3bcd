/*
 * new_file.h - a file that gets its name when all of it is written: whoever looks finds what was there before or all of
 * what is new, and a run that fails leaves nothing.
 */
#ifndef TFM_TOOLS_COMMON_NEW_FILE_H
#define TFM_TOOLS_COMMON_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/tfm.h"

typedef struct tfm_new_file {
    const char *path; /* as it was asked for, for messages */
    char *target;     /* where it will lie: links followed */
    char *temporary;  /* the name it has until then; NULL: none, or it is written in place */
    int fd;           /* -1: not open */
    bool in_place;    /* a device, a pipe, or what stdout or stderr is, which cannot be replaced */
} tfm_new_file;

/*
 * Begins the file at path, which must stay until it is closed. A regular file that is there keeps its permissions; what
 * is no regular file, or is what stdout or stderr goes to, is written where it is. Errors: TFM_ERROR_IO,
 * TFM_ERROR_MEMORY; nothing is open then.
 */
tfm_status tfm_new_file_open(tfm_new_file *file, const char *path, tfm_error *error);
tfm_status tfm_new_file_write(tfm_new_file *file, const void *data, size_t n, tfm_error *error);

/* Gives the file its name; or, keep being false, takes all of it back. Accepts one that is not open. */
tfm_status tfm_new_file_close(tfm_new_file *file, bool keep, tfm_error *error);

#endif
