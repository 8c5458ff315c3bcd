/*
 * real_vocabularies_test.c - vocabularies inside GGUF files of llama.cpp: its own cases, and the same ids as from the
 * tokenizer.json that a vocabulary came from.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/optional_main.h"
#include "tests/support/program.h"

TestSuite(real_vocabularies, .init = enter_scratch, .fini = leave_scratch, .timeout = 240);

/* What `tfmeval tokenize` answers to the questions in FILE, about a vocabulary of the shared folder; freed by the
 * caller. */
static char *answers_of(const char *vocabulary, const char *file, bool special) {
    char in[64];
    outcome packed = run_program((const char *const[]){getenv("TFM_TFMPACK"), "--tokenizer-only", "--force",
                                                       shared_path(vocabulary), "tokenizer.bin", NULL},
                                 NULL);
    cr_assert_eq(packed.code, 0, "%s", packed.err);
    free_outcome(&packed);
    snprintf(in, sizeof in, "--in=%s", file);
    outcome run = run_program((const char *const[]){getenv("TFM_TFMEVAL"), "tokenize", "tokenizer.bin", in,
                                                    special ? NULL : "--no-special", NULL},
                              NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    free(run.err);
    return run.out;
}

static void write_question(FILE *file, json_t *question) {
    cr_assert(file && json_dumpf(question, file, JSON_COMPACT) == 0 && putc('\n', file) != EOF);
    json_decref(question);
}

/* The ids of the next answer, as text with blanks between, to be compared with a line of .out. */
static char *ids_of_answer(char **answers) {
    char *line = *answers, *end = strchr(line, '\n'), *text = NULL;
    size_t size, i;
    cr_assert(end, "too few answers");
    json_t *answer = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL), *id;
    FILE *out = open_memstream(&text, &size);
    json_array_foreach(json_object_get(answer, "ids"), i, id)
        fprintf(out, " %" JSON_INTEGER_FORMAT, json_integer_value(id));
    fclose(out);
    json_decref(answer);
    *answers = end + 1;
    return text;
}

/* llama.cpp's 46 texts of a vocabulary, and its ids. */
static void check_cases(const char *name) {
    static const char between[] = "\n__ggml_vocab_test__\n";
    char vocabulary[100], path[120];
    snprintf(vocabulary, sizeof vocabulary, "tokenizers/ggml-vocab/ggml-vocab-%s.gguf", name);
    snprintf(path, sizeof path, "%s.inp", vocabulary);
    char *texts = read_text(shared_path(path));
    snprintf(path, sizeof path, "%s.out", vocabulary);
    char *lines = read_text(shared_path(path)), *line = lines;
    FILE *questions = fopen("questions", "w");
    size_t n = 0;
    for (char *text = texts, *end; (end = strstr(text, between)); text = end + strlen(between), n++)
        write_question(questions, json_pack("{s:s%}", "text", text, (size_t)(end - text)));
    fclose(questions);
    cr_assert_eq(n, 46);
    char *answers = answers_of(vocabulary, "questions", false), *at = answers;
    for (size_t i = 0; i < n; i++) {
        char *end = strchr(line, '\n'), *ids = ids_of_answer(&at);
        cr_assert(end);
        cr_expect(strlen(ids) == (size_t)(end - line) && memcmp(ids, line, strlen(ids)) == 0, "%s, case %zu:%s", name,
                  i, ids);
        free(ids);
        line = end + 1;
    }
    free(texts);
    free(lines);
    free(answers);
}

Test(real_vocabularies, cases_of_llama_cpp) {
    check_cases("gpt-2");
    check_cases("bert-bge");
    check_cases("llama-spm");
}

/* What stands around a text, and what ids become again. */
static void check_answers(const char *name, const char *questions, const char *expected) {
    char vocabulary[100];
    snprintf(vocabulary, sizeof vocabulary, "tokenizers/ggml-vocab/ggml-vocab-%s.gguf", name);
    write_text("questions", questions);
    char *answers = answers_of(vocabulary, "questions", true);
    cr_expect_str_eq(answers, expected);
    free(answers);
}

Test(real_vocabularies, templates_of_llama_cpp) {
    check_answers("gpt-2",
                  "{\"text\":\"<|endoftext|>Hello\"}\n"
                  "{\"ids\":[50256,15496,995]}\n",
                  "{\"ids\": [50256, 15496], \"text\": \"Hello\"}\n"
                  "{\"ids\": [50256, 15496, 995], \"text\": \"Hello world\"}\n");
    check_answers("llama-spm",
                  "{\"text\":\"Hello world\"}\n"
                  "{\"ids\":[229,133,175]}\n", /* the Euro sign in byte tokens */
                  "{\"ids\": [1, 15043, 3186], \"text\": \"Hello world\"}\n"
                  "{\"ids\": [229, 133, 175], \"text\": \"\xE2\x82\xAC\"}\n");
    check_answers("bert-bge",
                  "{\"text\":\"Hello\"}\n"
                  "{\"ids\":[101,14477,20961,3468,102]}\n",
                  "{\"ids\": [101, 7592, 102], \"text\": \"hello\"}\n"
                  "{\"ids\": [101, 14477, 20961, 3468, 102], \"text\": \"unaffable\"}\n");
}

/* On texts full of odd things. */
Test(real_vocabularies, as_their_tokenizer_json) {
    static const char *const pairs[][2] = {
        {"tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf", "tokenizers/gpt2"},
        {"tokenizers/ggml-vocab/ggml-vocab-bert-bge.gguf", "tokenizers/bert-base-uncased"}};
    json_t *corpus = json_load_file(shared_path("tokenizers/corpus.json"), JSON_ALLOW_NUL, NULL), *text;
    FILE *questions = fopen("questions", "w");
    size_t n;
    json_array_foreach(json_object_get(corpus, "cases"), n, text)
        write_question(questions, json_pack("{s:O}", "text", text));
    fclose(questions);
    cr_assert_eq(n, 543);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *got = answers_of(pairs[i][0], "questions", false),
             *expected = answers_of(pairs[i][1], "questions", false);
        char *a = got, *b = expected;
        for (size_t k = 0; k < n; k++) {
            char *ours = ids_of_answer(&a), *theirs = ids_of_answer(&b);
            cr_expect_str_eq(ours, theirs, "%s, text %zu", pairs[i][0], k);
            free(ours);
            free(theirs);
        }
        free(got);
        free(expected);
    }
    json_decref(corpus);
}
