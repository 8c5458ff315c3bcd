/* list_filters.c - filters for lists, dictionaries and all values. */
#include "interpreter.h"

#include <string.h>

static jinja_value count(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    size_t n = 0;
    if (self.type == JINJA_STRING)
        n = self.string->n_chars;
    else if (self.type == JINJA_LIST && self.list->kind != JINJA_KIND_ITERATOR)
        n = self.list->n;
    else if (self.type == JINJA_DICT)
        n = self.dict->n;
    else if (self.type == JINJA_LOOP)
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "the length of 'loop' is not known; use loop.length");
    else if (self.type != JINJA_UNDEFINED)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a %s has no length", tfm_jinja_type_name(self));
    return jinja_int((int64_t)n);
}

static jinja_value fallback(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    bool unfit = self.type == JINJA_UNDEFINED ||
                 (jinja_given(a->bound[1]) && tfm_jinja_truth(a->bound[1]) && !tfm_jinja_truth(self));
    if (!unfit) return self;
    return jinja_given(a->bound[0]) ? a->bound[0] : tfm_jinja_new_string(&c->state, "", 0);
}

static jinja_value first(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    const jinja_list *items = tfm_jinja_iterate(&c->state, self);
    return items->n > 0 ? items->items[0] : tfm_jinja_new_undefined(&c->state, "the first item of nothing", 25);
}

static jinja_value last(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    if (self.type == JINJA_LIST && self.list->kind == JINJA_KIND_ITERATOR)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the last item of a generator; make it a list first");
    const jinja_list *items = tfm_jinja_iterate(&c->state, self);
    return items->n > 0 ? items->items[items->n - 1]
                        : tfm_jinja_new_undefined(&c->state, "the last item of nothing", 24);
}

static jinja_value copy_items(jinja_context *c, const jinja_list *items, jinja_list_kind kind) {
    jinja_value list = tfm_jinja_new_list(&c->state, kind, items->n);
    for (size_t i = 0; i < items->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, list.list, items->items[i]);
    return list;
}

JINJA_BUILTIN(list, copy_items(c, tfm_jinja_iterate(&c->state, self), JINJA_KIND_LIST))

static jinja_value pairs_of(jinja_context *c, const jinja_dict *dict, jinja_list_kind kind) {
    jinja_value list_ = tfm_jinja_new_list(&c->state, kind, dict->n);
    for (size_t i = 0; i < dict->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, list_.list,
                              tfm_jinja_new_pair(&c->state, dict->entries[i].key, dict->entries[i].value));
    return list_;
}

static jinja_value items(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    static const jinja_dict none;
    if (self.type != JINJA_DICT && self.type != JINJA_UNDEFINED)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'items' needs a dictionary");
    return pairs_of(c, self.type == JINJA_DICT ? self.dict : &none, JINJA_KIND_ITERATOR);
}

static jinja_value reverse(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)a;
    if (self.type == JINJA_STRING) return tfm_jinja_slice(c, self, JINJA_NONE_VALUE, JINJA_NONE_VALUE, jinja_int(-1));
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    jinja_value list_ = tfm_jinja_new_list(&c->state, JINJA_KIND_ITERATOR, from->n);
    for (size_t i = from->n; i > 0 && c->state.status == TFM_OK; i--)
        tfm_jinja_list_append(&c->state, list_.list, from->items[i - 1]);
    return list_;
}

/* ---- by an attribute ---- */

/* What "a.b.0" finds in a value, or what a number or nothing does; its default for what is undefined. */
static jinja_value attribute_of(jinja_context *c, jinja_value value, jinja_value path, jinja_value otherwise) {
    if (!jinja_given(path) || path.type == JINJA_NONE) return value;
    if (path.type != JINJA_STRING) return tfm_jinja_get_item(c, value, path);
    const jinja_string *string = path.string;
    for (size_t start = 0; start <= string->n && c->state.status == TFM_OK;) {
        size_t end = start;
        int64_t number = 0;
        bool digits = true;
        for (; end < string->n && string->data[end] != '.'; end++) {
            digits = digits && string->data[end] >= '0' && string->data[end] <= '9' && number < 1000000000;
            if (digits) number = number * 10 + (string->data[end] - '0');
        }
        jinja_value part = tfm_jinja_new_string(&c->state, string->data + start, end - start);
        if (c->state.status == TFM_OK)
            value = tfm_jinja_get_item(c, value, digits && end > start ? jinja_int(number) : part);
        if (value.type == JINJA_UNDEFINED && jinja_given(otherwise) && otherwise.type != JINJA_NONE) value = otherwise;
        start = end + 1;
    }
    return value;
}

