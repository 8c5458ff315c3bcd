/* parse_expression.c - the expressions of a chat template, from the weakest operator to the strongest. */
#include "parser.h"

#include <stdio.h>
#include <string.h>

#include "builtins.h"

static jinja_node *parse_or(jinja_parser *p);
static jinja_node *parse_primary(jinja_parser *p, bool namespaces);
static jinja_node *parse_postfix(jinja_parser *p, jinja_node *node);

static jinja_node *unary(jinja_parser *p, jinja_node_type type, jinja_node *a) {
    jinja_node *node = tfm_jinja_new_node(p, type);
    node->a = a;
    return node;
}

/* The line is that of the left side. */
static jinja_node *binary(jinja_parser *p, jinja_node_type type, uint32_t op, jinja_node *a, jinja_node *b) {
    jinja_node *node = unary(p, type, a);
    node->b = b;
    node->op = op;
    node->line = a->line;
    return node;
}

static jinja_node *condition(jinja_parser *p) {
    jinja_node *value = parse_or(p);
    while (tfm_jinja_accept_name(p, "if")) {
        jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_CONDITION);
        node->b = value;
        node->a = parse_or(p);
        if (tfm_jinja_accept_name(p, "else")) node->c = tfm_jinja_parse_expression(p);
        value = node;
    }
    return value;
}

jinja_node *tfm_jinja_parse_expression(jinja_parser *p) {
    if (!tfm_jinja_enter(p->state)) return tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
    jinja_node *node = condition(p);
    tfm_jinja_leave(p->state);
    return node;
}

/* ---- operators ---- */

static jinja_node *parse_unary(jinja_parser *p, bool filters) {
    jinja_node *node;
    if (!tfm_jinja_enter(p->state)) return tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
    if (tfm_jinja_accept(p, "-"))
        node = unary(p, JINJA_NODE_NEGATIVE, parse_unary(p, false));
    else if (tfm_jinja_accept(p, "+"))
        node = unary(p, JINJA_NODE_POSITIVE, parse_unary(p, false));
    else
        node = parse_primary(p, false);
    node = parse_postfix(p, node);
    if (filters) node = tfm_jinja_parse_filters(p, node, false);
    tfm_jinja_leave(p->state);
    return node;
}

static jinja_node *parse_power(jinja_parser *p) {
    jinja_node *left = parse_unary(p, true);
    while (tfm_jinja_accept(p, "**"))
        left = binary(p, JINJA_NODE_ARITHMETIC, JINJA_OPERATOR_POWER, left, parse_unary(p, true));
    return left;
}

typedef struct operator_word {
    const char *text;
    jinja_operator op;
} operator_word;

static const operator_word *skip_one_of(jinja_parser *p, const operator_word *words) {
    for (; words->text; words++) {
        if (tfm_jinja_accept(p, words->text)) return words;
    }
    return NULL;
}

static jinja_node *parse_product(jinja_parser *p) {
    static const operator_word words[] = {{"*", JINJA_OPERATOR_MULTIPLY},
                                          {"/", JINJA_OPERATOR_DIVIDE},
                                          {"//", JINJA_OPERATOR_FLOOR_DIVIDE},
                                          {"%", JINJA_OPERATOR_MODULO},
                                          {NULL, 0}};
    jinja_node *left = parse_power(p);
    for (const operator_word *word; (word = skip_one_of(p, words));)
        left = binary(p, JINJA_NODE_ARITHMETIC, word->op, left, parse_power(p));
    return left;
}

static jinja_node *parse_concat(jinja_parser *p) {
    jinja_node *first = parse_product(p);
    if (!tfm_jinja_at(p, "~")) return first;
    jinja_node *node = unary(p, JINJA_NODE_CONCAT, first), **end = &first->next;
    while (tfm_jinja_accept(p, "~")) tfm_jinja_append_node(&end, parse_product(p));
    return node;
}

