/* sequences_test.c - numbers, lengths and limits of sources and sequences. */
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/sequences.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

static const int32_t source_ids[] = {3, 4, 5, 6, 7};

Test(sequences, sources_are_limited) {
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
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs, 3, sources, NULL, error), "3 inputs", "takes 2");
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, NULL, SIZE_MAX, sources, NULL, error), "takes 2");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_encode(f.session, NULL, 2, sources, NULL, error), "2 inputs at NULL");
    inputs[2].n = 0;
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs + 1, 2, sources, NULL, error), "input 1", "0 tokens");
    inputs[2].n = 7;
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_encode(f.session, inputs + 1, 2, sources, NULL, error), "input 1", "7");
    inputs[2] = (tfm_tokens){NULL, 1};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_encode(f.session, inputs + 2, 1, sources, NULL, error),
                  "1 token ids at NULL");
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

Test(sequences, sequences_are_limited) {
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

/* A fork at every length: what one copy is fed does not show in the other, also after the first has gone. */
Test(sequences, forks_are_independent) {
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
