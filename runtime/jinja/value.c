/* value.c - making, comparing and ordering the values of chat templates. */
#include "value.h"

#include <math.h>
#include <string.h>

#include "characters.h"
#include "format/utf8.h"

/* ---- strings ---- */

static size_t count_chars(const char *data, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; count++) i += tfm_utf8_step(data + i, n - i);
    return count;
}

jinja_value tfm_jinja_new_string(jinja_state *state, const char *data, size_t n) {
    jinja_string *string = tfm_jinja_alloc(state, 1, sizeof *string);
    if (!string || !tfm_jinja_charge_bytes(state, n)) return JINJA_UNDEFINED_VALUE;
    *string = (jinja_string){.data = data, .n = n, .n_chars = count_chars(data, n)};
    return (jinja_value){.type = JINJA_STRING, .string = string};
}

jinja_value tfm_jinja_new_markup(jinja_state *state, const jinja_string *string) {
    jinja_string *marked = tfm_jinja_alloc(state, 1, sizeof *marked);
    if (!marked) return JINJA_UNDEFINED_VALUE;
    *marked = *string;
    marked->markup = true;
    return (jinja_value){.type = JINJA_STRING, .string = marked};
}

jinja_value tfm_jinja_new_undefined(jinja_state *state, const char *name, size_t n) {
    jinja_value value = tfm_jinja_new_string(state, name, n);
    value.type = JINJA_UNDEFINED;
    return value;
}

bool tfm_jinja_string_is(const jinja_string *string, const char *text) {
    return string->n == strlen(text) && memcmp(string->data, text, string->n) == 0;
}

size_t tfm_jinja_char_offset(const jinja_string *string, size_t index) {
    if (string->n == string->n_chars) return index < string->n ? index : string->n;
    size_t at = 0;
    while (index-- > 0 && at < string->n) at += tfm_utf8_step(string->data + at, string->n - at);
    return at;
}

void tfm_jinja_buffer_append(jinja_state *state, jinja_buffer *buffer, const char *data, size_t n) {
    size_t needed;
    if (!tfm_jinja_charge_bytes(state, n)) return;
    if (__builtin_add_overflow(buffer->n, n, &needed)) needed = SIZE_MAX;
    if (needed > buffer->size) {
        size_t size = needed > SIZE_MAX / 2 ? needed : needed * 2 + 64;
        char *bigger = tfm_jinja_alloc(state, size, 1);
        if (!bigger) return;
        if (buffer->n > 0) memcpy(bigger, buffer->data, buffer->n);
        buffer->data = bigger;
        buffer->size = size;
    }
    if (n > 0) memcpy(buffer->data + buffer->n, data, n);
    buffer->n += n;
}

void tfm_jinja_buffer_append_text(jinja_state *state, jinja_buffer *buffer, const char *text) {
    tfm_jinja_buffer_append(state, buffer, text, strlen(text));
}

jinja_value tfm_jinja_buffer_string(jinja_state *state, const jinja_buffer *buffer) {
    return tfm_jinja_new_string(state, buffer->n > 0 ? buffer->data : "", buffer->n);
}

/* ---- lists and dictionaries ---- */

/* An array of n elements with room for one more: the same one, or a larger copy; NULL after a failure. */
static void *with_room(jinja_state *state, void *array, size_t n, size_t *size, size_t element) {
    if (n < *size) return array;
    size_t more = *size * 2 + 4;
    void *larger = tfm_jinja_alloc(state, more, element);
    if (!larger) return NULL;
    if (n > 0) memcpy(larger, array, n * element);
    *size = more;
    return larger;
}

