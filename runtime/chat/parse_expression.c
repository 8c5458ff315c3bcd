/* parse_expression.c - the expressions of a chat template, from the weakest operator to the strongest. */
#include <stdio.h>
#include <string.h>

#include "builtins.h"
#include "syntax.h"

static chat_node *parse_or(chat_parser *p);
static chat_node *parse_primary(chat_parser *p, bool namespaces);
static chat_node *parse_postfix(chat_parser *p, chat_node *node);

static chat_node *unary(chat_parser *p, chat_node_type type, chat_node *a) {
    chat_node *node = tfm_chat_node(p, type);
    node->a = a;
    return node;
}

/* The line is that of the left side. */
static chat_node *binary(chat_parser *p, chat_node_type type, uint32_t op, chat_node *a, chat_node *b) {
    chat_node *node = unary(p, type, a);
    node->b = b;
    node->op = op;
    node->line = a->line;
    return node;
}

static chat_node *condition(chat_parser *p) {
    chat_node *value = parse_or(p);
    while (tfm_chat_skip_name(p, "if")) {
        chat_node *node = tfm_chat_node(p, NODE_CONDITION);
        node->b = value;
        node->a = parse_or(p);
        if (tfm_chat_skip_name(p, "else")) node->c = tfm_chat_parse_expression(p);
        value = node;
    }
    return value;
}

chat_node *tfm_chat_parse_expression(chat_parser *p) {
    if (!tfm_chat_enter(p->work)) return tfm_chat_node(p, NODE_CONSTANT);
    chat_node *node = condition(p);
    tfm_chat_leave(p->work);
    return node;
}

/* ---- operators ------------------------------------------------------------------------------------------------- */

static chat_node *parse_unary(chat_parser *p, bool filters) {
    chat_node *node;
    if (!tfm_chat_enter(p->work)) return tfm_chat_node(p, NODE_CONSTANT);
    if (tfm_chat_skip(p, "-"))
        node = unary(p, NODE_NEGATIVE, parse_unary(p, false));
    else if (tfm_chat_skip(p, "+"))
        node = unary(p, NODE_POSITIVE, parse_unary(p, false));
    else
        node = parse_primary(p, false);
    node = parse_postfix(p, node);
    if (filters) node = tfm_chat_parse_filters(p, node, false);
    tfm_chat_leave(p->work);
    return node;
}

static chat_node *parse_power(chat_parser *p) {
    chat_node *left = parse_unary(p, true);
    while (tfm_chat_skip(p, "**")) left = binary(p, NODE_ARITHMETIC, OPERATOR_POWER, left, parse_unary(p, true));
    return left;
}

typedef struct operator_word {
    const char *text;
    chat_operator op;
} operator_word;

static const operator_word *skip_one_of(chat_parser *p, const operator_word *words) {
    for (; words->text != NULL; words++) {
        if (tfm_chat_skip(p, words->text)) return words;
    }
    return NULL;
}

static chat_node *parse_product(chat_parser *p) {
    static const operator_word words[] = {{"*", OPERATOR_MULTIPLY},
                                          {"/", OPERATOR_DIVIDE},
                                          {"//", OPERATOR_FLOOR_DIVIDE},
                                          {"%", OPERATOR_MODULO},
                                          {NULL, 0}};
    chat_node *left = parse_power(p);
    for (const operator_word *word; (word = skip_one_of(p, words)) != NULL;)
        left = binary(p, NODE_ARITHMETIC, word->op, left, parse_power(p));
    return left;
}

static chat_node *parse_concat(chat_parser *p) {
    chat_node *first = parse_product(p);
    if (!tfm_chat_at(p, "~")) return first;
    chat_node *node = unary(p, NODE_CONCAT, first), **end = &first->next;
    while (tfm_chat_skip(p, "~")) tfm_chat_link(&end, parse_product(p));
    return node;
}

