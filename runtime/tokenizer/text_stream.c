/* text_stream.c - text of ids that come one by one, for both families of tokenizers. */
#include "text_stream.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer_kinds.h"

struct tfm_text_stream {
    const tfm_tokenizer *tokenizer;
    bool skip_special;
    bool failed; /* in the middle of an id */
    union {
        tfm_spm_decoder spm;
        tfm_pipeline_decoder pipeline;
    };
    tfm_text known; /* what the context would end with: as far as the text goes on like this, it is not given out */
    size_t n_known; /* bytes of it that are still to come */
};

tfm_status tfm_text_stream_create(tfm_text_stream **stream, const tfm_tokenizer *tokenizer, bool skip_special,
                                  tfm_error *error) {
    tfm_text_stream *s = calloc(1, sizeof *s);
    *stream = s;
    if (!s) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for a text");
    s->tokenizer = tokenizer;
    s->skip_special = skip_special;
    bool ok = tokenizer->is_spm ? tfm_spm_decoder_init(&s->spm, &tokenizer->spm)
                                : tfm_pipeline_decoder_init(&s->pipeline, &tokenizer->pipeline);
    if (ok) return TFM_OK;
    tfm_text_stream_free(stream);
    return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for a text");
}

void tfm_text_stream_free(tfm_text_stream **stream) {
    tfm_text_stream *s = *stream;
    if (!s) return;
    if (s->tokenizer->is_spm)
        tfm_spm_decoder_free(&s->spm);
    else
        tfm_pipeline_decoder_free(&s->pipeline);
    tfm_text_free(&s->known);
    free(s);
    *stream = NULL;
}

void tfm_text_stream_reset(tfm_text_stream *s) {
    if (s->tokenizer->is_spm)
        tfm_spm_decoder_reset(&s->spm);
    else
        tfm_pipeline_decoder_reset(&s->pipeline);
    s->failed = false;
    s->n_known = s->known.size = 0;
}

/* Takes what is known from the beginning of the text behind start. */
static void drop_known(tfm_text_stream *s, tfm_text *out, size_t start) {
    size_t n = out->size - start, same = 0;
    const char *known = s->known.data + (s->known.size - s->n_known), *text = out->data + start;
    while (same < n && same < s->n_known && text[same] == known[same]) same++;
    s->n_known = same < n ? 0 : s->n_known - same;
    memmove(out->data + start, text + same, n - same + 1); /* the NUL too */
    out->size -= same;
}

static tfm_status check(const tfm_text_stream *s, const int32_t *ids, size_t n, tfm_error *error) {
    size_t size = tfm_tokenizer_size(s->tokenizer);
    if (s->failed) return tfm_fail(error, TFM_ERROR_STATE, "the text has had no memory before; it needs a reset");
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= size)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "token id %d is outside the vocabulary of %zu", ids[i], size);
    }
    return TFM_OK;
}

static bool put(tfm_text_stream *s, uint32_t id, tfm_text *out) {
    return s->tokenizer->is_spm ? tfm_spm_decoder_put(&s->spm, id, s->skip_special, out)
                                : tfm_pipeline_decoder_put(&s->pipeline, id, s->skip_special, out);
}

static bool end(tfm_text_stream *s, tfm_text *out) {
    return s->tokenizer->is_spm ? tfm_spm_decoder_end(&s->spm, out) : tfm_pipeline_decoder_end(&s->pipeline, out);
}

/* What ids or the end added to the text behind start, or nothing if there was no memory. */
static tfm_status settle(tfm_text_stream *s, bool ok, tfm_text *out, size_t start, tfm_error *error) {
    if (ok) {
        if (s->n_known > 0 && out->size > start) drop_known(s, out, start);
        return TFM_OK;
    }
    s->failed = true;
    out->size = start;
    if (out->data) out->data[start] = 0;
    return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for text");
}

tfm_status tfm_text_stream_push(tfm_text_stream *s, const int32_t *ids, size_t n, tfm_text *out, tfm_error *error) {
    tfm_status status = check(s, ids, n, error);
    if (status != TFM_OK) return status;
    size_t start = out->size;
    bool ok = tfm_text_append(out, "", 0);
    for (size_t i = 0; i < n && ok; i++) ok = put(s, (uint32_t)ids[i], out);
    return settle(s, ok, out, start, error);
}

tfm_status tfm_text_stream_finish(tfm_text_stream *s, tfm_text *out, tfm_error *error) {
    tfm_status status = check(s, NULL, 0, error);
    if (status != TFM_OK) return status;
    size_t start = out->size;
    status = settle(s, tfm_text_append(out, "", 0) && end(s, out), out, start, error);
    if (status == TFM_OK) tfm_text_stream_reset(s);
    return status;
}

tfm_status tfm_text_stream_context(tfm_text_stream *s, const int32_t *ids, size_t n, tfm_error *error) {
    tfm_text given = {0};
    tfm_text_stream_reset(s);
    tfm_status status = tfm_text_stream_push(s, ids, n, &given, error);
    if (status == TFM_OK) status = tfm_tokenizer_decode(s->tokenizer, ids, n, s->skip_special, &s->known, error);
    if (status == TFM_OK)
        s->n_known = s->known.size - given.size; /* text that was given is the beginning of all text */
    else
        tfm_text_stream_reset(s);
    tfm_text_free(&given);
    return status;
}
