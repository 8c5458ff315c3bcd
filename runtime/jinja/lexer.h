/*
 * lexer.h - a chat template as tokens, with the white space of trim_blocks and lstrip_blocks.
 */
#ifndef TFM_RUNTIME_JINJA_LEXER_H
#define TFM_RUNTIME_JINJA_LEXER_H

#include "value.h"

typedef enum jinja_token_type {
    JINJA_TOKEN_END,
    JINJA_TOKEN_DATA, /* text outside of tags */
    JINJA_TOKEN_BLOCK_BEGIN,
    JINJA_TOKEN_BLOCK_END,
    JINJA_TOKEN_OUTPUT_BEGIN,
    JINJA_TOKEN_OUTPUT_END,
    JINJA_TOKEN_NAME,
    JINJA_TOKEN_CONSTANT_STRING,
    JINJA_TOKEN_CONSTANT_INT,
    JINJA_TOKEN_CONSTANT_FLOAT,
    JINJA_TOKEN_PUNCTUATION, /* text is one of the operators */
} jinja_token_type;

typedef struct jinja_token {
    jinja_token_type type;
    uint32_t line;
    const char *text;
    size_t n;
    jinja_value value; /* constants */
} jinja_token;

#define JINJA_BRACKETS_MAX 128

typedef struct jinja_lexer {
    const char *text;
    size_t n, at;
    uint32_t line;
    jinja_token_type mode; /* JINJA_TOKEN_DATA, JINJA_TOKEN_BLOCK_BEGIN or JINJA_TOKEN_OUTPUT_BEGIN: what we are in */
    char brackets[JINJA_BRACKETS_MAX]; /* those that are open in a tag */
    size_t n_brackets;
    jinja_token_type begin; /* a tag that begins after the data just given, or JINJA_TOKEN_END */
} jinja_lexer;

/* The text must stay; its line ends are \n and none is at its end (tfm_jinja_normalize_newlines). */
void tfm_jinja_next_token(jinja_state *state, jinja_lexer *lexer, jinja_token *token);
/* Copies a template with \n at the ends of lines and without the last one. */
jinja_value tfm_jinja_normalize_newlines(jinja_state *state, const char *text, size_t n);

#endif
