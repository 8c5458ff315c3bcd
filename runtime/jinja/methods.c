/* methods.c - methods of lists, dictionaries and loops, and finding all methods by their names. */
#include "interpreter.h"

static jinja_value list_index(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    for (size_t i = 0; i < self.list->n && c->state.status == TFM_OK; i++) {
        if (tfm_jinja_equal(&c->state, self.list->items[i], a->bound[0])) return jinja_int((int64_t)i);
    }
    tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a value that index() looks for is not in the list");
    return JINJA_UNDEFINED_VALUE;
}

static jinja_value list_count(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    int64_t n = 0;
    for (size_t i = 0; i < self.list->n && c->state.status == TFM_OK; i++)
        n += tfm_jinja_equal(&c->state, self.list->items[i], a->bound[0]);
    return jinja_int(n);
}

/* Of all sequences. */
static const jinja_builtin sequence_methods[] = {
    {.name = "count", .parameters = "value", .required = 1, .run = list_count},
    {.name = "index", .parameters = "value", .required = 1, .run = list_index},
};

/* Of lists; without run: Python has it, templates here cannot use it. */
static const jinja_builtin list_methods[] = {
    {.name = "append"}, {.name = "clear"},  {.name = "copy"},    {.name = "extend"}, {.name = "insert"},
    {.name = "pop"},    {.name = "remove"}, {.name = "reverse"}, {.name = "sort"},
};

static jinja_value get(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    if (!tfm_jinja_check_key(&c->state, a->bound[0])) return JINJA_UNDEFINED_VALUE;
    const jinja_value *found = tfm_jinja_dict_get(&c->state, self.dict, a->bound[0]);
    return found ? *found : jinja_given(a->bound[1]) ? a->bound[1] : JINJA_NONE_VALUE;
}

static jinja_value view(jinja_context *c, const jinja_dict *dict, jinja_list_kind kind) {
    jinja_value list = tfm_jinja_new_list(&c->state, kind, dict->n);
    for (size_t i = 0; i < dict->n && c->state.status == TFM_OK; i++) {
        const jinja_entry *e = &dict->entries[i];
        tfm_jinja_list_append(&c->state, list.list,
                              kind == JINJA_KIND_KEYS     ? e->key
                              : kind == JINJA_KIND_VALUES ? e->value
                                                          : tfm_jinja_new_pair(&c->state, e->key, e->value));
    }
    return list;
}

JINJA_BUILTIN(keys, view(c, self.dict, JINJA_KIND_KEYS))
JINJA_BUILTIN(values, view(c, self.dict, JINJA_KIND_VALUES))
JINJA_BUILTIN(items, view(c, self.dict, JINJA_KIND_ITEMS))

static const jinja_builtin dict_methods[] = {
    {.name = "get", .parameters = "key default", .required = 1, .run = get},
    {.name = "items", .parameters = "", .run = items},
    {.name = "keys", .parameters = "", .run = keys},
    {.name = "values", .parameters = "", .run = values},
    {.name = "clear"},
    {.name = "copy"},
    {.name = "fromkeys"},
    {.name = "pop"},
    {.name = "popitem"},
    {.name = "setdefault"},
    {.name = "update"},
};

static jinja_value cycle(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    if (a->positional->n == 0) tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "loop.cycle() needs values");
    return a->positional->n > 0 ? a->positional->items[(size_t)self.loop->index0 % a->positional->n]
                                : JINJA_UNDEFINED_VALUE;
}

static jinja_value changed(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value now = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, a->positional->n);
    for (size_t i = 0; i < a->positional->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, now.list, a->positional->items[i]);
    if (c->state.status != TFM_OK) return now;
    bool same = self.loop->changed.type == JINJA_LIST && tfm_jinja_equal(&c->state, self.loop->changed, now);
    self.loop->changed = now;
    return jinja_bool(!same);
}

static const jinja_builtin loop_methods[] = {
    {.name = "cycle", .run = cycle},
    {.name = "changed", .run = changed},
};

static const jinja_builtin number_methods[] = {
    {.name = "as_integer_ratio"}, {.name = "bit_count"},   {.name = "bit_length"},
    {.name = "conjugate"},        {.name = "denominator"}, {.name = "from_bytes"},
    {.name = "fromhex"},          {.name = "hex"},         {.name = "imag"},
    {.name = "is_integer"},       {.name = "numerator"},   {.name = "real"},
    {.name = "to_bytes"},
};

#define TABLE(table) tfm_jinja_find_builtin(table, sizeof table / sizeof *table, name)

bool tfm_jinja_find_method(jinja_value self, const jinja_string *name, const jinja_builtin **function) {
    const jinja_builtin *found = NULL;
    if (self.type == JINJA_STRING)
        found = tfm_jinja_find_str_method(name);
    else if (self.type == JINJA_LIST && self.list->kind <= JINJA_KIND_RANGE)
        found = TABLE(sequence_methods);
    else if (self.type == JINJA_DICT)
        found = TABLE(dict_methods);
    else if (self.type == JINJA_LOOP)
        found = TABLE(loop_methods);
    else if (tfm_jinja_is_number(self))
        found = TABLE(number_methods);
    if (!found && self.type == JINJA_LIST && self.list->kind == JINJA_KIND_LIST) found = TABLE(list_methods);
    *function = found && found->run ? found : NULL;
    return found != NULL;
}
