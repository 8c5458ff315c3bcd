/* score_test.c - log-probabilities of given targets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

static const int32_t source_ids[] = {3, 4, 5, 6, 7};

static double log_softmax_at(const float *logits, size_t n, int32_t id) {
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if ((double)logits[i] > largest) largest = (double)logits[i];
    for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - largest);
    return (double)logits[id] - largest - log(sum);
}

/* Targets of many lengths, empty ones too, in a session that takes few at once and in pieces. */
static void check_scores(const tiny_config *config, const tfm_session_params *params) {
    enum { N = 20, LONGEST = 30 };
    fixture f;
    fixture_open(&f, config, params);
    bool encodes = strcmp(config->kind, "decoder") != 0;
    int32_t ids[N][8], targets[N][LONGEST], feed[8 + LONGEST];
    float scores[N][LONGEST], *logits = calloc((8 + LONGEST) * f.vocab, sizeof *logits), *out[N];
    tfm_tokens inputs[N], wanted[N];
    for (size_t i = 0; i < N; i++) {
        inputs[i] = (tfm_tokens){ids[i], 1 + i % 8};
        wanted[i] = (tfm_tokens){targets[i], i * 7 % (LONGEST + 1)};
        out[i] = scores[i];
        fixture_ids(ids[i], 8, 37, i);
        fixture_ids(targets[i], LONGEST, 37, i + 50);
    }
    REQUIRE_OK(tfm_score(f.session, inputs, wanted, N, out, NULL, error));
    for (size_t i = 0; i < N; i++) {
        size_t n_prompt = encodes ? 1 : inputs[i].n;
        if (wanted[i].n == 0) continue;
        feed[0] = TINY_START;
        if (!encodes) memcpy(feed, ids[i], n_prompt * sizeof *feed);
        memcpy(feed + n_prompt, targets[i], (wanted[i].n - 1) * sizeof *feed);
        int32_t source = fixture_source(&f, ids[i], inputs[i].n), sequence = fixture_sequence(&f, source);
        for (size_t t = 0; t < n_prompt + wanted[i].n - 1; t++)
            fixture_feed(&f, sequence, feed + t, 1, logits + t * f.vocab);
        for (size_t t = 0; t < wanted[i].n; t++) {
            double expected = log_softmax_at(logits + (n_prompt - 1 + t) * f.vocab, f.vocab, targets[i][t]);
            cr_assert(fabs((double)scores[i][t] - expected) < 1e-5, "item %zu, token %zu: %g, expected %g", i, t,
                      (double)scores[i][t], expected);
        }
        tfm_sequence_free(f.session, sequence);
        tfm_source_free(f.session, source);
    }
    free(logits);
    fixture_close(&f);
}

Test(score, is_log_softmax_of_logits) {
    tiny_config c = tiny_config_default();
    tfm_session_params few = {
        .size = sizeof few, .max_sources = 3, .max_sequences = 2, .max_batch_tokens = 8, .max_source = 8};
    tfm_session_params standard = tfm_session_params_default();
    check_scores(&c, &standard);
    check_scores(&c, &few);
    c.kind = "decoder";
    check_scores(&c, &standard);
    few.max_source = 0;
    check_scores(&c, &few);
}

/* The start token is that of params, and the model's own without them. */
Test(score, starts_as_params_say) {
    enum { N = 4 };
    static const int32_t targets[N] = {8, 3, 20, 11};
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params params = tfm_generate_params_default(f.model);
    const tfm_tokens input = {source_ids, 5}, target = {targets, N};
    float scores[N], own[N], *out = scores, *logits = calloc(f.vocab, sizeof *logits);
    params.decoder_start_token_id = TINY_START + 1;
    REQUIRE_OK(tfm_score_with(f.session, &params, &input, &target, 1, &out, NULL, error));
    int32_t feed[N] = {TINY_START + 1, 8, 3, 20}, source = fixture_source(&f, source_ids, 5),
            sequence = fixture_sequence(&f, source);
    for (size_t t = 0; t < N; t++) {
        fixture_feed(&f, sequence, feed + t, 1, logits);
        double expected = log_softmax_at(logits, f.vocab, targets[t]);
        cr_assert(fabs((double)scores[t] - expected) < 1e-5, "token %zu: %g, expected %g", t, (double)scores[t],
                  expected);
    }
    tfm_sequence_free(f.session, sequence);
    tfm_source_free(f.session, source);
    out = own;
    REQUIRE_OK(tfm_score(f.session, &input, &target, 1, &out, NULL, error));
    cr_assert(memcmp(own, scores, sizeof own) != 0);
    out = scores;
    REQUIRE_OK(tfm_score_with(f.session, NULL, &input, &target, 1, &out, NULL, error));
    cr_assert_arr_eq(own, scores, sizeof own);
    params.decoder_start_token_id = 99;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score_with(f.session, &params, &input, &target, 1, &out, NULL, error),
                  "decoder_start_token_id is 99");
    params = tfm_generate_params_default(f.model);
    params.target_language = "de";
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_score_with(f.session, &params, &input, &target, 1, &out, NULL, error),
                  "has no languages");
    free(logits);
    fixture_close(&f);
}

