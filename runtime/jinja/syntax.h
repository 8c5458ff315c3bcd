/*
 * syntax.h - a chat template as a tree: what the parser makes and the interpreter runs.
 */
#ifndef TFM_RUNTIME_JINJA_SYNTAX_H
#define TFM_RUNTIME_JINJA_SYNTAX_H

#include "value.h"

typedef enum jinja_node_type {
    /* statements; lists of nodes are linked by next */
    JINJA_NODE_TEXT,         /* value */
    JINJA_NODE_OUTPUT,       /* a: expression */
    JINJA_NODE_IF,           /* a: test, b: then, c: else; op 1: c is the elif */
    JINJA_NODE_FOR,          /* a: target, b: what to go through, c: condition or NULL, d: body, e: else */
    JINJA_NODE_SET,          /* a: target, b: expression */
    JINJA_NODE_SET_BLOCK,    /* a: target, b: filters or NULL, c: body */
    JINJA_NODE_MACRO,        /* value: name, a: parameters (names, a of each: default), b: body, op: macro_uses */
    JINJA_NODE_CALL_BLOCK,   /* a: call, b: macro */
    JINJA_NODE_FILTER_BLOCK, /* a: filters, b: body */
    JINJA_NODE_WITH,         /* a: targets, b: expressions, c: body */
    JINJA_NODE_SCOPE,        /* b: body */
    JINJA_NODE_BREAK,
    JINJA_NODE_CONTINUE,
    /* expressions */
    JINJA_NODE_CONSTANT,   /* value */
    JINJA_NODE_NAME,       /* value */
    JINJA_NODE_NAMESPACE,  /* as a target: value: name, a: JINJA_NODE_NAME of the attribute */
    JINJA_NODE_LIST,       /* a: items */
    JINJA_NODE_TUPLE,      /* a: items */
    JINJA_NODE_DICT,       /* a: NODE_PAIRs */
    JINJA_NODE_PAIR,       /* a: key, b: value */
    JINJA_NODE_ATTRIBUTE,  /* a: object, value: name */
    JINJA_NODE_ITEM,       /* a: object, b: index or JINJA_NODE_SLICE */
    JINJA_NODE_SLICE,      /* a, b, c: start, stop, step or NULL */
    JINJA_NODE_CALL,       /* a: what, b: arguments */
    JINJA_NODE_KEYWORD,    /* an argument: value: name, a: expression */
    JINJA_NODE_SPREAD,     /* an argument: a: expression; op 1: *, 2: ** */
    JINJA_NODE_FILTER,     /* a: input or NULL (what a block made), value: name, b: arguments, function */
    JINJA_NODE_TEST,       /* likewise */
    JINJA_NODE_NOT,        /* a */
    JINJA_NODE_NEGATIVE,   /* a */
    JINJA_NODE_POSITIVE,   /* a */
    JINJA_NODE_AND,        /* a, b */
    JINJA_NODE_OR,         /* a, b */
    JINJA_NODE_ARITHMETIC, /* a, b, op: jinja_operator */
    JINJA_NODE_CONCAT,     /* a: parts */
    JINJA_NODE_COMPARE,    /* a: first, b: NODE_OPERANDs */
    JINJA_NODE_OPERAND,    /* a, op: jinja_operator */
    JINJA_NODE_CONDITION,  /* a: test, b: then, c: else or NULL */
} jinja_node_type;

typedef enum jinja_operator {
    JINJA_OPERATOR_ADD,
    JINJA_OPERATOR_SUBTRACT,
    JINJA_OPERATOR_MULTIPLY,
    JINJA_OPERATOR_DIVIDE,
    JINJA_OPERATOR_FLOOR_DIVIDE,
    JINJA_OPERATOR_MODULO,
    JINJA_OPERATOR_POWER,
    JINJA_OPERATOR_EQUAL,
    JINJA_OPERATOR_UNEQUAL,
    JINJA_OPERATOR_LESS,
    JINJA_OPERATOR_LESS_EQUAL,
    JINJA_OPERATOR_GREATER,
    JINJA_OPERATOR_GREATER_EQUAL,
    JINJA_OPERATOR_IN,
    JINJA_OPERATOR_NOT_IN,
} jinja_operator;

/* Names a macro's body has, which change what it takes. */
enum { JINJA_MACRO_USES_VARARGS = 1, JINJA_MACRO_USES_KWARGS = 2, JINJA_MACRO_USES_CALLER = 4 };

typedef struct jinja_node jinja_node;
struct jinja_node {
    jinja_node_type type;
    uint32_t op, line;
    jinja_node *next;
    jinja_node *a, *b, *c, *d, *e;
    jinja_value value;
    const jinja_builtin *function; /* NULL: not known */
};

#endif
