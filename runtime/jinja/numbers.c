/* numbers.c - numbers of chat templates as text and back. */
#include "numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "characters.h"
#include "runtime/tokenizer/common/white_space.h"

/* ---- reading ---- */

double tfm_jinja_decimal(jinja_state *state, const char *digits, size_t n, int64_t power) {
    char *text = tfm_jinja_alloc(state, n + 32, 1);
    if (!text) return 0;
    if (n > 0) memcpy(text, digits, n);
    snprintf(text + n, 32, "e%lld", (long long)power); /* no decimal point, which would depend on the locale */
    return strtod(text, NULL);
}

bool tfm_jinja_read_int(jinja_state *state, const jinja_string *string, int64_t *number) {
    size_t at = tfm_leading_white_space(string->data, string->n), end = tfm_trimmed_length(string->data, string->n);
    bool negative = at < end && string->data[at] == '-', digit = false;
    if (at < end && (string->data[at] == '-' || string->data[at] == '+')) at++;
    *number = 0;
    for (; at < end; at++) {
        if (string->data[at] == '_' && digit && at + 1 < end) {
            digit = false;
            continue;
        }
        if (string->data[at] < '0' || string->data[at] > '9') return false;
        digit = true;
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_sub_overflow(*number, string->data[at] - '0', number)) {
            tfm_jinja_fail(state, TFM_ERROR_LIMIT, "a number gets too large");
            return false;
        }
    }
    if (!digit) return false;
    if (!negative && __builtin_sub_overflow(0, *number, number)) {
        tfm_jinja_fail(state, TFM_ERROR_LIMIT, "a number gets too large");
        return false;
    }
    return true;
}

bool tfm_jinja_read_float(jinja_state *state, const jinja_string *string, double *number) {
    size_t at = tfm_leading_white_space(string->data, string->n), end = tfm_trimmed_length(string->data, string->n),
           n = 0;
    if (end <= at) return false;
    char *digits = tfm_jinja_alloc(state, end - at + 1, 1);
    int64_t places = 0, power = 0;
    bool point = false, any = false;
    if (!digits) return false;
    if (string->data[at] == '-' || string->data[at] == '+') digits[n++] = string->data[at++];
    for (; at < end && (string->data[at] | 0x20) != 'e'; at++) {
        if (string->data[at] == '.' && !point) {
            point = true;
            continue;
        }
        if (string->data[at] < '0' || string->data[at] > '9') return false;
        any = true;
        digits[n++] = string->data[at];
        places += point;
    }
    if (!any) return false;
    if (at < end) {
        jinja_string exponent = {string->data + at + 1, end - at - 1, 0, false};
        int64_t value;
        if (exponent.n == 0 || tfm_is_white_space((unsigned char)exponent.data[0])) return false;
        if (!tfm_jinja_read_int(state, &exponent, &value)) return false;
        power = value > 100000 ? 100000 : value < -100000 ? -100000 : value;
    }
    *number = tfm_jinja_decimal(state, digits, n, power - places);
    return true;
}

/* ---- writing ---- */

/* The fewest digits that give the number back, in digits (17 at most); returns the exponent of the first one. Digits
 * are picked out of what printf makes and read as a whole number, so that a locale's decimal point does not matter. */
static int shortest_digits(double x, char *digits, int *n) {
    int exponent = 0;
    for (int precision = 0; precision < 17; precision++) {
        char text[48], again[48];
        snprintf(text, sizeof text, "%.*e", precision, x);
        *n = 0;
        const char *at = text;
        for (; *at != 'e' && *at != '\0'; at++) {
            if (*at >= '0' && *at <= '9' && *n < 17) digits[(*n)++] = *at;
        }
        exponent = *at == 'e' ? atoi(at + 1) : 0;
        snprintf(again, sizeof again, "%.*se%d", *n, digits, exponent - (*n - 1));
        if (strtod(again, NULL) == x) break;
    }
    while (*n > 1 && digits[*n - 1] == '0') --*n;
    return exponent;
}

static int float_text(double x, char *text, size_t size) {
    char digits[24];
    int n, sign = signbit(x) != 0 && !isnan(x), at = 0;
    if (isnan(x)) return snprintf(text, size, "nan");
    if (isinf(x)) return snprintf(text, size, "%sinf", sign ? "-" : "");
    int exponent = shortest_digits(fabs(x), digits, &n);
    if (sign) text[at++] = '-';
    if (exponent < -4 || exponent >= 16) {
        text[at++] = digits[0];
        if (n > 1) at += snprintf(text + at, size - (size_t)at, ".%.*s", n - 1, digits + 1);
        return at + snprintf(text + at, size - (size_t)at, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    for (int i = exponent < 0 ? exponent : 0; i <= exponent || i < n; i++) {
        if (i == 1 + exponent && i > 0) text[at++] = '.';
        text[at++] = i >= 0 && i < n ? digits[i] : '0';
        if (exponent < 0 && i == exponent) text[at++] = '.';
    }
    if (n <= exponent + 1) at += snprintf(text + at, size - (size_t)at, ".0");
    return at;
}

void tfm_jinja_append_number(jinja_state *state, jinja_buffer *out, jinja_value number) {
    char text[64];
    int n = number.type == JINJA_FLOAT ? float_text(number.real, text, sizeof text)
                                       : snprintf(text, sizeof text, "%lld", (long long)tfm_jinja_to_int(number));
    tfm_jinja_buffer_append(state, out, text, (size_t)n);
}
