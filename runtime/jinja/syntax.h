/*
 * syntax.h - a chat template as a tree, and what makes it: the lexer (lexer.c) and the parser (parser.c for statements,
 * parse_expression.c for expressions).
 */
#ifndef TFM_RUNTIME_JINJA_SYNTAX_H
#define TFM_RUNTIME_JINJA_SYNTAX_H

#include "value.h"

typedef enum jinja_token_type {
    TOKEN_END,
    TOKEN_DATA, /* text outside of tags */
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_OUTPUT_BEGIN,
    TOKEN_OUTPUT_END,
    TOKEN_NAME,
    TOKEN_CONSTANT_STRING,
    TOKEN_CONSTANT_INT,
    TOKEN_CONSTANT_FLOAT,
    TOKEN_PUNCTUATION, /* text is one of the operators */
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
    jinja_token_type mode;             /* TOKEN_DATA, TOKEN_BLOCK_BEGIN or TOKEN_OUTPUT_BEGIN: what we are in */
    char brackets[JINJA_BRACKETS_MAX]; /* those that are open in a tag */
    size_t n_brackets;
    jinja_token_type begin; /* a tag that begins after the data just given, or TOKEN_END */
} jinja_lexer;

/* The text must stay; its line ends are \n and none is at its end (tfm_jinja_normalize). */
void tfm_jinja_next_token(jinja_work *w, jinja_lexer *lexer, jinja_token *token);
/* Copies a template with \n at the ends of lines and without the last one. */
jinja_value tfm_jinja_normalize(jinja_work *w, const char *text, size_t n);

typedef enum jinja_node_type {
    /* statements; lists of nodes are linked by next */
    NODE_TEXT,         /* value */
    NODE_OUTPUT,       /* a: expression */
    NODE_IF,           /* a: test, b: then, c: else; op 1: c is the elif */
    NODE_FOR,          /* a: target, b: what to go through, c: condition or NULL, d: body, e: else */
    NODE_SET,          /* a: target, b: expression */
    NODE_SET_BLOCK,    /* a: target, b: filters or NULL, c: body */
    NODE_MACRO,        /* value: name, a: parameters (names, a of each: default), b: body, op: macro_uses */
    NODE_CALL_BLOCK,   /* a: call, b: macro */
    NODE_FILTER_BLOCK, /* a: filters, b: body */
    NODE_WITH,         /* a: targets, b: expressions, c: body */
    NODE_SCOPE,        /* b: body */
    NODE_BREAK,
    NODE_CONTINUE,
    /* expressions */
    NODE_CONSTANT,   /* value */
    NODE_NAME,       /* value */
    NODE_NAMESPACE,  /* as a target: value: name, a: NODE_NAME of the attribute */
    NODE_LIST,       /* a: items */
    NODE_TUPLE,      /* a: items */
    NODE_DICT,       /* a: NODE_PAIRs */
    NODE_PAIR,       /* a: key, b: value */
    NODE_ATTRIBUTE,  /* a: object, value: name */
    NODE_ITEM,       /* a: object, b: index or NODE_SLICE */
    NODE_SLICE,      /* a, b, c: start, stop, step or NULL */
    NODE_CALL,       /* a: what, b: arguments */
    NODE_KEYWORD,    /* an argument: value: name, a: expression */
    NODE_SPREAD,     /* an argument: a: expression; op 1: *, 2: ** */
    NODE_FILTER,     /* a: input or NULL (what a block made), value: name, b: arguments, function */
    NODE_TEST,       /* likewise */
    NODE_NOT,        /* a */
    NODE_NEGATIVE,   /* a */
    NODE_POSITIVE,   /* a */
    NODE_AND,        /* a, b */
    NODE_OR,         /* a, b */
    NODE_ARITHMETIC, /* a, b, op: jinja_operator */
    NODE_CONCAT,     /* a: parts */
    NODE_COMPARE,    /* a: first, b: NODE_OPERANDs */
    NODE_OPERAND,    /* a, op: jinja_operator */
    NODE_CONDITION,  /* a: test, b: then, c: else or NULL */
} jinja_node_type;

typedef enum jinja_operator {
    OPERATOR_ADD,
    OPERATOR_SUBTRACT,
    OPERATOR_MULTIPLY,
    OPERATOR_DIVIDE,
    OPERATOR_FLOOR_DIVIDE,
    OPERATOR_MODULO,
    OPERATOR_POWER,
    OPERATOR_EQUAL,
    OPERATOR_UNEQUAL,
    OPERATOR_LESS,
    OPERATOR_LESS_EQUAL,
    OPERATOR_GREATER,
    OPERATOR_GREATER_EQUAL,
    OPERATOR_IN,
    OPERATOR_NOT_IN,
} jinja_operator;

/* Names a macro's body has, which change what it takes. */
enum { MACRO_USES_VARARGS = 1, MACRO_USES_KWARGS = 2, MACRO_USES_CALLER = 4 };

typedef struct jinja_node jinja_node;
struct jinja_node {
    jinja_node_type type;
    uint32_t op, line;
    jinja_node *next;
    jinja_node *a, *b, *c, *d, *e;
    jinja_value value;
    const jinja_builtin *function; /* NULL: not known */
};

typedef struct jinja_parser {
    jinja_work *work;
    jinja_lexer lexer;
    jinja_token token, ahead;
    bool has_ahead;
    uint32_t loops;       /* around us, for break and continue */
    uint32_t *macro_uses; /* of the macro we are in, or NULL */
    char *note;           /* what is not known but may never be reached: the first one */
    size_t note_size;
    jinja_node spare;
} jinja_parser;

/* The statements of a template, NULL for none or after a failure. */
jinja_node *tfm_jinja_parse(jinja_parser *p, const char *text, size_t n);

/* ---- between the files of the parser ---- */

void tfm_jinja_advance(jinja_parser *p);
const jinja_token *tfm_jinja_look(jinja_parser *p); /* the token after the current one */
bool tfm_jinja_at(const jinja_parser *p, const char *punctuation);
bool tfm_jinja_at_name(const jinja_parser *p, const char *name);
bool tfm_jinja_skip(jinja_parser *p, const char *punctuation);
bool tfm_jinja_skip_name(jinja_parser *p, const char *name);
void tfm_jinja_expect(jinja_parser *p, const char *punctuation);
jinja_value tfm_jinja_expect_name(jinja_parser *p);
void tfm_jinja_unexpected(jinja_parser *p, const char *wanted);
jinja_node *tfm_jinja_node(jinja_parser *p, jinja_node_type type);
/* Appends to a list that is linked by next; end is where the next one goes. */
void tfm_jinja_link(jinja_node ***end, jinja_node *node);

jinja_node *tfm_jinja_parse_expression(jinja_parser *p);
/* without_condition: an `if` is not part of it. */
jinja_node *tfm_jinja_parse_tuple(jinja_parser *p, bool without_condition, const char *end_name);
jinja_node *tfm_jinja_parse_target(jinja_parser *p, bool namespaces, const char *end_name);
/* Filters after an input; first: the name of one comes now, without a bar. */
jinja_node *tfm_jinja_parse_filters(jinja_parser *p, jinja_node *input, bool first);

#endif
