/*
 * vocabulary.h - a vocab.json: spellings to ids, with the tokens that tokenizer_config.json makes special.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SPM_VOCABULARY_H
#define TFM_TOOLS_PACK_TOKENIZER_SPM_VOCABULARY_H

#include <jansson.h>

#include "format/tfm_error.h"
#include "trie_builder.h"

typedef struct tfm_vocabulary_entry {
    const char *text; /* NULL: no spelling has this id */
    uint32_t n;
    bool special;
} tfm_vocabulary_entry;

typedef struct tfm_vocabulary {
    json_t *json;                  /* owns the texts */
    tfm_vocabulary_entry *entries; /* by id */
    size_t size;                   /* highest id + 1 */
    tfm_trie_key *spellings;       /* sorted; value: id + 1 */
    size_t n_spellings;
    uint32_t unknown_id, end_id;
    bool has_codes; /* some spelling is a language code, >>xx<< */
    bool no_end;    /* end_id does not stand behind an input */
    bool has_begin; /* begin_id stands before an input */
    uint32_t begin_id;
    bool plain_join; /* decoded pieces are joined in SentencePiece's manner, not in Marian's */
} tfm_vocabulary;

/*
 * Reads vocab.json (or target_vocab.json) at path. config and special_tokens_map (either may be NULL) name the special
 * tokens; <unk>, </s> and <pad> are the defaults. Errors: TFM_ERROR_IO, _FORMAT, _MEMORY.
 */
tfm_status tfm_vocabulary_read(tfm_vocabulary *vocabulary, const char *path, const json_t *config,
                               const json_t *special_tokens_map, tfm_error *error);
/* The same from an object of tokens and ids, which it takes over in any case; path is for messages. */
tfm_status tfm_vocabulary_make(tfm_vocabulary *vocabulary, json_t *object, const char *path, const json_t *config,
                               const json_t *special_tokens_map, tfm_error *error);
void tfm_vocabulary_free(tfm_vocabulary *vocabulary);

/* The id of a spelling, or -1. */
int64_t tfm_vocabulary_find(const tfm_vocabulary *vocabulary, const char *text, size_t n);

#endif
