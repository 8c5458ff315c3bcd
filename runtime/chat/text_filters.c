/* text_filters.c - filters for text and numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter.h"

static chat_value text_of(chat_context *c, chat_value value) {
    chat_value text = tfm_chat_str(c, value);
    static const chat_string empty = {"", 0, 0, false};
    return text.type == CHAT_STRING ? text : (chat_value){.type = CHAT_STRING, .string = &empty};
}

static bool given(chat_value value) { return value.type != CHAT_MISSING; }

static chat_value cased(chat_context *c, chat_value self, chat_case how) {
    return tfm_chat_change_case(c, text_of(c, self).string, how);
}

static chat_value upper(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return cased(c, self, CHAT_UPPER);
}

static chat_value lower(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return cased(c, self, CHAT_LOWER);
}

static chat_value title(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return cased(c, self, CHAT_FILTER_TITLE);
}

static chat_value capitalize(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return cased(c, self, CHAT_CAPITALIZE);
}

/* Calls a method of strings. */
static chat_value as_method(chat_context *c, chat_value self, const char *name, const chat_list *places) {
    const chat_string method = {name, strlen(name), strlen(name), false};
    const chat_builtin *function = NULL;
    static const chat_dict none;
    chat_value text = text_of(c, self);
    tfm_chat_find_method(text, &method, &function);
    return tfm_chat_apply(c, function, "filter", &method, text, places, &none);
}

static chat_value trim(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value places = tfm_chat_list(&c->work, CHAT_A_TUPLE, 1);
    if (c->work.status != TFM_OK) return places;
    if (given(a->at[0])) tfm_chat_push(&c->work, places.list, a->at[0]);
    return as_method(c, self, "strip", places.list);
}

static chat_value center(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value width = tfm_chat_list(&c->work, CHAT_A_TUPLE, 1);
    if (c->work.status != TFM_OK) return width;
    tfm_chat_push(&c->work, width.list, given(a->at[0]) ? a->at[0] : chat_int(80));
    return as_method(c, self, "center", width.list);
}

static chat_value replace(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value places = tfm_chat_list(&c->work, CHAT_A_TUPLE, 3);
    if (c->work.status != TFM_OK) return places;
    tfm_chat_push(&c->work, places.list, text_of(c, a->at[0]));
    tfm_chat_push(&c->work, places.list, text_of(c, a->at[1]));
    if (given(a->at[2]) && a->at[2].type != CHAT_NONE) tfm_chat_push(&c->work, places.list, a->at[2]);
    return as_method(c, self, "replace", places.list);
}

static chat_value string(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return tfm_chat_str(c, self);
}

static chat_value safe(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    chat_string *marked = tfm_chat_take(&c->work, 1, sizeof *marked);
    if (marked == NULL) return CHAT_UNDEFINED_VALUE;
    *marked = *text_of(c, self).string;
    marked->markup = true;
    return (chat_value){.type = CHAT_STRING, .string = marked};
}

static chat_value format(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value values = {.type = CHAT_LIST};
    if (a->names->n > 0) {
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "the filter 'format' with names is not known");
        return CHAT_UNDEFINED_VALUE;
    }
    chat_list *places = tfm_chat_take(&c->work, 1, sizeof *places);
    if (places == NULL) return CHAT_UNDEFINED_VALUE;
    *places = *a->places;
    values.list = places;
    return tfm_chat_percent(c, text_of(c, self).string, values);
}

