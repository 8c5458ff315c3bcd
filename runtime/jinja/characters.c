/* characters.c - UTF-8 and white space of chat templates. */
#include "characters.h"

#include "runtime/tokenizer/common/utf8_strict.h"

size_t tfm_jinja_char_length(const char *text, size_t n) {
    size_t length = tfm_utf8_char_length(text, n);
    return length > 0 ? length : 1;
}

uint32_t tfm_jinja_decode_char(const char *text, size_t n, size_t *length) {
    const unsigned char *bytes = (const unsigned char *)text;
    *length = tfm_utf8_char_length(text, n);
    switch (*length) {
    case 1: return bytes[0];
    case 2: return (bytes[0] & 0x1Fu) << 6 | (bytes[1] & 0x3Fu);
    case 3: return (bytes[0] & 0x0Fu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
    case 4: return (bytes[0] & 0x07u) << 18 | (bytes[1] & 0x3Fu) << 12 | (bytes[2] & 0x3Fu) << 6 | (bytes[3] & 0x3Fu);
    default: *length = 1; return 0xDC00u + bytes[0];
    }
}

size_t tfm_jinja_encode_char(char *text, uint32_t code) {
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        text[0] = (char)(0xC0 | code >> 6);
        text[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code >= 0xDC80 && code < 0xDD00) { /* a byte that was no UTF-8 */
        text[0] = (char)(code - 0xDC00);
        return 1;
    }
    if (code < 0x10000) {
        text[0] = (char)(0xE0 | code >> 12);
        text[1] = (char)(0x80 | (code >> 6 & 0x3F));
        text[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    text[0] = (char)(0xF0 | code >> 18);
    text[1] = (char)(0x80 | (code >> 12 & 0x3F));
    text[2] = (char)(0x80 | (code >> 6 & 0x3F));
    text[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

bool tfm_jinja_is_space(uint32_t code) {
    if (code <= 0x20) return code == 0x20 || (code >= 0x09 && code <= 0x0D) || code >= 0x1C;
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool tfm_jinja_is_line_end(uint32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
}

size_t tfm_jinja_leading_space(const char *text, size_t n) {
    size_t at = 0, length;
    while (at < n && tfm_jinja_is_space(tfm_jinja_decode_char(text + at, n - at, &length))) at += length;
    return at;
}

/* No white space has a byte of its own inside another character's, so going back to where a character can begin is
 * enough. */
size_t tfm_jinja_trimmed_length(const char *text, size_t n) {
    while (n > 0) {
        size_t start = n - 1, length;
        while (start > 0 && n - start < 4 && tfm_utf8_trail((unsigned char)text[start])) start--;
        uint32_t code = tfm_jinja_decode_char(text + start, n - start, &length);
        if (start + length != n || !tfm_jinja_is_space(code)) return n;
        n = start;
    }
    return n;
}