static chat_node *parse_sum(chat_parser *p) {
    static const operator_word words[] = {{"+", OPERATOR_ADD}, {"-", OPERATOR_SUBTRACT}, {NULL, 0}};
    chat_node *left = parse_concat(p);
    for (const operator_word *word; (word = skip_one_of(p, words)) != NULL;)
        left = binary(p, NODE_ARITHMETIC, word->op, left, parse_concat(p));
    return left;
}

static bool skip_not_in(chat_parser *p) {
    if (!tfm_chat_at_name(p, "not")) return false;
    const chat_token *next = tfm_chat_look(p);
    if (next->type != TOKEN_NAME || next->n != 2 || memcmp(next->text, "in", 2) != 0) return false;
    tfm_chat_advance(p);
    tfm_chat_advance(p);
    return true;
}

static chat_node *parse_comparison(chat_parser *p) {
    static const operator_word words[] = {{"==", OPERATOR_EQUAL},
                                          {"!=", OPERATOR_UNEQUAL},
                                          {"<", OPERATOR_LESS},
                                          {"<=", OPERATOR_LESS_EQUAL},
                                          {">", OPERATOR_GREATER},
                                          {">=", OPERATOR_GREATER_EQUAL},
                                          {NULL, 0}};
    chat_node *first = parse_sum(p), *operands = NULL, **end = &operands;
    for (;;) {
        const operator_word *word = skip_one_of(p, words);
        uint32_t op;
        if (word != NULL)
            op = word->op;
        else if (tfm_chat_skip_name(p, "in"))
            op = OPERATOR_IN;
        else if (skip_not_in(p))
            op = OPERATOR_NOT_IN;
        else
            return operands != NULL ? binary(p, NODE_COMPARE, 0, first, operands) : first;
        chat_node *operand = unary(p, NODE_OPERAND, parse_sum(p));
        operand->op = op;
        tfm_chat_link(&end, operand);
    }
}

static chat_node *parse_not(chat_parser *p) {
    if (!tfm_chat_skip_name(p, "not")) return parse_comparison(p);
    if (!tfm_chat_enter(p->work)) return tfm_chat_node(p, NODE_CONSTANT);
    chat_node *node = unary(p, NODE_NOT, parse_not(p));
    tfm_chat_leave(p->work);
    return node;
}

static chat_node *parse_and(chat_parser *p) {
    chat_node *left = parse_not(p);
    while (tfm_chat_skip_name(p, "and")) left = binary(p, NODE_AND, 0, left, parse_not(p));
    return left;
}

static chat_node *parse_or(chat_parser *p) {
    chat_node *left = parse_and(p);
    while (tfm_chat_skip_name(p, "or")) left = binary(p, NODE_OR, 0, left, parse_and(p));
    return left;
}

/* ---- operands -------------------------------------------------------------------------------------------------- */

/* A macro that has one of these names takes other arguments. */
static void note_use(const chat_parser *p, const chat_string *name) {
    if (p->macro_uses == NULL) return;
    if (tfm_chat_is(name, "varargs")) *p->macro_uses |= MACRO_USES_VARARGS;
    if (tfm_chat_is(name, "kwargs")) *p->macro_uses |= MACRO_USES_KWARGS;
    if (tfm_chat_is(name, "caller")) *p->macro_uses |= MACRO_USES_CALLER;
}

static chat_node *parse_name(chat_parser *p, bool namespaces) {
    chat_node *node = tfm_chat_node(p, NODE_NAME);
    node->value = tfm_chat_expect_name(p);
    if (p->work->status != TFM_OK) return node;
    const chat_string *name = node->value.string;
    if (tfm_chat_is(name, "true") || tfm_chat_is(name, "True") || tfm_chat_is(name, "false") ||
        tfm_chat_is(name, "False")) {
        node->type = NODE_CONSTANT;
        node->value = chat_bool((name->data[0] | 0x20) == 't');
    } else if (tfm_chat_is(name, "none") || tfm_chat_is(name, "None")) {
        node->type = NODE_CONSTANT;
        node->value = CHAT_NONE_VALUE;
    } else if (namespaces && tfm_chat_skip(p, ".")) {
        node->type = NODE_NAMESPACE;
        node->a = tfm_chat_node(p, NODE_NAME);
        node->a->value = tfm_chat_expect_name(p);
    } else {
        note_use(p, name);
    }
    return node;
}

