/* step.c - see step.h. */
#include "step.h"

#include <string.h>

#include "executor.h"
#include "runtime/params.h"
#include "sequences.h"

static tfm_status check_ids(const int32_t *ids, size_t n, uint32_t vocab_size, tfm_error *error) {
    if (!ids) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu token ids at NULL", n);
    for (size_t i = 0; i < n; i++)
        if (!tfm_id_valid(ids[i], vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "token id %d at position %zu is outside the vocabulary (0 .. %u)", ids[i], i,
                            vocab_size - 1);
    return TFM_OK;
}

/* What the batch that has just run gives. */
static tfm_step_result result_of(const tfm_session *session) {
    const tfm_ragged_batch *batch = &session->batch;
    for (size_t i = 0; i < batch->n_runs; i++)
        session->last_rows[i] = (uint32_t)(batch->runs[i].row + batch->runs[i].n - 1);
    return (tfm_step_result){.states = session->x,
                             .n_tokens = batch->n_tokens,
                             .last_rows = session->last_rows,
                             .n_runs = batch->n_runs,
                             .logits = session->logits,
                             .logits_rows = session->logits_rows};
}

/* ---- encoding ---- */

static tfm_status check_inputs(const tfm_session *session, const tfm_tokens *inputs, size_t n_inputs,
                               tfm_error *error) {
    const tfm_session_params *limits = &session->params;
    if (!session->model->arch.has_encoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no encoder", tfm_file_path(session->model->file));
    if (n_inputs > limits->max_sources)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%zu inputs at once; the session takes %u", n_inputs,
                        limits->max_sources);
    if (n_inputs > 0 && !inputs) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu inputs at NULL", n_inputs);
    size_t total = 0;
    for (size_t i = 0; i < n_inputs; i++) {
        if (inputs[i].n == 0 || inputs[i].n > limits->max_source)
            return tfm_fail(error, TFM_ERROR_LIMIT, "input %zu has %zu tokens; allowed are 1 to %u", i, inputs[i].n,
                            limits->max_source);
        tfm_status status = check_ids(inputs[i].ids, inputs[i].n, session->model->arch.encoder.vocab_size, error);
        if (status != TFM_OK) return status;
        total += inputs[i].n;
    }
    if (total > limits->max_batch_tokens)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%zu inputs of %zu tokens in all at once; the session takes %u tokens",
                        n_inputs, total, limits->max_batch_tokens);
    return TFM_OK;
}

/* Gives every input its source number and makes a batch of them. */
static tfm_status lay_out_inputs(tfm_session *session, const tfm_tokens *inputs, size_t n_inputs, int32_t *sources,
                                 tfm_error *error) {
    const uint32_t *pages = session->encoder_pages;
    tfm_ragged_batch_clear(&session->batch);
    for (size_t i = 0; i < n_inputs; i++) {
        sources[i] = tfm_source_take(session, inputs[i].n);
        if (sources[i] < 0) {
            while (i-- > 0) tfm_source_free(session, sources[i]);
            return tfm_fail(error, TFM_ERROR_LIMIT, "all %u sources of the session are in use",
                            session->params.max_sources);
        }
        tfm_run *run = tfm_ragged_batch_append(&session->batch, inputs[i].ids, inputs[i].n, 0);
        run->sequence = sources[i];
        run->pages = pages;
        run->cross_pages = session->sources[sources[i]].pages;
        run->n_source = inputs[i].n;
        pages += tfm_kv_pages(inputs[i].n);
    }
    return TFM_OK;
}

tfm_status tfm_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_inputs, int32_t *sources,
                           tfm_step_result *result, tfm_error *error) {
    tfm_status status = check_inputs(session, inputs, n_inputs, error);
    if (status == TFM_OK) status = lay_out_inputs(session, inputs, n_inputs, sources, error);
    if (status != TFM_OK) return status;
    if (n_inputs > 0) status = tfm_forward(session, &session->model->encoder, &session->batch, error);
    if (n_inputs > 0 && status == TFM_OK && session->model->arch.has_decoder)
        status = tfm_forward_cross(session, &session->batch, error);
    for (size_t i = 0; status != TFM_OK && i < n_inputs; i++) tfm_source_free(session, sources[i]);
    if (status == TFM_OK && result) *result = result_of(session);
    return status;
}

tfm_status tfm_encode(tfm_session *session, const tfm_tokens *inputs, size_t n_inputs, int32_t *sources,
                      float *const *states, tfm_error *error) {
    size_t d = session->model->arch.d_model;
    tfm_step_result result;
    tfm_status status = tfm_encode_step(session, inputs, n_inputs, sources, &result, error);
    if (status != TFM_OK || !states) return status;
    const float *from = result.states;
    for (size_t i = 0; i < n_inputs; i++) {
        if (states[i]) memcpy(states[i], from, inputs[i].n * d * sizeof *from);
        from += inputs[i].n * d;
    }
    return TFM_OK;
}

/* ---- decoding ---- */

