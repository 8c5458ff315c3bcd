/* operators.c - arithmetic, comparisons, `in` and slices, as Python has them. */
#include <math.h>
#include <string.h>

#include "characters.h"
#include "format/utf8.h"
#include "interpreter.h"

/* ---- numbers ---- */

static jinja_value too_large(jinja_context *c) {
    tfm_jinja_fail(&c->state, TFM_ERROR_LIMIT, "a number gets too large");
    return JINJA_UNDEFINED_VALUE;
}

static jinja_value by_zero(jinja_context *c) {
    tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "division by zero");
    return JINJA_UNDEFINED_VALUE;
}

static jinja_value whole_power(jinja_context *c, int64_t base, int64_t exponent) {
    int64_t result = 1;
    if (base == 0 || base == 1) return jinja_int(exponent == 0 ? 1 : base);
    if (base == -1) return jinja_int(exponent % 2 == 0 ? 1 : -1);
    for (; exponent > 0; exponent--) {
        if (__builtin_mul_overflow(result, base, &result)) return too_large(c);
    }
    return jinja_int(result);
}

/* Python's division rounds down. */
static jinja_value whole_division(jinja_context *c, int64_t x, int64_t y, bool remainder) {
    if (y == 0) return by_zero(c);
    if (y == -1) {
        if (x == INT64_MIN && !remainder) return too_large(c);
        return jinja_int(remainder ? 0 : -x);
    }
    int64_t quotient = x / y, rest = x % y;
    if (rest != 0 && (rest < 0) != (y < 0)) {
        quotient--;
        rest += y;
    }
    return jinja_int(remainder ? rest : quotient);
}

static jinja_value whole_arithmetic(jinja_context *c, jinja_operator op, int64_t x, int64_t y) {
    const int64_t exact = (int64_t)1 << 53; /* up to here a double has all whole numbers */
    int64_t result;
    switch (op) {
    case JINJA_OPERATOR_ADD: return __builtin_add_overflow(x, y, &result) ? too_large(c) : jinja_int(result);
    case JINJA_OPERATOR_SUBTRACT: return __builtin_sub_overflow(x, y, &result) ? too_large(c) : jinja_int(result);
    case JINJA_OPERATOR_MULTIPLY: return __builtin_mul_overflow(x, y, &result) ? too_large(c) : jinja_int(result);
    case JINJA_OPERATOR_DIVIDE:
        if (y == 0) return by_zero(c);
        if (x > exact || x < -exact || y > exact || y < -exact) return too_large(c);
        return jinja_float((double)x / (double)y);
    case JINJA_OPERATOR_FLOOR_DIVIDE: return whole_division(c, x, y, false);
    case JINJA_OPERATOR_MODULO: return whole_division(c, x, y, true);
    default:
        if (y >= 0) return whole_power(c, x, y);
        return x == 0 ? by_zero(c) : jinja_float(pow((double)x, (double)y));
    }
}

static jinja_value real_division(jinja_context *c, jinja_operator op, double x, double y) {
    if (y == 0) return by_zero(c);
    if (op == JINJA_OPERATOR_DIVIDE) return jinja_float(x / y);
    double rest = fmod(x, y);
    if (rest != 0 && (rest < 0) != (y < 0)) rest += y;
    if (rest == 0) rest = copysign(0.0, y);
    if (op == JINJA_OPERATOR_MODULO) return jinja_float(rest);
    double quotient = (x - rest) / y, whole = floor(quotient);
    if (quotient == 0) return jinja_float(copysign(0.0, x / y));
    return jinja_float(quotient - whole > 0.5 ? whole + 1 : whole);
}

