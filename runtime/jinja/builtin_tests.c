/* builtin_tests.c - what comes after `is`, and the functions templates can call. */
#include <math.h>
#include <string.h>

#include "interpreter.h"

#define TEST(name, expression)                                                                                         \
    static jinja_value name(jinja_context *c, jinja_value self, const jinja_arguments *a) {                            \
        (void)c, (void)self, (void)a;                                                                                  \
        return jinja_bool(expression);                                                                                 \
    }

static bool is_whole(jinja_value v) { return v.type == JINJA_INT || v.type == JINJA_BOOL; }

static bool has_remainder(jinja_context *c, jinja_value self, jinja_value divisor, int64_t wanted) {
    jinja_value rest = tfm_jinja_arithmetic(c, OPERATOR_MODULO, self, divisor);
    return tfm_jinja_equal(&c->work, rest, jinja_int(wanted));
}

/* What has a length and items by number; keys() and its like have no such items. */
static bool is_sequence(jinja_value v) {
    return v.type == JINJA_STRING || v.type == JINJA_DICT || v.type == JINJA_UNDEFINED ||
           (v.type == JINJA_LIST && v.list->kind <= JINJA_A_RANGE);
}

static bool is_iterable(jinja_value v) {
    return v.type == JINJA_STRING || v.type == JINJA_DICT || v.type == JINJA_UNDEFINED || v.type == JINJA_LIST ||
           v.type == JINJA_LOOP;
}

static bool has_case(jinja_context *c, jinja_value v, bool upper) {
    jinja_value text = tfm_jinja_str(c, v);
    return text.type == JINJA_STRING && tfm_jinja_has_case(c, text.string, upper);
}

TEST(odd, has_remainder(c, self, jinja_int(2), 1))
TEST(even, has_remainder(c, self, jinja_int(2), 0))
TEST(divisible, has_remainder(c, self, a->at[0], 0))
TEST(defined, self.type != JINJA_UNDEFINED)
TEST(undefined, self.type == JINJA_UNDEFINED)
TEST(none, self.type == JINJA_NONE)
TEST(boolean, self.type == JINJA_BOOL)
TEST(is_true, self.type == JINJA_BOOL && self.truth)
TEST(is_false, self.type == JINJA_BOOL && !self.truth)
TEST(integer, self.type == JINJA_INT)
TEST(is_float, self.type == JINJA_FLOAT)
TEST(number, is_whole(self) || self.type == JINJA_FLOAT)
TEST(lower, has_case(c, self, false))
TEST(upper, has_case(c, self, true))
TEST(string, self.type == JINJA_STRING)
TEST(mapping, self.type == JINJA_DICT)
TEST(sequence, is_sequence(self))
TEST(iterable, is_iterable(self))
TEST(callable, self.type == JINJA_UNDEFINED || self.type >= JINJA_LOOP)
TEST(same, tfm_jinja_is_same(self, a->at[0]))
TEST(escaped, self.type == JINJA_STRING && self.string->markup)
TEST(in, tfm_jinja_contains(c, a->at[0], self))
TEST(equal, tfm_jinja_relation(c, OPERATOR_EQUAL, self, a->at[0]))
TEST(unequal, tfm_jinja_relation(c, OPERATOR_UNEQUAL, self, a->at[0]))
TEST(less, tfm_jinja_relation(c, OPERATOR_LESS, self, a->at[0]))
TEST(less_equal, tfm_jinja_relation(c, OPERATOR_LESS_EQUAL, self, a->at[0]))
TEST(greater, tfm_jinja_relation(c, OPERATOR_GREATER, self, a->at[0]))
TEST(greater_equal, tfm_jinja_relation(c, OPERATOR_GREATER_EQUAL, self, a->at[0]))
TEST(filter, self.type == JINJA_STRING && tfm_jinja_find_filter(self.string))
TEST(test, self.type == JINJA_STRING && tfm_jinja_find_test(self.string))

