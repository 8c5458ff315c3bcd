/* golden_seq2seq.c - states and logits of encoder-decoders, alone and in a batch. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "tests/support/tap.h"

typedef struct results {
    golden *g;
    golden_ids targets;
    float **encoded, **states, **logits; /* [2 n]: of input i alone, of input i in the batch */
} results;

/* Runs inputs first .. first + n - 1 together; their results go to slots at + first, ... */
static tfm_status run(results *r, size_t first, size_t n, size_t at) {
    golden *g = r->g;
    int32_t *sources = golden_allocate(n, sizeof *sources), sequence;
    tfm_span *spans = golden_allocate(n, sizeof *spans);
    size_t n_sequences = 0;
    tfm_status status = tfm_encode(g->session, g->inputs.of + first, n, sources, r->encoded + at + first, &g->error);
    bool encoded = status == TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < n; i++) {
        status = tfm_sequence_new(g->session, sources[i], &sequence, &g->error);
        const tfm_tokens *tokens = &r->targets.of[first + i];
        if (status == TFM_OK) n_sequences++;
        spans[i] = (tfm_span){.sequence = sequence,
                              .ids = tokens->ids,
                              .n = tokens->n,
                              .logits = r->logits[at + first + i],
                              .states = r->states[at + first + i],
                              .all_logits = true};
    }
    if (status == TFM_OK) status = tfm_decode(g->session, spans, n, &g->error);
    for (size_t i = 0; i < n_sequences; i++) tfm_sequence_free(g->session, spans[i].sequence);
    for (size_t i = 0; encoded && i < n; i++) tfm_source_free(g->session, sources[i]);
    free(sources);
    free(spans);
    return status;
}

/* States after each layer of one sequence; a stack that is cut short gives the inner ones. */
static void check_layers(results *r, bool decoder) {
    golden *g = r->g;
    size_t k = golden_debug_input(g);
    char array[80];
    for (uint32_t i = 0; k < g->inputs.n && i <= g->n_layers[decoder]; i++) {
        snprintf(array, sizeof array, "debug.%s_hidden_states.%u", decoder ? "decoder" : "encoder", i);
        if (!golden_has(g, array)) continue;
        golden_cut(g, decoder, i);
        tfm_status status = run(r, k, 1, 0);
        golden_cut(g, decoder, UINT32_MAX);
        if (status != TFM_OK)
            tap_ok(false, "%s: %s: %s", g->name, array, g->error.message);
        else
            golden_compare_one(g, array, decoder ? r->states[k] : r->encoded[k],
                               decoder ? r->targets.of[k].n : g->inputs.of[k].n, g->d_model);
    }
}

static void check_all(results *r) {
    golden *g = r->g;
    size_t n = g->inputs.n;
    tfm_status status = run(r, 0, n, n);
    for (size_t i = 0; status == TFM_OK && i < n; i++) status = run(r, i, 1, 0);
    bool ok = status == TFM_OK;
    if (!tap_ok(ok, "%s: encoded and decoded%s%s", g->name, ok ? "" : ": ", ok ? "" : g->error.message)) return;
    golden_compare(g, "batch.encoder_last_hidden_state", r->encoded, &g->inputs, g->d_model);
    golden_compare(g, "batch.decoder_last_hidden_state", r->states, &r->targets, g->d_model);
    golden_compare(g, "batch.logits", r->logits, &r->targets, g->vocab_size);
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        same &= !memcmp(r->encoded[i], r->encoded[n + i], g->inputs.of[i].n * g->d_model * sizeof(float));
        same &= !memcmp(r->states[i], r->states[n + i], r->targets.of[i].n * g->d_model * sizeof(float));
        same &= !memcmp(r->logits[i], r->logits[n + i], r->targets.of[i].n * g->vocab_size * sizeof(float));
    }
    tap_ok(same, "%s: the same bits alone and in the batch", g->name);
    check_layers(r, false);
    check_layers(r, true);
}

void golden_check_seq2seq(golden *g) {
    size_t n = g->inputs.n;
    results r = {.g = g, .targets = golden_read_ids(g, "decoder_sequences")};
    bool ok = tap_ok(r.targets.n == n && json_array_size(json_object_get(g->expected, "generate")) > 0,
                     "%s: expected results of an encoder-decoder", g->name);
    r.encoded = golden_allocate(2 * n, sizeof *r.encoded);
    r.states = golden_allocate(2 * n, sizeof *r.states);
    r.logits = golden_allocate(2 * n, sizeof *r.logits);
    for (size_t i = 0; ok && i < 2 * n; i++) {
        r.encoded[i] = golden_allocate(g->inputs.of[i % n].n * g->d_model, sizeof(float));
        r.states[i] = golden_allocate(r.targets.of[i % n].n * g->d_model, sizeof(float));
        r.logits[i] = golden_allocate(r.targets.of[i % n].n * g->vocab_size, sizeof(float));
    }
    if (ok) check_all(&r);
    for (size_t i = 0; i < 2 * n; i++) {
        free(r.encoded[i]);
        free(r.states[i]);
        free(r.logits[i]);
    }
    free(r.encoded);
    free(r.states);
    free(r.logits);
    golden_free_ids(&r.targets);
}
