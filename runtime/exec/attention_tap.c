/* attention_tap.c - see attention_tap.h. */
#include "attention_tap.h"

#include <stdlib.h>
#include <string.h>

#include "sequences.h"

void tfm_attention_keep(const tfm_attention_pass *pass) {
    tfm_session *session = pass->session;
    size_t n_layers = session->model->decoder.options->n_layers, n_heads = pass->options->n_heads;
    const tfm_ragged_batch *batch = pass->batch;
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++) {
        float *kept = session->kept_attention +
                      ((size_t)run->sequence * n_layers + pass->layer) * (size_t)session->params.max_source;
        memset(kept, 0, run->n_source * sizeof *kept);
        for (size_t h = 0; h < n_heads; h++) {
            tfm_attention_args args = tfm_attention_args_of(pass, run, h, 1, run->n - 1, 1);
            session->model->kernels->attention_weights(&args, session->kept_row, run->n_source);
            session->model->kernels->add(kept, session->kept_row, run->n_source);
        }
        for (size_t p = 0; p < run->n_source; p++) kept[p] /= (float)n_heads;
    }
}

tfm_status tfm_session_keep_attention(tfm_session *session, bool keep, tfm_error *error) {
    if (!keep) {
        free(session->kept_attention);
        free(session->kept_row);
        session->kept_attention = session->kept_row = NULL;
        return TFM_OK;
    }
    if (session->model->arch.kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(error, TFM_ERROR_STATE, "only encoder-decoders have cross-attention");
    if (session->kept_attention) return TFM_OK;
    size_t n_layers = session->model->arch.decoder.n_layers;
    session->kept_attention =
        calloc((size_t)session->params.max_sequences * n_layers + 1, session->params.max_source * sizeof(float));
    session->kept_row = calloc(session->params.max_source, sizeof(float));
    if (session->kept_attention && session->kept_row) return TFM_OK;
    tfm_session_keep_attention(session, false, NULL);
    return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for attention weights");
}

tfm_status tfm_cross_attention(tfm_session *session, int32_t sequence, int32_t layer, float *weights,
                               tfm_error *error) {
    if (!session->kept_attention)
        return tfm_fail(error, TFM_ERROR_STATE, "attention weights are not kept: see tfm_session_keep_attention");
    if (!tfm_sequence_used(session, sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", sequence);
    uint32_t n_layers = session->model->arch.decoder.n_layers;
    if (layer < -1 || layer >= (int32_t)n_layers)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no layer %d: the decoder has %u", layer, n_layers);
    size_t n = session->sources[session->sequences[sequence].source].n, stride = session->params.max_source;
    const float *kept = session->kept_attention + (size_t)sequence * n_layers * stride;
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