jinja_value tfm_jinja_new_list(jinja_state *state, jinja_list_kind kind, size_t size) {
    jinja_list *list = tfm_jinja_alloc(state, 1, sizeof *list);
    jinja_value *items = size > 0 ? tfm_jinja_alloc(state, size, sizeof *items) : NULL;
    if (state->status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    *list = (jinja_list){.kind = kind, .size = size, .items = items};
    return (jinja_value){.type = JINJA_LIST, .list = list};
}

void tfm_jinja_list_append(jinja_state *state, jinja_list *list, jinja_value item) {
    if (!tfm_jinja_charge(state, 1)) return;
    jinja_value *items = with_room(state, list->items, list->n, &list->size, sizeof *items);
    if (!items) return;
    list->items = items;
    list->items[list->n++] = item;
}

jinja_value tfm_jinja_new_pair(jinja_state *state, jinja_value first, jinja_value second) {
    jinja_value pair = tfm_jinja_new_list(state, JINJA_KIND_TUPLE, 2);
    if (pair.type != JINJA_LIST) return pair;
    tfm_jinja_list_append(state, pair.list, first);
    tfm_jinja_list_append(state, pair.list, second);
    return pair;
}

jinja_value tfm_jinja_new_dict(jinja_state *state) {
    jinja_dict *dict = tfm_jinja_alloc(state, 1, sizeof *dict);
    return dict ? (jinja_value){.type = JINJA_DICT, .dict = dict} : JINJA_UNDEFINED_VALUE;
}

static bool can_be_key(jinja_value key) {
    if (key.type == JINJA_LIST && key.list->kind == JINJA_KIND_TUPLE) {
        for (size_t i = 0; i < key.list->n; i++) {
            const jinja_value item = key.list->items[i];
            if (item.type == JINJA_LIST || item.type == JINJA_DICT) return false;
        }
        return true;
    }
    if (key.type == JINJA_LIST) return key.list->kind == JINJA_KIND_RANGE || key.list->kind == JINJA_KIND_ITERATOR;
    return key.type != JINJA_DICT;
}

bool tfm_jinja_check_key(jinja_state *state, jinja_value key) {
    if (can_be_key(key)) return true;
    tfm_jinja_fail(state, TFM_ERROR_ARGUMENT, "a %s cannot be the key of a dictionary", tfm_jinja_type_name(key));
    return false;
}

static jinja_entry *find(jinja_state *state, const jinja_dict *dict, jinja_value key) {
    for (size_t i = 0; i < dict->n; i++) {
        if (tfm_jinja_equal(state, dict->entries[i].key, key)) return &dict->entries[i];
    }
    return NULL;
}

const jinja_value *tfm_jinja_dict_get(jinja_state *state, const jinja_dict *dict, jinja_value key) {
    const jinja_entry *entry = find(state, dict, key);
    return entry ? &entry->value : NULL;
}

const jinja_value *tfm_jinja_dict_get_name(jinja_state *state, const jinja_dict *dict, const char *name, size_t n) {
    if (!tfm_jinja_charge(state, dict->n / JINJA_NAMES_A_STEP)) return NULL;
    for (size_t i = 0; i < dict->n; i++) {
        const jinja_value key = dict->entries[i].key;
        if (key.type == JINJA_STRING && key.string->n == n && memcmp(key.string->data, name, n) == 0)
            return &dict->entries[i].value;
    }
    return NULL;
}

void tfm_jinja_dict_set(jinja_state *state, jinja_dict *dict, jinja_value key, jinja_value value) {
    if (!tfm_jinja_charge(state, 1)) return;
    if (!tfm_jinja_check_key(state, key)) return;
    jinja_entry *entry = find(state, dict, key);
    if (entry) {
        entry->value = value;
        return;
    }
    jinja_entry *entries = with_room(state, dict->entries, dict->n, &dict->size, sizeof *entries);
    if (!entries) return;
    dict->entries = entries;
    dict->entries[dict->n++] = (jinja_entry){key, value};
}

/* ---- questions ---- */

bool tfm_jinja_is_number(jinja_value value) {
    return value.type == JINJA_BOOL || value.type == JINJA_INT || value.type == JINJA_FLOAT;
}

int64_t tfm_jinja_to_int(jinja_value value) { return value.type == JINJA_BOOL ? value.boolean : value.integer; }

double tfm_jinja_to_float(jinja_value value) {
    return value.type == JINJA_FLOAT ? value.real : (double)tfm_jinja_to_int(value);
}

bool tfm_jinja_truth(jinja_value value) {
    switch (value.type) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING:
    case JINJA_NONE: return false;
    case JINJA_BOOL: return value.boolean;
    case JINJA_INT: return value.integer != 0;
    case JINJA_FLOAT: return value.real != 0;
    case JINJA_STRING: return value.string->n > 0;
    case JINJA_LIST: return value.list->kind == JINJA_KIND_ITERATOR || value.list->n > 0;
    case JINJA_DICT: return value.dict->n > 0;
    default: return true;
    }
}

