/* expressions.c - what the expressions of a chat template come to. */
#include "interpreter.h"

static jinja_value optional(jinja_context *c, const jinja_node *node) {
    return node ? tfm_jinja_evaluate(c, node) : JINJA_NONE_VALUE;
}

static jinja_value item_of(jinja_context *c, const jinja_node *node) {
    jinja_value object = tfm_jinja_evaluate(c, node->a);
    if (node->b->type != JINJA_NODE_SLICE) return tfm_jinja_get_item(c, object, tfm_jinja_evaluate(c, node->b));
    jinja_value start = optional(c, node->b->a), stop = optional(c, node->b->b), step = optional(c, node->b->c);
    return tfm_jinja_slice(c, object, start, stop, step);
}

/* ---- the others ---- */

static jinja_value name_of(jinja_context *c, const jinja_string *name) {
    jinja_value value;
    if (tfm_jinja_lookup(c, name, &value)) return value;
    const jinja_builtin *function = tfm_jinja_find_function(name);
    if (function) return (jinja_value){.type = JINJA_FUNCTION, .function = function};
    return tfm_jinja_no_such(c, name);
}

static jinja_value sequence(jinja_context *c, const jinja_node *node, jinja_list_kind kind) {
    jinja_value list = tfm_jinja_new_list(&c->state, kind, 0);
    for (const jinja_node *item = node->a; item && c->state.status == TFM_OK; item = item->next)
        tfm_jinja_list_append(&c->state, list.list, tfm_jinja_evaluate(c, item));
    return list;
}

static jinja_value dictionary(jinja_context *c, const jinja_node *node) {
    jinja_value dict = tfm_jinja_new_dict(&c->state);
    for (const jinja_node *pair = node->a; pair && c->state.status == TFM_OK; pair = pair->next) {
        jinja_value key = tfm_jinja_evaluate(c, pair->a), value = tfm_jinja_evaluate(c, pair->b);
        tfm_jinja_dict_set(&c->state, dict.dict, key, value);
    }
    return dict;
}

static jinja_value negated(jinja_context *c, const jinja_node *node) {
    jinja_value value = tfm_jinja_evaluate(c, node->a);
    if (tfm_jinja_fail_if_undefined(&c->state, value)) return value;
    if (!tfm_jinja_is_number(value)) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a sign before a %s", tfm_jinja_type_name(value));
        return value;
    }
    if (node->type == JINJA_NODE_NEGATIVE) {
        if (value.type == JINJA_FLOAT) return jinja_float(-value.real);
        return tfm_jinja_arithmetic(c, JINJA_OPERATOR_SUBTRACT, jinja_int(0), value);
    }
    return value.type == JINJA_BOOL ? jinja_int(value.boolean) : value;
}

static jinja_value concatenation(jinja_context *c, const jinja_node *node) {
    jinja_buffer text = {0};
    for (const jinja_node *part = node->a; part && c->state.status == TFM_OK; part = part->next)
        tfm_jinja_append_str(c, &text, tfm_jinja_evaluate(c, part));
    return tfm_jinja_buffer_string(&c->state, &text);
}

static jinja_value comparison(jinja_context *c, const jinja_node *node) {
    jinja_value left = tfm_jinja_evaluate(c, node->a);
    for (const jinja_node *operand = node->b; operand; operand = operand->next) {
        jinja_value right = tfm_jinja_evaluate(c, operand->a);
        if (c->state.status != TFM_OK || !tfm_jinja_relation(c, (jinja_operator)operand->op, left, right))
            return jinja_bool(false);
        left = right;
    }
    return jinja_bool(true);
}

static jinja_value evaluate(jinja_context *c, const jinja_node *node) {
    jinja_value a;
    switch (node->type) {
    case JINJA_NODE_CONSTANT: return node->value;
    case JINJA_NODE_NAME: return name_of(c, node->value.string);
    case JINJA_NODE_LIST: return sequence(c, node, JINJA_KIND_LIST);
    case JINJA_NODE_TUPLE: return sequence(c, node, JINJA_KIND_TUPLE);
    case JINJA_NODE_DICT: return dictionary(c, node);
    case JINJA_NODE_ATTRIBUTE: return tfm_jinja_get_attribute(c, tfm_jinja_evaluate(c, node->a), node->value.string);
    case JINJA_NODE_ITEM: return item_of(c, node);
    case JINJA_NODE_CALL: return tfm_jinja_evaluate_call(c, node, (jinja_value){.type = JINJA_MISSING});
    case JINJA_NODE_FILTER:
    case JINJA_NODE_TEST: return tfm_jinja_evaluate_filter(c, node);
    case JINJA_NODE_NOT: return jinja_bool(!tfm_jinja_truth(tfm_jinja_evaluate(c, node->a)));
    case JINJA_NODE_NEGATIVE:
    case JINJA_NODE_POSITIVE: return negated(c, node);
    case JINJA_NODE_AND:
        a = tfm_jinja_evaluate(c, node->a);
        return tfm_jinja_truth(a) ? tfm_jinja_evaluate(c, node->b) : a;
    case JINJA_NODE_OR:
        a = tfm_jinja_evaluate(c, node->a);
        return tfm_jinja_truth(a) ? a : tfm_jinja_evaluate(c, node->b);
    case JINJA_NODE_ARITHMETIC:
        a = tfm_jinja_evaluate(c, node->a);
        return tfm_jinja_arithmetic(c, (jinja_operator)node->op, a, tfm_jinja_evaluate(c, node->b));
    case JINJA_NODE_CONCAT: return concatenation(c, node);
    case JINJA_NODE_COMPARE: return comparison(c, node);
    case JINJA_NODE_CONDITION:
        if (tfm_jinja_truth(tfm_jinja_evaluate(c, node->a))) return tfm_jinja_evaluate(c, node->b);
        return node->c ? tfm_jinja_evaluate(c, node->c)
                       : tfm_jinja_new_undefined(&c->state, "a condition without else", 24);
    default: tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "this expression is not known");
    }
    return JINJA_UNDEFINED_VALUE;
}

jinja_value tfm_jinja_evaluate(jinja_context *c, const jinja_node *node) {
    if (!tfm_jinja_enter(&c->state)) return JINJA_UNDEFINED_VALUE;
    c->state.line = node->line;
    jinja_value value = evaluate(c, node);
    tfm_jinja_leave(&c->state);
    return c->state.status == TFM_OK ? value : JINJA_UNDEFINED_VALUE;
}