static jinja_value real_arithmetic(jinja_context *c, jinja_operator op, double x, double y) {
    switch (op) {
    case JINJA_OPERATOR_ADD: return jinja_float(x + y);
    case JINJA_OPERATOR_SUBTRACT: return jinja_float(x - y);
    case JINJA_OPERATOR_MULTIPLY: return jinja_float(x * y);
    case JINJA_OPERATOR_DIVIDE:
    case JINJA_OPERATOR_FLOOR_DIVIDE:
    case JINJA_OPERATOR_MODULO: return real_division(c, op, x, y);
    default:
        if (x == 0 && y < 0) return by_zero(c);
        if (x < 0 && y != floor(y) && isfinite(y)) {
            tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "complex numbers are not known");
            return JINJA_UNDEFINED_VALUE;
        }
        double result = pow(x, y);
        return isinf(result) && isfinite(x) && isfinite(y) ? too_large(c) : jinja_float(result);
    }
}

/* ---- sequences ---- */

/* What escaping would change: text marked safe and other text that has this cannot be joined as jinja does it. */
static bool needs_escaping(const jinja_string *string) {
    for (size_t i = 0; i < string->n; i++) {
        if (strchr("&<>'\"", string->data[i]) && string->data[i] != '\0') return true;
    }
    return false;
}

static jinja_value add_strings(jinja_context *c, const jinja_string *x, const jinja_string *y) {
    jinja_buffer text = {0};
    if (x->markup != y->markup && needs_escaping(x->markup ? y : x))
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED,
                       "adding text with HTML's characters to safe text is not known");
    if (!tfm_jinja_charge_bytes(&c->state, x->n + y->n)) return JINJA_UNDEFINED_VALUE;
    if (x->n + y->n > 0) {
        text.size = text.n = x->n + y->n;
        text.data = tfm_jinja_alloc(&c->state, text.n, 1);
        if (!text.data) return JINJA_UNDEFINED_VALUE;
        memcpy(text.data, x->data, x->n);
        memcpy(text.data + x->n, y->data, y->n);
    }
    jinja_value value = tfm_jinja_buffer_string(&c->state, &text);
    bool markup = value.type == JINJA_STRING && (x->markup || y->markup);
    return markup ? tfm_jinja_new_markup(&c->state, value.string) : value;
}

static jinja_value add_lists(jinja_context *c, const jinja_list *x, const jinja_list *y) {
    jinja_value sum = tfm_jinja_new_list(&c->state, x->kind, x->n + y->n);
    for (size_t i = 0; i < x->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, sum.list, x->items[i]);
    for (size_t i = 0; i < y->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, sum.list, y->items[i]);
    return sum;
}

static bool is_repeatable(jinja_value value) {
    return value.type == JINJA_STRING || (value.type == JINJA_LIST && value.list->kind <= JINJA_KIND_TUPLE);
}

static jinja_value repeat(jinja_context *c, jinja_value value, int64_t times) {
    size_t n = value.type == JINJA_STRING ? value.string->n : value.list->n, total;
    size_t count = times > 0 ? (size_t)times : 0;
    if (__builtin_mul_overflow(n, count, &total)) total = SIZE_MAX / 64;
    if (n == 0) count = 0;
    if (value.type == JINJA_STRING) {
        if (total > c->state.size_max || !tfm_jinja_charge_bytes(&c->state, total)) return too_large(c);
        char *text = tfm_jinja_alloc(&c->state, total, 1);
        for (size_t i = 0; i < count && text; i++) memcpy(text + i * n, value.string->data, n);
        return tfm_jinja_new_string(&c->state, text, total);
    }
    jinja_value list = tfm_jinja_new_list(&c->state, value.list->kind, 0);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < n && c->state.status == TFM_OK; k++)
            tfm_jinja_list_append(&c->state, list.list, value.list->items[k]);
        if (c->state.status != TFM_OK) break;
    }
    return list;
}

/* ---- all of them ---- */

static const char *const symbols[] = {"+", "-", "*", "/", "//", "%", "**"};

