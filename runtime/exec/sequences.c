/*
 * sequences.c - encoding inputs and feeding tokens to sequences, step by step.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/params.h"
#include "session.h"

static tfm_status check_ids(const int32_t *ids, size_t n, uint32_t vocab_size, tfm_error *error) {
    for (size_t i = 0; i < n; i++)
        if (!tfm_id_valid(ids[i], vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "token id %d at position %zu is outside the vocabulary (0 .. %u)", ids[i], i,
                            vocab_size - 1);
    return TFM_OK;
}

/* ---- encoding ---- */

void tfm_source_free(tfm_session *s, int32_t source) {
    if (!s->sources || source < 0 || (uint32_t)source >= s->params.max_sources) return;
    tfm_source_slot *slot = &s->sources[source];
    if (slot->used && s->model->arch.has_decoder) tfm_kv_page_release(&s->cross_kv, slot->pages, tfm_kv_pages(slot->n));
    slot->used = false;
}

static int32_t take_source(tfm_session *s, size_t n) {
    for (uint32_t i = 0; i < s->params.max_sources; i++) {
        tfm_source_slot *slot = &s->sources[i];
        if (slot->used) continue;
        /* There are pages for max_sources of the longest inputs, so this cannot fail. */
        if (s->model->arch.has_decoder) tfm_kv_extend(&s->cross_kv, slot->pages, 0, n);
        slot->used = true;
        slot->n = (uint32_t)n;
        return (int32_t)i;
    }
    return -1;
}

