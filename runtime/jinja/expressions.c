/* expressions.c - what the expressions of a chat template come to. */
#include <string.h>

#include "interpreter.h"

bool tfm_jinja_refuse_undefined(jinja_context *c, jinja_value value) {
    if (value.type != JINJA_UNDEFINED) return false;
    const jinja_string *name = value.string;
    tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "%.*s is undefined", name ? (int)(name->n < 200 ? name->n : 200) : 7,
                   name ? name->data : "a value");
    return true;
}

/* ---- attributes and items ---- */

/* An undefined value that remembers what was asked for. */
static jinja_value no_such(jinja_context *c, const jinja_string *name) {
    jinja_buffer text = {0};
    tfm_jinja_put(&c->work, &text, "'", 1);
    tfm_jinja_put(&c->work, &text, name->data, name->n);
    tfm_jinja_put(&c->work, &text, "'", 1);
    return tfm_jinja_undefined(&c->work, text.n > 0 ? text.data : "", text.n);
}

static bool method(jinja_context *c, jinja_value object, const jinja_string *name, jinja_value *value) {
    const jinja_builtin *function;
    if (!tfm_jinja_find_method(object, name, &function)) return false;
    jinja_method *bound = tfm_jinja_take(&c->work, 1, sizeof *bound);
    *value = JINJA_UNDEFINED_VALUE;
    if (!bound) return true;
    *bound = (jinja_method){.self = object, .name = name, .function = function};
    *value = (jinja_value){.type = JINJA_METHOD, .method = bound};
    return true;
}

/* What Python's getattr finds. */
static bool own_attribute(jinja_context *c, jinja_value object, const jinja_string *name, jinja_value *value) {
    if (name->n >= 2 && name->data[0] == '_' && name->data[1] == '_') {
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "the attribute '%.*s' is not known",
                       (int)(name->n < 60 ? name->n : 60), name->data);
        return false;
    }
    if (object.type == JINJA_LOOP && tfm_jinja_loop_attribute(c, object.loop, name, value)) return true;
    if (object.type == JINJA_NAMESPACE) {
        const jinja_value *found = tfm_jinja_get_name(object.dict, name->data, name->n);
        if (found) *value = *found;
        return found != NULL;
    }
    if (object.type == JINJA_MACRO && tfm_jinja_is(name, "name")) {
        *value = object.macro->node->value;
        return true;
    }
    return method(c, object, name, value);
}

jinja_value tfm_jinja_attribute(jinja_context *c, jinja_value object, const jinja_string *name) {
    jinja_value value;
    if (!tfm_jinja_step(&c->work, 1) || tfm_jinja_refuse_undefined(c, object)) return JINJA_UNDEFINED_VALUE;
    if (own_attribute(c, object, name, &value)) return value;
    if (object.type == JINJA_DICT) {
        const jinja_value *found = tfm_jinja_get_name(object.dict, name->data, name->n);
        if (found) return *found;
    }
    return no_such(c, name);
}

static bool element(jinja_context *c, jinja_value object, int64_t index, jinja_value *value) {
    bool text = object.type == JINJA_STRING;
    if (!text && object.list->kind > JINJA_A_RANGE) return false;
    int64_t n = (int64_t)(text ? object.string->n_chars : object.list->n);
    if (index < 0) index += n;
    if (index < 0 || index >= n) return false;
    if (!text) {
        *value = object.list->items[index];
        return true;
    }
    const jinja_string *s = object.string;
    tfm_jinja_step_bytes(&c->work, s->n == s->n_chars ? 1 : s->n);
    size_t at = tfm_jinja_offset(s, (size_t)index);
    *value = tfm_jinja_text(&c->work, s->data + at, tfm_jinja_step_char(s->data + at, s->n - at));
    return true;
}

jinja_value tfm_jinja_item(jinja_context *c, jinja_value object, jinja_value index) {
    jinja_value value;
    if (!tfm_jinja_step(&c->work, 1) || tfm_jinja_refuse_undefined(c, object)) return JINJA_UNDEFINED_VALUE;
    if (object.type == JINJA_DICT) {
        const jinja_value *found = tfm_jinja_get(&c->work, object.dict, index);
        if (found) return *found;
    }
    if ((object.type == JINJA_STRING || object.type == JINJA_LIST) &&
        (index.type == JINJA_INT || index.type == JINJA_BOOL) && element(c, object, tfm_jinja_whole(index), &value))
        return value;
    if (index.type != JINJA_STRING) return tfm_jinja_undefined(&c->work, "an item", 7);
    return own_attribute(c, object, index.string, &value) ? value : no_such(c, index.string);
}

static jinja_value optional(jinja_context *c, const jinja_node *node) {
    return node ? tfm_jinja_evaluate(c, node) : JINJA_NONE_VALUE;
}

static jinja_value item_of(jinja_context *c, const jinja_node *node) {
    jinja_value object = tfm_jinja_evaluate(c, node->a);
    if (node->b->type != NODE_SLICE) return tfm_jinja_item(c, object, tfm_jinja_evaluate(c, node->b));
    jinja_value start = optional(c, node->b->a), stop = optional(c, node->b->b), step = optional(c, node->b->c);
    return tfm_jinja_slice(c, object, start, stop, step);
}

/* ---- the others ---- */

