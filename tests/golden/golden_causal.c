/* golden_causal.c - states and logits of decoder-only models, alone and in a batch, whole and token by token, and what
 * sampling makes of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/model.h"
#include "runtime/generate/sampling.h"
#include "golden.h"
#include "golden_settings.h"
#include "tests/support/tap.h"

typedef struct results {
    golden *g;
    float **states, **logits; /* [3 n]: of input i alone, in the batch, token by token */
} results;

/* Runs inputs first .. first + n - 1 together, `step` tokens of each at a time; results go to slots at + first, ... */
static tfm_status run(results *r, size_t first, size_t n, size_t at, size_t step) {
    golden *g = r->g;
    tfm_span *spans = golden_allocate(n, sizeof *spans);
    int32_t *sequences = golden_allocate(n, sizeof *sequences);
    size_t n_sequences = 0, done = 0, n_spans;
    tfm_status status = TFM_OK;
    while (!status && n_sequences < n &&
           !(status = tfm_sequence_new(g->session, -1, &sequences[n_sequences], &g->error)))
        n_sequences++;
    do {
        n_spans = 0;
        for (size_t i = 0; i < n; i++) {
            const tfm_tokens *tokens = &g->inputs[first + i];
            if (done >= tokens->n) continue;
            spans[n_spans++] = (tfm_span){.sequence = sequences[i],
                                          .ids = tokens->ids + done,
                                          .n = tokens->n - done < step ? tokens->n - done : step,
                                          .logits = r->logits[at + first + i] + done * g->vocab_size,
                                          .states = r->states[at + first + i] + done * g->d_model,
                                          .all_logits = true};
        }
        if (!status && n_spans > 0) status = tfm_decode(g->session, spans, n_spans, &g->error);
        done += step;
    } while (!status && n_spans > 0);
    for (size_t i = 0; i < n_sequences; i++) tfm_sequence_free(g->session, sequences[i]);
    free(spans);
    free(sequences);
    return status;
}

/* States after each layer of one sequence; a stack that is cut short gives the inner ones. */
static void check_layers(results *r) {
    golden *g = r->g;
    size_t k = (size_t)json_integer_value(json_object_get(g->expected, "debug_sequence"));
    char array[80];
    for (uint32_t i = 0; k < g->n && i <= g->n_layers[1]; i++) {
        snprintf(array, sizeof array, "debug.hidden_states.%u", i);
        if (!golden_has(g, array)) continue;
        golden_cut(g, true, i);
        tfm_status status = run(r, k, 1, 0, SIZE_MAX / 2);
        golden_cut(g, true, UINT32_MAX);
        if (status)
            tap_ok(false, "%s: %s: %s", g->name, array, g->error.message);
        else
            golden_compare_one(g, array, r->states[k], g->inputs[k].n, g->d_model);
    }
}

static bool same(const results *r, size_t other) {
    const golden *g = r->g;
    bool ok = true;
    for (size_t i = 0; i < g->n; i++) {
        ok &= !memcmp(r->states[i], r->states[other + i], g->inputs[i].n * g->d_model * sizeof(float));
        ok &= !memcmp(r->logits[i], r->logits[other + i], g->inputs[i].n * g->vocab_size * sizeof(float));
    }
    return ok;
}

static void check_all(results *r) {
    golden *g = r->g;
    size_t n = g->n;
    tfm_status status = run(r, 0, n, n, SIZE_MAX / 2);
    for (size_t i = 0; !status && i < n; i++) status = run(r, i, 1, 0, SIZE_MAX / 2);
    if (!status) status = run(r, 0, n, 2 * n, 1);
    if (!tap_ok(!status, "%s: decoded%s%s", g->name, status ? ": " : "", status ? g->error.message : "")) return;
    golden_compare(g, "batch.last_hidden_state", r->states, g->inputs, g->d_model);
    golden_compare(g, "batch.logits", r->logits, g->inputs, g->vocab_size);
    tap_ok(same(r, n), "%s: the same bits alone and in the batch", g->name);
    tap_ok(same(r, 2 * n), "%s: the same bits token by token", g->name);
    check_layers(r);
}

/* ---- probabilities of the next token, filtered as for sampling ---- */

#define FILTERED_TOLERANCE 5e-6

