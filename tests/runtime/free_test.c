/* free_test.c - what gives things back: NULL is nothing to give back, and twice is once. */
#include <criterion/criterion.h>

#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

Test(release, of_nothing) {
    tfm_pool *pool = NULL;
    tfm_model *model = NULL;
    tfm_session *session = NULL;
    tfm_detokenizer *detokenizer = NULL;
    tfm_ids ids = {0};
    tfm_text text = {0};
    tfm_pool_free(NULL);
    tfm_pool_free(&pool);
    tfm_model_close(NULL);
    tfm_model_close(&model);
    tfm_session_free(NULL);
    tfm_session_free(&session);
    tfm_detokenizer_free(NULL);
    tfm_detokenizer_free(&detokenizer);
    tfm_ids_free(NULL);
    tfm_ids_free(&ids);
    tfm_text_free(NULL);
    tfm_text_free(&text);
    tfm_source_free(NULL, 0);
    tfm_sequence_free(NULL, 0);
    cr_assert(!pool && !model && !session && !detokenizer);
}

Test(release, twice) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    const int32_t ids[] = {3, 4};
    int32_t source = fixture_source(&f, ids, 2), sequence = fixture_sequence(&f, source);
    static const int32_t none[] = {-1, INT32_MIN, INT32_MAX, 128, 1 << 20};
    for (int i = 0; i < 2; i++) {
        tfm_sequence_free(f.session, sequence);
        tfm_source_free(f.session, source);
        for (size_t k = 0; k < sizeof none / sizeof *none; k++) {
            tfm_sequence_free(f.session, none[k]);
            tfm_source_free(f.session, none[k]);
        }
    }
    /* All places are there, each once. */
    source = fixture_source(&f, ids, 2);
    for (size_t i = 0; i < 128; i++) cr_assert_eq(fixture_sequence(&f, source), (int32_t)i);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_sequence_new(f.session, source, &sequence, error), "128");
    fixture_close(&f);
    tfm_session_free(&f.session);
    tfm_model_close(&f.model);
    tfm_pool_free(&f.pool);
}
