/* characters.c - UTF-8, white space and growing text of chat templates. */
#include <string.h>

#include "runtime/tokenizer/utf8_strict.h"
#include "value.h"

void tfm_jinja_put(jinja_work *w, jinja_buffer *buffer, const char *data, size_t n) {
    size_t needed;
    if (!tfm_jinja_step_bytes(w, n)) return;
    if (__builtin_add_overflow(buffer->n, n, &needed)) needed = SIZE_MAX;
    if (needed > buffer->size) {
        size_t size = needed > SIZE_MAX / 2 ? needed : needed * 2 + 64;
        char *bigger = tfm_jinja_take(w, size, 1);
        if (!bigger) return;
        if (buffer->n > 0) memcpy(bigger, buffer->data, buffer->n);
        buffer->data = bigger;
        buffer->size = size;
    }
    if (n > 0) memcpy(buffer->data + buffer->n, data, n);
    buffer->n += n;
}

jinja_value tfm_jinja_buffer_text(jinja_work *w, const jinja_buffer *buffer) {
    return tfm_jinja_text(w, buffer->n > 0 ? buffer->data : "", buffer->n);
}

size_t tfm_jinja_step_char(const char *text, size_t n) {
    size_t length = tfm_utf8_char_length(text, n);
    return length > 0 ? length : 1;
}

uint32_t tfm_jinja_code(const char *text, size_t n, size_t *length) {
    const unsigned char *s = (const unsigned char *)text;
    *length = tfm_utf8_char_length(text, n);
    switch (*length) {
    case 1: return s[0];
    case 2: return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    case 3: return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    case 4: return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    default: *length = 1; return 0xDC00u + s[0];
    }
}

size_t tfm_jinja_put_code(char *text, uint32_t code) {
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

size_t tfm_jinja_offset(const jinja_string *string, size_t index) {
    if (string->n == string->n_chars) return index < string->n ? index : string->n;
    size_t at = 0;
    while (index-- > 0 && at < string->n) at += tfm_jinja_step_char(string->data + at, string->n - at);
    return at;
}

bool tfm_jinja_is_space(uint32_t code) {
    if (code <= 0x20) return code == 0x20 || (code >= 0x09 && code <= 0x0D) || code >= 0x1C;
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool tfm_jinja_ends_line(uint32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
}

size_t tfm_jinja_leading_space(const char *text, size_t n) {
    size_t at = 0, length;
    while (at < n && tfm_jinja_is_space(tfm_jinja_code(text + at, n - at, &length))) at += length;
    return at;
}

/* No white space has a byte of its own inside another character's, so going back to where a character can begin is
 * enough. */
size_t tfm_jinja_without_trailing_space(const char *text, size_t n) {
    while (n > 0) {
        size_t start = n - 1, length;
        while (start > 0 && n - start < 4 && tfm_utf8_trail((unsigned char)text[start])) start--;
        uint32_t code = tfm_jinja_code(text + start, n - start, &length);
        if (start + length != n || !tfm_jinja_is_space(code)) return n;
        n = start;
    }
    return n;
}
