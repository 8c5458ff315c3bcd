/* operators.c - arithmetic, comparisons, `in` and slices, as Python has them. */
#include <math.h>
#include <string.h>

#include "interpreter.h"

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static chat_value too_large(chat_context *c) {
    tfm_chat_fail(&c->work, TFM_ERROR_LIMIT, "a number gets too large");
    return CHAT_UNDEFINED_VALUE;
}

static chat_value by_zero(chat_context *c) {
    tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "division by zero");
    return CHAT_UNDEFINED_VALUE;
}

static chat_value whole_power(chat_context *c, int64_t base, int64_t exponent) {
    int64_t result = 1;
    if (base == 0 || base == 1) return chat_int(exponent == 0 ? 1 : base);
    if (base == -1) return chat_int(exponent % 2 == 0 ? 1 : -1);
    for (; exponent > 0; exponent--) {
        if (__builtin_mul_overflow(result, base, &result)) return too_large(c);
    }
    return chat_int(result);
}

/* Python's division rounds down. */
static chat_value whole_division(chat_context *c, int64_t x, int64_t y, bool remainder) {
    if (y == 0) return by_zero(c);
    if (y == -1) {
        if (x == INT64_MIN && !remainder) return too_large(c);
        return chat_int(remainder ? 0 : -x);
    }
    int64_t quotient = x / y, rest = x % y;
    if (rest != 0 && (rest < 0) != (y < 0)) {
        quotient--;
        rest += y;
    }
    return chat_int(remainder ? rest : quotient);
}

static chat_value whole_arithmetic(chat_context *c, chat_operator op, int64_t x, int64_t y) {
    const int64_t exact = (int64_t)1 << 53; /* up to here a double has all whole numbers */
    int64_t result;
    switch (op) {
    case OPERATOR_ADD: return __builtin_add_overflow(x, y, &result) ? too_large(c) : chat_int(result);
    case OPERATOR_SUBTRACT: return __builtin_sub_overflow(x, y, &result) ? too_large(c) : chat_int(result);
    case OPERATOR_MULTIPLY: return __builtin_mul_overflow(x, y, &result) ? too_large(c) : chat_int(result);
    case OPERATOR_DIVIDE:
        if (y == 0) return by_zero(c);
        if (x > exact || x < -exact || y > exact || y < -exact) return too_large(c);
        return chat_float((double)x / (double)y);
    case OPERATOR_FLOOR_DIVIDE: return whole_division(c, x, y, false);
    case OPERATOR_MODULO: return whole_division(c, x, y, true);
    default:
        if (y >= 0) return whole_power(c, x, y);
        return x == 0 ? by_zero(c) : chat_float(pow((double)x, (double)y));
    }
}

static chat_value real_division(chat_context *c, chat_operator op, double x, double y) {
    if (y == 0) return by_zero(c);
    if (op == OPERATOR_DIVIDE) return chat_float(x / y);
    double rest = fmod(x, y);
    if (rest != 0 && (rest < 0) != (y < 0)) rest += y;
    if (rest == 0) rest = copysign(0.0, y);
    if (op == OPERATOR_MODULO) return chat_float(rest);
    double quotient = (x - rest) / y, whole = floor(quotient);
    if (quotient == 0) return chat_float(copysign(0.0, x / y));
    return chat_float(quotient - whole > 0.5 ? whole + 1 : whole);
}

static chat_value real_arithmetic(chat_context *c, chat_operator op, double x, double y) {
    switch (op) {
    case OPERATOR_ADD: return chat_float(x + y);
    case OPERATOR_SUBTRACT: return chat_float(x - y);
    case OPERATOR_MULTIPLY: return chat_float(x * y);
    case OPERATOR_DIVIDE:
    case OPERATOR_FLOOR_DIVIDE:
    case OPERATOR_MODULO: return real_division(c, op, x, y);
    default:
        if (x == 0 && y < 0) return by_zero(c);
        if (x < 0 && y != floor(y) && isfinite(y)) {
            tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "complex numbers are not known");
            return CHAT_UNDEFINED_VALUE;
        }
        double result = pow(x, y);
        return isinf(result) && isfinite(x) && isfinite(y) ? too_large(c) : chat_float(result);
    }
}

/* ---- sequences ------------------------------------------------------------------------------------------------- */

/* What escaping would change: text marked safe and other text that has this cannot be joined as jinja does it. */
static bool needs_escaping(const chat_string *s) {
    for (size_t i = 0; i < s->n; i++) {
        if (strchr("&<>'\"", s->data[i]) != NULL && s->data[i] != '\0') return true;
    }
    return false;
}