static jinja_value name_of(jinja_context *c, const jinja_string *name) {
    jinja_value value;
    if (tfm_jinja_lookup(c, name, &value)) return value;
    const jinja_builtin *function = tfm_jinja_find_function(name);
    if (function) return (jinja_value){.type = JINJA_FUNCTION, .function = function};
    return no_such(c, name);
}

static jinja_value sequence(jinja_context *c, const jinja_node *node, jinja_list_kind kind) {
    jinja_value list = tfm_jinja_list(&c->work, kind, 0);
    for (const jinja_node *item = node->a; item && c->work.status == TFM_OK; item = item->next)
        tfm_jinja_push(&c->work, list.list, tfm_jinja_evaluate(c, item));
    return list;
}

static jinja_value dictionary(jinja_context *c, const jinja_node *node) {
    jinja_value dict = tfm_jinja_dict(&c->work);
    for (const jinja_node *pair = node->a; pair && c->work.status == TFM_OK; pair = pair->next) {
        jinja_value key = tfm_jinja_evaluate(c, pair->a), value = tfm_jinja_evaluate(c, pair->b);
        tfm_jinja_set(&c->work, dict.dict, key, value);
    }
    return dict;
}

static jinja_value negated(jinja_context *c, const jinja_node *node) {
    jinja_value value = tfm_jinja_evaluate(c, node->a);
    if (tfm_jinja_refuse_undefined(c, value)) return value;
    if (!tfm_jinja_is_number(value)) {
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a sign before a %s", tfm_jinja_type_name(value));
        return value;
    }
    if (node->type == NODE_NEGATIVE) {
        if (value.type == JINJA_FLOAT) return jinja_float(-value.real);
        return tfm_jinja_arithmetic(c, OPERATOR_SUBTRACT, jinja_int(0), value);
    }
    return value.type == JINJA_BOOL ? jinja_int(value.truth) : value;
}

static jinja_value concatenation(jinja_context *c, const jinja_node *node) {
    jinja_buffer text = {0};
    for (const jinja_node *part = node->a; part && c->work.status == TFM_OK; part = part->next)
        tfm_jinja_put_str(c, &text, tfm_jinja_evaluate(c, part));
    return tfm_jinja_buffer_text(&c->work, &text);
}

static jinja_value comparison(jinja_context *c, const jinja_node *node) {
    jinja_value left = tfm_jinja_evaluate(c, node->a);
    for (const jinja_node *operand = node->b; operand; operand = operand->next) {
        jinja_value right = tfm_jinja_evaluate(c, operand->a);
        if (c->work.status != TFM_OK || !tfm_jinja_relation(c, (jinja_operator)operand->op, left, right))
            return jinja_bool(false);
        left = right;
    }
    return jinja_bool(true);
}

static jinja_value evaluate(jinja_context *c, const jinja_node *node) {
    jinja_value a;
    switch (node->type) {
    case NODE_CONSTANT: return node->value;
    case NODE_NAME: return name_of(c, node->value.string);
    case NODE_LIST: return sequence(c, node, JINJA_A_LIST);
    case NODE_TUPLE: return sequence(c, node, JINJA_A_TUPLE);
    case NODE_DICT: return dictionary(c, node);
    case NODE_ATTRIBUTE: return tfm_jinja_attribute(c, tfm_jinja_evaluate(c, node->a), node->value.string);
    case NODE_ITEM: return item_of(c, node);
    case NODE_CALL: return tfm_jinja_call_node(c, node, (jinja_value){.type = JINJA_MISSING});
    case NODE_FILTER:
    case NODE_TEST: return tfm_jinja_filter_node(c, node);
    case NODE_NOT: return jinja_bool(!tfm_jinja_truth(tfm_jinja_evaluate(c, node->a)));
    case NODE_NEGATIVE:
    case NODE_POSITIVE: return negated(c, node);
    case NODE_AND: a = tfm_jinja_evaluate(c, node->a); return tfm_jinja_truth(a) ? tfm_jinja_evaluate(c, node->b) : a;
    case NODE_OR: a = tfm_jinja_evaluate(c, node->a); return tfm_jinja_truth(a) ? a : tfm_jinja_evaluate(c, node->b);
    case NODE_ARITHMETIC:
        a = tfm_jinja_evaluate(c, node->a);
        return tfm_jinja_arithmetic(c, (jinja_operator)node->op, a, tfm_jinja_evaluate(c, node->b));
    case NODE_CONCAT: return concatenation(c, node);
    case NODE_COMPARE: return comparison(c, node);
    case NODE_CONDITION:
        if (tfm_jinja_truth(tfm_jinja_evaluate(c, node->a))) return tfm_jinja_evaluate(c, node->b);
        return node->c ? tfm_jinja_evaluate(c, node->c) : tfm_jinja_undefined(&c->work, "a condition without else", 24);
    default: tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "this expression is not known");
    }
    return JINJA_UNDEFINED_VALUE;
}

jinja_value tfm_jinja_evaluate(jinja_context *c, const jinja_node *node) {
    if (!tfm_jinja_enter(&c->work)) return JINJA_UNDEFINED_VALUE;
    c->work.line = node->line;
    jinja_value value = evaluate(c, node);
    tfm_jinja_leave(&c->work);
    return c->work.status == TFM_OK ? value : JINJA_UNDEFINED_VALUE;
}
