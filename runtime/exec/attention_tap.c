/* attention_tap.c - see attention_tap.h. */
#include "attention_tap.h"

#include <stdlib.h>

#include "runtime/params.h"

#define ALL_KINDS (TFM_ATTENTION_ENCODER | TFM_ATTENTION_SELF | TFM_ATTENTION_CROSS)

static const tfm_attention_tap standard = {.size = sizeof standard, .kinds = ALL_KINDS, .layer = -1};

void tfm_attention_tap_init(tfm_attention_tap *tap, size_t size) {
    tfm_params_give(tap, size, &standard, sizeof standard);
}

/* ---- who listens ---- */

void tfm_attention_tap_set(tfm_session *session, tfm_tap_owner owner, const tfm_attention_tap *tap) {
    tfm_attention_taps *taps = &session->taps;
    taps->tap[owner] = tap ? *tap : (tfm_attention_tap){0};
    taps->kinds = 0;
    for (size_t i = 0; i < TFM_TAP_OWNERS; i++) taps->kinds |= taps->tap[i].kinds;
}

void tfm_attention_tap_trim(tfm_session *session) {
    tfm_attention_taps *taps = &session->taps;
    if (taps->kinds) return;
    free(taps->weights);
    taps->weights = NULL;
    taps->capacity = 0;
}

static bool listens(const tfm_attention_tap *tap, tfm_attention_kind kind, uint32_t layer) {
    return (tap->kinds & kind) != 0 && (tap->layer < 0 || (uint32_t)tap->layer == layer);
}

/* The attention that a model's stacks have. */
static unsigned kinds_of(const tfm_architecture *arch) {
    unsigned kinds = 0;
    if (arch->has_encoder) kinds |= TFM_ATTENTION_ENCODER;
    if (arch->has_decoder) kinds |= TFM_ATTENTION_SELF;
    if (arch->has_encoder && arch->has_decoder) kinds |= TFM_ATTENTION_CROSS;
    return kinds;
}

static tfm_status check_tap(const tfm_session *session, const tfm_attention_tap *tap, tfm_error *error) {
    const tfm_architecture *arch = &session->model->arch;
    uint32_t n_layers = 0;
    if (!tap->on_attention) return tfm_fail(error, TFM_ERROR_ARGUMENT, "a tap of attention needs its on_attention");
    if (!tap->kinds || (tap->kinds & ~(unsigned)ALL_KINDS) != 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "kinds is %u, which are none of tfm_attention_kind", tap->kinds);
    if (!(tap->kinds & kinds_of(arch)))
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no %s, and so none of the attention that is asked for",
                        tfm_file_path(session->model->file), arch->has_decoder ? "encoder" : "decoder");
    if (tap->kinds & TFM_ATTENTION_ENCODER) n_layers = arch->encoder.n_layers;
    if ((tap->kinds & (TFM_ATTENTION_SELF | TFM_ATTENTION_CROSS)) != 0 && arch->decoder.n_layers > n_layers)
        n_layers = arch->decoder.n_layers;
    if (tap->layer < -1 || (tap->layer >= 0 && (uint32_t)tap->layer >= n_layers))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no layer %d: the model has %u", tap->layer, n_layers);
    return TFM_OK;
}

tfm_status tfm_session_tap_attention(tfm_session *session, const tfm_attention_tap *tap, tfm_error *error) {
    tfm_attention_tap own = standard;
    tfm_status status = tfm_params_take(&own, sizeof own, tap, "tfm_attention_tap", error);
    if (status == TFM_OK && tap) status = check_tap(session, &own, error);
    if (status != TFM_OK) return status;
    tfm_attention_tap_set(session, TFM_TAP_OF_CALLER, tap ? &own : NULL);
    tfm_attention_tap_trim(session);
    return TFM_OK;
}

/* ---- weights ---- */

/* Room for the weights (n_heads, n_queries, n_keys) of an event; what was there is lost. */
static tfm_status reserve(tfm_attention_taps *taps, size_t n_heads, size_t n_queries, size_t n_keys, tfm_error *error) {
    size_t n, bytes;
    bool fits = !__builtin_mul_overflow(n_heads * n_queries, n_keys, &n) &&
                !__builtin_mul_overflow(n, sizeof *taps->weights, &bytes);
    if (fits && n <= taps->capacity) return TFM_OK;
    free(taps->weights);
    taps->weights = fits ? malloc(bytes) : NULL;
    taps->capacity = taps->weights ? n : 0;
    if (taps->weights) return TFM_OK;
    return tfm_no_memory(error, "attention weights of %zu heads, %zu queries and %zu keys", n_heads, n_queries, n_keys);
}

typedef struct weights_job {
    const tfm_attention_pass *pass;
    const tfm_run *run;
    const tfm_attention_event *event;
    float *weights;
} weights_job;

/* A head's tile of query rows is one item of work. */
static void weights_part(void *arg, unsigned worker, unsigned n_workers) {
    const weights_job *job = arg;
    const tfm_attention_event *event = job->event;
    size_t item = 0;
    for (size_t h = 0; h < event->n_heads; h++) {
        for (size_t first = 0; first < event->n_queries; first += TFM_QUERY_TILE) {
            if (item++ % n_workers != worker) continue;
            size_t left = event->n_queries - first;
            tfm_attention_args args =
                tfm_attention_args_of(job->pass, job->run, h, 1, first, left < TFM_QUERY_TILE ? left : TFM_QUERY_TILE);
            float *to = job->weights + (h * event->n_queries + first) * event->n_keys;
            job->pass->session->model->kernels->attention_weights(&args, to, event->n_keys);
        }
    }
}

static tfm_status emit_run(const tfm_attention_pass *pass, const tfm_run *run, tfm_attention_event *event,
                           tfm_error *error) {
    tfm_attention_taps *taps = &pass->session->taps;
    event->sequence = run->sequence;
    event->first = run->past;
    event->n_queries = run->n;
    event->n_keys = pass->cross ? run->n_source : run->past + run->n;
    tfm_status status = reserve(taps, event->n_heads, event->n_queries, event->n_keys, error);
    if (status != TFM_OK) return status;
    weights_job job = {pass, run, event, taps->weights};
    size_t work = event->n_heads * event->n_queries * event->n_keys * (pass->cache->head_dim + TFM_ELEMENT_WORK);
    tfm_pool_run_sized(pass->session->pool, work, weights_part, &job);
    event->weights = taps->weights;
    for (const tfm_attention_tap *tap = taps->tap; tap < taps->tap + TFM_TAP_OWNERS; tap++)
        if (listens(tap, event->kind, event->layer) && tap->on_attention(tap->user, event) != 0)
            return tfm_fail(error, TFM_ERROR_CANCELLED, "cancelled");
    return TFM_OK;
}

tfm_status tfm_attention_emit(const tfm_attention_pass *pass, tfm_attention_kind kind, uint32_t layer,
                              tfm_error *error) {
    const tfm_attention_taps *taps = &pass->session->taps;
    const tfm_ragged_batch *batch = pass->batch;
    bool heard = false;
    for (size_t i = 0; i < TFM_TAP_OWNERS; i++) heard |= listens(&taps->tap[i], kind, layer);
    tfm_status status = TFM_OK;
    tfm_attention_event event = {.kind = kind, .layer = layer, .n_heads = pass->options->n_heads};
    for (size_t i = 0; heard && status == TFM_OK && i < batch->n_runs; i++)
        status = emit_run(pass, &batch->runs[i], &event, error);
    return status;
}
