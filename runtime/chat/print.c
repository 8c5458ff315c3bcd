/* print.c - values as text: Python's str and repr, and json.dumps as transformers calls it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter.h"

/* ---- numbers --------------------------------------------------------------------------------------------------- */

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

void tfm_chat_put_number(chat_work *w, chat_buffer *out, chat_value number) {
    char text[64];
    int n = number.type == CHAT_FLOAT ? float_text(number.real, text, sizeof text)
                                      : snprintf(text, sizeof text, "%lld", (long long)tfm_chat_whole(number));
    tfm_chat_put(w, out, text, (size_t)n);
}

/* ---- str and repr ---------------------------------------------------------------------------------------------- */

static void put(chat_context *c, chat_buffer *out, const char *text) {
    tfm_chat_put(&c->work, out, text, strlen(text));
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

static void put_escape(chat_context *c, chat_buffer *out, uint32_t code) {
    char text[16];
    const char *form = code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";
    const char *plain = code == '\n' ? "\\n" : code == '\r' ? "\\r" : code == '\t' ? "\\t" : NULL;
    if (plain == NULL) {
        int n = form[1] == 'x'   ? snprintf(text, sizeof text, "\\x%02x", code)
                : form[1] == 'u' ? snprintf(text, sizeof text, "\\u%04x", code)
                                 : snprintf(text, sizeof text, "\\U%08x", code);
        tfm_chat_put(&c->work, out, text, (size_t)n);
    } else {
        put(c, out, plain);
    }
}

static void put_quoted(chat_context *c, chat_buffer *out, const chat_string *s) {
    bool single = s->n > 0 && memchr(s->data, '\'', s->n) != NULL;
    bool both = single && memchr(s->data, '"', s->n) != NULL;
    char quote = single && !both ? '"' : '\'';
    tfm_chat_put(&c->work, out, &quote, 1);
    for (size_t i = 0, length; i < s->n && c->work.status == TFM_OK; i += length) {
        uint32_t code = tfm_chat_code(s->data + i, s->n - i, &length);
        if (code == '\\' || code == (unsigned char)quote) {
            char escaped[2] = {'\\', (char)code};
            tfm_chat_put(&c->work, out, escaped, 2);
        } else if (is_hidden(code)) {
            put_escape(c, out, code);
        } else {
            tfm_chat_put(&c->work, out, s->data + i, length);
        }
    }
    tfm_chat_put(&c->work, out, &quote, 1);
}

static void put_items(chat_context *c, chat_buffer *out, const chat_list *list) {
    static const char *const begin[] = {"[", "(", "", "dict_keys([", "dict_values([", "dict_items(["};
    static const char *const end[] = {"]", ")", "", "])", "])", "])"};
    put(c, out, begin[list->kind]);
    for (size_t i = 0; i < list->n && c->work.status == TFM_OK; i++) {
        if (i > 0) put(c, out, ", ");
        tfm_chat_put_repr(c, out, list->items[i]);
    }
    if (list->kind == CHAT_A_TUPLE && list->n == 1) put(c, out, ",");
    put(c, out, end[list->kind]);
}

static void put_list(chat_context *c, chat_buffer *out, const chat_list *list) {
    char text[96];
    if (list->kind == CHAT_AN_ITERATOR) {
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "printing a generator is not known; make it a list first");
    } else if (list->kind == CHAT_A_RANGE) {
        int n = snprintf(text, sizeof text, list->step == 1 ? "range(%lld, %lld)" : "range(%lld, %lld, %lld)",
                         (long long)list->start, (long long)list->stop, (long long)list->step);
        tfm_chat_put(&c->work, out, text, (size_t)n);
    } else {
        put_items(c, out, list);
    }
}

static void put_dict(chat_context *c, chat_buffer *out, const chat_dict *dict) {
    put(c, out, "{");
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++) {
        if (i > 0) put(c, out, ", ");
        tfm_chat_put_repr(c, out, dict->entries[i].key);
        put(c, out, ": ");
        tfm_chat_put_repr(c, out, dict->entries[i].value);
    }
    put(c, out, "}");
}

void tfm_chat_put_repr(chat_context *c, chat_buffer *out, chat_value value) {
    if (!tfm_chat_enter(&c->work)) return;
    switch (value.type) {
    case CHAT_UNDEFINED: put(c, out, "Undefined"); break;
    case CHAT_NONE: put(c, out, "None"); break;
    case CHAT_BOOL: put(c, out, value.truth ? "True" : "False"); break;
    case CHAT_INT:
    case CHAT_FLOAT: tfm_chat_put_number(&c->work, out, value); break;
    case CHAT_STRING:
        if (value.string->markup) put(c, out, "Markup(");
        put_quoted(c, out, value.string);
        if (value.string->markup) put(c, out, ")");
        break;
    case CHAT_LIST: put_list(c, out, value.list); break;
    case CHAT_DICT: put_dict(c, out, value.dict); break;
    case CHAT_NAMESPACE:
        put(c, out, "<Namespace ");
        put_dict(c, out, value.dict);
        put(c, out, ">");
        break;
    default: tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "printing a %s is not known", tfm_chat_type_name(value));
    }
    tfm_chat_leave(&c->work);
}

void tfm_chat_put_str(chat_context *c, chat_buffer *out, chat_value value) {
    if (value.type == CHAT_STRING)
        tfm_chat_put(&c->work, out, value.string->data, value.string->n);
    else if (value.type != CHAT_UNDEFINED)
        tfm_chat_put_repr(c, out, value);
}

