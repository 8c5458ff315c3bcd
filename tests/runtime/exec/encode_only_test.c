/* encode_only_test.c - tfm_analyze: states, pooled vectors, embeddings and scores, against plain double precision. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor_reference.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

enum { D = 15, VOCAB = 37, LONGEST = 300 };

static tiny_config encoder_config(const char *head) {
    tiny_config c = tiny_config_default();
    c.kind = "encoder";
    c.head = head;
    c.head_classes = head && strcmp(head, "masked_lm") != 0 ? 5 : 0;
    c.encoder.token_types = 2;
    return c;
}

static void check_near(const tiny_model *model, const char *what, const float *got, const double *expected, size_t n,
                       size_t n_positions) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(expected[i]));
    double tolerance = reference_tolerance(model, n_positions, largest);
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs((double)got[i] - expected[i]) <= tolerance, "%s: element %zu is %.9g, expected %.9g (+-%.3g)",
                  what, i, (double)got[i], expected[i], tolerance);
}

static void *allocate(size_t n, size_t size) {
    void *memory = calloc(n, size);
    cr_assert(memory);
    return memory;
}

/* ---- against the reference ---- */

static void reference_scores(const tiny_model *model, const double *states, size_t m, double *scores) {
    const tiny_config *c = &model->config;
    double *x = allocate(m * D, sizeof *x), *y = allocate(m * D, sizeof *y);
    memcpy(x, states, m * D * sizeof *x);
    if (!strcmp(c->head, "sequence") && c->pooler) {
        reference_linear(model, "pooler", "tanh", x, m, D, D, y);
        memcpy(x, y, m * D * sizeof *x);
    }
    if (c->head_dense) {
        reference_linear(model, "head.dense", "gelu", x, m, D, D, y);
        memcpy(x, y, m * D * sizeof *x);
    }
    if (c->head_norm) reference_norm(model, "head.norm", x, m, x);
    reference_linear(model, "output", "none", x, m, c->head_classes ? c->head_classes : VOCAB, D, scores);
    free(x);
    free(y);
}

static void check_sizes(fixture *f, size_t n) {
    const tiny_config *c = &f->tiny->config;
    size_t width = c->head_classes ? c->head_classes : VOCAB, n_scored = n;
    if (c->head && !strcmp(c->head, "sequence")) n_scored = 1;
    int32_t ids[LONGEST], types[LONGEST];
    fixture_ids(ids, n, VOCAB, n);
    fixture_ids(types, n, 2, n + 1);
    float *states = allocate(n * D, sizeof *states), *scores = allocate(n * width, sizeof *scores), pooled[D];
    double *expected = allocate(n * D, sizeof *expected), *expected_scores = allocate(n * width, sizeof(double));
    tfm_example example = {.ids = ids, .n = n, .token_types = types, .states = states};
    if (c->head) example.scores = scores;
    if (c->pooler) example.pooled = pooled;
    REQUIRE_OK(tfm_analyze(f->session, &example, 1, NULL, NULL, error));
    reference_encode(f->tiny, ids, types, n, expected);
    check_near(f->tiny, "states", states, expected, n * D, n);
    if (c->pooler) {
        double expected_pooled[D];
        reference_linear(f->tiny, "pooler", "tanh", expected, 1, D, D, expected_pooled);
        check_near(f->tiny, "pooled", pooled, expected_pooled, D, n);
    }
    if (c->head) {
        reference_scores(f->tiny, expected, n_scored, expected_scores);
        check_near(f->tiny, "scores", scores, expected_scores, n_scored * width, n);
    }
    free(states);
    free(scores);
    free(expected);
    free(expected_scores);
}

Test(encode_only, results_of_every_head) {
    static const char *const heads[] = {NULL, "masked_lm", "token", "sequence"};
    for (unsigned bits = 0; bits < 32; bits++) {
        fixture f;
        tiny_config c = encoder_config(heads[bits % 4]);
        c.head_dense = c.head && (bits & 4);
        c.head_norm = c.head && (bits & 8);
        c.pooler = bits & 16;
        fixture_open(&f, &c, NULL);
        check_sizes(&f, 1);
        check_sizes(&f, 33);
        if (bits < 4) check_sizes(&f, LONGEST); /* more rows of scores than are computed at once */
        fixture_close(&f);
    }
}

/* ---- embeddings ---- */

static void pool(const float *states, size_t n, const tfm_embed_params *params, double *out) {
    double square = 0;
    for (size_t i = 0; i < D; i++) {
        double sum = 0, largest = -INFINITY;
        for (size_t t = 0; t < n; t++) {
            sum += (double)states[t * D + i];
            largest = fmax(largest, (double)states[t * D + i]);
        }
        out[i] = params->pooling == TFM_POOLING_MEAN  ? sum / (double)n
                 : params->pooling == TFM_POOLING_MAX ? largest
                                                      : (double)states[i];
        square += out[i] * out[i];
    }
    for (size_t i = 0; params->normalize && i < D; i++) out[i] /= sqrt(square);
}

