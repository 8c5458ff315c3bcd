/* step_test.c - steps: what they refuse, what an error leaves behind, results that do not depend on how steps are made.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/step.h"
#include "runtime/model/model.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

static const int32_t source_ids[] = {3, 4, 5, 6, 7};

Test(step, kinds_refuse_what_they_do_not_have) {
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
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_score(f.session, &input, &input, 1, &values, NULL, error), "decoder");
    fixture_close(&f);
    c.kind = "decoder";
    fixture_open(&f, &c, NULL);
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_encode(f.session, &input, 1, &number, NULL, error), "encoder");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_sequence_new(f.session, 0, &number, error), "no encoder");
    fixture_close(&f);
}

/* One bad span among good ones: all sequences keep what they had, and go on as if nothing had been. */
Test(step, an_error_leaves_nothing_behind) {
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

Test(step, a_sequence_occurs_once) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t source = fixture_source(&f, source_ids, 5), a = fixture_sequence(&f, source);
    int32_t b = fixture_sequence(&f, source);
    tfm_span spans[3] = {{.sequence = a, .ids = source_ids, .n = 2},
                         {.sequence = b, .ids = source_ids, .n = 1},
                         {.sequence = a, .ids = source_ids, .n = 1}};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_decode(f.session, spans, 3, error), "sequence 0", "twice");
    cr_assert(tfm_sequence_length(f.session, a) == 0 && tfm_sequence_length(f.session, b) == 0);
    REQUIRE_OK(tfm_decode(f.session, spans, 2, error));
    REQUIRE_OK(tfm_decode(f.session, spans + 2, 1, error)); /* in the next step it may */
    cr_assert(tfm_sequence_length(f.session, a) == 3);
    fixture_close(&f);
}

/* A result gives the states of all rows; logits of any of them are those that tfm_decode writes. */
Test(step, results_give_logits_of_any_rows) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_tokens inputs[2] = {{source_ids, 5}, {source_ids, 2}};
    int32_t sources[2], sequences[2];
    float encoded[2][5 * 15], *states[2] = {encoded[0], encoded[1]}, all[5 * 37], got[3 * 37];
    tfm_step_result result;
    REQUIRE_OK(tfm_encode(f.session, inputs, 2, sources, states, error));
    for (size_t i = 0; i < 2; i++) tfm_source_free(f.session, sources[i]);
    REQUIRE_OK(tfm_encode_step(f.session, inputs, 2, sources, &result, error));
    cr_assert(result.n_tokens == 7 && result.n_runs == 2 && result.last_rows[0] == 4 && result.last_rows[1] == 6);
    cr_assert(!memcmp(result.states, encoded[0], 5 * 15 * sizeof(float)));
    cr_assert(!memcmp(result.states + 5 * 15, encoded[1], 2 * 15 * sizeof(float)));

    for (size_t i = 0; i < 2; i++) sequences[i] = fixture_sequence(&f, sources[i]);
    fixture_feed(&f, sequences[0], source_ids, 3, all);
    fixture_feed(&f, sequences[1], source_ids, 2, all + 3 * 37);
    for (size_t i = 0; i < 2; i++) tfm_sequence_truncate(f.session, sequences[i], 0);
    tfm_span spans[2] = {{.sequence = sequences[0], .ids = source_ids, .n = 3},
                         {.sequence = sequences[1], .ids = source_ids, .n = 2}};
    REQUIRE_OK(tfm_decode_step(f.session, spans, 2, &result, error));
    cr_assert(result.n_tokens == 5 && result.n_runs == 2 && result.last_rows[0] == 2 && result.last_rows[1] == 4);
    cr_assert(result.logits && result.logits_rows == 128);
    static const uint32_t rows[] = {4, 0, 3};
    REQUIRE_OK(tfm_project_rows(f.session, &result, rows, 3, &f.model->output, got, error));
    for (size_t i = 0; i < 3; i++)
        cr_assert(!memcmp(got + i * 37, all + rows[i] * 37, 37 * sizeof(float)), "row %u", rows[i]);
    fixture_close(&f);
}

/* Only some of the spans ask for the logits of their last token. */
Test(step, logits_go_where_they_are_asked_for) {
    enum { N = 5 };
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t source = fixture_source(&f, source_ids, 5);
    float expected[N][5 * 37], got[N][5 * 37];
    tfm_span spans[N];
    for (size_t i = 0; i < N; i++) {
        spans[i] = (tfm_span){.sequence = fixture_sequence(&f, source), .ids = source_ids, .n = 1 + i};
        fixture_feed(&f, spans[i].sequence, source_ids, 1 + i, expected[i]);
    }
    for (unsigned asked = 0; asked < 1 << N; asked++) {
        memset(got, 0xff, sizeof got);
        for (size_t i = 0; i < N; i++) {
            tfm_sequence_truncate(f.session, spans[i].sequence, 0);
            spans[i].logits = asked >> i & 1 ? got[i] : NULL;
        }
        REQUIRE_OK(tfm_decode(f.session, spans, N, error));
        for (size_t i = 0; i < N; i++)
            if (asked >> i & 1)
                cr_assert(!memcmp(got[i], expected[i] + i * 37, 37 * sizeof(float)), "span %zu of set %x", i, asked);
    }
    fixture_close(&f);
}

