/*
 * json_line.h - JSON of any text and number, and objects as lines that every reader sees as one line.
 */
#ifndef TFM_TOOLS_COMMON_JSON_LINE_H
#define TFM_TOOLS_COMMON_JSON_LINE_H

#include <jansson.h>

#include "bytes.h"

/* A string of any bytes, those that are no UTF-8 replaced; NULL when memory is out. */
json_t *tfm_json_text(const char *text, size_t n);
/* JSON has no infinities and no NaN: they become null. */
json_t *tfm_json_number(double value);

/*
 * Appends the object (jansson's dump flags) and a newline. The characters beside newline that some readers take for the
 * end of a line (U+0085, U+2028, U+2029; Python's str.splitlines is one) are escaped. False when memory is out.
 */
bool tfm_json_line(const json_t *object, size_t flags, tfm_text *line);

#endif