static jinja_node *parse_sum(jinja_parser *p) {
    static const operator_word words[] = {{"+", JINJA_OPERATOR_ADD}, {"-", JINJA_OPERATOR_SUBTRACT}, {NULL, 0}};
    jinja_node *left = parse_concat(p);
    for (const operator_word *word; (word = skip_one_of(p, words));)
        left = binary(p, JINJA_NODE_ARITHMETIC, word->op, left, parse_concat(p));
    return left;
}

static bool skip_not_in(jinja_parser *p) {
    if (!tfm_jinja_at_name(p, "not")) return false;
    const jinja_token *next = tfm_jinja_peek(p);
    if (next->type != JINJA_TOKEN_NAME || next->n != 2 || memcmp(next->text, "in", 2) != 0) return false;
    tfm_jinja_advance(p);
    tfm_jinja_advance(p);
    return true;
}

static jinja_node *parse_comparison(jinja_parser *p) {
    static const operator_word words[] = {{"==", JINJA_OPERATOR_EQUAL},
                                          {"!=", JINJA_OPERATOR_UNEQUAL},
                                          {"<", JINJA_OPERATOR_LESS},
                                          {"<=", JINJA_OPERATOR_LESS_EQUAL},
                                          {">", JINJA_OPERATOR_GREATER},
                                          {">=", JINJA_OPERATOR_GREATER_EQUAL},
                                          {NULL, 0}};
    jinja_node *first = parse_sum(p), *operands = NULL, **end = &operands;
    for (;;) {
        const operator_word *word = skip_one_of(p, words);
        uint32_t op;
        if (word)
            op = word->op;
        else if (tfm_jinja_accept_name(p, "in"))
            op = JINJA_OPERATOR_IN;
        else if (skip_not_in(p))
            op = JINJA_OPERATOR_NOT_IN;
        else
            return operands ? binary(p, JINJA_NODE_COMPARE, 0, first, operands) : first;
        jinja_node *operand = unary(p, JINJA_NODE_OPERAND, parse_sum(p));
        operand->op = op;
        tfm_jinja_append_node(&end, operand);
    }
}

static jinja_node *parse_not(jinja_parser *p) {
    if (!tfm_jinja_accept_name(p, "not")) return parse_comparison(p);
    if (!tfm_jinja_enter(p->state)) return tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
    jinja_node *node = unary(p, JINJA_NODE_NOT, parse_not(p));
    tfm_jinja_leave(p->state);
    return node;
}

static jinja_node *parse_and(jinja_parser *p) {
    jinja_node *left = parse_not(p);
    while (tfm_jinja_accept_name(p, "and")) left = binary(p, JINJA_NODE_AND, 0, left, parse_not(p));
    return left;
}

static jinja_node *parse_or(jinja_parser *p) {
    jinja_node *left = parse_and(p);
    while (tfm_jinja_accept_name(p, "or")) left = binary(p, JINJA_NODE_OR, 0, left, parse_and(p));
    return left;
}

/* ---- operands ---- */

/* A macro that has one of these names takes other arguments. */
static void note_use(const jinja_parser *p, const jinja_string *name) {
    if (!p->macro_uses) return;
    if (tfm_jinja_string_is(name, "varargs")) *p->macro_uses |= JINJA_MACRO_USES_VARARGS;
    if (tfm_jinja_string_is(name, "kwargs")) *p->macro_uses |= JINJA_MACRO_USES_KWARGS;
    if (tfm_jinja_string_is(name, "caller")) *p->macro_uses |= JINJA_MACRO_USES_CALLER;
}

static jinja_node *parse_name(jinja_parser *p, bool namespaces) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_NAME);
    node->value = tfm_jinja_expect_name(p);
    if (p->state->status != TFM_OK) return node;
    const jinja_string *name = node->value.string;
    if (tfm_jinja_string_is(name, "true") || tfm_jinja_string_is(name, "True") || tfm_jinja_string_is(name, "false") ||
        tfm_jinja_string_is(name, "False")) {
        node->type = JINJA_NODE_CONSTANT;
        node->value = jinja_bool((name->data[0] | 0x20) == 't');
    } else if (tfm_jinja_string_is(name, "none") || tfm_jinja_string_is(name, "None")) {
        node->type = JINJA_NODE_CONSTANT;
        node->value = JINJA_NONE_VALUE;
    } else if (namespaces && tfm_jinja_accept(p, ".")) {
        node->type = JINJA_NODE_NAMESPACE;
        node->a = tfm_jinja_new_node(p, JINJA_NODE_NAME);
        node->a->value = tfm_jinja_expect_name(p);
    } else {
        note_use(p, name);
    }
    return node;
}

