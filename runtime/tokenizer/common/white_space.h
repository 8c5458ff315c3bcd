/* white_space.h - white space as Python's str.isspace and str.strip see it: what templates and tokenizers go by. */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_WHITE_SPACE_H
#define TFM_RUNTIME_TOKENIZER_COMMON_WHITE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool tfm_is_white_space(uint32_t code) {
    if (code <= 0x20) return code == 0x20 || (code >= 0x09 && code <= 0x0D) || code >= 0x1C;
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* Bytes of white space at the beginning of a text of n bytes. */
size_t tfm_leading_white_space(const char *text, size_t n);
/* Length of the text without the white space at its end. */
size_t tfm_trimmed_length(const char *text, size_t n);

#endif
