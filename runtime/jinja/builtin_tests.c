/* builtin_tests.c - what comes after `is`. */
#include "interpreter.h"

#define TEST(name, expression) JINJA_BUILTIN(name, jinja_bool(expression))

static bool has_remainder(jinja_context *c, jinja_value self, jinja_value divisor, int64_t wanted) {
    jinja_value rest = tfm_jinja_arithmetic(c, JINJA_OPERATOR_MODULO, self, divisor);
    return tfm_jinja_equal(&c->state, rest, jinja_int(wanted));
}

/* What has a length and items by number; keys() and its like have no such items. */
static bool is_sequence(jinja_value v) {
    return v.type == JINJA_STRING || v.type == JINJA_DICT || v.type == JINJA_UNDEFINED ||
           (v.type == JINJA_LIST && v.list->kind <= JINJA_KIND_RANGE);
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
TEST(divisible, has_remainder(c, self, a->bound[0], 0))
TEST(defined, self.type != JINJA_UNDEFINED)
TEST(undefined, self.type == JINJA_UNDEFINED)
TEST(none, self.type == JINJA_NONE)
TEST(boolean, self.type == JINJA_BOOL)
TEST(is_true, self.type == JINJA_BOOL && self.boolean)
TEST(is_false, self.type == JINJA_BOOL && !self.boolean)
TEST(integer, self.type == JINJA_INT)
TEST(is_float, self.type == JINJA_FLOAT)
TEST(number, jinja_is_whole(self) || self.type == JINJA_FLOAT)
TEST(lower, has_case(c, self, false))
TEST(upper, has_case(c, self, true))
TEST(string, self.type == JINJA_STRING)
TEST(mapping, self.type == JINJA_DICT)
TEST(sequence, is_sequence(self))
TEST(iterable, is_iterable(self))
TEST(callable, self.type == JINJA_UNDEFINED || self.type >= JINJA_LOOP)
TEST(same, tfm_jinja_is_same(self, a->bound[0]))
TEST(escaped, self.type == JINJA_STRING && self.string->markup)
TEST(in, tfm_jinja_contains(c, a->bound[0], self))
TEST(equal, tfm_jinja_relation(c, JINJA_OPERATOR_EQUAL, self, a->bound[0]))
TEST(unequal, tfm_jinja_relation(c, JINJA_OPERATOR_UNEQUAL, self, a->bound[0]))
TEST(less, tfm_jinja_relation(c, JINJA_OPERATOR_LESS, self, a->bound[0]))
TEST(less_equal, tfm_jinja_relation(c, JINJA_OPERATOR_LESS_EQUAL, self, a->bound[0]))
TEST(greater, tfm_jinja_relation(c, JINJA_OPERATOR_GREATER, self, a->bound[0]))
TEST(greater_equal, tfm_jinja_relation(c, JINJA_OPERATOR_GREATER_EQUAL, self, a->bound[0]))
TEST(filter, self.type == JINJA_STRING && tfm_jinja_find_filter(self.string))
TEST(test, self.type == JINJA_STRING && tfm_jinja_find_test(self.string))

static const jinja_builtin tests[] = {
    {.name = "odd", .parameters = "", .run = odd},
    {.name = "even", .parameters = "", .run = even},
    {.name = "divisibleby", .parameters = "num", .required = 1, .run = divisible},
    {.name = "defined", .parameters = "", .run = defined},
    {.name = "undefined", .parameters = "", .run = undefined},
    {.name = "none", .parameters = "", .run = none},
    {.name = "boolean", .parameters = "", .run = boolean},
    {.name = "true", .parameters = "", .run = is_true},
    {.name = "false", .parameters = "", .run = is_false},
    {.name = "integer", .parameters = "", .run = integer},
    {.name = "float", .parameters = "", .run = is_float},
    {.name = "number", .parameters = "", .run = number},
    {.name = "lower", .parameters = "", .run = lower},
    {.name = "upper", .parameters = "", .run = upper},
    {.name = "string", .parameters = "", .run = string},
    {.name = "mapping", .parameters = "", .run = mapping},
    {.name = "sequence", .parameters = "", .run = sequence},
    {.name = "iterable", .parameters = "", .run = iterable},
    {.name = "callable", .parameters = "", .run = callable},
    {.name = "sameas", .parameters = "other", .required = 1, .run = same},
    {.name = "escaped", .parameters = "", .run = escaped},
    {.name = "in", .parameters = "seq", .required = 1, .run = in},
    {.name = "filter", .parameters = "", .run = filter},
    {.name = "test", .parameters = "", .run = test},
    {.name = "==", .parameters = "b", .required = 1, .run = equal},
    {.name = "eq", .parameters = "b", .required = 1, .run = equal},
    {.name = "equalto", .parameters = "b", .required = 1, .run = equal},
    {.name = "!=", .parameters = "b", .required = 1, .run = unequal},
    {.name = "ne", .parameters = "b", .required = 1, .run = unequal},
    {.name = "<", .parameters = "b", .required = 1, .run = less},
    {.name = "lt", .parameters = "b", .required = 1, .run = less},
    {.name = "lessthan", .parameters = "b", .required = 1, .run = less},
    {.name = "<=", .parameters = "b", .required = 1, .run = less_equal},
    {.name = "le", .parameters = "b", .required = 1, .run = less_equal},
    {.name = ">", .parameters = "b", .required = 1, .run = greater},
    {.name = "gt", .parameters = "b", .required = 1, .run = greater},
    {.name = "greaterthan", .parameters = "b", .required = 1, .run = greater},
    {.name = ">=", .parameters = "b", .required = 1, .run = greater_equal},
    {.name = "ge", .parameters = "b", .required = 1, .run = greater_equal},
};

const jinja_builtin *tfm_jinja_find_test(const jinja_string *name) {
    return tfm_jinja_find_builtin(tests, sizeof tests / sizeof *tests, name);
}
