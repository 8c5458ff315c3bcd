/*
 * syntax.h - a chat template as a tree, and what makes it: the lexer (lexer.c) and the parser (parser.c for statements,
 * parse_expression.c for expressions).
 */
#ifndef TFM_CHAT_SYNTAX_H
#define TFM_CHAT_SYNTAX_H

#include "value.h"

typedef enum chat_token_type {
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
} chat_token_type;

typedef struct chat_token {
    chat_token_type type;
    uint32_t line;
    const char *text;
    size_t n;
    chat_value value; /* constants */
} chat_token;

#define CHAT_BRACKETS_MAX 128

typedef struct chat_lexer {
    const char *text;
    size_t n, at;
    uint32_t line;
    chat_token_type mode;             /* TOKEN_DATA, TOKEN_BLOCK_BEGIN or TOKEN_OUTPUT_BEGIN: what we are in */
    char brackets[CHAT_BRACKETS_MAX]; /* those that are open in a tag */
    size_t n_brackets;
    chat_token_type begin; /* a tag that begins after the data just given, or TOKEN_END */
} chat_lexer;

/* The text must stay; its line ends are \n and none is at its end (tfm_chat_normalize). */
void tfm_chat_next_token(chat_work *w, chat_lexer *lexer, chat_token *token);
/* Copies a template with \n at the ends of lines and without the last one. */
chat_value tfm_chat_normalize(chat_work *w, const char *text, size_t n);

typedef enum chat_node_type {
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
    NODE_ARITHMETIC, /* a, b, op: chat_operator */
    NODE_CONCAT,     /* a: parts */
    NODE_COMPARE,    /* a: first, b: NODE_OPERANDs */
    NODE_OPERAND,    /* a, op: chat_operator */
    NODE_CONDITION,  /* a: test, b: then, c: else or NULL */
} chat_node_type;

typedef enum chat_operator {
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
} chat_operator;

/* Names a macro's body has, which change what it takes. */
enum { MACRO_USES_VARARGS = 1, MACRO_USES_KWARGS = 2, MACRO_USES_CALLER = 4 };

typedef struct chat_node chat_node;
struct chat_node {
    chat_node_type type;
    uint32_t op, line;
    chat_node *next;
    chat_node *a, *b, *c, *d, *e;
    chat_value value;
    const chat_builtin *function; /* NULL: not known */
};

typedef struct chat_parser {
    chat_work *work;
    chat_lexer lexer;
    chat_token token, ahead;
    bool has_ahead;
    uint32_t loops;       /* around us, for break and continue */
    uint32_t *macro_uses; /* of the macro we are in, or NULL */
    char *note;           /* what is not known but may never be reached: the first one */
    size_t note_size;
    chat_node spare;
} chat_parser;

/* The statements of a template, NULL for none or after a failure. */
chat_node *tfm_chat_parse(chat_parser *p, const char *text, size_t n);

/* ---- between the files of the parser --------------------------------------------------------------------------- */

void tfm_chat_advance(chat_parser *p);
const chat_token *tfm_chat_look(chat_parser *p); /* the token after the current one */
bool tfm_chat_at(const chat_parser *p, const char *punctuation);
bool tfm_chat_at_name(const chat_parser *p, const char *name);
bool tfm_chat_skip(chat_parser *p, const char *punctuation);
bool tfm_chat_skip_name(chat_parser *p, const char *name);
void tfm_chat_expect(chat_parser *p, const char *punctuation);
chat_value tfm_chat_expect_name(chat_parser *p);
void tfm_chat_unexpected(chat_parser *p, const char *wanted);
chat_node *tfm_chat_node(chat_parser *p, chat_node_type type);
/* Appends to a list that is linked by next; end is where the next one goes. */
void tfm_chat_link(chat_node ***end, chat_node *node);

chat_node *tfm_chat_parse_expression(chat_parser *p);
/* without_condition: an `if` is not part of it. */
chat_node *tfm_chat_parse_tuple(chat_parser *p, bool without_condition, const char *end_name);
chat_node *tfm_chat_parse_target(chat_parser *p, bool namespaces, const char *end_name);
/* Filters after an input; first: the name of one comes now, without a bar. */
chat_node *tfm_chat_parse_filters(chat_parser *p, chat_node *input, bool first);

#endif
