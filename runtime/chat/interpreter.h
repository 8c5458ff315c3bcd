/*
 * interpreter.h - running a chat template: statements.c, expressions.c, operators.c, calls.c and what templates can
 * call (filters, tests, methods, functions).
 */
#ifndef TFM_CHAT_INTERPRETER_H
#define TFM_CHAT_INTERPRETER_H

#include "builtins.h"
#include "syntax.h"

typedef struct chat_variable chat_variable;
struct chat_variable {
    const chat_string *name;
    chat_value value;
    chat_variable *next;
};

/* Names are looked for from the innermost scope outwards; `set` sets in the innermost. */
typedef struct chat_scope chat_scope;
struct chat_scope {
    chat_scope *outer;
    chat_variable *variables;
};

struct chat_context {
    chat_work work;
    chat_scope *scope;
    chat_buffer *out;
    size_t out_max;
    chat_value block; /* what a block made, for its filters */
};

struct chat_macro {
    const chat_node *node;
    chat_scope *scope; /* where it was defined */
};

/* A loop that runs, and what `loop` says of it. */
struct chat_loop {
    const chat_node *node;
    chat_scope *outer;
    const chat_list *items;
    size_t at; /* next of items */
    bool filtered;
    int64_t index0;
    bool has_after;
    chat_value before, current, after;
    int64_t length; /* -1: not yet known */
    chat_value changed;
};

/* statements.c */
typedef enum chat_signal { CHAT_GO_ON, CHAT_BREAK, CHAT_CONTINUE } chat_signal;
chat_signal tfm_chat_run(chat_context *c, const chat_node *statements);
void tfm_chat_assign(chat_context *c, const chat_node *target, chat_value value);
void tfm_chat_define(chat_context *c, const chat_string *name, chat_value value);
bool tfm_chat_lookup(const chat_context *c, const chat_string *name, chat_value *value);
/* loop.NAME; false: there is no such thing. */
bool tfm_chat_loop_attribute(chat_context *c, chat_loop *loop, const chat_string *name, chat_value *value);

/* expressions.c */
chat_value tfm_chat_evaluate(chat_context *c, const chat_node *node);
chat_value tfm_chat_attribute(chat_context *c, chat_value object, const chat_string *name);
chat_value tfm_chat_item(chat_context *c, chat_value object, chat_value index);
/* What cannot be done with an undefined value; true if it is one. */
bool tfm_chat_refuse_undefined(chat_context *c, chat_value value);

/* operators.c */
chat_value tfm_chat_arithmetic(chat_context *c, chat_operator op, chat_value a, chat_value b);
bool tfm_chat_relation(chat_context *c, chat_operator op, chat_value a, chat_value b);
bool tfm_chat_contains(chat_context *c, chat_value whole, chat_value part);
chat_value tfm_chat_slice(chat_context *c, chat_value object, chat_value start, chat_value stop, chat_value step);
chat_value tfm_chat_join(chat_context *c, const chat_string *separator, const chat_list *items);

/* calls.c */
chat_value tfm_chat_call_node(chat_context *c, const chat_node *node, chat_value caller);
chat_value tfm_chat_filter_node(chat_context *c, const chat_node *node);
chat_value tfm_chat_apply(chat_context *c, const chat_builtin *function, const char *kind, const chat_string *name,
                          chat_value self, const chat_list *places, const chat_dict *names);

/* print.c: texts of values as Python's str, repr and json.dumps have them */
chat_value tfm_chat_str(chat_context *c, chat_value value);
void tfm_chat_put_str(chat_context *c, chat_buffer *out, chat_value value);
void tfm_chat_put_repr(chat_context *c, chat_buffer *out, chat_value value);
typedef struct chat_json_style {
    const chat_string *indent; /* NULL: all in one line */
    const char *comma, *colon;
    size_t n_comma, n_colon;
    bool ascii, sorted;
} chat_json_style;
void tfm_chat_put_json(chat_context *c, chat_buffer *out, chat_value value, const chat_json_style *style);
void tfm_chat_put_number(chat_work *w, chat_buffer *out, chat_value number);

/* format.c: the % operator and str.format */
chat_value tfm_chat_percent(chat_context *c, const chat_string *format, chat_value values);
chat_value tfm_chat_format(chat_context *c, const chat_string *format, const chat_arguments *a);

/* letters.c */
typedef enum chat_case { CHAT_UPPER, CHAT_LOWER, CHAT_TITLE, CHAT_CAPITALIZE, CHAT_SWAP, CHAT_FILTER_TITLE } chat_case;
chat_value tfm_chat_change_case(chat_context *c, const chat_string *string, chat_case how);
bool tfm_chat_has_case(chat_context *c, const chat_string *string, bool upper);
int tfm_chat_is_letter(chat_context *c, uint32_t code); /* 1 upper case, -1 lower case, 0 no letter; ASCII only */

#endif