Test(encode_only, embeddings_are_pooled_states) {
    fixture f;
    tiny_config c = encoder_config(NULL);
    fixture_open(&f, &c, NULL);
    int32_t ids[40];
    float states[40 * D], embedding[D];
    double expected[D];
    fixture_ids(ids, 40, VOCAB, 3);
    for (size_t n = 1; n <= 40; n += 13) {
        for (int pooling = TFM_POOLING_MEAN; pooling <= TFM_POOLING_MAX; pooling++) {
            for (int normalize = 0; normalize < 2; normalize++) {
                tfm_embed_params params = tfm_embed_params_default(f.model);
                params.pooling = (tfm_pooling)pooling;
                params.normalize = normalize;
                tfm_example example = {.ids = ids, .n = n, .states = states, .embedding = embedding};
                REQUIRE_OK(tfm_analyze(f.session, &example, 1, &params, NULL, error));
                pool(states, n, &params, expected);
                for (size_t i = 0; i < D; i++) /* computed in double, rounded once or twice */
                    cr_assert(fabs((double)embedding[i] - expected[i]) <= 0x1p-23 * fabs(expected[i]) + 1e-30,
                              "%zu tokens, pooling %d, normalize %d", n, pooling, normalize);
            }
        }
    }
    fixture_close(&f);
}

/* ---- the same bits ---- */

enum { N = 11 };

typedef struct results {
    float states[40 * D], pooled[D], embedding[D], scores[40 * VOCAB];
} results;

static void ask(tfm_example *examples, int32_t ids[N][40], results *out) {
    for (size_t i = 0; i < N; i++) {
        fixture_ids(ids[i], 40, VOCAB, i);
        examples[i] = (tfm_example){.ids = ids[i],
                                    .n = 1 + i * 17 % 40,
                                    .states = out[i].states,
                                    .pooled = i % 3 ? out[i].pooled : NULL,
                                    .embedding = i % 4 ? out[i].embedding : NULL,
                                    .scores = i % 5 ? out[i].scores : NULL};
    }
}

/* Many at once, in turns of a session that takes few, and each alone. */
Test(encode_only, batches_and_turns_do_not_matter) {
    static int32_t ids[N][40];
    static results all[N], turns[N], alone[N];
    tiny_config c = encoder_config("masked_lm");
    c.pooler = c.head_dense = c.head_norm = true;
    tfm_session_params few = tfm_session_params_default();
    few.max_sources = 3;
    few.max_batch_tokens = few.max_source = 40;
    fixture f, g;
    fixture_open(&f, &c, NULL);
    fixture_open(&g, &c, &few);
    tfm_example examples[N];
    ask(examples, ids, all);
    REQUIRE_OK(tfm_analyze(f.session, examples, N, NULL, NULL, error));
    ask(examples, ids, turns);
    REQUIRE_OK(tfm_analyze(g.session, examples, N, NULL, NULL, error));
    ask(examples, ids, alone);
    for (size_t i = 0; i < N; i++) REQUIRE_OK(tfm_analyze(f.session, &examples[i], 1, NULL, NULL, error));
    cr_assert(!memcmp(all, alone, sizeof all) && !memcmp(turns, alone, sizeof all));
    fixture_close(&f);
    fixture_close(&g);
}

/* Scores of some tokens, in any order and more than once, are rows of all scores. */
Test(encode_only, scores_of_chosen_tokens) {
    fixture f;
    tiny_config c = encoder_config("masked_lm");
    c.head_dense = true;
    fixture_open(&f, &c, NULL);
    int32_t ids[LONGEST];
    static float all[LONGEST * VOCAB], some[LONGEST * VOCAB];
    static uint32_t chosen[LONGEST];
    fixture_ids(ids, LONGEST, VOCAB, 8);
    tfm_example example = {.ids = ids, .n = LONGEST, .scores = all};
    REQUIRE_OK(tfm_analyze(f.session, &example, 1, NULL, NULL, error));
    for (size_t n = 0; n <= LONGEST; n += 100) {
        for (size_t i = 0; i < n; i++) chosen[i] = (uint32_t)(i * 7 % 150);
        tfm_example few = example;
        few.scores = some;
        few.score_tokens = chosen;
        few.n_score_tokens = n;
        memset(some, 0xff, sizeof some);
        REQUIRE_OK(tfm_analyze(f.session, &few, 1, NULL, NULL, error));
        for (size_t i = 0; i < n; i++)
            cr_assert(!memcmp(some + i * VOCAB, all + chosen[i] * VOCAB, VOCAB * sizeof *some), "%zu tokens", n);
    }
    fixture_close(&f);
}

