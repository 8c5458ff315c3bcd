/*
 * parser.h - reading a chat template into its tree: parse_tokens.c, on it parse_expression.c, on both parser.c.
 */
#ifndef TFM_RUNTIME_JINJA_PARSER_H
#define TFM_RUNTIME_JINJA_PARSER_H

#include "lexer.h"
#include "syntax.h"

typedef struct jinja_parser {
    jinja_state *state;
    jinja_lexer lexer;
    jinja_token token, ahead;
    bool has_ahead;
    uint32_t loops;       /* around us, for break and continue */
    uint32_t *macro_uses; /* of the macro we are in, or NULL */
    char *note;           /* what is not known but may never be reached: the first one */
    size_t note_size;
    jinja_node spare;
} jinja_parser;

/* parser.c: the statements of a template, NULL for none or after a failure. */
jinja_node *tfm_jinja_parse(jinja_parser *p, const char *text, size_t n);

/* ---- parse_tokens.c ---- */

void tfm_jinja_advance(jinja_parser *p);
const jinja_token *tfm_jinja_peek(jinja_parser *p); /* the token after the current one */
bool tfm_jinja_at(const jinja_parser *p, const char *punctuation);
bool tfm_jinja_at_name(const jinja_parser *p, const char *name);
bool tfm_jinja_accept(jinja_parser *p, const char *punctuation);
bool tfm_jinja_accept_name(jinja_parser *p, const char *name);
void tfm_jinja_expect(jinja_parser *p, const char *punctuation);
jinja_value tfm_jinja_expect_name(jinja_parser *p);
void tfm_jinja_unexpected(jinja_parser *p, const char *wanted);
jinja_node *tfm_jinja_new_node(jinja_parser *p, jinja_node_type type);
/* Appends to a list that is linked by next; end is where the next one goes. */
void tfm_jinja_append_node(jinja_node ***end, jinja_node *node);

/* ---- parse_expression.c ---- */

jinja_node *tfm_jinja_parse_expression(jinja_parser *p);
/* without_condition: an `if` is not part of it. */
jinja_node *tfm_jinja_parse_tuple(jinja_parser *p, bool without_condition, const char *end_name);
jinja_node *tfm_jinja_parse_target(jinja_parser *p, bool namespaces, const char *end_name);
/* Filters after an input; first: the name of one comes now, without a bar. */
jinja_node *tfm_jinja_parse_filters(jinja_parser *p, jinja_node *input, bool first);

#endif
