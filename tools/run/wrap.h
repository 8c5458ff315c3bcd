/*
 * wrap.h - text that comes piece by piece, broken between words at the width of a terminal.
 *
 * A word is held back until it is whole, so that it stands on the line that it fits on. Line breaks and the white space
 * at a line's beginning stay as they are; control characters are shown (shown.h).
 */
#ifndef TFM_TOOLS_RUN_WRAP_H
#define TFM_TOOLS_RUN_WRAP_H

#include <stdio.h>

#include "tools/common/bytes.h"

/* {.width = columns} is a new one. */
typedef struct tfm_wrap {
    unsigned width;  /* columns of a line */
    unsigned column; /* where the next character goes */
    tfm_text word;   /* what waits, and the white space before it */
    tfm_text gap;
    unsigned word_columns, gap_columns;
} tfm_wrap;

/* Adds n bytes of whole characters and appends what can be shown of it to out. False when memory is out. */
bool tfm_wrap_push(tfm_wrap *wrap, const char *text, size_t n, tfm_text *out);
/* The text is over: appends the rest, and is as new. */
bool tfm_wrap_finish(tfm_wrap *wrap, tfm_text *out);

/* Prints a line of n bytes, broken at words if file is a terminal. */
void tfm_wrap_line(FILE *file, const char *line, size_t n);
/* Prints a line, made as printf does, broken at words if file is a terminal: a note beside an answer, dim or not. */
void tfm_wrap_note(FILE *file, bool dim, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
