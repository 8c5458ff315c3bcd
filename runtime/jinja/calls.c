/* calls.c - calling macros, functions, methods, filters and tests. */
#include <string.h>

#include "interpreter.h"

static void refuse(jinja_context *c, tfm_status status, const char *kind, const jinja_string *name, const char *what) {
    tfm_jinja_fail(&c->work, status, "the %s '%.*s' %s", kind, (int)(name->n < 60 ? name->n : 60), name->data, what);
}

/* ---- arguments ---- */

static void add_all(jinja_context *c, jinja_list *places, jinja_value values) {
    if (tfm_jinja_refuse_undefined(c, values)) return;
    const jinja_list *items = tfm_jinja_items(&c->work, values);
    for (size_t i = 0; i < items->n; i++) tfm_jinja_push(&c->work, places, items->items[i]);
}

static void add_name(jinja_context *c, jinja_dict *names, jinja_value name, jinja_value value) {
    if (c->work.status != TFM_OK) return;
    if (name.type != JINJA_STRING)
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "the name of an argument is no string");
    else if (tfm_jinja_get(&c->work, names, name))
        refuse(c, TFM_ERROR_ARGUMENT, "argument", name.string, "is given twice");
    else
        tfm_jinja_set(&c->work, names, name, value);
}

static void add_all_names(jinja_context *c, jinja_dict *names, jinja_value values) {
    if (values.type != JINJA_DICT) {
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "** needs a dictionary");
        return;
    }
    for (size_t i = 0; i < values.dict->n; i++)
        add_name(c, names, values.dict->entries[i].key, values.dict->entries[i].value);
}

/* False after a failure. */
static bool evaluate_arguments(jinja_context *c, const jinja_node *node, jinja_list **places, jinja_dict **names) {
    jinja_value list = tfm_jinja_list(&c->work, JINJA_A_TUPLE, 0), dict = tfm_jinja_dict(&c->work);
    if (c->work.status != TFM_OK) return false;
    *places = list.list;
    *names = dict.dict;
    for (; node && c->work.status == TFM_OK; node = node->next) {
        bool wrapped = node->type == NODE_KEYWORD || node->type == NODE_SPREAD;
        jinja_value value = tfm_jinja_evaluate(c, wrapped ? node->a : node);
        if (c->work.status != TFM_OK) break;
        if (!wrapped)
            tfm_jinja_push(&c->work, *places, value);
        else if (node->type == NODE_KEYWORD)
            add_name(c, *names, node->value, value);
        else if (node->op == 1)
            add_all(c, *places, value);
        else
            add_all_names(c, *names, value);
    }
    return c->work.status == TFM_OK;
}

/* The number of a parameter in a list of names with spaces between them, or -1. */
static int parameter_number(const char *parameters, const jinja_string *name) {
    int number = 0;
    for (const char *word = parameters; *word != '\0'; number++) {
        size_t n = strcspn(word, " ");
        if (n == name->n && memcmp(word, name->data, n) == 0) return number;
        word += n;
        word += strspn(word, " ");
    }
    return -1;
}

static size_t parameter_count(const char *parameters) {
    size_t n = *parameters != '\0';
    for (; *parameters != '\0'; parameters++) n += *parameters == ' ';
    return n;
}

static bool bind(jinja_context *c, const jinja_builtin *function, const char *kind, const jinja_string *name,
                 jinja_arguments *a) {
    size_t n = parameter_count(function->parameters);
    if (a->places->n > n) {
        refuse(c, TFM_ERROR_ARGUMENT, kind, name, "gets too many arguments");
        return false;
    }
    for (size_t i = 0; i < a->places->n; i++) a->at[i] = a->places->items[i];
    for (size_t i = 0; i < a->names->n; i++) {
        int number = parameter_number(function->parameters, a->names->entries[i].key.string);
        if (number < 0 || a->at[number].type != JINJA_MISSING) {
            refuse(c, TFM_ERROR_ARGUMENT, kind, name, "gets an argument by a name it has not or twice");
            return false;
        }
        a->at[number] = a->names->entries[i].value;
    }
    for (size_t i = 0; i < function->required; i++) {
        if (a->at[i].type != JINJA_MISSING) continue;
        refuse(c, TFM_ERROR_ARGUMENT, kind, name, "needs more arguments");
        return false;
    }
    return true;
}

