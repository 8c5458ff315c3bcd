/*
 * characters.h - characters of chat templates, where any byte may stand: what is no UTF-8 counts as one a byte.
 */
#ifndef TFM_RUNTIME_JINJA_CHARACTERS_H
#define TFM_RUNTIME_JINJA_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point of the next character, *length its bytes; a byte that is no UTF-8: 0xDC00 + byte. */
uint32_t tfm_jinja_decode_char(const char *text, size_t n, size_t *length);
size_t tfm_jinja_encode_char(char *text, uint32_t code); /* at most 4 bytes */
/* What ends a line, as Python sees it. */
bool tfm_jinja_is_line_end(uint32_t code);

#endif
