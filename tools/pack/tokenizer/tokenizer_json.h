/*
 * tokenizer_json.h - Hugging Face's tokenizer.json as the table that runtime/tokenizer reads (docs/tokenizers.md).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_TOKENIZER_JSON_H
#define TFM_TOOLS_PACK_TOKENIZER_TOKENIZER_JSON_H

#include <jansson.h>

#include "format/model_file.h"
#include "named_sets.h"
#include "tools/pack/tokenizer/spm/trie_builder.h"

/*
 * Fills table. Truncation and padding are left out. what names the file. Errors: TFM_ERROR_FORMAT,
 * TFM_ERROR_UNSUPPORTED (a part, named, that has no equal here), TFM_ERROR_LIMIT, TFM_ERROR_MEMORY.
 */
tfm_status tfm_tokenizer_json(const json_t *root, const char *what, tfm_table_builder *table, tfm_error *error);
/* The same as a section of a model file. */
tfm_status tfm_tokenizer_json_write(const json_t *root, const char *what, const char *section, tfm_writer *writer,
                                    tfm_error *error);

/* ---- shared by the files that read its parts ---- */

#define TFM_JSON_MAX_IDS (1u << 22)

typedef struct tfm_json_piece {
    const char *text; /* NULL: no spelling has this id */
    uint32_t n;
    uint8_t kind;  /* TFM_ID_EXISTS, TFM_ID_SPECIAL */
    bool in_model; /* else only an added token */
    char *surface; /* what decoders see, if it is not the text */
    uint32_t n_surface;
} tfm_json_piece;

typedef struct tfm_json_reader {
    const json_t *root;
    const char *what;
    tfm_table_builder *table;
    tfm_error *error;
    tfm_json_piece *pieces; /* by id */
    size_t size, capacity;
    tfm_trie_key *spellings; /* of the model's pieces, sorted; value: id + 1 */
    size_t n_spellings;
    bool byte_level; /* words are bytes */
    tfm_named_sets named;
} tfm_json_reader;

tfm_status tfm_json_unsupported(const tfm_json_reader *r, const char *what);
tfm_status tfm_json_broken(const tfm_json_reader *r, const char *what);
static inline tfm_status tfm_json_no_memory(const tfm_json_reader *r) {
    return tfm_no_memory(r->error, "%s: the tokenizer", r->what);
}

/* The id of a spelling in the model's vocabulary, or -1. */
int64_t tfm_json_find(const tfm_json_reader *r, const char *text, size_t n);

/* Bytes that a byte-level spelling stands for, in out, which has room for n; SIZE_MAX if it has other characters. */
size_t tfm_json_bytes(const char *text, size_t n, char *out);

/* The steps of normalizer and pre_tokenizer. Sets byte_level. */
tfm_status tfm_json_steps(tfm_json_reader *r);
/* Collects the model's vocabulary in pieces and spellings. */
tfm_status tfm_json_vocabulary(tfm_json_reader *r);
/* The model's tables. */
tfm_status tfm_json_model(tfm_json_reader *r);
/* Decoders and templates. Sets surfaces. */
tfm_status tfm_json_decoder(tfm_json_reader *r);
tfm_status tfm_json_templates(tfm_json_reader *r);
/* Puts texts one after the other into the table: NAME.text and NAME.offsets. */
tfm_status tfm_json_put_texts(const tfm_json_reader *r, const char *name, bool surfaces);

#endif
