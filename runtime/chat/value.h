/*
 * value.h - values of chat templates, and the memory that holds them until all of it is given back at once.
 *
 * Strings are UTF-8; what is no UTF-8 counts as one character a byte. Lists and dictionaries never change once a
 * template sees them, as in the sandbox in which transformers renders; only namespaces do.
 */
#ifndef TFM_CHAT_VALUE_H
#define TFM_CHAT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../tfm.h"

typedef struct chat_block chat_block;

/* Parsing and rendering each have one: memory, work done, and the first failure. After a failure everything goes on
 * harmlessly with undefined values until someone looks. */
typedef struct chat_work {
    chat_block *blocks;
    char *free;
    size_t left;           /* bytes at free */
    size_t used, used_max; /* bytes taken from the system */
    uint64_t steps, steps_max;
    uint32_t line;  /* of the template, where the work is */
    uint32_t depth; /* of nested calls of ours */
    tfm_status status;
    tfm_error error;
} chat_work;

typedef enum chat_type {
    CHAT_UNDEFINED,
    CHAT_MISSING, /* an argument that was not given; no template sees it */
    CHAT_NONE,
    CHAT_BOOL,
    CHAT_INT,
    CHAT_FLOAT,
    CHAT_STRING,
    CHAT_LIST,
    CHAT_DICT,
    CHAT_NAMESPACE,
    CHAT_LOOP,
    CHAT_MACRO,
    CHAT_FUNCTION,
    CHAT_METHOD,
} chat_type;

typedef struct chat_string {
    const char *data;
    size_t n, n_chars;
    bool markup; /* passed through the filter safe */
} chat_string;

typedef struct chat_list chat_list;
typedef struct chat_dict chat_dict;
typedef struct chat_loop chat_loop;
typedef struct chat_macro chat_macro;
typedef struct chat_method chat_method;
typedef struct chat_builtin chat_builtin;

typedef struct chat_value {
    chat_type type;
    union {
        bool truth;
        int64_t number;
        double real;
        const chat_string *string; /* of an undefined value: what is undefined, or NULL */
        chat_list *list;
        chat_dict *dict; /* of a namespace too */
        chat_loop *loop;
        const chat_macro *macro;
        const chat_builtin *function;
        const chat_method *method;
    };
} chat_value;

/* What Python makes of a sequence. Iterators can be gone through once. */
typedef enum chat_list_kind {
    CHAT_A_LIST,
    CHAT_A_TUPLE,
    CHAT_A_RANGE,
    CHAT_KEYS,
    CHAT_VALUES,
    CHAT_ITEMS,
    CHAT_AN_ITERATOR,
} chat_list_kind;

struct chat_list {
    chat_list_kind kind;
    bool used_up; /* iterators */
    size_t n, size;
    chat_value *items;
    int64_t start, stop, step; /* ranges */
};

typedef struct chat_entry {
    chat_value key, value;
} chat_entry;

struct chat_dict {
    size_t n, size;
    chat_entry *entries; /* in the order in which they were set */
};

/* ---- work ------------------------------------------------------------------------------------------------------ */

/* The first failure stays; the line is put before the words. */
void tfm_chat_fail(chat_work *w, tfm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Zeroed bytes, or NULL after a failure. */
void *tfm_chat_take(chat_work *w, size_t n, size_t size);
/* Counts work; false after a failure. Bytes that are looked at count 1/16. */
bool tfm_chat_step(chat_work *w, uint64_t n);
bool tfm_chat_step_bytes(chat_work *w, size_t n);
/* Enters and leaves a nested call; tfm_chat_enter is false (and nothing is entered) at the limit or after a failure. */
bool tfm_chat_enter(chat_work *w);
void tfm_chat_leave(chat_work *w);
void tfm_chat_release(chat_work *w);

/* ---- values ---------------------------------------------------------------------------------------------------- */

#define CHAT_UNDEFINED_VALUE ((chat_value){.type = CHAT_UNDEFINED})
#define CHAT_NONE_VALUE ((chat_value){.type = CHAT_NONE})
static inline chat_value chat_bool(bool truth) { return (chat_value){.type = CHAT_BOOL, .truth = truth}; }
static inline chat_value chat_int(int64_t number) { return (chat_value){.type = CHAT_INT, .number = number}; }
static inline chat_value chat_float(double real) { return (chat_value){.type = CHAT_FLOAT, .real = real}; }

/* Strings of bytes that are copied, or that live as long as the work. */
chat_value tfm_chat_copy(chat_work *w, const char *data, size_t n);
chat_value tfm_chat_text(chat_work *w, const char *data, size_t n);
chat_value tfm_chat_undefined(chat_work *w, const char *name, size_t n);
bool tfm_chat_is(const chat_string *string, const char *text);

chat_value tfm_chat_list(chat_work *w, chat_list_kind kind, size_t size);
void tfm_chat_push(chat_work *w, chat_list *list, chat_value item);
chat_value tfm_chat_pair(chat_work *w, chat_value first, chat_value second); /* a tuple */

chat_value tfm_chat_dict(chat_work *w);
void tfm_chat_set(chat_work *w, chat_dict *dict, chat_value key, chat_value value);
/* NULL if there is none. */
const chat_value *tfm_chat_get(chat_work *w, const chat_dict *dict, chat_value key);
const chat_value *tfm_chat_get_name(const chat_dict *dict, const char *name, size_t n);

bool tfm_chat_truth(chat_value value);
bool tfm_chat_equal(chat_work *w, chat_value a, chat_value b);
bool tfm_chat_is_same(chat_value a, chat_value b);
/* Below 0, 0, above 0; fails for what cannot be ordered. */
int tfm_chat_compare(chat_work *w, chat_value a, chat_value b);
/* The items one by one as a for loop takes them; an empty list after a failure. Iterators are used up. */
const chat_list *tfm_chat_items(chat_work *w, chat_value value);
const char *tfm_chat_type_name(chat_value value); /* as Python names it */
bool tfm_chat_is_number(chat_value value);        /* truth values too */
/* Number of a bool or int. */
int64_t tfm_chat_whole(chat_value value);
double tfm_chat_real(chat_value value);

/* ---- strings --------------------------------------------------------------------------------------------------- */

/* Bytes that grow; the older ones are left behind in the memory. */
typedef struct chat_buffer {
    char *data;
    size_t n, size;
} chat_buffer;
void tfm_chat_put(chat_work *w, chat_buffer *buffer, const char *data, size_t n);
chat_value tfm_chat_buffer_text(chat_work *w, const chat_buffer *buffer);

/* Bytes of the character at text, which has n >= 1 bytes. */
size_t tfm_chat_step_char(const char *text, size_t n);
/* The code point of the next character, *length its bytes; a byte that is no UTF-8: 0xDC00 + byte. */
uint32_t tfm_chat_code(const char *text, size_t n, size_t *length);
size_t tfm_chat_put_code(char *text, uint32_t code); /* at most 4 bytes */
/* Byte offset of the character with this number. */
size_t tfm_chat_offset(const chat_string *string, size_t index);
/* White space and ends of lines, as Python sees them. */
bool tfm_chat_is_space(uint32_t code);
bool tfm_chat_ends_line(uint32_t code);
/* Bytes of white space at the beginning; what is left of n without that at the end. */
size_t tfm_chat_leading_space(const char *text, size_t n);
size_t tfm_chat_without_trailing_space(const char *text, size_t n);

#endif
