/*
 * spm.h - a SentencePiece vocabulary in use: unigram or byte-pair segmentation between normaliser and ids.
 *
 * Two numberings: a piece has its number in the SentencePiece file (the order of `scores`); a model has ids, which are
 * the same numbers or, for Marian, those of vocab.json (`ids` maps the first to the second).
 */
#ifndef TFM_RUNTIME_TOKENIZER_SPM_SPM_H
#define TFM_RUNTIME_TOKENIZER_SPM_SPM_H

#include "format/table.h"
#include "runtime/tokenizer/common/replacer.h"
#include "spm_normalizer.h"

/* Values of the pieces' trie: number + 1, with marks. */
#define TFM_SPM_USER_DEFINED 0x80000000u
#define TFM_SPM_UNUSED 0x40000000u
#define TFM_SPM_FLAGS (TFM_SPM_USER_DEFINED | TFM_SPM_UNUSED)
#define TFM_SPM_MAX_PIECES ((1u << 22) - 2)

/* Kinds of ids, for decoding. */
enum {
    TFM_SPM_NORMAL = 0,
    TFM_SPM_UNKNOWN = 1, /* decodes to unknown_surface */
    TFM_SPM_CONTROL = 2, /* decodes to nothing */
    TFM_SPM_BYTE = 3,    /* spelled <0x41> */
    TFM_SPM_LITERAL = 4, /* not in the SentencePiece file: decodes as spelled */
    TFM_SPM_KINDS = 5,
    TFM_SPM_SPECIAL = 0x80 /* added to a kind: one of the model's own tokens, left out on demand */
};

typedef struct tfm_spm {
    bool byte_pairs; /* else unigram */
    bool marian;     /* Marian's way to join decoded pieces */
    bool language_codes;
    bool merge_in_words; /* byte pairs: no piece has U+2581 after another character, so words are independent */
    bool has_unused;
    bool has_denormalizer;
    tfm_spm_normalizer normalizer, denormalizer;

    tfm_trie pieces; /* what may occur in text */
    const float *scores;
    size_t n_pieces;
    const uint32_t *ids; /* (n_pieces), or NULL: id = number */
    float unknown_score, max_score;
    uint32_t unknown_id;
    const uint32_t *byte_ids;                /* (256), or NULL: unknown characters have no bytes */
    tfm_trie others;                         /* spelling -> id + 1 of vocabulary entries that are no pieces */
    const uint32_t *prefix_ids, *suffix_ids; /* around an input */
    size_t n_prefix_ids, n_suffix_ids;

    const char *texts;            /* spelling of each id */
    const uint32_t *text_offsets; /* (size + 1) */
    const uint8_t *kinds;         /* (size) */
    size_t size;
    const char *unknown_surface;
} tfm_spm;

/* Takes the tokenizer's table apart and checks it. */
tfm_status tfm_spm_open(tfm_spm *spm, const tfm_table *table, const char *what, tfm_error *error);

/* unknowns: see tfm_tokenizer_encode_noting; NULL: not wanted. */
tfm_status tfm_spm_encode(const tfm_spm *spm, const char *text, size_t n, bool special, tfm_ids *ids,
                          tfm_text *unknowns, tfm_error *error);
tfm_status tfm_spm_decode(const tfm_spm *spm, const int32_t *ids, size_t n, bool skip_special, tfm_text *text,
                          tfm_error *error);

/* Decoding id by id. */
typedef struct tfm_spm_decoder {
    const tfm_spm *spm;
    tfm_text *out;
    size_t n_row;  /* bytes of the current row of pieces so far */
    tfm_text row;  /* ... all of them, where there is a denormaliser */
    char bytes[4]; /* of byte pieces: a character that is not complete */
    unsigned n_bytes;
    bool at_beginning; /* a leading U+2581 still counts as the dummy prefix */
    bool prefix_seen;
    tfm_replacer spaces; /* Marian: U+2581 */
    tfm_text held;       /* Marian: white space that goes if nothing follows, and what may become some */
    size_t n_white;      /* bytes of it that are white space */
    bool begun;          /* Marian: something else than white space came */
} tfm_spm_decoder;

/* False when memory is out, here and below: then reset or free it. Free it after a failed init too. */
bool tfm_spm_decoder_init(tfm_spm_decoder *decoder, const tfm_spm *spm);
void tfm_spm_decoder_free(tfm_spm_decoder *decoder);
void tfm_spm_decoder_reset(tfm_spm_decoder *decoder);
/* Appends the text that n more ids, all below the vocabulary's size, make certain. */
bool tfm_spm_decoder_put(tfm_spm_decoder *decoder, const int32_t *ids, size_t n, bool skip_special, tfm_text *out);
/* Appends the rest; the decoder is then as new. */
bool tfm_spm_decoder_end(tfm_spm_decoder *decoder, tfm_text *out);

static inline const char *tfm_spm_text(const tfm_spm *spm, size_t id, size_t *n) {
    *n = spm->text_offsets[id + 1] - spm->text_offsets[id];
    return spm->texts + spm->text_offsets[id];
}

/* Byte value of a piece spelled <0x41>, or -1. */
int tfm_spm_byte(const char *text, size_t n);

/*
 * Where a segmentation puts its pieces, in order of the text. Unknown characters in a row become one unknown id, or the
 * id of a vocabulary entry spelled like the row, or bytes.
 */
typedef struct tfm_spm_emitter {
    const tfm_spm *spm;
    tfm_ids *ids;
    const char *text;                  /* the normalised text */
    tfm_text *unknowns;                /* gets what unknown ids stand for; or NULL */
    size_t unknown_start, unknown_end; /* the row of unknown characters not yet emitted */
} tfm_spm_emitter;

/* The id of exactly this spelling, among pieces and other entries of the vocabulary; unknown_id if there is none. */
uint32_t tfm_spm_id_of_text(const tfm_spm *spm, const char *text, size_t n);

/* False when memory is out, here and below. */
/* Piece `number`, which is text[start, end). */
bool tfm_spm_emit_piece(tfm_spm_emitter *emitter, uint32_t number, size_t start, size_t end);
bool tfm_spm_emit_unknown(tfm_spm_emitter *emitter, size_t start, size_t end);
/* Emits what is held back; call it at the end of the text. */
bool tfm_spm_emit_end(tfm_spm_emitter *emitter);

/* Segmentations of the n bytes of the emitter's text. */
bool tfm_spm_segment_unigram(tfm_spm_emitter *emitter, size_t n);
bool tfm_spm_segment_bpe(tfm_spm_emitter *emitter, size_t n);

#endif
