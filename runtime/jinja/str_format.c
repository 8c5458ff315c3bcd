/* str_format.c - Python's % and str.format, in the simple forms. */
#include "interpreter.h"

#include <string.h>

#include "numbers.h"

/* ---- % ---- */

static void put_percent(jinja_context *c, jinja_buffer *text, char form, jinja_value value) {
    if (form == 's') {
        tfm_jinja_append_str(c, text, value);
    } else if (form == 'r') {
        tfm_jinja_append_repr(c, text, value);
    } else if ((form == 'd' || form == 'i') && jinja_is_whole(value)) {
        tfm_jinja_append_number(&c->state, text, jinja_int(tfm_jinja_to_int(value)));
    } else {
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "formatting a %s with %%%c is not known",
                       tfm_jinja_type_name(value), form >= ' ' && form < 0x7F ? form : '?');
    }
}

jinja_value tfm_jinja_format_percent(jinja_context *c, const jinja_string *format, jinja_value values) {
    jinja_list one = {.kind = JINJA_KIND_TUPLE, .n = 1, .items = &values};
    const jinja_list *list = values.type == JINJA_LIST && values.list->kind == JINJA_KIND_TUPLE ? values.list : &one;
    jinja_buffer text = {0};
    size_t used = 0;
    for (size_t i = 0; i < format->n && c->state.status == TFM_OK; i++) {
        const char *sign = memchr(format->data + i, '%', format->n - i);
        size_t end = sign ? (size_t)(sign - format->data) : format->n;
        tfm_jinja_buffer_append(&c->state, &text, format->data + i, end - i);
        if (!sign) break;
        i = end + 1;
        if (i < format->n && format->data[i] == '%') {
            tfm_jinja_buffer_append(&c->state, &text, "%", 1);
        } else if (i < format->n && used < list->n) {
            put_percent(c, &text, format->data[i], list->items[used++]);
        } else {
            tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "values do not fit the format");
        }
    }
    /* A mapping or a list that no part of the format uses is no error in Python. */
    if (used < list->n && !(list == &one && (values.type == JINJA_DICT || values.type == JINJA_LIST)))
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "values do not fit the format");
    return tfm_jinja_buffer_string(&c->state, &text);
}

/* ---- str.format ---- */

/* The value of {}, {0} or {name}. */
static void put_field(jinja_context *c, jinja_buffer *text, const char *field, size_t n, const jinja_arguments *a,
                      size_t *next) {
    const jinja_value *value = NULL;
    size_t number = 0;
    bool digits = n < 6;
    for (size_t i = 0; i < n && digits; i++) {
        digits = field[i] >= '0' && field[i] <= '9';
        number = number * 10 + (size_t)(field[i] - '0');
    }
    if (memchr(field, ':', n) || memchr(field, '!', n) || memchr(field, '.', n) || memchr(field, '[', n))
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "the form {%.*s} in format() is not known",
                       (int)(n < 60 ? n : 60), field);
    if (!digits)
        value = tfm_jinja_dict_get_name(&c->state, a->keyword, field, n);
    else if (n == 0)
        number = (*next)++;
    if (digits && number < a->positional->n) value = &a->positional->items[number];
    if (value)
        tfm_jinja_append_str(c, text, *value);
    else
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "values do not fit the format");
}

jinja_value tfm_jinja_format_braces(jinja_context *c, const jinja_string *format, const jinja_arguments *a) {
    jinja_buffer text = {0};
    size_t next = 0;
    for (size_t i = 0; i < format->n && tfm_jinja_charge(&c->state, 1); i++) {
        char letter = format->data[i];
        if (letter != '{' && letter != '}') {
            tfm_jinja_buffer_append(&c->state, &text, &letter, 1);
        } else if (i + 1 < format->n && format->data[i + 1] == letter) {
            tfm_jinja_buffer_append(&c->state, &text, &letter, 1);
            i++;
        } else {
            const char *end = letter == '{' ? memchr(format->data + i, '}', format->n - i) : NULL;
            if (!end) {
                tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a single bracket in a format");
                break;
            }
            size_t stop = (size_t)(end - format->data);
            put_field(c, &text, format->data + i + 1, stop - i - 1, a, &next);
            i = stop;
        }
    }
    return tfm_jinja_buffer_string(&c->state, &text);
}
