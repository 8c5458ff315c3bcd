/* text_filters.c - filters for text and numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter.h"

static jinja_value text_of(jinja_context *c, jinja_value value) {
    jinja_value text = tfm_jinja_str(c, value);
    static const jinja_string empty = {"", 0, 0, false};
    return text.type == JINJA_STRING ? text : (jinja_value){.type = JINJA_STRING, .string = &empty};
}

static bool given(jinja_value value) { return value.type != JINJA_MISSING; }

static jinja_value cased(jinja_context *c, jinja_value self, chat_case how) {
    return tfm_jinja_change_case(c, text_of(c, self).string, how);
}

static jinja_value upper(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return cased(c, self, JINJA_UPPER);
}

static jinja_value lower(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return cased(c, self, JINJA_LOWER);
}

static jinja_value title(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return cased(c, self, JINJA_FILTER_TITLE);
}

static jinja_value capitalize(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return cased(c, self, JINJA_CAPITALIZE);
}

/* Calls a method of strings. */
static jinja_value as_method(jinja_context *c, jinja_value self, const char *name, const jinja_list *places) {
    const jinja_string method = {name, strlen(name), strlen(name), false};
    const jinja_builtin *function = NULL;
    static const jinja_dict none;
    jinja_value text = text_of(c, self);
    tfm_jinja_find_method(text, &method, &function);
    return tfm_jinja_apply(c, function, "filter", &method, text, places, &none);
}

static jinja_value trim(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value places = tfm_jinja_list(&c->work, JINJA_A_TUPLE, 1);
    if (c->work.status != TFM_OK) return places;
    if (given(a->at[0])) tfm_jinja_push(&c->work, places.list, a->at[0]);
    return as_method(c, self, "strip", places.list);
}

static jinja_value center(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value width = tfm_jinja_list(&c->work, JINJA_A_TUPLE, 1);
    if (c->work.status != TFM_OK) return width;
    tfm_jinja_push(&c->work, width.list, given(a->at[0]) ? a->at[0] : jinja_int(80));
    return as_method(c, self, "center", width.list);
}

static jinja_value replace(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value places = tfm_jinja_list(&c->work, JINJA_A_TUPLE, 3);
    if (c->work.status != TFM_OK) return places;
    tfm_jinja_push(&c->work, places.list, text_of(c, a->at[0]));
    tfm_jinja_push(&c->work, places.list, text_of(c, a->at[1]));
    if (given(a->at[2]) && a->at[2].type != JINJA_NONE) tfm_jinja_push(&c->work, places.list, a->at[2]);
    return as_method(c, self, "replace", places.list);
}

static jinja_value string(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    return tfm_jinja_str(c, self);
}

static jinja_value safe(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    jinja_string *marked = tfm_jinja_take(&c->work, 1, sizeof *marked);
    if (!marked) return JINJA_UNDEFINED_VALUE;
    *marked = *text_of(c, self).string;
    marked->markup = true;
    return (jinja_value){.type = JINJA_STRING, .string = marked};
}

static jinja_value format(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value values = {.type = JINJA_LIST};
    if (a->names->n > 0) {
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "the filter 'format' with names is not known");
        return JINJA_UNDEFINED_VALUE;
    }
    jinja_list *places = tfm_jinja_take(&c->work, 1, sizeof *places);
    if (!places) return JINJA_UNDEFINED_VALUE;
    *places = *a->places;
    values.list = places;
    return tfm_jinja_percent(c, text_of(c, self).string, values);
}

/* Lines but the first are moved to the right; empty ones are not, unless that is asked for. */
static jinja_value indent(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_buffer text = {0}, by = {0};
    bool first = given(a->at[1]) && tfm_jinja_truth(a->at[1]), blank = given(a->at[2]) && tfm_jinja_truth(a->at[2]);
    int64_t width = !given(a->at[0]) ? 4 : a->at[0].type == JINJA_INT ? a->at[0].number : 0;
    if (self.type != JINJA_STRING || (given(a->at[0]) && a->at[0].type != JINJA_INT && a->at[0].type != JINJA_STRING)) {
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'indent' needs a string and a width");
        return JINJA_UNDEFINED_VALUE;
    }
    const jinja_string *s = self.string;
    if (given(a->at[0]) && a->at[0].type == JINJA_STRING) {
        tfm_jinja_put(&c->work, &by, a->at[0].string->data, a->at[0].string->n);
    } else {
        for (int64_t i = 0; i < width && tfm_jinja_step(&c->work, 1); i++) tfm_jinja_put(&c->work, &by, " ", 1);
    }
    if (first) tfm_jinja_put(&c->work, &text, by.data, by.n);
    for (size_t start = 0, number = 0; start <= s->n && c->work.status == TFM_OK; number++) {
        size_t end = start, length = 0;
        for (uint32_t code; end < s->n; end += length) {
            code = tfm_jinja_code(s->data + end, s->n - end, &length);
            if (!tfm_jinja_ends_line(code)) continue;
            if (code == '\r' && end + 1 < s->n && s->data[end + 1] == '\n') length = 2;
            break;
        }
        if (number > 0) tfm_jinja_put(&c->work, &text, "\n", 1);
        if (number > 0 && (blank || end > start)) tfm_jinja_put(&c->work, &text, by.data, by.n);
        tfm_jinja_put(&c->work, &text, s->data + start, end - start);
        start = end < s->n ? end + length : s->n + 1;
    }
    return tfm_jinja_buffer_text(&c->work, &text);
}

