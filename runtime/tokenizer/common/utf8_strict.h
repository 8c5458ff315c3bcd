/*
 * utf8_strict.h - the strict reading of UTF-8 that SentencePiece uses: shortest forms only, no surrogates, up to
 * U+10FFFF.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_UTF8_STRICT_H
#define TFM_RUNTIME_TOKENIZER_COMMON_UTF8_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFM_UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define TFM_UTF8_SPACE "\xE2\x96\x81"       /* U+2581, which stands for a space in pieces */

static inline unsigned tfm_utf8_trail(unsigned char c) { return (c & 0xC0u) == 0x80u; }

/* Length of the valid character at s, which has n >= 1 bytes; 0 if there is none. */
static inline size_t tfm_utf8_char_length(const char *text, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) return 1;
    if (bytes[0] < 0xC2) return 0;
    if (bytes[0] < 0xE0) return n >= 2 && tfm_utf8_trail(bytes[1]) ? 2 : 0;
    if (bytes[0] < 0xF0) {
        if (n < 3 || !tfm_utf8_trail(bytes[1]) || !tfm_utf8_trail(bytes[2])) return 0;
        if ((bytes[0] == 0xE0 && bytes[1] < 0xA0) || (bytes[0] == 0xED && bytes[1] >= 0xA0)) return 0;
        return 3;
    }
    if (bytes[0] > 0xF4 || n < 4 || !tfm_utf8_trail(bytes[1]) || !tfm_utf8_trail(bytes[2]) || !tfm_utf8_trail(bytes[3]))
        return 0;
    if ((bytes[0] == 0xF0 && bytes[1] < 0x90) || (bytes[0] == 0xF4 && bytes[1] >= 0x90)) return 0;
    return 4;
}

/* Whether text, 1 to 3 bytes, is the beginning of valid characters and none itself. */
static inline bool tfm_utf8_is_open(const char *text, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4 || n >= (bytes[0] < 0xE0 ? 2u : bytes[0] < 0xF0 ? 3u : 4u)) return false;
    if (n > 1) {
        unsigned low = bytes[0] == 0xE0 ? 0xA0 : bytes[0] == 0xF0 ? 0x90 : 0x80;
        unsigned high = bytes[0] == 0xED ? 0x9F : bytes[0] == 0xF4 ? 0x8F : 0xBF;
        if (bytes[1] < low || bytes[1] > high) return false;
    }
    return n < 3 || tfm_utf8_trail(bytes[2]);
}

/* Length the first byte alone announces: how a segmentation steps over text that was made valid before. */
static inline size_t tfm_utf8_step(unsigned char first) {
    return first < 0xC0 ? 1u : first < 0xE0 ? 2u : first < 0xF0 ? 3u : 4u;
}

#endif