static const jinja_value missing = {.type = JINJA_MISSING};

static jinja_value join(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    static const jinja_string empty = {"", 0, 0, false};
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    jinja_value separator = jinja_given(a->bound[0]) ? tfm_jinja_str(c, a->bound[0]) : (jinja_value){.string = &empty};
    jinja_value list_ = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, from->n);
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, list_.list, attribute_of(c, from->items[i], a->bound[1], missing));
    return c->state.status == TFM_OK ? tfm_jinja_join(c, separator.string, list_.list) : JINJA_UNDEFINED_VALUE;
}

static jinja_value sum(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    jinja_value total = jinja_given(a->bound[1]) ? a->bound[1] : jinja_int(0);
    if (total.type == JINJA_STRING) tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'sum' adds no strings");
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++)
        total =
            tfm_jinja_arithmetic(c, JINJA_OPERATOR_ADD, total, attribute_of(c, from->items[i], a->bound[0], missing));
    return total;
}

/* Strings compare without regard to case unless that is asked for. */
static jinja_value key_of(jinja_context *c, jinja_value item, jinja_value path, jinja_value case_sensitive) {
    jinja_value key = attribute_of(c, item, path, missing);
    bool sensitive = jinja_given(case_sensitive) && tfm_jinja_truth(case_sensitive);
    return key.type == JINJA_STRING && !sensitive ? tfm_jinja_change_case(c, key.string, JINJA_LOWER) : key;
}

static jinja_value extreme(jinja_context *c, jinja_value self, const jinja_arguments *a, int wanted) {
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    if (from->n == 0) return tfm_jinja_new_undefined(&c->state, "what is in an empty list", 24);
    jinja_value best = from->items[0], best_key = key_of(c, best, a->bound[1], a->bound[0]);
    for (size_t i = 1; i < from->n && c->state.status == TFM_OK; i++) {
        jinja_value key = key_of(c, from->items[i], a->bound[1], a->bound[0]);
        int order = tfm_jinja_compare(&c->state, key, best_key);
        if (order * wanted <= 0) continue;
        best = from->items[i];
        best_key = key;
    }
    return best;
}

JINJA_BUILTIN(smallest, extreme(c, self, a, -1))
JINJA_BUILTIN(largest, extreme(c, self, a, 1))

static jinja_value unique(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    jinja_value list_ = tfm_jinja_new_list(&c->state, JINJA_KIND_ITERATOR, 0), seen = tfm_jinja_new_dict(&c->state);
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++) {
        jinja_value key = key_of(c, from->items[i], a->bound[1], a->bound[0]);
        if (c->state.status != TFM_OK || tfm_jinja_dict_get(&c->state, seen.dict, key)) continue;
        tfm_jinja_dict_set(&c->state, seen.dict, key, jinja_bool(true));
        tfm_jinja_list_append(&c->state, list_.list, from->items[i]);
    }
    return list_;
}

/* ---- sorting ---- */

/* Keys that are both undefined are equal, and so in order. */
static int order_of(jinja_context *c, jinja_value a, jinja_value b) {
    if (a.type == JINJA_UNDEFINED && b.type == JINJA_UNDEFINED) return 0;
    return tfm_jinja_compare(&c->state, a, b);
}

