/* value.c - making, comparing and ordering the values of chat templates. */
#include "value.h"

#include <math.h>
#include <string.h>

/* ---- strings --------------------------------------------------------------------------------------------------- */

static size_t count_chars(const char *data, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; count++) i += tfm_chat_step_char(data + i, n - i);
    return count;
}

chat_value tfm_chat_text(chat_work *w, const char *data, size_t n) {
    chat_string *string = tfm_chat_take(w, 1, sizeof *string);
    if (string == NULL || !tfm_chat_step_bytes(w, n)) return CHAT_UNDEFINED_VALUE;
    *string = (chat_string){.data = data, .n = n, .n_chars = count_chars(data, n)};
    return (chat_value){.type = CHAT_STRING, .string = string};
}

chat_value tfm_chat_copy(chat_work *w, const char *data, size_t n) {
    char *copy = tfm_chat_take(w, n, 1);
    if (w->status != TFM_OK) return CHAT_UNDEFINED_VALUE;
    if (n > 0) memcpy(copy, data, n);
    return tfm_chat_text(w, copy, n);
}

chat_value tfm_chat_undefined(chat_work *w, const char *name, size_t n) {
    chat_value value = tfm_chat_text(w, name, n);
    value.type = CHAT_UNDEFINED;
    return value;
}

bool tfm_chat_is(const chat_string *string, const char *text) {
    return string->n == strlen(text) && memcmp(string->data, text, string->n) == 0;
}

/* ---- lists and dictionaries ------------------------------------------------------------------------------------ */

chat_value tfm_chat_list(chat_work *w, chat_list_kind kind, size_t size) {
    chat_list *list = tfm_chat_take(w, 1, sizeof *list);
    chat_value *items = size > 0 ? tfm_chat_take(w, size, sizeof *items) : NULL;
    if (w->status != TFM_OK) return CHAT_UNDEFINED_VALUE;
    *list = (chat_list){.kind = kind, .size = size, .items = items};
    return (chat_value){.type = CHAT_LIST, .list = list};
}

void tfm_chat_push(chat_work *w, chat_list *list, chat_value item) {
    if (!tfm_chat_step(w, 1)) return;
    if (list->n == list->size) {
        size_t size = list->size * 2 + 4;
        chat_value *items = tfm_chat_take(w, size, sizeof *items);
        if (items == NULL) return;
        if (list->n > 0) memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->size = size;
    }
    list->items[list->n++] = item;
}

chat_value tfm_chat_pair(chat_work *w, chat_value first, chat_value second) {
    chat_value pair = tfm_chat_list(w, CHAT_A_TUPLE, 2);
    if (pair.type != CHAT_LIST) return pair;
    tfm_chat_push(w, pair.list, first);
    tfm_chat_push(w, pair.list, second);
    return pair;
}

chat_value tfm_chat_dict(chat_work *w) {
    chat_dict *dict = tfm_chat_take(w, 1, sizeof *dict);
    return dict != NULL ? (chat_value){.type = CHAT_DICT, .dict = dict} : CHAT_UNDEFINED_VALUE;
}

static bool can_be_key(chat_value key) {
    if (key.type == CHAT_LIST && key.list->kind == CHAT_A_TUPLE) {
        for (size_t i = 0; i < key.list->n; i++) {
            const chat_value item = key.list->items[i];
            if (item.type == CHAT_LIST || item.type == CHAT_DICT) return false;
        }
        return true;
    }
    return key.type != CHAT_LIST && key.type != CHAT_DICT;
}

static chat_entry *find(chat_work *w, const chat_dict *dict, chat_value key) {
    for (size_t i = 0; i < dict->n; i++) {
        if (tfm_chat_equal(w, dict->entries[i].key, key)) return &dict->entries[i];
    }
    return NULL;
}

const chat_value *tfm_chat_get(chat_work *w, const chat_dict *dict, chat_value key) {
    const chat_entry *entry = find(w, dict, key);
    return entry != NULL ? &entry->value : NULL;
}

const chat_value *tfm_chat_get_name(const chat_dict *dict, const char *name, size_t n) {
    for (size_t i = 0; i < dict->n; i++) {
        const chat_value key = dict->entries[i].key;
        if (key.type == CHAT_STRING && key.string->n == n && memcmp(key.string->data, name, n) == 0)
            return &dict->entries[i].value;
    }
    return NULL;
}