/* Of the first token after each prompt: (n, vocab_size). */
static float *next_logits(golden *g, const tfm_tokens *prompts, size_t n) {
    float *logits = golden_allocate(n * g->vocab_size, sizeof *logits);
    for (size_t i = 0; i < n; i++) {
        tfm_span span = {.ids = prompts[i].ids, .n = prompts[i].n, .logits = logits + i * g->vocab_size};
        tfm_status status = tfm_sequence_new(g->session, -1, &span.sequence, &g->error);
        if (!status) status = tfm_decode(g->session, &span, 1, &g->error);
        if (status) tap_bail_out("%s: %s", g->name, g->error.message);
        tfm_sequence_free(g->session, span.sequence);
    }
    return logits;
}

/* The largest difference of a row's probabilities; *kept counts the tokens that may be drawn. */
static double compare_filtered(const golden *g, const tfm_sampler *sampler, const float *expected, size_t *kept) {
    double *got = golden_allocate(g->vocab_size, sizeof *got), largest = 0;
    *kept = 0;
    for (size_t i = 0; i < sampler->n; i++) {
        got[sampler->ids[i]] += (double)sampler->p[i] / sampler->total;
        *kept += sampler->p[i] > 0;
    }
    for (size_t v = 0; v < g->vocab_size; v++) {
        double difference = fabs(got[v] - (double)expected[v]);
        if (!(difference <= largest)) largest = difference;
    }
    free(got);
    return largest;
}

static void check_filtered(golden *g, const json_t *item, const float *logits, size_t n, tfm_sampler *sampler) {
    const char *array = json_string_value(json_object_get(item, "array"));
    const json_t *kept_list = json_object_get(item, "kept");
    golden_settings settings = {.params = {.do_sample = true, .temperature = 1, .top_p = 1, .typical_p = 1}};
    float *expected = NULL;
    const tfm_st_tensor *tensor;
    char why[200] = "";
    bool ok = array && golden_settings_apply(&settings, json_object_get(item, "settings"), why);
    if (ok && tfm_safetensors_load_f32(g->arrays, array, &expected, &tensor, &g->error)) {
        snprintf(why, sizeof why, "%.190s", g->error.message);
        ok = false;
    }
    ok = ok && tensor->rank == 2 && tensor->shape[0] == n && tensor->shape[1] == g->vocab_size;
    double largest = 0;
    for (size_t i = 0; ok && i < n; i++) {
        size_t kept;
        ok =
            tfm_sampler_filter(sampler, &settings.params, g->model->kernels, logits + i * g->vocab_size, g->vocab_size);
        if (!ok) break;
        largest = fmax(largest, compare_filtered(g, sampler, expected + i * g->vocab_size, &kept));
        ok = kept == (size_t)json_integer_value(json_array_get(kept_list, i));
    }
    tap_ok(ok && largest <= FILTERED_TOLERANCE, "%s: %s: largest difference %.3g %s", g->name, array ? array : "?",
           largest, why);
    free(expected);
    golden_settings_free(&settings);
}

static void check_filters(golden *g) {
    const json_t *list = json_object_get(g->expected, "next_token_filtering"), *item;
    size_t n, index;
    tfm_tokens *prompts = golden_read_ids(json_object_get(g->expected, "prompts"), &n);
    float *logits = next_logits(g, prompts, n);
    tfm_sampler sampler;
    tfm_arena arena = {0};
    tfm_sampler_place(&sampler, &arena, g->vocab_size);
    arena = (tfm_arena){.base = golden_allocate(1, arena.used)};
    tfm_sampler_place(&sampler, &arena, g->vocab_size);
    json_array_foreach((json_t *)list, index, item) check_filtered(g, item, logits, n, &sampler);
    free(arena.base);
    free(logits);
    golden_free_ids(&prompts, n);
}

void golden_check_causal(golden *g) {
    size_t n = g->n;
    results r = {.g = g};
    bool ok = tap_ok(json_array_size(json_object_get(g->expected, "prompts")) > 0 &&
                         json_array_size(json_object_get(g->expected, "generate")) > 0,
                     "%s: expected results of a decoder-only model", g->name);
    r.states = golden_allocate(3 * n, sizeof *r.states);
    r.logits = golden_allocate(3 * n, sizeof *r.logits);
    for (size_t i = 0; ok && i < 3 * n; i++) {
        r.states[i] = golden_allocate(g->inputs[i % n].n * g->d_model, sizeof(float));
        r.logits[i] = golden_allocate(g->inputs[i % n].n * g->vocab_size, sizeof(float));
    }
    if (ok) check_all(&r);
    if (ok) check_filters(g);
    for (size_t i = 0; i < 3 * n; i++) {
        free(r.states[i]);
        free(r.logits[i]);
    }
    free(r.states);
    free(r.logits);
}