/* Strings side by side are one. */
static jinja_node *parse_string(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
    node->value = p->token.value;
    tfm_jinja_advance(p);
    while (p->token.type == JINJA_TOKEN_CONSTANT_STRING) {
        jinja_buffer joined = {0};
        tfm_jinja_buffer_append(p->state, &joined, node->value.string->data, node->value.string->n);
        tfm_jinja_buffer_append(p->state, &joined, p->token.value.string->data, p->token.value.string->n);
        node->value = tfm_jinja_buffer_string(p->state, &joined);
        tfm_jinja_advance(p);
    }
    return node;
}

static jinja_node *parse_list(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_LIST), **end = &node->a;
    tfm_jinja_advance(p);
    while (!tfm_jinja_at(p, "]") && p->state->status == TFM_OK) {
        if (node->a) tfm_jinja_expect(p, ",");
        if (tfm_jinja_at(p, "]")) break;
        tfm_jinja_append_node(&end, tfm_jinja_parse_expression(p));
    }
    tfm_jinja_expect(p, "]");
    return node;
}

static jinja_node *parse_dict(jinja_parser *p) {
    jinja_node *node = tfm_jinja_new_node(p, JINJA_NODE_DICT), **end = &node->a;
    tfm_jinja_advance(p);
    while (!tfm_jinja_at(p, "}") && p->state->status == TFM_OK) {
        if (node->a) tfm_jinja_expect(p, ",");
        if (tfm_jinja_at(p, "}")) break;
        jinja_node *pair = unary(p, JINJA_NODE_PAIR, tfm_jinja_parse_expression(p));
        tfm_jinja_expect(p, ":");
        pair->b = tfm_jinja_parse_expression(p);
        tfm_jinja_append_node(&end, pair);
    }
    tfm_jinja_expect(p, "}");
    return node;
}

static jinja_node *parse_primary(jinja_parser *p, bool namespaces) {
    jinja_node *node;
    switch (p->token.type) {
    case JINJA_TOKEN_NAME: return parse_name(p, namespaces);
    case JINJA_TOKEN_CONSTANT_STRING: return parse_string(p);
    case JINJA_TOKEN_CONSTANT_INT:
    case JINJA_TOKEN_CONSTANT_FLOAT:
        node = tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
        node->value = p->token.value;
        tfm_jinja_advance(p);
        return node;
    default: break;
    }
    if (tfm_jinja_at(p, "[")) return parse_list(p);
    if (tfm_jinja_at(p, "{")) return parse_dict(p);
    if (tfm_jinja_accept(p, "(")) {
        if (tfm_jinja_accept(p, ")")) return tfm_jinja_new_node(p, JINJA_NODE_TUPLE);
        node = tfm_jinja_parse_tuple(p, false, NULL);
        tfm_jinja_expect(p, ")");
        return node;
    }
    tfm_jinja_unexpected(p, "an expression");
    return tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
}

static bool at_tuple_end(const jinja_parser *p, const char *end_name) {
    return p->token.type == JINJA_TOKEN_OUTPUT_END || p->token.type == JINJA_TOKEN_BLOCK_END || tfm_jinja_at(p, ")") ||
           (end_name && tfm_jinja_at_name(p, end_name));
}

/* Items with commas between them; one without a comma is itself. target: only names, and tuples of them. */
static jinja_node *parse_items(jinja_parser *p, bool target, bool namespaces, bool without_condition,
                               const char *end_name) {
    jinja_node *tuple = tfm_jinja_new_node(p, JINJA_NODE_TUPLE), **end = &tuple->a;
    for (bool comma = false;; comma = true) {
        if (comma && at_tuple_end(p, end_name)) break;
        jinja_node *item = target              ? parse_primary(p, namespaces)
                           : without_condition ? parse_or(p)
                                               : tfm_jinja_parse_expression(p);
        if (!comma && !tfm_jinja_at(p, ",")) return item;
        tfm_jinja_append_node(&end, item);
        if (!tfm_jinja_accept(p, ",")) break;
    }
    return tuple;
}

