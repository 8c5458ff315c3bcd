/*
 * spm_normalizer.h - text as the pieces of a vocabulary expect it: characters replaced by rules, white space made
 * uniform.
 */
#ifndef TFM_RUNTIME_TOKENIZER_SPM_SPM_NORMALIZER_H
#define TFM_RUNTIME_TOKENIZER_SPM_SPM_NORMALIZER_H

#include "runtime/tfm.h"
#include "runtime/tokenizer/common/trie.h"

#define TFM_SPM_SPACE "\xE2\x96\x81" /* U+2581, which stands for a space in pieces */

typedef struct tfm_spm_normalizer {
    tfm_trie rules;          /* spelling -> number of its replacement, from 1 */
    const uint32_t *offsets; /* (n_replacements + 1) into replacements */
    const char *replacements;
    size_t n_replacements;
    tfm_trie symbols; /* spellings that are kept as they are, before any rule */
    bool add_dummy_prefix;
    bool remove_extra_whitespaces;
    bool escape_whitespaces;
    bool whitespace_as_suffix;
    bool plain[128]; /* ASCII that stays as it is whenever another ASCII byte or the end follows */
} tfm_spm_normalizer;

/* Fills plain[] from the other fields. */
void tfm_spm_normalizer_prepare(tfm_spm_normalizer *normalizer);

/* Appends the normal form of n bytes, which may be anything, to *out; false when memory is out. */
bool tfm_spm_normalize(const tfm_spm_normalizer *normalizer, const char *text, size_t n, tfm_text *out);

#endif
