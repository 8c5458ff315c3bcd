/*
 * json_line.h - JSON objects as lines that every reader sees as one line.
 */
#ifndef TFM_JSON_LINE_H
#define TFM_JSON_LINE_H

#include <jansson.h>

#include "bytes.h"

/*
 * Appends the object (jansson's dump flags) and a newline. The characters beside newline that some readers take for the
 * end of a line (U+0085, U+2028, U+2029; Python's str.splitlines is one) are escaped. False when memory is out.
 */
bool tfm_json_line(const json_t *object, size_t flags, tfm_bytes *line);

#endif
