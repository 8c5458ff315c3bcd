/*
 * interpreter.h - running a chat template. Statements, expressions, attributes and calls call each other, as templates
 * do; all else is called by them. What templates can call is in builtins.h.
 */
#ifndef TFM_RUNTIME_JINJA_INTERPRETER_H
#define TFM_RUNTIME_JINJA_INTERPRETER_H

#include "builtins.h"
#include "syntax.h"

typedef struct jinja_variable jinja_variable;
struct jinja_variable {
    const jinja_string *name;
    jinja_value value;
    jinja_variable *next;
};

/* Names are looked for from the innermost scope outwards; `set` sets in the innermost. */
typedef struct jinja_scope jinja_scope;
struct jinja_scope {
    jinja_scope *outer;
    jinja_variable *variables;
};

struct jinja_context {
    jinja_state state;
    jinja_scope *scope;
    jinja_buffer *out;
    size_t out_max;
    jinja_value block; /* what a block made, for its filters */
};

struct jinja_macro {
    const jinja_node *node;
    jinja_scope *scope; /* where it was defined */
};

/* A loop that runs, and what `loop` says of it. */
struct jinja_loop {
    const jinja_node *node;
    jinja_scope *outer;
    const jinja_list *items;
    size_t at; /* next of items */
    bool filtered;
    int64_t index0;
    bool has_after;
    jinja_value before, current, after;
    int64_t length; /* -1: not yet known */
    jinja_value changed;
};

/* ---- statements.c: statements, variables and loops ---- */

typedef enum jinja_signal { JINJA_GO_ON, JINJA_BREAK, JINJA_CONTINUE } jinja_signal;
jinja_signal tfm_jinja_execute(jinja_context *c, const jinja_node *statements);
void tfm_jinja_assign(jinja_context *c, const jinja_node *target, jinja_value value);
void tfm_jinja_define(jinja_context *c, const jinja_string *name, jinja_value value);
bool tfm_jinja_lookup(jinja_context *c, const jinja_string *name, jinja_value *value);
/* loop.NAME; false: there is no such thing. */
bool tfm_jinja_loop_attribute(jinja_context *c, jinja_loop *loop, const jinja_string *name, jinja_value *value);

/* ---- expressions.c ---- */

jinja_value tfm_jinja_evaluate(jinja_context *c, const jinja_node *node);

/* ---- attributes.c ---- */

/* object.NAME and object[index]; undefined if there is nothing. */
jinja_value tfm_jinja_get_attribute(jinja_context *c, jinja_value object, const jinja_string *name);
jinja_value tfm_jinja_get_item(jinja_context *c, jinja_value object, jinja_value index);
/* An undefined value that remembers what was asked for. */
jinja_value tfm_jinja_no_such(jinja_context *c, const jinja_string *name);

/* ---- calls.c ---- */

/* caller: the macro of a call block, or of type JINJA_MISSING. */
jinja_value tfm_jinja_evaluate_call(jinja_context *c, const jinja_node *node, jinja_value caller);
jinja_value tfm_jinja_evaluate_filter(jinja_context *c, const jinja_node *node); /* and tests */

/* ---- operators.c ---- */

jinja_value tfm_jinja_arithmetic(jinja_context *c, jinja_operator op, jinja_value a, jinja_value b);
bool tfm_jinja_relation(jinja_context *c, jinja_operator op, jinja_value a, jinja_value b);
bool tfm_jinja_contains(jinja_context *c, jinja_value whole, jinja_value part);
jinja_value tfm_jinja_slice(jinja_context *c, jinja_value object, jinja_value start, jinja_value stop,
                            jinja_value step);
jinja_value tfm_jinja_join(jinja_context *c, const jinja_string *separator, const jinja_list *items);

/* ---- print.c and json.c: texts of values as Python's str, repr and json.dumps have them ---- */

jinja_value tfm_jinja_str(jinja_context *c, jinja_value value);
void tfm_jinja_append_str(jinja_context *c, jinja_buffer *out, jinja_value value);
void tfm_jinja_append_repr(jinja_context *c, jinja_buffer *out, jinja_value value);

typedef struct jinja_json_style {
    const jinja_string *indent; /* NULL: all in one line */
    const char *comma, *colon;
    size_t n_comma, n_colon;
    bool ascii, sorted;
} jinja_json_style;
void tfm_jinja_append_json(jinja_context *c, jinja_buffer *out, jinja_value value, const jinja_json_style *style);

/* ---- str_format.c: the % operator and str.format ---- */

jinja_value tfm_jinja_format_percent(jinja_context *c, const jinja_string *format, jinja_value values);
jinja_value tfm_jinja_format_braces(jinja_context *c, const jinja_string *format, const jinja_arguments *a);

/* ---- case_mapping.c ---- */

typedef enum jinja_case {
    JINJA_UPPER,
    JINJA_LOWER,
    JINJA_TITLE,
    JINJA_CAPITALIZE,
    JINJA_SWAP,
    JINJA_FILTER_TITLE
} jinja_case;
jinja_value tfm_jinja_change_case(jinja_context *c, const jinja_string *string, jinja_case how);
bool tfm_jinja_has_case(jinja_context *c, const jinja_string *string, bool upper);
int tfm_jinja_is_letter(jinja_context *c, uint32_t code); /* 1 upper case, -1 lower case, 0 no letter; ASCII only */

#endif
