/* generation_config_test.c - what config.json and generation_config.json say of generation. */
#include <stdio.h>
#include <string.h>

#include "tests/tools/pack/packed.h"

TestSuite(generation_config, .timeout = 120);

static void check_u32s(const tfm_table *t, const char *key, const uint32_t *expected, size_t n) {
    const tfm_value *v = tfm_table_find(t, key);
    cr_assert(v && v->type == TFM_VALUE_U32S && v->n == n, "%s", key);
    cr_assert_eq(memcmp(v->data, expected, n * sizeof *expected), 0, "%s", key);
}

Test(generation_config, of_config_json) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_config(folder, &small,
                 ", \"num_beams\": 6, \"max_length\": 33, \"bad_words_ids\": [[3], [1, 2]], \"length_penalty\": 0.5,"
                 " \"early_stopping\": true, \"do_sample\": true, \"max_new_tokens\": null");
    tfm_file *file = packed_open(folder);
    const tfm_table *t = tfm_file_table(file, "generation");
    cr_assert_eq(tfm_table_u64(t, "num_beams", 0), 6);
    cr_assert_eq(tfm_table_u64(t, "max_length", 0), 33);
    cr_assert_eq(tfm_table_f64(t, "length_penalty", 0), 0.5);
    cr_assert_str_eq(tfm_table_string(t, "early_stopping", ""), "true");
    cr_assert_eq(tfm_table_u64(t, "decoder_start_token_id", 99), 3);
    cr_assert_eq(tfm_table_u64(t, "forced_eos_token_id", 99), 0, "the class's default");
    cr_assert_null(tfm_table_find(t, "max_new_tokens"));
    cr_assert_null(tfm_table_find(t, "do_sample"));
    check_u32s(t, "eos_token_id", (uint32_t[]){0}, 1);
    check_u32s(t, "bad_words_ids", (uint32_t[]){1, 3, 2, 1, 2}, 5);
    cr_assert(strstr(packed_notes, "do_sample"), "%s", packed_notes);
    tfm_file_close(&file);
    scratch_remove(&folder);
}

static char *folder_with_generation(const char *text) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_text_in(folder, "generation_config.json", text);
    return folder;
}

/* What is said of sampling is kept; transformers' top_k of 50 where tokens are drawn and nothing is said. */
Test(generation_config, of_samples) {
    static const struct {
        const char *text;
        uint64_t do_sample, top_k; /* 99: absent */
        double temperature, top_p, min_p, typical_p;
    } cases[] = {
        {"{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.9}", 1, 50, 0.6, 0.9, 9, 9},
        {"{\"do_sample\": true, \"num_beams\": 1, \"top_k\": 7, \"min_p\": 0.05, \"typical_p\": 0.2}", 1, 7, 9, 9, 0.05,
         0.2},
        {"{\"do_sample\": true, \"top_k\": null, \"temperature\": null}", 1, 99, 9, 9, 9, 9},
        {"{\"do_sample\": true, \"top_k\": 0}", 1, 0, 9, 9, 9, 9},
        {"{\"temperature\": 0.0, \"top_p\": 1.0, \"top_k\": -1}", 99, 99, 9, 1, 9, 9}, /* not drawn: no harm */
        {"{\"do_sample\": false, \"temperature\": 0.7, \"top_k\": 20}", 99, 20, 0.7, 9, 9, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = folder_with_generation(cases[i].text);
        tfm_file *file = packed_open(folder);
        const tfm_table *t = tfm_file_table(file, "generation");
        cr_assert_eq(tfm_table_u64(t, "do_sample", 99), cases[i].do_sample, "%s", cases[i].text);
        cr_assert_eq(tfm_table_u64(t, "top_k", 99), cases[i].top_k, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "temperature", 9), cases[i].temperature, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "top_p", 9), cases[i].top_p, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "min_p", 9), cases[i].min_p, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "typical_p", 9), cases[i].typical_p, "%s", cases[i].text);
        tfm_file_close(&file);
        scratch_remove(&folder);
    }
}

Test(generation_config, of_impossible_samples) {
    static const char *const cases[][2] = {{"temperature", "0"}, {"temperature", "-1"}, {"temperature", "\"hot\""},
                                           {"top_p", "1.5"},     {"min_p", "-0.5"},     {"typical_p", "2"},
                                           {"top_k", "-1"},      {"top_k", "1.5"},      {"do_sample", "\"yes\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"do_sample\": true, \"%s\": %s}", cases[i][0], cases[i][1]);
        char *folder = folder_with_generation(text);
        tfm_error error = {0};
        cr_assert_eq(packed_try(folder, TFM_F32, &error), TFM_ERROR_FORMAT, "%s", text);
        cr_assert(strstr(error.message, cases[i][0]), "%s", error.message);
        scratch_remove(&folder);
    }
}

