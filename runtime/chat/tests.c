/* tests.c - what comes after `is`, and the functions templates can call. */
#include <math.h>
#include <string.h>

#include "interpreter.h"

#define TEST(name, expression)                                                                                         \
    static chat_value name(chat_context *c, chat_value self, const chat_arguments *a) {                                \
        (void)c, (void)self, (void)a;                                                                                  \
        return chat_bool(expression);                                                                                  \
    }

static bool is_whole(chat_value v) { return v.type == CHAT_INT || v.type == CHAT_BOOL; }

static bool has_remainder(chat_context *c, chat_value self, chat_value divisor, int64_t wanted) {
    chat_value rest = tfm_chat_arithmetic(c, OPERATOR_MODULO, self, divisor);
    return tfm_chat_equal(&c->work, rest, chat_int(wanted));
}

/* What has a length and items by number; keys() and its like have no such items. */
static bool is_sequence(chat_value v) {
    return v.type == CHAT_STRING || v.type == CHAT_DICT || v.type == CHAT_UNDEFINED ||
           (v.type == CHAT_LIST && v.list->kind <= CHAT_A_RANGE);
}

static bool is_iterable(chat_value v) {
    return v.type == CHAT_STRING || v.type == CHAT_DICT || v.type == CHAT_UNDEFINED || v.type == CHAT_LIST ||
           v.type == CHAT_LOOP;
}

static bool has_case(chat_context *c, chat_value v, bool upper) {
    chat_value text = tfm_chat_str(c, v);
    return text.type == CHAT_STRING && tfm_chat_has_case(c, text.string, upper);
}

TEST(odd, has_remainder(c, self, chat_int(2), 1))
TEST(even, has_remainder(c, self, chat_int(2), 0))
TEST(divisible, has_remainder(c, self, a->at[0], 0))
TEST(defined, self.type != CHAT_UNDEFINED)
TEST(undefined, self.type == CHAT_UNDEFINED)
TEST(none, self.type == CHAT_NONE)
TEST(boolean, self.type == CHAT_BOOL)
TEST(is_true, self.type == CHAT_BOOL && self.truth)
TEST(is_false, self.type == CHAT_BOOL && !self.truth)
TEST(integer, self.type == CHAT_INT)
TEST(is_float, self.type == CHAT_FLOAT)
TEST(number, is_whole(self) || self.type == CHAT_FLOAT)
TEST(lower, has_case(c, self, false))
TEST(upper, has_case(c, self, true))
TEST(string, self.type == CHAT_STRING)
TEST(mapping, self.type == CHAT_DICT)
TEST(sequence, is_sequence(self))
TEST(iterable, is_iterable(self))
TEST(callable, self.type == CHAT_UNDEFINED || self.type >= CHAT_LOOP)
TEST(same, tfm_chat_is_same(self, a->at[0]))
TEST(escaped, self.type == CHAT_STRING && self.string->markup)
TEST(in, tfm_chat_contains(c, a->at[0], self))
TEST(equal, tfm_chat_relation(c, OPERATOR_EQUAL, self, a->at[0]))
TEST(unequal, tfm_chat_relation(c, OPERATOR_UNEQUAL, self, a->at[0]))
TEST(less, tfm_chat_relation(c, OPERATOR_LESS, self, a->at[0]))
TEST(less_equal, tfm_chat_relation(c, OPERATOR_LESS_EQUAL, self, a->at[0]))
TEST(greater, tfm_chat_relation(c, OPERATOR_GREATER, self, a->at[0]))
TEST(greater_equal, tfm_chat_relation(c, OPERATOR_GREATER_EQUAL, self, a->at[0]))
TEST(filter, self.type == CHAT_STRING && tfm_chat_find_filter(self.string) != NULL)
TEST(test, self.type == CHAT_STRING && tfm_chat_find_test(self.string) != NULL)

static const chat_builtin tests[] = {
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

const chat_builtin *tfm_chat_find_test(const chat_string *name) {
    return tfm_chat_find_in(tests, sizeof tests / sizeof *tests, name);
}

/* ---- functions ------------------------------------------------------------------------------------------------- */

#define RANGE_MAX 100000 /* as in jinja's sandbox */

static chat_value range(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)self;
    bool two = a->at[1].type != CHAT_MISSING;
    chat_value start = two ? a->at[0] : chat_int(0), stop = two ? a->at[1] : a->at[0];
    chat_value step = a->at[2].type != CHAT_MISSING ? a->at[2] : chat_int(1);
    if (!is_whole(start) || !is_whole(stop) || !is_whole(step) || tfm_chat_whole(step) == 0) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "range() needs whole numbers and a step that is not 0");
        return CHAT_UNDEFINED_VALUE;
    }
    int64_t from = tfm_chat_whole(start), to = tfm_chat_whole(stop), by = tfm_chat_whole(step);
    chat_value list = tfm_chat_list(&c->work, CHAT_A_RANGE, 0);
    if (c->work.status != TFM_OK) return list;
    list.list->start = from;
    list.list->stop = to;
    list.list->step = by;
    for (int64_t i = from; (by > 0 ? i < to : i > to) && c->work.status == TFM_OK;) {
        if (list.list->n == RANGE_MAX)
            tfm_chat_fail(&c->work, TFM_ERROR_LIMIT, "range() has more than %d numbers", RANGE_MAX);
        tfm_chat_push(&c->work, list.list, chat_int(i));
        if (__builtin_add_overflow(i, by, &i)) break;
    }
    return list;
}

static chat_value make_dict(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)self;
    chat_value dict = tfm_chat_dict(&c->work);
    for (size_t i = 0; i < a->places->n && c->work.status == TFM_OK; i++) {
        chat_value from = a->places->items[i];
        if (i > 0 || (from.type != CHAT_DICT && from.type != CHAT_NAMESPACE)) {
            tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "dictionaries can be made of names and a dictionary only");
            break;
        }
        for (size_t k = 0; k < from.dict->n && c->work.status == TFM_OK; k++)
            tfm_chat_set(&c->work, dict.dict, from.dict->entries[k].key, from.dict->entries[k].value);
    }
    for (size_t i = 0; i < a->names->n && c->work.status == TFM_OK; i++)
        tfm_chat_set(&c->work, dict.dict, a->names->entries[i].key, a->names->entries[i].value);
    return dict;
}

static chat_value make_namespace(chat_context *c, chat_value self, const chat_arguments *a) {
    chat_value value = make_dict(c, self, a);
    if (value.type == CHAT_DICT) value.type = CHAT_NAMESPACE;
    return value;
}

static chat_value raise_exception(chat_context *c, chat_value self, const chat_arguments *a) {
    (void)self;
    chat_value words = tfm_chat_str(c, a->at[0]);
    if (words.type == CHAT_STRING)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "%.*s", (int)(words.string->n < 400 ? words.string->n : 400),
                      words.string->data);
    return CHAT_UNDEFINED_VALUE;
}

static const chat_builtin functions[] = {
    {"range", "start stop step", 1, range},
    {"dict", NULL, 0, make_dict},
    {"namespace", NULL, 0, make_namespace},
    {"raise_exception", "message", 1, raise_exception},
    {"lipsum", NULL, 0, NULL},
    {"cycler", NULL, 0, NULL},
    {"joiner", NULL, 0, NULL},
};

const chat_builtin *tfm_chat_find_function(const chat_string *name) {
    return tfm_chat_find_in(functions, sizeof functions / sizeof *functions, name);
}
