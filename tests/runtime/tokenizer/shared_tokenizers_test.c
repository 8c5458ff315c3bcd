/*
 * shared_tokenizers_test.c - real tokenizers that are not part of the project: ids and texts are those of the real
 * libraries. One case, skipped where the folder shared_dir is missing; vocabularies_test.c has every kind in small.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expected.h"

TestSuite(shared_tokenizers, .fini = remove_scratch, .timeout = 600);

/* What is at path, against tokenizers/NAME. */
static void check_path(const char *path, const char *name) {
    char expected_path[256];
    packed p = must_pack(path);
    snprintf(expected_path, sizeof expected_path, "tokenizers/%s", name);
    json_t *expected = read_json(shared_or_skip(expected_path)),
           *corpus = read_json(shared_or_skip("tokenizers/corpus.json"));
    cr_assert_eq(json_array_size(json_object_get(corpus, "cases")), 543);
    check_expected(&p, json_object_get(corpus, "cases"), expected);
    json_decref(expected);
    json_decref(corpus);
    packed_close(&p);
}

/* A folder with these files of a shared one alone. */
static void check_files(const char *name, const char *const *files) {
    char path[256];
    for (size_t i = 0; files[i]; i++) {
        size_t n;
        snprintf(path, sizeof path, "tokenizers/%s/%s", name, files[i]);
        char *data = read_bytes(shared_or_skip(path), &n);
        write_scratch(files[i], data, n);
        free(data);
    }
    snprintf(path, sizeof path, "%s/expected.json", name);
    check_path(scratch(), path);
    remove_scratch();
}

static void check_folders(void) {
    static const char *const folders[] = {"gpt2",       "qwen2.5", "falcon", "bert-base-uncased", "bert-base-chinese",
                                          "phi-3-mini", "t5-small"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[256], expected[256];
        snprintf(path, sizeof path, "tokenizers/%s", folders[i]);
        snprintf(expected, sizeof expected, "%s/expected.json", folders[i]);
        check_path(shared_or_skip(path), expected);
    }
    check_files("gpt2", (const char *const[]){"vocab.json", "merges.txt", "tokenizer_config.json",
                                              "special_tokens_map.json", NULL});
    check_files("bert-base-uncased", (const char *const[]){"vocab.txt", "tokenizer_config.json", NULL});
    check_files("bert-base-chinese", (const char *const[]){"vocab.txt", "tokenizer_config.json", NULL});
}

/* The folder of t5-small has a tokenizer.json too, which would be preferred. */
static void check_sentencepiece(void) {
    static const struct {
        const char *model, *expected;
    } models[] = {{"spm-unigram-1k/test_model.model", "spm-unigram-1k/expected.json"},
                  {"spm-unigram-marian/vocab.spm", "spm-unigram-marian/expected.json"},
                  {"spm-bpe-1k/test_sentencepiece_bpe.model", "spm-bpe-1k/expected.json"},
                  {"t5-small/spiece.model", "t5-small/expected-spm.json"}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[256];
        snprintf(path, sizeof path, "tokenizers/%s", models[i].model);
        check_path(shared_or_skip(path), models[i].expected);
    }
}

/* ---- llama.cpp's cases ---- */

/* Texts of ggml-vocab-NAME.gguf.inp, each with its line of ids in .out. */
static void check_ggml(const char *folder, const char *name) {
    static const char between[] = "\n__ggml_vocab_test__\n";
    char path[256];
    size_t n_texts, n_lines, n_cases = 0;
    snprintf(path, sizeof path, "tokenizers/%s", folder);
    packed p = must_pack(shared_or_skip(path));
    snprintf(path, sizeof path, "tokenizers/ggml-vocab/ggml-vocab-%s.gguf.inp", name);
    char *texts = read_bytes(shared_or_skip(path), &n_texts);
    snprintf(path, sizeof path, "tokenizers/ggml-vocab/ggml-vocab-%s.gguf.out", name);
    char *lines = read_bytes(shared_or_skip(path), &n_lines), *line = lines;
    for (char *text = texts, *end; (end = strstr(text, between)); n_cases++) {
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

/* ---- a checkpoint's own tokenizer: vocab.json over SentencePiece, the end token after each line ---- */

#define MULTI30K "checkpoints/multi30k-de-en/"

/* Calls each line of expected/ids with the same line of expected/text. */
static void for_lines(const char *ids_name, const char *text_name,
                      void (*check)(const tfm_tokenizer *, const char *, size_t, const json_t *, size_t)) {
    packed p = must_pack(shared_or_skip(MULTI30K));
    cr_expect_null(p.target, "source and target are the same, so one section should do");
    cr_assert_eq(tfm_tokenizer_size(p.source), 6001);
    size_t n_ids, n_text, n_lines = 0;
    char *ids = read_bytes(shared_or_skip(ids_name), &n_ids), *text = read_bytes(shared_or_skip(text_name), &n_text);
    char *ids_at = ids, *text_at = text;
    for (char *id_line, *line; (id_line = strsep(&ids_at, "\n")) && *id_line != 0; n_lines++) {
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
    expect_stream(t, ids, "line of greedy.txt", i);
}

Test(shared_tokenizers, ids_and_texts_of_the_real_libraries) {
    shared_or_skip("tokenizers/corpus.json"); /* or the case is skipped */
    check_folders();
    check_sentencepiece();
    check_ggml("gpt2", "gpt-2");
    check_ggml("bert-base-uncased", "bert-bge");
    check_ggml("phi-3-mini", "llama-spm");
    for_lines(MULTI30K "expected/src.ids.jsonl", MULTI30K "expected/test.de", check_source);
    for_lines(MULTI30K "expected/greedy.ids.jsonl", MULTI30K "expected/greedy.txt", check_target);
}