/* ---- the same bits ---- */

static void check_cuts(const tiny_config *config) {
    enum { N = 40 };
    fixture f;
    fixture_open(&f, config, NULL);
    bool encodes = !config || strstr(config->kind, "encoder");
    int32_t input_ids[9], ids[N];
    fixture_ids(input_ids, 9, 37, 1);
    fixture_ids(ids, N, 37, 2);
    float *whole = calloc(N * f.vocab, sizeof *whole), *pieces = calloc(N * f.vocab, sizeof *pieces);
    int32_t source = encodes ? fixture_source(&f, input_ids, 9) : -1, sequence = fixture_sequence(&f, source);
    fixture_feed(&f, sequence, ids, N, whole);
    for (size_t piece = 1; piece < N; piece += piece < 5 ? 1 : 6) {
        tfm_sequence_truncate(f.session, sequence, 0);
        memset(pieces, 0xff, N * f.vocab * sizeof *pieces);
        for (size_t at = 0; at < N; at += piece)
            fixture_feed(&f, sequence, ids + at, N - at < piece ? N - at : piece, pieces + at * f.vocab);
        cr_assert(!memcmp(whole, pieces, N * f.vocab * sizeof *whole), "pieces of %zu tokens", piece);
    }
    free(whole);
    free(pieces);
    fixture_close(&f);
}

/* Any way to cut a sequence into calls gives the logits of the whole. */
Test(step, cuts_do_not_matter) {
    check_cuts(NULL);
    tiny_config c = tiny_config_decoder();
    c.decoder.position_word = "rope";
    c.decoder.rope_dim = 6;
    c.decoder.qk_norm = 1;
    c.decoder.window = 9;
    c.decoder.sublayers = 1;
    check_cuts(&c);
    c = tiny_config_decoder();
    c.decoder.position_word = "alibi";
    c.decoder.both_norms = true;
    c.decoder.soft_cap = 2;
    c.output_soft_cap = 3;
    check_cuts(&c);
}

/* Sequences of different lengths together and alone, with the states as well. */
Test(step, batches_do_not_matter) {
    enum { N = 12 };
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t ids[N][64], sources[N], target[N][30];
    float *states[N], *alone = calloc(64 * f.d, sizeof *alone);
    float *logits[N], *logits_alone = calloc(30 * f.vocab, sizeof *logits_alone);
    tfm_tokens inputs[N];
    tfm_span spans[N];
    for (size_t i = 0; i < N; i++) {
        size_t n = 1 + (i * 37) % 64;
        fixture_ids(ids[i], n, 37, i);
        fixture_ids(target[i], 1 + i * 2, 37, i + 100);
        inputs[i] = (tfm_tokens){ids[i], n};
        states[i] = calloc(n * f.d, sizeof(float));
        logits[i] = calloc(30 * f.vocab, sizeof(float));
    }
    REQUIRE_OK(tfm_encode(f.session, inputs, N, sources, states, error));
    for (size_t i = 0; i < N; i++)
        spans[i] = (tfm_span){.sequence = fixture_sequence(&f, sources[i]),
                              .ids = target[i],
                              .n = 1 + i * 2,
                              .logits = logits[i],
                              .all_logits = i % 2 == 0};
    REQUIRE_OK(tfm_decode(f.session, spans, N, error));
    for (size_t i = 0; i < N; i++) {
        int32_t source;
        REQUIRE_OK(tfm_encode(f.session, &inputs[i], 1, &source, &alone, error));
        cr_assert(!memcmp(alone, states[i], inputs[i].n * f.d * sizeof *alone), "states of input %zu", i);
        tfm_span span = spans[i];
        span.sequence = fixture_sequence(&f, source);
        span.logits = logits_alone;
        REQUIRE_OK(tfm_decode(f.session, &span, 1, error));
        size_t rows = span.all_logits ? span.n : 1;
        cr_assert(!memcmp(logits_alone, logits[i], rows * f.vocab * sizeof *alone), "logits of input %zu", i);
        tfm_sequence_free(f.session, span.sequence);
        tfm_source_free(f.session, source);
        free(states[i]);
        free(logits[i]);
    }
    free(alone);
    free(logits_alone);
    fixture_close(&f);
}