/* With a generation_config.json, config.json says nothing about generation any more. */
Test(generation_config, its_own_file_counts_alone) {
    static const char text[] =
        "{\"eos_token_id\": [0, 5], \"decoder_start_token_id\": 4, \"num_beams\": 2,"
        " \"early_stopping\": \"never\", \"renormalize_logits\": true, \"repetition_penalty\": 2,"
        " \"forced_eos_token_id\": null, \"no_repeat_ngram_size\": 3, \"suppress_tokens\": [7]}";
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_config(folder, &small, ", \"num_beams\": 6, \"max_length\": 33, \"bad_words_ids\": [[3]]");
    write_text_in(folder, "generation_config.json", text);
    tfm_file *file = packed_open(folder);
    const tfm_table *t = tfm_file_table(file, "generation");
    cr_assert_eq(tfm_table_u64(t, "num_beams", 0), 2);
    cr_assert_eq(tfm_table_u64(t, "decoder_start_token_id", 0), 4);
    cr_assert_eq(tfm_table_u64(t, "renormalize_logits", 0), 1);
    cr_assert_eq(tfm_table_u64(t, "no_repeat_ngram_size", 0), 3);
    cr_assert_eq(tfm_table_f64(t, "repetition_penalty", 0), 2);
    cr_assert_str_eq(tfm_table_string(t, "early_stopping", ""), "never");
    cr_assert_null(tfm_table_find(t, "max_length"));
    cr_assert_null(tfm_table_find(t, "bad_words_ids"));
    cr_assert_null(tfm_table_find(t, "forced_eos_token_id"));
    check_u32s(t, "eos_token_id", (uint32_t[]){0, 5}, 2);
    check_u32s(t, "suppress_tokens", (uint32_t[]){7}, 1);
    tfm_file_close(&file);
    scratch_remove(&folder);
}

/* -1 is no token, as elsewhere in transformers; one outside the vocabulary never comes. */
Test(generation_config, ids_that_never_come) {
    char *folder =
        folder_with_generation("{\"decoder_start_token_id\": 3, \"pad_token_id\": -1, \"bos_token_id\": 50256,"
                               " \"forced_bos_token_id\": -1, \"eos_token_id\": [50256, 5, -1],"
                               " \"suppress_tokens\": [-1, 99], \"forced_eos_token_id\": [6],"
                               " \"max_length\": 1000000000000000019884624838656}");
    tfm_file *file = packed_open(folder);
    const tfm_table *t = tfm_file_table(file, "generation");
    cr_expect_null(tfm_table_find(t, "pad_token_id"));
    cr_expect_null(tfm_table_find(t, "bos_token_id"));
    cr_expect_null(tfm_table_find(t, "forced_bos_token_id"));
    cr_expect_null(tfm_table_find(t, "suppress_tokens"));
    cr_expect_eq(tfm_table_u64(t, "forced_eos_token_id", 0), 6);
    cr_expect_eq(tfm_table_u64(t, "max_length", 0), UINT32_MAX);
    check_u32s(t, "eos_token_id", (uint32_t[]){5}, 1);
    cr_expect(strstr(packed_notes, "generation_config.json: eos_token_id 50256 is not in the vocabulary of"), "%s",
              packed_notes);
    cr_expect(strstr(packed_notes, "bos_token_id 50256 is not in"), "%s", packed_notes);
    tfm_file_close(&file);
    scratch_remove(&folder);
}

Test(generation_config, refused) {
    static const struct {
        const char *text, *message;
        tfm_status status;
    } cases[] = {
        {"{\"forced_bos_token_id\": 50256}", "forced_bos_token_id is not in the vocabulary", TFM_ERROR_FORMAT},
        {"{\"forced_eos_token_id\": 50256}", "forced_eos_token_id is not in the vocabulary", TFM_ERROR_FORMAT},
        {"{\"forced_eos_token_id\": [1, 2]}", "forced_eos_token_id has a value that is not supported: [1,2]",
         TFM_ERROR_UNSUPPORTED},
        {"{\"decoder_start_token_id\": -1}", "decoder_start_token_id has a value that is not a token id",
         TFM_ERROR_FORMAT},
        {"{\"decoder_start_token_id\": 50256}", "decoder_start_token_id is not in the vocabulary", TFM_ERROR_FORMAT},
        {"{\"eos_token_id\": \"</s>\"}", "eos_token_id has a value that is not a token id", TFM_ERROR_FORMAT},
        {"{\"eos_token_id\": [1, 1.5]}", "eos_token_id has a value that is not a token id", TFM_ERROR_FORMAT},
        {"{\"bad_words_ids\": [[1], [50256]]}", "bad_words_ids is not in the vocabulary", TFM_ERROR_FORMAT},
        {"{\"bad_words_ids\": [1]}", "bad_words_ids is not a list of lists of token ids", TFM_ERROR_FORMAT},
        {"{\"max_length\": NaN}", "max_length is not a whole number", TFM_ERROR_FORMAT},
        {"{\"max_length\": -1}", "max_length is not a whole number", TFM_ERROR_FORMAT},
        {"{\"num_beams\": 1e400}", "num_beams is not a whole number", TFM_ERROR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = folder_with_generation(cases[i].text);
        REQUIRE_ERROR(cases[i].status, packed_try(folder, TFM_F32, error), cases[i].message);
        scratch_remove(&folder);
    }
}

/* What changes results and is not supported is named with its value, and kept among the metadata. */
Test(generation_config, left_out) {
    char *folder =
        folder_with_generation("{\"decoder_start_token_id\": 3, \"penalty_alpha\": 0.6, \"num_beam_groups\": 1,"
                               " \"guidance_scale\": 1.0, \"use_cache\": true, \"made_up\": [7]}");
    tfm_file *file = packed_open(folder);
    cr_expect(strstr(packed_notes, "generation_config.json: settings that are not supported are left out:"
                                   " penalty_alpha = 0.6"),
              "%s", packed_notes);
    cr_expect(
        strstr(packed_notes, "generation_config.json: not known to this kind of model, and left out: made_up = [7]"),
        "%s", packed_notes);
    cr_expect_str_eq(tfm_table_string(tfm_file_table(file, "metadata"), "ignored", ""),
                     "generation_config.json: penalty_alpha = 0.6\ngeneration_config.json: made_up = [7]");
    tfm_file_close(&file);
    scratch_remove(&folder);
}