/* Strings side by side are one. */
static chat_node *parse_string(chat_parser *p) {
    chat_node *node = tfm_chat_node(p, NODE_CONSTANT);
    node->value = p->token.value;
    tfm_chat_advance(p);
    while (p->token.type == TOKEN_CONSTANT_STRING) {
        chat_buffer joined = {0};
        tfm_chat_put(p->work, &joined, node->value.string->data, node->value.string->n);
        tfm_chat_put(p->work, &joined, p->token.value.string->data, p->token.value.string->n);
        node->value = tfm_chat_buffer_text(p->work, &joined);
        tfm_chat_advance(p);
    }
    return node;
}

static chat_node *parse_list(chat_parser *p) {
    chat_node *node = tfm_chat_node(p, NODE_LIST), **end = &node->a;
    tfm_chat_advance(p);
    while (!tfm_chat_at(p, "]") && p->work->status == TFM_OK) {
        if (node->a != NULL) tfm_chat_expect(p, ",");
        if (tfm_chat_at(p, "]")) break;
        tfm_chat_link(&end, tfm_chat_parse_expression(p));
    }
    tfm_chat_expect(p, "]");
    return node;
}

static chat_node *parse_dict(chat_parser *p) {
    chat_node *node = tfm_chat_node(p, NODE_DICT), **end = &node->a;
    tfm_chat_advance(p);
    while (!tfm_chat_at(p, "}") && p->work->status == TFM_OK) {
        if (node->a != NULL) tfm_chat_expect(p, ",");
        if (tfm_chat_at(p, "}")) break;
        chat_node *pair = unary(p, NODE_PAIR, tfm_chat_parse_expression(p));
        tfm_chat_expect(p, ":");
        pair->b = tfm_chat_parse_expression(p);
        tfm_chat_link(&end, pair);
    }
    tfm_chat_expect(p, "}");
    return node;
}

static chat_node *parse_primary(chat_parser *p, bool namespaces) {
    chat_node *node;
    switch (p->token.type) {
    case TOKEN_NAME: return parse_name(p, namespaces);
    case TOKEN_CONSTANT_STRING: return parse_string(p);
    case TOKEN_CONSTANT_INT:
    case TOKEN_CONSTANT_FLOAT:
        node = tfm_chat_node(p, NODE_CONSTANT);
        node->value = p->token.value;
        tfm_chat_advance(p);
        return node;
    default: break;
    }
    if (tfm_chat_at(p, "[")) return parse_list(p);
    if (tfm_chat_at(p, "{")) return parse_dict(p);
    if (tfm_chat_skip(p, "(")) {
        if (tfm_chat_skip(p, ")")) return tfm_chat_node(p, NODE_TUPLE);
        node = tfm_chat_parse_tuple(p, false, NULL);
        tfm_chat_expect(p, ")");
        return node;
    }
    tfm_chat_unexpected(p, "an expression");
    return tfm_chat_node(p, NODE_CONSTANT);
}

static bool at_tuple_end(const chat_parser *p, const char *end_name) {
    return p->token.type == TOKEN_OUTPUT_END || p->token.type == TOKEN_BLOCK_END || tfm_chat_at(p, ")") ||
           (end_name != NULL && tfm_chat_at_name(p, end_name));
}

/* Items with commas between them; one without a comma is itself. target: only names, and tuples of them. */
static chat_node *parse_items(chat_parser *p, bool target, bool namespaces, bool without_condition,
                              const char *end_name) {
    chat_node *tuple = tfm_chat_node(p, NODE_TUPLE), **end = &tuple->a;
    for (bool comma = false;; comma = true) {
        if (comma && at_tuple_end(p, end_name)) break;
        chat_node *item = target              ? parse_primary(p, namespaces)
                          : without_condition ? parse_or(p)
                                              : tfm_chat_parse_expression(p);
        if (!comma && !tfm_chat_at(p, ",")) return item;
        tfm_chat_link(&end, item);
        if (!tfm_chat_skip(p, ",")) break;
    }
    return tuple;
}