jinja_node *tfm_jinja_parse_tuple(jinja_parser *p, bool without_condition, const char *end_name) {
    if (!tfm_jinja_enter(p->state)) return tfm_jinja_new_node(p, JINJA_NODE_CONSTANT);
    jinja_node *node = parse_items(p, false, false, without_condition, end_name);
    tfm_jinja_leave(p->state);
    return node;
}

static bool can_assign(jinja_state *state, const jinja_node *node) {
    if (node->type == JINJA_NODE_NAME || node->type == JINJA_NODE_NAMESPACE) return true;
    if (node->type != JINJA_NODE_TUPLE || !tfm_jinja_enter(state)) return false;
    const jinja_node *item = node->a;
    while (item && can_assign(state, item)) item = item->next;
    tfm_jinja_leave(state);
    return !item;
}

jinja_node *tfm_jinja_parse_target(jinja_parser *p, bool namespaces, const char *end_name) {
    jinja_node *node = parse_items(p, true, namespaces, false, end_name);
    if (p->state->status == TFM_OK && !can_assign(p->state, node))
        tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "only names can be assigned to");
    return node;
}

/* ---- what follows operands ---- */

static jinja_node *parse_subscript_part(jinja_parser *p) {
    bool end = tfm_jinja_at(p, ":") || tfm_jinja_at(p, "]") || tfm_jinja_at(p, ",");
    return end ? NULL : tfm_jinja_parse_expression(p);
}

static jinja_node *parse_subscript(jinja_parser *p, jinja_node *object) {
    jinja_node *node = unary(p, JINJA_NODE_ITEM, object);
    jinja_node *first = parse_subscript_part(p);
    if (tfm_jinja_accept(p, ":")) {
        node->b = tfm_jinja_new_node(p, JINJA_NODE_SLICE);
        node->b->a = first;
        node->b->b = parse_subscript_part(p);
        if (tfm_jinja_accept(p, ":")) node->b->c = parse_subscript_part(p);
    } else if (first) {
        node->b = first;
    } else {
        tfm_jinja_unexpected(p, "an index");
    }
    if (tfm_jinja_at(p, ",")) tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "an index of several parts is not known");
    tfm_jinja_expect(p, "]");
    return node;
}

static jinja_node *parse_attribute(jinja_parser *p, jinja_node *object) {
    jinja_node *node = unary(p, JINJA_NODE_ATTRIBUTE, object);
    if (p->token.type == JINJA_TOKEN_CONSTANT_INT) {
        node->type = JINJA_NODE_ITEM;
        node->b = parse_primary(p, false);
    } else {
        node->value = tfm_jinja_expect_name(p);
    }
    return node;
}

/* Arguments after (. */
static jinja_node *parse_arguments(jinja_parser *p) {
    jinja_node *first = NULL, **end = &first;
    uint32_t stage = 0; /* 0: by place, 1: by name, 2: after *, 3: after ** */
    while (!tfm_jinja_at(p, ")") && p->state->status == TFM_OK) {
        if (first) {
            tfm_jinja_expect(p, ",");
            if (tfm_jinja_at(p, ")")) break;
        }
        jinja_node *argument;
        uint32_t kind = 0;
        if (tfm_jinja_accept(p, "*")) {
            kind = 2;
        } else if (tfm_jinja_accept(p, "**")) {
            kind = 3;
        } else if (p->token.type == JINJA_TOKEN_NAME) {
            const jinja_token *next = tfm_jinja_peek(p);
            kind = next->type == JINJA_TOKEN_PUNCTUATION && next->n == 1 && next->text[0] == '=';
        }
        if (stage == 3 || (stage == 2 && kind != 1 && kind != 3) || (stage == 1 && kind == 0))
            tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "the arguments of a call are out of order");
        if (kind > stage) stage = kind;
        if (kind == 1) {
            argument = tfm_jinja_new_node(p, JINJA_NODE_KEYWORD);
            argument->value = tfm_jinja_expect_name(p);
            tfm_jinja_advance(p);
            argument->a = tfm_jinja_parse_expression(p);
        } else {
            argument = tfm_jinja_parse_expression(p);
            if (kind > 0) {
                argument = unary(p, JINJA_NODE_SPREAD, argument);
                argument->op = kind - 1;
            }
        }
        tfm_jinja_append_node(&end, argument);
    }
    tfm_jinja_expect(p, ")");
    return first;
}

