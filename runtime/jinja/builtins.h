/* builtins.h - filters, tests, methods and functions that chat templates can use. */
#ifndef TFM_RUNTIME_JINJA_BUILTINS_H
#define TFM_RUNTIME_JINJA_BUILTINS_H

#include "value.h"

#define JINJA_PARAMETERS_MAX 5

typedef struct jinja_context jinja_context;

/* Arguments of a call: by place and by name; and, once they are bound to parameters, one for each of those. */
typedef struct jinja_arguments {
    const jinja_list *places;
    const jinja_dict *names;
    jinja_value at[JINJA_PARAMETERS_MAX]; /* JINJA_MISSING: not given */
} jinja_arguments;

struct jinja_builtin {
    const char *name;
    const char *parameters; /* names with spaces between them; NULL: any number, not bound */
    uint32_t required;      /* how many of them must be given */
    jinja_value (*run)(jinja_context *c, jinja_value self, const jinja_arguments *arguments);
};

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

const jinja_builtin *tfm_jinja_find_text_filter(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_list_filter(const jinja_string *name);
const jinja_builtin *tfm_jinja_find_in(const jinja_builtin *table, size_t n, const jinja_string *name);

#endif