/* ---- numbers ---- */

/* A whole number as int() reads it. */
static bool read_whole(jinja_context *c, const jinja_string *s, int64_t *number) {
    size_t at = tfm_jinja_leading_space(s->data, s->n), end = tfm_jinja_without_trailing_space(s->data, s->n);
    bool negative = at < end && s->data[at] == '-', digit = false;
    if (at < end && (s->data[at] == '-' || s->data[at] == '+')) at++;
    *number = 0;
    for (; at < end; at++) {
        if (s->data[at] == '_' && digit && at + 1 < end) {
            digit = false;
            continue;
        }
        if (s->data[at] < '0' || s->data[at] > '9') return false;
        digit = true;
        if (__builtin_mul_overflow(*number, 10, number) || __builtin_sub_overflow(*number, s->data[at] - '0', number)) {
            tfm_jinja_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
            return false;
        }
    }
    if (!digit) return false;
    if (!negative && __builtin_sub_overflow(0, *number, number)) {
        tfm_jinja_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
        return false;
    }
    return true;
}

/* A number as float() reads it: digits without the point and an exponent, as strtod reads them in every locale. */
static bool read_real(jinja_context *c, const jinja_string *s, double *number) {
    size_t at = tfm_jinja_leading_space(s->data, s->n), end = tfm_jinja_without_trailing_space(s->data, s->n), n = 0;
    if (end <= at) return false;
    char *digits = tfm_jinja_take(&c->work, end - at + 40, 1);
    long places = 0, power = 0;
    bool point = false, any = false;
    if (!digits) return false;
    if (s->data[at] == '-' || s->data[at] == '+') digits[n++] = s->data[at++];
    for (; at < end && (s->data[at] | 0x20) != 'e'; at++) {
        if (s->data[at] == '.' && !point) {
            point = true;
            continue;
        }
        if (s->data[at] < '0' || s->data[at] > '9') return false;
        any = true;
        digits[n++] = s->data[at];
        places += point;
    }
    if (!any) return false;
    if (at < end) {
        jinja_string exponent = {s->data + at + 1, end - at - 1, 0, false};
        int64_t value;
        if (exponent.n == 0 || tfm_jinja_is_space((unsigned char)exponent.data[0])) return false;
        if (!read_whole(c, &exponent, &value)) return false;
        power = value > 100000 ? 100000 : value < -100000 ? -100000 : (long)value;
    }
    digits[n++] = 'e';
    long whole = power - places;
    if (whole < 0) digits[n++] = '-';
    char reversed[24];
    size_t k = 0;
    for (unsigned long rest = whole < 0 ? 0ul - (unsigned long)whole : (unsigned long)whole; rest > 0 || k == 0;
         rest /= 10)
        reversed[k++] = (char)('0' + rest % 10);
    while (k > 0) digits[n++] = reversed[--k];
    digits[n] = '\0';
    *number = strtod(digits, NULL);
    return true;
}