void tfm_chat_set(chat_work *w, chat_dict *dict, chat_value key, chat_value value) {
    if (!tfm_chat_step(w, 1)) return;
    if (!can_be_key(key)) {
        tfm_chat_fail(w, TFM_ERROR_ARGUMENT, "a %s cannot be the key of a dictionary", tfm_chat_type_name(key));
        return;
    }
    chat_entry *entry = find(w, dict, key);
    if (entry != NULL) {
        entry->value = value;
        return;
    }
    if (dict->n == dict->size) {
        size_t size = dict->size * 2 + 4;
        chat_entry *entries = tfm_chat_take(w, size, sizeof *entries);
        if (entries == NULL) return;
        if (dict->n > 0) memcpy(entries, dict->entries, dict->n * sizeof *entries);
        dict->entries = entries;
        dict->size = size;
    }
    dict->entries[dict->n++] = (chat_entry){key, value};
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

bool tfm_chat_is_number(chat_value value) {
    return value.type == CHAT_BOOL || value.type == CHAT_INT || value.type == CHAT_FLOAT;
}

int64_t tfm_chat_whole(chat_value value) { return value.type == CHAT_BOOL ? value.truth : value.number; }

double tfm_chat_real(chat_value value) { return value.type == CHAT_FLOAT ? value.real : (double)tfm_chat_whole(value); }

bool tfm_chat_truth(chat_value value) {
    switch (value.type) {
    case CHAT_UNDEFINED:
    case CHAT_MISSING:
    case CHAT_NONE: return false;
    case CHAT_BOOL: return value.truth;
    case CHAT_INT: return value.number != 0;
    case CHAT_FLOAT: return value.real != 0;
    case CHAT_STRING: return value.string->n > 0;
    case CHAT_LIST: return value.list->kind == CHAT_AN_ITERATOR || value.list->n > 0;
    case CHAT_DICT: return value.dict->n > 0;
    default: return true;
    }
}

static bool same_items(chat_work *w, const chat_list *a, const chat_list *b) {
    bool set_like = (a->kind == CHAT_KEYS || a->kind == CHAT_ITEMS) && (b->kind == CHAT_KEYS || b->kind == CHAT_ITEMS);
    if (a == b) return true;
    if (set_like) tfm_chat_fail(w, TFM_ERROR_UNSUPPORTED, "comparing keys() or items() is not known");
    if (a->kind != b->kind || a->kind == CHAT_AN_ITERATOR || a->kind == CHAT_VALUES || a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!tfm_chat_equal(w, a->items[i], b->items[i])) return false;
    }
    return true;
}

static bool same_entries(chat_work *w, const chat_dict *a, const chat_dict *b) {
    if (a == b) return true;
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const chat_value *other = tfm_chat_get(w, b, a->entries[i].key);
        if (other == NULL || !tfm_chat_equal(w, a->entries[i].value, *other)) return false;
    }
    return true;
}

bool tfm_chat_is_same(chat_value a, chat_value b) {
    if (a.type != b.type) return false;
    switch (a.type) {
    case CHAT_UNDEFINED:
    case CHAT_MISSING:
    case CHAT_NONE: return true;
    case CHAT_BOOL: return a.truth == b.truth;
    case CHAT_INT: return a.number == b.number;
    case CHAT_FLOAT: return a.real == b.real;
    case CHAT_STRING: return a.string == b.string;
    case CHAT_LIST: return a.list == b.list;
    case CHAT_DICT:
    case CHAT_NAMESPACE: return a.dict == b.dict;
    case CHAT_LOOP: return a.loop == b.loop;
    case CHAT_MACRO: return a.macro == b.macro;
    case CHAT_FUNCTION: return a.function == b.function;
    case CHAT_METHOD: return a.method == b.method;
    }
    return false;
}

bool tfm_chat_equal(chat_work *w, chat_value a, chat_value b) {
    if (tfm_chat_is_number(a) && tfm_chat_is_number(b)) {
        tfm_chat_step(w, 1);
        if (a.type == CHAT_FLOAT || b.type == CHAT_FLOAT) return tfm_chat_real(a) == tfm_chat_real(b);
        return tfm_chat_whole(a) == tfm_chat_whole(b);
    }
    if (a.type != b.type) return tfm_chat_step(w, 1) && false;
    if (a.type == CHAT_STRING) {
        if (a.string->n != b.string->n) return tfm_chat_step(w, 1) && false;
        return tfm_chat_step_bytes(w, a.string->n) && memcmp(a.string->data, b.string->data, a.string->n) == 0;
    }
    if (a.type != CHAT_LIST && a.type != CHAT_DICT) return tfm_chat_step(w, 1) && tfm_chat_is_same(a, b);
    if (!tfm_chat_enter(w)) return false;
    bool same = a.type == CHAT_LIST ? same_items(w, a.list, b.list) : same_entries(w, a.dict, b.dict);
    tfm_chat_leave(w);
    return same;
}

static int compare_items(chat_work *w, const chat_list *a, const chat_list *b) {
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (!tfm_chat_equal(w, a->items[i], b->items[i])) return tfm_chat_compare(w, a->items[i], b->items[i]);
    }
    return (a->n > b->n) - (a->n < b->n);
}

