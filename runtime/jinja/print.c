/* print.c - values as text: Python's str and repr. */
#include "interpreter.h"

#include <stdio.h>
#include <string.h>

#include "characters.h"
#include "numbers.h"

/* ---- str and repr ---- */

/* Characters that repr shows as an escape: no letters, no signs. */
static bool is_hidden(uint32_t code) {
    static const uint32_t ranges[][2] = {
        {0x00, 0x1F},     {0x7F, 0xA0},     {0xAD, 0xAD},     {0x600, 0x605},   {0x61C, 0x61C},   {0x6DD, 0x6DD},
        {0x70F, 0x70F},   {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F},
        {0x3000, 0x3000}, {0xD800, 0xF8FF}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0x10FFFF}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) return true;
    }
    return false;
}

static void put_escape(jinja_context *c, jinja_buffer *out, uint32_t code) {
    char text[16];
    const char *form = code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";
    const char *plain = code == '\n' ? "\\n" : code == '\r' ? "\\r" : code == '\t' ? "\\t" : NULL;
    if (!plain) {
        int n = form[1] == 'x'   ? snprintf(text, sizeof text, "\\x%02x", code)
                : form[1] == 'u' ? snprintf(text, sizeof text, "\\u%04x", code)
                                 : snprintf(text, sizeof text, "\\U%08x", code);
        tfm_jinja_buffer_append(&c->state, out, text, (size_t)n);
    } else {
        tfm_jinja_buffer_append_text(&c->state, out, plain);
    }
}

static void put_quoted(jinja_context *c, jinja_buffer *out, const jinja_string *string) {
    bool single = string->n > 0 && memchr(string->data, '\'', string->n);
    bool both = single && memchr(string->data, '"', string->n);
    char quote = single && !both ? '"' : '\'';
    tfm_jinja_buffer_append(&c->state, out, &quote, 1);
    for (size_t i = 0, length; i < string->n && c->state.status == TFM_OK; i += length) {
        uint32_t code = tfm_jinja_decode_char(string->data + i, string->n - i, &length);
        if (code == '\\' || code == (unsigned char)quote) {
            char escaped[2] = {'\\', (char)code};
            tfm_jinja_buffer_append(&c->state, out, escaped, 2);
        } else if (is_hidden(code)) {
            put_escape(c, out, code);
        } else {
            tfm_jinja_buffer_append(&c->state, out, string->data + i, length);
        }
    }
    tfm_jinja_buffer_append(&c->state, out, &quote, 1);
}

static void put_items(jinja_context *c, jinja_buffer *out, const jinja_list *list) {
    static const char *const begin[] = {"[", "(", "", "dict_keys([", "dict_values([", "dict_items(["};
    static const char *const end[] = {"]", ")", "", "])", "])", "])"};
    tfm_jinja_buffer_append_text(&c->state, out, begin[list->kind]);
    for (size_t i = 0; i < list->n && c->state.status == TFM_OK; i++) {
        if (i > 0) tfm_jinja_buffer_append_text(&c->state, out, ", ");
        tfm_jinja_append_repr(c, out, list->items[i]);
    }
    if (list->kind == JINJA_KIND_TUPLE && list->n == 1) tfm_jinja_buffer_append_text(&c->state, out, ",");
    tfm_jinja_buffer_append_text(&c->state, out, end[list->kind]);
}

static void put_list(jinja_context *c, jinja_buffer *out, const jinja_list *list) {
    char text[96];
    if (list->kind == JINJA_KIND_ITERATOR) {
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "printing a generator is not known; make it a list first");
    } else if (list->kind == JINJA_KIND_RANGE) {
        int n = snprintf(text, sizeof text, list->step == 1 ? "range(%lld, %lld)" : "range(%lld, %lld, %lld)",
                         (long long)list->start, (long long)list->stop, (long long)list->step);
        tfm_jinja_buffer_append(&c->state, out, text, (size_t)n);
    } else {
        put_items(c, out, list);
    }
}

static void put_dict(jinja_context *c, jinja_buffer *out, const jinja_dict *dict) {
    tfm_jinja_buffer_append_text(&c->state, out, "{");
    for (size_t i = 0; i < dict->n && c->state.status == TFM_OK; i++) {
        if (i > 0) tfm_jinja_buffer_append_text(&c->state, out, ", ");
        tfm_jinja_append_repr(c, out, dict->entries[i].key);
        tfm_jinja_buffer_append_text(&c->state, out, ": ");
        tfm_jinja_append_repr(c, out, dict->entries[i].value);
    }
    tfm_jinja_buffer_append_text(&c->state, out, "}");
}

void tfm_jinja_append_repr(jinja_context *c, jinja_buffer *out, jinja_value value) {
    if (!tfm_jinja_enter(&c->state)) return;
    switch (value.type) {
    case JINJA_UNDEFINED: tfm_jinja_buffer_append_text(&c->state, out, "Undefined"); break;
    case JINJA_NONE: tfm_jinja_buffer_append_text(&c->state, out, "None"); break;
    case JINJA_BOOL: tfm_jinja_buffer_append_text(&c->state, out, value.boolean ? "True" : "False"); break;
    case JINJA_INT:
    case JINJA_FLOAT: tfm_jinja_append_number(&c->state, out, value); break;
    case JINJA_STRING:
        if (value.string->markup) tfm_jinja_buffer_append_text(&c->state, out, "Markup(");
        put_quoted(c, out, value.string);
        if (value.string->markup) tfm_jinja_buffer_append_text(&c->state, out, ")");
        break;
    case JINJA_LIST: put_list(c, out, value.list); break;
    case JINJA_DICT: put_dict(c, out, value.dict); break;
    case JINJA_NAMESPACE:
        tfm_jinja_buffer_append_text(&c->state, out, "<Namespace ");
        put_dict(c, out, value.dict);
        tfm_jinja_buffer_append_text(&c->state, out, ">");
        break;
    default: tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "printing a %s is not known", tfm_jinja_type_name(value));
    }
    tfm_jinja_leave(&c->state);
}

void tfm_jinja_append_str(jinja_context *c, jinja_buffer *out, jinja_value value) {
    if (value.type == JINJA_STRING)
        tfm_jinja_buffer_append(&c->state, out, value.string->data, value.string->n);
    else if (value.type != JINJA_UNDEFINED)
        tfm_jinja_append_repr(c, out, value);
}

jinja_value tfm_jinja_str(jinja_context *c, jinja_value value) {
    jinja_buffer text = {0};
    if (value.type == JINJA_STRING) return value;
    tfm_jinja_append_str(c, &text, value);
    return tfm_jinja_buffer_string(&c->state, &text);
}
