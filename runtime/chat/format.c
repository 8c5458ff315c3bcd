/* format.c - Python's % and str.format, in the simple forms. */
#include <stdio.h>
#include <string.h>

#include "interpreter.h"

/* ---- % --------------------------------------------------------------------------------------------------------- */

static void put_percent(chat_context *c, chat_buffer *text, char form, chat_value value) {
    if (form == 's') {
        tfm_chat_put_str(c, text, value);
    } else if (form == 'r') {
        tfm_chat_put_repr(c, text, value);
    } else if ((form == 'd' || form == 'i') && (value.type == CHAT_INT || value.type == CHAT_BOOL)) {
        tfm_chat_put_number(&c->work, text, chat_int(tfm_chat_whole(value)));
    } else {
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "formatting a %s with %%%c is not known",
                      tfm_chat_type_name(value), form >= ' ' && form < 0x7F ? form : '?');
    }
}

chat_value tfm_chat_percent(chat_context *c, const chat_string *format, chat_value values) {
    chat_list one = {.kind = CHAT_A_TUPLE, .n = 1, .items = &values};
    const chat_list *list = values.type == CHAT_LIST && values.list->kind == CHAT_A_TUPLE ? values.list : &one;
    chat_buffer text = {0};
    size_t used = 0;
    for (size_t i = 0; i < format->n && c->work.status == TFM_OK; i++) {
        const char *sign = memchr(format->data + i, '%', format->n - i);
        size_t end = sign != NULL ? (size_t)(sign - format->data) : format->n;
        tfm_chat_put(&c->work, &text, format->data + i, end - i);
        if (sign == NULL) break;
        i = end + 1;
        if (i < format->n && format->data[i] == '%') {
            tfm_chat_put(&c->work, &text, "%", 1);
        } else if (i < format->n && used < list->n) {
            put_percent(c, &text, format->data[i], list->items[used++]);
        } else {
            tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "values do not fit the format");
        }
    }
    /* A mapping or a list that no part of the format uses is no error in Python. */
    if (used < list->n && !(list == &one && (values.type == CHAT_DICT || values.type == CHAT_LIST)))
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "values do not fit the format");
    return tfm_chat_buffer_text(&c->work, &text);
}

/* ---- str.format ------------------------------------------------------------------------------------------------ */

/* The value of {}, {0} or {name}. */
static void put_field(chat_context *c, chat_buffer *text, const char *field, size_t n, const chat_arguments *a,
                      size_t *next) {
    const chat_value *value = NULL;
    size_t number = 0;
    bool digits = n < 6;
    for (size_t i = 0; i < n && digits; i++) {
        digits = field[i] >= '0' && field[i] <= '9';
        number = number * 10 + (size_t)(field[i] - '0');
    }
    if (memchr(field, ':', n) != NULL || memchr(field, '!', n) != NULL || memchr(field, '.', n) != NULL ||
        memchr(field, '[', n) != NULL)
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "the form {%.*s} in format() is not known",
                      (int)(n < 60 ? n : 60), field);
    if (!digits)
        value = tfm_chat_get_name(a->names, field, n);
    else if (n == 0)
        number = (*next)++;
    if (digits && number < a->places->n) value = &a->places->items[number];
    if (value != NULL)
        tfm_chat_put_str(c, text, *value);
    else
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "values do not fit the format");
}

chat_value tfm_chat_format(chat_context *c, const chat_string *format, const chat_arguments *a) {
    chat_buffer text = {0};
    size_t next = 0;
    for (size_t i = 0; i < format->n && tfm_chat_step(&c->work, 1); i++) {
        char letter = format->data[i];
        if (letter != '{' && letter != '}') {
            tfm_chat_put(&c->work, &text, &letter, 1);
        } else if (i + 1 < format->n && format->data[i + 1] == letter) {
            tfm_chat_put(&c->work, &text, &letter, 1);
            i++;
        } else {
            const char *end = letter == '{' ? memchr(format->data + i, '}', format->n - i) : NULL;
            if (end == NULL) {
                tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a single bracket in a format");
                break;
            }
            size_t stop = (size_t)(end - format->data);
            put_field(c, &text, format->data + i + 1, stop - i - 1, a, &next);
            i = stop;
        }
    }
    return tfm_chat_buffer_text(&c->work, &text);
}
