/* list_filters.c - filters for lists, dictionaries and all values. */
#include <string.h>

#include "interpreter.h"

static bool given(chat_value value) { return value.type != CHAT_MISSING; }

static chat_value count(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    size_t n = 0;
    if (self.type == CHAT_STRING)
        n = self.string->n_chars;
    else if (self.type == CHAT_LIST && self.list->kind != CHAT_AN_ITERATOR)
        n = self.list->n;
    else if (self.type == CHAT_DICT)
        n = self.dict->n;
    else if (self.type == CHAT_LOOP)
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "the length of 'loop' is not known; use loop.length");
    else if (self.type != CHAT_UNDEFINED)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a %s has no length", tfm_chat_type_name(self));
    return chat_int((int64_t)n);
}

static chat_value fallback(chat_context *c, chat_value self, const chat_arguments *a) {
    bool unfit = self.type == CHAT_UNDEFINED || (given(a->at[1]) && tfm_chat_truth(a->at[1]) && !tfm_chat_truth(self));
    if (!unfit) return self;
    return given(a->at[0]) ? a->at[0] : tfm_chat_text(&c->work, "", 0);
}

static chat_value first(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    const chat_list *items = tfm_chat_items(&c->work, self);
    return items->n > 0 ? items->items[0] : tfm_chat_undefined(&c->work, "the first item of nothing", 25);
}

static chat_value last(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    if (self.type == CHAT_LIST && self.list->kind == CHAT_AN_ITERATOR)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the last item of a generator; make it a list first");
    const chat_list *items = tfm_chat_items(&c->work, self);
    return items->n > 0 ? items->items[items->n - 1] : tfm_chat_undefined(&c->work, "the last item of nothing", 24);
}

static chat_value copy_items(chat_context *c, const chat_list *items, chat_list_kind kind) {
    chat_value list = tfm_chat_list(&c->work, kind, items->n);
    for (size_t i = 0; i < items->n && c->work.status == TFM_OK; i++)
        tfm_chat_push(&c->work, list.list, items->items[i]);
    return list;
}

static chat_value list(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    return copy_items(c, tfm_chat_items(&c->work, self), CHAT_A_LIST);
}

static chat_value pairs_of(chat_context *c, const chat_dict *dict, chat_list_kind kind) {
    chat_value list_ = tfm_chat_list(&c->work, kind, dict->n);
    for (size_t i = 0; i < dict->n && c->work.status == TFM_OK; i++)
        tfm_chat_push(&c->work, list_.list, tfm_chat_pair(&c->work, dict->entries[i].key, dict->entries[i].value));
    return list_;
}

static chat_value items(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    static const chat_dict none;
    if (self.type != CHAT_DICT && self.type != CHAT_UNDEFINED)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'items' needs a dictionary");
    return pairs_of(c, self.type == CHAT_DICT ? self.dict : &none, CHAT_AN_ITERATOR);
}

static chat_value reverse(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)a;
    if (self.type == CHAT_STRING) return tfm_chat_slice(c, self, CHAT_NONE_VALUE, CHAT_NONE_VALUE, chat_int(-1));
    const chat_list *from = tfm_chat_items(&c->work, self);
    chat_value list_ = tfm_chat_list(&c->work, CHAT_AN_ITERATOR, from->n);
    for (size_t i = from->n; i > 0 && c->work.status == TFM_OK; i--)
        tfm_chat_push(&c->work, list_.list, from->items[i - 1]);
    return list_;
}

/* ---- by an attribute ------------------------------------------------------------------------------------------- */

