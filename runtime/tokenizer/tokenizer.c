/* tokenizer.c - the kinds of tokenizers behind one interface. */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer_kinds.h"

#define MAX_TEXT ((size_t)1 << 30)

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
    if (!type) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: there is no type; pack the model again", what);
    bool is_spm = is_one_of(type, spm, 2);
    if (!is_spm && !is_one_of(type, pipelines, 4)) {
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: tokenizers of type %.40s are unknown to this version; use a newer one", what, type);
    }
    tfm_tokenizer *t = calloc(1, sizeof *t);
    if (!t) return tfm_no_memory(error, "%s", what);
    t->is_spm = is_spm;
    t->index = calloc(1, sizeof *t->index);
    tfm_status status = !t->index ? tfm_no_memory(error, "%s", what)
                        : is_spm  ? tfm_spm_open(&t->spm, table, what, error)
                                  : tfm_pipeline_open(&t->pipeline, table, what, error);
    if (status != TFM_OK) {
        free(t->index);
        free(t);
        return status;
    }
    tfm_tokenizer_set_rows(t, 0);
    *tokenizer = t;
    return TFM_OK;
}

void tfm_tokenizer_close(tfm_tokenizer **tokenizer) {
    if (!*tokenizer) return;
    if (!(*tokenizer)->is_spm) tfm_pipeline_close(&(*tokenizer)->pipeline);
    tfm_piece_index_free((*tokenizer)->index);
    free((*tokenizer)->index);
    free(*tokenizer);
    *tokenizer = NULL;
}

size_t tfm_tokenizer_size(const tfm_tokenizer *tokenizer) {
    return tokenizer->is_spm ? tokenizer->spm.size : tokenizer->pipeline.size;
}

void tfm_tokenizer_set_rows(tfm_tokenizer *tokenizer, size_t rows) {
    const size_t size = tfm_tokenizer_size(tokenizer);
    tokenizer->rows = rows > size ? rows : size;
}

static tfm_status check_text(const char *text, size_t n, tfm_error *error) {
    if (n > MAX_TEXT)
        return tfm_fail(error, TFM_ERROR_LIMIT, "a text of %zu bytes is too long; split it (at most 1 GiB)", n);
    if (!text && n > 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is a text of %zu bytes at NULL", n);
    return TFM_OK;
}

tfm_status tfm_tokenizer_encode(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special, tfm_ids *ids,
                                tfm_error *error) {
    return tfm_tokenizer_encode_noting(tokenizer, text, n, special, ids, NULL, error);
}

tfm_status tfm_tokenizer_encode_noting(const tfm_tokenizer *tokenizer, const char *text, size_t n, bool special,
                                       tfm_ids *ids, tfm_text *unknowns, tfm_error *error) {
    tfm_status status = check_text(text, n, error);
    if (status != TFM_OK) return status;
    if (!text) text = "";
    if (tokenizer->is_spm) return tfm_spm_encode(&tokenizer->spm, text, n, special, ids, unknowns, error);
    return tfm_pipeline_encode(&tokenizer->pipeline, text, n, NULL, 0, special, ids, NULL, unknowns, error);
}

int32_t tfm_tokenizer_unknown_id(const tfm_tokenizer *tokenizer) {
    const uint32_t id = tokenizer->is_spm ? tokenizer->spm.unknown_id : tokenizer->pipeline.model.unknown_id;
    return id < tfm_tokenizer_size(tokenizer) ? (int32_t)id : -1;
}

tfm_status tfm_tokenizer_encode_pair(const tfm_tokenizer *tokenizer, const char *a, size_t n_a, const char *b,
                                     size_t n_b, bool special, tfm_ids *ids, tfm_ids *types, tfm_error *error) {
    tfm_status status = check_text(a, n_a, error);
    if (status == TFM_OK) status = check_text(b, n_b, error);
    if (status != TFM_OK) return status;
    if (tokenizer->is_spm) {
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "this model's tokenizer has no form for pairs of texts");
    }
    return tfm_pipeline_encode(&tokenizer->pipeline, a ? a : "", n_a, b ? b : "", n_b, special, ids, types, NULL,
                               error);
}

static tfm_status decode(const tfm_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                         tfm_text *text, tfm_error *error) {
    if (tokenizer->is_spm) return tfm_spm_decode(&tokenizer->spm, ids, n, skip_special, text, error);
    return tfm_pipeline_decode(&tokenizer->pipeline, ids, n, skip_special, text, error);
}

tfm_status tfm_tokenizer_decode(const tfm_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                                tfm_text *text, tfm_error *error) {
    if (!ids && n > 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu token ids at NULL", n);
    const size_t size = tfm_tokenizer_size(tokenizer);
    size_t first = 0; /* id that has no text, though the model has it */
    while (first < n && !(ids[first] >= 0 && (size_t)ids[first] >= size && (size_t)ids[first] < tokenizer->rows))
        first++;
    if (first == n) return decode(tokenizer, ids, n, skip_special, text, error);
    tfm_ids known = {0};
    bool ok = tfm_ids_append(&known, ids, first);
    for (size_t i = first; ok && i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] < size || (size_t)ids[i] >= tokenizer->rows)
            ok = tfm_ids_append(&known, &ids[i], 1);
    tfm_status status = ok ? decode(tokenizer, known.data, known.size, skip_special, text, error)
                           : tfm_no_memory(error, "the text of %zu tokens", n);
    tfm_ids_free(&known);
    return status;
}

static tfm_spellings spellings(const tfm_tokenizer *tokenizer) {
    if (tokenizer->is_spm) {
        const tfm_spm *spm = &tokenizer->spm;
        return (tfm_spellings){spm->texts, spm->text_offsets, spm->size};
    }
    const tfm_pipeline *p = &tokenizer->pipeline;
    return (tfm_spellings){p->texts, p->text_offsets, p->size};
}

const char *tfm_tokenizer_piece(const tfm_tokenizer *tokenizer, int32_t id, size_t *n) {
    tfm_spellings all = spellings(tokenizer);
    if (id < 0 || (size_t)id >= all.n) return NULL;
    *n = all.offsets[id + 1] - all.offsets[id];
    return all.texts + all.offsets[id];
}

int32_t tfm_tokenizer_id(const tfm_tokenizer *tokenizer, const char *piece, size_t n) {
    tfm_spellings all = spellings(tokenizer);
    return tfm_piece_index_find(tokenizer->index, &all, piece, n);
}

/* What a template has around and between the texts. */
static tfm_special_split count_special(const tfm_template *template) {
    tfm_special_split counts = {0};
    bool text_before = false;
    for (size_t i = 0; i < template->n; i++) {
        bool is_text = template->parts[2 * i] < 2;
        if (!text_before && !is_text) counts.before++;
        if (text_before && !is_text) counts.after++;
        if (text_before && is_text) {
            counts.between += counts.after;
            counts.after = 0;
        }
        text_before |= is_text;
    }
    return counts;
}

bool tfm_tokenizer_special_counts(const tfm_tokenizer *tokenizer, bool pair, tfm_special_split *counts) {
    *counts = (tfm_special_split){0};
    if (!tokenizer->is_spm) {
        *counts = count_special(pair ? &tokenizer->pipeline.pair : &tokenizer->pipeline.single);
        return true;
    }
    if (pair) return false;
    counts->before = tokenizer->spm.n_prefix_ids;
    counts->after = tokenizer->spm.n_suffix_ids;
    return true;
}
