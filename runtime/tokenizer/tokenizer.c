/* tokenizer.c - the kinds of tokenizers behind one interface. */
#include <stdlib.h>
#include <string.h>

#include "../../format/model_file.h"
#include "../tokenizer.h"
#include "spm.h"

#define MAX_TEXT ((size_t)1 << 30)

struct tfm_tokenizer {
    tfm_spm spm;
};

tfm_status tfm_tokenizer_open(tfm_tokenizer **tokenizer, const tfm_table *table, const char *what, tfm_error *error) {
    *tokenizer = NULL;
    const char *type = tfm_table_string(table, "type", NULL);
    if (type == NULL) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: there is no type; pack the model again", what);
    if (strcmp(type, "sentencepiece-unigram") != 0 && strcmp(type, "sentencepiece-bpe") != 0) {
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: tokenizers of type %.40s are unknown to this version; use a newer one", what, type);
    }
    tfm_tokenizer *t = calloc(1, sizeof(*t));
    if (t == NULL) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", what);
    tfm_status status = tfm_spm_open(&t->spm, table, what, error);
    if (status != TFM_OK) {
        free(t);
        return status;
    }
    *tokenizer = t;
    return TFM_OK;
}

void tfm_tokenizer_close(tfm_tokenizer **tokenizer) {
    free(*tokenizer);
    *tokenizer = NULL;
}

size_t tfm_tokenizer_size(const tfm_tokenizer *tokenizer) { return tokenizer->spm.size; }

tfm_status tfm_tokenizer_encode(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, tfm_ids *ids,
                                tfm_error *error) {
    if (n > MAX_TEXT) {
        return tfm_fail(error, TFM_ERROR_LIMIT, "a text of %zu bytes is too long; split it (at most 1 GiB)", n);
    }
    return tfm_spm_encode(&tokenizer->spm, text, n, special, ids, error);
}

tfm_status tfm_tokenizer_decode(const tfm_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                                tfm_text *text, tfm_error *error) {
    return tfm_spm_decode(&tokenizer->spm, ids, n, skip_special, text, error);
}

const char *tfm_tokenizer_piece(const tfm_tokenizer *tokenizer, int32_t id, size_t *n) {
    if (id < 0 || (size_t)id >= tokenizer->spm.size) return NULL;
    return tfm_spm_text(&tokenizer->spm, (size_t)id, n);
}
