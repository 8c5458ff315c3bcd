/*
 * charsmap.h - the normalisation rules inside a SentencePiece file, taken out of its precompiled double array.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SPM_CHARSMAP_H
#define TFM_TOOLS_PACK_TOKENIZER_SPM_CHARSMAP_H

#include "trie_builder.h"

/* Rules: keys[i] (value: number of the replacement + 1) and the replacements, numbered by where they lie in the file.
 */
typedef struct tfm_charsmap {
    tfm_trie_key *keys;
    size_t n_keys;
    char *spellings;   /* what keys[].text points into */
    char *text;        /* replacements, one after the other */
    uint32_t *offsets; /* (n_replacements + 1) */
    size_t n_replacements;
} tfm_charsmap;

/*
 * Reads a precompiled character map: u32 bytes of the array, units of a Darts-clone double array, replacements each
 * ending in NUL. All offsets are checked and the number of rules is limited, so the bytes may be anything.
 * Errors: TFM_ERROR_FORMAT, TFM_ERROR_LIMIT, TFM_ERROR_MEMORY.
 */
tfm_status tfm_charsmap_read(tfm_charsmap *map, const unsigned char *data, size_t n, const char *what,
                             tfm_error *error);
void tfm_charsmap_free(tfm_charsmap *map);

#endif
