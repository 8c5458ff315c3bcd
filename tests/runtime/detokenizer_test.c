/* detokenizer_test.c - tfm_detokenizer: the text of ids that come one by one, and stop strings in it. */
#include <string.h>

#include "tests/support/faults.h"
#include "tests/support/require.h"
#include "tests/support/tiny_text.h"

Test(detokenizer, gives_what_all_ids_give) {
    text_bench b;
    text_bench_open(&b, "chatter");
    uint64_t random = 5;
    uint32_t vocab = tfm_model_get_info(b.model).target_vocab_size;
    tfm_detokenizer *d;
    REQUIRE_OK(tfm_detokenizer_create(&d, b.model, TFM_TARGET, true, error));
    for (size_t round = 0; round < 200; round++) {
        int32_t ids[60];
        size_t n = tiny_random(&random) % 60, n_known = round % 2 ? 0 : tiny_random(&random) % (n + 1);
        tfm_text pieces = {0}, whole = {0}, known = {0};
        for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(tiny_random(&random) % vocab);
        if (n_known) ids[n_known - 1] = 3 + 256; /* no byte: what follows cannot change its text */
        if (n_known) REQUIRE_OK(tfm_detokenizer_continue(d, ids, n_known, error));
        for (size_t i = n_known, more; i < n; i += more) {
            more = 1 + tiny_random(&random) % 4;
            if (more > n - i) more = n - i;
            REQUIRE_OK(tfm_detokenizer_push(d, ids + i, more, &pieces, error));
        }
        REQUIRE_OK(tfm_detokenizer_finish(d, &pieces, error));
        REQUIRE_OK(tfm_detokenize(b.model, TFM_TARGET, ids, n, true, &whole, error));
        REQUIRE_OK(tfm_detokenize(b.model, TFM_TARGET, ids, n_known, true, &known, error));
        cr_assert(known.size + pieces.size == whole.size, "%zu + %zu, not %zu bytes", known.size, pieces.size,
                  whole.size);
        if (pieces.size) cr_assert(!memcmp(whole.data + known.size, pieces.data, pieces.size));
        tfm_text_free(&pieces);
        tfm_text_free(&whole);
        tfm_text_free(&known);
    }
    tfm_text text = {0};
    const int32_t outside[] = {3, (int32_t)vocab};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenizer_push(d, outside, 2, &text, error), "");
    cr_assert(text.size == 0);
    tfm_text_free(&text);
    tfm_detokenizer_free(&d);
    cr_assert(!d);
    text_bench_close(&b);
    fixture f;
    fixture_open(&f, NULL, NULL);
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_detokenizer_create(&d, f.model, TFM_TARGET, true, error), "no tokenizer");
    cr_assert(!d);
    tfm_text_input input = {.text = "a", .n = 1};
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_generate_text(f.session, &input, 1, NULL, NULL, error), "no tokenizer");
    fixture_close(&f);
}

