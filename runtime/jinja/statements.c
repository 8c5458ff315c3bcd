/* statements.c - running the statements of a chat template: text, conditions, loops, variables. */
#include "interpreter.h"

#include <string.h>

/* ---- variables ---- */

/* Names that were passed over count as work: a scope may have any number of them. */
static jinja_variable *find(jinja_context *c, const jinja_scope *scope, const jinja_string *name) {
    uint64_t n = 0;
    jinja_variable *v = scope->variables;
    while (v && (v->name->n != name->n || memcmp(v->name->data, name->data, name->n) != 0)) {
        v = v->next;
        n++;
    }
    tfm_jinja_charge(&c->state, n / JINJA_NAMES_A_STEP);
    return v;
}

bool tfm_jinja_lookup(jinja_context *c, const jinja_string *name, jinja_value *value) {
    for (const jinja_scope *scope = c->scope; scope; scope = scope->outer) {
        const jinja_variable *variable = find(c, scope, name);
        if (!variable) continue;
        *value = variable->value;
        return true;
    }
    return false;
}

void tfm_jinja_define(jinja_context *c, const jinja_string *name, jinja_value value) {
    if (c->state.status != TFM_OK) return;
    jinja_variable *variable = find(c, c->scope, name);
    if (!variable) {
        variable = tfm_jinja_alloc(&c->state, 1, sizeof *variable);
        if (!variable) return;
        *variable = (jinja_variable){.name = name, .next = c->scope->variables};
        c->scope->variables = variable;
    }
    variable->value = value;
}

/* False after a failure; then nothing is entered. */
static bool enter_scope(jinja_context *c) {
    jinja_scope *scope = tfm_jinja_alloc(&c->state, 1, sizeof *scope);
    if (!scope) return false;
    scope->outer = c->scope;
    c->scope = scope;
    return true;
}

static void leave_scope(jinja_context *c) { c->scope = c->scope->outer; }

static void assign_namespace(jinja_context *c, const jinja_node *target, jinja_value value) {
    jinja_value space;
    if (!tfm_jinja_lookup(c, target->value.string, &space) || space.type != JINJA_NAMESPACE)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "'%.*s' is no namespace, so nothing in it can be set",
                       (int)(target->value.string->n < 60 ? target->value.string->n : 60), target->value.string->data);
    else
        tfm_jinja_dict_set(&c->state, space.dict, target->a->value, value);
}

static void assign_tuple(jinja_context *c, const jinja_node *target, jinja_value value) {
    if (!tfm_jinja_enter(&c->state)) return;
    if (!tfm_jinja_fail_if_undefined(&c->state, value)) {
        const jinja_list *items = tfm_jinja_iterate(&c->state, value);
        size_t i = 0;
        const jinja_node *name = target->a;
        for (; name && i < items->n; name = name->next) tfm_jinja_assign(c, name, items->items[i++]);
        if (name || i < items->n)
            tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "%zu values do not fit the names they are to be given",
                           items->n);
    }
    tfm_jinja_leave(&c->state);
}

void tfm_jinja_assign(jinja_context *c, const jinja_node *target, jinja_value value) {
    if (c->state.status != TFM_OK) return;
    if (target->type == JINJA_NODE_TUPLE)
        assign_tuple(c, target, value);
    else if (target->type == JINJA_NODE_NAMESPACE)
        assign_namespace(c, target, value);
    else
        tfm_jinja_define(c, target->value.string, value);
}

/* ---- loops ---- */

/* Whether a loop's condition takes an item. It sees the names of the item, and none of the body. */
static bool accepts(jinja_context *c, const jinja_loop *loop, jinja_value item) {
    jinja_scope *inside = c->scope;
    c->scope = loop->outer;
    bool accepted = false;
    if (enter_scope(c)) {
        tfm_jinja_assign(c, loop->node->a, item);
        accepted = tfm_jinja_truth(tfm_jinja_evaluate(c, loop->node->c));
    }
    c->scope = inside;
    return accepted && c->state.status == TFM_OK;
}

static bool fetch(jinja_context *c, jinja_loop *loop, jinja_value *item) {
    while (loop->at < loop->items->n && tfm_jinja_charge(&c->state, 1)) {
        *item = loop->items->items[loop->at++];
        if (!loop->filtered || accepts(c, loop, *item)) return true;
    }
    return false;
}

