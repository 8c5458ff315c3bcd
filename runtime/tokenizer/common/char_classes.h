/*
 * char_classes.h - a class for every character, looked up in pages of 256 code points that lie in the model file.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_CHAR_CLASSES_H
#define TFM_RUNTIME_TOKENIZER_COMMON_CHAR_CLASSES_H

#include <stdbool.h>

#include "utf8_strict.h"

#define TFM_CHAR_CLASS_PAGES (0x110000u / 256)

typedef struct tfm_char_classes {
    const uint32_t *index; /* (TFM_CHAR_CLASS_PAGES) numbers of pages */
    const uint8_t *pages;  /* (n_pages, 256) */
} tfm_char_classes;

static inline uint8_t tfm_char_class(const tfm_char_classes *classes, uint32_t code) {
    return classes->pages[(size_t)classes->index[code >> 8] * 256 + (code & 255)];
}

/* The character at text, which has n >= 1 bytes: its length, and its code; U+FFFD and 1 for a byte that begins none. */
static inline size_t tfm_utf8_next(const char *text, size_t n, uint32_t *code) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) {
        *code = bytes[0];
        return 1;
    }
    size_t length = tfm_utf8_char_length(text, n);
    switch (length) {
    case 2: *code = (bytes[0] & 0x1Fu) << 6 | (bytes[1] & 0x3Fu); return 2;
    case 3: *code = (bytes[0] & 0xFu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu); return 3;
    case 4:
        *code = (bytes[0] & 7u) << 18 | (bytes[1] & 0x3Fu) << 12 | (bytes[2] & 0x3Fu) << 6 | (bytes[3] & 0x3Fu);
        return 4;
    default: *code = 0xFFFD; return 1;
    }
}

/* Class of the last character of text, which has n >= 1 bytes. */
static inline uint8_t tfm_last_char_class(const tfm_char_classes *classes, const char *text, size_t n) {
    size_t at = n - 1;
    while (at > 0 && n - at < 4 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    uint32_t code;
    if (tfm_utf8_next(text + at, n - at, &code) != n - at) code = 0xFFFD;
    return tfm_char_class(classes, code);
}

/* UTF-8 of a code point; its length. */
static inline size_t tfm_utf8_encode(uint32_t code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

#endif