/* ---- errors ---- */

/* Of inputs that cannot be run each gets its own error, and all others their results. */
Test(encode_only, errors_of_inputs_are_their_own) {
    static const int32_t bad_id[] = {3, 37}, bad_type[] = {0, 2};
    static const uint32_t bad_token[] = {0, 9};
    static int32_t ids[N][40], many[400];
    static results all[N], expected[N];
    tfm_session_params few = tfm_session_params_default();
    few.max_sources = 2;
    tiny_config c = encoder_config("masked_lm");
    c.pooler = true;
    fixture f;
    fixture_open(&f, &c, &few);
    tfm_example examples[N];
    tfm_error errors[N];
    ask(examples, ids, expected);
    REQUIRE_OK(tfm_analyze(f.session, examples, N, NULL, NULL, error));
    ask(examples, ids, all);
    memset(errors, 0xff, sizeof errors);
    REQUIRE_OK(tfm_analyze(f.session, examples, N, NULL, errors, error));
    for (size_t i = 0; i < N; i++) cr_assert(errors[i].status == TFM_OK && !errors[i].message[0]);
    cr_assert(!memcmp(all, expected, sizeof all));

    const struct {
        size_t at;
        tfm_status status;
        const char *word;
        tfm_example example;
    } bad[] = {
        {0, TFM_ERROR_LIMIT, "0 tokens", {.ids = ids[0], .n = 0}},
        {1, TFM_ERROR_LIMIT, "400 tokens", {.ids = many, .n = 400}},
        {4, TFM_ERROR_ARGUMENT, "37", {.ids = bad_id, .n = 2}},
        {7, TFM_ERROR_ARGUMENT, "type 2", {.ids = ids[0], .n = 2, .token_types = bad_type}},
        {10, TFM_ERROR_ARGUMENT, "token 9", {.ids = ids[0], .n = 9, .score_tokens = bad_token, .n_score_tokens = 2}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tfm_error alone;
        examples[bad[i].at] = bad[i].example;
        cr_assert(tfm_analyze(f.session, &bad[i].example, 1, NULL, NULL, &alone) == bad[i].status);
        cr_assert(strstr(alone.message, bad[i].word), "%s", alone.message);
    }
    memset(all, 0, sizeof all);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_analyze(f.session, examples, N, NULL, NULL, error), "input 0");
    for (size_t i = 0; i < N; i++) cr_assert(all[i].states[0] == 0, "one bad input refuses all");
    REQUIRE_OK(tfm_analyze(f.session, examples, N, NULL, errors, error));
    for (size_t i = 0, b = 0; i < N; i++) {
        if (b < sizeof bad / sizeof *bad && bad[b].at == i) {
            cr_assert(errors[i].status == bad[b].status && strstr(errors[i].message, bad[b].word), "input %zu: %s", i,
                      errors[i].message);
            b++;
            continue;
        }
        cr_assert(errors[i].status == TFM_OK && !memcmp(&all[i], &expected[i], sizeof *all), "input %zu", i);
    }
    for (size_t i = 0; i < N; i++) examples[i] = bad[0].example;
    REQUIRE_OK(tfm_analyze(f.session, examples, N, NULL, errors, error)); /* none is left to run */
    fixture_close(&f);
}

Test(encode_only, what_a_model_lacks_is_refused) {
    static const int32_t ids[] = {3, 4};
    static const uint32_t tokens[] = {0};
    float out[VOCAB];
    fixture f;
    tiny_config c = encoder_config(NULL);
    fixture_open(&f, &c, NULL);
    tfm_example example = {.ids = ids, .n = 2, .pooled = out};
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_analyze(f.session, &example, 1, NULL, NULL, error), "pooler");
    example = (tfm_example){.ids = ids, .n = 2, .scores = out};
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_analyze(f.session, &example, 1, NULL, NULL, error), "head");
    tfm_embed_params params = {.size = sizeof params, .pooling = (tfm_pooling)3};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_analyze(f.session, &example, 1, &params, NULL, error), "pooling is 3");
    fixture_close(&f);
    c = encoder_config("sequence");
    fixture_open(&f, &c, NULL);
    example.score_tokens = tokens;
    example.n_score_tokens = 1;
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_analyze(f.session, &example, 1, NULL, NULL, error), "whole inputs");
    fixture_close(&f);
    c = tiny_config_default();
    fixture_open(&f, &c, NULL);
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_analyze(f.session, &example, 1, NULL, NULL, error), "encoder-only");
    fixture_close(&f);
}
