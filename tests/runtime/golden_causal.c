/* golden_causal.c - states and logits of decoder-only models, alone and in a batch, whole and token by token. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "tap.h"

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
    for (size_t i = 0; i < 3 * n; i++) {
        free(r.states[i]);
        free(r.logits[i]);
    }
    free(r.states);
    free(r.logits);
}
