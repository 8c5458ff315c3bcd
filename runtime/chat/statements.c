/* statements.c - running the statements of a chat template: text, conditions, loops, variables. */
#include <string.h>

#include "interpreter.h"

/* ---- variables ------------------------------------------------------------------------------------------------- */

static chat_variable *find(const chat_scope *scope, const chat_string *name) {
    for (chat_variable *v = scope->variables; v != NULL; v = v->next) {
        if (v->name->n == name->n && memcmp(v->name->data, name->data, name->n) == 0) return v;
    }
    return NULL;
}

bool tfm_chat_lookup(const chat_context *c, const chat_string *name, chat_value *value) {
    for (const chat_scope *scope = c->scope; scope != NULL; scope = scope->outer) {
        const chat_variable *variable = find(scope, name);
        if (variable == NULL) continue;
        *value = variable->value;
        return true;
    }
    return false;
}

void tfm_chat_define(chat_context *c, const chat_string *name, chat_value value) {
    if (c->work.status != TFM_OK) return;
    chat_variable *variable = find(c->scope, name);
    if (variable == NULL) {
        variable = tfm_chat_take(&c->work, 1, sizeof *variable);
        if (variable == NULL) return;
        *variable = (chat_variable){.name = name, .next = c->scope->variables};
        c->scope->variables = variable;
    }
    variable->value = value;
}

/* False after a failure; then nothing is entered. */
static bool enter_scope(chat_context *c) {
    chat_scope *scope = tfm_chat_take(&c->work, 1, sizeof *scope);
    if (scope == NULL) return false;
    scope->outer = c->scope;
    c->scope = scope;
    return true;
}

static void leave_scope(chat_context *c) { c->scope = c->scope->outer; }

static void assign_namespace(chat_context *c, const chat_node *target, chat_value value) {
    chat_value space;
    if (!tfm_chat_lookup(c, target->value.string, &space) || space.type != CHAT_NAMESPACE)
        tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "'%.*s' is no namespace, so nothing in it can be set",
                      (int)(target->value.string->n < 60 ? target->value.string->n : 60), target->value.string->data);
    else
        tfm_chat_set(&c->work, space.dict, target->a->value, value);
}

static void assign_tuple(chat_context *c, const chat_node *target, chat_value value) {
    if (!tfm_chat_enter(&c->work)) return;
    if (!tfm_chat_refuse_undefined(c, value)) {
        const chat_list *items = tfm_chat_items(&c->work, value);
        size_t i = 0;
        const chat_node *name = target->a;
        for (; name != NULL && i < items->n; name = name->next) tfm_chat_assign(c, name, items->items[i++]);
        if (name != NULL || i < items->n)
            tfm_chat_fail(&c->work, TFM_ERROR_ARGUMENT, "%zu values do not fit the names they are to be given",
                          items->n);
    }
    tfm_chat_leave(&c->work);
}

