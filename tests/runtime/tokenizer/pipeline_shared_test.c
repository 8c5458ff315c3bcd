/* pipeline_shared_test.c - ids and texts of real tokenizers equal those of the Hugging Face library, case by case. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizers.h"

TestSuite(shared_json, .fini = remove_scratch, .timeout = 300);

/* The ids of a case with what special tokens put around them. */
static json_t *with_special(const json_t *expected, const json_t *ids) {
    json_t *all = json_array();
    json_array_extend(all, json_object_get(expected, "special_prefix"));
    json_array_extend(all, (json_t *)(uintptr_t)ids);
    json_array_extend(all, json_object_get(expected, "special_suffix"));
    return all;
}

static void check_cases(const packed *p, const json_t *expected) {
    json_t *corpus = read_json(shared_path("tokenizers/corpus.json"));
    json_t *cases = json_object_get(corpus, "cases"), *entry;
    const json_t *ids = json_object_get(expected, "ids"), *texts = json_object_get(expected, "text");
    cr_assert_eq(json_array_size(cases), 543);
    cr_assert_eq(json_array_size(ids), 543);
    cr_assert_eq(json_array_size(json_object_get(expected, "special_exceptions")), 0);
    size_t i;
    json_array_foreach(cases, i, entry) {
        const char *text = json_string_value(entry);
        size_t n = json_string_length(entry);
        const json_t *decoded = json_array_get(texts, i);
        if (!json_is_string(decoded)) decoded = entry;
        expect_ids(p->source, text, n, false, json_array_get(ids, i), "case", i);
        expect_text(p->source, json_array_get(ids, i), true, json_string_value(decoded), json_string_length(decoded),
                    "decoded case", i);
        json_t *all = with_special(expected, json_array_get(ids, i));
        expect_ids(p->source, text, n, true, all, "case with special tokens", i);
        json_decref(all);
    }
    json_decref(corpus);
}

static void check_pairs(const packed *p, const json_t *pairs) {
    size_t i, k;
    json_t *pair, *value;
    cr_assert_geq(json_array_size(pairs), 4);
    json_array_foreach(pairs, i, pair) {
        tfm_ids ids = {0}, types = {0};
        tfm_error error = {0};
        const json_t *a = json_object_get(pair, "a"), *b = json_object_get(pair, "b");
        cr_assert_eq(tfm_tokenizer_encode_pair(p->source, json_string_value(a), json_string_length(a),
                                               json_string_value(b), json_string_length(b), true, &ids, &types, &error),
                     TFM_OK, "%s", error.message);
        cr_assert_eq(ids.size, json_array_size(json_object_get(pair, "ids")), "pair %zu", i);
        cr_assert_eq(types.size, ids.size);
        json_array_foreach(json_object_get(pair, "ids"), k, value) {
            cr_expect_eq(ids.data[k], json_integer_value(value), "pair %zu, id %zu", i, k);
        }
        json_array_foreach(json_object_get(pair, "type_ids"), k, value) {
            cr_expect_eq(types.data[k], json_integer_value(value), "pair %zu, type %zu", i, k);
        }
        tfm_ids_free(&ids);
        tfm_ids_free(&types);
    }
}

static void check_decoding(const packed *p, const json_t *decode) {
    size_t i;
    json_t *entry;
    cr_assert_eq(json_array_size(decode), 100);
    json_array_foreach(decode, i, entry) {
        const json_t *ids = json_object_get(entry, "ids"), *text = json_object_get(entry, "text");
        const json_t *skipped = json_object_get(entry, "text_skip_special");
        expect_text(p->source, ids, false, json_string_value(text), json_string_length(text), "arbitrary ids", i);
        expect_text(p->source, ids, true, json_string_value(skipped), json_string_length(skipped),
                    "arbitrary ids, special skipped", i);
    }
}

/* Ids given one by one make the same text. */
static void check_streaming(const tfm_tokenizer *tokenizer, const json_t *expected) {
    const json_t *ids = json_object_get(expected, "ids"), *decode = json_object_get(expected, "decode");
    for (size_t i = 0; i < json_array_size(ids); i++) expect_stream(tokenizer, json_array_get(ids, i), "case", i);
    for (size_t i = 0; i < json_array_size(decode); i++)
        expect_stream(tokenizer, json_object_get(json_array_get(decode, i), "ids"), "arbitrary ids", i);
}

