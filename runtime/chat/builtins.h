/* builtins.h - filters, tests, methods and functions that chat templates can use. */
#ifndef TFM_CHAT_BUILTINS_H
#define TFM_CHAT_BUILTINS_H

#include "value.h"

#define CHAT_PARAMETERS_MAX 5

typedef struct chat_context chat_context;

/* Arguments of a call: by place and by name; and, once they are bound to parameters, one for each of those. */
typedef struct chat_arguments {
    const chat_list *places;
    const chat_dict *names;
    chat_value at[CHAT_PARAMETERS_MAX]; /* CHAT_MISSING: not given */
} chat_arguments;

struct chat_builtin {
    const char *name;
    const char *parameters; /* names with spaces between them; NULL: any number, not bound */
    uint32_t required;      /* how many of them must be given */
    chat_value (*run)(chat_context *c, chat_value self, const chat_arguments *arguments);
};

/* A method of a value, or an attribute of it that is not known. */
struct chat_method {
    chat_value self;
    const chat_string *name;
    const chat_builtin *function; /* NULL: not known */
};

const chat_builtin *tfm_chat_find_filter(const chat_string *name);
const chat_builtin *tfm_chat_find_test(const chat_string *name);
const chat_builtin *tfm_chat_find_function(const chat_string *name);
/* The method, or whatever attribute Python's type has under this name; false: it has none. */
bool tfm_chat_find_method(chat_value self, const chat_string *name, const chat_builtin **function);

const chat_builtin *tfm_chat_find_text_filter(const chat_string *name);
const chat_builtin *tfm_chat_find_list_filter(const chat_string *name);
const chat_builtin *tfm_chat_find_in(const chat_builtin *table, size_t n, const chat_string *name);

#endif
