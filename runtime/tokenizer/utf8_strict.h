/*
 * utf8_strict.h - the strict reading of UTF-8 that SentencePiece uses: shortest forms only, no surrogates, up to
 * U+10FFFF.
 */
#ifndef TFM_RUNTIME_TOKENIZER_UTF8_STRICT_H
#define TFM_RUNTIME_TOKENIZER_UTF8_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFM_UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define TFM_UTF8_SPACE "\xE2\x96\x81"       /* U+2581, which stands for a space in pieces */

static inline unsigned tfm_utf8_trail(unsigned char c) { return (c & 0xC0u) == 0x80u; }

/* Length of the valid character at s, which has n >= 1 bytes; 0 if there is none. */
static inline size_t tfm_utf8_char_length(const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xC2) return 0;
    if (s[0] < 0xE0) return n >= 2 && tfm_utf8_trail(s[1]) ? 2 : 0;
    if (s[0] < 0xF0) {
        if (n < 3 || !tfm_utf8_trail(s[1]) || !tfm_utf8_trail(s[2])) return 0;
        if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0)) return 0;
        return 3;
    }
    if (s[0] > 0xF4 || n < 4 || !tfm_utf8_trail(s[1]) || !tfm_utf8_trail(s[2]) || !tfm_utf8_trail(s[3])) return 0;
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90)) return 0;
    return 4;
}

/* Whether text, 1 to 3 bytes, is the beginning of valid characters and none itself. */
static inline bool tfm_utf8_is_open(const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n >= (s[0] < 0xE0 ? 2u : s[0] < 0xF0 ? 3u : 4u)) return false;
    if (n > 1) {
        unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
        unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
        if (s[1] < low || s[1] > high) return false;
    }
    return n < 3 || tfm_utf8_trail(s[2]);
}

/* Length the first byte alone announces: how a segmentation steps over text that was made valid before. */
static inline size_t tfm_utf8_step(unsigned char first) {
    return first < 0xC0 ? 1u : first < 0xE0 ? 2u : first < 0xF0 ? 3u : 4u;
}

#endif