int tfm_chat_compare(chat_work *w, chat_value a, chat_value b) {
    if (tfm_chat_is_number(a) && tfm_chat_is_number(b)) {
        tfm_chat_step(w, 1);
        if (a.type == CHAT_FLOAT || b.type == CHAT_FLOAT) {
            double x = tfm_chat_real(a), y = tfm_chat_real(b);
            if (isnan(x) || isnan(y)) tfm_chat_fail(w, TFM_ERROR_UNSUPPORTED, "ordering what is not a number");
            return (x > y) - (x < y);
        }
        int64_t x = tfm_chat_whole(a), y = tfm_chat_whole(b);
        return (x > y) - (x < y);
    }
    if (a.type == CHAT_STRING && b.type == CHAT_STRING) {
        size_t n = a.string->n < b.string->n ? a.string->n : b.string->n;
        tfm_chat_step_bytes(w, n);
        int order = n > 0 ? memcmp(a.string->data, b.string->data, n) : 0;
        return order != 0 ? order : (a.string->n > b.string->n) - (a.string->n < b.string->n);
    }
    if (a.type == CHAT_LIST && b.type == CHAT_LIST && a.list->kind == b.list->kind && a.list->kind <= CHAT_A_TUPLE) {
        if (!tfm_chat_enter(w)) return 0;
        int order = compare_items(w, a.list, b.list);
        tfm_chat_leave(w);
        return order;
    }
    if (a.type == CHAT_UNDEFINED || b.type == CHAT_UNDEFINED) {
        const chat_string *name = a.type == CHAT_UNDEFINED ? a.string : b.string;
        tfm_chat_fail(w, TFM_ERROR_ARGUMENT, "%.*s is undefined", name ? (int)(name->n < 200 ? name->n : 200) : 5,
                      name ? name->data : "value");
    }
    tfm_chat_fail(w, TFM_ERROR_ARGUMENT, "%s and %s cannot be ordered", tfm_chat_type_name(a), tfm_chat_type_name(b));
    return 0;
}

/* ---- going through --------------------------------------------------------------------------------------------- */

static const chat_list *characters(chat_work *w, const chat_string *string) {
    chat_value list = tfm_chat_list(w, CHAT_A_LIST, string->n_chars);
    for (size_t i = 0; i < string->n && w->status == TFM_OK;) {
        size_t length = tfm_chat_step_char(string->data + i, string->n - i);
        tfm_chat_push(w, list.list, tfm_chat_text(w, string->data + i, length));
        i += length;
    }
    static const chat_list empty;
    return w->status == TFM_OK ? list.list : &empty;
}

const chat_list *tfm_chat_items(chat_work *w, chat_value value) {
    static const chat_list empty;
    if (w->status != TFM_OK || value.type == CHAT_UNDEFINED) return &empty;
    if (value.type == CHAT_STRING) return characters(w, value.string);
    if (value.type == CHAT_LIST) {
        if (value.list->kind != CHAT_AN_ITERATOR) return value.list;
        if (value.list->used_up) return &empty;
        value.list->used_up = true;
        return value.list;
    }
    if (value.type == CHAT_DICT) {
        chat_value keys = tfm_chat_list(w, CHAT_KEYS, value.dict->n);
        for (size_t i = 0; i < value.dict->n && w->status == TFM_OK; i++)
            tfm_chat_push(w, keys.list, value.dict->entries[i].key);
        return w->status == TFM_OK ? keys.list : &empty;
    }
    tfm_chat_fail(w, TFM_ERROR_ARGUMENT, "a %s cannot be gone through", tfm_chat_type_name(value));
    return &empty;
}

const char *tfm_chat_type_name(chat_value value) {
    static const char *const names[] = {
        [CHAT_UNDEFINED] = "Undefined", [CHAT_MISSING] = "Undefined", [CHAT_NONE] = "NoneType",
        [CHAT_BOOL] = "bool",           [CHAT_INT] = "int",           [CHAT_FLOAT] = "float",
        [CHAT_STRING] = "str",          [CHAT_LIST] = "list",         [CHAT_DICT] = "dict",
        [CHAT_NAMESPACE] = "Namespace", [CHAT_LOOP] = "LoopContext",  [CHAT_MACRO] = "Macro",
        [CHAT_FUNCTION] = "function",   [CHAT_METHOD] = "method"};
    static const char *const lists[] = {
        [CHAT_A_LIST] = "list",          [CHAT_A_TUPLE] = "tuple",      [CHAT_A_RANGE] = "range",
        [CHAT_KEYS] = "dict_keys",       [CHAT_VALUES] = "dict_values", [CHAT_ITEMS] = "dict_items",
        [CHAT_AN_ITERATOR] = "generator"};
    return value.type == CHAT_LIST ? lists[value.list->kind] : names[value.type];
}