/* Items [start, end) by their keys, stable; scratch has as many entries as there are items. */
static void merge_sort(jinja_context *c, jinja_entry *entries, jinja_entry *scratch, size_t n, bool backwards) {
    for (size_t width = 1; width < n && c->state.status == TFM_OK; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = start + width < n ? start + width : n, end = middle + width < n ? middle + width : n;
            size_t left = start, right = middle;
            for (size_t k = start; k < end; k++) {
                bool take_right = left == middle;
                if (left < middle && right < end) {
                    int order = order_of(c, entries[right].key, entries[left].key);
                    take_right = backwards ? order > 0 : order < 0;
                }
                scratch[k] = take_right ? entries[right++] : entries[left++];
            }
        }
        memcpy(entries, scratch, n * sizeof *entries);
    }
}

static jinja_value sorted(jinja_context *c, const jinja_list *from, jinja_value path, jinja_value sensitive,
                          jinja_value backwards) {
    jinja_entry *entries = tfm_jinja_alloc(&c->state, from->n + 1, sizeof *entries);
    jinja_entry *scratch = tfm_jinja_alloc(&c->state, from->n + 1, sizeof *scratch);
    jinja_value result = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, from->n);
    if (jinja_given(backwards) && !jinja_is_whole(backwards))
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the order of sorting is a %s, not true or false",
                       tfm_jinja_type_name(backwards));
    if (path.type == JINJA_STRING && memchr(path.string->data, ',', path.string->n))
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "sorting by several attributes is not known");
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++)
        entries[i] = (jinja_entry){key_of(c, from->items[i], path, sensitive), from->items[i]};
    if (c->state.status != TFM_OK) return result;
    merge_sort(c, entries, scratch, from->n, jinja_given(backwards) && tfm_jinja_truth(backwards));
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, result.list, entries[i].value);
    return result;
}

JINJA_BUILTIN(sort, sorted(c, tfm_jinja_iterate(&c->state, self), a->bound[2], a->bound[1], a->bound[0]))

static jinja_value dictsort(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    bool by_value = jinja_given(a->bound[1]) && a->bound[1].type == JINJA_STRING &&
                    tfm_jinja_string_is(a->bound[1].string, "value");
    bool by_key = !jinja_given(a->bound[1]) ||
                  (a->bound[1].type == JINJA_STRING && tfm_jinja_string_is(a->bound[1].string, "key"));
    if (tfm_jinja_fail_if_undefined(&c->state, self)) return self;
    if (self.type != JINJA_DICT || (!by_value && !by_key)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'dictsort' needs a dictionary, and 'key' or 'value'");
        return JINJA_UNDEFINED_VALUE;
    }
    jinja_value pairs = pairs_of(c, self.dict, JINJA_KIND_LIST);
    if (c->state.status != TFM_OK) return pairs;
    return sorted(c, pairs.list, jinja_int(by_value), a->bound[0], a->bound[2]);
}

/* ---- of each item ---- */

/* Arguments from one on. */
static const jinja_list *rest(jinja_context *c, const jinja_list *positional, size_t from) {
    jinja_list *list_ = tfm_jinja_alloc(&c->state, 1, sizeof *list_);
    static const jinja_list empty;
    if (!list_ || positional->n <= from) return &empty;
    *list_ = (jinja_list){.kind = JINJA_KIND_TUPLE, .n = positional->n - from, .items = positional->items + from};
    return list_;
}

/* What counts as false has no items, whatever it is: these filters do not look at it, nor at their arguments. */
static bool is_nothing(jinja_value value) { return !tfm_jinja_truth(value); }

