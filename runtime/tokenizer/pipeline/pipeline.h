/*
 * pipeline.h - a tokenizer of the kind Hugging Face's tokenizer.json describes: added tokens are found, the text
 * between them is normalised and cut into words, a model makes ids of words, decoders make text of ids.
 */
#ifndef TFM_RUNTIME_TOKENIZER_PIPELINE_PIPELINE_H
#define TFM_RUNTIME_TOKENIZER_PIPELINE_PIPELINE_H

#include "runtime/tokenizer/common/replacer.h"
#include "runtime/tokenizer/common/unknowns.h"
#include "runtime/tokenizer/steps/steps.h"

#define TFM_NO_ID UINT32_MAX
#define TFM_PIECE_WHOLE 0x80000000u /* in BPE's trie: the word of this spelling is this one piece */

typedef enum tfm_word_model_kind {
    TFM_WORD_MODEL_BPE,
    TFM_WORD_MODEL_WORDPIECE,
    TFM_WORD_MODEL_UNIGRAM,
    TFM_WORD_MODEL_WORDLEVEL
} tfm_word_model_kind;

/* Marks of ids. */
enum {
    TFM_ID_EXISTS = 1,
    TFM_ID_SPECIAL = 2 /* left out of text on demand */
};

/* Marks of added tokens. */
enum { TFM_ADDED_SINGLE_WORD = 1, TFM_ADDED_LSTRIP = 2, TFM_ADDED_RSTRIP = 4, TFM_ADDED_FLAGS = 7 };

/* Classes of characters beside added tokens. */
enum { TFM_ADDED_SPACE = 1, TFM_ADDED_WORD = 2 };

typedef struct tfm_added_tokens {
    tfm_trie raw, normalized; /* content -> number + 1, looked for before and after normalisation */
    bool raw_first[256], normalized_first[256];
    const uint32_t *ids;
    const uint8_t *flags;
    size_t n;
    tfm_char_classes classes; /* only if a flag is set */
} tfm_added_tokens;

/* A merge of two pieces; a slot of the table is empty if rank is TFM_NO_ID. */
typedef struct tfm_merge {
    uint32_t left, right, rank, id;
} tfm_merge;

typedef struct tfm_word_model {
    tfm_word_model_kind kind;
    tfm_trie pieces;          /* spelling -> id + 1, for BPE perhaps with TFM_PIECE_WHOLE */
    tfm_trie continuing;      /* WordPiece: inside a word, without the prefix */
    uint32_t unknown_id;      /* TFM_NO_ID: unknown characters vanish */
    const uint32_t *byte_ids; /* (256), or NULL: byte fallback */
    uint64_t max_characters;  /* WordPiece: longer words are unknown */

    /* BPE */
    const uint32_t *symbols; /* (256) ids of single bytes, TFM_NO_ID for none, or NULL: pieces are characters */
    const tfm_merge *merges; /* open addressing by tfm_merge_slot */
    size_t n_merges;         /* slots, a power of two; at least one is empty */
    const char *prefix, *suffix;
    size_t n_prefix, n_suffix;
    const char *word_start; /* words begin where this does after something else; NULL: no such bounds */
    size_t n_word_start;
    bool fuse_unknown, ignore_merges;

    /* Unigram */
    const uint32_t *scores; /* (n_scores, 2) halves of doubles, the low one first */
    size_t n_scores;
    double unknown_score;
} tfm_word_model;

typedef enum tfm_decoder_kind {
    TFM_DECODER_BYTES, /* pieces are bytes */
    TFM_DECODER_WORDPIECE,
    TFM_DECODER_METASPACE,
    TFM_DECODER_BPE,
    TFM_DECODER_BYTE_FALLBACK,
    TFM_DECODER_FUSE,
    TFM_DECODER_REPLACE,
    TFM_DECODER_STRIP,
    TFM_DECODER_JOIN,
    TFM_DECODER_KINDS
} tfm_decoder_kind;

typedef struct tfm_decoder_step {
    tfm_decoder_kind kind;
    const char *from,
        *to; /* wordpiece: prefix; metaspace: replacement; bpe: suffix; replace: both; join, strip: from */
    size_t n_from, n_to;
    uint64_t start, stop;
    bool flag; /* wordpiece: clean up; metaspace: the first piece loses its replacement */
} tfm_decoder_step;

typedef struct tfm_decoder_steps {
    tfm_decoder_step *steps;
    size_t n;
} tfm_decoder_steps;

