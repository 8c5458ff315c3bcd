/* parse_tokens.c - the token a parser is at, and the nodes it makes. */
#include "parser.h"

#include <stdio.h>
#include <string.h>

void tfm_jinja_advance(jinja_parser *p) {
    if (p->has_ahead)
        p->token = p->ahead;
    else
        tfm_jinja_next_token(p->state, &p->lexer, &p->token);
    p->has_ahead = false;
    p->state->line = p->token.line;
    if (p->state->status != TFM_OK) p->token.type = JINJA_TOKEN_END;
}

const jinja_token *tfm_jinja_peek(jinja_parser *p) {
    if (!p->has_ahead) tfm_jinja_next_token(p->state, &p->lexer, &p->ahead);
    p->has_ahead = true;
    p->state->line = p->token.line;
    return &p->ahead;
}

static bool is_text(const jinja_token *token, jinja_token_type type, const char *text) {
    return token->type == type && token->n == strlen(text) && memcmp(token->text, text, token->n) == 0;
}

bool tfm_jinja_at(const jinja_parser *p, const char *punctuation) {
    return is_text(&p->token, JINJA_TOKEN_PUNCTUATION, punctuation);
}

bool tfm_jinja_at_name(const jinja_parser *p, const char *name) { return is_text(&p->token, JINJA_TOKEN_NAME, name); }

bool tfm_jinja_accept(jinja_parser *p, const char *punctuation) {
    if (!tfm_jinja_at(p, punctuation)) return false;
    tfm_jinja_advance(p);
    return true;
}

bool tfm_jinja_accept_name(jinja_parser *p, const char *name) {
    if (!tfm_jinja_at_name(p, name)) return false;
    tfm_jinja_advance(p);
    return true;
}

void tfm_jinja_unexpected(jinja_parser *p, const char *wanted) {
    const jinja_token *t = &p->token;
    const char *what = t->type == JINJA_TOKEN_BLOCK_END    ? "%}"
                       : t->type == JINJA_TOKEN_OUTPUT_END ? "}}"
                       : t->type == JINJA_TOKEN_END        ? "the end"
                       : t->n > 0                          ? NULL
                                                           : "a constant";
    int n = (int)(t->n < 60 ? t->n : 60);
    if (what)
        tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "expected %s, found %s", wanted, what);
    else
        tfm_jinja_fail(p->state, TFM_ERROR_UNSUPPORTED, "expected %s, found '%.*s'", wanted, n, t->text);
    p->token.type = JINJA_TOKEN_END;
}

void tfm_jinja_expect(jinja_parser *p, const char *punctuation) {
    char wanted[8];
    if (tfm_jinja_accept(p, punctuation)) return;
    snprintf(wanted, sizeof wanted, "'%s'", punctuation);
    tfm_jinja_unexpected(p, wanted);
}

jinja_value tfm_jinja_expect_name(jinja_parser *p) {
    if (p->token.type != JINJA_TOKEN_NAME) {
        tfm_jinja_unexpected(p, "a name");
        return JINJA_UNDEFINED_VALUE;
    }
    jinja_value name = tfm_jinja_new_string(p->state, p->token.text, p->token.n);
    tfm_jinja_advance(p);
    return name;
}

/* After a failure every node is the spare one, so that nobody needs to look for NULL; nothing of it is ever used. */
jinja_node *tfm_jinja_new_node(jinja_parser *p, jinja_node_type type) {
    jinja_node *node = tfm_jinja_alloc(p->state, 1, sizeof *node);
    if (!node) {
        node = &p->spare;
        memset(node, 0, sizeof *node);
    }
    node->type = type;
    node->line = p->token.line;
    return node;
}

void tfm_jinja_append_node(jinja_node ***end, jinja_node *node) {
    **end = node;
    *end = &node->next;
}
