/*
 * piece_list.h - tokenizers that come as a list of pieces with kinds and scores, in the form of tokenizer.json: those
 * of GGUF files and of llama2.c.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_PIECE_LIST_H
#define TFM_TOOLS_PACK_TOKENIZER_PIECE_LIST_H

#include <jansson.h>

#include "tools/pack/tokenizer/spm/spm_model.h"

typedef struct tfm_piece_list {
    const char *what;      /* names the file in errors */
    tfm_spm_piece *pieces; /* by id; texts are any bytes */
    size_t n;
    int64_t unknown, bos, eos; /* ids, -1: none */
    bool add_bos, add_eos;     /* around an input */
    bool space_prefix;         /* a text begins as if a space stood before it */
    bool squeeze_spaces;       /* spaces around a text are taken away, and of several together one stays */
    bool strip_after_added;    /* white space after added tokens belongs to them, but for <unk>, <s>, <|endoftext|> */
} tfm_piece_list;

/* {"spelling": id, ...}. Of equal spellings the first counts. Errors: TFM_ERROR_FORMAT (no UTF-8), _MEMORY. */
tfm_status tfm_piece_list_vocabulary(const tfm_piece_list *list, json_t **vocabulary, tfm_error *error);
/* added_tokens: control pieces and the unknown one as special tokens, user-defined pieces. */
tfm_status tfm_piece_list_added(const tfm_piece_list *list, const json_t *vocabulary, json_t **added, tfm_error *error);
/* Adds the post_processor that puts bos and eos around an input, if any is wanted. */
tfm_status tfm_piece_list_template(const tfm_piece_list *list, json_t *root, tfm_error *error);

/*
 * Byte pairs in SentencePiece's manner as transformers brings them into tokenizer.json: merges are all ways to put a
 * piece together from two others, by score. *root: the whole of tokenizer.json.
 */
tfm_status tfm_piece_list_byte_pairs(const tfm_piece_list *list, json_t **root, tfm_error *error);

#endif
