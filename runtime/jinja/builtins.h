/* builtins.h - filters, tests, methods and functions that chat templates can use. */
#ifndef TFM_RUNTIME_JINJA_BUILTINS_H
#define TFM_RUNTIME_JINJA_BUILTINS_H

#include "value.h"

#define JINJA_PARAMETERS_MAX 5

typedef struct jinja_context jinja_context;

/* Arguments of a call, positional and by keyword; and, once they are bound to parameters, one for each of those. */
typedef struct jinja_arguments {
    const jinja_list *positional;
    const jinja_dict *keyword;
    jinja_value bound[JINJA_PARAMETERS_MAX]; /* JINJA_MISSING: not given */
} jinja_arguments;

struct jinja_builtin {
    const char *name;
    const char *parameters; /* names with spaces between them; NULL: any number, not bound */
    uint32_t required;      /* how many of them must be given */
    jinja_value (*run)(jinja_context *c, jinja_value self, const jinja_arguments *arguments);
};

/* A function of a builtin that is one expression of c, self and a. */
#define JINJA_BUILTIN(name, expression)                                                                                \
    static jinja_value name(jinja_context *c, jinja_value self, const jinja_arguments *a) {                            \
        (void)c, (void)self, (void)a;                                                                                  \
        return expression;                                                                                             \
    }

/* A method of a value, or an attribute of it that is not known. */
struct jinja_method {
    jinja_value self;
    const jinja_string *name;
    const jinja_builtin *function; /* NULL: not known */
};

const jinja_builtin *tfm_jinja_find_filter(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_test(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_function(const jinja_string *name);
/* The method, or whatever attribute Python's type has under this name; false: it has none. */
bool tfm_jinja_find_method(jinja_value self, const jinja_string *name, const jinja_builtin **function);

/* ---- their tables ---- */

const jinja_builtin *tfm_jinja_find_str_filter(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_number_filter(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_list_filter(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_str_method(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_builtin(const jinja_builtin *table, size_t n, const jinja_string *name);

/* ---- calling ---- */

/* Binds the arguments and runs it; fails if function is NULL. kind and name are for what is said then. */
jinja_value tfm_jinja_call_builtin(jinja_context *c, const jinja_builtin *function, const char *kind,
                                   const jinja_string *name, jinja_value self, const jinja_list *positional,
                                   const jinja_dict *keyword);
/* "the KIND 'NAME' WHAT" */
void tfm_jinja_fail_call(jinja_context *c, tfm_status status, const char *kind, const jinja_string *name,
                         const char *what);

#endif
