/*
 * char_classes.h - a class for every character, looked up in pages of 256 code points that lie in the model file.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_CHAR_CLASSES_H
#define TFM_RUNTIME_TOKENIZER_COMMON_CHAR_CLASSES_H

#include <stdbool.h>

#include "format/utf8.h"

#define TFM_CHAR_CLASS_PAGES (0x110000u / 256)

typedef struct tfm_char_classes {
    const uint32_t *index; /* (TFM_CHAR_CLASS_PAGES) numbers of pages */
    const uint8_t *pages;  /* (n_pages, 256) */
} tfm_char_classes;

static inline uint8_t tfm_char_class(const tfm_char_classes *classes, uint32_t code) {
    return classes->pages[(size_t)classes->index[code >> 8] * 256 + (code & 255)];
}

/* Class of the last character of text, which has n >= 1 bytes. */
static inline uint8_t tfm_last_char_class(const tfm_char_classes *classes, const char *text, size_t n) {
    uint32_t code;
    tfm_utf8_last(text, n, &code);
    return tfm_char_class(classes, code);
}

#endif