jinja_value tfm_jinja_arithmetic(jinja_context *c, jinja_operator op, jinja_value a, jinja_value b) {
    if (c->state.status != TFM_OK || tfm_jinja_fail_if_undefined(&c->state, a)) return JINJA_UNDEFINED_VALUE;
    if (op == JINJA_OPERATOR_MODULO && a.type == JINJA_STRING) return tfm_jinja_format_percent(c, a.string, b);
    if (tfm_jinja_fail_if_undefined(&c->state, b)) return JINJA_UNDEFINED_VALUE;
    if (tfm_jinja_is_number(a) && tfm_jinja_is_number(b)) {
        if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT)
            return real_arithmetic(c, op, tfm_jinja_to_float(a), tfm_jinja_to_float(b));
        return whole_arithmetic(c, op, tfm_jinja_to_int(a), tfm_jinja_to_int(b));
    }
    if (op == JINJA_OPERATOR_ADD && a.type == JINJA_STRING && b.type == JINJA_STRING)
        return add_strings(c, a.string, b.string);
    if (op == JINJA_OPERATOR_ADD && a.type == JINJA_LIST && b.type == JINJA_LIST && a.list->kind == b.list->kind &&
        a.list->kind <= JINJA_KIND_TUPLE)
        return add_lists(c, a.list, b.list);
    if (op == JINJA_OPERATOR_MULTIPLY && is_repeatable(a) && jinja_is_whole(b))
        return repeat(c, a, tfm_jinja_to_int(b));
    if (op == JINJA_OPERATOR_MULTIPLY && is_repeatable(b) && jinja_is_whole(a))
        return repeat(c, b, tfm_jinja_to_int(a));
    tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "'%s' does not work with %s and %s", symbols[op],
                   tfm_jinja_type_name(a), tfm_jinja_type_name(b));
    return JINJA_UNDEFINED_VALUE;
}

bool tfm_jinja_contains(jinja_context *c, jinja_value whole, jinja_value part) {
    if (whole.type == JINJA_STRING) {
        if (part.type != JINJA_STRING) {
            if (!tfm_jinja_fail_if_undefined(&c->state, part))
                tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "'in' a string needs a string, not %s",
                               tfm_jinja_type_name(part));
            return false;
        }
        if (!tfm_jinja_charge_bytes(&c->state, whole.string->n)) return false;
        return part.string->n == 0 || memmem(whole.string->data, whole.string->n, part.string->data, part.string->n);
    }
    if (whole.type == JINJA_DICT)
        return tfm_jinja_check_key(&c->state, part) && tfm_jinja_dict_get(&c->state, whole.dict, part) != NULL;
    const jinja_list *items = tfm_jinja_iterate(&c->state, whole);
    for (size_t i = 0; i < items->n && c->state.status == TFM_OK; i++) {
        if (tfm_jinja_equal(&c->state, items->items[i], part)) return true;
    }
    return false;
}

bool tfm_jinja_relation(jinja_context *c, jinja_operator op, jinja_value a, jinja_value b) {
    switch (op) {
    case JINJA_OPERATOR_EQUAL: return tfm_jinja_equal(&c->state, a, b);
    case JINJA_OPERATOR_UNEQUAL: return !tfm_jinja_equal(&c->state, a, b);
    case JINJA_OPERATOR_LESS: return tfm_jinja_compare(&c->state, a, b) < 0;
    case JINJA_OPERATOR_LESS_EQUAL: return tfm_jinja_compare(&c->state, a, b) <= 0;
    case JINJA_OPERATOR_GREATER: return tfm_jinja_compare(&c->state, a, b) > 0;
    case JINJA_OPERATOR_GREATER_EQUAL: return tfm_jinja_compare(&c->state, a, b) >= 0;
    case JINJA_OPERATOR_IN: return tfm_jinja_contains(c, b, a);
    default: return !tfm_jinja_contains(c, b, a);
    }
}

/* ---- slices ---- */

