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

tfm_status tfm_text_stream_create(tfm_text_stream **out, const tfm_tokenizer *tokenizer, bool skip_special,
                                  tfm_error *error) {
    tfm_text_stream *stream = calloc(1, sizeof *stream);
    *out = stream;
    if (!stream) return tfm_no_memory(error, "a text");
    stream->tokenizer = tokenizer;
    stream->skip_special = skip_special;
    bool ok = tokenizer->is_spm ? tfm_spm_decoder_init(&stream->spm, &tokenizer->spm)
                                : tfm_pipeline_decoder_init(&stream->pipeline, &tokenizer->pipeline);
    if (ok) return TFM_OK;
    tfm_text_stream_free(out);
    return tfm_no_memory(error, "a text");
}

void tfm_text_stream_free(tfm_text_stream **closed) {
    tfm_text_stream *stream = *closed;
    if (!stream) return;
    if (stream->tokenizer->is_spm)
        tfm_spm_decoder_free(&stream->spm);
    else
        tfm_pipeline_decoder_free(&stream->pipeline);
    tfm_text_free(&stream->known);
    free(stream);
    *closed = NULL;
}

void tfm_text_stream_reset(tfm_text_stream *stream) {
    if (stream->tokenizer->is_spm)
        tfm_spm_decoder_reset(&stream->spm);
    else
        tfm_pipeline_decoder_reset(&stream->pipeline);
    stream->failed = false;
    stream->n_known = stream->known.size = 0;
}

/* Takes what is known from the beginning of the text behind start. */
static void drop_known(tfm_text_stream *stream, tfm_text *out, size_t start) {
    size_t n = out->size - start, same = 0;
    const char *known = stream->known.data + (stream->known.size - stream->n_known), *text = out->data + start;
    while (same < n && same < stream->n_known && text[same] == known[same]) same++;
    stream->n_known = same < n ? 0 : stream->n_known - same;
    memmove(out->data + start, text + same, n - same + 1); /* the NUL too */
    out->size -= same;
}

tfm_status tfm_text_stream_check(const tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_error *error) {
    size_t size = stream->tokenizer->rows;
    if (stream->failed) return tfm_fail(error, TFM_ERROR_STATE, "the text has had no memory before; it needs a reset");
    if (!ids && n > 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu token ids at NULL", n);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= size)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "token id %d is outside the vocabulary of %zu", ids[i], size);
    }
    return TFM_OK;
}

static bool put_known(tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_text *out) {
    return stream->tokenizer->is_spm ? tfm_spm_decoder_put(&stream->spm, ids, n, stream->skip_special, out)
                                     : tfm_pipeline_decoder_put(&stream->pipeline, ids, n, stream->skip_special, out);
}

/* Ids that only pad the vocabulary have no text: as if they were not there. */
static bool put(tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_text *out) {
    const size_t size = tfm_tokenizer_size(stream->tokenizer);
    for (size_t from = 0, to; from < n; from = to + 1) {
        for (to = from; to < n && (size_t)ids[to] < size; to++) continue;
        if (to > from && !put_known(stream, ids + from, to - from, out)) return false;
    }
    return true;
}

static bool end(tfm_text_stream *stream, tfm_text *out) {
    return stream->tokenizer->is_spm ? tfm_spm_decoder_end(&stream->spm, out)
                                     : tfm_pipeline_decoder_end(&stream->pipeline, out);
}

/* What ids or the end added to the text behind start, or nothing if there was no memory. */
static tfm_status settle(tfm_text_stream *stream, bool ok, tfm_text *out, size_t start, tfm_error *error) {
    if (ok) {
        if (stream->n_known > 0 && out->size > start) drop_known(stream, out, start);
        return TFM_OK;
    }
    stream->failed = true;
    out->size = start;
    if (out->data) out->data[start] = 0;
    return tfm_no_memory(error, "a text");
}

tfm_status tfm_text_stream_push(tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_text *out,
                                tfm_error *error) {
    tfm_status status = tfm_text_stream_check(stream, ids, n, error);
    if (status != TFM_OK) return status;
    size_t start = out->size;
    return settle(stream, tfm_text_append(out, "", 0) && put(stream, ids, n, out), out, start, error);
}

tfm_status tfm_text_stream_finish(tfm_text_stream *stream, tfm_text *out, tfm_error *error) {
    tfm_status status = tfm_text_stream_check(stream, NULL, 0, error);
    if (status != TFM_OK) return status;
    size_t start = out->size;
    status = settle(stream, tfm_text_append(out, "", 0) && end(stream, out), out, start, error);
    if (status == TFM_OK) tfm_text_stream_reset(stream);
    return status;
}

tfm_status tfm_text_stream_context(tfm_text_stream *stream, const int32_t *ids, size_t n, tfm_error *error) {
    tfm_text given = {0};
    tfm_text_stream_reset(stream);
    tfm_status status = tfm_text_stream_push(stream, ids, n, &given, error);
    if (status == TFM_OK)
        status = tfm_tokenizer_decode(stream->tokenizer, ids, n, stream->skip_special, &stream->known, error);
    if (status == TFM_OK)
        stream->n_known = stream->known.size - given.size; /* text that was given is the beginning of all text */
    else
        tfm_text_stream_reset(stream);
    tfm_text_free(&given);
    return status;
}
