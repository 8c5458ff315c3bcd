/* session_test.c - sessions step by step: limits, sequences, errors that leave nothing behind, scores, attention. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/tiny_session.h"

static const int32_t source_ids[] = {3, 4, 5, 6, 7};

Test(session, parameters_are_checked) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_session *session = (tfm_session *)&session;
    tfm_session_params p = tfm_session_params_default();
    cr_assert(p.max_sources == 32 && p.max_sequences == 128 && p.max_batch_tokens == 4096 && !p.pool);
    p.max_source = 321;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "321", "320");
    cr_assert_null(session);
    p.max_source = 0;
    p.max_target = 1000;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "1000");
    p.max_target = 0;
    uint32_t *const sizes[] = {&p.max_sources, &p.max_sequences, &p.max_batch_tokens};
    for (size_t i = 0; i < 3; i++) {
        uint32_t before = *sizes[i];
        *sizes[i] = 0;
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "at least 1");
        *sizes[i] = UINT32_MAX;
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "4294967295");
        *sizes[i] = before;
    }
    tfm_session_free(&session);
    tfm_session_free(&session); /* NULL */
    fixture_close(&f);
}

Test(session, sources_are_limited) {
    fixture f;
    tfm_session_params p = {
        .size = sizeof p, .max_sources = 2, .max_sequences = 2, .max_batch_tokens = 8, .max_source = 6};
    fixture_open(&f, NULL, &p);
    int32_t sources[3], extra;
    tfm_tokens inputs[3] = {{source_ids, 5}, {source_ids, 3}, {source_ids, 1}};
    REQUIRE_OK(tfm_encode(f.session, inputs, 2, sources, NULL, error)); /* 8 tokens */
    cr_assert(sources[0] != sources[1] && sources[0] >= 0 && sources[0] < 2 && sources[1] >= 0 && sources[1] < 2);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs + 2, 1, &extra, NULL, error), "2");
    tfm_source_free(f.session, sources[0]);
    REQUIRE_OK(tfm_encode(f.session, inputs + 2, 1, &extra, NULL, error));
    cr_assert(extra == sources[0]);
    tfm_source_free(f.session, extra);
    tfm_source_free(f.session, sources[1]);
    tfm_source_free(f.session, sources[1]); /* twice, and numbers that are none */
    tfm_source_free(f.session, -1);
    tfm_source_free(f.session, 2);
    inputs[2].n = 0;
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs, 3, sources, NULL, error), "input 2", "0 tokens");
    inputs[2].n = 7;
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs, 3, sources, NULL, error), "input 2", "7");
    inputs[1] = inputs[0];
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs, 2, sources, NULL, error), "10 tokens", "8");
    static const int32_t wrong[] = {3, 37, 4}, negative[] = {-1};
    tfm_tokens bad[2] = {{wrong, 3}, {negative, 1}};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_encode(f.session, bad, 1, sources, NULL, error), "37", "36");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_encode(f.session, bad + 1, 1, sources, NULL, error), "-1");
    REQUIRE_OK(tfm_encode(f.session, inputs + 1, 1, sources, NULL, error)); /* both places are still free */
    REQUIRE_OK(tfm_encode(f.session, inputs + 1, 1, sources + 1, NULL, error));
    fixture_close(&f);
}

