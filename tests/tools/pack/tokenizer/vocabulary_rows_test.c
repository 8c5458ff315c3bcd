/* vocabulary_rows_test.c - tokenizers with more ids than the model has rows, and rows without an id. */
#include "tokenized.h"

#include "runtime/tfm.h"

TestSuite(vocabulary_rows, .timeout = 120);

/* A model of MarianMT with a tokenizer.json beside it. */
static char *folder_with(const char *json) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_text_in(folder, "tokenizer.json", json);
    return folder;
}

Test(vocabulary_rows, too_few) {
    char *folder = folder_with("{\"added_tokens\": [], \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", "
                               "\"vocab\": {\"u\": 0, \"many\": 100000}}}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "ids up to 100000 ('many')",
                  "--tokenizer none");
    cr_assert_eq(count_files(folder), 3);
    scratch_remove(&folder);
}

/* Files that nothing but the model_type claims: told, and texts with such ids are refused when they come. */
Test(vocabulary_rows, of_files_that_nobody_names) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_text_in(folder, "vocab.txt", "[UNK]\n[CLS]\n[SEP]\n");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, TFM_F32, error), "MarianTokenizer",
                  "vocab.json, source.spm");
    scratch_remove(&folder);
}

/* Ids of rows that only pad the vocabulary have no text, at once and one by one. */
Test(vocabulary_rows, that_pad) {
    char *folder = folder_with(words_json(""));
    tfm_model *packed;
    tfm_text text = {0};
    const int32_t ids[] = {0, 9, 1, 9};
    REQUIRE_OK(packed_try(folder, TFM_F32, error));
    REQUIRE_OK(tfm_model_open(&packed, in(folder, "m.bin"), NULL, error));
    cr_assert_geq(tfm_model_get_info(packed).target_vocab_size, 10u);
    REQUIRE_OK(tfm_detokenize(packed, TFM_TARGET, ids, 4, true, &text, error));
    cr_assert_str_eq(text.data, "a b");
    tfm_text_free(&text);
    tfm_detokenizer *one_by_one;
    REQUIRE_OK(tfm_detokenizer_create(&one_by_one, packed, TFM_TARGET, true, error));
    for (int i = 0; i < 4; i++) REQUIRE_OK(tfm_detokenizer_push(one_by_one, &ids[i], 1, &text, error));
    REQUIRE_OK(tfm_detokenizer_finish(one_by_one, &text, error));
    cr_assert_str_eq(text.data, "a b");
    const int32_t outside = 1000000;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenizer_push(one_by_one, &outside, 1, &text, error), "outside");
    tfm_detokenizer_free(&one_by_one);
    tfm_text_free(&text);
    tfm_model_close(&packed);
    scratch_remove(&folder);
}
