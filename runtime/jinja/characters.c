/* characters.c - characters of chat templates, where any byte may stand. */
#include "characters.h"

#include "format/utf8.h"

/* Python's "surrogateescape": bytes that are no UTF-8 as code points that no valid text has. */
#define ESCAPED_BYTES 0xDC00u

uint32_t tfm_jinja_decode_char(const char *text, size_t n, size_t *length) {
    uint32_t code;
    *length = tfm_utf8_decode(text, n, &code);
    if (*length > 0) return code;
    *length = 1;
    return ESCAPED_BYTES + (unsigned char)text[0];
}

size_t tfm_jinja_encode_char(char *text, uint32_t code) {
    if (code < ESCAPED_BYTES + 0x80 || code > ESCAPED_BYTES + 0xFF) return tfm_utf8_encode(code, text);
    text[0] = (char)(code - ESCAPED_BYTES);
    return 1;
}

bool tfm_jinja_is_line_end(uint32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
}
