/* calls.c - calls of macros, functions and methods, filters and tests. */
#include "interpreter.h"

#include <string.h>

/* ---- arguments ---- */

static void add_all(jinja_context *c, jinja_list *positional, jinja_value values) {
    if (tfm_jinja_fail_if_undefined(&c->state, values)) return;
    const jinja_list *items = tfm_jinja_iterate(&c->state, values);
    for (size_t i = 0; i < items->n; i++) tfm_jinja_list_append(&c->state, positional, items->items[i]);
}

static void add_name(jinja_context *c, jinja_dict *keyword, jinja_value name, jinja_value value) {
    if (c->state.status != TFM_OK) return;
    if (name.type != JINJA_STRING)
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "the name of an argument is no string");
    else if (tfm_jinja_dict_get(&c->state, keyword, name))
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, "argument", name.string, "is given twice");
    else
        tfm_jinja_dict_set(&c->state, keyword, name, value);
}

static void add_all_names(jinja_context *c, jinja_dict *keyword, jinja_value values) {
    if (values.type != JINJA_DICT) {
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "** needs a dictionary");
        return;
    }
    for (size_t i = 0; i < values.dict->n; i++)
        add_name(c, keyword, values.dict->entries[i].key, values.dict->entries[i].value);
}

/* False after a failure. */
static bool evaluate_arguments(jinja_context *c, const jinja_node *node, jinja_list **positional,
                               jinja_dict **keyword) {
    jinja_value list = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 0), dict = tfm_jinja_new_dict(&c->state);
    if (c->state.status != TFM_OK) return false;
    *positional = list.list;
    *keyword = dict.dict;
    for (; node && c->state.status == TFM_OK; node = node->next) {
        bool wrapped = node->type == JINJA_NODE_KEYWORD || node->type == JINJA_NODE_SPREAD;
        jinja_value value = tfm_jinja_evaluate(c, wrapped ? node->a : node);
        if (c->state.status != TFM_OK) break;
        if (!wrapped)
            tfm_jinja_list_append(&c->state, *positional, value);
        else if (node->type == JINJA_NODE_KEYWORD)
            add_name(c, *keyword, node->value, value);
        else if (node->op == 1)
            add_all(c, *positional, value);
        else
            add_all_names(c, *keyword, value);
    }
    return c->state.status == TFM_OK;
}

/* ---- macros ---- */

static void define_word(jinja_context *c, const char *word, jinja_value value) {
    jinja_value name = tfm_jinja_new_string(&c->state, word, strlen(word));
    if (c->state.status == TFM_OK) tfm_jinja_define(c, name.string, value);
}

/* A parameter's argument: by place, else by name, else its default. Counts what is used. */
static void bind_parameter(jinja_context *c, const jinja_node *parameter, size_t i, const jinja_list *positional,
                           const jinja_dict *keyword, size_t *n_used) {
    jinja_value value;
    const jinja_value *named = tfm_jinja_dict_get(&c->state, keyword, parameter->value);
    if (i < positional->n) {
        value = positional->items[i];
    } else if (named) {
        value = *named;
        ++*n_used;
    } else if (parameter->a) {
        value = tfm_jinja_evaluate(c, parameter->a);
    } else {
        const jinja_string *name = parameter->value.string;
        value = tfm_jinja_new_undefined(&c->state, name->data, name->n);
    }
    tfm_jinja_define(c, parameter->value.string, value);
}

/* Arguments that are left over go where the macro's body asks for them, or are refused. */
static void bind_rest(jinja_context *c, const jinja_macro *macro, size_t n_parameters, const jinja_list *positional,
                      const jinja_dict *keyword, size_t n_used, jinja_value caller) {
    uint32_t uses = macro->node->op;
    const jinja_string *name = macro->node->value.string;
    bool has_caller = caller.type != JINJA_MISSING;
    jinja_value more = tfm_jinja_new_list(&c->state, JINJA_KIND_TUPLE, 0), others = tfm_jinja_new_dict(&c->state);
    for (size_t i = n_parameters; i < positional->n && c->state.status == TFM_OK; i++)
        tfm_jinja_list_append(&c->state, more.list, positional->items[i]);
    for (size_t i = 0; i < keyword->n && c->state.status == TFM_OK; i++) {
        bool is_parameter = false;
        for (const jinja_node *p = macro->node->a; p && !is_parameter; p = p->next)
            is_parameter = tfm_jinja_equal(&c->state, p->value, keyword->entries[i].key);
        if (!is_parameter)
            tfm_jinja_dict_set(&c->state, others.dict, keyword->entries[i].key, keyword->entries[i].value);
    }
    if (c->state.status != TFM_OK) return;
    if (n_used + others.dict->n < keyword->n)
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, "macro", name, "gets an argument twice");
    if (more.list->n > 0 && !(uses & JINJA_MACRO_USES_VARARGS))
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, "macro", name, "gets too many arguments");
    if (others.dict->n > 0 && !(uses & JINJA_MACRO_USES_KWARGS))
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, "macro", name, "gets an argument by a name it has not");
    if (has_caller && !(uses & JINJA_MACRO_USES_CALLER))
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, "macro", name, "is called with a block, which it does not use");
    if (uses & JINJA_MACRO_USES_VARARGS) define_word(c, "varargs", more);
    if (uses & JINJA_MACRO_USES_KWARGS) define_word(c, "kwargs", others);
    if (uses & JINJA_MACRO_USES_CALLER)
        define_word(c, "caller", has_caller ? caller : tfm_jinja_new_undefined(&c->state, "'caller'", 8));
}

