/* value.c - making, comparing and ordering the values of chat templates. */
#include "value.h"

#include <math.h>
#include <string.h>

/* ---- strings ---- */

static size_t count_chars(const char *data, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; count++) i += tfm_jinja_step_char(data + i, n - i);
    return count;
}

jinja_value tfm_jinja_text(jinja_work *w, const char *data, size_t n) {
    jinja_string *string = tfm_jinja_take(w, 1, sizeof *string);
    if (!string || !tfm_jinja_step_bytes(w, n)) return JINJA_UNDEFINED_VALUE;
    *string = (jinja_string){.data = data, .n = n, .n_chars = count_chars(data, n)};
    return (jinja_value){.type = JINJA_STRING, .string = string};
}

jinja_value tfm_jinja_copy(jinja_work *w, const char *data, size_t n) {
    char *copy = tfm_jinja_take(w, n, 1);
    if (w->status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    if (n > 0) memcpy(copy, data, n);
    return tfm_jinja_text(w, copy, n);
}

jinja_value tfm_jinja_undefined(jinja_work *w, const char *name, size_t n) {
    jinja_value value = tfm_jinja_text(w, name, n);
    value.type = JINJA_UNDEFINED;
    return value;
}

bool tfm_jinja_is(const jinja_string *string, const char *text) {
    return string->n == strlen(text) && memcmp(string->data, text, string->n) == 0;
}

/* ---- lists and dictionaries ---- */

jinja_value tfm_jinja_list(jinja_work *w, jinja_list_kind kind, size_t size) {
    jinja_list *list = tfm_jinja_take(w, 1, sizeof *list);
    jinja_value *items = size > 0 ? tfm_jinja_take(w, size, sizeof *items) : NULL;
    if (w->status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    *list = (jinja_list){.kind = kind, .size = size, .items = items};
    return (jinja_value){.type = JINJA_LIST, .list = list};
}

void tfm_jinja_push(jinja_work *w, jinja_list *list, jinja_value item) {
    if (!tfm_jinja_step(w, 1)) return;
    if (list->n == list->size) {
        size_t size = list->size * 2 + 4;
        jinja_value *items = tfm_jinja_take(w, size, sizeof *items);
        if (!items) return;
        if (list->n > 0) memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->size = size;
    }
    list->items[list->n++] = item;
}

jinja_value tfm_jinja_pair(jinja_work *w, jinja_value first, jinja_value second) {
    jinja_value pair = tfm_jinja_list(w, JINJA_A_TUPLE, 2);
    if (pair.type != JINJA_LIST) return pair;
    tfm_jinja_push(w, pair.list, first);
    tfm_jinja_push(w, pair.list, second);
    return pair;
}

jinja_value tfm_jinja_dict(jinja_work *w) {
    jinja_dict *dict = tfm_jinja_take(w, 1, sizeof *dict);
    return dict ? (jinja_value){.type = JINJA_DICT, .dict = dict} : JINJA_UNDEFINED_VALUE;
}

static bool can_be_key(jinja_value key) {
    if (key.type == JINJA_LIST && key.list->kind == JINJA_A_TUPLE) {
        for (size_t i = 0; i < key.list->n; i++) {
            const jinja_value item = key.list->items[i];
            if (item.type == JINJA_LIST || item.type == JINJA_DICT) return false;
        }
        return true;
    }
    return key.type != JINJA_LIST && key.type != JINJA_DICT;
}

static jinja_entry *find(jinja_work *w, const jinja_dict *dict, jinja_value key) {
    for (size_t i = 0; i < dict->n; i++) {
        if (tfm_jinja_equal(w, dict->entries[i].key, key)) return &dict->entries[i];
    }
    return NULL;
}

const jinja_value *tfm_jinja_get(jinja_work *w, const jinja_dict *dict, jinja_value key) {
    const jinja_entry *entry = find(w, dict, key);
    return entry ? &entry->value : NULL;
}

const jinja_value *tfm_jinja_get_name(const jinja_dict *dict, const char *name, size_t n) {
    for (size_t i = 0; i < dict->n; i++) {
        const jinja_value key = dict->entries[i].key;
        if (key.type == JINJA_STRING && key.string->n == n && memcmp(key.string->data, name, n) == 0)
            return &dict->entries[i].value;
    }
    return NULL;
}

void tfm_jinja_set(jinja_work *w, jinja_dict *dict, jinja_value key, jinja_value value) {
    if (!tfm_jinja_step(w, 1)) return;
    if (!can_be_key(key)) {
        tfm_jinja_fail(w, TFM_ERROR_ARGUMENT, "a %s cannot be the key of a dictionary", tfm_jinja_type_name(key));
        return;
    }
    jinja_entry *entry = find(w, dict, key);
    if (entry) {
        entry->value = value;
        return;
    }
    if (dict->n == dict->size) {
        size_t size = dict->size * 2 + 4;
        jinja_entry *entries = tfm_jinja_take(w, size, sizeof *entries);
        if (!entries) return;
        if (dict->n > 0) memcpy(entries, dict->entries, dict->n * sizeof *entries);
        dict->entries = entries;
        dict->size = size;
    }
    dict->entries[dict->n++] = (jinja_entry){key, value};
}

/* ---- questions ---- */

bool tfm_jinja_is_number(jinja_value value) {
    return value.type == JINJA_BOOL || value.type == JINJA_INT || value.type == JINJA_FLOAT;
}

int64_t tfm_jinja_whole(jinja_value value) { return value.type == JINJA_BOOL ? value.truth : value.number; }

double tfm_jinja_real(jinja_value value) {
    return value.type == JINJA_FLOAT ? value.real : (double)tfm_jinja_whole(value);
}

bool tfm_jinja_truth(jinja_value value) {
    switch (value.type) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING:
    case JINJA_NONE: return false;
    case JINJA_BOOL: return value.truth;
    case JINJA_INT: return value.number != 0;
    case JINJA_FLOAT: return value.real != 0;
    case JINJA_STRING: return value.string->n > 0;
    case JINJA_LIST: return value.list->kind == JINJA_AN_ITERATOR || value.list->n > 0;
    case JINJA_DICT: return value.dict->n > 0;
    default: return true;
    }
}

static bool same_items(jinja_work *w, const jinja_list *a, const jinja_list *b) {
    bool set_like =
        (a->kind == JINJA_KEYS || a->kind == JINJA_ITEMS) && (b->kind == JINJA_KEYS || b->kind == JINJA_ITEMS);
    if (a == b) return true;
    if (set_like) tfm_jinja_fail(w, TFM_ERROR_UNSUPPORTED, "comparing keys() or items() is not known");
    if (a->kind != b->kind || a->kind == JINJA_AN_ITERATOR || a->kind == JINJA_VALUES || a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!tfm_jinja_equal(w, a->items[i], b->items[i])) return false;
    }
    return true;
}