Test(session, sequences_are_limited) {
    fixture f;
    tfm_session_params p = {.size = sizeof p,
                            .max_sources = 1,
                            .max_sequences = 3,
                            .max_batch_tokens = 12,
                            .max_source = 5,
                            .max_target = 10};
    fixture_open(&f, NULL, &p);
    int32_t source = fixture_source(&f, source_ids, 5), s[3], extra = 5;
    for (size_t i = 0; i < 3; i++) s[i] = fixture_sequence(&f, source);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_sequence_new(f.session, source, &extra, error), "3");
    cr_assert(extra == -1);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_sequence_fork(f.session, s[0], &extra, error), "3");
    tfm_sequence_free(f.session, s[1]);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_sequence_new(f.session, -1, &extra, error), "source");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_sequence_new(f.session, 1, &extra, error), "source");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_sequence_fork(f.session, s[1], &extra, error), "sequence");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_sequence_fork(f.session, 77, &extra, error), "77");
    REQUIRE_OK(tfm_sequence_fork(f.session, s[0], &extra, error));

    int32_t ids[11] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    tfm_span spans[4] = {{.sequence = s[0], .ids = ids, .n = 10}, {.sequence = s[2], .ids = ids, .n = 3}};
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_decode(f.session, spans, 2, error), "12"); /* 13 tokens */
    cr_assert(tfm_sequence_length(f.session, s[0]) == 0 && tfm_sequence_length(f.session, s[2]) == 0);
    REQUIRE_OK(tfm_decode(f.session, spans, 1, error));
    cr_assert(tfm_sequence_length(f.session, s[0]) == 10);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_decode(f.session, spans, 1, error), "10");
    spans[1].n = 0;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_decode(f.session, spans + 1, 1, error), "no tokens");
    spans[1].n = 1;
    spans[1].sequence = 99;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_decode(f.session, spans + 1, 1, error), "99");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_decode(f.session, spans, 4, error), "4 spans");
    REQUIRE_OK(tfm_decode(f.session, spans, 0, error));
    cr_assert(tfm_sequence_length(f.session, s[0]) == 10);
    cr_assert(tfm_sequence_length(f.session, -1) == 0 && tfm_sequence_length(f.session, 99) == 0);
    tfm_sequence_truncate(f.session, s[0], 20); /* nothing to forget */
    cr_assert(tfm_sequence_length(f.session, s[0]) == 10);
    fixture_close(&f);
}

/* One bad span among good ones: all sequences keep what they had, and go on as if nothing had been. */
Test(session, an_error_leaves_nothing_behind) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t source = fixture_source(&f, source_ids, 5), ids[40], bad[2] = {3, 37};
    fixture_ids(ids, 40, 37, 4);
    float *whole = calloc(40 * f.vocab, sizeof *whole), *resumed = calloc(40 * f.vocab, sizeof *resumed);
    int32_t a = fixture_sequence(&f, source), b = fixture_sequence(&f, source), fork;
    fixture_feed(&f, a, ids, 40, whole);
    for (size_t past = 0; past < 40; past += 13) {
        tfm_sequence_truncate(f.session, a, past);
        REQUIRE_OK(tfm_sequence_fork(f.session, a, &fork, error)); /* shares the page that is written to */
        size_t length_b = tfm_sequence_length(f.session, b);
        tfm_span spans[2] = {{.sequence = a, .ids = ids + 5, .n = 20}, {.sequence = b, .ids = bad, .n = 2}};
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_decode(f.session, spans, 2, error), "37");
        cr_assert(tfm_sequence_length(f.session, a) == past && tfm_sequence_length(f.session, b) == length_b);
        fixture_feed(&f, fork, ids + past, 40 - past, resumed);
        cr_assert(!memcmp(whole + past * f.vocab, resumed, (40 - past) * f.vocab * sizeof *whole), "fork at %zu", past);
        fixture_feed(&f, a, ids + past, 40 - past, resumed);
        cr_assert(!memcmp(whole + past * f.vocab, resumed, (40 - past) * f.vocab * sizeof *whole), "at %zu", past);
        tfm_sequence_free(f.session, fork);
    }
    free(whole);
    free(resumed);
    fixture_close(&f);
}

/* A fork at every length: what one copy is fed does not show in the other, also after the first has gone. */
Test(session, forks_are_independent) {
    enum { N = 36 };
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t source = fixture_source(&f, source_ids, 5), ids[N], other[N];
    fixture_ids(ids, N, 37, 5);
    fixture_ids(other, N, 37, 6);
    float *whole = calloc(N * f.vocab, sizeof *whole), *rows = calloc(N * f.vocab, sizeof *rows);
    int32_t sequence = fixture_sequence(&f, source), copy;
    fixture_feed(&f, sequence, ids, N, whole);
    for (size_t past = 0; past < N; past++) {
        tfm_sequence_truncate(f.session, sequence, past);
        REQUIRE_OK(tfm_sequence_fork(f.session, sequence, &copy, error));
        cr_assert(tfm_sequence_length(f.session, copy) == past);
        fixture_feed(&f, sequence, other, N - past, NULL);
        tfm_sequence_free(f.session, sequence);
        fixture_feed(&f, copy, ids + past, N - past, rows);
        cr_assert(!memcmp(whole + past * f.vocab, rows, (N - past) * f.vocab * sizeof *rows), "at %zu", past);
        sequence = copy;
    }
    free(whole);
    free(rows);
    fixture_close(&f);
}

