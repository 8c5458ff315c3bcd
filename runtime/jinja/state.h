/*
 * state.h - what reading and rendering a template each have: memory that is given back at once, a limit to the work,
 * and the first failure. After a failure everything goes on harmlessly with undefined values until someone looks.
 */
#ifndef TFM_RUNTIME_JINJA_STATE_H
#define TFM_RUNTIME_JINJA_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/tfm.h"

typedef struct jinja_block jinja_block;

typedef struct jinja_state {
    jinja_block *blocks;
    char *free;              /* in the newest block */
    size_t n_free;           /* bytes there */
    size_t size, size_max;   /* bytes taken from the system */
    uint64_t work, work_max; /* charged so far */
    uint32_t line;           /* of the template, where the work is */
    uint32_t depth;          /* of nested calls of ours */
    tfm_status status;
    tfm_error error;
} jinja_state;

/* The first failure stays; the line is put before the words. */
void tfm_jinja_fail(jinja_state *state, tfm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* n elements of this size, zeroed; NULL after a failure. */
void *tfm_jinja_alloc(jinja_state *state, size_t n, size_t size);
/* Names that are compared for one unit of work. */
#define JINJA_NAMES_A_STEP 8

/* Charges work; false after a failure. Bytes that are looked at cost 1/16 of a unit each. */
bool tfm_jinja_charge(jinja_state *state, uint64_t n);
bool tfm_jinja_charge_bytes(jinja_state *state, size_t n);
/* Enters and leaves a nested call; tfm_jinja_enter is false, and nothing is entered, at the limit or after a failure.
 */
bool tfm_jinja_enter(jinja_state *state);
void tfm_jinja_leave(jinja_state *state);
/* Gives all memory back. */
void tfm_jinja_state_free(jinja_state *state);

#endif