static bool same_entries(jinja_work *w, const jinja_dict *a, const jinja_dict *b) {
    if (a == b) return true;
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const jinja_value *other = tfm_jinja_get(w, b, a->entries[i].key);
        if (!other || !tfm_jinja_equal(w, a->entries[i].value, *other)) return false;
    }
    return true;
}

bool tfm_jinja_is_same(jinja_value a, jinja_value b) {
    if (a.type != b.type) return false;
    switch (a.type) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING:
    case JINJA_NONE: return true;
    case JINJA_BOOL: return a.truth == b.truth;
    case JINJA_INT: return a.number == b.number;
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

bool tfm_jinja_equal(jinja_work *w, jinja_value a, jinja_value b) {
    if (tfm_jinja_is_number(a) && tfm_jinja_is_number(b)) {
        tfm_jinja_step(w, 1);
        if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT) return tfm_jinja_real(a) == tfm_jinja_real(b);
        return tfm_jinja_whole(a) == tfm_jinja_whole(b);
    }
    if (a.type != b.type) return tfm_jinja_step(w, 1) && false;
    if (a.type == JINJA_STRING) {
        if (a.string->n != b.string->n) return tfm_jinja_step(w, 1) && false;
        return tfm_jinja_step_bytes(w, a.string->n) && memcmp(a.string->data, b.string->data, a.string->n) == 0;
    }
    if (a.type != JINJA_LIST && a.type != JINJA_DICT) return tfm_jinja_step(w, 1) && tfm_jinja_is_same(a, b);
    if (!tfm_jinja_enter(w)) return false;
    bool same = a.type == JINJA_LIST ? same_items(w, a.list, b.list) : same_entries(w, a.dict, b.dict);
    tfm_jinja_leave(w);
    return same;
}

