/*
 * shown.h - text of strangers as people may see it: no control character of it reaches a terminal, or breaks a line.
 *
 * Names, labels, metadata and messages come from files, and a terminal obeys what it is sent. What these functions give
 * is valid UTF-8 without control characters (C0, DEL, C1) and without characters that turn the direction of the text
 * around them: white space among them becomes a space, the others their code, as [U+001B].
 */
#ifndef TFM_TOOLS_COMMON_SHOWN_H
#define TFM_TOOLS_COMMON_SHOWN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/tfm.h"

/* What ends a line or moves about in one, at a terminal or for some reader: tab, line feed, U+2028 and their kin. */
bool tfm_is_line_control(uint32_t code);
/* A control character, or one that turns the text around it (embeddings, overrides, isolates). */
bool tfm_is_control(uint32_t code);

/* Appends n bytes as they may be shown; characters of keep (ASCII) stay as they are. False when memory is out. */
bool tfm_text_append_shown(tfm_text *out, const char *text, size_t n, const char *keep);

/* Prints a line as printf would, but shown: whatever the arguments hold, it stays one line. */
void tfm_say(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tfm_say_list(FILE *out, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

#endif