/* A float without its fraction; false: it has no place in an int. */
static bool cut(double real, int64_t *number) {
    if (!(real > -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
    *number = (int64_t)real;
    return true;
}

static jinja_value to_int(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value fallback = given(a->at[0]) ? a->at[0] : jinja_int(0);
    int64_t number;
    double real;
    if (given(a->at[1]) && !(a->at[1].type == JINJA_INT && a->at[1].number == 10) && self.type == JINJA_STRING)
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "numbers to another base than 10 are not known");
    if (self.type == JINJA_BOOL || self.type == JINJA_INT) return jinja_int(tfm_jinja_whole(self));
    if (self.type == JINJA_STRING && read_whole(c, self.string, &number)) return jinja_int(number);
    if (self.type == JINJA_FLOAT || (self.type == JINJA_STRING && read_real(c, self.string, &real))) {
        if (self.type == JINJA_FLOAT) real = self.real;
        if (!isfinite(real)) return fallback;
        if (cut(real, &number)) return jinja_int(number);
        tfm_jinja_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
    }
    tfm_jinja_refuse_undefined(c, self);
    return fallback;
}

static jinja_value to_float(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    double real;
    if (tfm_jinja_is_number(self)) return jinja_float(tfm_jinja_real(self));
    if (self.type == JINJA_STRING && read_real(c, self.string, &real)) return jinja_float(real);
    tfm_jinja_refuse_undefined(c, self);
    return given(a->at[0]) ? a->at[0] : jinja_float(0);
}

static jinja_value absolute(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    if (tfm_jinja_refuse_undefined(c, self)) return self;
    if (self.type == JINJA_FLOAT) return jinja_float(fabs(self.real));
    if (!tfm_jinja_is_number(self)) {
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'abs' needs a number");
        return self;
    }
    int64_t number = tfm_jinja_whole(self);
    return number < 0 ? tfm_jinja_arithmetic(c, OPERATOR_SUBTRACT, jinja_int(0), jinja_int(number)) : jinja_int(number);
}

/* To whole numbers and, for the other methods, to places; what rounds decimals exactly in Python is refused. */
static jinja_value round_number(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    int64_t places = given(a->at[0]) && a->at[0].type == JINJA_INT ? a->at[0].number : 0;
    bool named = given(a->at[1]) && a->at[1].type == JINJA_STRING;
    bool up = named && tfm_jinja_is(a->at[1].string, "ceil"), down = named && tfm_jinja_is(a->at[1].string, "floor");
    if (!tfm_jinja_is_number(self) ||
        (given(a->at[1]) && !up && !down && !(named && tfm_jinja_is(a->at[1].string, "common"))))
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'round' needs a number and a method it has");
    if (places < 0 || places > 15 || (places > 0 && !up && !down && fabs(tfm_jinja_real(self)) > 1e15))
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "rounding to these places is not known");
    if (c->work.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    double x = tfm_jinja_real(self), factor = 1;
    for (int64_t i = 0; i < places; i++) factor *= 10;
    if (up) return jinja_float(ceil(x * factor) / factor);
    if (down) return jinja_float(floor(x * factor) / factor);
    if (self.type != JINJA_FLOAT) return jinja_int(tfm_jinja_whole(self));
    if (places == 0) return jinja_float(nearbyint(x));
    jinja_buffer digits = {0};
    char text[400];
    int n = snprintf(text, sizeof text, "%.*f", (int)places, x); /* exact, ties to even: what round() does */
    for (int i = 0; i < n; i++) {
        if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) tfm_jinja_put(&c->work, &digits, text + i, 1);
    }
    n = snprintf(text, sizeof text, "e-%d", (int)places);
    tfm_jinja_put(&c->work, &digits, text, (size_t)n + 1);
    return c->work.status == TFM_OK ? jinja_float(strtod(digits.data, NULL)) : JINJA_UNDEFINED_VALUE;
}

/* ---- JSON ---- */

static jinja_value tojson(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_json_style style = {.comma = ", ", .colon = ": ", .n_comma = 2, .n_colon = 2};
    jinja_buffer text = {0}, spaces = {0};
    style.ascii = given(a->at[0]) && tfm_jinja_truth(a->at[0]);
    style.sorted = given(a->at[3]) && tfm_jinja_truth(a->at[3]);
    jinja_value width = a->at[1];
    if (given(width) && width.type != JINJA_NONE) {
        style.comma = ",";
        style.n_comma = 1;
        if (width.type == JINJA_STRING) {
            style.indent = width.string;
        } else if (width.type == JINJA_INT || width.type == JINJA_BOOL) {
            for (int64_t i = 0; i < tfm_jinja_whole(width) && tfm_jinja_step(&c->work, 1); i++)
                tfm_jinja_put(&c->work, &spaces, " ", 1);
            style.indent = tfm_jinja_buffer_text(&c->work, &spaces).string;
        } else {
            tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "tojson needs a whole number or a string as indent");
        }
    }
    if (given(a->at[2]) && a->at[2].type == JINJA_LIST && a->at[2].list->n == 2 &&
        a->at[2].list->items[0].type == JINJA_STRING && a->at[2].list->items[1].type == JINJA_STRING) {
        const jinja_string *comma = a->at[2].list->items[0].string, *colon = a->at[2].list->items[1].string;
        style =
            (jinja_json_style){style.indent, comma->data, colon->data, comma->n, colon->n, style.ascii, style.sorted};
    } else if (given(a->at[2]) && a->at[2].type != JINJA_NONE) {
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "tojson needs two strings as separators");
    }
    if (c->work.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    tfm_jinja_put_json(c, &text, self, &style);
    return tfm_jinja_buffer_text(&c->work, &text);
}

static const jinja_builtin filters[] = {
    {"abs", "", 0, absolute},
    {"capitalize", "", 0, capitalize},
    {"center", "width", 0, center},
    {"float", "default", 0, to_float},
    {"format", NULL, 0, format},
    {"indent", "width first blank", 0, indent},
    {"int", "default base", 0, to_int},
    {"lower", "", 0, lower},
    {"replace", "old new count", 2, replace},
    {"round", "precision method", 0, round_number},
    {"safe", "", 0, safe},
    {"string", "", 0, string},
    {"title", "", 0, title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, tojson},
    {"trim", "chars", 0, trim},
    {"upper", "", 0, upper},
};

const jinja_builtin *tfm_jinja_find_text_filter(const jinja_string *name) {
    return tfm_jinja_find_in(filters, sizeof filters / sizeof *filters, name);
}
