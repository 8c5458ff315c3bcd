/* spm_shared_test.c - ids and texts of real SentencePiece models equal those of the real library. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizers.h"

TestSuite(shared_spm, .fini = remove_scratch, .timeout = 300);

/* Every field of one expected.json; counts guard against a file that holds less than it should. */
static void check_model(const char *model, const char *expected_path) {
    packed p = must_pack(shared_path(model));
    json_t *corpus = read_json(shared_path("tokenizers/corpus.json"));
    json_t *expected = read_json(shared_path(expected_path));
    json_t *cases = json_object_get(corpus, "cases");
    json_t *ids = json_object_get(expected, "ids"), *texts = json_object_get(expected, "text");
    cr_assert_eq(json_array_size(cases), 543);
    cr_assert_eq(json_array_size(ids), 543);
    cr_assert_eq(tfm_tokenizer_size(p.source), (size_t)json_integer_value(json_object_get(expected, "vocab_size")));
    size_t i;
    json_t *entry;
    json_array_foreach(cases, i, entry) {
        const json_t *decoded = json_array_get(texts, i);
        if (!json_is_string(decoded)) decoded = entry;
        expect_ids(p.source, json_string_value(entry), json_string_length(entry), false, json_array_get(ids, i), "case",
                   i);
        expect_text(p.source, json_array_get(ids, i), true, json_string_value(decoded), json_string_length(decoded),
                    "decoded case", i);
    }
    json_t *decode = json_object_get(expected, "decode"), *invalid = json_object_get(expected, "invalid_utf8");
    cr_assert_eq(json_array_size(decode), 100);
    cr_assert_eq(json_array_size(invalid), 60);
    json_array_foreach(decode, i, entry) {
        const json_t *text = json_object_get(entry, "text");
        expect_text(p.source, json_object_get(entry, "ids"), false, json_string_value(text), json_string_length(text),
                    "arbitrary ids", i);
    }
    json_array_foreach(invalid, i, entry) {
        const char *hex = json_string_value(json_object_get(entry, "hex"));
        char bytes[512];
        size_t n = strlen(hex) / 2;
        cr_assert_leq(n, sizeof(bytes));
        for (size_t k = 0; k < n; k++) {
            char digits[3] = {hex[2 * k], hex[2 * k + 1], 0};
            bytes[k] = (char)strtoul(digits, NULL, 16);
        }
        expect_ids(p.source, bytes, n, false, json_object_get(entry, "ids"), "invalid UTF-8", i);
    }
    json_decref(corpus);
    json_decref(expected);
    packed_close(&p);
}

Test(shared_spm, unigram_1k) {
    check_model("tokenizers/spm-unigram-1k/test_model.model", "tokenizers/spm-unigram-1k/expected.json");
}

Test(shared_spm, unigram_marian) {
    check_model("tokenizers/spm-unigram-marian/vocab.spm", "tokenizers/spm-unigram-marian/expected.json");
}

Test(shared_spm, bpe_1k) {
    check_model("tokenizers/spm-bpe-1k/test_sentencepiece_bpe.model", "tokenizers/spm-bpe-1k/expected.json");
}

/* The folder has a tokenizer.json too, which would be preferred. */
Test(shared_spm, t5_small) { check_model("tokenizers/t5-small/spiece.model", "tokenizers/t5-small/expected-spm.json"); }

/* "Hello" in a folder of this configuration: the file's ids, and so many before and after them. */
static void check_special(const char *file, const char *config, const char *settings, int32_t first, int32_t last) {
    static const char text[] = "Hello world";
    size_t n;
    char *data = read_bytes(shared_path(file), &n);
    write_scratch("tokenizer.model", data, n);
    write_scratch("config.json", config, strlen(config));
    write_scratch("tokenizer_config.json", settings, strlen(settings));
    packed p = must_pack(scratch());
    tfm_ids plain = {0}, special = {0};
    cr_assert_eq(tfm_tokenizer_encode(p.source, text, strlen(text), false, &plain, NULL), TFM_OK);
    cr_assert_eq(tfm_tokenizer_encode(p.source, text, strlen(text), true, &special, NULL), TFM_OK);
    size_t before = first >= 0, after = last >= 0;
    cr_assert_eq(special.size, plain.size + before + after, "%s", config);
    cr_expect_arr_eq(special.data + before, plain.data, plain.size * sizeof(*plain.data));
    if (before) cr_expect_eq(special.data[0], first);
    if (after) cr_expect_eq(special.data[special.size - 1], last);
    tfm_ids_free(&plain);
    tfm_ids_free(&special);
    packed_close(&p);
    free(data);
}

/* What the classes of the families put around a text, where there is no tokenizer.json to say so. */
Test(shared_spm, special_tokens_of_families) {
    const char *t5 = "tokenizers/t5-small/spiece.model", *bpe = "tokenizers/spm-bpe-1k/test_sentencepiece_bpe.model";
    check_special(t5, "{\"model_type\": \"t5\"}", "{}", -1, 1);
    check_special(t5, "{\"model_type\": \"other\"}", "{}", -1, -1);
    check_special(bpe, "{\"model_type\": \"llama\"}", "{}", 1, -1);
    check_special(bpe, "{\"model_type\": \"llama\"}", "{\"add_bos_token\": false, \"add_eos_token\": true}", -1, 2);
    check_special(bpe, "{\"model_type\": \"mistral\"}", "{\"add_eos_token\": true}", 1, 2);
}

/* The checkpoint's own tokenizer: vocab.json over SentencePiece, the end token after each line. */
#define MULTI30K "checkpoints/multi30k-de-en/"

/* Calls each line of expected/ids with the same line of expected/text. */
static void for_lines(const char *ids_name, const char *text_name,
                      void (*check)(const tfm_tokenizer *, const char *, size_t, const json_t *, size_t)) {
    packed p = must_pack(shared_path(MULTI30K));
    cr_expect_null(p.target, "source and target are the same, so one section should do");
    cr_assert_eq(tfm_tokenizer_size(p.source), 6001);
    size_t n_ids, n_text, n_lines = 0;
    char *ids = read_bytes(shared_path(ids_name), &n_ids), *text = read_bytes(shared_path(text_name), &n_text);
    char *ids_at = ids, *text_at = text;
    for (char *id_line, *line; (id_line = strsep(&ids_at, "\n")) != NULL && *id_line != 0; n_lines++) {
        line = strsep(&text_at, "\n");
        cr_assert_not_null(line);
        json_t *object = json_loads(id_line, 0, NULL);
        cr_assert_not_null(object);
        check(p.source, line, strlen(line), json_object_get(object, "ids"), n_lines);
        json_decref(object);
    }
    cr_assert_eq(n_lines, 1000);
    free(ids);
    free(text);
    packed_close(&p);
}

static void check_source(const tfm_tokenizer *t, const char *line, size_t n, const json_t *ids, size_t i) {
    expect_ids(t, line, n, true, ids, "line of test.de", i);
}

static void check_target(const tfm_tokenizer *t, const char *line, size_t n, const json_t *ids, size_t i) {
    expect_text(t, ids, true, line, n, "line of greedy.txt", i);
}

Test(shared_spm, multi30k_source_ids) {
    for_lines(MULTI30K "expected/src.ids.jsonl", MULTI30K "expected/test.de", check_source);
}

Test(shared_spm, multi30k_target_text) {
    for_lines(MULTI30K "expected/greedy.ids.jsonl", MULTI30K "expected/greedy.txt", check_target);
}