static chat_value add_strings(chat_context *c, const chat_string *x, const chat_string *y) {
    chat_buffer text = {0};
    if (x->markup != y->markup && needs_escaping(x->markup ? y : x))
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "adding text with HTML's characters to safe text is not known");
    if (!tfm_chat_step_bytes(&c->work, x->n + y->n)) return CHAT_UNDEFINED_VALUE;
    if (x->n + y->n > 0) {
        text.size = text.n = x->n + y->n;
        text.data = tfm_chat_take(&c->work, text.n, 1);
        if (text.data == NULL) return CHAT_UNDEFINED_VALUE;
        memcpy(text.data, x->data, x->n);
        memcpy(text.data + x->n, y->data, y->n);
    }
    chat_value value = tfm_chat_buffer_text(&c->work, &text);
    if (value.type == CHAT_STRING && (x->markup || y->markup)) {
        chat_string *marked = tfm_chat_take(&c->work, 1, sizeof *marked);
        if (marked == NULL) return CHAT_UNDEFINED_VALUE;
        *marked = *value.string;
        marked->markup = true;
        value.string = marked;
    }
    return value;
}

static chat_value add_lists(chat_context *c, const chat_list *x, const chat_list *y) {
    chat_value sum = tfm_chat_list(&c->work, x->kind, x->n + y->n);
    for (size_t i = 0; i < x->n && c->work.status == TFM_OK; i++) tfm_chat_push(&c->work, sum.list, x->items[i]);
    for (size_t i = 0; i < y->n && c->work.status == TFM_OK; i++) tfm_chat_push(&c->work, sum.list, y->items[i]);
    return sum;
}

static bool is_repeatable(chat_value value) {
    return value.type == CHAT_STRING || (value.type == CHAT_LIST && value.list->kind <= CHAT_A_TUPLE);
}

static chat_value repeat(chat_context *c, chat_value value, int64_t times) {
    size_t n = value.type == CHAT_STRING ? value.string->n : value.list->n, total;
    size_t count = times > 0 ? (size_t)times : 0;
    if (__builtin_mul_overflow(n, count, &total)) total = SIZE_MAX / 64;
    if (n == 0) count = 0;
    if (value.type == CHAT_STRING) {
        if (total > c->work.used_max || !tfm_chat_step_bytes(&c->work, total)) return too_large(c);
        char *text = tfm_chat_take(&c->work, total, 1);
        for (size_t i = 0; i < count && text != NULL; i++) memcpy(text + i * n, value.string->data, n);
        return tfm_chat_text(&c->work, text, total);
    }
    chat_value list = tfm_chat_list(&c->work, value.list->kind, 0);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < n && c->work.status == TFM_OK; k++)
            tfm_chat_push(&c->work, list.list, value.list->items[k]);
        if (c->work.status != TFM_OK) break;
    }
    return list;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static const char *const symbols[] = {"+", "-", "*", "/", "//", "%", "**"};

chat_value tfm_chat_arithmetic(chat_context *c, chat_operator op, chat_value a, chat_value b) {
    if (c->work.status != TFM_OK || tfm_chat_refuse_undefined(c, a)) return CHAT_UNDEFINED_VALUE;
    if (op == OPERATOR_MODULO && a.type == CHAT_STRING) return tfm_chat_percent(c, a.string, b);
    if (tfm_chat_refuse_undefined(c, b)) return CHAT_UNDEFINED_VALUE;
    if (tfm_chat_is_number(a) && tfm_chat_is_number(b)) {
        if (a.type == CHAT_FLOAT || b.type == CHAT_FLOAT)
            return real_arithmetic(c, op, tfm_chat_real(a), tfm_chat_real(b));
        return whole_arithmetic(c, op, tfm_chat_whole(a), tfm_chat_whole(b));
    }
    if (op == OPERATOR_ADD && a.type == CHAT_STRING && b.type == CHAT_STRING) return add_strings(c, a.string, b.string);
    if (op == OPERATOR_ADD && a.type == CHAT_LIST && b.type == CHAT_LIST && a.list->kind == b.list->kind &&
        a.list->kind <= CHAT_A_TUPLE)
        return add_lists(c, a.list, b.list);
    if (op == OPERATOR_MULTIPLY && is_repeatable(a) && (b.type == CHAT_INT || b.type == CHAT_BOOL))
        return repeat(c, a, tfm_chat_whole(b));
    if (op == OPERATOR_MULTIPLY && is_repeatable(b) && (a.type == CHAT_INT || a.type == CHAT_BOOL))
        return repeat(c, b, tfm_chat_whole(a));
    tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "'%s' does not work with %s and %s", symbols[op], tfm_chat_type_name(a),
                  tfm_chat_type_name(b));
    return CHAT_UNDEFINED_VALUE;
}

bool tfm_chat_contains(chat_context *c, chat_value whole, chat_value part) {
    if (whole.type == CHAT_STRING) {
        if (part.type != CHAT_STRING) {
            if (!tfm_chat_refuse_undefined(c, part))
                tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "'in' a string needs a string, not %s",
                              tfm_chat_type_name(part));
            return false;
        }
        if (!tfm_chat_step_bytes(&c->work, whole.string->n)) return false;
        return part.string->n == 0 ||
               memmem(whole.string->data, whole.string->n, part.string->data, part.string->n) != NULL;
    }
    if (whole.type == CHAT_DICT) return tfm_chat_get(&c->work, whole.dict, part) != NULL;
    const chat_list *items = tfm_chat_items(&c->work, whole);
    for (size_t i = 0; i < items->n && c->work.status == TFM_OK; i++) {
        if (tfm_chat_equal(&c->work, items->items[i], part)) return true;
    }
    return false;
}

