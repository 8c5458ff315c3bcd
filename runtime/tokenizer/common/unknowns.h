/*
 * unknowns.h - what the unknown ids of a text stand for, one after the other: the number of bytes, then these.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_UNKNOWNS_H
#define TFM_RUNTIME_TOKENIZER_COMMON_UNKNOWNS_H

#include <string.h>

#include "runtime/tfm.h"

/* Notes one; unknowns NULL: nobody wants to know. False: no memory. */
static inline bool tfm_unknowns_note(tfm_text *unknowns, const char *text, size_t n) {
    return !unknowns || (tfm_text_append(unknowns, (const char *)&n, sizeof n) && tfm_text_append(unknowns, text, n));
}

/* The k-th, *n bytes; NULL: there are not so many. */
static inline const char *tfm_unknowns_at(const tfm_text *unknowns, size_t k, size_t *n) {
    for (size_t at = 0; at < unknowns->size; at += *n, k--) {
        memcpy(n, unknowns->data + at, sizeof *n);
        at += sizeof *n;
        if (k == 0) return unknowns->data + at;
    }
    return NULL;
}

#endif