static int compare_items(jinja_work *w, const jinja_list *a, const jinja_list *b) {
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (!tfm_jinja_equal(w, a->items[i], b->items[i])) return tfm_jinja_compare(w, a->items[i], b->items[i]);
    }
    return (a->n > b->n) - (a->n < b->n);
}

int tfm_jinja_compare(jinja_work *w, jinja_value a, jinja_value b) {
    if (tfm_jinja_is_number(a) && tfm_jinja_is_number(b)) {
        tfm_jinja_step(w, 1);
        if (a.type == JINJA_FLOAT || b.type == JINJA_FLOAT) {
            double x = tfm_jinja_real(a), y = tfm_jinja_real(b);
            if (isnan(x) || isnan(y)) tfm_jinja_fail(w, TFM_ERROR_UNSUPPORTED, "ordering what is not a number");
            return (x > y) - (x < y);
        }
        int64_t x = tfm_jinja_whole(a), y = tfm_jinja_whole(b);
        return (x > y) - (x < y);
    }
    if (a.type == JINJA_STRING && b.type == JINJA_STRING) {
        size_t n = a.string->n < b.string->n ? a.string->n : b.string->n;
        tfm_jinja_step_bytes(w, n);
        int order = n > 0 ? memcmp(a.string->data, b.string->data, n) : 0;
        return order != 0 ? order : (a.string->n > b.string->n) - (a.string->n < b.string->n);
    }
    if (a.type == JINJA_LIST && b.type == JINJA_LIST && a.list->kind == b.list->kind && a.list->kind <= JINJA_A_TUPLE) {
        if (!tfm_jinja_enter(w)) return 0;
        int order = compare_items(w, a.list, b.list);
        tfm_jinja_leave(w);
        return order;
    }
    if (a.type == JINJA_UNDEFINED || b.type == JINJA_UNDEFINED) {
        const jinja_string *name = a.type == JINJA_UNDEFINED ? a.string : b.string;
        tfm_jinja_fail(w, TFM_ERROR_ARGUMENT, "%.*s is undefined", name ? (int)(name->n < 200 ? name->n : 200) : 5,
                       name ? name->data : "value");
    }
    tfm_jinja_fail(w, TFM_ERROR_ARGUMENT, "%s and %s cannot be ordered", tfm_jinja_type_name(a),
                   tfm_jinja_type_name(b));
    return 0;
}

/* ---- going through ---- */

static const jinja_list *characters(jinja_work *w, const jinja_string *string) {
    jinja_value list = tfm_jinja_list(w, JINJA_A_LIST, string->n_chars);
    for (size_t i = 0; i < string->n && w->status == TFM_OK;) {
        size_t length = tfm_jinja_step_char(string->data + i, string->n - i);
        tfm_jinja_push(w, list.list, tfm_jinja_text(w, string->data + i, length));
        i += length;
    }
    static const jinja_list empty;
    return w->status == TFM_OK ? list.list : &empty;
}

const jinja_list *tfm_jinja_items(jinja_work *w, jinja_value value) {
    static const jinja_list empty;
    if (w->status != TFM_OK || value.type == JINJA_UNDEFINED) return &empty;
    if (value.type == JINJA_STRING) return characters(w, value.string);
    if (value.type == JINJA_LIST) {
        if (value.list->kind != JINJA_AN_ITERATOR) return value.list;
        if (value.list->used_up) return &empty;
        value.list->used_up = true;
        return value.list;
    }
    if (value.type == JINJA_DICT) {
        jinja_value keys = tfm_jinja_list(w, JINJA_KEYS, value.dict->n);
        for (size_t i = 0; i < value.dict->n && w->status == TFM_OK; i++)
            tfm_jinja_push(w, keys.list, value.dict->entries[i].key);
        return w->status == TFM_OK ? keys.list : &empty;
    }
    tfm_jinja_fail(w, TFM_ERROR_ARGUMENT, "a %s cannot be gone through", tfm_jinja_type_name(value));
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
        [JINJA_A_LIST] = "list",          [JINJA_A_TUPLE] = "tuple",      [JINJA_A_RANGE] = "range",
        [JINJA_KEYS] = "dict_keys",       [JINJA_VALUES] = "dict_values", [JINJA_ITEMS] = "dict_items",
        [JINJA_AN_ITERATOR] = "generator"};
    return value.type == JINJA_LIST ? lists[value.list->kind] : names[value.type];
}