/* Where the text ends does not depend on how many ids come at once, and what was given is never taken back. */
Test(detokenizer, ends_before_stop_strings) {
    text_bench b;
    text_bench_open(&b, "parrot");
    int32_t ids[PARROT_TOKENS];
    const size_t n = PARROT_TOKENS;
    text_bench_parrot_ids(&b, ids);
    tfm_detokenizer *d;
    tfm_text text = {0};
    REQUIRE_OK(tfm_detokenizer_create(&d, b.model, TFM_TARGET, true, error));
    for (size_t i = 0; i < N_STOP_CASES; i++) {
        const char *const *stops = stop_cases[i].stops;
        int which = stop_cases[i].which;
        REQUIRE_OK(tfm_detokenizer_set_stop_strings(d, stops, stop_cases[i].n, error));
        for (size_t more = 1; more <= n; more++) {
            text.size = 0;
            for (size_t at = 0; at < n; at += more) {
                REQUIRE_OK(tfm_detokenizer_push(d, ids + at, more < n - at ? more : n - at, &text, error));
                cr_assert(!strncmp(text.data, stop_cases[i].text, text.size), "case %zu: \"%s\"", i, text.data);
            }
            REQUIRE_OK(tfm_detokenizer_finish(d, &text, error));
            cr_assert_str_eq(text.data, stop_cases[i].text, "case %zu, %zu at once: \"%s\"", i, more, text.data);
            cr_assert(tfm_detokenizer_stop_string(d) == (which < 0 ? NULL : stops[which]), "case %zu", i);
        }
    }
    /* The next text knows nothing of it; without strings nothing is held back any more. */
    static const char *const long_stop[] = {"I like a zebra"};
    text.size = 0;
    REQUIRE_OK(tfm_detokenizer_set_stop_strings(d, long_stop, 1, error));
    REQUIRE_OK(tfm_detokenizer_push(d, ids, 3, &text, error));
    cr_assert(text.size == 0 && !tfm_detokenizer_stop_string(d));
    REQUIRE_OK(tfm_detokenizer_set_stop_strings(d, NULL, 0, error));
    REQUIRE_OK(tfm_detokenizer_push(d, ids + 3, 0, &text, error));
    cr_assert_str_eq(text.data, "I like a");
    REQUIRE_OK(tfm_detokenizer_push(d, ids + 3, 6, &text, error));
    cr_assert_str_eq(text.data, PARROT_TEXT);
    static const char *const empty[] = {""};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenizer_set_stop_strings(d, empty, 1, error), "number 0 is empty");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenizer_set_stop_strings(d, NULL, 1, error), "at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenizer_set_stop_strings(d, empty, SIZE_MAX, error), "stop_strings");
    tfm_text_free(&text);
    tfm_detokenizer_free(&d);
    text_bench_close(&b);
}

Test(detokenizer, without_memory_it_begins_anew) {
    static const char *const stops[] = {"zebra", "bir!"};
    text_bench b;
    text_bench_open(&b, "parrot");
    int32_t ids[PARROT_TOKENS];
    size_t n_failed = 0;
    text_bench_parrot_ids(&b, ids);
    for (size_t n_stops = 0; n_stops <= 2; n_stops += 2) {
        tfm_status status = TFM_ERROR_MEMORY;
        for (long k = 0; status != TFM_OK; k++) {
            tfm_detokenizer *d;
            tfm_text text = {0};
            tfm_error failure = {0};
            REQUIRE_OK(tfm_detokenizer_create(&d, b.model, TFM_TARGET, true, error));
            REQUIRE_OK(tfm_detokenizer_set_stop_strings(d, stops, n_stops, error));
            faults_begin(k, false);
            status = tfm_detokenizer_push(d, ids, PARROT_TOKENS, &text, &failure);
            if (status == TFM_OK) status = tfm_detokenizer_finish(d, &text, &failure);
            faults_end();
            if (status != TFM_OK) {
                n_failed++;
                cr_assert(status == TFM_ERROR_MEMORY && *failure.message);
                cr_assert(!text.data || !strncmp(text.data, PARROT_TEXT, text.size), "\"%s\"", text.data);
                text.size = 0;
                REQUIRE_ERROR(TFM_ERROR_STATE, tfm_detokenizer_push(d, ids, PARROT_TOKENS, &text, error),
                              "memory ran out");
                REQUIRE_ERROR(TFM_ERROR_STATE, tfm_detokenizer_finish(d, &text, error), "memory ran out");
                REQUIRE_OK(tfm_detokenizer_continue(d, NULL, 0, error));
                REQUIRE_OK(tfm_detokenizer_push(d, ids, PARROT_TOKENS, &text, error));
                REQUIRE_OK(tfm_detokenizer_finish(d, &text, error));
            }
            cr_assert_str_eq(text.data, PARROT_TEXT);
            tfm_text_free(&text);
            tfm_detokenizer_free(&d);
        }
    }
    cr_assert(n_failed > 3);
    text_bench_close(&b);
}