chat_value tfm_chat_str(chat_context *c, chat_value value) {
    chat_buffer text = {0};
    if (value.type == CHAT_STRING) return value;
    tfm_chat_put_str(c, &text, value);
    return tfm_chat_buffer_text(&c->work, &text);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void put_json_string(chat_context *c, chat_buffer *out, const chat_string *s, bool ascii) {
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    put(c, out, "\"");
    for (size_t i = 0, length; i < s->n && c->work.status == TFM_OK; i += length) {
        char text[16];
        uint32_t code = tfm_chat_code(s->data + i, s->n - i, &length);
        const char *known = code > 0 && code < 0x80 ? strchr(plain, (int)code) : NULL;
        int n = 0;
        if (known != NULL)
            n = snprintf(text, sizeof text, "\\%c", letters[known - plain]);
        else if (code < 0x20 || (ascii && code > 0x7E && code < 0x10000))
            n = snprintf(text, sizeof text, "\\u%04x", code);
        else if (ascii && code >= 0x10000)
            n = snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF));
        if (n > 0)
            tfm_chat_put(&c->work, out, text, (size_t)n);
        else
            tfm_chat_put(&c->work, out, s->data + i, length);
    }
    put(c, out, "\"");
}

static void new_line(chat_context *c, chat_buffer *out, const chat_json_style *style, size_t level) {
    if (style->indent == NULL) return;
    put(c, out, "\n");
    for (size_t i = 0; i < level && c->work.status == TFM_OK; i++)
        tfm_chat_put(&c->work, out, style->indent->data, style->indent->n);
}

static void put_json_key(chat_context *c, chat_buffer *out, chat_value key, const chat_json_style *style);
static void put_json(chat_context *c, chat_buffer *out, chat_value value, const chat_json_style *style, size_t level);

static void put_json_list(chat_context *c, chat_buffer *out, const chat_list *list, const chat_json_style *style,
                          size_t level) {
    put(c, out, "[");
    for (size_t i = 0; i < list->n && c->work.status == TFM_OK; i++) {
        if (i > 0) tfm_chat_put(&c->work, out, style->comma, style->n_comma);
        new_line(c, out, style, level + 1);
        put_json(c, out, list->items[i], style, level + 1);
    }
    if (list->n > 0) new_line(c, out, style, level);
    put(c, out, "]");
}

/* The entry that comes next in the order of keys, or the i-th. */
static const chat_entry *json_entry(chat_context *c, const chat_dict *dict, size_t i, const chat_entry *last,
                                    bool sorted) {
    if (!sorted) return &dict->entries[i];
    const chat_entry *best = NULL;
    for (size_t k = 0; k < dict->n && c->work.status == TFM_OK; k++) {
        const chat_entry *e = &dict->entries[k];
        if (last != NULL && tfm_chat_compare(&c->work, e->key, last->key) <= 0) continue;
        if (best == NULL || tfm_chat_compare(&c->work, e->key, best->key) < 0) best = e;
    }
    return best != NULL ? best : &dict->entries[i];
}

static void put_json_dict(chat_context *c, chat_buffer *out, const chat_dict *dict, const chat_json_style *style,
                          size_t level) {
    const chat_entry *entry = NULL;
    put(c, out, "{");
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++) {
        entry = json_entry(c, dict, i, entry, style->sorted);
        if (i > 0) tfm_chat_put(&c->work, out, style->comma, style->n_comma);
        new_line(c, out, style, level + 1);
        put_json_key(c, out, entry->key, style);
        tfm_chat_put(&c->work, out, style->colon, style->n_colon);
        put_json(c, out, entry->value, style, level + 1);
    }
    if (dict->n > 0) new_line(c, out, style, level);
    put(c, out, "}");
}

static void put_json_scalar(chat_context *c, chat_buffer *out, chat_value value, bool ascii) {
    if (value.type == CHAT_STRING)
        put_json_string(c, out, value.string, ascii);
    else if (value.type == CHAT_NONE)
        put(c, out, "null");
    else if (value.type == CHAT_BOOL)
        put(c, out, value.truth ? "true" : "false");
    else if (value.type == CHAT_FLOAT && !isfinite(value.real))
        put(c, out, isnan(value.real) ? "NaN" : value.real > 0 ? "Infinity" : "-Infinity");
    else if (value.type == CHAT_INT || value.type == CHAT_FLOAT)
        tfm_chat_put_number(&c->work, out, value);
    else if (!tfm_chat_refuse_undefined(c, value))
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a %s cannot become JSON", tfm_chat_type_name(value));
}

/* Keys are strings whatever they were. */
static void put_json_key(chat_context *c, chat_buffer *out, chat_value key, const chat_json_style *style) {
    bool string = key.type == CHAT_STRING;
    if (!string) put(c, out, "\"");
    put_json_scalar(c, out, key, style->ascii);
    if (!string) put(c, out, "\"");
}

static void put_json(chat_context *c, chat_buffer *out, chat_value value, const chat_json_style *style, size_t level) {
    if (!tfm_chat_enter(&c->work)) return;
    if (value.type == CHAT_LIST && value.list->kind <= CHAT_A_TUPLE)
        put_json_list(c, out, value.list, style, level);
    else if (value.type == CHAT_DICT)
        put_json_dict(c, out, value.dict, style, level);
    else
        put_json_scalar(c, out, value, style->ascii);
    tfm_chat_leave(&c->work);
}

void tfm_chat_put_json(chat_context *c, chat_buffer *out, chat_value value, const chat_json_style *style) {
    put_json(c, out, value, style, 0);
}