void tfm_chat_assign(chat_context *c, const chat_node *target, chat_value value) {
    if (c->work.status != TFM_OK) return;
    if (target->type == NODE_TUPLE)
        assign_tuple(c, target, value);
    else if (target->type == NODE_NAMESPACE)
        assign_namespace(c, target, value);
    else
        tfm_chat_define(c, target->value.string, value);
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

/* Whether a loop's condition takes an item. It sees the names of the item, and none of the body. */
static bool accepts(chat_context *c, const chat_loop *loop, chat_value item) {
    chat_scope *inside = c->scope;
    c->scope = loop->outer;
    bool accepted = false;
    if (enter_scope(c)) {
        tfm_chat_assign(c, loop->node->a, item);
        accepted = tfm_chat_truth(tfm_chat_evaluate(c, loop->node->c));
    }
    c->scope = inside;
    return accepted && c->work.status == TFM_OK;
}

static bool fetch(chat_context *c, chat_loop *loop, chat_value *item) {
    while (loop->at < loop->items->n && tfm_chat_step(&c->work, 1)) {
        *item = loop->items->items[loop->at++];
        if (!loop->filtered || accepts(c, loop, *item)) return true;
    }
    return false;
}

static bool look_ahead(chat_context *c, chat_loop *loop) {
    if (!loop->has_after) loop->has_after = fetch(c, loop, &loop->after);
    return loop->has_after;
}

/* How many items there are in all; the condition is asked for the rest of them now. */
static int64_t length_of(chat_context *c, chat_loop *loop) {
    if (loop->length < 0 && loop->filtered) {
        chat_value rest = tfm_chat_list(&c->work, CHAT_A_LIST, 0), item;
        while (c->work.status == TFM_OK && fetch(c, loop, &item)) tfm_chat_push(&c->work, rest.list, item);
        if (c->work.status != TFM_OK) return 0;
        loop->items = rest.list;
        loop->at = 0;
        loop->filtered = false;
        loop->length = loop->index0 + 1 + loop->has_after + (int64_t)rest.list->n;
    }
    if (loop->length < 0) loop->length = (int64_t)loop->items->n;
    return loop->length;
}

bool tfm_chat_loop_attribute(chat_context *c, chat_loop *loop, const chat_string *name, chat_value *value) {
    if (tfm_chat_is(name, "index")) {
        *value = chat_int(loop->index0 + 1);
    } else if (tfm_chat_is(name, "index0")) {
        *value = chat_int(loop->index0);
    } else if (tfm_chat_is(name, "first")) {
        *value = chat_bool(loop->index0 == 0);
    } else if (tfm_chat_is(name, "last")) {
        *value = chat_bool(!look_ahead(c, loop));
    } else if (tfm_chat_is(name, "length")) {
        *value = chat_int(length_of(c, loop));
    } else if (tfm_chat_is(name, "revindex")) {
        *value = chat_int(length_of(c, loop) - loop->index0);
    } else if (tfm_chat_is(name, "revindex0")) {
        *value = chat_int(length_of(c, loop) - loop->index0 - 1);
    } else if (tfm_chat_is(name, "previtem")) {
        *value = loop->index0 > 0 ? loop->before : tfm_chat_undefined(&c->work, "the previous item", 17);
    } else if (tfm_chat_is(name, "nextitem")) {
        *value = look_ahead(c, loop) ? loop->after : tfm_chat_undefined(&c->work, "the next item", 13);
    } else if (tfm_chat_is(name, "depth")) {
        *value = chat_int(1);
    } else if (tfm_chat_is(name, "depth0")) {
        *value = chat_int(0);
    } else {
        return false;
    }
    return true;
}

static bool next_item(chat_context *c, chat_loop *loop) {
    chat_value item;
    if (loop->has_after)
        item = loop->after;
    else if (!fetch(c, loop, &item))
        return false;
    loop->has_after = false;
    loop->index0++;
    loop->before = loop->current;
    loop->current = item;
    return true;
}

static void run_for(chat_context *c, const chat_node *node) {
    static const chat_string loop_name = {"loop", 4, 4, false};
    chat_value items = tfm_chat_evaluate(c, node->b);
    chat_loop *loop = tfm_chat_take(&c->work, 1, sizeof *loop);
    if (loop == NULL) return;
    *loop = (chat_loop){.node = node,
                        .outer = c->scope,
                        .items = tfm_chat_items(&c->work, items),
                        .filtered = node->c != NULL,
                        .index0 = -1,
                        .length = -1,
                        .changed = {.type = CHAT_MISSING}};
    chat_signal signal = CHAT_GO_ON;
    while (signal != CHAT_BREAK && next_item(c, loop)) {
        if (!enter_scope(c)) return;
        tfm_chat_define(c, &loop_name, (chat_value){.type = CHAT_LOOP, .loop = loop});
        tfm_chat_assign(c, node->a, loop->current);
        signal = tfm_chat_run(c, node->d);
        leave_scope(c);
    }
    if (loop->index0 >= 0 || node->e == NULL || !enter_scope(c)) return;
    tfm_chat_run(c, node->e);
    leave_scope(c);
}

/* ---- other statements ------------------------------------------------------------------------------------------ */

static chat_signal run_scope(chat_context *c, const chat_node *statements) {
    if (!enter_scope(c)) return CHAT_GO_ON;
    chat_signal signal = tfm_chat_run(c, statements);
    leave_scope(c);
    return signal;
}

/* What statements write, as a string; then what filters make of it. */
static chat_value capture(chat_context *c, const chat_node *statements, const chat_node *filters, chat_signal *signal) {
    chat_buffer made = {0}, *out = c->out;
    c->out = &made;
    *signal = run_scope(c, statements);
    c->out = out;
    chat_value text = tfm_chat_buffer_text(&c->work, &made);
    if (filters == NULL) return text;
    chat_value outer = c->block;
    c->block = text;
    text = tfm_chat_evaluate(c, filters);
    c->block = outer;
    return text;
}

static void write_value(chat_context *c, chat_value value) {
    if (c->work.status != TFM_OK) return;
    tfm_chat_put_str(c, c->out, value);
    if (c->out->n > c->out_max)
        tfm_chat_fail(&c->work, TFM_ERROR_LIMIT, "the template makes more than %zu MiB of text", c->out_max >> 20);
}

static chat_signal run_if(chat_context *c, const chat_node *node) {
    while (tfm_chat_step(&c->work, 1)) {
        c->work.line = node->line;
        if (tfm_chat_truth(tfm_chat_evaluate(c, node->a))) return tfm_chat_run(c, node->b);
        if (node->op == 0) return tfm_chat_run(c, node->c);
        node = node->c;
    }
    return CHAT_GO_ON;
}

static chat_signal run_with(chat_context *c, const chat_node *node) {
    chat_value values = tfm_chat_list(&c->work, CHAT_A_LIST, 4);
    for (const chat_node *v = node->b; v != NULL && c->work.status == TFM_OK; v = v->next)
        tfm_chat_push(&c->work, values.list, tfm_chat_evaluate(c, v));
    if (!enter_scope(c)) return CHAT_GO_ON;
    size_t i = 0;
    for (const chat_node *target = node->a; target != NULL && i < values.list->n; target = target->next)
        tfm_chat_assign(c, target, values.list->items[i++]);
    chat_signal signal = tfm_chat_run(c, node->c);
    leave_scope(c);
    return signal;
}

static chat_value make_macro(chat_context *c, const chat_node *node) {
    chat_macro *macro = tfm_chat_take(&c->work, 1, sizeof *macro);
    if (macro == NULL) return CHAT_UNDEFINED_VALUE;
    *macro = (chat_macro){.node = node, .scope = c->scope};
    return (chat_value){.type = CHAT_MACRO, .macro = macro};
}

static chat_signal run_one(chat_context *c, const chat_node *node) {
    chat_signal signal = CHAT_GO_ON;
    chat_value value;
    switch (node->type) {
    case NODE_TEXT: write_value(c, node->value); break;
    case NODE_OUTPUT: write_value(c, tfm_chat_evaluate(c, node->a)); break;
    case NODE_IF: return run_if(c, node);
    case NODE_FOR: run_for(c, node); break;
    case NODE_SET: tfm_chat_assign(c, node->a, tfm_chat_evaluate(c, node->b)); break;
    case NODE_SET_BLOCK:
        value = capture(c, node->c, node->b, &signal);
        tfm_chat_assign(c, node->a, value);
        break;
    case NODE_MACRO: tfm_chat_define(c, node->value.string, make_macro(c, node)); break;
    case NODE_CALL_BLOCK: write_value(c, tfm_chat_call_node(c, node->a, make_macro(c, node->b))); break;
    case NODE_FILTER_BLOCK:
        value = capture(c, node->b, node->a, &signal);
        write_value(c, value);
        break;
    case NODE_WITH: return run_with(c, node);
    case NODE_SCOPE: return run_scope(c, node->b);
    case NODE_BREAK: return CHAT_BREAK;
    case NODE_CONTINUE: return CHAT_CONTINUE;
    default: tfm_chat_fail(&c->work, TFM_ERROR_UNSUPPORTED, "this statement is not known");
    }
    return signal;
}

chat_signal tfm_chat_run(chat_context *c, const chat_node *statements) {
    chat_signal signal = CHAT_GO_ON;
    if (!tfm_chat_enter(&c->work)) return signal;
    for (const chat_node *node = statements; node != NULL && signal == CHAT_GO_ON; node = node->next) {
        if (!tfm_chat_step(&c->work, 1)) break;
        c->work.line = node->line;
        signal = run_one(c, node);
    }
    tfm_chat_leave(&c->work);
    return signal;
}
