/*
 * tokenizer.h - text to token ids and back, from a tokenizer section of a model file.
 *
 * A tokenizer is made from a table (format/table.h) and uses its arrays where they lie; the table must stay open. It is
 * immutable and may be used by several threads at once. The layouts of the tables are in docs/tokenizers.md.
 */
#ifndef TFM_RUNTIME_TOKENIZER_TOKENIZER_H
#define TFM_RUNTIME_TOKENIZER_TOKENIZER_H

#include "format/table.h"
#include "runtime/tfm.h"

typedef struct tfm_tokenizer tfm_tokenizer;

/*
 * Checks every index and offset of the table before use. what names it in errors ("model.bin: tokenizer").
 * Errors: TFM_ERROR_FORMAT, TFM_ERROR_UNSUPPORTED (a tokenizer type this version does not know), TFM_ERROR_MEMORY.
 */
tfm_status tfm_tokenizer_open(tfm_tokenizer **tokenizer, const tfm_table *table, const char *what, tfm_error *error);
void tfm_tokenizer_close(tfm_tokenizer **tokenizer);

/* Number of ids; every id from encode is below it. */
size_t tfm_tokenizer_size(const tfm_tokenizer *tokenizer);

/* tfm_tokenize and tfm_detokenize of tfm.h are these two. */
tfm_status tfm_tokenizer_encode(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, tfm_ids *ids,
                                tfm_error *error);
tfm_status tfm_tokenizer_decode(const tfm_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                                tfm_text *text, tfm_error *error);

/*
 * Two texts as one input, with what the model wants around and between them. types (may be NULL) gets the number of the
 * segment of each id, which BERT-like models want as token_type_ids. Errors: also TFM_ERROR_UNSUPPORTED, where the
 * tokenizer has no form for pairs.
 */
tfm_status tfm_tokenizer_encode_pair(const tfm_tokenizer *tokenizer, const char *a, size_t n_a, const char *b,
                                     size_t n_b, bool special, tfm_ids *ids, tfm_ids *types, tfm_error *error);

/* The piece of an id as the vocabulary spells it, or NULL. */
const char *tfm_tokenizer_piece(const tfm_tokenizer *tokenizer, int32_t id, size_t *n);

/*
 * Text of ids that come one by one, in whole characters: what is still open, because bytes of a character are to come,
 * is held back. One thread at a time; {.tokenizer = t, .skip_special = ...} is a new one.
 */
typedef struct tfm_text_stream {
    const tfm_tokenizer *tokenizer;
    bool skip_special;
    tfm_ids ids;      /* the last ones */
    size_t n_given;   /* of them, whose text was given out */
    tfm_text before;  /* text of those */
    tfm_text scratch; /* text of all */
} tfm_text_stream;

/* Appends to *out what an id makes certain, perhaps nothing. Errors: as for tfm_tokenizer_decode; the id then has no
 * effect. */
tfm_status tfm_text_stream_put(tfm_text_stream *stream, int32_t id, tfm_text *out, tfm_error *error);
/* Appends what was held back, as it is. The stream can then begin anew. */
tfm_status tfm_text_stream_end(tfm_text_stream *stream, tfm_text *out, tfm_error *error);
void tfm_text_stream_free(tfm_text_stream *stream);

/* Growing lists, shared by all that append to them; false when memory is out. */
bool tfm_ids_append(tfm_ids *ids, const int32_t *data, size_t n);
bool tfm_text_append(tfm_text *text, const char *data, size_t n);

#endif