static bool look_ahead(jinja_context *c, jinja_loop *loop) {
    if (!loop->has_after) loop->has_after = fetch(c, loop, &loop->after);
    return loop->has_after;
}

/* How many items there are in all; the condition is asked for the rest of them now. */
static int64_t length_of(jinja_context *c, jinja_loop *loop) {
    if (loop->length < 0 && loop->filtered) {
        jinja_value rest = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, 0), item;
        while (c->state.status == TFM_OK && fetch(c, loop, &item)) tfm_jinja_list_append(&c->state, rest.list, item);
        if (c->state.status != TFM_OK) return 0;
        loop->items = rest.list;
        loop->at = 0;
        loop->filtered = false;
        loop->length = loop->index0 + 1 + loop->has_after + (int64_t)rest.list->n;
    }
    if (loop->length < 0) loop->length = (int64_t)loop->items->n;
    return loop->length;
}

bool tfm_jinja_loop_attribute(jinja_context *c, jinja_loop *loop, const jinja_string *name, jinja_value *value) {
    if (tfm_jinja_string_is(name, "index")) {
        *value = jinja_int(loop->index0 + 1);
    } else if (tfm_jinja_string_is(name, "index0")) {
        *value = jinja_int(loop->index0);
    } else if (tfm_jinja_string_is(name, "first")) {
        *value = jinja_bool(loop->index0 == 0);
    } else if (tfm_jinja_string_is(name, "last")) {
        *value = jinja_bool(!look_ahead(c, loop));
    } else if (tfm_jinja_string_is(name, "length")) {
        *value = jinja_int(length_of(c, loop));
    } else if (tfm_jinja_string_is(name, "revindex")) {
        *value = jinja_int(length_of(c, loop) - loop->index0);
    } else if (tfm_jinja_string_is(name, "revindex0")) {
        *value = jinja_int(length_of(c, loop) - loop->index0 - 1);
    } else if (tfm_jinja_string_is(name, "previtem")) {
        *value = loop->index0 > 0 ? loop->before : tfm_jinja_new_undefined(&c->state, "the previous item", 17);
    } else if (tfm_jinja_string_is(name, "nextitem")) {
        *value = look_ahead(c, loop) ? loop->after : tfm_jinja_new_undefined(&c->state, "the next item", 13);
    } else if (tfm_jinja_string_is(name, "depth")) {
        *value = jinja_int(1);
    } else if (tfm_jinja_string_is(name, "depth0")) {
        *value = jinja_int(0);
    } else {
        return false;
    }
    return true;
}