static tfm_status check_span(const tfm_session *session, const tfm_span *span, tfm_error *error) {
    tfm_status status = tfm_params_check_reserved(span->reserved, "tfm_span", error);
    if (status != TFM_OK) return status;
    if (!tfm_sequence_used(session, span->sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", span->sequence);
    size_t past = session->sequences[span->sequence].length;
    if (span->n == 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "no tokens for sequence %d", span->sequence);
    if (span->n > session->params.max_target - past)
        return tfm_fail(error, TFM_ERROR_LIMIT, "sequence %d has %zu tokens and %zu more do not fit: the limit is %u",
                        span->sequence, past, span->n, session->params.max_target);
    if (span->n > session->params.max_batch_tokens - session->batch.n_tokens)
        return tfm_fail(error, TFM_ERROR_LIMIT, "more than %u tokens at once", session->params.max_batch_tokens);
    status = check_ids(span->ids, span->n, session->model->arch.decoder.vocab_size, error);
    if (status != TFM_OK) return status;
    if (session->sequences[span->sequence].step == session->n_steps)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "sequence %d occurs twice", span->sequence);
    return TFM_OK;
}

/* Makes room for each span's tokens and a batch of them. */
static tfm_status lay_out_spans(tfm_session *session, const tfm_span *spans, size_t n_spans, tfm_error *error) {
    session->n_steps++;
    tfm_ragged_batch_clear(&session->batch);
    for (const tfm_span *span = spans; span < spans + n_spans; span++) {
        tfm_status status = check_span(session, span, error);
        if (status != TFM_OK) return status;
        tfm_sequence_slot *slot = &session->sequences[span->sequence];
        slot->step = session->n_steps;
        tfm_run *run = tfm_ragged_batch_append(&session->batch, span->ids, span->n, slot->length);
        tfm_sequence_extend(session, span->sequence, span->n);
        run->sequence = span->sequence;
        run->pages = slot->pages;
        if (slot->source >= 0) {
            run->cross_pages = session->sources[slot->source].pages;
            run->n_source = session->sources[slot->source].n;
        }
    }
    return TFM_OK;
}

/* The sequences of the batch forget its tokens. */
static void forget_batch(tfm_session *session) {
    const tfm_ragged_batch *batch = &session->batch;
    for (size_t i = batch->n_runs; i-- > 0;)
        tfm_sequence_truncate(session, batch->runs[i].sequence, batch->runs[i].past);
}

tfm_status tfm_decode_step(tfm_session *session, const tfm_span *spans, size_t n_spans, tfm_step_result *result,
                           tfm_error *error) {
    if (!session->model->arch.has_decoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no decoder", tfm_file_path(session->model->file));
    if (n_spans > session->params.max_sequences)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%zu spans for %u sequences", n_spans, session->params.max_sequences);
    if (n_spans > 0 && !spans) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu spans at NULL", n_spans);
    tfm_status status = lay_out_spans(session, spans, n_spans, error);
    if (status == TFM_OK && n_spans > 0)
        status = tfm_forward(session, &session->model->decoder, &session->batch, error);
    if (status != TFM_OK) {
        forget_batch(session);
        return status;
    }
    if (result) *result = result_of(session);
    return TFM_OK;
}

/* ---- logits ---- */

tfm_status tfm_project_rows(tfm_session *session, const tfm_step_result *result, const uint32_t *rows, size_t n,
                            const tfm_linear *output, float *logits, tfm_error *error) {
    size_t d = session->model->arch.d_model;
    float *gathered = session->h; /* of use within a layer only */
    for (size_t i = 0; i < n; i++) memcpy(gathered + i * d, result->states + rows[i] * d, d * sizeof *gathered);
    return tfm_project(session, output, gathered, n, logits, error);
}

/* The logits of the last tokens that are asked for: one product, so that the weights are read once. */
static tfm_status write_last_logits(tfm_session *session, const tfm_span *spans, const tfm_step_result *result,
                                    tfm_error *error) {
    size_t vocab = session->model->arch.decoder.vocab_size, n = 0;
    uint32_t *rows = session->last_rows; /* those of the spans concerned move to the front */
    for (size_t i = 0; i < result->n_runs; i++)
        if (spans[i].logits && !spans[i].all_logits) rows[n++] = result->last_rows[i];
    if (n == 0) return TFM_OK;
    tfm_status status = tfm_project_rows(session, result, rows, n, &session->model->output, result->logits, error);
    const float *from = result->logits;
    for (size_t i = 0; status == TFM_OK && i < result->n_runs; i++) {
        if (!spans[i].logits || spans[i].all_logits) continue;
        memcpy(spans[i].logits, from, vocab * sizeof *from);
        from += vocab;
    }
    return status;
}

static tfm_status write_results(tfm_session *session, const tfm_span *spans, const tfm_step_result *result,
                                tfm_error *error) {
    size_t d = session->model->arch.d_model;
    const float *states = result->states;
    for (size_t i = 0; i < result->n_runs; i++) {
        if (spans[i].states) memcpy(spans[i].states, states, spans[i].n * d * sizeof *states);
        if (spans[i].logits && spans[i].all_logits) {
            tfm_status status =
                tfm_project(session, &session->model->output, states, spans[i].n, spans[i].logits, error);
            if (status != TFM_OK) return status;
        }
        states += spans[i].n * d;
    }
    return write_last_logits(session, spans, result, error);
}

tfm_status tfm_decode(tfm_session *session, const tfm_span *spans, size_t n_spans, tfm_error *error) {
    tfm_step_result result;
    tfm_status status = tfm_decode_step(session, spans, n_spans, &result, error);
    if (status != TFM_OK) return status;
    status = write_results(session, spans, &result, error);
    if (status != TFM_OK) forget_batch(session);
    return status;
}
