/* print.c - values as text: Python's str and repr, and json.dumps as transformers calls it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter.h"

/* ---- numbers ---- */

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

void tfm_jinja_put_number(jinja_work *w, jinja_buffer *out, jinja_value number) {
    char text[64];
    int n = number.type == JINJA_FLOAT ? float_text(number.real, text, sizeof text)
                                       : snprintf(text, sizeof text, "%lld", (long long)tfm_jinja_whole(number));
    tfm_jinja_put(w, out, text, (size_t)n);
}

/* ---- str and repr ---- */

static void put(jinja_context *c, jinja_buffer *out, const char *text) {
    tfm_jinja_put(&c->work, out, text, strlen(text));
}

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
        tfm_jinja_put(&c->work, out, text, (size_t)n);
    } else {
        put(c, out, plain);
    }
}

static void put_quoted(jinja_context *c, jinja_buffer *out, const jinja_string *s) {
    bool single = s->n > 0 && memchr(s->data, '\'', s->n);
    bool both = single && memchr(s->data, '"', s->n);
    char quote = single && !both ? '"' : '\'';
    tfm_jinja_put(&c->work, out, &quote, 1);
    for (size_t i = 0, length; i < s->n && c->work.status == TFM_OK; i += length) {
        uint32_t code = tfm_jinja_code(s->data + i, s->n - i, &length);
        if (code == '\\' || code == (unsigned char)quote) {
            char escaped[2] = {'\\', (char)code};
            tfm_jinja_put(&c->work, out, escaped, 2);
        } else if (is_hidden(code)) {
            put_escape(c, out, code);
        } else {
            tfm_jinja_put(&c->work, out, s->data + i, length);
        }
    }
    tfm_jinja_put(&c->work, out, &quote, 1);
}

static void put_items(jinja_context *c, jinja_buffer *out, const jinja_list *list) {
    static const char *const begin[] = {"[", "(", "", "dict_keys([", "dict_values([", "dict_items(["};
    static const char *const end[] = {"]", ")", "", "])", "])", "])"};
    put(c, out, begin[list->kind]);
    for (size_t i = 0; i < list->n && c->work.status == TFM_OK; i++) {
        if (i > 0) put(c, out, ", ");
        tfm_jinja_put_repr(c, out, list->items[i]);
    }
    if (list->kind == JINJA_A_TUPLE && list->n == 1) put(c, out, ",");
    put(c, out, end[list->kind]);
}

static void put_list(jinja_context *c, jinja_buffer *out, const jinja_list *list) {
    char text[96];
    if (list->kind == JINJA_AN_ITERATOR) {
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "printing a generator is not known; make it a list first");
    } else if (list->kind == JINJA_A_RANGE) {
        int n = snprintf(text, sizeof text, list->step == 1 ? "range(%lld, %lld)" : "range(%lld, %lld, %lld)",
                         (long long)list->start, (long long)list->stop, (long long)list->step);
        tfm_jinja_put(&c->work, out, text, (size_t)n);
    } else {
        put_items(c, out, list);
    }
}

static void put_dict(jinja_context *c, jinja_buffer *out, const jinja_dict *dict) {
    put(c, out, "{");
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++) {
        if (i > 0) put(c, out, ", ");
        tfm_jinja_put_repr(c, out, dict->entries[i].key);
        put(c, out, ": ");
        tfm_jinja_put_repr(c, out, dict->entries[i].value);
    }
    put(c, out, "}");
}

void tfm_jinja_put_repr(jinja_context *c, jinja_buffer *out, jinja_value value) {
    if (!tfm_jinja_enter(&c->work)) return;
    switch (value.type) {
    case JINJA_UNDEFINED: put(c, out, "Undefined"); break;
    case JINJA_NONE: put(c, out, "None"); break;
    case JINJA_BOOL: put(c, out, value.truth ? "True" : "False"); break;
    case JINJA_INT:
    case JINJA_FLOAT: tfm_jinja_put_number(&c->work, out, value); break;
    case JINJA_STRING:
        if (value.string->markup) put(c, out, "Markup(");
        put_quoted(c, out, value.string);
        if (value.string->markup) put(c, out, ")");
        break;
    case JINJA_LIST: put_list(c, out, value.list); break;
    case JINJA_DICT: put_dict(c, out, value.dict); break;
    case JINJA_NAMESPACE:
        put(c, out, "<Namespace ");
        put_dict(c, out, value.dict);
        put(c, out, ">");
        break;
    default: tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "printing a %s is not known", tfm_jinja_type_name(value));
    }
    tfm_jinja_leave(&c->work);
}

void tfm_jinja_put_str(jinja_context *c, jinja_buffer *out, jinja_value value) {
    if (value.type == JINJA_STRING)
        tfm_jinja_put(&c->work, out, value.string->data, value.string->n);
    else if (value.type != JINJA_UNDEFINED)
        tfm_jinja_put_repr(c, out, value);
}

jinja_value tfm_jinja_str(jinja_context *c, jinja_value value) {
    jinja_buffer text = {0};
    if (value.type == JINJA_STRING) return value;
    tfm_jinja_put_str(c, &text, value);
    return tfm_jinja_buffer_text(&c->work, &text);
}