static tfm_status check_inputs(const tfm_session *s, const tfm_tokens *inputs, size_t n_sources, tfm_error *error) {
    if (!s->model->arch.has_encoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no encoder", tfm_file_path(s->model->file));
    size_t total = 0;
    for (size_t i = 0; i < n_sources; i++) {
        if (inputs[i].n == 0 || inputs[i].n > s->params.max_source)
            return tfm_fail(error, TFM_ERROR_LIMIT, "input %zu has %zu tokens; allowed are 1 to %u", i, inputs[i].n,
                            s->params.max_source);
        tfm_status status = check_ids(inputs[i].ids, inputs[i].n, s->model->arch.encoder.vocab_size, error);
        if (status) return status;
        total += inputs[i].n;
    }
    if (n_sources > s->params.max_sources || total > s->params.max_batch_tokens)
        return tfm_fail(error, TFM_ERROR_LIMIT,
                        "%zu inputs of %zu tokens in all at once; the session takes %u inputs and %u tokens", n_sources,
                        total, s->params.max_sources, s->params.max_batch_tokens);
    return TFM_OK;
}

/* Gives every input its source number and lays their rows one after the other. */
static tfm_status lay_out(tfm_session *s, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                          size_t *n_tokens, tfm_error *error) {
    size_t row = 0, page = 0;
    for (size_t i = 0; i < n_sources; i++) {
        sources[i] = take_source(s, inputs[i].n);
        if (sources[i] < 0) {
            while (i-- > 0) tfm_source_free(s, sources[i]);
            return tfm_fail(error, TFM_ERROR_LIMIT, "all %u sources of the session are in use", s->params.max_sources);
        }
        memcpy(s->ids + row, inputs[i].ids, inputs[i].n * sizeof *s->ids);
        s->runs[i] = (tfm_run){.row = row,
                               .n = inputs[i].n,
                               .pages = s->encoder_pages + page,
                               .cross_pages = s->sources[sources[i]].pages,
                               .n_source = inputs[i].n};
        row += inputs[i].n;
        page += tfm_kv_pages(inputs[i].n);
    }
    if (s->token_types) memset(s->token_types, 0, row * sizeof *s->token_types);
    *n_tokens = row;
    return TFM_OK;
}

tfm_status tfm_encode_step(tfm_session *s, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                           float *const *states, tfm_error *error) {
    size_t n_tokens = 0;
    tfm_status status = check_inputs(s, inputs, n_sources, error);
    if (!status) status = lay_out(s, inputs, n_sources, sources, &n_tokens, error);
    if (status) return status;
    if (n_sources > 0) status = tfm_forward(s, &s->model->encoder, s->runs, n_sources, n_tokens, error);
    size_t d = s->model->arch.d_model;
    for (size_t i = 0; states && !status && i < n_sources; i++)
        if (states[i]) memcpy(states[i], s->x + s->runs[i].row * d, inputs[i].n * d * sizeof(float));
    if (!status && n_sources > 0 && s->model->arch.has_decoder)
        status = tfm_forward_cross(s, s->runs, n_sources, n_tokens, error);
    for (size_t i = 0; status && i < n_sources; i++) tfm_source_free(s, sources[i]);
    return status;
}

tfm_status tfm_encode(tfm_session *s, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                      float *const *states, tfm_error *error) {
    atomic_store(&s->cancelled, false);
    return tfm_encode_step(s, inputs, n_sources, sources, states, error);
}

size_t tfm_free_sources(const tfm_session *s) {
    size_t n = 0;
    for (uint32_t i = 0; s->sources && i < s->params.max_sources; i++) n += !s->sources[i].used;
    return n;
}

/* ---- sequences ---- */

bool tfm_sequence_used(const tfm_session *s, int32_t sequence) {
    return s->sequences && sequence >= 0 && (uint32_t)sequence < s->params.max_sequences && s->sequences[sequence].used;
}

static tfm_status take_sequence(tfm_session *s, int32_t *sequence, tfm_error *error) {
    for (uint32_t i = 0; i < s->params.max_sequences; i++) {
        if (s->sequences[i].used) continue;
        s->sequences[i].used = true;
        s->sequences[i].length = 0;
        *sequence = (int32_t)i;
        return TFM_OK;
    }
    return tfm_fail(error, TFM_ERROR_LIMIT, "all %u sequences of the session are in use", s->params.max_sequences);
}

tfm_status tfm_sequence_new(tfm_session *s, int32_t source, int32_t *sequence, tfm_error *error) {
    *sequence = -1;
    if (!s->model->arch.has_decoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no decoder", tfm_file_path(s->model->file));
    bool wants_source = s->model->arch.has_encoder;
    bool has_source = source >= 0 && s->sources && (uint32_t)source < s->params.max_sources && s->sources[source].used;
    if (wants_source ? !has_source : source != -1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        wants_source ? "source %d is not one that tfm_encode gave"
                                     : "source is %d, but the model has no encoder",
                        source);
    tfm_status status = take_sequence(s, sequence, error);
    if (!status) s->sequences[*sequence].source = source;
    return status;
}

tfm_status tfm_sequence_fork(tfm_session *s, int32_t sequence, int32_t *copy, tfm_error *error) {
    *copy = -1;
    if (!tfm_sequence_used(s, sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", sequence);
    tfm_status status = take_sequence(s, copy, error);
    if (status) return status;
    tfm_sequence_slot *from = &s->sequences[sequence], *to = &s->sequences[*copy];
    uint32_t n_pages = tfm_kv_pages(from->length);
    memcpy(to->pages, from->pages, n_pages * sizeof *to->pages);
    tfm_kv_page_retain(&s->self_kv, to->pages, n_pages);
    to->length = from->length;
    to->source = from->source;
    return TFM_OK;
}

void tfm_sequence_truncate(tfm_session *s, int32_t sequence, size_t n) {
    if (!tfm_sequence_used(s, sequence) || n >= s->sequences[sequence].length) return;
    tfm_sequence_slot *slot = &s->sequences[sequence];
    uint32_t keep = tfm_kv_pages(n);
    tfm_kv_page_release(&s->self_kv, slot->pages + keep, tfm_kv_pages(slot->length) - keep);
    slot->length = (uint32_t)n;
}

void tfm_sequence_free(tfm_session *s, int32_t sequence) {
    if (!tfm_sequence_used(s, sequence)) return;
    tfm_sequence_truncate(s, sequence, 0);
    s->sequences[sequence].used = false;
}

size_t tfm_sequence_length(const tfm_session *s, int32_t sequence) {
    return tfm_sequence_used(s, sequence) ? s->sequences[sequence].length : 0;
}

size_t tfm_free_sequences(const tfm_session *s) {
    size_t n = 0;
    for (uint32_t i = 0; s->sequences && i < s->params.max_sequences; i++) n += !s->sequences[i].used;
    return n;
}

/* ---- decoding ---- */

static tfm_status check_span(const tfm_session *s, const tfm_span *span, tfm_error *error) {
    tfm_status reserved = tfm_params_check_reserved(span->reserved, "tfm_span", error);
    if (reserved != TFM_OK) return reserved;
    if (!tfm_sequence_used(s, span->sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", span->sequence);
    size_t past = s->sequences[span->sequence].length;
    if (span->n == 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "no tokens for sequence %d", span->sequence);
    if (span->n > s->params.max_target - past)
        return tfm_fail(error, TFM_ERROR_LIMIT, "sequence %d has %zu tokens and %zu more do not fit: the limit is %u",
                        span->sequence, past, span->n, s->params.max_target);
    return check_ids(span->ids, span->n, s->model->arch.decoder.vocab_size, error);
}

/* Makes room for each span's tokens and lays their rows one after the other. */
static tfm_status lay_out_spans(tfm_session *s, const tfm_span *spans, size_t n_spans, size_t *n_tokens,
                                tfm_error *error) {
    size_t row = 0;
    for (size_t i = 0; i < n_spans; i++) {
        tfm_status status = check_span(s, &spans[i], error);
        if (!status && spans[i].n > s->params.max_batch_tokens - row)
            status = tfm_fail(error, TFM_ERROR_LIMIT, "more than %u tokens at once", s->params.max_batch_tokens);
        if (status) return status;
        tfm_sequence_slot *slot = &s->sequences[spans[i].sequence];
        size_t past = slot->length;
        /* There are pages for max_sequences of the longest outputs, so this cannot fail. */
        tfm_kv_extend(&s->self_kv, slot->pages, past, spans[i].n);
        slot->length = (uint32_t)(past + spans[i].n);
        memcpy(s->ids + row, spans[i].ids, spans[i].n * sizeof *s->ids);
        s->runs[i] =
            (tfm_run){.row = row, .n = spans[i].n, .past = past, .pages = slot->pages, .sequence = spans[i].sequence};
        if (slot->source >= 0 && s->model->arch.has_encoder) {
            s->runs[i].cross_pages = s->sources[slot->source].pages;
            s->runs[i].n_source = s->sources[slot->source].n;
        }
        row += spans[i].n;
    }
    *n_tokens = row;
    return TFM_OK;
}

/* Last tokens of all spans, one after the other. */
static void gather_last(tfm_session *s, const tfm_span *spans, size_t n_spans) {
    size_t d = s->model->arch.d_model;
    for (size_t i = 0; i < n_spans; i++)
        memcpy(s->last + i * d, s->x + (s->runs[i].row + spans[i].n - 1) * d, d * sizeof(float));
}

/* One product for all last tokens, so that the weights are read once. */
static tfm_status project_last(tfm_session *s, const tfm_span *spans, size_t n_spans, tfm_error *error) {
    size_t vocab = s->model->arch.decoder.vocab_size;
    tfm_status status = tfm_project(s, &s->model->output, s->last, n_spans, s->logits, error);
    for (size_t i = 0; !status && i < n_spans; i++)
        if (spans[i].logits && !spans[i].all_logits)
            memcpy(spans[i].logits, s->logits + i * vocab, vocab * sizeof(float));
    return status;
}

static tfm_status give_results(tfm_session *s, const tfm_span *spans, size_t n_spans, bool keep, tfm_error *error) {
    size_t d = s->model->arch.d_model;
    tfm_status status = TFM_OK;
    bool want_last = false;
    for (size_t i = 0; i < n_spans && !status; i++) {
        const float *states = s->x + s->runs[i].row * d;
        if (spans[i].states) memcpy(spans[i].states, states, spans[i].n * d * sizeof(float));
        if (spans[i].logits && spans[i].all_logits)
            status = tfm_project(s, &s->model->output, states, spans[i].n, spans[i].logits, error);
        want_last |= spans[i].logits && !spans[i].all_logits;
    }
    if (keep || want_last) gather_last(s, spans, n_spans);
    return status || !want_last ? status : project_last(s, spans, n_spans, error);
}

tfm_status tfm_decode_step(tfm_session *s, const tfm_span *spans, size_t n_spans, bool keep, tfm_error *error) {
    if (!s->model->arch.has_decoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no decoder", tfm_file_path(s->model->file));
    if (n_spans > s->params.max_sequences)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%zu spans for %u sequences", n_spans, s->params.max_sequences);
    for (size_t i = 0; i < n_spans; i++) s->runs[i].n = 0;
    size_t n_tokens = 0;
    tfm_status status = lay_out_spans(s, spans, n_spans, &n_tokens, error);
    if (!status && n_spans > 0) status = tfm_forward(s, &s->model->decoder, s->runs, n_spans, n_tokens, error);
    if (!status && n_spans > 0) status = give_results(s, spans, n_spans, keep, error);
    /* The sequences forget what was laid out but not computed. */
    for (size_t i = n_spans; status && i-- > 0;)
        if (s->runs[i].n > 0) tfm_sequence_truncate(s, spans[i].sequence, s->runs[i].past);
    return status;
}

tfm_status tfm_decode(tfm_session *s, const tfm_span *spans, size_t n_spans, tfm_error *error) {
    atomic_store(&s->cancelled, false);
    return tfm_decode_step(s, spans, n_spans, false, error);
}

/* ---- cross-attention weights ---- */

tfm_status tfm_session_keep_attention(tfm_session *s, bool keep, tfm_error *error) {
    if (!keep) {
        free(s->kept_attention);
        free(s->kept_row);
        s->kept_attention = s->kept_row = NULL;
        return TFM_OK;
    }
    if (s->model->arch.kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(error, TFM_ERROR_STATE, "only encoder-decoders have cross-attention");
    if (s->kept_attention) return TFM_OK;
    size_t n_layers = s->model->arch.decoder.n_layers;
    s->kept_attention = calloc((size_t)s->params.max_sequences * n_layers + 1, s->params.max_source * sizeof(float));
    s->kept_row = calloc(s->params.max_source, sizeof(float));
    if (s->kept_attention && s->kept_row) return TFM_OK;
    tfm_session_keep_attention(s, false, NULL);
    return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for attention weights");
}

tfm_status tfm_cross_attention(tfm_session *s, int32_t sequence, int32_t layer, float *weights, tfm_error *error) {
    if (!s->kept_attention)
        return tfm_fail(error, TFM_ERROR_STATE, "attention weights are not kept: see tfm_session_keep_attention");
    if (!tfm_sequence_used(s, sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", sequence);
    uint32_t n_layers = s->model->arch.decoder.n_layers;
    if (layer < -1 || layer >= (int32_t)n_layers)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no layer %d: the decoder has %u", layer, n_layers);
    size_t n = s->sources[s->sequences[sequence].source].n, stride = s->params.max_source;
    const float *kept = s->kept_attention + (size_t)sequence * n_layers * stride;
    if (layer >= 0) {
        memcpy(weights, kept + (size_t)layer * stride, n * sizeof(float));
        return TFM_OK;
    }
    for (size_t p = 0; p < n; p++) {
        float sum = 0;
        for (uint32_t l = 0; l < n_layers; l++) sum += kept[l * stride + p];
        weights[p] = n_layers ? sum / (float)n_layers : 0;
    }
    return TFM_OK;
}