static jinja_value call_macro(jinja_context *c, const jinja_macro *macro, const jinja_list *positional,
                              const jinja_dict *keyword, jinja_value caller) {
    jinja_scope inside = {.outer = macro->scope}, *scope = tfm_jinja_alloc(&c->state, 1, sizeof *scope),
                *outer = c->scope;
    jinja_buffer made = {0}, *out = c->out;
    size_t i = 0, n_used = 0;
    if (!scope) return JINJA_UNDEFINED_VALUE;
    *scope = inside;
    c->scope = scope;
    c->out = &made;
    for (const jinja_node *p = macro->node->a; p; p = p->next) bind_parameter(c, p, i++, positional, keyword, &n_used);
    bind_rest(c, macro, i, positional, keyword, n_used, caller);
    if (c->state.status == TFM_OK) tfm_jinja_execute(c, macro->node->b);
    c->scope = outer;
    c->out = out;
    return tfm_jinja_buffer_string(&c->state, &made);
}

/* ---- calls ---- */

static jinja_value call(jinja_context *c, jinja_value what, const jinja_list *positional, const jinja_dict *keyword,
                        jinja_value caller) {
    jinja_string name = {.data = "", .n = 0};
    if (what.type == JINJA_MACRO) return call_macro(c, what.macro, positional, keyword, caller);
    if (caller.type != JINJA_MISSING)
        tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "a call block of something that is no macro is not known");
    if (what.type == JINJA_METHOD)
        return tfm_jinja_call_builtin(c, what.method->function, "method", what.method->name, what.method->self,
                                      positional, keyword);
    if (what.type == JINJA_FUNCTION) {
        name = (jinja_string){.data = what.function->name, .n = strlen(what.function->name)};
        return tfm_jinja_call_builtin(c, what.function, "function", &name, JINJA_NONE_VALUE, positional, keyword);
    }
    if (!tfm_jinja_fail_if_undefined(&c->state, what)) {
        if (what.type == JINJA_LOOP) tfm_jinja_fail(&c->state, TFM_ERROR_UNSUPPORTED, "recursive loops are not known");
        tfm_jinja_fail(&c->state, TFM_ERROR_ARGUMENT, "a %s cannot be called", tfm_jinja_type_name(what));
    }
    return JINJA_UNDEFINED_VALUE;
}

jinja_value tfm_jinja_evaluate_call(jinja_context *c, const jinja_node *node, jinja_value caller) {
    jinja_list *positional;
    jinja_dict *keyword;
    jinja_value what = tfm_jinja_evaluate(c, node->a);
    if (!evaluate_arguments(c, node->b, &positional, &keyword)) return JINJA_UNDEFINED_VALUE;
    c->state.line = node->line;
    if (!tfm_jinja_enter(&c->state)) return JINJA_UNDEFINED_VALUE;
    jinja_value value = call(c, what, positional, keyword, caller);
    tfm_jinja_leave(&c->state);
    return value;
}

jinja_value tfm_jinja_evaluate_filter(jinja_context *c, const jinja_node *node) {
    jinja_list *positional;
    jinja_dict *keyword;
    jinja_value input = node->a ? tfm_jinja_evaluate(c, node->a) : c->block;
    if (!evaluate_arguments(c, node->b, &positional, &keyword)) return JINJA_UNDEFINED_VALUE;
    c->state.line = node->line;
    return tfm_jinja_call_builtin(c, node->function, node->type == JINJA_NODE_FILTER ? "filter" : "test",
                                  node->value.string, input, positional, keyword);
}
