/* white_space.c - white space as Python's str.isspace and str.strip see it. */
#include "white_space.h"

#include "format/utf8.h"

size_t tfm_leading_white_space(const char *text, size_t n) {
    size_t at = 0;
    uint32_t code;
    for (size_t length; at < n; at += length) {
        length = tfm_utf8_next(text + at, n - at, &code);
        if (!tfm_is_white_space(code)) break;
    }
    return at;
}

size_t tfm_trimmed_length(const char *text, size_t n) {
    uint32_t code;
    while (n > 0) {
        size_t last = tfm_utf8_last(text, n, &code);
        if (!tfm_is_white_space(code)) break;
        n = last;
    }
    return n;
}