/* What "a.b.0" finds in a value, or what a number or nothing does; its default for what is undefined. */
static chat_value attribute_of(chat_context *c, chat_value value, chat_value path, chat_value otherwise) {
    if (!given(path) || path.type == CHAT_NONE) return value;
    if (path.type != CHAT_STRING) return tfm_chat_item(c, value, path);
    const chat_string *s = path.string;
    for (size_t start = 0; start <= s->n && c->work.status == TFM_OK;) {
        size_t end = start;
        int64_t number = 0;
        bool digits = true;
        for (; end < s->n && s->data[end] != '.'; end++) {
            digits = digits && s->data[end] >= '0' && s->data[end] <= '9' && number < 1000000000;
            if (digits) number = number * 10 + (s->data[end] - '0');
        }
        chat_value part = tfm_chat_text(&c->work, s->data + start, end - start);
        if (c->work.status == TFM_OK) value = tfm_chat_item(c, value, digits && end > start ? chat_int(number) : part);
        if (value.type == CHAT_UNDEFINED && given(otherwise) && otherwise.type != CHAT_NONE) value = otherwise;
        start = end + 1;
    }
    return value;
}

static const chat_value missing = {.type = CHAT_MISSING};

static chat_value join(chat_context *c, chat_value self, const chat_arguments *a) {
    static const chat_string empty = {"", 0, 0, false};
    const chat_list *from = tfm_chat_items(&c->work, self);
    chat_value separator = given(a->at[0]) ? tfm_chat_str(c, a->at[0]) : (chat_value){.string = &empty};
    chat_value list_ = tfm_chat_list(&c->work, CHAT_A_LIST, from->n);
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++)
        tfm_chat_push(&c->work, list_.list, attribute_of(c, from->items[i], a->at[1], missing));
    return c->work.status == TFM_OK ? tfm_chat_join(c, separator.string, list_.list) : CHAT_UNDEFINED_VALUE;
}

static chat_value sum(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_list *from = tfm_chat_items(&c->work, self);
    chat_value total = given(a->at[1]) ? a->at[1] : chat_int(0);
    if (total.type == CHAT_STRING) tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'sum' adds no strings");
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++)
        total = tfm_chat_arithmetic(c, OPERATOR_ADD, total, attribute_of(c, from->items[i], a->at[0], missing));
    return total;
}

/* Strings compare without regard to case unless that is asked for. */
static chat_value key_of(chat_context *c, chat_value item, chat_value path, chat_value case_sensitive) {
    chat_value key = attribute_of(c, item, path, missing);
    bool sensitive = given(case_sensitive) && tfm_chat_truth(case_sensitive);
    return key.type == CHAT_STRING && !sensitive ? tfm_chat_change_case(c, key.string, CHAT_LOWER) : key;
}

static chat_value extreme(chat_context *c, chat_value self, const chat_arguments *a, int wanted) {
    const chat_list *from = tfm_chat_items(&c->work, self);
    if (from->n == 0) return tfm_chat_undefined(&c->work, "what is in an empty list", 24);
    chat_value best = from->items[0], best_key = key_of(c, best, a->at[1], a->at[0]);
    for (size_t i = 1; i < from->n && c->work.status == TFM_OK; i++) {
        chat_value key = key_of(c, from->items[i], a->at[1], a->at[0]);
        int order = tfm_chat_compare(&c->work, key, best_key);
        if (order * wanted <= 0) continue;
        best = from->items[i];
        best_key = key;
    }
    return best;
}

static chat_value smallest(chat_context *c, chat_value self, const chat_arguments *a) {
    return extreme(c, self, a, -1);
}
static chat_value largest(chat_context *c, chat_value self, const chat_arguments *a) { return extreme(c, self, a, 1); }

static chat_value unique(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_list *from = tfm_chat_items(&c->work, self);
    chat_value list_ = tfm_chat_list(&c->work, CHAT_AN_ITERATOR, 0), seen = tfm_chat_dict(&c->work);
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++) {
        chat_value key = key_of(c, from->items[i], a->at[1], a->at[0]);
        if (c->work.status != TFM_OK || tfm_chat_get(&c->work, seen.dict, key) != NULL) continue;
        tfm_chat_set(&c->work, seen.dict, key, chat_bool(true));
        tfm_chat_push(&c->work, list_.list, from->items[i]);
    }
    return list_;
}

/* ---- sorting --------------------------------------------------------------------------------------------------- */

