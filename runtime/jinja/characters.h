/*
 * characters.h - UTF-8 and white space of chat templates. What is no UTF-8 counts as one character a byte.
 */
#ifndef TFM_RUNTIME_JINJA_CHARACTERS_H
#define TFM_RUNTIME_JINJA_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at text, which has n >= 1 bytes. */
size_t tfm_jinja_char_length(const char *text, size_t n);
/* The code point of the next character, *length its bytes; a byte that is no UTF-8: 0xDC00 + byte. */
uint32_t tfm_jinja_decode_char(const char *text, size_t n, size_t *length);
size_t tfm_jinja_encode_char(char *text, uint32_t code); /* at most 4 bytes */
/* White space and ends of lines, as Python sees them. */
bool tfm_jinja_is_space(uint32_t code);
bool tfm_jinja_is_line_end(uint32_t code);
/* Bytes of white space at the beginning; what is left of n without that at the end. */
size_t tfm_jinja_leading_space(const char *text, size_t n);
size_t tfm_jinja_trimmed_length(const char *text, size_t n);

#endif
