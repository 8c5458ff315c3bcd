/* golden_causal.c - states and logits of decoder-only models, alone and in a batch, whole and token by token, and what
 * sampling makes of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "golden_settings.h"
#include "runtime/generate/sampling.h"
#include "runtime/model/model.h"
#include "tests/support/tap.h"
#include "tests/support/tensor_values.h"

typedef struct results {
    golden *g;
    float **states, **logits; /* [3 n]: of input i alone, in the batch, token by token */
} results;

/* Models that make embeddings of a decoder's states have no expected logits. */
static bool has_head(const golden *g) {
    const char *kind = json_string_value(json_object_get(g->expected, "kind"));
    return !kind || strcmp(kind, "encoder");
}

/* Runs inputs first .. first + n - 1 together, `step` tokens of each at a time; results go to slots at + first, ... */
static tfm_status run(results *r, size_t first, size_t n, size_t at, size_t step) {
    golden *g = r->g;
    tfm_span *spans = golden_allocate(n, sizeof *spans);
    int32_t *sequences = golden_allocate(n, sizeof *sequences);
    size_t n_sequences = 0, done = 0, n_spans;
    tfm_status status = TFM_OK;
    while (status == TFM_OK && n_sequences < n) {
        status = tfm_sequence_new(g->session, -1, &sequences[n_sequences], &g->error);
        if (status == TFM_OK) n_sequences++;
    }
    do {
        n_spans = 0;
        for (size_t i = 0; i < n; i++) {
            const tfm_tokens *tokens = &g->inputs.of[first + i];
            if (done >= tokens->n) continue;
            spans[n_spans++] = (tfm_span){.sequence = sequences[i],
                                          .ids = tokens->ids + done,
                                          .n = tokens->n - done < step ? tokens->n - done : step,
                                          .logits = r->logits[at + first + i] + done * g->vocab_size,
                                          .states = r->states[at + first + i] + done * g->d_model,
                                          .all_logits = true};
        }
        if (status == TFM_OK && n_spans > 0) status = tfm_decode(g->session, spans, n_spans, &g->error);
        done += step;
    } while (status == TFM_OK && n_spans > 0);
    for (size_t i = 0; i < n_sequences; i++) tfm_sequence_free(g->session, sequences[i]);
    free(spans);
    free(sequences);
    return status;
}

/* States after each layer of one sequence; a stack that is cut short gives the inner ones. */
static void check_layers(results *r) {
    golden *g = r->g;
    size_t k = golden_debug_input(g);
    char array[80];
    for (uint32_t i = 0; k < g->inputs.n && i <= g->n_layers[1]; i++) {
        snprintf(array, sizeof array, "debug.hidden_states.%u", i);
        if (!golden_has(g, array)) continue;
        golden_cut(g, true, i);
        tfm_status status = run(r, k, 1, 0, SIZE_MAX / 2);
        golden_cut(g, true, UINT32_MAX);
        if (status != TFM_OK)
            tap_ok(false, "%s: %s: %s", g->name, array, g->error.message);
        else
            golden_compare_one(g, array, r->states[k], g->inputs.of[k].n, g->d_model);
    }
}

static bool same(const results *r, size_t other) {
    const golden *g = r->g;
    bool ok = true;
    for (size_t i = 0; i < g->inputs.n; i++) {
        ok &= !memcmp(r->states[i], r->states[other + i], g->inputs.of[i].n * g->d_model * sizeof(float));
        ok &= !memcmp(r->logits[i], r->logits[other + i], g->inputs.of[i].n * g->vocab_size * sizeof(float));
    }
    return ok;
}

static void check_all(results *r) {
    golden *g = r->g;
    size_t n = g->inputs.n;
    tfm_status status = run(r, 0, n, n, SIZE_MAX / 2);
    for (size_t i = 0; status == TFM_OK && i < n; i++) status = run(r, i, 1, 0, SIZE_MAX / 2);
    if (status == TFM_OK) status = run(r, 0, n, 2 * n, 1);
    bool ok = status == TFM_OK;
    if (!tap_ok(ok, "%s: decoded%s%s", g->name, ok ? "" : ": ", ok ? "" : g->error.message)) return;
    golden_compare(g, "batch.last_hidden_state", r->states, &g->inputs, g->d_model);
    if (has_head(g)) golden_compare(g, "batch.logits", r->logits, &g->inputs, g->vocab_size);
    tap_ok(same(r, n), "%s: the same bits alone and in the batch", g->name);
    tap_ok(same(r, 2 * n), "%s: the same bits token by token", g->name);
    check_layers(r);
}

/* ---- what a listed checkpoint lacks ---- */

static bool is_limited(const golden *g) { return g->lacks && g->lacks->stage == GOLDEN_POSITIONS; }

/* Whether tokens are refused, as the list says. */
static bool is_refused(golden *g, const tfm_tokens *tokens) {
    tfm_span span = {.ids = tokens->ids, .n = tokens->n};
    tfm_status status = tfm_sequence_new(g->session, -1, &span.sequence, &g->error);
    if (status == TFM_OK) status = tfm_decode(g->session, &span, 1, &g->error);
    tfm_sequence_free(g->session, span.sequence);
    return status != TFM_OK && strstr(g->error.message, g->lacks->message);
}

/* Takes lists away that are refused. */
static void leave_out_long(golden *g, golden_ids *ids) {
    size_t n = 0;
    for (size_t i = 0; i < ids->n; i++) {
        if (is_refused(g, &ids->of[i])) {
            free((void *)ids->of[i].ids);
            continue;
        }
        ids->of[n] = ids->of[i];
        ids->row[n++] = ids->row[i];
    }
    ids->n = n;
}

