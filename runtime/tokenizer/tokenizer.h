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

/*
 * Says that the model has `rows` ids: those beyond the tokenizer's own have no text, and are passed over in decoding.
 * To be called before anybody else knows the tokenizer.
 */
void tfm_tokenizer_set_rows(tfm_tokenizer *tokenizer, size_t rows);

/* tfm_tokenize and tfm_detokenize of tfm.h are these two. */
tfm_status tfm_tokenizer_encode(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, tfm_ids *ids,
                                tfm_error *error);
tfm_status tfm_tokenizer_decode(const tfm_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                                tfm_text *text, tfm_error *error);

/*
 * The same; *unknowns gets, for each unknown id that the text's own tokens have, in order, what it stands for as the
 * tokenizer saw it (normalised, U+2581 for a space where the tokenizer has it so), see common/unknowns.h. NULL: not
 * wanted. After an error it may have more than before.
 */
tfm_status tfm_tokenizer_encode_noting(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special,
                                       tfm_ids *ids, tfm_text *unknowns, tfm_error *error);
/* The id of what the vocabulary does not have; -1: there is none. */
int32_t tfm_tokenizer_unknown_id(const tfm_tokenizer *tokenizer);

/*
 * Two texts as one input, with what the model wants around and between them. types (may be NULL) gets the number of the
 * segment of each id, which BERT-like models want as token_type_ids. Errors: also TFM_ERROR_UNSUPPORTED, where the
 * tokenizer has no form for pairs.
 */
tfm_status tfm_tokenizer_encode_pair(const tfm_tokenizer *tokenizer, const char *a, size_t n_a, const char *b,
                                     size_t n_b, bool special, tfm_ids *ids, tfm_ids *types, tfm_error *error);

/* The piece of an id as the vocabulary spells it, n bytes; NULL for an id outside the vocabulary. */
const char *tfm_tokenizer_piece(const tfm_tokenizer *tokenizer, int32_t id, size_t *n);
/* The lowest id that the vocabulary spells like this, special tokens included; -1 if there is none. The first call
 * takes a few milliseconds for a large vocabulary, later ones less than a microsecond. Any thread may call it. */
int32_t tfm_tokenizer_id(const tfm_tokenizer *tokenizer, const char *piece, size_t n);

/* How many ids tfm_tokenizer_encode and tfm_tokenizer_encode_pair add to those of the texts where special is true. */
typedef struct tfm_special_split {
    size_t before, between, after; /* the first text, the two of a pair, the last text */
} tfm_special_split;

/* False, and all 0: the tokenizer has no form for pairs. */
bool tfm_tokenizer_special_counts(const tfm_tokenizer *tokenizer, bool pair, tfm_special_split *counts);

#endif