static jinja_node *parse_call(jinja_parser *p, jinja_node *what) {
    jinja_node *node = unary(p, JINJA_NODE_CALL, what);
    node->b = parse_arguments(p);
    return node;
}

static jinja_node *parse_postfix(jinja_parser *p, jinja_node *node) {
    while (p->state->status == TFM_OK) {
        if (tfm_jinja_accept(p, "."))
            node = parse_attribute(p, node);
        else if (tfm_jinja_accept(p, "["))
            node = parse_subscript(p, node);
        else if (tfm_jinja_accept(p, "("))
            node = parse_call(p, node);
        else
            return node;
    }
    return node;
}

/* What may never be reached is not refused, but said. */
static void note_unknown(jinja_parser *p, const char *what, const jinja_string *name, uint32_t line) {
    if (p->note && p->note[0] == '\0')
        snprintf(p->note, p->note_size, "chat template, line %u: the %s '%.*s' is not known", line, what,
                 (int)(name->n < 60 ? name->n : 60), name->data);
}

static jinja_node *parse_filter(jinja_parser *p, jinja_node *input) {
    jinja_node *node = unary(p, JINJA_NODE_FILTER, input);
    node->value = tfm_jinja_expect_name(p);
    if (p->state->status != TFM_OK) return node;
    node->function = tfm_jinja_find_filter(node->value.string);
    if (!node->function) note_unknown(p, "filter", node->value.string, node->line);
    if (tfm_jinja_accept(p, "(")) node->b = parse_arguments(p);
    return node;
}

/* An argument of a test without brackets: a name, a constant, a list or a dictionary. */
static bool at_bare_argument(const jinja_parser *p) {
    jinja_token_type type = p->token.type;
    if (type == JINJA_TOKEN_NAME)
        return !tfm_jinja_at_name(p, "else") && !tfm_jinja_at_name(p, "or") && !tfm_jinja_at_name(p, "and");
    return type == JINJA_TOKEN_CONSTANT_STRING || type == JINJA_TOKEN_CONSTANT_INT ||
           type == JINJA_TOKEN_CONSTANT_FLOAT || tfm_jinja_at(p, "[") || tfm_jinja_at(p, "{");
}

static jinja_node *parse_test(jinja_parser *p, jinja_node *input) {
    jinja_node *node = unary(p, JINJA_NODE_TEST, input);
    bool negated = tfm_jinja_accept_name(p, "not");
    node->value = tfm_jinja_expect_name(p);
    if (p->state->status != TFM_OK) return node;
    node->function = tfm_jinja_find_test(node->value.string);
    if (!node->function) note_unknown(p, "test", node->value.string, node->line);
    if (tfm_jinja_accept(p, "(")) {
        node->b = parse_arguments(p);
    } else if (at_bare_argument(p)) {
        if (tfm_jinja_at_name(p, "is")) tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "tests cannot be chained");
        node->b = parse_postfix(p, parse_primary(p, false));
    }
    return negated ? unary(p, JINJA_NODE_NOT, node) : node;
}

jinja_node *tfm_jinja_parse_filters(jinja_parser *p, jinja_node *input, bool first) {
    jinja_node *node = input;
    while (p->state->status == TFM_OK) {
        if (first || tfm_jinja_accept(p, "|"))
            node = parse_filter(p, node);
        else if (input && tfm_jinja_accept_name(p, "is"))
            node = parse_test(p, node);
        else if (input && tfm_jinja_accept(p, "("))
            node = parse_call(p, node);
        else
            return node;
        first = false;
    }
    return node;
}