static bool same_items(jinja_state *state, const jinja_list *a, const jinja_list *b) {
    bool set_like = (a->kind == JINJA_KIND_KEYS || a->kind == JINJA_KIND_ITEMS) &&
                    (b->kind == JINJA_KIND_KEYS || b->kind == JINJA_KIND_ITEMS);
    if (a == b) return true;
    if (set_like) tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "comparing keys() or items() is not known");
    if (a->kind != b->kind || a->kind == JINJA_KIND_ITERATOR || a->kind == JINJA_KIND_VALUES || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!tfm_jinja_equal(state, a->items[i], b->items[i])) return false;
    }
    return true;
}

static bool same_entries(jinja_state *state, const jinja_dict *a, const jinja_dict *b) {
    if (a == b) return true;
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const jinja_value *other = tfm_jinja_dict_get(state, b, a->entries[i].key);
        if (!other || !tfm_jinja_equal(state, a->entries[i].value, *other)) return false;
    }
    return true;
}

bool tfm_jinja_is_same(jinja_value a, jinja_value b) {
    if (a.type != b.type) return false;
    switch (a.type) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING:
    case JINJA_NONE: return true;
    case JINJA_BOOL: return a.boolean == b.boolean;
    case JINJA_INT: return a.integer == b.integer;
    case JINJA_FLOAT: return a.real == b.real;
    case JINJA_STRING: return a.string == b.string;
    case JINJA_LIST: return a.list == b.list;
    case JINJA_DICT:
    case JINJA_NAMESPACE: return a.dict == b.dict;
    case JINJA_LOOP: return a.loop == b.loop;
    case JINJA_MACRO: return a.macro == b.macro;
    case JINJA_FUNCTION: return a.function == b.function;
    case JINJA_METHOD: return a.method == b.method;
    }
    return false;
}

bool tfm_jinja_equal(jinja_state *state, jinja_value a, jinja_value b) {
    if (tfm_jinja_is_number(a) && tfm_jinja_is_number(b)) {
        tfm_jinja_charge(state, 1);
        if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT) return tfm_jinja_to_float(a) == tfm_jinja_to_float(b);
        return tfm_jinja_to_int(a) == tfm_jinja_to_int(b);
    }
    if (a.type != b.type) return tfm_jinja_charge(state, 1) && false;
    if (a.type == JINJA_STRING) {
        if (a.string->n != b.string->n) return tfm_jinja_charge(state, 1) && false;
        return tfm_jinja_charge_bytes(state, a.string->n) && memcmp(a.string->data, b.string->data, a.string->n) == 0;
    }
    if (a.type != JINJA_LIST && a.type != JINJA_DICT) return tfm_jinja_charge(state, 1) && tfm_jinja_is_same(a, b);
    if (!tfm_jinja_enter(state)) return false;
    bool same = a.type == JINJA_LIST ? same_items(state, a.list, b.list) : same_entries(state, a.dict, b.dict);
    tfm_jinja_leave(state);
    return same;
}

static int compare_items(jinja_state *state, const jinja_list *a, const jinja_list *b) {
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (!tfm_jinja_equal(state, a->items[i], b->items[i]))
            return tfm_jinja_compare(state, a->items[i], b->items[i]);
    }
    return (a->n > b->n) - (a->n < b->n);
}

int tfm_jinja_compare(jinja_state *state, jinja_value a, jinja_value b) {
    if (tfm_jinja_is_number(a) && tfm_jinja_is_number(b)) {
        tfm_jinja_charge(state, 1);
        if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT) {
            double x = tfm_jinja_to_float(a), y = tfm_jinja_to_float(b);
            if (isnan(x) || isnan(y)) tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "ordering what is not a number");
            return (x > y) - (x < y);
        }
        int64_t x = tfm_jinja_to_int(a), y = tfm_jinja_to_int(b);
        return (x > y) - (x < y);
    }
    if (a.type == JINJA_STRING && b.type == JINJA_STRING) {
        size_t n = a.string->n < b.string->n ? a.string->n : b.string->n;
        tfm_jinja_charge_bytes(state, n);
        int order = n > 0 ? memcmp(a.string->data, b.string->data, n) : 0;
        return order != 0 ? order : (a.string->n > b.string->n) - (a.string->n < b.string->n);
    }
    if (a.type == JINJA_LIST && b.type == JINJA_LIST && a.list->kind == b.list->kind &&
        a.list->kind <= JINJA_KIND_TUPLE) {
        if (!tfm_jinja_enter(state)) return 0;
        int order = compare_items(state, a.list, b.list);
        tfm_jinja_leave(state);
        return order;
    }
    if (a.type == JINJA_UNDEFINED || b.type == JINJA_UNDEFINED) {
        const jinja_string *name = a.type == JINJA_UNDEFINED ? a.string : b.string;
        tfm_jinja_fail(state, TFM_ERROR_ARGUMENT, "%.*s is undefined", name ? (int)(name->n < 200 ? name->n : 200) : 5,
                       name ? name->data : "value");
    }
    tfm_jinja_fail(state, TFM_ERROR_ARGUMENT, "%s and %s cannot be ordered", tfm_jinja_type_name(a),
                   tfm_jinja_type_name(b));
    return 0;
}

