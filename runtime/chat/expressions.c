/* expressions.c - what the expressions of a chat template come to. */
#include <string.h>

#include "interpreter.h"

bool tfm_chat_refuse_undefined(chat_context *c, chat_value value) {
    if (value.type != CHAT_UNDEFINED) return false;
    const chat_string *name = value.string;
    tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "%.*s is undefined", name ? (int)(name->n < 200 ? name->n : 200) : 7,
                  name ? name->data : "a value");
    return true;
}

/* ---- attributes and items -------------------------------------------------------------------------------------- */

/* An undefined value that remembers what was asked for. */
static chat_value no_such(chat_context *c, const chat_string *name) {
    chat_buffer text = {0};
    tfm_chat_put(&c->work, &text, "'", 1);
    tfm_chat_put(&c->work, &text, name->data, name->n);
    tfm_chat_put(&c->work, &text, "'", 1);
    return tfm_chat_undefined(&c->work, text.n > 0 ? text.data : "", text.n);
}

static bool method(chat_context *c, chat_value object, const chat_string *name, chat_value *value) {
    const chat_builtin *function;
    if (!tfm_chat_find_method(object, name, &function)) return false;
    chat_method *bound = tfm_chat_take(&c->work, 1, sizeof *bound);
    *value = CHAT_UNDEFINED_VALUE;
    if (bound == NULL) return true;
    *bound = (chat_method){.self = object, .name = name, .function = function};
    *value = (chat_value){.type = CHAT_METHOD, .method = bound};
    return true;
}

/* What Python's getattr finds. */
static bool own_attribute(chat_context *c, chat_value object, const chat_string *name, chat_value *value) {
    if (name->n >= 2 && name->data[0] == '_' && name->data[1] == '_') {
        tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "the attribute '%.*s' is not known",
                      (int)(name->n < 60 ? name->n : 60), name->data);
        return false;
    }
    if (object.type == CHAT_LOOP && tfm_chat_loop_attribute(c, object.loop, name, value)) return true;
    if (object.type == CHAT_NAMESPACE) {
        const chat_value *found = tfm_chat_get_name(object.dict, name->data, name->n);
        if (found != NULL) *value = *found;
        return found != NULL;
    }
    if (object.type == CHAT_MACRO && tfm_chat_is(name, "name")) {
        *value = object.macro->node->value;
        return true;
    }
    return method(c, object, name, value);
}

chat_value tfm_chat_attribute(chat_context *c, chat_value object, const chat_string *name) {
    chat_value value;
    if (!tfm_chat_step(&c->work, 1) || tfm_chat_refuse_undefined(c, object)) return CHAT_UNDEFINED_VALUE;
    if (own_attribute(c, object, name, &value)) return value;
    if (object.type == CHAT_DICT) {
        const chat_value *found = tfm_chat_get_name(object.dict, name->data, name->n);
        if (found != NULL) return *found;
    }
    return no_such(c, name);
}

static bool element(chat_context *c, chat_value object, int64_t index, chat_value *value) {
    bool text = object.type == CHAT_STRING;
    if (!text && object.list->kind > CHAT_A_RANGE) return false;
    int64_t n = (int64_t)(text ? object.string->n_chars : object.list->n);
    if (index < 0) index += n;
    if (index < 0 || index >= n) return false;
    if (!text) {
        *value = object.list->items[index];
        return true;
    }
    const chat_string *s = object.string;
    tfm_chat_step_bytes(&c->work, s->n == s->n_chars ? 1 : s->n);
    size_t at = tfm_chat_offset(s, (size_t)index);
    *value = tfm_chat_text(&c->work, s->data + at, tfm_chat_step_char(s->data + at, s->n - at));
    return true;
}

chat_value tfm_chat_item(chat_context *c, chat_value object, chat_value index) {
    chat_value value;
    if (!tfm_chat_step(&c->work, 1) || tfm_chat_refuse_undefined(c, object)) return CHAT_UNDEFINED_VALUE;
    if (object.type == CHAT_DICT) {
        const chat_value *found = tfm_chat_get(&c->work, object.dict, index);
        if (found != NULL) return *found;
    }
    if ((object.type == CHAT_STRING || object.type == CHAT_LIST) &&
        (index.type == CHAT_INT || index.type == CHAT_BOOL) && element(c, object, tfm_chat_whole(index), &value))
        return value;
    if (index.type != CHAT_STRING) return tfm_chat_undefined(&c->work, "an item", 7);
    return own_attribute(c, object, index.string, &value) ? value : no_such(c, index.string);
}

static chat_value optional(chat_context *c, const chat_node *node) {
    return node != NULL ? tfm_chat_evaluate(c, node) : CHAT_NONE_VALUE;
}

static chat_value item_of(chat_context *c, const chat_node *node) {
    chat_value object = tfm_chat_evaluate(c, node->a);
    if (node->b->type != NODE_SLICE) return tfm_chat_item(c, object, tfm_chat_evaluate(c, node->b));
    chat_value start = optional(c, node->b->a), stop = optional(c, node->b->b), step = optional(c, node->b->c);
    return tfm_chat_slice(c, object, start, stop, step);
}

/* ---- the others ------------------------------------------------------------------------------------------------ */