static const jinja_builtin tests[] = {
    {"odd", "", 0, odd},
    {"even", "", 0, even},
    {"divisibleby", "num", 1, divisible},
    {"defined", "", 0, defined},
    {"undefined", "", 0, undefined},
    {"none", "", 0, none},
    {"boolean", "", 0, boolean},
    {"true", "", 0, is_true},
    {"false", "", 0, is_false},
    {"integer", "", 0, integer},
    {"float", "", 0, is_float},
    {"number", "", 0, number},
    {"lower", "", 0, lower},
    {"upper", "", 0, upper},
    {"string", "", 0, string},
    {"mapping", "", 0, mapping},
    {"sequence", "", 0, sequence},
    {"iterable", "", 0, iterable},
    {"callable", "", 0, callable},
    {"sameas", "other", 1, same},
    {"escaped", "", 0, escaped},
    {"in", "seq", 1, in},
    {"filter", "", 0, filter},
    {"test", "", 0, test},
    {"==", "b", 1, equal},
    {"eq", "b", 1, equal},
    {"equalto", "b", 1, equal},
    {"!=", "b", 1, unequal},
    {"ne", "b", 1, unequal},
    {"<", "b", 1, less},
    {"lt", "b", 1, less},
    {"lessthan", "b", 1, less},
    {"<=", "b", 1, less_equal},
    {"le", "b", 1, less_equal},
    {">", "b", 1, greater},
    {"gt", "b", 1, greater},
    {"greaterthan", "b", 1, greater},
    {">=", "b", 1, greater_equal},
    {"ge", "b", 1, greater_equal},
};

const jinja_builtin *tfm_jinja_find_test(const jinja_string *name) {
    return tfm_jinja_find_in(tests, sizeof tests / sizeof *tests, name);
}

/* ---- functions ---- */

#define RANGE_MAX 100000 /* as in jinja's sandbox */

static jinja_value range(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)self;
    bool two = a->at[1].type != JINJA_MISSING;
    jinja_value start = two ? a->at[0] : jinja_int(0), stop = two ? a->at[1] : a->at[0];
    jinja_value step = a->at[2].type != JINJA_MISSING ? a->at[2] : jinja_int(1);
    if (!is_whole(start) || !is_whole(stop) || !is_whole(step) || tfm_jinja_whole(step) == 0) {
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "range() needs whole numbers and a step that is not 0");
        return JINJA_UNDEFINED_VALUE;
    }
    int64_t from = tfm_jinja_whole(start), to = tfm_jinja_whole(stop), by = tfm_jinja_whole(step);
    jinja_value list = tfm_jinja_list(&c->work, JINJA_A_RANGE, 0);
    if (c->work.status != TFM_OK) return list;
    list.list->start = from;
    list.list->stop = to;
    list.list->step = by;
    for (int64_t i = from; (by > 0 ? i < to : i > to) && c->work.status == TFM_OK;) {
        if (list.list->n == RANGE_MAX)
            tfm_jinja_fail(&c->work, TFM_ERROR_LIMIT, "range() has more than %d numbers", RANGE_MAX);
        tfm_jinja_push(&c->work, list.list, jinja_int(i));
        if (__builtin_add_overflow(i, by, &i)) break;
    }
    return list;
}

static jinja_value make_dict(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)self;
    jinja_value dict = tfm_jinja_dict(&c->work);
    for (size_t i = 0; i < a->places->n && c->work.status == TFM_OK; i++) {
        jinja_value from = a->places->items[i];
        if (i > 0 || (from.type != JINJA_DICT && from.type != JINJA_NAMESPACE)) {
            tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "dictionaries can be made of names and a dictionary only");
            break;
        }
        for (size_t k = 0; k < from.dict->n && c->work.status == TFM_OK; k++)
            tfm_jinja_set(&c->work, dict.dict, from.dict->entries[k].key, from.dict->entries[k].value);
    }
    for (size_t i = 0; i < a->names->n && c->work.status == TFM_OK; i++)
        tfm_jinja_set(&c->work, dict.dict, a->names->entries[i].key, a->names->entries[i].value);
    return dict;
}

static jinja_value make_namespace(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    jinja_value value = make_dict(c, self, a);
    if (value.type == JINJA_DICT) value.type = JINJA_NAMESPACE;
    return value;
}

static jinja_value raise_exception(jinja_context *c, jinja_value self, const jinja_arguments *a) {
    (void)self;
    jinja_value words = tfm_jinja_str(c, a->at[0]);
    if (words.type == JINJA_STRING)
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "%.*s", (int)(words.string->n < 400 ? words.string->n : 400),
                       words.string->data);
    return JINJA_UNDEFINED_VALUE;
}

static const jinja_builtin functions[] = {
    {"range", "start stop step", 1, range},
    {"dict", NULL, 0, make_dict},
    {"namespace", NULL, 0, make_namespace},
    {"raise_exception", "message", 1, raise_exception},
    {"lipsum", NULL, 0, NULL},
    {"cycler", NULL, 0, NULL},
    {"joiner", NULL, 0, NULL},
};

const jinja_builtin *tfm_jinja_find_function(const jinja_string *name) {
    return tfm_jinja_find_in(functions, sizeof functions / sizeof *functions, name);
}
