/* embed_text_test.c - tfm_embed_text: embeddings of texts, and texts that have none. */
#include <string.h>

#include "tests/support/require.h"
#include "tests/support/tiny_text.h"

Test(embed_text, embeddings_are_those_of_the_ids) {
    static const char *const texts[] = {"This is a story.", "a", "bird \xF0\x9F\xA6\x9C and cat", "what was it?"};
    enum { N = sizeof texts / sizeof *texts, D = 32 };
    static float embeddings[N][D], alone[D];
    text_bench b;
    text_bench_open(&b, "embedder");
    cr_assert_eq(tfm_model_get_info(b.model).d_model, (uint32_t)D);
    REQUIRE_OK(tfm_embed_text(b.session, texts, NULL, N, NULL, embeddings[0], NULL, error));
    for (size_t i = 0; i < N; i++) {
        tfm_ids ids = {0};
        REQUIRE_OK(tfm_tokenize(b.model, TFM_SOURCE, texts[i], strlen(texts[i]), true, &ids, error));
        tfm_example example = {.ids = ids.data, .n = ids.size, .embedding = alone};
        REQUIRE_OK(tfm_analyze(b.session, &example, 1, NULL, NULL, error));
        cr_assert(!memcmp(alone, embeddings[i], sizeof alone), "text %zu", i);
        tfm_ids_free(&ids);
    }
    /* Parts of texts, and one that is too long among them. */
    static char long_text[400];
    memset(long_text, 'a', sizeof long_text);
    for (size_t i = 1; i < sizeof long_text; i += 2) long_text[i] = ' ';
    const char *const mixed[] = {texts[0], long_text, texts[1]};
    const size_t sizes[] = {strlen(texts[0]), sizeof long_text, 1};
    static float some[3][D];
    tfm_error errors[3];
    for (size_t i = 0; i < D; i++) some[1][i] = 7;
    REQUIRE_OK(tfm_embed_text(b.session, mixed, sizes, 3, NULL, some[0], errors, error));
    cr_assert(errors[0].status == TFM_OK && errors[1].status == TFM_ERROR_LIMIT && errors[2].status == TFM_OK);
    cr_assert(!memcmp(some[0], embeddings[0], sizeof some[0]) && !memcmp(some[2], embeddings[1], sizeof some[0]));
    for (size_t i = 0; i < D; i++) cr_assert(some[1][i] == 7);
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_embed_text(b.session, mixed, sizes, 3, NULL, some[0], NULL, error),
                  "text 1: ", "202");
    REQUIRE_OK(tfm_embed_text(b.session, NULL, NULL, 0, NULL, NULL, NULL, error));
    text_bench_close(&b);
    text_bench_open(&b, "parrot");
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_embed_text(b.session, texts, NULL, N, NULL, some[0], NULL, error),
                  "encoder-only");
    text_bench_close(&b);
}

/* A prompt stands before each text, as if it were typed there. */
Test(embed_text, prompts) {
    static const char *const texts[] = {"a bird", "a cat"}, *const prompted[] = {"what was it ? a bird",
                                                                                 "what was it ? a cat"};
    static float right[2][32], got[2][32];
    const char *name, *text;
    text_bench b;
    text_bench_open(&b, "embedder");
    cr_assert_str_eq(tfm_model_prompt(b.model, "query"), "what was it ? ");
    cr_assert_str_eq(tfm_model_prompt(b.model, NULL), "", "the default is `document`");
    cr_assert_null(tfm_model_prompt(b.model, "poem"));
    cr_assert(tfm_model_prompt_at(b.model, 1, &name, &text) && !strcmp(name, "document") && !strcmp(text, ""));
    cr_assert(!tfm_model_prompt_at(b.model, 2, &name, &text) && !name && !text);
    tfm_embed_params params = tfm_embed_params_default(b.model);
    cr_assert_str_eq(params.prompt, "");
    REQUIRE_OK(tfm_embed_text(b.session, prompted, NULL, 2, NULL, right[0], NULL, error));
    params.prompt = tfm_model_prompt(b.model, "query");
    REQUIRE_OK(tfm_embed_text(b.session, texts, NULL, 2, &params, got[0], NULL, error));
    cr_assert(!memcmp(right, got, sizeof right));
    const size_t sizes[] = {2, 5};
    static const char *const parts[] = {"a bird", "a cat and"}, *const whole[] = {"what was it ? a ",
                                                                                  "what was it ? a cat"};
    REQUIRE_OK(tfm_embed_text(b.session, whole, NULL, 2, NULL, right[0], NULL, error));
    REQUIRE_OK(tfm_embed_text(b.session, parts, sizes, 2, &params, got[0], NULL, error));
    cr_assert(!memcmp(right, got, sizeof right));
    params.prompt = NULL;
    REQUIRE_OK(tfm_embed_text(b.session, texts, NULL, 2, &params, got[0], NULL, error));
    REQUIRE_OK(tfm_embed_text(b.session, texts, NULL, 2, NULL, right[0], NULL, error));
    cr_assert(!memcmp(right, got, sizeof right));
    text_bench_close(&b);
    text_bench_open(&b, "parrot");
    cr_assert(!tfm_model_prompt(b.model, "query") && !tfm_model_prompt(b.model, NULL));
    cr_assert(!tfm_model_prompt_at(b.model, 0, &name, &text));
    text_bench_close(&b);
}

Test(embed_text, null_is_refused) {
    text_bench b;
    text_bench_open(&b, "embedder");
    static const char *const texts[] = {"a", NULL};
    static float embeddings[2][32];
    const tfm_example example = {.n = 3};
    tfm_error errors[2];
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_embed_text(b.session, NULL, NULL, 2, NULL, embeddings[0], NULL, error),
                  "texts is NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_embed_text(b.session, texts, NULL, 1, NULL, NULL, NULL, error),
                  "embeddings is NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_embed_text(b.session, texts, NULL, 2, NULL, embeddings[0], NULL, error),
                  "text 1: ");
    REQUIRE_OK(tfm_embed_text(b.session, texts, NULL, 2, NULL, embeddings[0], errors, error));
    cr_assert(errors[0].status == TFM_OK && errors[1].status == TFM_ERROR_ARGUMENT);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_analyze(b.session, &example, 1, NULL, NULL, error), "at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_analyze(b.session, NULL, 2, NULL, NULL, error), "2 inputs at NULL");
    text_bench_close(&b);
}

/* What is none of an enumeration's values is refused, by every function that takes one. */
Test(embed_text, unknown_sides_are_refused) {
    text_bench b;
    text_bench_open(&b, "parrot");
    const tfm_side none = (tfm_side)2;
    tfm_ids ids = {0};
    tfm_text text = {0};
    tfm_detokenizer *detokenizer;
    size_t before, after;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_tokenize(b.model, none, "a", 1, true, &ids, error), "side is 2");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenize(b.model, none, NULL, 0, true, &text, error), "side is 2");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenizer_create(&detokenizer, b.model, none, true, error), "side is 2");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_special_counts(b.model, none, &before, &after, error), "side is 2");
    cr_assert(!tfm_token_piece(b.model, none, 0, &before) && tfm_token_id(b.model, none, "a", 1) == -1);
    cr_assert(!detokenizer && !ids.size && !text.size && !before && !after);
    text_bench_close(&b);
}