static void check_limit(golden *g) {
    leave_out_long(g, &g->inputs);
    tap_ok(g->inputs.n < g->inputs.n_rows, "%s: long inputs are refused: %s (missing: %s)", g->name, g->lacks->message,
           g->lacks->missing);
}

static void check_no_embedding(golden *g) {
    float *embedding = golden_allocate(g->d_model, sizeof *embedding);
    tfm_example example = {.ids = g->inputs.of[0].ids, .n = g->inputs.of[0].n, .embedding = embedding};
    tfm_embed_params params = {.size = sizeof params, .pooling = TFM_POOLING_MEAN};
    tfm_status status = tfm_analyze(g->session, &example, 1, &params, NULL, &g->error);
    tap_ok(status != TFM_OK && strstr(g->error.message, g->lacks->message), "%s: no embedding: %s (missing: %s)",
           g->name, g->lacks->message, g->lacks->missing);
    free(embedding);
}

/* ---- probabilities of the next token, filtered as for sampling ---- */

#define FILTERED_TOLERANCE 5e-6

/* Of the first token after each prompt: (n, vocab_size). */
static float *next_logits(golden *g, const golden_ids *prompts) {
    float *logits = golden_allocate(prompts->n * g->vocab_size, sizeof *logits);
    for (size_t i = 0; i < prompts->n; i++) {
        tfm_span span = {.ids = prompts->of[i].ids, .n = prompts->of[i].n, .logits = logits + i * g->vocab_size};
        tfm_status status = tfm_sequence_new(g->session, -1, &span.sequence, &g->error);
        if (status == TFM_OK) status = tfm_decode(g->session, &span, 1, &g->error);
        if (status != TFM_OK) tap_bail_out("%s: %s", g->name, g->error.message);
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

static void check_filtered(golden *g, const json_t *item, const float *logits, const golden_ids *prompts,
                           tfm_sampler *sampler) {
    const char *array = json_string_value(json_object_get(item, "array"));
    const json_t *kept_list = json_object_get(item, "kept");
    golden_settings settings = {.params = {.do_sample = true, .temperature = 1, .top_p = 1, .typical_p = 1}};
    float *expected = NULL;
    const tfm_st_tensor *tensor;
    char why[200] = "";
    bool ok = array && golden_settings_apply(&settings, json_object_get(item, "settings"), why);
    if (ok && load_tensor_f32(g->arrays, array, &expected, &tensor, &g->error) != TFM_OK) {
        snprintf(why, sizeof why, "%.190s", g->error.message);
        ok = false;
    }
    ok = ok && tensor->rank == 2 && tensor->shape[0] == prompts->n_rows && tensor->shape[1] == g->vocab_size;
    double largest = 0;
    for (size_t i = 0; ok && i < prompts->n; i++) {
        size_t kept, row = prompts->row[i];
        ok =
            tfm_sampler_filter(sampler, &settings.params, g->model->kernels, logits + i * g->vocab_size, g->vocab_size);
        if (!ok) break;
        largest = fmax(largest, compare_filtered(g, sampler, expected + row * g->vocab_size, &kept));
        ok = kept == (size_t)json_integer_value(json_array_get(kept_list, row));
    }
    tap_ok(ok && largest <= FILTERED_TOLERANCE, "%s: %s: largest difference %.3g %s", g->name, array ? array : "?",
           largest, why);
    free(expected);
    golden_settings_free(&settings);
}

static void check_filters(golden *g) {
    const json_t *list = json_object_get(g->expected, "next_token_filtering"), *item;
    size_t index;
    golden_ids prompts = golden_read_ids(g, "prompts");
    if (is_limited(g)) leave_out_long(g, &prompts);
    float *logits = next_logits(g, &prompts);
    tfm_sampler sampler;
    tfm_arena arena = {0};
    tfm_sampler_allocate(&sampler, &arena, g->vocab_size);
    arena = (tfm_arena){.base = golden_allocate(1, arena.used)};
    tfm_sampler_allocate(&sampler, &arena, g->vocab_size);
    json_array_foreach((json_t *)list, index, item) check_filtered(g, item, logits, &prompts, &sampler);
    free(arena.base);
    free(logits);
    golden_free_ids(&prompts);
}

static bool has_expected_results(const golden *g) {
    bool head = has_head(g), ok = !head || json_array_size(json_object_get(g->expected, "prompts")) > 0;
    ok &= !head || json_array_size(json_object_get(g->expected, "generate")) > 0;
    ok &= head || (g->lacks && g->lacks->stage == GOLDEN_EMBEDDING);
    return tap_ok(ok, "%s: expected results of a decoder-only model", g->name);
}

void golden_check_causal(golden *g) {
    bool ok = has_expected_results(g);
    if (is_limited(g)) check_limit(g);
    size_t n = g->inputs.n;
    results r = {.g = g};
    r.states = golden_allocate(3 * n, sizeof *r.states);
    r.logits = golden_allocate(3 * n, sizeof *r.logits);
    for (size_t i = 0; ok && i < 3 * n; i++) {
        r.states[i] = golden_allocate(g->inputs.of[i % n].n * g->d_model, sizeof(float));
        r.logits[i] = golden_allocate(g->inputs.of[i % n].n * g->vocab_size, sizeof(float));
    }
    if (ok) check_all(&r);
    if (ok && has_head(g)) check_filters(g);
    if (ok && !has_head(g)) check_no_embedding(g);
    for (size_t i = 0; i < 3 * n; i++) {
        free(r.states[i]);
        free(r.logits[i]);
    }
    free(r.states);
    free(r.logits);
}
