/*
 * piece_index.h - ids by their spelling. The tries of a tokenizer know what can occur in a text, as bytes or behind
 * marks; this knows every entry of the vocabulary as it is spelled. It is made when it is first asked.
 */
#ifndef TFM_RUNTIME_TOKENIZER_PIECE_INDEX_H
#define TFM_RUNTIME_TOKENIZER_PIECE_INDEX_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A list of spellings: id i is texts[offsets[i]] .. texts[offsets[i + 1]]; empty ones are no ids. */
typedef struct tfm_spellings {
    const char *texts;
    const uint32_t *offsets; /* (n + 1) */
    size_t n;
} tfm_spellings;

/* All zero before the first question. */
typedef struct tfm_piece_index {
    _Atomic(uint32_t *) slots; /* id + 1, or 0; open addressing */
} tfm_piece_index;

/* The lowest id of this spelling, or -1. Any number of threads may ask at the same time. */
int32_t tfm_piece_index_find(tfm_piece_index *index, const tfm_spellings *spellings, const char *text, size_t n);
void tfm_piece_index_free(tfm_piece_index *index);

#endif