/* A tokenizer's folder against every field of one expected.json. */
static void check_path(const char *path, const char *name) {
    char expected_path[256];
    packed p = must_pack(path);
    snprintf(expected_path, sizeof(expected_path), "tokenizers/%s/expected.json", name);
    json_t *expected = read_json(shared_path(expected_path));
    cr_expect_eq(tfm_tokenizer_size(p.source), (size_t)json_integer_value(json_object_get(expected, "vocab_size")));
    check_cases(&p, expected);
    check_pairs(&p, json_object_get(expected, "pairs"));
    check_decoding(&p, json_object_get(expected, "decode"));
    check_streaming(p.source, expected);
    json_decref(expected);
    packed_close(&p);
}

static void check_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof(path), "tokenizers/%s", name);
    check_path(shared_path(path), name);
}

Test(shared_json, gpt2) { check_folder("gpt2"); }

Test(shared_json, qwen2_5) { check_folder("qwen2.5"); }

Test(shared_json, falcon) { check_folder("falcon"); }

Test(shared_json, bert_base_uncased) { check_folder("bert-base-uncased"); }

Test(shared_json, bert_base_chinese) { check_folder("bert-base-chinese"); }

Test(shared_json, phi_3_mini) { check_folder("phi-3-mini"); }

Test(shared_json, t5_small) { check_folder("t5-small"); }

/* ---- files older than tokenizer.json
 * --------------------------------------------------------------------------------- */

/* A folder with these files of a shared one alone. */
static void check_files(const char *name, const char *const *files) {
    char path[256];
    for (size_t i = 0; files[i] != NULL; i++) {
        size_t n;
        snprintf(path, sizeof(path), "tokenizers/%s/%s", name, files[i]);
        char *data = read_bytes(shared_path(path), &n);
        write_scratch(files[i], data, n);
        free(data);
    }
    check_path(scratch(), name);
}

Test(shared_json, gpt2_vocab_and_merges) {
    check_files("gpt2", (const char *const[]){"vocab.json", "merges.txt", "tokenizer_config.json",
                                              "special_tokens_map.json", NULL});
}

Test(shared_json, bert_base_uncased_vocab_txt) {
    check_files("bert-base-uncased", (const char *const[]){"vocab.txt", "tokenizer_config.json", NULL});
}

/* Many checkpoints have no limit, and say so with a number that no integer holds. */
Test(shared_json, settings_with_huge_numbers) {
    static const char settings[] = "{\"do_lower_case\": true, \"model_max_length\": 1000000000000000019884624838656}";
    write_scratch("tokenizer_config.json", settings, strlen(settings));
    check_files("bert-base-uncased", (const char *const[]){"vocab.txt", NULL});
}

Test(shared_json, bert_base_chinese_vocab_txt) {
    check_files("bert-base-chinese", (const char *const[]){"vocab.txt", "tokenizer_config.json", NULL});
}

/* ---- llama.cpp's cases
 * --------------------------------------------------------------------------------------------------- */

/* Texts of ggml-vocab-NAME.gguf.inp, each with its line of ids in .out. */
static void check_ggml(const char *folder, const char *name) {
    static const char between[] = "\n__ggml_vocab_test__\n";
    char path[256];
    size_t n_texts, n_lines, n_cases = 0;
    snprintf(path, sizeof(path), "tokenizers/%s", folder);
    packed p = must_pack(shared_path(path));
    snprintf(path, sizeof(path), "tokenizers/ggml-vocab/ggml-vocab-%s.gguf.inp", name);
    char *texts = read_bytes(shared_path(path), &n_texts);
    snprintf(path, sizeof(path), "tokenizers/ggml-vocab/ggml-vocab-%s.gguf.out", name);
    char *lines = read_bytes(shared_path(path), &n_lines), *line = lines;
    for (char *text = texts, *end; (end = strstr(text, between)) != NULL; n_cases++) {
        char *line_end = strchr(line, '\n');
        cr_assert_not_null(line_end);
        json_t *ids = json_array();
        for (char *at = line, *next; at < line_end; at = next) {
            long id = strtol(at, &next, 10);
            if (next == at || next > line_end) break;
            json_array_append_new(ids, json_integer(id));
        }
        expect_ids(p.source, text, (size_t)(end - text), false, ids, name, n_cases);
        json_decref(ids);
        line = line_end + 1;
        text = end + strlen(between);
    }
    cr_expect_eq(n_cases, 46, "%zu cases", n_cases);
    free(texts);
    free(lines);
    packed_close(&p);
}

Test(shared_json, ggml_gpt_2) { check_ggml("gpt2", "gpt-2"); }

Test(shared_json, ggml_bert_bge) { check_ggml("bert-base-uncased", "bert-bge"); }

Test(shared_json, ggml_llama_spm) { check_ggml("phi-3-mini", "llama-spm"); }