bool tfm_chat_relation(chat_context *c, chat_operator op, chat_value a, chat_value b) {
    switch (op) {
    case OPERATOR_EQUAL: return tfm_chat_equal(&c->work, a, b);
    case OPERATOR_UNEQUAL: return !tfm_chat_equal(&c->work, a, b);
    case OPERATOR_LESS: return tfm_chat_compare(&c->work, a, b) < 0;
    case OPERATOR_LESS_EQUAL: return tfm_chat_compare(&c->work, a, b) <= 0;
    case OPERATOR_GREATER: return tfm_chat_compare(&c->work, a, b) > 0;
    case OPERATOR_GREATER_EQUAL: return tfm_chat_compare(&c->work, a, b) >= 0;
    case OPERATOR_IN: return tfm_chat_contains(c, b, a);
    default: return !tfm_chat_contains(c, b, a);
    }
}

/* ---- slices ---------------------------------------------------------------------------------------------------- */

/* One end of a slice of n items. */
static int64_t bound(chat_context *c, chat_value value, int64_t fallback, int64_t n, bool backwards) {
    if (value.type == CHAT_NONE) return fallback;
    if (value.type != CHAT_INT && value.type != CHAT_BOOL) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a slice needs whole numbers, not %s", tfm_chat_type_name(value));
        return 0;
    }
    int64_t at = tfm_chat_whole(value);
    if (at < 0) at += n;
    if (at < 0) return backwards ? -1 : 0;
    return at >= n ? n - backwards : at;
}

static chat_value slice_text(chat_context *c, const chat_string *s, int64_t start, int64_t stop, int64_t step) {
    if (step == 1) {
        size_t from = tfm_chat_offset(s, (size_t)start), to = tfm_chat_offset(s, (size_t)(stop > start ? stop : start));
        tfm_chat_step_bytes(&c->work, s->n == s->n_chars ? 1 : s->n);
        return tfm_chat_text(&c->work, s->data + from, to - from);
    }
    size_t *offsets = tfm_chat_take(&c->work, s->n_chars + 1, sizeof *offsets);
    chat_buffer text = {0};
    if (offsets == NULL || !tfm_chat_step(&c->work, s->n_chars)) return CHAT_UNDEFINED_VALUE;
    for (size_t i = 0, at = 0; i < s->n_chars; i++) {
        offsets[i] = at;
        at += tfm_chat_step_char(s->data + at, s->n - at);
    }
    offsets[s->n_chars] = s->n;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        tfm_chat_put(&c->work, &text, s->data + offsets[i], offsets[i + 1] - offsets[i]);
        if (c->work.status != TFM_OK || __builtin_add_overflow(i, step, &(int64_t){0})) break;
    }
    return tfm_chat_buffer_text(&c->work, &text);
}

chat_value tfm_chat_slice(chat_context *c, chat_value object, chat_value from, chat_value to, chat_value by) {
    if (c->work.status != TFM_OK || tfm_chat_refuse_undefined(c, object)) return CHAT_UNDEFINED_VALUE;
    bool text = object.type == CHAT_STRING;
    if (!text && (object.type != CHAT_LIST || object.list->kind > CHAT_A_RANGE)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a %s has no slices", tfm_chat_type_name(object));
        return CHAT_UNDEFINED_VALUE;
    }
    int64_t n = (int64_t)(text ? object.string->n_chars : object.list->n);
    int64_t step = by.type == CHAT_NONE ? 1 : by.type == CHAT_INT || by.type == CHAT_BOOL ? tfm_chat_whole(by) : 0;
    if (step == 0) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the step of a slice must be a whole number and not 0");
        return CHAT_UNDEFINED_VALUE;
    }
    int64_t start = bound(c, from, step > 0 ? 0 : n - 1, n, step < 0);
    int64_t stop = bound(c, to, step > 0 ? n : -1, n, step < 0);
    if (c->work.status != TFM_OK) return CHAT_UNDEFINED_VALUE;
    if (text) return slice_text(c, object.string, start, stop, step);
    if (object.list->kind == CHAT_A_RANGE) {
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "slices of a range are not known; make it a list");
        return CHAT_UNDEFINED_VALUE;
    }
    chat_value list = tfm_chat_list(&c->work, object.list->kind, 0);
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        if (c->work.status != TFM_OK) break;
        tfm_chat_push(&c->work, list.list, object.list->items[i]);
        if (__builtin_add_overflow(i, step, &(int64_t){0})) break;
    }
    return list;
}

chat_value tfm_chat_join(chat_context *c, const chat_string *separator, const chat_list *items) {
    chat_buffer text = {0};
    for (size_t i = 0; i < items->n && c->work.status == TFM_OK; i++) {
        if (i > 0) tfm_chat_put(&c->work, &text, separator->data, separator->n);
        tfm_chat_put_str(c, &text, items->items[i]);
    }
    return tfm_chat_buffer_text(&c->work, &text);
}
