/*
 * value.h - values of chat templates, and the memory that holds them until all of it is given back at once.
 *
 * Strings are UTF-8; what is no UTF-8 counts as one character a byte. Lists and dictionaries never change once a
 * template sees them, as in the sandbox in which transformers renders; only namespaces do.
 */
#ifndef TFM_RUNTIME_JINJA_VALUE_H
#define TFM_RUNTIME_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/tfm.h"

typedef struct jinja_block jinja_block;

/* Parsing and rendering each have one: memory, work done, and the first failure. After a failure everything goes on
 * harmlessly with undefined values until someone looks. */
typedef struct jinja_work {
    jinja_block *blocks;
    char *free;
    size_t left;           /* bytes at free */
    size_t used, used_max; /* bytes taken from the system */
    uint64_t steps, steps_max;
    uint32_t line;  /* of the template, where the work is */
    uint32_t depth; /* of nested calls of ours */
    tfm_status status;
    tfm_error error;
} jinja_work;

typedef enum jinja_type {
    JINJA_UNDEFINED,
    JINJA_MISSING, /* an argument that was not given; no template sees it */
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INT,
    JINJA_FLOAT,
    JINJA_STRING,
    JINJA_LIST,
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_LOOP,
    JINJA_MACRO,
    JINJA_FUNCTION,
    JINJA_METHOD,
} jinja_type;

typedef struct jinja_string {
    const char *data;
    size_t n, n_chars;
    bool markup; /* passed through the filter safe */
} jinja_string;

typedef struct jinja_list jinja_list;
typedef struct jinja_dict jinja_dict;
typedef struct jinja_loop jinja_loop;
typedef struct jinja_macro jinja_macro;
typedef struct jinja_method jinja_method;
typedef struct jinja_builtin jinja_builtin;

typedef struct jinja_value {
    jinja_type type;
    union {
        bool truth;
        int64_t number;
        double real;
        const jinja_string *string; /* of an undefined value: what is undefined, or NULL */
        jinja_list *list;
        jinja_dict *dict; /* of a namespace too */
        jinja_loop *loop;
        const jinja_macro *macro;
        const jinja_builtin *function;
        const jinja_method *method;
    };
} jinja_value;

/* What Python makes of a sequence. Iterators can be gone through once. */
typedef enum jinja_list_kind {
    JINJA_A_LIST,
    JINJA_A_TUPLE,
    JINJA_A_RANGE,
    JINJA_KEYS,
    JINJA_VALUES,
    JINJA_ITEMS,
    JINJA_AN_ITERATOR,
} jinja_list_kind;

struct jinja_list {
    jinja_list_kind kind;
    bool used_up; /* iterators */
    size_t n, size;
    jinja_value *items;
    int64_t start, stop, step; /* ranges */
};

typedef struct jinja_entry {
    jinja_value key, value;
} jinja_entry;

struct jinja_dict {
    size_t n, size;
    jinja_entry *entries; /* in the order in which they were set */
};

/* ---- work ---- */

/* The first failure stays; the line is put before the words. */
void tfm_jinja_fail(jinja_work *w, tfm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Zeroed bytes, or NULL after a failure. */
void *tfm_jinja_take(jinja_work *w, size_t n, size_t size);
/* Counts work; false after a failure. Bytes that are looked at count 1/16. */
bool tfm_jinja_step(jinja_work *w, uint64_t n);
bool tfm_jinja_step_bytes(jinja_work *w, size_t n);
/* Enters and leaves a nested call; tfm_jinja_enter is false (and nothing is entered) at the limit or after a failure.
 */
bool tfm_jinja_enter(jinja_work *w);
void tfm_jinja_leave(jinja_work *w);
void tfm_jinja_release(jinja_work *w);

/* ---- values ---- */

#define JINJA_UNDEFINED_VALUE ((jinja_value){.type = JINJA_UNDEFINED})
#define JINJA_NONE_VALUE ((jinja_value){.type = JINJA_NONE})
static inline jinja_value jinja_bool(bool truth) { return (jinja_value){.type = JINJA_BOOL, .truth = truth}; }
static inline jinja_value jinja_int(int64_t number) { return (jinja_value){.type = JINJA_INT, .number = number}; }
static inline jinja_value jinja_float(double real) { return (jinja_value){.type = JINJA_FLOAT, .real = real}; }

/* Strings of bytes that are copied, or that live as long as the work. */
jinja_value tfm_jinja_copy(jinja_work *w, const char *data, size_t n);
jinja_value tfm_jinja_text(jinja_work *w, const char *data, size_t n);
jinja_value tfm_jinja_undefined(jinja_work *w, const char *name, size_t n);
bool tfm_jinja_is(const jinja_string *string, const char *text);

jinja_value tfm_jinja_list(jinja_work *w, jinja_list_kind kind, size_t size);
void tfm_jinja_push(jinja_work *w, jinja_list *list, jinja_value item);
jinja_value tfm_jinja_pair(jinja_work *w, jinja_value first, jinja_value second); /* a tuple */

jinja_value tfm_jinja_dict(jinja_work *w);
void tfm_jinja_set(jinja_work *w, jinja_dict *dict, jinja_value key, jinja_value value);
/* NULL if there is none. */
const jinja_value *tfm_jinja_get(jinja_work *w, const jinja_dict *dict, jinja_value key);
const jinja_value *tfm_jinja_get_name(const jinja_dict *dict, const char *name, size_t n);

bool tfm_jinja_truth(jinja_value value);
bool tfm_jinja_equal(jinja_work *w, jinja_value a, jinja_value b);
bool tfm_jinja_is_same(jinja_value a, jinja_value b);
/* Below 0, 0, above 0; fails for what cannot be ordered. */
int tfm_jinja_compare(jinja_work *w, jinja_value a, jinja_value b);
/* The items one by one as a for loop takes them; an empty list after a failure. Iterators are used up. */
const jinja_list *tfm_jinja_items(jinja_work *w, jinja_value value);
const char *tfm_jinja_type_name(jinja_value value); /* as Python names it */
bool tfm_jinja_is_number(jinja_value value);        /* truth values too */
/* Number of a bool or int. */
int64_t tfm_jinja_whole(jinja_value value);
double tfm_jinja_real(jinja_value value);

/* ---- strings ---- */

/* Bytes that grow; the older ones are left behind in the memory. */
typedef struct jinja_buffer {
    char *data;
    size_t n, size;
} jinja_buffer;
void tfm_jinja_put(jinja_work *w, jinja_buffer *buffer, const char *data, size_t n);
jinja_value tfm_jinja_buffer_text(jinja_work *w, const jinja_buffer *buffer);

/* Bytes of the character at text, which has n >= 1 bytes. */
size_t tfm_jinja_step_char(const char *text, size_t n);
/* The code point of the next character, *length its bytes; a byte that is no UTF-8: 0xDC00 + byte. */
uint32_t tfm_jinja_code(const char *text, size_t n, size_t *length);
size_t tfm_jinja_put_code(char *text, uint32_t code); /* at most 4 bytes */
/* Byte offset of the character with this number. */
size_t tfm_jinja_offset(const jinja_string *string, size_t index);
/* White space and ends of lines, as Python sees them. */
bool tfm_jinja_is_space(uint32_t code);
bool tfm_jinja_ends_line(uint32_t code);
/* Bytes of white space at the beginning; what is left of n without that at the end. */
size_t tfm_jinja_leading_space(const char *text, size_t n);
size_t tfm_jinja_without_trailing_space(const char *text, size_t n);

#endif
