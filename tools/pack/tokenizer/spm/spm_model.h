/*
 * spm_model.h - a SentencePiece model file (.spm, .model), read and checked.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SPM_SPM_MODEL_H
#define TFM_TOOLS_PACK_TOKENIZER_SPM_SPM_MODEL_H

#include "format/tfm_error.h"
#include "trie_builder.h"

/* Kinds of pieces as the file numbers them. */
enum {
    TFM_PIECE_NORMAL = 1,
    TFM_PIECE_UNKNOWN = 2,
    TFM_PIECE_CONTROL = 3,
    TFM_PIECE_USER_DEFINED = 4,
    TFM_PIECE_UNUSED = 5,
    TFM_PIECE_BYTE = 6
};

typedef struct tfm_spm_piece {
    const char *text; /* UTF-8 without NUL, not terminated */
    uint32_t n;       /* 1 .. TFM_TRIE_MAX_KEY */
    uint32_t kind;
    float score; /* finite */
} tfm_spm_piece;

typedef struct tfm_spm_rules {
    const unsigned char *charsmap;
    size_t n_charsmap; /* 0: no rules */
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} tfm_spm_rules;

typedef struct tfm_spm_model {
    void *message; /* owns what the pointers below point to */
    void *memory;
    tfm_spm_piece *pieces;
    size_t n;
    size_t unknown; /* number of the one unknown piece */
    bool byte_pairs, byte_fallback, whitespace_as_suffix;
    char *unknown_surface;
    tfm_spm_rules normalizer, denormalizer;
    bool has_denormalizer;
    tfm_trie_key *in_text;  /* sorted: normal, user-defined and unused pieces; value: number + 1 */
    tfm_trie_key *reserved; /* sorted: the others */
    size_t n_in_text, n_reserved;
} tfm_spm_model;

/*
 * Reads a model file, or its n bytes at data; what names it in errors. All of it is checked as the SentencePiece
 * library checks it on loading, and more: UTF-8, lengths, finite scores.
 * Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED (word and character models), _LIMIT, _MEMORY.
 */
tfm_status tfm_spm_model_read(tfm_spm_model *model, const char *path, tfm_error *error);
tfm_status tfm_spm_model_parse(tfm_spm_model *model, const unsigned char *data, size_t n, const char *what,
                               tfm_error *error);
void tfm_spm_model_free(tfm_spm_model *model);

/* Number of the piece with this spelling, as the library looks it up (reserved pieces first), or -1. */
int64_t tfm_spm_model_find(const tfm_spm_model *model, const char *text, size_t n);

#endif