/* What stands around and between inputs: (n, 2) of what, type; what: 0 and 1 an input, else id + 2. */
typedef struct tfm_template {
    const uint32_t *parts;
    size_t n;
} tfm_template;

typedef struct tfm_pipeline {
    tfm_added_tokens added;
    tfm_steps normalizer, pre_tokenizer;
    tfm_word_model model;
    tfm_decoder_steps decoder;
    tfm_template single, pair;
    const char *texts; /* spelling of each id */
    const uint32_t *text_offsets;
    const char *surfaces; /* what decoders see of each id; the same as texts if the table has none */
    const uint32_t *surface_offsets;
    const uint8_t *kinds; /* (size) */
    size_t size;
} tfm_pipeline;

tfm_status tfm_pipeline_open(tfm_pipeline *pipeline, const tfm_table *table, const char *what, tfm_error *error);
void tfm_pipeline_close(tfm_pipeline *pipeline);

/*
 * types: as for tfm_tokenizer_encode_pair. unknowns: as for tfm_tokenizer_encode_noting; NULL: not wanted. b: NULL for
 * one input.
 */
tfm_status tfm_pipeline_encode(const tfm_pipeline *pipeline, const char *a, size_t n_a, const char *b, size_t n_b,
                               bool special, tfm_ids *ids, tfm_ids *types, tfm_text *unknowns, tfm_error *error);
tfm_status tfm_pipeline_decode(const tfm_pipeline *pipeline, const int32_t *ids, size_t n, bool skip_special,
                               tfm_text *text, tfm_error *error);

/* A decoder step at work. */
typedef struct tfm_decoder_stage {
    const tfm_decoder_step *step;
    bool one_text;         /* texts were put together before: what comes are parts of the only one */
    bool begun;            /* a text came */
    tfm_text made;         /* what the step makes of a text */
    tfm_text waiting;      /* bpe: the last text; byte-fallback: bytes in a row; wordpiece: scratch */
    tfm_text whole;        /* the only text, where the step needs all of it */
    tfm_replacer replacer; /* replace and metaspace, of the only text */
    char held[4];          /* bytes: a character that is not complete */
    unsigned n_held;
    uint64_t n_stripped, n_ends; /* strip, of the only text: gone from the start; held at the end */
    size_t n_matched;            /* ... and bytes of one more */
} tfm_decoder_stage;

typedef struct tfm_pipeline_decoder {
    const tfm_pipeline *pipeline;
    tfm_decoder_stage *stages; /* (n) */
    size_t n;
    tfm_text *out;
} tfm_pipeline_decoder;

/* False when memory is out, here and below: then reset or free it. Free it after a failed init too. */
bool tfm_pipeline_decoder_init(tfm_pipeline_decoder *decoder, const tfm_pipeline *pipeline);
void tfm_pipeline_decoder_free(tfm_pipeline_decoder *decoder);
void tfm_pipeline_decoder_reset(tfm_pipeline_decoder *decoder);
/* Appends the text that n more ids, all below the vocabulary's size, make certain. */
bool tfm_pipeline_decoder_put(tfm_pipeline_decoder *decoder, const int32_t *ids, size_t n, bool skip_special,
                              tfm_text *out);
/* Appends the rest; the decoder is then as new. */
bool tfm_pipeline_decoder_end(tfm_pipeline_decoder *decoder, tfm_text *out);

/* Where the ids of words go. */
typedef struct tfm_word_output {
    tfm_ids *ids;
    tfm_text *unknowns; /* see tfm_tokenizer_encode_noting; NULL: not wanted */
} tfm_word_output;

/* Appends the ids of one word; TFM_OK, TFM_ERROR_MEMORY. */
tfm_status tfm_word_model_encode(const tfm_word_model *model, const char *word, size_t n, const tfm_word_output *out);
tfm_status tfm_word_model_encode_bpe(const tfm_word_model *model, const char *word, size_t n,
                                     const tfm_word_output *out);
/* The same without the shortcut of whole pieces; for tfmpack, which finds out what is whole. */
tfm_status tfm_word_model_merge_bpe(const tfm_word_model *model, const char *word, size_t n,
                                    const tfm_word_output *out);
tfm_status tfm_word_model_encode_unigram(const tfm_word_model *model, const char *word, size_t n,
                                         const tfm_word_output *out);

/* Where to look for a pair of pieces first. */
static inline size_t tfm_merge_slot(uint32_t left, uint32_t right, size_t n_slots) {
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 24) & (n_slots - 1);
}

#endif