/* Items [start, end) by their keys, stable; scratch has as many entries as there are items. */
static void merge_sort(chat_context *c, chat_entry *entries, chat_entry *scratch, size_t n, bool backwards) {
    for (size_t width = 1; width < n && c->work.status == TFM_OK; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = start + width < n ? start + width : n, end = middle + width < n ? middle + width : n;
            size_t left = start, right = middle;
            for (size_t k = start; k < end; k++) {
                bool take_right = left == middle;
                if (left < middle && right < end) {
                    int order = tfm_chat_compare(&c->work, entries[right].key, entries[left].key);
                    take_right = backwards ? order > 0 : order < 0;
                }
                scratch[k] = take_right ? entries[right++] : entries[left++];
            }
        }
        memcpy(entries, scratch, n * sizeof *entries);
    }
}

static chat_value sorted(chat_context *c, const chat_list *from, chat_value path, chat_value sensitive,
                         chat_value backwards) {
    chat_entry *entries = tfm_chat_take(&c->work, from->n + 1, sizeof *entries);
    chat_entry *scratch = tfm_chat_take(&c->work, from->n + 1, sizeof *scratch);
    chat_value result = tfm_chat_list(&c->work, CHAT_A_LIST, from->n);
    if (path.type == CHAT_STRING && memchr(path.string->data, ',', path.string->n) != NULL)
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "sorting by several attributes is not known");
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++)
        entries[i] = (chat_entry){key_of(c, from->items[i], path, sensitive), from->items[i]};
    if (c->work.status != TFM_OK) return result;
    merge_sort(c, entries, scratch, from->n, given(backwards) && tfm_chat_truth(backwards));
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++)
        tfm_chat_push(&c->work, result.list, entries[i].value);
    return result;
}

static chat_value sort(chat_context *c, chat_value self, const chat_arguments *a) {
    return sorted(c, tfm_chat_items(&c->work, self), a->at[2], a->at[1], a->at[0]);
}

static chat_value dictsort(chat_context *c, chat_value self, const chat_arguments *a) {
    bool by_value = given(a->at[1]) && a->at[1].type == CHAT_STRING && tfm_chat_is(a->at[1].string, "value");
    bool by_key = !given(a->at[1]) || (a->at[1].type == CHAT_STRING && tfm_chat_is(a->at[1].string, "key"));
    if (tfm_chat_refuse_undefined(c, self)) return self;
    if (self.type != CHAT_DICT || (!by_value && !by_key)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'dictsort' needs a dictionary, and 'key' or 'value'");
        return CHAT_UNDEFINED_VALUE;
    }
    chat_value pairs = pairs_of(c, self.dict, CHAT_A_LIST);
    if (c->work.status != TFM_OK) return pairs;
    return sorted(c, pairs.list, chat_int(by_value), a->at[0], a->at[2]);
}

/* ---- of each item ---------------------------------------------------------------------------------------------- */

/* Arguments from one on. */
static const chat_list *rest(chat_context *c, const chat_list *places, size_t from) {
    chat_list *list_ = tfm_chat_take(&c->work, 1, sizeof *list_);
    static const chat_list empty;
    if (list_ == NULL || places->n <= from) return &empty;
    *list_ = (chat_list){.kind = CHAT_A_TUPLE, .n = places->n - from, .items = places->items + from};
    return list_;
}

static chat_value map(chat_context *c, chat_value self, const chat_arguments *a) {
    const chat_value *path = tfm_chat_get_name(a->names, "attribute", 9);
    const chat_value *otherwise = tfm_chat_get_name(a->names, "default", 7);
    const chat_list *from = tfm_chat_items(&c->work, self);
    chat_value list_ = tfm_chat_list(&c->work, CHAT_AN_ITERATOR, from->n);
    bool by_attribute = a->places->n == 0 && path != NULL;
    if (!by_attribute && (a->places->n == 0 || a->places->items[0].type != CHAT_STRING)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'map' needs an attribute or the name of a filter");
        return list_;
    }
    if (by_attribute && a->names->n > 1u + (otherwise != NULL))
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "the filter 'map' gets an argument by a name it has not");
    const chat_list *more = rest(c, a->places, 1);
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++) {
        chat_value item = from->items[i];
        if (by_attribute) {
            item = attribute_of(c, item, *path, otherwise != NULL ? *otherwise : missing);
        } else {
            const chat_string *name = a->places->items[0].string;
            item = tfm_chat_apply(c, tfm_chat_find_filter(name), "filter", name, item, more, a->names);
        }
        tfm_chat_push(&c->work, list_.list, item);
    }
    return list_;
}