/* One end of a slice of n items. */
static int64_t bound(jinja_context *c, jinja_value value, int64_t fallback, int64_t n, bool backwards) {
    if (value.type == JINJA_NONE) return fallback;
    if (value.type != JINJA_INT && value.type != JINJA_BOOL) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a slice needs whole numbers, not %s",
                       tfm_jinja_type_name(value));
        return 0;
    }
    int64_t at = tfm_jinja_to_int(value);
    if (at < 0) at += n;
    if (at < 0) return backwards ? -1 : 0;
    return at >= n ? n - backwards : at;
}

static jinja_value slice_text(jinja_context *c, const jinja_string *string, int64_t start, int64_t stop, int64_t step) {
    if (step == 1) {
        size_t from = tfm_jinja_char_offset(string, (size_t)start),
               to = tfm_jinja_char_offset(string, (size_t)(stop > start ? stop : start));
        tfm_jinja_charge_bytes(&c->state, string->n == string->n_chars ? 1 : string->n);
        return tfm_jinja_new_string(&c->state, string->data + from, to - from);
    }
    size_t *offsets = tfm_jinja_alloc(&c->state, string->n_chars + 1, sizeof *offsets);
    jinja_buffer text = {0};
    if (!offsets || !tfm_jinja_charge(&c->state, string->n_chars)) return JINJA_UNDEFINED_VALUE;
    for (size_t i = 0, at = 0; i < string->n_chars; i++) {
        offsets[i] = at;
        at += tfm_utf8_step(string->data + at, string->n - at);
    }
    offsets[string->n_chars] = string->n;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        tfm_jinja_buffer_append(&c->state, &text, string->data + offsets[i], offsets[i + 1] - offsets[i]);
        if (c->state.status != TFM_OK || __builtin_add_overflow(i, step, &(int64_t){0})) break;
    }
    return tfm_jinja_buffer_string(&c->state, &text);
}

jinja_value tfm_jinja_slice(jinja_context *c, jinja_value object, jinja_value from, jinja_value to, jinja_value by) {
    if (c->state.status != TFM_OK || tfm_jinja_fail_if_undefined(&c->state, object)) return JINJA_UNDEFINED_VALUE;
    bool text = object.type == JINJA_STRING;
    if (!text && (object.type != JINJA_LIST || object.list->kind > JINJA_KIND_RANGE)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a %s has no slices", tfm_jinja_type_name(object));
        return JINJA_UNDEFINED_VALUE;
    }
    int64_t n = (int64_t)(text ? object.string->n_chars : object.list->n);
    int64_t step = by.type == JINJA_NONE ? 1 : jinja_is_whole(by) ? tfm_jinja_to_int(by) : 0;
    if (step == 0) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the step of a slice must be a whole number and not 0");
        return JINJA_UNDEFINED_VALUE;
    }
    int64_t start = bound(c, from, step > 0 ? 0 : n - 1, n, step < 0);
    int64_t stop = bound(c, to, step > 0 ? n : -1, n, step < 0);
    if (c->state.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    if (text) return slice_text(c, object.string, start, stop, step);
    if (object.list->kind == JINJA_KIND_RANGE) {
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "slices of a range are not known; make it a list");
        return JINJA_UNDEFINED_VALUE;
    }
    jinja_value list = tfm_jinja_new_list(&c->state, object.list->kind, 0);
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        if (c->state.status != TFM_OK) break;
        tfm_jinja_list_append(&c->state, list.list, object.list->items[i]);
        if (__builtin_add_overflow(i, step, &(int64_t){0})) break;
    }
    return list;
}

jinja_value tfm_jinja_join(jinja_context *c, const jinja_string *separator, const jinja_list *items) {
    jinja_buffer text = {0};
    for (size_t i = 0; i < items->n && c->state.status == TFM_OK; i++) {
        if (i > 0) tfm_jinja_buffer_append(&c->state, &text, separator->data, separator->n);
        tfm_jinja_append_str(c, &text, items->items[i]);
    }
    return tfm_jinja_buffer_string(&c->state, &text);
}