chat_node *tfm_chat_parse_tuple(chat_parser *p, bool without_condition, const char *end_name) {
    if (!tfm_chat_enter(p->work)) return tfm_chat_node(p, NODE_CONSTANT);
    chat_node *node = parse_items(p, false, false, without_condition, end_name);
    tfm_chat_leave(p->work);
    return node;
}

static bool can_assign(chat_work *w, const chat_node *node) {
    if (node->type == NODE_NAME || node->type == NODE_NAMESPACE) return true;
    if (node->type != NODE_TUPLE || !tfm_chat_enter(w)) return false;
    const chat_node *item = node->a;
    while (item != NULL && can_assign(w, item)) item = item->next;
    tfm_chat_leave(w);
    return item == NULL;
}

chat_node *tfm_chat_parse_target(chat_parser *p, bool namespaces, const char *end_name) {
    chat_node *node = parse_items(p, true, namespaces, false, end_name);
    if (p->work->status == TFM_OK && !can_assign(p->work, node))
        tfm_chat_fail(p->work, TFM_ERROR_UNSUPPORTED, "only names can be assigned to");
    return node;
}

/* ---- what follows operands ------------------------------------------------------------------------------------- */

static chat_node *parse_subscript_part(chat_parser *p) {
    bool end = tfm_chat_at(p, ":") || tfm_chat_at(p, "]") || tfm_chat_at(p, ",");
    return end ? NULL : tfm_chat_parse_expression(p);
}

static chat_node *parse_subscript(chat_parser *p, chat_node *object) {
    chat_node *node = unary(p, NODE_ITEM, object);
    chat_node *first = parse_subscript_part(p);
    if (tfm_chat_skip(p, ":")) {
        node->b = tfm_chat_node(p, NODE_SLICE);
        node->b->a = first;
        node->b->b = parse_subscript_part(p);
        if (tfm_chat_skip(p, ":")) node->b->c = parse_subscript_part(p);
    } else if (first != NULL) {
        node->b = first;
    } else {
        tfm_chat_unexpected(p, "an index");
    }
    if (tfm_chat_at(p, ",")) tfm_chat_fail(p->work, TFM_ERROR_UNSUPPORTED, "an index of several parts is not known");
    tfm_chat_expect(p, "]");
    return node;
}

static chat_node *parse_attribute(chat_parser *p, chat_node *object) {
    chat_node *node = unary(p, NODE_ATTRIBUTE, object);
    if (p->token.type == TOKEN_CONSTANT_INT) {
        node->type = NODE_ITEM;
        node->b = parse_primary(p, false);
    } else {
        node->value = tfm_chat_expect_name(p);
    }
    return node;
}

/* Arguments after (. */
static chat_node *parse_arguments(chat_parser *p) {
    chat_node *first = NULL, **end = &first;
    uint32_t stage = 0; /* 0: by place, 1: by name, 2: after *, 3: after ** */
    while (!tfm_chat_at(p, ")") && p->work->status == TFM_OK) {
        if (first != NULL) {
            tfm_chat_expect(p, ",");
            if (tfm_chat_at(p, ")")) break;
        }
        chat_node *argument;
        uint32_t kind = 0;
        if (tfm_chat_skip(p, "*")) {
            kind = 2;
        } else if (tfm_chat_skip(p, "**")) {
            kind = 3;
        } else if (p->token.type == TOKEN_NAME) {
            const chat_token *next = tfm_chat_look(p);
            kind = next->type == TOKEN_PUNCTUATION && next->n == 1 && next->text[0] == '=';
        }
        if (stage == 3 || (stage == 2 && kind != 1 && kind != 3) || (stage == 1 && kind == 0))
            tfm_chat_fail(p->work, TFM_ERROR_UNSUPPORTED, "the arguments of a call are out of order");
        if (kind > stage) stage = kind;
        if (kind == 1) {
            argument = tfm_chat_node(p, NODE_KEYWORD);
            argument->value = tfm_chat_expect_name(p);
            tfm_chat_advance(p);
            argument->a = tfm_chat_parse_expression(p);
        } else {
            argument = tfm_chat_parse_expression(p);
            if (kind > 0) {
                argument = unary(p, NODE_SPREAD, argument);
                argument->op = kind - 1;
            }
        }
        tfm_chat_link(&end, argument);
    }
    tfm_chat_expect(p, ")");
    return first;
}