/* The items for which a test (or their own truth) says what is wanted; by_attribute: of what the first argument names.
 */
static chat_value choose(chat_context *c, chat_value self, const chat_arguments *a, bool wanted, bool by_attribute) {
    const chat_list *from = tfm_chat_items(&c->work, self);
    chat_value list_ = tfm_chat_list(&c->work, CHAT_AN_ITERATOR, 0);
    size_t at = by_attribute;
    bool test = a->places->n > at;
    if (a->places->n < at || (test && a->places->items[at].type != CHAT_STRING)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "what to choose by is missing, or no name");
        return list_;
    }
    const chat_list *more = rest(c, a->places, at + 1);
    for (size_t i = 0; i < from->n && c->work.status == TFM_OK; i++) {
        chat_value item = by_attribute ? attribute_of(c, from->items[i], a->places->items[0], missing) : from->items[i];
        if (test) {
            const chat_string *name = a->places->items[at].string;
            item = tfm_chat_apply(c, tfm_chat_find_test(name), "test", name, item, more, a->names);
        }
        if (tfm_chat_truth(item) == wanted) tfm_chat_push(&c->work, list_.list, from->items[i]);
    }
    return list_;
}

static chat_value select_items(chat_context *c, chat_value self, const chat_arguments *a) {
    return choose(c, self, a, true, false);
}

static chat_value reject(chat_context *c, chat_value self, const chat_arguments *a) {
    return choose(c, self, a, false, false);
}

static chat_value selectattr(chat_context *c, chat_value self, const chat_arguments *a) {
    return choose(c, self, a, true, true);
}

static chat_value rejectattr(chat_context *c, chat_value self, const chat_arguments *a) {
    return choose(c, self, a, false, true);
}

static const chat_builtin filters[] = {
    {"count", "", 0, count},
    {"d", "default_value boolean", 0, fallback},
    {"default", "default_value boolean", 0, fallback},
    {"dictsort", "case_sensitive by reverse", 0, dictsort},
    {"first", "", 0, first},
    {"items", "", 0, items},
    {"join", "d attribute", 0, join},
    {"last", "", 0, last},
    {"length", "", 0, count},
    {"list", "", 0, list},
    {"map", NULL, 0, map},
    {"max", "case_sensitive attribute", 0, largest},
    {"min", "case_sensitive attribute", 0, smallest},
    {"reject", NULL, 0, reject},
    {"rejectattr", NULL, 0, rejectattr},
    {"reverse", "", 0, reverse},
    {"select", NULL, 0, select_items},
    {"selectattr", NULL, 0, selectattr},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"sum", "attribute start", 0, sum},
    {"unique", "case_sensitive attribute", 0, unique},
};

const chat_builtin *tfm_chat_find_list_filter(const chat_string *name) {
    return tfm_chat_find_in(filters, sizeof filters / sizeof *filters, name);
}

const chat_builtin *tfm_chat_find_filter(const chat_string *name) {
    const chat_builtin *filter = tfm_chat_find_text_filter(name);
    return filter != NULL ? filter : tfm_chat_find_list_filter(name);
}

const chat_builtin *tfm_chat_find_in(const chat_builtin *table, size_t n, const chat_string *name) {
    for (size_t i = 0; i < n; i++) {
        if (tfm_chat_is(name, table[i].name)) return &table[i];
    }
    return NULL;
}