Test(session, kinds_refuse_what_they_do_not_have) {
    fixture f;
    tiny_config c = tiny_config_default();
    c.kind = "encoder";
    fixture_open(&f, &c, NULL);
    int32_t number;
    tfm_tokens input = {source_ids, 5};
    tfm_input generate_input = {.ids = source_ids, .n = 5};
    float value, *values = &value;
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_sequence_new(f.session, 0, &number, error), "decoder");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_decode(f.session, NULL, 0, error), "decoder");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_generate(f.session, &generate_input, 1, NULL, NULL, error), "decoder");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_score(f.session, &input, &input, 1, &values, error), "decoder");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_session_keep_attention(f.session, true, error), "cross");
    fixture_close(&f);
    c.kind = "decoder";
    fixture_open(&f, &c, NULL);
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_encode(f.session, &input, 1, &number, NULL, error), "encoder");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_sequence_new(f.session, 0, &number, error), "no encoder");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_session_keep_attention(f.session, true, error), "cross");
    fixture_close(&f);
}

/* ---- scores ---- */

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
    REQUIRE_OK(tfm_score(f.session, inputs, wanted, N, out, error));
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

Test(session, score_is_log_softmax_of_logits) {
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

Test(session, score_checks_its_arguments) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    static const int32_t bad[] = {3, 99};
    static int32_t many[400];
    float scores[400], *out = scores;
    tfm_tokens input = {source_ids, 5}, target = {bad, 2}, empty = {source_ids, 0}, longest = {many, 321};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_score(f.session, &input, &target, 1, &out, error), "target 0", "99");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, &empty, &input, 1, &out, error), "input 0");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_score(f.session, &input, &longest, 1, &out, error), "target 0", "321");
    longest.n = 320;
    REQUIRE_OK(tfm_score(f.session, &input, &longest, 1, &out, error));
    REQUIRE_OK(tfm_score(f.session, NULL, NULL, 0, NULL, error));
    fixture_close(&f);
}

/* ---- cross-attention ---- */

Test(session, cross_attention_rows_sum_to_one) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t source = fixture_source(&f, source_ids, 5), sequence = fixture_sequence(&f, source);
    float layers[2][5], mean[5];
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_cross_attention(f.session, sequence, 0, mean, error), "kept");
    REQUIRE_OK(tfm_session_keep_attention(f.session, true, error));
    for (int step = 0; step < 5; step++) {
        fixture_feed(&f, sequence, source_ids + step, 1, NULL);
        REQUIRE_OK(tfm_cross_attention(f.session, sequence, 0, layers[0], error));
        REQUIRE_OK(tfm_cross_attention(f.session, sequence, 1, layers[1], error));
        REQUIRE_OK(tfm_cross_attention(f.session, sequence, -1, mean, error));
        double sum = 0;
        for (int i = 0; i < 5; i++) {
            sum += (double)mean[i];
            cr_assert(mean[i] > 0 && fabs((double)(mean[i] - (layers[0][i] + layers[1][i]) / 2)) < 1e-6);
        }
        cr_assert(fabs(sum - 1) < 1e-5, "%g", sum);
    }
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_cross_attention(f.session, sequence, 2, mean, error), "2");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_cross_attention(f.session, 9, 0, mean, error), "9");
    REQUIRE_OK(tfm_session_keep_attention(f.session, false, error));
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_cross_attention(f.session, sequence, 0, mean, error), "kept");
    fixture_close(&f);
}

/* Keeping attention changes no logits. */
Test(session, keeping_attention_changes_nothing) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    float before[5 * 37], after[5 * 37];
    int32_t source = fixture_source(&f, source_ids, 5), sequence = fixture_sequence(&f, source);
    fixture_feed(&f, sequence, source_ids, 5, before);
    tfm_sequence_truncate(f.session, sequence, 0);
    REQUIRE_OK(tfm_session_keep_attention(f.session, true, error));
    fixture_feed(&f, sequence, source_ids, 5, after);
    cr_assert(!memcmp(before, after, sizeof before));
    fixture_close(&f);
}