/* ---- JSON ---- */

static void put_json_string(jinja_context *c, jinja_buffer *out, const jinja_string *s, bool ascii) {
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    put(c, out, "\"");
    for (size_t i = 0, length; i < s->n && c->work.status == TFM_OK; i += length) {
        char text[16];
        uint32_t code = tfm_jinja_code(s->data + i, s->n - i, &length);
        const char *known = code > 0 && code < 0x80 ? strchr(plain, (int)code) : NULL;
        int n = 0;
        if (known)
            n = snprintf(text, sizeof text, "\\%c", letters[known - plain]);
        else if (code < 0x20 || (ascii && code > 0x7E && code < 0x10000))
            n = snprintf(text, sizeof text, "\\u%04x", code);
        else if (ascii && code >= 0x10000)
            n = snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
        if (n > 0)
            tfm_jinja_put(&c->work, out, text, (size_t)n);
        else
            tfm_jinja_put(&c->work, out, s->data + i, length);
    }
    put(c, out, "\"");
}

static void new_line(jinja_context *c, jinja_buffer *out, const jinja_json_style *style, size_t level) {
    if (!style->indent) return;
    put(c, out, "\n");
    for (size_t i = 0; i < level && c->work.status == TFM_OK; i++)
        tfm_jinja_put(&c->work, out, style->indent->data, style->indent->n);
}

static void put_json_key(jinja_context *c, jinja_buffer *out, jinja_value key, const jinja_json_style *style);
static void put_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style,
                     size_t level);

static void put_json_list(jinja_context *c, jinja_buffer *out, const jinja_list *list, const jinja_json_style *style,
                          size_t level) {
    put(c, out, "[");
    for (size_t i = 0; i < list->n && c->work.status == TFM_OK; i++) {
        if (i > 0) tfm_jinja_put(&c->work, out, style->comma, style->n_comma);
        new_line(c, out, style, level + 1);
        put_json(c, out, list->items[i], style, level + 1);
    }
    if (list->n > 0) new_line(c, out, style, level);
    put(c, out, "]");
}

/* The entry that comes next in the order of keys, or the i-th. */
static const jinja_entry *json_entry(jinja_context *c, const jinja_dict *dict, size_t i, const jinja_entry *last,
                                     bool sorted) {
    if (!sorted) return &dict->entries[i];
    const jinja_entry *best = NULL;
    for (size_t k = 0; k < dict->n && c->work.status == TFM_OK; k++) {
        const jinja_entry *e = &dict->entries[k];
        if (last && tfm_jinja_compare(&c->work, e->key, last->key) <= 0) continue;
        if (!best || tfm_jinja_compare(&c->work, e->key, best->key) < 0) best = e;
    }
    return best ? best : &dict->entries[i];
}

static void put_json_dict(jinja_context *c, jinja_buffer *out, const jinja_dict *dict, const jinja_json_style *style,
                          size_t level) {
    const jinja_entry *entry = NULL;
    put(c, out, "{");
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++) {
        entry = json_entry(c, dict, i, entry, style->sorted);
        if (i > 0) tfm_jinja_put(&c->work, out, style->comma, style->n_comma);
        new_line(c, out, style, level + 1);
        put_json_key(c, out, entry->key, style);
        tfm_jinja_put(&c->work, out, style->colon, style->n_colon);
        put_json(c, out, entry->value, style, level + 1);
    }
    if (dict->n > 0) new_line(c, out, style, level);
    put(c, out, "}");
}

static void put_json_scalar(jinja_context *c, jinja_buffer *out, jinja_value value, bool ascii) {
    if (value.type == JINJA_STRING)
        put_json_string(c, out, value.string, ascii);
    else if (value.type == JINJA_NONE)
        put(c, out, "null");
    else if (value.type == JINJA_BOOL)
        put(c, out, value.truth ? "true" : "false");
    else if (value.type == JINJA_FLOAT && !isfinite(value.real))
        put(c, out, isnan(value.real) ? "NaN" : value.real > 0 ? "Infinity" : "-Infinity");
    else if (value.type == JINJA_INT || value.type == JINJA_FLOAT)
        tfm_jinja_put_number(&c->work, out, value);
    else if (!tfm_jinja_refuse_undefined(c, value))
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a %s cannot become JSON", tfm_jinja_type_name(value));
}

/* Keys are strings whatever they were. */
static void put_json_key(jinja_context *c, jinja_buffer *out, jinja_value key, const jinja_json_style *style) {
    bool string = key.type == JINJA_STRING;
    if (!string) put(c, out, "\"");
    put_json_scalar(c, out, key, style->ascii);
    if (!string) put(c, out, "\"");
}

static void put_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style,
                     size_t level) {
    if (!tfm_jinja_enter(&c->work)) return;
    if (value.type == JINJA_LIST && value.list->kind <= JINJA_A_TUPLE)
        put_json_list(c, out, value.list, style, level);
    else if (value.type == JINJA_DICT)
        put_json_dict(c, out, value.dict, style, level);
    else
        put_json_scalar(c, out, value, style->ascii);
    tfm_jinja_leave(&c->work);
}

void tfm_jinja_put_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style) {
    put_json(c, out, value, style, 0);
}
