/* golden_encoder.c - states, vectors and scores of encoder-only models, alone and in a batch. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "tests/support/tap.h"

typedef struct results {
    golden *g;
    golden_ids types; /* none: n is 0 */
    size_t n_outputs;
    bool pooler, sequence_scores;
    /* [2 n]: of input i alone, of input i in the batch */
    float **states, **pooled, **mean, **normalized, **scores;
} results;

static tfm_example example(const results *r, size_t i, size_t slot, bool normalized) {
    tfm_example e = {.ids = r->g->inputs.of[i].ids, .n = r->g->inputs.of[i].n, .states = r->states[slot]};
    if (r->types.n) e.token_types = r->types.of[i].ids;
    if (r->pooler) e.pooled = r->pooled[slot];
    if (r->n_outputs) e.scores = r->scores[slot];
    e.embedding = normalized ? r->normalized[slot] : r->mean[slot];
    return e;
}

/* Runs inputs first .. first + n - 1 together; their results go to slots at + first, ... */
static tfm_status run(results *r, size_t first, size_t n, size_t at) {
    golden *g = r->g;
    tfm_example *examples = golden_allocate(n, sizeof *examples);
    tfm_status status = TFM_OK;
    for (int normalize = 0; status == TFM_OK && normalize < 2; normalize++) {
        tfm_embed_params params = {.size = sizeof params, .pooling = TFM_POOLING_MEAN, .normalize = normalize != 0};
        for (size_t i = 0; i < n; i++) examples[i] = example(r, first + i, at + first + i, normalize != 0);
        status = tfm_analyze(g->session, examples, n, &params, NULL, &g->error);
    }
    free(examples);
    return status;
}

/* States after each layer; a stack that is cut short gives the inner ones. */
static void check_layers(results *r) {
    golden *g = r->g;
    size_t k = golden_debug_input(g);
    for (uint32_t i = 0; i <= g->n_layers[0]; i++) {
        char one[80], all[80];
        snprintf(one, sizeof one, "debug.hidden_states.%u", i);
        snprintf(all, sizeof all, "batch.hidden_states.%u", i);
        if (!golden_has(g, one) && !golden_has(g, all)) continue;
        golden_cut(g, false, i);
        tfm_status status = run(r, 0, g->inputs.n, 0);
        golden_cut(g, false, UINT32_MAX);
        if (status != TFM_OK) {
            tap_ok(false, "%s: layer %u: %s", g->name, i, g->error.message);
            continue;
        }
        if (golden_has(g, all)) golden_compare(g, all, r->states, &g->inputs, g->d_model);
        if (golden_has(g, one) && k < g->inputs.n)
            golden_compare_one(g, one, r->states[k], g->inputs.of[k].n, g->d_model);
    }
}

static size_t n_scores(const results *r, size_t i) {
    return r->n_outputs * (r->sequence_scores ? 1 : r->g->inputs.of[i].n);
}

/* Scores have one of these names, after what makes them. */
static const char *const score_arrays[] = {"batch.mlm_logits", "batch.classifier_logits",
                                           "batch.token_classifier_logits", "batch.discriminator_logits"};
#define N_SCORE_ARRAYS (sizeof score_arrays / sizeof *score_arrays)

static void check_scores(const results *r) {
    golden *g = r->g;
    for (size_t k = 0; k < N_SCORE_ARRAYS; k++) {
        if (!golden_has(g, score_arrays[k])) continue;
        if (r->sequence_scores)
            golden_compare_by_row(g, score_arrays[k], r->scores, r->n_outputs);
        else
            golden_compare(g, score_arrays[k], r->scores, &g->inputs, r->n_outputs);
    }
}

static bool same(const results *r) {
    const golden *g = r->g;
    size_t n = g->inputs.n, d = g->d_model;
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        ok &= !memcmp(r->states[i], r->states[n + i], g->inputs.of[i].n * d * sizeof(float));
        ok &= !memcmp(r->pooled[i], r->pooled[n + i], d * sizeof(float));
        ok &= !memcmp(r->mean[i], r->mean[n + i], d * sizeof(float));
        ok &= !memcmp(r->normalized[i], r->normalized[n + i], d * sizeof(float));
        ok &= !memcmp(r->scores[i], r->scores[n + i], n_scores(r, i) * sizeof(float));
    }
    return ok;
}

static void check_all(results *r) {
    golden *g = r->g;
    size_t n = g->inputs.n, d = g->d_model;
    const struct {
        const char *array;
        float *const *rows;
    } vectors[] = {{"batch.pooler_output", r->pooled},
                   {"batch.mean_pooled", r->mean},
                   {"batch.mean_pooled_normalized", r->normalized}};
    tfm_status status = run(r, 0, n, n);
    for (size_t i = 0; status == TFM_OK && i < n; i++) status = run(r, i, 1, 0);
    bool ok = status == TFM_OK;
    if (!tap_ok(ok, "%s: encoded%s%s", g->name, ok ? "" : ": ", ok ? "" : g->error.message)) return;
    if (golden_has(g, "batch.last_hidden_state"))
        golden_compare(g, "batch.last_hidden_state", r->states, &g->inputs, d);
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        if (golden_has(g, vectors[k].array)) golden_compare_by_row(g, vectors[k].array, vectors[k].rows, d);
    check_scores(r);
    tap_ok(same(r), "%s: the same bits alone and in the batch", g->name);
    check_layers(r);
}

/* What the folder expects can be asked of the model. */
static bool fits(const results *r, const tfm_model_info *info) {
    const golden *g = r->g;
    bool scores = false;
    for (size_t k = 0; k < N_SCORE_ARRAYS; k++) scores |= golden_has(g, score_arrays[k]);
    bool ok = scores == (info->head != TFM_HEAD_NONE) && (r->types.n == 0 || r->types.n == g->inputs.n);
    ok &= !golden_has(g, "batch.pooler_output") || info->has_pooler;
    return tap_ok(ok, "%s: an encoder with the head and the pooler expected", g->name);
}

void golden_check_encoder(golden *g) {
    size_t n = g->inputs.n;
    tfm_model_info info = tfm_model_get_info(g->model);
    results r = {.g = g,
                 .types = golden_read_ids(g, "token_type_ids"),
                 .n_outputs = info.n_outputs,
                 .pooler = info.has_pooler,
                 .sequence_scores = info.head == TFM_HEAD_SEQUENCE};
    float ***lists[] = {&r.states, &r.pooled, &r.mean, &r.normalized, &r.scores};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        *lists[k] = golden_allocate(2 * n, sizeof **lists[k]);
        for (size_t i = 0; i < 2 * n; i++) {
            size_t size = lists[k] == &r.scores ? n_scores(&r, i % n) : g->d_model;
            if (lists[k] == &r.states) size *= g->inputs.of[i % n].n;
            (*lists[k])[i] = golden_allocate(size, sizeof(float));
        }
    }
    if (fits(&r, &info)) check_all(&r);
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        for (size_t i = 0; i < 2 * n; i++) free((*lists[k])[i]);
        free(*lists[k]);
    }
    golden_free_ids(&r.types);
}
