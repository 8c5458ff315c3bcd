/* base64.c - RFC 4648 base64 into bytes and back. */
#include "base64.h"

#include <stdlib.h>

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

tfm_status tfm_base64_decode(const char *text, size_t n, unsigned char **data, size_t *n_data) {
    if (n == 0 || n % 4 != 0) return TFM_ERROR_FORMAT;
    size_t padding = text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2, size = 0;
    unsigned char *out = malloc(n / 4 * 3);
    if (!out) return TFM_ERROR_MEMORY;
    for (size_t i = 0; i < n; i += 4) {
        unsigned value = 0;
        for (size_t k = i; k < i + 4; k++) {
            int digit = k >= n - padding ? 0 : digit_of(text[k]);
            if (digit < 0) {
                free(out);
                return TFM_ERROR_FORMAT;
            }
            value = value << 6 | (unsigned)digit;
        }
        out[size++] = (unsigned char)(value >> 16);
        out[size++] = (unsigned char)(value >> 8);
        out[size++] = (unsigned char)value;
    }
    *data = out;
    *n_data = size - padding;
    return TFM_OK;
}

char *tfm_base64_encode(const unsigned char *data, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = malloc((n + 2) / 3 * 4 + 1), *to = out;
    for (size_t i = 0; out && i < n; i += 3) {
        const size_t left = n - i;
        const unsigned value =
            (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0u);
        *to++ = digits[value >> 18];
        *to++ = digits[value >> 12 & 63];
        *to++ = left > 1 ? digits[value >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[value & 63] : '=';
    }
    if (out) *to = 0;
    return out;
}