jinja_value tfm_jinja_apply(jinja_context *c, const jinja_builtin *function, const char *kind, const jinja_string *name,
                            jinja_value self, const jinja_list *places, const jinja_dict *names) {
    jinja_arguments a = {.places = places, .names = names};
    for (size_t i = 0; i < JINJA_PARAMETERS_MAX; i++) a.at[i].type = JINJA_MISSING;
    if (c->work.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    if (!function || !function->run) {
        refuse(c, TFM_ERROR_UNSUPPORTED, kind, name, "is not known");
        return JINJA_UNDEFINED_VALUE;
    }
    if (function->parameters && !bind(c, function, kind, name, &a)) return JINJA_UNDEFINED_VALUE;
    jinja_value value = function->run(c, self, &a);
    return c->work.status == TFM_OK ? value : JINJA_UNDEFINED_VALUE;
}

/* ---- macros ---- */

static void define_word(jinja_context *c, const char *word, jinja_value value) {
    jinja_value name = tfm_jinja_text(&c->work, word, strlen(word));
    if (c->work.status == TFM_OK) tfm_jinja_define(c, name.string, value);
}

/* A parameter's argument: by place, else by name, else its default. Counts what is used. */
static void bind_parameter(jinja_context *c, const jinja_node *parameter, size_t i, const jinja_list *places,
                           const jinja_dict *names, size_t *n_used) {
    jinja_value value;
    const jinja_value *named = tfm_jinja_get(&c->work, names, parameter->value);
    if (i < places->n) {
        value = places->items[i];
    } else if (named) {
        value = *named;
        ++*n_used;
    } else if (parameter->a) {
        value = tfm_jinja_evaluate(c, parameter->a);
    } else {
        const jinja_string *name = parameter->value.string;
        value = tfm_jinja_undefined(&c->work, name->data, name->n);
    }
    tfm_jinja_define(c, parameter->value.string, value);
}

/* Arguments that are left over go where the macro's body asks for them, or are refused. */
static void bind_rest(jinja_context *c, const jinja_macro *macro, size_t n_parameters, const jinja_list *places,
                      const jinja_dict *names, size_t n_used, jinja_value caller) {
    uint32_t uses = macro->node->op;
    const jinja_string *name = macro->node->value.string;
    bool has_caller = caller.type != JINJA_MISSING;
    jinja_value more = tfm_jinja_list(&c->work, JINJA_A_TUPLE, 0), others = tfm_jinja_dict(&c->work);
    for (size_t i = n_parameters; i < places->n && c->work.status == TFM_OK; i++)
        tfm_jinja_push(&c->work, more.list, places->items[i]);
    for (size_t i = 0; i < names->n && c->work.status == TFM_OK; i++) {
        bool is_parameter = false;
        for (const jinja_node *p = macro->node->a; p && !is_parameter; p = p->next)
            is_parameter = tfm_jinja_equal(&c->work, p->value, names->entries[i].key);
        if (!is_parameter) tfm_jinja_set(&c->work, others.dict, names->entries[i].key, names->entries[i].value);
    }
    if (c->work.status != TFM_OK) return;
    if (n_used + others.dict->n < names->n) refuse(c, TFM_ERROR_ARGUMENT, "macro", name, "gets an argument twice");
    if (more.list->n > 0 && !(uses & MACRO_USES_VARARGS))
        refuse(c, TFM_ERROR_ARGUMENT, "macro", name, "gets too many arguments");
    if (others.dict->n > 0 && !(uses & MACRO_USES_KWARGS))
        refuse(c, TFM_ERROR_ARGUMENT, "macro", name, "gets an argument by a name it has not");
    if (has_caller && !(uses & MACRO_USES_CALLER))
        refuse(c, TFM_ERROR_ARGUMENT, "macro", name, "is called with a block, which it does not use");
    if (uses & MACRO_USES_VARARGS) define_word(c, "varargs", more);
    if (uses & MACRO_USES_KWARGS) define_word(c, "kwargs", others);
    if (uses & MACRO_USES_CALLER)
        define_word(c, "caller", has_caller ? caller : tfm_jinja_undefined(&c->work, "'caller'", 8));
}

static jinja_value call_macro(jinja_context *c, const jinja_macro *macro, const jinja_list *places,
                              const jinja_dict *names, jinja_value caller) {
    jinja_scope inside = {.outer = macro->scope}, *scope = tfm_jinja_take(&c->work, 1, sizeof *scope),
                *outer = c->scope;
    jinja_buffer made = {0}, *out = c->out;
    size_t i = 0, n_used = 0;
    if (!scope) return JINJA_UNDEFINED_VALUE;
    *scope = inside;
    c->scope = scope;
    c->out = &made;
    for (const jinja_node *p = macro->node->a; p; p = p->next) bind_parameter(c, p, i++, places, names, &n_used);
    bind_rest(c, macro, i, places, names, n_used, caller);
    if (c->work.status == TFM_OK) tfm_jinja_run(c, macro->node->b);
    c->scope = outer;
    c->out = out;
    return tfm_jinja_buffer_text(&c->work, &made);
}

/* ---- calls ---- */

static jinja_value call(jinja_context *c, jinja_value what, const jinja_list *places, const jinja_dict *names,
                        jinja_value caller) {
    jinja_string name = {.data = "", .n = 0};
    if (what.type == JINJA_MACRO) return call_macro(c, what.macro, places, names, caller);
    if (caller.type != JINJA_MISSING)
        tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "a call block of something that is no macro is not known");
    if (what.type == JINJA_METHOD)
        return tfm_jinja_apply(c, what.method->function, "method", what.method->name, what.method->self, places, names);
    if (what.type == JINJA_FUNCTION) {
        name = (jinja_string){.data = what.function->name, .n = strlen(what.function->name)};
        return tfm_jinja_apply(c, what.function, "function", &name, JINJA_NONE_VALUE, places, names);
    }
    if (!tfm_jinja_refuse_undefined(c, what)) {
        if (what.type == JINJA_LOOP) tfm_jinja_fail(&c->work, TFM_ERROR_UNSUPPORTED, "recursive loops are not known");
        tfm_jinja_fail(&c->work, TFM_ERROR_ARGUMENT, "a %s cannot be called", tfm_jinja_type_name(what));
    }
    return JINJA_UNDEFINED_VALUE;
}

jinja_value tfm_jinja_call_node(jinja_context *c, const jinja_node *node, jinja_value caller) {
    jinja_list *places;
    jinja_dict *names;
    jinja_value what = tfm_jinja_evaluate(c, node->a);
    if (!evaluate_arguments(c, node->b, &places, &names)) return JINJA_UNDEFINED_VALUE;
    c->work.line = node->line;
    if (!tfm_jinja_enter(&c->work)) return JINJA_UNDEFINED_VALUE;
    jinja_value value = call(c, what, places, names, caller);
    tfm_jinja_leave(&c->work);
    return value;
}

jinja_value tfm_jinja_filter_node(jinja_context *c, const jinja_node *node) {
    jinja_list *places;
    jinja_dict *names;
    jinja_value input = node->a ? tfm_jinja_evaluate(c, node->a) : c->block;
    if (!evaluate_arguments(c, node->b, &places, &names)) return JINJA_UNDEFINED_VALUE;
    c->work.line = node->line;
    return tfm_jinja_apply(c, node->function, node->type == NODE_FILTER ? "filter" : "test", node->value.string, input,
                           places, names);
}