static chat_node *parse_call(chat_parser *p, chat_node *what) {
    chat_node *node = unary(p, NODE_CALL, what);
    node->b = parse_arguments(p);
    return node;
}

static chat_node *parse_postfix(chat_parser *p, chat_node *node) {
    while (p->work->status == TFM_OK) {
        if (tfm_chat_skip(p, "."))
            node = parse_attribute(p, node);
        else if (tfm_chat_skip(p, "["))
            node = parse_subscript(p, node);
        else if (tfm_chat_skip(p, "("))
            node = parse_call(p, node);
        else
            return node;
    }
    return node;
}

/* What may never be reached is not refused, but said. */
static void note_unknown(chat_parser *p, const char *what, const chat_string *name, uint32_t line) {
    if (p->note != NULL && p->note[0] == '\0')
        snprintf(p->note, p->note_size, "chat template, line %u: the %s '%.*s' is not known", line, what,
                 (int)(name->n < 60 ? name->n : 60), name->data);
}

static chat_node *parse_filter(chat_parser *p, chat_node *input) {
    chat_node *node = unary(p, NODE_FILTER, input);
    node->value = tfm_chat_expect_name(p);
    if (p->work->status != TFM_OK) return node;
    node->function = tfm_chat_find_filter(node->value.string);
    if (node->function == NULL) note_unknown(p, "filter", node->value.string, node->line);
    if (tfm_chat_skip(p, "(")) node->b = parse_arguments(p);
    return node;
}

/* An argument of a test without brackets: a name, a constant, a list or a dictionary. */
static bool at_bare_argument(const chat_parser *p) {
    chat_token_type type = p->token.type;
    if (type == TOKEN_NAME)
        return !tfm_chat_at_name(p, "else") && !tfm_chat_at_name(p, "or") && !tfm_chat_at_name(p, "and");
    return type == TOKEN_CONSTANT_STRING || type == TOKEN_CONSTANT_INT || type == TOKEN_CONSTANT_FLOAT ||
           tfm_chat_at(p, "[") || tfm_chat_at(p, "{");
}

static chat_node *parse_test(chat_parser *p, chat_node *input) {
    chat_node *node = unary(p, NODE_TEST, input);
    bool negated = tfm_chat_skip_name(p, "not");
    node->value = tfm_chat_expect_name(p);
    if (p->work->status != TFM_OK) return node;
    node->function = tfm_chat_find_test(node->value.string);
    if (node->function == NULL) note_unknown(p, "test", node->value.string, node->line);
    if (tfm_chat_skip(p, "(")) {
        node->b = parse_arguments(p);
    } else if (at_bare_argument(p)) {
        if (tfm_chat_at_name(p, "is")) tfm_chat_fail(p->work, TFM_ERROR_UNSUPPORTED, "tests cannot be chained");
        node->b = parse_postfix(p, parse_primary(p, false));
    }
    return negated ? unary(p, NODE_NOT, node) : node;
}

chat_node *tfm_chat_parse_filters(chat_parser *p, chat_node *input, bool first) {
    chat_node *node = input;
    while (p->work->status == TFM_OK) {
        if (first || tfm_chat_skip(p, "|"))
            node = parse_filter(p, node);
        else if (input != NULL && tfm_chat_skip_name(p, "is"))
            node = parse_test(p, node);
        else if (input != NULL && tfm_chat_skip(p, "("))
            node = parse_call(p, node);
        else
            return node;
        first = false;
    }
    return node;
}