/* Lines but the first are moved to the right; empty ones are not, unless that is asked for. */
static chat_value indent(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_buffer text = {0}, by = {0};
    bool first = given(a->at[1]) && tfm_chat_truth(a->at[1]), blank = given(a->at[2]) && tfm_chat_truth(a->at[2]);
    int64_t width = !given(a->at[0]) ? 4 : a->at[0].type == CHAT_INT ? a->at[0].number : 0;
    if (self.type != CHAT_STRING || (given(a->at[0]) && a->at[0].type != CHAT_INT && a->at[0].type != CHAT_STRING)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'indent' needs a string and a width");
        return CHAT_UNDEFINED_VALUE;
    }
    const chat_string *s = self.string;
    if (given(a->at[0]) && a->at[0].type == CHAT_STRING) {
        tfm_chat_put(&c->work, &by, a->at[0].string->data, a->at[0].string->n);
    } else {
        for (int64_t i = 0; i < width && tfm_chat_step(&c->work, 1); i++) tfm_chat_put(&c->work, &by, " ", 1);
    }
    if (first) tfm_chat_put(&c->work, &text, by.data, by.n);
    for (size_t start = 0, number = 0; start <= s->n && c->work.status == TFM_OK; number++) {
        size_t end = start, length = 0;
        for (uint32_t code; end < s->n; end += length) {
            code = tfm_chat_code(s->data + end, s->n - end, &length);
            if (!tfm_chat_ends_line(code)) continue;
            if (code == '\r' && end + 1 < s->n && s->data[end + 1] == '\n') length = 2;
            break;
        }
        if (number > 0) tfm_chat_put(&c->work, &text, "\n", 1);
        if (number > 0 && (blank || end > start)) tfm_chat_put(&c->work, &text, by.data, by.n);
        tfm_chat_put(&c->work, &text, s->data + start, end - start);
        start = end < s->n ? end + length : s->n + 1;
    }
    return tfm_chat_buffer_text(&c->work, &text);
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

/* A whole number as int() reads it. */
static bool read_whole(chat_context *c, const chat_string *s, int64_t *number) {
    size_t at = tfm_chat_leading_space(s->data, s->n), end = tfm_chat_without_trailing_space(s->data, s->n);
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
            tfm_chat_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
            return false;
        }
    }
    if (!digit) return false;
    if (!negative && __builtin_sub_overflow(0, *number, number)) {
        tfm_chat_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
        return false;
    }
    return true;
}

/* A number as float() reads it: digits without the point and an exponent, as strtod reads them in every locale. */
static bool read_real(chat_context *c, const chat_string *s, double *number) {
    size_t at = tfm_chat_leading_space(s->data, s->n), end = tfm_chat_without_trailing_space(s->data, s->n), n = 0;
    if (end <= at) return false;
    char *digits = tfm_chat_take(&c->work, end - at + 40, 1);
    long places = 0, power = 0;
    bool point = false, any = false;
    if (digits == NULL) return false;
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
        chat_string exponent = {s->data + at + 1, end - at - 1, 0, false};
        int64_t value;
        if (exponent.n == 0 || tfm_chat_is_space((unsigned char)exponent.data[0])) return false;
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

static chat_value to_int(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value fallback = given(a->at[0]) ? a->at[0] : chat_int(0);
    int64_t number;
    double real;
    if (given(a->at[1]) && !(a->at[1].type == CHAT_INT && a->at[1].number == 10) && self.type == CHAT_STRING)
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "numbers to another base than 10 are not known");
    if (self.type == CHAT_BOOL || self.type == CHAT_INT) return chat_int(tfm_chat_whole(self));
    if (self.type == CHAT_STRING && read_whole(c, self.string, &number)) return chat_int(number);
    if (self.type == CHAT_FLOAT || (self.type == CHAT_STRING && read_real(c, self.string, &real))) {
        if (self.type == CHAT_FLOAT) real = self.real;
        if (!isfinite(real)) return fallback;
        if (cut(real, &number)) return chat_int(number);
        tfm_chat_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
    }
    tfm_chat_refuse_undefined(c, self);
    return fallback;
}

static chat_value to_float(chat_context *c, chat_value self, const chat_arguments *a) {
    double real;
    if (tfm_chat_is_number(self)) return chat_float(tfm_chat_real(self));
    if (self.type == CHAT_STRING && read_real(c, self.string, &real)) return chat_float(real);
    tfm_chat_refuse_undefined(c, self);
    return given(a->at[0]) ? a->at[0] : chat_float(0);
}

static chat_value absolute(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    if (tfm_chat_refuse_undefined(c, self)) return self;
    if (self.type == CHAT_FLOAT) return chat_float(fabs(self.real));
    if (!tfm_chat_is_number(self)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'abs' needs a number");
        return self;
    }
    int64_t number = tfm_chat_whole(self);
    return number < 0 ? tfm_chat_arithmetic(c, OPERATOR_SUBTRACT, chat_int(0), chat_int(number)) : chat_int(number);
}