Test(score, checks_its_arguments) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    static const int32_t bad[] = {3, 99};
    static int32_t many[400];
    float scores[400], *out = scores;
    tfm_tokens input = {source_ids, 5}, target = {bad, 2}, empty = {source_ids, 0}, longest = {many, 321};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &input, &target, 1, &out, NULL, error), "target 0", "99");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, &empty, &input, 1, &out, NULL, error), "input 0");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, &input, &longest, 1, &out, NULL, error), "target 0", "321");
    longest.n = 320;
    REQUIRE_OK(tfm_score(f.session, &input, &longest, 1, &out, NULL, error));
    REQUIRE_OK(tfm_score(f.session, NULL, NULL, 0, NULL, NULL, error));
    fixture_close(&f);
}

/* Nothing is read of a list whose length cannot be right: those at 8 would end the program. */
Test(score, lengths_come_before_contents) {
    static const char *const kinds[] = {"encoder-decoder", "decoder"};
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 1, (size_t)1 << 40, 4096};
    for (size_t kind = 0; kind < 2; kind++) {
        fixture f;
        tiny_config c = tiny_config_default();
        c.kind = kinds[kind];
        fixture_open(&f, &c, NULL);
        const int32_t *nowhere = (const int32_t *)(uintptr_t)8; // NOLINT: never read
        float scores[8], *out = scores, *none = NULL;
        tfm_tokens good = {source_ids, 3}, bad = {nowhere, 0}, missing = {NULL, 3};
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            bad.n = lengths[i];
            REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, &bad, &good, 1, &out, NULL, error), "input 0");
            REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, &good, &bad, 1, &out, NULL, error), "target 0");
        }
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &missing, &good, 1, &out, NULL, error), "input 0",
                      "NULL");
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &good, &missing, 1, &out, NULL, error), "target 0",
                      "NULL");
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &good, &good, 1, &none, NULL, error), "log_probs");
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, NULL, &good, 1, &out, NULL, error), "inputs is NULL");
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &good, NULL, 1, &out, NULL, error), "targets is NULL");
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &good, &good, 1, NULL, NULL, error),
                      "log_probs is NULL");
        fixture_close(&f);
    }
}

/* Of items that cannot be scored each gets its own error, and all others their scores. */
Test(score, errors_of_items_are_their_own) {
    enum { N = 9 };
    static const int32_t bad[] = {3, 99};
    static int32_t ids[N][8], many[400];
    static const char *const kinds[] = {"encoder-decoder", "decoder"};
    for (size_t kind = 0; kind < 2; kind++) {
        fixture f;
        tiny_config c = tiny_config_default();
        c.kind = kinds[kind];
        fixture_open(&f, &c, NULL);
        tfm_tokens inputs[N], targets[N];
        float scores[N][8], expected[N][8], *out[N], *out_expected[N];
        for (size_t i = 0; i < N; i++) {
            fixture_ids(ids[i], 8, 37, i);
            inputs[i] = targets[i] = (tfm_tokens){ids[i], 1 + i % 8};
            out[i] = scores[i];
            out_expected[i] = expected[i];
        }
        tfm_error errors[N];
        REQUIRE_OK(tfm_score(f.session, inputs, targets, N, out_expected, NULL, error));
        memset(errors, 0xff, sizeof errors);
        REQUIRE_OK(tfm_score(f.session, inputs, targets, N, out, errors, error));
        for (size_t i = 0; i < N; i++)
            cr_assert(errors[i].status == TFM_OK && !errors[i].message[0] &&
                      !memcmp(scores[i], expected[i], targets[i].n * sizeof *scores[i]));

        inputs[0].n = 0;
        targets[3] = (tfm_tokens){bad, 2};
        inputs[4] = (tfm_tokens){bad, 2};
        inputs[5] = (tfm_tokens){many, 400};
        targets[6] = (tfm_tokens){many, 400};
        targets[7].n = 0; /* nothing to score is no error */
        static const struct {
            size_t at;
            tfm_status status;
            const char *word;
        } wrong[] = {{0, TFM_ERROR_LIMIT, "input 0"},
                     {3, TFM_ERROR_ARGUMENT, "99"},
                     {4, TFM_ERROR_ARGUMENT, "99"},
                     {5, TFM_ERROR_LIMIT, "5 has"},
                     {6, TFM_ERROR_LIMIT, "400"}};
        REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, inputs, targets, N, out, NULL, error), "input 0");
        memset(scores, 0, sizeof scores);
        REQUIRE_OK(tfm_score(f.session, inputs, targets, N, out, errors, error));
        for (size_t i = 0, w = 0; i < N; i++) {
            if (w < sizeof wrong / sizeof *wrong && wrong[w].at == i) {
                cr_assert(errors[i].status == wrong[w].status && strstr(errors[i].message, wrong[w].word),
                          "%s, item %zu: %s", c.kind, i, errors[i].message);
                w++;
                continue;
            }
            cr_assert(errors[i].status == TFM_OK && !memcmp(scores[i], expected[i], targets[i].n * sizeof *scores[i]),
                      "%s, item %zu", c.kind, i);
        }
        fixture_close(&f);
    }
}
