/* tokenizer.c - the kinds of tokenizers behind one interface. */
#include <stdlib.h>
#include <string.h>

#include "format/model_file.h"
#include "tokenizer.h"
#include "pipeline.h"
#include "spm.h"

#define MAX_TEXT ((size_t)1 << 30)

struct tfm_tokenizer {
    bool is_spm;
    union {
        tfm_spm spm;
        tfm_pipeline pipeline;
    };
};

static bool is_one_of(const char *type, const char *const *types, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(type, types[i]) == 0) return true;
    }
    return false;
}

tfm_status tfm_tokenizer_open(tfm_tokenizer **tokenizer, const tfm_table *table, const char *what, tfm_error *error) {
    static const char *const spm[] = {"sentencepiece-unigram", "sentencepiece-bpe"};
    static const char *const pipelines[] = {"bpe", "wordpiece", "unigram", "wordlevel"};
    *tokenizer = NULL;
    const char *type = tfm_table_string(table, "type", NULL);
    if (type == NULL) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: there is no type; pack the model again", what);
    bool is_spm = is_one_of(type, spm, 2);
    if (!is_spm && !is_one_of(type, pipelines, 4)) {
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: tokenizers of type %.40s are unknown to this version; use a newer one", what, type);
    }
    tfm_tokenizer *t = calloc(1, sizeof(*t));
    if (t == NULL) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", what);
    t->is_spm = is_spm;
    tfm_status status =
        is_spm ? tfm_spm_open(&t->spm, table, what, error) : tfm_pipeline_open(&t->pipeline, table, what, error);
    if (status != TFM_OK) {
        free(t);
        return status;
    }
    *tokenizer = t;
    return TFM_OK;
}

void tfm_tokenizer_close(tfm_tokenizer **tokenizer) {
    if (*tokenizer != NULL && !(*tokenizer)->is_spm) tfm_pipeline_close(&(*tokenizer)->pipeline);
    free(*tokenizer);
    *tokenizer = NULL;
}

size_t tfm_tokenizer_size(const tfm_tokenizer *tokenizer) {
    return tokenizer->is_spm ? tokenizer->spm.size : tokenizer->pipeline.size;
}

static tfm_status too_long(size_t n, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_LIMIT, "a text of %zu bytes is too long; split it (at most 1 GiB)", n);
}

tfm_status tfm_tokenizer_encode(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, tfm_ids *ids,
                                tfm_error *error) {
    if (n > MAX_TEXT) return too_long(n, error);
    if (tokenizer->is_spm) return tfm_spm_encode(&tokenizer->spm, text, n, special, ids, error);
    return tfm_pipeline_encode(&tokenizer->pipeline, text, n, NULL, 0, special, ids, NULL, error);
}

tfm_status tfm_tokenizer_encode_pair(const tfm_tokenizer *tokenizer, const char *a, size_t n_a, const char *b,
                                     size_t n_b, bool special, tfm_ids *ids, tfm_ids *types, tfm_error *error) {
    if (n_a > MAX_TEXT || n_b > MAX_TEXT) return too_long(n_a > n_b ? n_a : n_b, error);
    if (tokenizer->is_spm) {
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "this model's tokenizer has no form for pairs of texts");
    }
    return tfm_pipeline_encode(&tokenizer->pipeline, a, n_a, b != NULL ? b : "", n_b, special, ids, types, error);
}

tfm_status tfm_tokenizer_decode(const tfm_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                                tfm_text *text, tfm_error *error) {
    if (tokenizer->is_spm) return tfm_spm_decode(&tokenizer->spm, ids, n, skip_special, text, error);
    return tfm_pipeline_decode(&tokenizer->pipeline, ids, n, skip_special, text, error);
}

const char *tfm_tokenizer_piece(const tfm_tokenizer *tokenizer, int32_t id, size_t *n) {
    if (id < 0 || (size_t)id >= tfm_tokenizer_size(tokenizer)) return NULL;
    if (tokenizer->is_spm) return tfm_spm_text(&tokenizer->spm, (size_t)id, n);
    const tfm_pipeline *p = &tokenizer->pipeline;
    *n = p->text_offsets[id + 1] - p->text_offsets[id];
    return p->texts + p->text_offsets[id];
}