static bool next_item(jinja_context *c, jinja_loop *loop) {
    jinja_value item;
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

static void run_for(jinja_context *c, const jinja_node *node) {
    static const jinja_string loop_name = {"loop", 4, 4, false};
    jinja_value items = tfm_jinja_evaluate(c, node->b);
    jinja_loop *loop = tfm_jinja_alloc(&c->state, 1, sizeof *loop);
    if (!loop) return;
    *loop = (jinja_loop){.node = node,
                         .outer = c->scope,
                         .items = tfm_jinja_iterate(&c->state, items),
                         .filtered = node->c != NULL,
                         .index0 = -1,
                         .length = -1,
                         .changed = {.type = JINJA_MISSING}};
    jinja_signal signal = JINJA_GO_ON;
    while (signal != JINJA_BREAK && next_item(c, loop)) {
        if (!enter_scope(c)) return;
        tfm_jinja_define(c, &loop_name, (jinja_value){.type = JINJA_LOOP, .loop = loop});
        tfm_jinja_assign(c, node->a, loop->current);
        signal = tfm_jinja_execute(c, node->d);
        leave_scope(c);
    }
    if (loop->index0 >= 0 || !node->e || !enter_scope(c)) return;
    tfm_jinja_execute(c, node->e);
    leave_scope(c);
}

/* ---- other statements ---- */

static jinja_signal run_scope(jinja_context *c, const jinja_node *statements) {
    if (!enter_scope(c)) return JINJA_GO_ON;
    jinja_signal signal = tfm_jinja_execute(c, statements);
    leave_scope(c);
    return signal;
}

/* What statements write, as a string; then what filters make of it. */
static jinja_value capture(jinja_context *c, const jinja_node *statements, const jinja_node *filters,
                           jinja_signal *signal) {
    jinja_buffer made = {0}, *out = c->out;
    c->out = &made;
    *signal = run_scope(c, statements);
    c->out = out;
    jinja_value text = tfm_jinja_buffer_string(&c->state, &made);
    if (!filters) return text;
    jinja_value outer = c->block;
    c->block = text;
    text = tfm_jinja_evaluate(c, filters);
    c->block = outer;
    return text;
}

static void write_value(jinja_context *c, jinja_value value) {
    if (c->state.status != TFM_OK) return;
    tfm_jinja_append_str(c, c->out, value);
    if (c->out->n > c->out_max)
        tfm_jinja_fail(&c->state, TFM_ERROR_LIMIT, "the template makes more than %zu MiB of text", c->out_max >> 20);
}

static jinja_signal run_if(jinja_context *c, const jinja_node *node) {
    while (tfm_jinja_charge(&c->state, 1)) {
        c->state.line = node->line;
        if (tfm_jinja_truth(tfm_jinja_evaluate(c, node->a))) return tfm_jinja_execute(c, node->b);
        if (node->op == 0) return tfm_jinja_execute(c, node->c);
        node = node->c;
    }
    return JINJA_GO_ON;
}

static jinja_signal run_with(jinja_context *c, const jinja_node *node) {
    jinja_value values = tfm_jinja_new_list(&c->state, JINJA_KIND_LIST, 4);
    for (const jinja_node *v = node->b; v && c->state.status == TFM_OK; v = v->next)
        tfm_jinja_list_append(&c->state, values.list, tfm_jinja_evaluate(c, v));
    if (!enter_scope(c)) return JINJA_GO_ON;
    size_t i = 0;
    for (const jinja_node *target = node->a; target && i < values.list->n; target = target->next)
        tfm_jinja_assign(c, target, values.list->items[i++]);
    jinja_signal signal = tfm_jinja_execute(c, node->c);
    leave_scope(c);
    return signal;
}

static jinja_value make_macro(jinja_context *c, const jinja_node *node) {
    jinja_macro *macro = tfm_jinja_alloc(&c->state, 1, sizeof *macro);
    if (!macro) return JINJA_UNDEFINED_VALUE;
    *macro = (jinja_macro){.node = node, .scope = c->scope};
    return (jinja_value){.type = JINJA_MACRO, .macro = macro};
}

static jinja_signal run_one(jinja_context *c, const jinja_node *node) {
    jinja_signal signal = JINJA_GO_ON;
    jinja_value value;
    switch (node->type) {
    case JINJA_NODE_TEXT: write_value(c, node->value); break;
    case JINJA_NODE_OUTPUT: write_value(c, tfm_jinja_evaluate(c, node->a)); break;
    case JINJA_NODE_IF: return run_if(c, node);
    case JINJA_NODE_FOR: run_for(c, node); break;
    case JINJA_NODE_SET: tfm_jinja_assign(c, node->a, tfm_jinja_evaluate(c, node->b)); break;
    case JINJA_NODE_SET_BLOCK:
        value = capture(c, node->c, node->b, &signal);
        tfm_jinja_assign(c, node->a, value);
        break;
    case JINJA_NODE_MACRO: tfm_jinja_define(c, node->value.string, make_macro(c, node)); break;
    case JINJA_NODE_CALL_BLOCK: write_value(c, tfm_jinja_evaluate_call(c, node->a, make_macro(c, node->b))); break;
    case JINJA_NODE_FILTER_BLOCK:
        value = capture(c, node->b, node->a, &signal);
        write_value(c, value);
        break;
    case JINJA_NODE_WITH: return run_with(c, node);
    case JINJA_NODE_SCOPE: return run_scope(c, node->b);
    case JINJA_NODE_BREAK: return JINJA_BREAK;
    case JINJA_NODE_CONTINUE: return JINJA_CONTINUE;
    default: tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "this statement is not known");
    }
    return signal;
}

jinja_signal tfm_jinja_execute(jinja_context *c, const jinja_node *statements) {
    jinja_signal signal = JINJA_GO_ON;
    if (!tfm_jinja_enter(&c->state)) return signal;
    for (const jinja_node *node = statements; node && signal == JINJA_GO_ON; node = node->next) {
        if (!tfm_jinja_charge(&c->state, 1)) break;
        c->state.line = node->line;
        signal = run_one(c, node);
    }
    tfm_jinja_leave(&c->state);
    return signal;
}