/* To whole numbers and, for the other methods, to places; what rounds decimals exactly in Python is refused. */
static chat_value round_number(chat_context *c, chat_value self, const chat_arguments *a) {
    int64_t places = given(a->at[0]) && a->at[0].type == CHAT_INT ? a->at[0].number : 0;
    bool named = given(a->at[1]) && a->at[1].type == CHAT_STRING;
    bool up = named && tfm_chat_is(a->at[1].string, "ceil"), down = named && tfm_chat_is(a->at[1].string, "floor");
    if (!tfm_chat_is_number(self) ||
        (given(a->at[1]) && !up && !down && !(named && tfm_chat_is(a->at[1].string, "common"))))
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'round' needs a number and a method it has");
    if (places < 0 || places > 15 || (places > 0 && !up && !down && fabs(tfm_chat_real(self)) > 1e15))
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "rounding to these places is not known");
    if (c->work.status != TFM_OK) return CHAT_UNDEFINED_VALUE;
    double x = tfm_chat_real(self), factor = 1;
    for (int64_t i = 0; i < places; i++) factor *= 10;
    if (up) return chat_float(ceil(x * factor) / factor);
    if (down) return chat_float(floor(x * factor) / factor);
    if (self.type != CHAT_FLOAT) return chat_int(tfm_chat_whole(self));
    if (places == 0) return chat_float(nearbyint(x));
    chat_buffer digits = {0};
    char text[400];
    int n = snprintf(text, sizeof text, "%.*f", (int)places, x); /* exact, ties to even: what round() does */
    for (int i = 0; i < n; i++) {
        if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) tfm_chat_put(&c->work, &digits, text + i, 1);
    }
    n = snprintf(text, sizeof text, "e-%d", (int)places);
    tfm_chat_put(&c->work, &digits, text, (size_t)n + 1);
    return c->work.status == TFM_OK ? chat_float(strtod(digits.data, NULL)) : CHAT_UNDEFINED_VALUE;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static chat_value tojson(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_json_style style = {.comma = ", ", .colon = ": ", .n_comma = 2, .n_colon = 2};
    chat_buffer text = {0}, spaces = {0};
    style.ascii = given(a->at[0]) && tfm_chat_truth(a->at[0]);
    style.sorted = given(a->at[3]) && tfm_chat_truth(a->at[3]);
    chat_value width = a->at[1];
    if (given(width) && width.type != CHAT_NONE) {
        style.comma = ",";
        style.n_comma = 1;
        if (width.type == CHAT_STRING) {
            style.indent = width.string;
        } else if (width.type == CHAT_INT || width.type == CHAT_BOOL) {
            for (int64_t i = 0; i < tfm_chat_whole(width) && tfm_chat_step(&c->work, 1); i++)
                tfm_chat_put(&c->work, &spaces, " ", 1);
            style.indent = tfm_chat_buffer_text(&c->work, &spaces).string;
        } else {
            tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "tojson needs a whole number or a string as indent");
        }
    }
    if (given(a->at[2]) && a->at[2].type == CHAT_LIST && a->at[2].list->n == 2 &&
        a->at[2].list->items[0].type == CHAT_STRING && a->at[2].list->items[1].type == CHAT_STRING) {
        const chat_string *comma = a->at[2].list->items[0].string, *colon = a->at[2].list->items[1].string;
        style =
            (chat_json_style){style.indent, comma->data, colon->data, comma->n, colon->n, style.ascii, style.sorted};
    } else if (given(a->at[2]) && a->at[2].type != CHAT_NONE) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "tojson needs two strings as separators");
    }
    if (c->work.status != TFM_OK) return CHAT_UNDEFINED_VALUE;
    tfm_chat_put_json(c, &text, self, &style);
    return tfm_chat_buffer_text(&c->work, &text);
}

static const chat_builtin filters[] = {
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

const chat_builtin *tfm_chat_find_text_filter(const chat_string *name) {
    return tfm_chat_find_in(filters, sizeof filters / sizeof *filters, name);
}
