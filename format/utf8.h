/*
 * utf8.h - UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
 *
 * All of it is inline: tokenizers call it for every character, and decoders for pieces of a few bytes.
 */
#ifndef TFM_FORMAT_UTF8_H
#define TFM_FORMAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TFM_UTF8_MAX 4 /* bytes of a character */
#define TFM_REPLACEMENT_CHARACTER 0xFFFDu
#define TFM_UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Whether a byte goes on with a character that began before it. */
static inline bool tfm_utf8_continues(char byte) { return ((unsigned char)byte & 0xC0u) == 0x80u; }

/* Length of the character at text, which has n >= 1 bytes; 0 if no valid one begins there. */
static inline size_t tfm_utf8_char_length(const char *text, size_t n) {
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0x80) return 1;
    if (byte[0] < 0xC2) return 0;
    if (byte[0] < 0xE0) return n >= 2 && tfm_utf8_continues(text[1]) ? 2 : 0;
    if (byte[0] < 0xF0) {
        if (n < 3 || !tfm_utf8_continues(text[1]) || !tfm_utf8_continues(text[2])) return 0;
        if ((byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xED && byte[1] >= 0xA0)) return 0;
        return 3;
    }
    if (byte[0] > 0xF4 || n < 4 || !tfm_utf8_continues(text[1]) || !tfm_utf8_continues(text[2]) ||
        !tfm_utf8_continues(text[3]))
        return 0;
    if ((byte[0] == 0xF0 && byte[1] < 0x90) || (byte[0] == 0xF4 && byte[1] >= 0x90)) return 0;
    return 4;
}

/* Length that the first byte of a character announces, for text known to be valid; at least 1 whatever the byte. */
static inline size_t tfm_utf8_announced_length(char first) {
    unsigned char byte = (unsigned char)first;
    return byte < 0xC0 ? 1u : byte < 0xE0 ? 2u : byte < 0xF0 ? 3u : 4u;
}

/* Whether text, 1 to 3 bytes, is the beginning of valid characters and none itself. */
static inline bool tfm_utf8_is_open(const char *text, size_t n) {
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0xC2 || byte[0] > 0xF4 || n >= tfm_utf8_announced_length(text[0])) return false;
    if (n > 1) {
        unsigned low = byte[0] == 0xE0 ? 0xA0 : byte[0] == 0xF0 ? 0x90 : 0x80;
        unsigned high = byte[0] == 0xED ? 0x9F : byte[0] == 0xF4 ? 0x8F : 0xBF;
        if (byte[1] < low || byte[1] > high) return false;
    }
    return n < 3 || tfm_utf8_continues(text[2]);
}

/*
 * Where no valid character begins: the longest beginning of text that could have become one, at least 1. Unicode
 * advises one U+FFFD for so many bytes.
 */
static inline size_t tfm_utf8_broken_length(const char *text, size_t n) {
    size_t length = 1;
    while (length < n && length < 3 && tfm_utf8_is_open(text, length + 1)) length++;
    return length;
}

/* The character at text, which has n >= 1 bytes: its length, and its code point; 0 and U+FFFD if none begins there. */
static inline size_t tfm_utf8_decode(const char *text, size_t n, uint32_t *code) {
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0x80) {
        *code = byte[0];
        return 1;
    }
    size_t length = tfm_utf8_char_length(text, n);
    switch (length) {
    case 2: *code = (byte[0] & 0x1Fu) << 6 | (byte[1] & 0x3Fu); return 2;
    case 3: *code = (byte[0] & 0xFu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu); return 3;
    case 4:
        *code = (byte[0] & 7u) << 18 | (byte[1] & 0x3Fu) << 12 | (byte[2] & 0x3Fu) << 6 | (byte[3] & 0x3Fu);
        return 4;
    default: *code = TFM_REPLACEMENT_CHARACTER; return 0;
    }
}

/* The same for a walk through any text: a byte that begins no character is a U+FFFD of length 1. */
static inline size_t tfm_utf8_next(const char *text, size_t n, uint32_t *code) {
    size_t length = tfm_utf8_decode(text, n, code);
    return length > 0 ? length : 1;
}

/* Bytes from here to the next character, which is the length of the one at text (n >= 1 bytes), or 1 if none begins. */
static inline size_t tfm_utf8_step(const char *text, size_t n) {
    size_t length = tfm_utf8_char_length(text, n);
    return length > 0 ? length : 1;
}

/* Where the last character of text begins, which has n >= 1 bytes: n - 1 if its end is not valid. */
static inline size_t tfm_utf8_last(const char *text, size_t n, uint32_t *code) {
    size_t at = n - 1;
    while (at > 0 && n - at < TFM_UTF8_MAX && tfm_utf8_continues(text[at])) at--;
    if (tfm_utf8_decode(text + at, n - at, code) == n - at) return at;
    *code = TFM_REPLACEMENT_CHARACTER;
    return n - 1;
}

/* Writes the UTF-8 of a code point up to U+10FFFF, at most TFM_UTF8_MAX bytes; returns its length. */
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

/* Bytes of the longest beginning of n bytes that is valid UTF-8; U+0000 counts as valid. */
static inline size_t tfm_utf8_valid_prefix(const char *text, size_t n) {
    size_t at = 0;
    while (at < n) {
        uint64_t eight;
        if (n - at >= sizeof eight) { /* most text is ASCII */
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = tfm_utf8_char_length(text + at, n - at);
        if (length == 0) break;
        at += length;
    }
    return at;
}

#endif
