/* builtins.c - finding what templates can call in tables, and calling it. */
#include "interpreter.h"

#include <string.h>

const jinja_builtin *tfm_jinja_find_builtin(const jinja_builtin *table, size_t n, const jinja_string *name) {
    for (size_t i = 0; i < n; i++) {
        if (tfm_jinja_string_is(name, table[i].name)) return &table[i];
    }
    return NULL;
}

/* ---- arguments ---- */

void tfm_jinja_fail_call(jinja_context *c, tfm_status status, const char *kind, const jinja_string *name,
                         const char *what) {
    tfm_jinja_fail(&c->state, status, "the %s '%.*s' %s", kind, (int)(name->n < 60 ? name->n : 60), name->data, what);
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
    if (a->positional->n > n) {
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, kind, name, "gets too many arguments");
        return false;
    }
    for (size_t i = 0; i < a->positional->n; i++) a->bound[i] = a->positional->items[i];
    for (size_t i = 0; i < a->keyword->n; i++) {
        int number = parameter_number(function->parameters, a->keyword->entries[i].key.string);
        if (number < 0 || a->bound[number].type != JINJA_MISSING) {
            tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, kind, name, "gets an argument by a name it has not or twice");
            return false;
        }
        a->bound[number] = a->keyword->entries[i].value;
    }
    for (size_t i = 0; i < function->required; i++) {
        if (a->bound[i].type != JINJA_MISSING) continue;
        tfm_jinja_fail_call(c, TFM_ERROR_ARGUMENT, kind, name, "needs more arguments");
        return false;
    }
    return true;
}

jinja_value tfm_jinja_call_builtin(jinja_context *c, const jinja_builtin *function, const char *kind,
                                   const jinja_string *name, jinja_value self, const jinja_list *positional,
                                   const jinja_dict *keyword) {
    jinja_arguments a = {.positional = positional, .keyword = keyword};
    for (size_t i = 0; i < JINJA_PARAMETERS_MAX; i++) a.bound[i].type = JINJA_MISSING;
    if (c->state.status != TFM_OK) return JINJA_UNDEFINED_VALUE;
    if (!function || !function->run) {
        tfm_jinja_fail_call(c, TFM_ERROR_UNSUPPORTED, kind, name, "is not known");
        return JINJA_UNDEFINED_VALUE;
    }
    if (function->parameters && !bind(c, function, kind, name, &a)) return JINJA_UNDEFINED_VALUE;
    jinja_value value = function->run(c, self, &a);
    return c->state.status == TFM_OK ? value : JINJA_UNDEFINED_VALUE;
}
