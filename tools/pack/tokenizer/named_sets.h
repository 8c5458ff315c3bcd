/*
 * named_sets.h - sets of characters that have a name in patterns, made once for all patterns of a tokenizer, and the
 * count of work that bounds what a stranger's tokenizer can ask of tfmpack.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_NAMED_SETS_H
#define TFM_TOOLS_PACK_TOKENIZER_NAMED_SETS_H

#include "class_sets.h"

#define TFM_NAMED_SETS 34

/*
 * Work is counted in characters looked at, one or, in a set's word, 64 at a time: 7 to 20 ns for the former, below 1 ns
 * for the latter. All of Unicode 64 times takes about half a second; published patterns need up to a quarter of it.
 */
#define TFM_TOKENIZER_WORK ((uint64_t)64 * TFM_UNICODE_CODES)
#define TFM_SET_WORDS (TFM_UNICODE_CODES / 64)

typedef struct tfm_named_sets {
    tfm_char_set *sets[TFM_NAMED_SETS];
    uint64_t work;
} tfm_named_sets;

/* Counts work; false: it is more than TFM_TOKENIZER_WORK. */
bool tfm_named_sets_work(tfm_named_sets *sets, uint64_t work);

/*
 * The set of a name: a general category (L, Lu, ...), or s, w and d as the escapes. *set belongs to sets; NULL if there
 * is no such name. Errors: TFM_ERROR_MEMORY. Counts the work of making it.
 */
tfm_status tfm_named_set(tfm_named_sets *sets, const char *name, size_t n, const tfm_char_set **set);
void tfm_named_sets_free(tfm_named_sets *sets);

#endif
