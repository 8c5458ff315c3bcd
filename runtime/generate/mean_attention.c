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
    if (mean->rows && mean->heads) return TFM_OK;
    tfm_mean_attention_close(mean);
    return tfm_no_memory(error, "attention weights");
}

void tfm_mean_attention_close(tfm_mean_attention *mean) {
    if (!mean->session) return;
    tfm_mean_attention_stop(mean);
    tfm_attention_tap_trim(mean->session);
    free(mean->rows);
    free(mean->heads);
    *mean = (tfm_mean_attention){0};
}

static float *row_of(const tfm_mean_attention *mean, int32_t sequence) {
    return mean->rows + (size_t)sequence * mean->session->params.max_source;
}

/* A layer's part: it begins the row of its sequence, or is added to it; the last one makes the mean of the sum. */
static int add_layer(void *user, const tfm_attention_event *event) {
    tfm_mean_attention *mean = user;
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
