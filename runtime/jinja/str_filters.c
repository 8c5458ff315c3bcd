/* str_filters.c - filters that make text. */
#include "interpreter.h"

#include <string.h>

#include "characters.h"

static jinja_value text_of(jinja_context *c, jinja_value value) {
    jinja_value text = tfm_jinja_str(c, value);
    static const jinja_string empty = {"", 0, 0, false};
    return text.type == JINJA_STRING ? text : (jinja_value){.type = JINJA_STRING, .string = &empty};
}

static jinja_value cased(jinja_context *c, jinja_value self, jinja_case how) {
    return tfm_jinja_change_case(c, text_of(c, self).string, how);
}

JINJA_BUILTIN(upper, cased(c, self, JINJA_UPPER))
JINJA_BUILTIN(lower, cased(c, self, JINJA_LOWER))
JINJA_BUILTIN(title, cased(c, self, JINJA_FILTER_TITLE))
JINJA_BUILTIN(capitalize, cased(c, self, JINJA_CAPITALIZE))

/* Calls a method of strings. */
static jinja_value as_method(jinja_context *c, jinja_value self, const char *name, const jinja_list *positional) {
    const jinja_string method = {name, strlen(name), strlen(name), false};
    const jinja_builtin *function = NULL;
    static const jinja_dict none;
    jinja_value text = text_of(c, self);
    tfm_jinja_find_method(text, &method, &function);
    return tfm_jinja_call_builtin(c, function, "filter", &method, text, positional, &none);
}

static jinja_value trim(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value positional = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 1);
    if (c->state.status != TFM_OK) return positional;
    if (jinja_given(a->bound[0])) tfm_jinja_list_append(&c->state, positional.list, a->bound[0]);
    return as_method(c, self, "strip", positional.list);
}

static jinja_value center(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value width = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 1);
    if (c->state.status != TFM_OK) return width;
    tfm_jinja_list_append(&c->state, width.list, jinja_given(a->bound[0]) ? a->bound[0] : jinja_int(80));
    return as_method(c, self, "center", width.list);
}

static jinja_value replace(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value positional = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 3);
    if (c->state.status != TFM_OK) return positional;
    tfm_jinja_list_append(&c->state, positional.list, text_of(c, a->bound[0]));
    tfm_jinja_list_append(&c->state, positional.list, text_of(c, a->bound[1]));
    if (jinja_given(a->bound[2]) && a->bound[2].type != JINJA_NONE)
        tfm_jinja_list_append(&c->state, positional.list, a->bound[2]);
    return as_method(c, self, "replace", positional.list);
}

JINJA_BUILTIN(string, tfm_jinja_str(c, self))
JINJA_BUILTIN(safe, tfm_jinja_new_markup(&c->state, text_of(c, self).string))

static jinja_value format(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value values = {.type = JINJA_LIST};
    if (a->keyword->n > 0) {
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "the filter 'format' with names is not known");
        return JINJA_UNDEFINED_VALUE;
    }
    jinja_list *positional = tfm_jinja_alloc(&c->state, 1, sizeof *positional);
    if (!positional) return JINJA_UNDEFINED_VALUE;
    *positional = *a->positional;
    values.list = positional;
    return tfm_jinja_format_percent(c, text_of(c, self).string, values);
}

