/* json.c - values as JSON, as json.dumps of Python writes it and transformers calls it. */
#include "interpreter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "characters.h"
#include "numbers.h"

static void put_json_string(jinja_context *c, jinja_buffer *out, const jinja_string *string, bool ascii) {
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    tfm_jinja_buffer_append_text(&c->state, out, "\"");
    for (size_t i = 0, length; i < string->n && c->state.status == TFM_OK; i += length) {
        char text[16];
        uint32_t code = tfm_jinja_decode_char(string->data + i, string->n - i, &length);
        const char *known = code > 0 && code < 0x80 ? strchr(plain, (int)code) : NULL;
        int n = 0;
        if (known)
            n = snprintf(text, sizeof text, "\\%c", letters[known - plain]);
        else if (code < 0x20 || (ascii && code > 0x7E && code < 0x10000))
            n = snprintf(text, sizeof text, "\\u%04x", code);
        else if (ascii && code >= 0x10000)
            n = snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
        if (n > 0)
            tfm_jinja_buffer_append(&c->state, out, text, (size_t)n);
        else
            tfm_jinja_buffer_append(&c->state, out, string->data + i, length);
    }
    tfm_jinja_buffer_append_text(&c->state, out, "\"");
}

static void new_line(jinja_context *c, jinja_buffer *out, const jinja_json_style *style, size_t level) {
    if (!style->indent) return;
    tfm_jinja_buffer_append_text(&c->state, out, "\n");
    for (size_t i = 0; i < level && c->state.status == TFM_OK; i++)
        tfm_jinja_buffer_append(&c->state, out, style->indent->data, style->indent->n);
}

static void put_json_key(jinja_context *c, jinja_buffer *out, jinja_value key, const jinja_json_style *style);
static void put_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style,
                     size_t level);

static void put_json_list(jinja_context *c, jinja_buffer *out, const jinja_list *list, const jinja_json_style *style,
                          size_t level) {
    tfm_jinja_buffer_append_text(&c->state, out, "[");
    for (size_t i = 0; i < list->n && c->state.status == TFM_OK; i++) {
        if (i > 0) tfm_jinja_buffer_append(&c->state, out, style->comma, style->n_comma);
        new_line(c, out, style, level + 1);
        put_json(c, out, list->items[i], style, level + 1);
    }
    if (list->n > 0) new_line(c, out, style, level);
    tfm_jinja_buffer_append_text(&c->state, out, "]");
}

/* The entry that comes next in the order of keys, or the i-th. */
static const jinja_entry *json_entry(jinja_context *c, const jinja_dict *dict, size_t i, const jinja_entry *last,
                                     bool sorted) {
    if (!sorted) return &dict->entries[i];
    const jinja_entry *best = NULL;
    for (size_t k = 0; k < dict->n && c->state.status == TFM_OK; k++) {
        const jinja_entry *e = &dict->entries[k];
        if (last && tfm_jinja_compare(&c->state, e->key, last->key) <= 0) continue;
        if (!best || tfm_jinja_compare(&c->state, e->key, best->key) < 0) best = e;
    }
    return best ? best : &dict->entries[i];
}

static void put_json_dict(jinja_context *c, jinja_buffer *out, const jinja_dict *dict, const jinja_json_style *style,
                          size_t level) {
    const jinja_entry *entry = NULL;
    tfm_jinja_buffer_append_text(&c->state, out, "{");
    for (size_t i = 0; i < dict->n && c->state.status == TFM_OK; i++) {
        entry = json_entry(c, dict, i, entry, style->sorted);
        if (i > 0) tfm_jinja_buffer_append(&c->state, out, style->comma, style->n_comma);
        new_line(c, out, style, level + 1);
        put_json_key(c, out, entry->key, style);
        tfm_jinja_buffer_append(&c->state, out, style->colon, style->n_colon);
        put_json(c, out, entry->value, style, level + 1);
    }
    if (dict->n > 0) new_line(c, out, style, level);
    tfm_jinja_buffer_append_text(&c->state, out, "}");
}

static void put_json_scalar(jinja_context *c, jinja_buffer *out, jinja_value value, bool ascii) {
    if (value.type == JINJA_STRING)
        put_json_string(c, out, value.string, ascii);
    else if (value.type == JINJA_NONE)
        tfm_jinja_buffer_append_text(&c->state, out, "null");
    else if (value.type == JINJA_BOOL)
        tfm_jinja_buffer_append_text(&c->state, out, value.boolean ? "true" : "false");
    else if (value.type == JINJA_FLOAT && !isfinite(value.real))
        tfm_jinja_buffer_append_text(&c->state, out,
                                     isnan(value.real) ? "NaN"
                                     : value.real > 0  ? "Infinity"
                                                       : "-Infinity");
    else if (value.type == JINJA_INT || value.type == JINJA_FLOAT)
        tfm_jinja_append_number(&c->state, out, value);
    else if (!tfm_jinja_fail_if_undefined(&c->state, value))
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a %s cannot become JSON", tfm_jinja_type_name(value));
}

/* Keys are strings whatever they were. */
static void put_json_key(jinja_context *c, jinja_buffer *out, jinja_value key, const jinja_json_style *style) {
    bool string = key.type == JINJA_STRING;
    if (!string) tfm_jinja_buffer_append_text(&c->state, out, "\"");
    put_json_scalar(c, out, key, style->ascii);
    if (!string) tfm_jinja_buffer_append_text(&c->state, out, "\"");
}

static void put_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style,
                     size_t level) {
    if (!tfm_jinja_enter(&c->state)) return;
    if (value.type == JINJA_LIST && value.list->kind <= JINJA_KIND_TUPLE)
        put_json_list(c, out, value.list, style, level);
    else if (value.type == JINJA_DICT)
        put_json_dict(c, out, value.dict, style, level);
    else
        put_json_scalar(c, out, value, style->ascii);
    tfm_jinja_leave(&c->state);
}

void tfm_jinja_append_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style) {
    put_json(c, out, value, style, 0);
}