static chat_value name_of(chat_context *c, const chat_string *name) {
    chat_value value;
    if (tfm_chat_lookup(c, name, &value)) return value;
    const chat_builtin *function = tfm_chat_find_function(name);
    if (function != NULL) return (chat_value){.type = CHAT_FUNCTION, .function = function};
    return no_such(c, name);
}

static chat_value sequence(chat_context *c, const chat_node *node, chat_list_kind kind) {
    chat_value list = tfm_chat_list(&c->work, kind, 0);
    for (const chat_node *item = node->a; item != NULL && c->work.status == TFM_OK; item = item->next)
        tfm_chat_push(&c->work, list.list, tfm_chat_evaluate(c, item));
    return list;
}

static chat_value dictionary(chat_context *c, const chat_node *node) {
    chat_value dict = tfm_chat_dict(&c->work);
    for (const chat_node *pair = node->a; pair != NULL && c->work.status == TFM_OK; pair = pair->next) {
        chat_value key = tfm_chat_evaluate(c, pair->a), value = tfm_chat_evaluate(c, pair->b);
        tfm_chat_set(&c->work, dict.dict, key, value);
    }
    return dict;
}

static chat_value negated(chat_context *c, const chat_node *node) {
    chat_value value = tfm_chat_evaluate(c, node->a);
    if (tfm_chat_refuse_undefined(c, value)) return value;
    if (!tfm_chat_is_number(value)) {
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "a sign before a %s", tfm_chat_type_name(value));
        return value;
    }
    if (node->type == NODE_NEGATIVE) {
        if (value.type == CHAT_FLOAT) return chat_float(-value.real);
        return tfm_chat_arithmetic(c, OPERATOR_SUBTRACT, chat_int(0), value);
    }
    return value.type == CHAT_BOOL ? chat_int(value.truth) : value;
}

static chat_value concatenation(chat_context *c, const chat_node *node) {
    chat_buffer text = {0};
    for (const chat_node *part = node->a; part != NULL && c->work.status == TFM_OK; part = part->next)
        tfm_chat_put_str(c, &text, tfm_chat_evaluate(c, part));
    return tfm_chat_buffer_text(&c->work, &text);
}

static chat_value comparison(chat_context *c, const chat_node *node) {
    chat_value left = tfm_chat_evaluate(c, node->a);
    for (const chat_node *operand = node->b; operand != NULL; operand = operand->next) {
        chat_value right = tfm_chat_evaluate(c, operand->a);
        if (c->work.status != TFM_OK || !tfm_chat_relation(c, (chat_operator)operand->op, left, right))
            return chat_bool(false);
        left = right;
    }
    return chat_bool(true);
}

static chat_value evaluate(chat_context *c, const chat_node *node) {
    chat_value a;
    switch (node->type) {
    case NODE_CONSTANT: return node->value;
    case NODE_NAME: return name_of(c, node->value.string);
    case NODE_LIST: return sequence(c, node, CHAT_A_LIST);
    case NODE_TUPLE: return sequence(c, node, CHAT_A_TUPLE);
    case NODE_DICT: return dictionary(c, node);
    case NODE_ATTRIBUTE: return tfm_chat_attribute(c, tfm_chat_evaluate(c, node->a), node->value.string);
    case NODE_ITEM: return item_of(c, node);
    case NODE_CALL: return tfm_chat_call_node(c, node, (chat_value){.type = CHAT_MISSING});
    case NODE_FILTER:
    case NODE_TEST: return tfm_chat_filter_node(c, node);
    case NODE_NOT: return chat_bool(!tfm_chat_truth(tfm_chat_evaluate(c, node->a)));
    case NODE_NEGATIVE:
    case NODE_POSITIVE: return negated(c, node);
    case NODE_AND: a = tfm_chat_evaluate(c, node->a); return tfm_chat_truth(a) ? tfm_chat_evaluate(c, node->b) : a;
    case NODE_OR: a = tfm_chat_evaluate(c, node->a); return tfm_chat_truth(a) ? a : tfm_chat_evaluate(c, node->b);
    case NODE_ARITHMETIC:
        a = tfm_chat_evaluate(c, node->a);
        return tfm_chat_arithmetic(c, (chat_operator)node->op, a, tfm_chat_evaluate(c, node->b));
    case NODE_CONCAT: return concatenation(c, node);
    case NODE_COMPARE: return comparison(c, node);
    case NODE_CONDITION:
        if (tfm_chat_truth(tfm_chat_evaluate(c, node->a))) return tfm_chat_evaluate(c, node->b);
        return node->c != NULL ? tfm_chat_evaluate(c, node->c)
                               : tfm_chat_undefined(&c->work, "a condition without else", 24);
    default: tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "this expression is not known");
    }
    return CHAT_UNDEFINED_VALUE;
}

chat_value tfm_chat_evaluate(chat_context *c, const chat_node *node) {
    if (!tfm_chat_enter(&c->work)) return CHAT_UNDEFINED_VALUE;
    c->work.line = node->line;
    chat_value value = evaluate(c, node);
    tfm_chat_leave(&c->work);
    return c->work.status == TFM_OK ? value : CHAT_UNDEFINED_VALUE;
}
