/*
 * trie_builder.h - builds the double-array tries of runtime/tokenizer/common/trie.h; the same keys give the same array.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SPM_TRIE_BUILDER_H
#define TFM_TOOLS_PACK_TOKENIZER_SPM_TRIE_BUILDER_H

#include "format/table.h"

typedef struct tfm_trie_key {
    const char *text;
    uint32_t n;     /* 1 .. TFM_TRIE_MAX_KEY */
    uint32_t value; /* not 0 */
} tfm_trie_key;

/* Order of keys: by bytes, a prefix before what it begins. For qsort and bsearch. */
int tfm_trie_key_compare(const void *a, const void *b);

/*
 * Sorts n keys and builds their trie: *n_words u32 in *words, which the caller frees. Of equal keys one stays.
 * Errors: TFM_ERROR_MEMORY, TFM_ERROR_LIMIT. what names the keys in errors.
 */
tfm_status tfm_trie_build(tfm_trie_key *keys, size_t n, const char *what, uint32_t **words, size_t *n_words,
                          tfm_error *error);
/* The same as the array `key` of a table. */
tfm_status tfm_trie_put(tfm_table_builder *table, const char *key, tfm_trie_key *keys, size_t n, const char *what,
                        tfm_error *error);

#endif
