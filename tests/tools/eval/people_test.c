/* people_test.c - the commands of tfmeval that answer people: tokens of a text, ranks of texts, a table of speeds. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"

#define TFMEVAL getenv("TFM_TFMEVAL")
#define MODEL getenv("TFM_MODEL")
#define RUN(input, ...) run_program((const char *const[]){TFMEVAL, __VA_ARGS__, NULL}, input)

TestSuite(people, .init = enter_scratch, .fini = leave_scratch, .timeout = 240);

/* A model that the tests make; lives until the next call. */
static const char *tiny(const char *name) {
    static char path[1024];
    cr_assert(getenv("TFM_TINY_MODELS"), "run the tests through meson");
    snprintf(path, sizeof path, "%s/%s.bin", getenv("TFM_TINY_MODELS"), name);
    return path;
}

static void expect(outcome result, int code, const char *out, const char *said) {
    cr_expect(result.code == code && strcmp(result.out, out) == 0 && strstr(result.err, said), "%d\n%s%s", result.code,
              result.out, result.err);
    free_outcome(&result);
}

Test(people, see_the_tokens_of_a_text) {
    expect(RUN(NULL, "tokenize", MODEL, "Ein Hund."), 0,
           "      9  ▁Ein\n     70  ▁Hund\n      2  .\n      0  </s>\n4 tokens of 9 bytes\n", "");
    expect(RUN(NULL, "tokenize", MODEL, "Ein Hund.", "--no-special", "--json"), 0,
           "{\"ids\": [9, 70, 2], \"pieces\": [\"▁Ein\", \"▁Hund\", \".\"], \"text\": \"Ein Hund.\"}\n", "");
    expect(RUN(NULL, "tokenize", MODEL, "", "--no-special"), 0, "0 tokens of 0 bytes\n", "");
    expect(RUN(NULL, "tokenize", MODEL, "a", "b"), 2, "", "unexpected argument 'b'");
    expect(RUN(NULL, "tokenize", MODEL, "a", "--in", "x"), 2, "", "a text does not go with --in");
    expect(RUN("", "tokenize", MODEL, "--json"), 2, "", "--json is for a TEXT");
    expect(RUN("", "tokenize", "--json"), 2, "", "the model file is missing");
}

/* A text is closest to itself, ties stand as they came, and what has no rank is refused. */
Test(people, rank_texts) {
    const char *texts = "what was it?\na cat\n\na bird and cat\na cat\n";
    outcome all = RUN(texts, "similarity", tiny("embedder"), "a cat", "--json");
    cr_assert_eq(all.code, 0, "%s", all.err);
    double last = 2;
    size_t n = 0;
    static const int first_lines[] = {2, 5};
    for (char *line = strtok(all.out, "\n"); line; line = strtok(NULL, "\n"), n++) {
        json_t *object = json_loads(line, 0, NULL);
        cr_assert(object, "%s", line);
        double score = json_number_value(json_object_get(object, "score"));
        cr_expect(score <= last && score >= -1 && score <= 1 + 1e-9, "%s", line);
        cr_expect(n >= 2 || json_integer_value(json_object_get(object, "line")) == first_lines[n], "%s", line);
        cr_expect(n >= 2 ? score < 0.999 : score > 0.999999, "%s", line);
        last = score;
        json_decref(object);
    }
    cr_expect_eq(n, 4);
    free_outcome(&all);
    expect(RUN(texts, "similarity", tiny("embedder"), "a cat", "--top", "2"), 0, " 1.0000  a cat\n 1.0000  a cat\n",
           "");
    expect(RUN("", "similarity", tiny("embedder"), "a cat"), 0, "", "");
    expect(RUN(texts, "similarity", MODEL, "a cat"), 1, "", "is no encoder-only model");
    expect(RUN(texts, "similarity", tiny("embedder")), 2, "", "an argument is missing");
    expect(RUN(texts, "similarity", tiny("embedder"), "a cat", "--in", "nowhere"), 1, "", "nowhere");
    char *long_text = malloc(20001);
    cr_assert(long_text);
    memset(long_text, 0, 20001);
    for (size_t i = 0; i < 20000; i += 2) memcpy(long_text + i, "a ", 2);
    expect(RUN(long_text, "similarity", tiny("embedder"), "a cat"), 1, "", "<stdin>:1: the text has");
    free(long_text);
}

/* Every row has a rate that fits its time, and names what was measured. */
static void check_table(const char *model, const char *first, size_t n_rows, const char *head) {
    outcome run = RUN(NULL, "bench", model, "--repeats", "2", "--threads", "2");
    cr_assert(run.code == 0 && strstr(run.out, head) && strstr(run.out, "2 threads; medians of 2"), "%s%s", run.out,
              run.err);
    const char *row = strstr(run.out, "|---|");
    size_t n = 0;
    cr_assert(row);
    while ((row = strchr(row, '\n') + 1) && *row) {
        char what[16];
        unsigned at_once, before, tokens;
        double rate, ms, least, most;
        cr_assert_eq(sscanf(row, "| %15s | %u | %u | %u | %lf | %lf (%lf-%lf) |", what, &at_once, &before, &tokens,
                            &rate, &ms, &least, &most),
                     8, "%s", row);
        cr_expect(n > 0 || strcmp(what, first) == 0, "%s", what);
        cr_expect(tokens % at_once == 0 && rate > 0 && least <= ms && ms <= most, "%s", row);
        n++;
    }
    cr_expect_eq(n, n_rows, "%zu rows: %s", n, run.out);
    free_outcome(&run);
}

Test(people, see_how_fast_a_model_is) {
    check_table(MODEL, "encode", 10, "marian, f32, ");
    check_table(tiny("chatter"), "prompt", 10, ", f32, ");
    check_table(tiny("embedder"), "encode", 2, ", f32, ");
    expect(RUN(NULL, "bench", MODEL, "--repeats", "0"), 2, "", "--repeats");
    expect(RUN(NULL, "bench", "nowhere.bin"), 1, "", "nowhere.bin");
}
