/*
 * value.h - values of chat templates: Python's, as far as templates see them.
 *
 * Strings are UTF-8; what is no UTF-8 counts as one character a byte. Lists and dictionaries never change once a
 * template sees them, as in the sandbox in which transformers renders; only namespaces do.
 */
#ifndef TFM_RUNTIME_JINJA_VALUE_H
#define TFM_RUNTIME_JINJA_VALUE_H

#include "state.h"

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
        bool boolean;
        int64_t integer;
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
    JINJA_KIND_LIST,
    JINJA_KIND_TUPLE,
    JINJA_KIND_RANGE,
    JINJA_KIND_KEYS,
    JINJA_KIND_VALUES,
    JINJA_KIND_ITEMS,
    JINJA_KIND_ITERATOR,
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

/* ---- values ---- */

#define JINJA_UNDEFINED_VALUE ((jinja_value){.type = JINJA_UNDEFINED})
#define JINJA_NONE_VALUE ((jinja_value){.type = JINJA_NONE})
static inline jinja_value jinja_bool(bool boolean) { return (jinja_value){.type = JINJA_BOOL, .boolean = boolean}; }
static inline jinja_value jinja_int(int64_t integer) { return (jinja_value){.type = JINJA_INT, .integer = integer}; }
static inline jinja_value jinja_float(double real) { return (jinja_value){.type = JINJA_FLOAT, .real = real}; }

static inline bool jinja_is_whole(jinja_value value) { return value.type == JINJA_INT || value.type == JINJA_BOOL; }
/* An argument was given. */
static inline bool jinja_given(jinja_value value) { return value.type != JINJA_MISSING; }

/* data must live as long as the state's memory. */
jinja_value tfm_jinja_new_string(jinja_state *state, const char *data, size_t n);
/* The same string as one that passed through the filter safe. */
jinja_value tfm_jinja_new_markup(jinja_state *state, const jinja_string *string);
jinja_value tfm_jinja_new_undefined(jinja_state *state, const char *name, size_t n);
bool tfm_jinja_string_is(const jinja_string *string, const char *text);

jinja_value tfm_jinja_new_list(jinja_state *state, jinja_list_kind kind, size_t size);
void tfm_jinja_list_append(jinja_state *state, jinja_list *list, jinja_value item);
jinja_value tfm_jinja_new_pair(jinja_state *state, jinja_value first, jinja_value second); /* a tuple */

jinja_value tfm_jinja_new_dict(jinja_state *state);
/* Whether a value can be a key; fails if not. */
bool tfm_jinja_check_key(jinja_state *state, jinja_value key);
void tfm_jinja_dict_set(jinja_state *state, jinja_dict *dict, jinja_value key, jinja_value value);
/* NULL if there is none. */
const jinja_value *tfm_jinja_dict_get(jinja_state *state, const jinja_dict *dict, jinja_value key);
/* The same by the name of an attribute or an argument. */
const jinja_value *tfm_jinja_dict_get_name(jinja_state *state, const jinja_dict *dict, const char *name, size_t n);

bool tfm_jinja_truth(jinja_value value);
bool tfm_jinja_equal(jinja_state *state, jinja_value a, jinja_value b);
bool tfm_jinja_is_same(jinja_value a, jinja_value b);
/* Below 0, 0, above 0; fails for what cannot be ordered. */
int tfm_jinja_compare(jinja_state *state, jinja_value a, jinja_value b);
/* The items one by one as a for loop takes them; an empty list after a failure. Iterators are used up. */
const jinja_list *tfm_jinja_iterate(jinja_state *state, jinja_value value);
const char *tfm_jinja_type_name(jinja_value value); /* as Python names it */
bool tfm_jinja_is_number(jinja_value value);        /* truth values too */
/* Number of a bool or int. */
int64_t tfm_jinja_to_int(jinja_value value);
double tfm_jinja_to_float(jinja_value value);
/* What cannot be done with an undefined value: fails if it is one, and says so. */
bool tfm_jinja_fail_if_undefined(jinja_state *state, jinja_value value);

/* ---- strings and buffers ---- */

/* Byte offset of the character with this number. */
size_t tfm_jinja_char_offset(const jinja_string *string, size_t index);

/* Bytes that grow; the older ones are left behind in the memory. */
typedef struct jinja_buffer {
    char *data;
    size_t n, size;
} jinja_buffer;
void tfm_jinja_buffer_append(jinja_state *state, jinja_buffer *buffer, const char *data, size_t n);
void tfm_jinja_buffer_append_text(jinja_state *state, jinja_buffer *buffer, const char *text); /* ends with a NUL */
jinja_value tfm_jinja_buffer_string(jinja_state *state, const jinja_buffer *buffer);

#endif
