/* builtin_functions.c - the functions that templates can call. */
#include "interpreter.h"

#define RANGE_MAX 100000 /* as in jinja's sandbox */

static jinja_value range(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)self;
    bool two = a->bound[1].type != JINJA_MISSING;
    jinja_value start = two ? a->bound[0] : jinja_int(0), stop = two ? a->bound[1] : a->bound[0];
    jinja_value step = a->bound[2].type != JINJA_MISSING ? a->bound[2] : jinja_int(1);
    if (!jinja_is_whole(start) || !jinja_is_whole(stop) || !jinja_is_whole(step) || tfm_jinja_to_int(step) == 0) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "range() needs whole numbers and a step that is not 0");
        return JINJA_UNDEFINED_VALUE;
    }
    int64_t from = tfm_jinja_to_int(start), to = tfm_jinja_to_int(stop), by = tfm_jinja_to_int(step);
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_RANGE, 0);
    if (c->state.status != TFM_OK) return list;
    list.list->start = from;
    list.list->stop = to;
    list.list->step = by;
    for (int64_t i = from; (by > 0 ? i < to : i > to) && c->state.status == TFM_OK;) {
        if (list.list->n == RANGE_MAX)
            tfm_jinja_fail(&c->state, TFM_ERROR_LIMIT, "range() has more than %d numbers", RANGE_MAX);
        tfm_jinja_list_append(&c->state, list.list, jinja_int(i));
        if (__builtin_add_overflow(i, by, &i)) break;
    }
    return list;
}

static jinja_value make_dict(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)self;
    jinja_value dict = tfm_jinja_new_dict(&c->state);
    for (size_t i = 0; i < a->positional->n && c->state.status == TFM_OK; i++) {
        jinja_value from = a->positional->items[i];
        if (i > 0 || from.type != JINJA_DICT) {
            tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "dictionaries can be made of names and a dictionary only");
            break;
        }
        for (size_t k = 0; k < from.dict->n && c->state.status == TFM_OK; k++)
            tfm_jinja_dict_set(&c->state, dict.dict, from.dict->entries[k].key, from.dict->entries[k].value);
    }
    for (size_t i = 0; i < a->keyword->n && c->state.status == TFM_OK; i++)
        tfm_jinja_dict_set(&c->state, dict.dict, a->keyword->entries[i].key, a->keyword->entries[i].value);
    return dict;
}

static jinja_value make_namespace(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value value = make_dict(c, self, a);
    if (value.type == JINJA_DICT) value.type = JINJA_NAMESPACE;
    return value;
}

static jinja_value raise_exception(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)self;
    jinja_value words = tfm_jinja_str(c, a->bound[0]);
    if (words.type == JINJA_STRING)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "%.*s", (int)(words.string->n < 400 ? words.string->n : 400),
                       words.string->data);
    return JINJA_UNDEFINED_VALUE;
}

static const jinja_builtin functions[] = {
    {.name = "range", .parameters = "start stop step", .required = 1, .run = range},
    {.name = "dict", .run = make_dict},
    {.name = "namespace", .run = make_namespace},
    {.name = "raise_exception", .parameters = "message", .required = 1, .run = raise_exception},
    {.name = "lipsum"},
    {.name = "cycler"},
    {.name = "joiner"},
};

const jinja_builtin *tfm_jinja_find_function(const jinja_string *name) {
    return tfm_jinja_find_builtin(functions, sizeof functions / sizeof *functions, name);
}