/* Lines but the first are moved to the right; empty ones are not, unless that is asked for. */
static jinja_value indent(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_buffer text = {0}, by = {0};
    bool first = jinja_given(a->bound[1]) && tfm_jinja_truth(a->bound[1]),
         blank = jinja_given(a->bound[2]) && tfm_jinja_truth(a->bound[2]);
    int64_t width = !jinja_given(a->bound[0]) ? 4 : jinja_is_whole(a->bound[0]) ? tfm_jinja_to_int(a->bound[0]) : 0;
    if (self.type != JINJA_STRING ||
        (jinja_given(a->bound[0]) && !jinja_is_whole(a->bound[0]) && a->bound[0].type != JINJA_STRING)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'indent' needs a string and a width");
        return JINJA_UNDEFINED_VALUE;
    }
    const jinja_string *string = self.string;
    if (jinja_given(a->bound[0]) && a->bound[0].type == JINJA_STRING) {
        tfm_jinja_buffer_append(&c->state, &by, a->bound[0].string->data, a->bound[0].string->n);
    } else {
        for (int64_t i = 0; i < width && tfm_jinja_charge(&c->state, 1); i++)
            tfm_jinja_buffer_append(&c->state, &by, " ", 1);
    }
    if (first) tfm_jinja_buffer_append(&c->state, &text, by.data, by.n);
    for (size_t start = 0, number = 0; start <= string->n && c->state.status == TFM_OK; number++) {
        size_t end = start, length = 0;
        for (uint32_t code; end < string->n; end += length) {
            code = tfm_jinja_decode_char(string->data + end, string->n - end, &length);
            if (!tfm_jinja_is_line_end(code)) continue;
            if (code == '\r' && end + 1 < string->n && string->data[end + 1] == '\n') length = 2;
            break;
        }
        if (number > 0) tfm_jinja_buffer_append(&c->state, &text, "\n", 1);
        if (number > 0 && (blank || end > start)) tfm_jinja_buffer_append(&c->state, &text, by.data, by.n);
        tfm_jinja_buffer_append(&c->state, &text, string->data + start, end - start);
        start = end < string->n ? end + length : string->n + 1;
    }
    return tfm_jinja_buffer_string(&c->state, &text);
}

static jinja_value tojson(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_json_style style = {.comma = ", ", .colon = ": ", .n_comma = 2, .n_colon = 2};
    jinja_buffer text = {0}, spaces = {0};
    style.ascii = jinja_given(a->bound[0]) && tfm_jinja_truth(a->bound[0]);
    style.sorted = jinja_given(a->bound[3]) && tfm_jinja_truth(a->bound[3]);
    jinja_value width = a->bound[1];
    if (jinja_given(width) && width.type != JINJA_NONE) {
        style.comma = ",";
        style.n_comma = 1;
        if (width.type == JINJA_STRING) {
            style.indent = width.string;
        } else if (jinja_is_whole(width)) {
            for (int64_t i = 0; i < tfm_jinja_to_int(width) && tfm_jinja_charge(&c->state, 1); i++)
                tfm_jinja_buffer_append(&c->state, &spaces, " ", 1);
            style.indent = tfm_jinja_buffer_string(&c->state, &spaces).string;
        } else {
            tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "tojson needs a whole number or a string as indent");
        }
    }
    if (jinja_given(a->bound[2]) && a->bound[2].type == JINJA_LIST && a->bound[2].list->n == 2 &&
        a->bound[2].list->items[0].type == JINJA_STRING && a->bound[2].list->items[1].type == JINJA_STRING) {
        const jinja_string *comma = a->bound[2].list->items[0].string, *colon = a->bound[2].list->items[1].string;
        style =
            (jinja_json_style){style.indent, comma->data, colon->data, comma->n, colon->n, style.ascii, style.sorted};
    } else if (jinja_given(a->bound[2]) && a->bound[2].type != JINJA_NONE) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "tojson needs two strings as separators");
    }
    if (c->state.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    tfm_jinja_append_json(c, &text, self, &style);
    return tfm_jinja_buffer_string(&c->state, &text);
}

static const jinja_builtin filters[] = {
    {.name = "capitalize", .parameters = "", .run = capitalize},
    {.name = "center", .parameters = "width", .run = center},
    {.name = "format", .run = format},
    {.name = "indent", .parameters = "width first blank", .run = indent},
    {.name = "lower", .parameters = "", .run = lower},
    {.name = "replace", .parameters = "old new count", .required = 2, .run = replace},
    {.name = "safe", .parameters = "", .run = safe},
    {.name = "string", .parameters = "", .run = string},
    {.name = "title", .parameters = "", .run = title},
    {.name = "tojson", .parameters = "ensure_ascii indent separators sort_keys", .run = tojson},
    {.name = "trim", .parameters = "chars", .run = trim},
    {.name = "upper", .parameters = "", .run = upper},
};

const jinja_builtin *tfm_jinja_find_str_filter(const jinja_string *name) {
    return tfm_jinja_find_builtin(filters, sizeof filters / sizeof *filters, name);
}
