/* number_filters.c - filters that make numbers. */
#include "interpreter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "numbers.h"

/* A float without its fraction; false: it has no place in an int. */
static bool cut(double real, int64_t *number) {
    if (!(real > -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
    *number = (int64_t)real;
    return true;
}

static jinja_value to_int(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value fallback = jinja_given(a->bound[0]) ? a->bound[0] : jinja_int(0);
    int64_t number;
    double real;
    if (jinja_given(a->bound[1]) && !(a->bound[1].type == JINJA_INT && a->bound[1].integer == 10) &&
        self.type == JINJA_STRING)
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "numbers to another base than 10 are not known");
    if (jinja_is_whole(self)) return jinja_int(tfm_jinja_to_int(self));
    if (self.type == JINJA_STRING && tfm_jinja_read_int(&c->state, self.string, &number)) return jinja_int(number);
    if (self.type == JINJA_FLOAT ||
        (self.type == JINJA_STRING && tfm_jinja_read_float(&c->state, self.string, &real))) {
        if (self.type == JINJA_FLOAT) real = self.real;
        if (!isfinite(real)) return fallback;
        if (cut(real, &number)) return jinja_int(number);
        tfm_jinja_fail(&c->state, TFM_ERROR_LIMIT, "a number gets too large");
    }
    tfm_jinja_fail_if_undefined(&c->state, self);
    return fallback;
}

static jinja_value to_float(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    double real;
    if (tfm_jinja_is_number(self)) return jinja_float(tfm_jinja_to_float(self));
    if (self.type == JINJA_STRING && tfm_jinja_read_float(&c->state, self.string, &real)) return jinja_float(real);
    tfm_jinja_fail_if_undefined(&c->state, self);
    return jinja_given(a->bound[0]) ? a->bound[0] : jinja_float(0);
}

static jinja_value absolute(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    if (tfm_jinja_fail_if_undefined(&c->state, self)) return self;
    if (self.type == JINJA_FLOAT) return jinja_float(fabs(self.real));
    if (!tfm_jinja_is_number(self)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'abs' needs a number");
        return self;
    }
    int64_t number = tfm_jinja_to_int(self);
    return number < 0 ? tfm_jinja_arithmetic(c, JINJA_OPERATOR_SUBTRACT, jinja_int(0), jinja_int(number))
                      : jinja_int(number);
}

/* To whole numbers and, for the other methods, to places; what rounds decimals exactly in Python is refused. */
static jinja_value round_number(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_value places = a->bound[0];
    int64_t positional = jinja_given(places) && jinja_is_whole(places) ? tfm_jinja_to_int(places) : 0;
    bool named = jinja_given(a->bound[1]) && a->bound[1].type == JINJA_STRING;
    bool up = named && tfm_jinja_string_is(a->bound[1].string, "ceil"),
         down = named && tfm_jinja_string_is(a->bound[1].string, "floor");
    if (!tfm_jinja_is_number(self) ||
        (jinja_given(a->bound[1]) && !up && !down && !(named && tfm_jinja_string_is(a->bound[1].string, "common"))))
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'round' needs a number and a method it has");
    const bool to_whole = places.type == JINJA_NONE && !up && !down; /* round(x, None) is an int */
    if (jinja_given(places) && !jinja_is_whole(places) && !to_whole)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'round' needs a whole number of places");
    if (positional < 0 || positional > 15 || (positional > 0 && !up && !down && fabs(tfm_jinja_to_float(self)) > 1e15))
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "rounding to these places is not known");
    if (c->state.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    double x = tfm_jinja_to_float(self), factor = 1;
    for (int64_t i = 0; i < positional; i++) factor *= 10;
    if (up) return jinja_float(ceil(x * factor) / factor);
    if (down) return jinja_float(floor(x * factor) / factor);
    if (to_whole && (isnan(x) || fabs(x) > 1e15))
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "rounding such a number is not known");
    if (to_whole && c->state.status == TFM_OK) return jinja_int((int64_t)nearbyint(x));
    if (self.type != JINJA_FLOAT) return jinja_int(tfm_jinja_to_int(self));
    if (positional == 0) return jinja_float(nearbyint(x));
    jinja_buffer digits = {0};
    char text[400];
    int n = snprintf(text, sizeof text, "%.*f", (int)positional, x); /* exact, ties to even: what round() does */
    for (int i = 0; i < n; i++) {
        if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9'))
            tfm_jinja_buffer_append(&c->state, &digits, text + i, 1);
    }
    n = snprintf(text, sizeof text, "e-%d", (int)positional);
    tfm_jinja_buffer_append(&c->state, &digits, text, (size_t)n + 1);
    return c->state.status == TFM_OK ? jinja_float(strtod(digits.data, NULL)) : JINJA_UNDEFINED_VALUE;
}

static const jinja_builtin filters[] = {
    {.name = "abs", .parameters = "", .run = absolute},
    {.name = "float", .parameters = "default", .run = to_float},
    {.name = "int", .parameters = "default base", .run = to_int},
    {.name = "round", .parameters = "precision method", .run = round_number},
};

const jinja_builtin *tfm_jinja_find_number_filter(const jinja_string *name) {
    return tfm_jinja_find_builtin(filters, sizeof filters / sizeof *filters, name);
}