static jinja_value map(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    if (is_nothing(self)) return tfm_jinja_new_list(&c->state, JINJA_KIND_ITERATOR, 0);
    const jinja_value *path = tfm_jinja_dict_get_name(&c->state, a->keyword, "attribute", 9);
    const jinja_value *otherwise = tfm_jinja_dict_get_name(&c->state, a->keyword, "default", 7);
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    jinja_value list_ = tfm_jinja_new_list(&c->state, JINJA_KIND_ITERATOR, from->n);
    bool by_attribute = a->positional->n == 0 && path;
    if (!by_attribute && (a->positional->n == 0 || a->positional->items[0].type != JINJA_STRING)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'map' needs an attribute or the name of a filter");
        return list_;
    }
    if (by_attribute && a->keyword->n > 1u + (otherwise != NULL))
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the filter 'map' gets an argument by a name it has not");
    const jinja_list *more = rest(c, a->positional, 1);
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++) {
        jinja_value item = from->items[i];
        if (by_attribute) {
            item = attribute_of(c, item, *path, otherwise ? *otherwise : missing);
        } else {
            const jinja_string *name = a->positional->items[0].string;
            item = tfm_jinja_call_builtin(c, tfm_jinja_find_filter(name), "filter", name, item, more, a->keyword);
        }
        tfm_jinja_list_append(&c->state, list_.list, item);
    }
    return list_;
}

/* The items for which a test (or their own truth) says what is wanted; by_attribute: of what the first argument names.
 */
static jinja_value choose(jinja_context *c, jinja_value self, const jinja_arguments *a, bool wanted,
                          bool by_attribute) {
    if (is_nothing(self)) return tfm_jinja_new_list(&c->state, JINJA_KIND_ITERATOR, 0);
    const jinja_list *from = tfm_jinja_iterate(&c->state, self);
    jinja_value list_ = tfm_jinja_new_list(&c->state, JINJA_KIND_ITERATOR, 0);
    size_t at = by_attribute;
    bool test = a->positional->n > at;
    if (a->positional->n < at || (test && a->positional->items[at].type != JINJA_STRING)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "what to choose by is missing, or no name");
        return list_;
    }
    const jinja_list *more = rest(c, a->positional, at + 1);
    for (size_t i = 0; i < from->n && c->state.status == TFM_OK; i++) {
        jinja_value item =
            by_attribute ? attribute_of(c, from->items[i], a->positional->items[0], missing) : from->items[i];
        if (test) {
            const jinja_string *name = a->positional->items[at].string;
            item = tfm_jinja_call_builtin(c, tfm_jinja_find_test(name), "test", name, item, more, a->keyword);
        }
        if (tfm_jinja_truth(item) == wanted) tfm_jinja_list_append(&c->state, list_.list, from->items[i]);
    }
    return list_;
}

JINJA_BUILTIN(select_items, choose(c, self, a, true, false))
JINJA_BUILTIN(reject, choose(c, self, a, false, false))
JINJA_BUILTIN(selectattr, choose(c, self, a, true, true))
JINJA_BUILTIN(rejectattr, choose(c, self, a, false, true))

static const jinja_builtin filters[] = {
    {.name = "count", .parameters = "", .run = count},
    {.name = "d", .parameters = "default_value boolean", .run = fallback},
    {.name = "default", .parameters = "default_value boolean", .run = fallback},
    {.name = "dictsort", .parameters = "case_sensitive by reverse", .run = dictsort},
    {.name = "first", .parameters = "", .run = first},
    {.name = "items", .parameters = "", .run = items},
    {.name = "join", .parameters = "d attribute", .run = join},
    {.name = "last", .parameters = "", .run = last},
    {.name = "length", .parameters = "", .run = count},
    {.name = "list", .parameters = "", .run = list},
    {.name = "map", .run = map},
    {.name = "max", .parameters = "case_sensitive attribute", .run = largest},
    {.name = "min", .parameters = "case_sensitive attribute", .run = smallest},
    {.name = "reject", .run = reject},
    {.name = "rejectattr", .run = rejectattr},
    {.name = "reverse", .parameters = "", .run = reverse},
    {.name = "select", .run = select_items},
    {.name = "selectattr", .run = selectattr},
    {.name = "sort", .parameters = "reverse case_sensitive attribute", .run = sort},
    {.name = "sum", .parameters = "attribute start", .run = sum},
    {.name = "unique", .parameters = "case_sensitive attribute", .run = unique},
};

const jinja_builtin *tfm_jinja_find_list_filter(const jinja_string *name) {
    return tfm_jinja_find_builtin(filters, sizeof filters / sizeof *filters, name);
}