bool tfm_jinja_fail_if_undefined(jinja_state *state, jinja_value value) {
    if (value.type != JINJA_UNDEFINED) return false;
    const jinja_string *name = value.string;
    tfm_jinja_fail(state, TFM_ERROR_ARGUMENT, "%.*s is undefined", name ? (int)(name->n < 200 ? name->n : 200) : 7,
                   name ? name->data : "a value");
    return true;
}

/* ---- going through ---- */

static const jinja_list *characters(jinja_state *state, const jinja_string *string) {
    jinja_value list = tfm_jinja_new_list(state, JINJA_KIND_LIST, string->n_chars);
    for (size_t i = 0; i < string->n && state->status == TFM_OK;) {
        size_t length = tfm_utf8_step(string->data + i, string->n - i);
        tfm_jinja_list_append(state, list.list, tfm_jinja_new_string(state, string->data + i, length));
        i += length;
    }
    static const jinja_list empty;
    return state->status == TFM_OK ? list.list : &empty;
}

const jinja_list *tfm_jinja_iterate(jinja_state *state, jinja_value value) {
    static const jinja_list empty;
    if (state->status != TFM_OK || value.type == JINJA_UNDEFINED) return &empty;
    if (value.type == JINJA_STRING) return characters(state, value.string);
    if (value.type == JINJA_LIST) {
        if (value.list->kind != JINJA_KIND_ITERATOR) return value.list;
        if (value.list->used_up) return &empty;
        value.list->used_up = true;
        return value.list;
    }
    if (value.type == JINJA_DICT) {
        jinja_value keys = tfm_jinja_new_list(state, JINJA_KIND_KEYS, value.dict->n);
        for (size_t i = 0; i < value.dict->n && state->status == TFM_OK; i++)
            tfm_jinja_list_append(state, keys.list, value.dict->entries[i].key);
        return state->status == TFM_OK ? keys.list : &empty;
    }
    tfm_jinja_fail(state, TFM_ERROR_ARGUMENT, "a %s cannot be gone through", tfm_jinja_type_name(value));
    return &empty;
}

const char *tfm_jinja_type_name(jinja_value value) {
    static const char *const names[] = {
        [JINJA_UNDEFINED] = "Undefined", [JINJA_MISSING] = "Undefined", [JINJA_NONE] = "NoneType",
        [JINJA_BOOL] = "bool",           [JINJA_INT] = "int",           [JINJA_FLOAT] = "float",
        [JINJA_STRING] = "str",          [JINJA_LIST] = "list",         [JINJA_DICT] = "dict",
        [JINJA_NAMESPACE] = "Namespace", [JINJA_LOOP] = "LoopContext",  [JINJA_MACRO] = "Macro",
        [JINJA_FUNCTION] = "function",   [JINJA_METHOD] = "method"};
    static const char *const lists[] = {
        [JINJA_KIND_LIST] = "list",         [JINJA_KIND_TUPLE] = "tuple",        [JINJA_KIND_RANGE] = "range",
        [JINJA_KIND_KEYS] = "dict_keys",    [JINJA_KIND_VALUES] = "dict_values", [JINJA_KIND_ITEMS] = "dict_items",
        [JINJA_KIND_ITERATOR] = "generator"};
    return value.type == JINJA_LIST ? lists[value.list->kind] : names[value.type];
}
