/* mean_attention.c - see mean_attention.h. The order of the sums is part of the result: heads, then layers. */
#include "mean_attention.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/exec/attention_tap.h"

tfm_status tfm_mean_attention_open(tfm_mean_attention *mean, tfm_session *session, tfm_error *error) {
    size_t stride = session->params.max_source;
    *mean = (tfm_mean_attention){.session = session};
    mean->rows = calloc(session->params.max_sequences, stride * sizeof *mean->rows);
    mean->heads = calloc(stride, sizeof *mean->heads);
    mean->params = calloc(session->params.max_sequences, sizeof *mean->params);
    if (mean->rows && mean->heads && mean->params) return TFM_OK;
    tfm_mean_attention_close(mean);
    return tfm_no_memory(error, "attention weights");
}

void tfm_mean_attention_close(tfm_mean_attention *mean) {
    if (!mean->session) return;
    tfm_mean_attention_stop(mean);
    tfm_attention_tap_trim(mean->session);
    free(mean->rows);
    free(mean->heads);
    free(mean->params);
    *mean = (tfm_mean_attention){0};
}

static float *row_of(const tfm_mean_attention *mean, int32_t sequence) {
    return mean->rows + (size_t)sequence * mean->session->params.max_source;
}

void tfm_mean_attention_choose(tfm_mean_attention *mean, int32_t sequence, const tfm_generate_params *params) {
    mean->params[sequence] = params->n_attention_heads ? params : NULL;
}

static bool is_chosen(const tfm_generate_params *params, uint32_t layer, uint32_t head, uint32_t n_layers) {
    for (size_t i = 0; i < params->n_attention_heads; i++) {
        const tfm_attention_head *chosen = &params->attention_heads[i];
        int64_t at = chosen->layer < 0 ? (int64_t)n_layers + chosen->layer : chosen->layer;
        if (at == layer && (chosen->head < 0 || (uint32_t)chosen->head == head)) return true;
    }
    return false;
}

static size_t count_chosen(const tfm_generate_params *params, uint32_t n_layers, uint32_t n_heads) {
    size_t n = 0;
    for (uint32_t layer = 0; layer < n_layers; layer++)
        for (uint32_t head = 0; head < n_heads; head++) n += is_chosen(params, layer, head, n_layers);
    return n;
}

/* A layer's part of the mean over some heads. */
static void add_chosen(const tfm_mean_attention *mean, const tfm_generate_params *params,
                       const tfm_attention_event *event) {
    size_t n = event->n_keys;
    uint32_t n_layers = mean->session->model->arch.decoder.n_layers;
    float *row = row_of(mean, event->sequence);
    if (event->layer == 0) memset(row, 0, n * sizeof *row);
    for (uint32_t h = 0; h < event->n_heads; h++) {
        const float *newest = event->weights + ((h + 1) * event->n_queries - 1) * n;
        if (is_chosen(params, event->layer, h, n_layers)) mean->session->model->kernels->add(row, newest, n);
    }
    if (event->layer + 1 != n_layers) return;
    const float count = (float)count_chosen(params, n_layers, event->n_heads);
    for (size_t p = 0; p < n; p++) row[p] /= count;
}

/* A layer's part: it begins the row of its sequence, or is added to it; the last one makes the mean of the sum. */
static int add_layer(void *user, const tfm_attention_event *event) {
    tfm_mean_attention *mean = user;
    const tfm_generate_params *params = mean->params[event->sequence];
    if (params) {
        add_chosen(mean, params, event);
        return 0;
    }
    size_t n = event->n_keys, n_layers = mean->session->model->arch.decoder.n_layers;
    float *row = row_of(mean, event->sequence);
    memset(mean->heads, 0, n * sizeof *mean->heads);
    for (size_t h = 0; h < event->n_heads; h++) {
        const float *newest = event->weights + ((h + 1) * event->n_queries - 1) * n;
        mean->session->model->kernels->add(mean->heads, newest, n);
    }
    for (size_t p = 0; p < n; p++) {
        float weight = mean->heads[p] / (float)event->n_heads;
        row[p] = event->layer == 0 ? weight : row[p] + weight;
        if (event->layer + 1 == n_layers) row[p] /= (float)n_layers;
    }
    return 0;
}

void tfm_mean_attention_start(tfm_mean_attention *mean) {
    tfm_attention_tap tap = tfm_attention_tap_default();
    tap.kinds = TFM_ATTENTION_CROSS;
    tap.on_attention = add_layer;
    tap.user = mean;
    tfm_attention_tap_set(mean->session, TFM_TAP_OF_GENERATE, &tap);
}

void tfm_mean_attention_stop(tfm_mean_attention *mean) {
    tfm_attention_tap_set(mean->session, TFM_TAP_OF_GENERATE, NULL);
}

const float *tfm_mean_attention_row(const tfm_mean_attention *mean, int32_t sequence) { return row_of(mean, sequence); }
