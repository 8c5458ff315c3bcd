/* eval_model_test.c - tfmeval logits, perplexity and tokenize against reference implementations. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/data.h"
#include "tests/support/program.h"
#include "tests/support/story_model.h"
#include "tests/support/tensor_values.h"
#include "tools/common/bytes.h"

#define TFMEVAL getenv("TFM_TFMEVAL")
#define MODEL getenv("TFM_MODEL")
#define RUN(input, ...) run_program((const char *const[]){TFMEVAL, __VA_ARGS__, NULL}, input)

TestSuite(model, .init = enter_scratch, .fini = leave_scratch, .timeout = 240);

static void require_ok(outcome result) {
    cr_assert(result.code == 0 && result.err[0] == 0, "%d\n%s%s", result.code, result.out, result.err);
    free_outcome(&result);
}

static void assert_fails(outcome result, const char *text) {
    cr_assert(result.code == 1 && strncmp(result.err, "tfmeval: ", 9) == 0 && strstr(result.err, text),
              "%d\n%s%s, expected %s", result.code, result.out, result.err, text);
    free_outcome(&result);
}

static void pack(const char *option, const char *source, const char *model) {
    outcome result = run_program((const char *const[]){getenv("TFM_TFMPACK"), option, source, model, NULL}, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    free_outcome(&result);
}

static json_t *load_json(const char *path) {
    json_error_t error;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);
    cr_assert(json, "%s: %s", path, error.text);
    return json;
}

/* Lines of JSON as a list. */
static json_t *parse_lines(const char *text) {
    json_t *list = json_array();
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        json_t *line = json_loadb(text, (size_t)(end - text), JSON_ALLOW_NUL, NULL);
        cr_assert(line, "not JSON: %.*s", (int)(end - text), text);
        json_array_append_new(list, line);
    }
    return list;
}

/* A file of the shipped checkpoint's expected results; lives until the next call. */
static const char *shipped_file(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/expected/%s", getenv("TFM_MULTI30K"), name);
    return path;
}

/* Its lines, at most limit. */
static json_t *shipped_lines(const char *name, size_t limit) {
    const char *path = shipped_file(name);
    FILE *file = fopen(path, "r");
    cr_assert(file, "cannot open %s", path);
    bool is_json = strstr(name, ".jsonl") != NULL;
    json_t *list = json_array();
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; json_array_size(list) < limit && (n = getline(&line, &capacity, file)) > 0;)
        json_array_append_new(list, is_json ? json_loadb(line, (size_t)n, 0, NULL) : json_stringn(line, (size_t)n - 1));
    free(line);
    fclose(file);
    cr_assert_eq(json_array_size(list), limit, "%s", path);
    return list;
}

static void write_lines(const char *name, const json_t *list) {
    FILE *file = fopen(name, "w");
    cr_assert(file);
    for (size_t i = 0; i < json_array_size(list); i++) {
        cr_assert_eq(json_dumpf(json_array_get(list, i), file, 0), 0);
        putc('\n', file);
    }
    cr_assert_eq(fclose(file), 0);
}

static void assert_same_file(const char *a, const char *b) {
    tfm_text x = {0}, y = {0};
    tfm_error error;
    cr_assert_eq(tfm_read_file(a, SIZE_MAX / 2, &x, &error), TFM_OK, "%s", error.message);
    cr_assert_eq(tfm_read_file(b, SIZE_MAX / 2, &y, &error), TFM_OK, "%s", error.message);
    cr_assert(x.size == y.size && memcmp(x.data, y.data, x.size) == 0, "%s and %s differ", a, b);
    tfm_text_free(&x);
    tfm_text_free(&y);
}

/* ---- logits ---- */

typedef struct matrix {
    float *values;
    uint64_t shape[3];
} matrix;

static tfm_safetensors *open_tensors(const char *path) {
    tfm_error error;
    tfm_safetensors *file;
    cr_assert_eq(tfm_safetensors_open(&file, path, &error), TFM_OK, "%s", error.message);
    return file;
}

static matrix load(const tfm_safetensors *file, const char *name) {
    tfm_error error;
    const tfm_st_tensor *tensor;
    matrix m;
    cr_assert_eq(load_tensor_f32(file, name, &m.values, &tensor, &error), TFM_OK, "%s", error.message);
    memcpy(m.shape, tensor->shape, sizeof m.shape);
    return m;
}

static matrix load_line(const tfm_safetensors *file, size_t line, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%zu.%s", line, what);
    return load(file, name);
}

/* Is got (rows, columns) the beginning of expected, within 1e-4? */
static void assert_close(const char *what, size_t line, matrix got, const float *expected) {
    for (size_t i = 0; i < got.shape[0] * got.shape[1]; i++)
        cr_assert(fabsf(got.values[i] - expected[i]) <= 1e-4f, "line %zu, %s [%zu, %zu]: %.9g, expected %.9g", line,
                  what, i / got.shape[1], i % got.shape[1], (double)got.values[i], (double)expected[i]);
}

/* An array of a golden folder, (batch, longest, columns), against NAME of each line. */
static void compare_golden(const tfm_safetensors *got, const tfm_safetensors *golden, const char *what,
                           const char *array, const json_t *sequences) {
    matrix expected = load(golden, array);
    for (size_t i = 0; i < json_array_size(sequences); i++) {
        matrix m = load_line(got, i, what);
        cr_assert_eq(m.shape[0], json_array_size(json_array_get(sequences, i)));
        cr_assert_eq(m.shape[1], expected.shape[2]);
        assert_close(what, i, m, expected.values + i * expected.shape[1] * expected.shape[2]);
        free(m.values);
    }
    free(expected.values);
}

static json_t *make_pairs(const json_t *sources, const json_t *targets, const char *target_key) {
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(sources); i++)
        json_array_append_new(list, json_pack("{s:O, s:O}", "input_ids", json_array_get(sources, i), target_key,
                                              json_array_get(targets, i)));
    return list;
}

static void compare_golden_folder(const char *folder) {
    char path[256];
    snprintf(path, sizeof path, "%s/expected/expected.json", folder);
    json_t *expected = load_json(golden_path(path));
    const json_t *sources = json_object_get(expected, "sequences");
    const json_t *targets = json_object_get(expected, "decoder_sequences");
    json_t *pairs = make_pairs(sources, targets, "decoder_input_ids");
    write_lines("in.jsonl", pairs);
    pack("--dtype=f32", golden_path(folder), "model.bin");
    require_ok(RUN(NULL, "logits", "model.bin", "--in=in.jsonl", "--out=out.safetensors", "--decoder-states"));

    snprintf(path, sizeof path, "%s/expected/expected.safetensors", folder);
    tfm_safetensors *got = open_tensors("out.safetensors"), *golden = open_tensors(golden_path(path));
    cr_assert_eq(tfm_safetensors_count(got), 3 * json_array_size(sources));
    compare_golden(got, golden, "encoder", "batch.encoder_last_hidden_state", sources);
    compare_golden(got, golden, "decoder", "batch.decoder_last_hidden_state", targets);
    compare_golden(got, golden, "logits", "batch.logits", targets);
    tfm_safetensors_close(&got);
    tfm_safetensors_close(&golden);
    json_decref(pairs);
    json_decref(expected);
}

Test(model, logits_of_golden_folders) {
    compare_golden_folder("marian");
    compare_golden_folder("marian-ptbin");
    compare_golden_folder("bart");
    compare_golden_folder("t5-v1_1");
}

/* One array (batch, columns) against the single row each line has under NAME. */
static void compare_vectors(const tfm_safetensors *got, const tfm_safetensors *golden, const char *what,
                            const char *array, size_t n) {
    matrix expected = load(golden, array);
    cr_assert_eq(expected.shape[0], n);
    for (size_t i = 0; i < n; i++) {
        matrix m = load_line(got, i, what);
        cr_assert(m.shape[0] == 1 && m.shape[1] == expected.shape[1], "%s", what);
        assert_close(what, i, m, expected.values + i * expected.shape[1]);
        free(m.values);
    }
    free(expected.values);
}

/* Packs an encoder, runs its golden sequences and gives back what came out. */
static tfm_safetensors *run_encoder(const char *folder, json_t **sequences, tfm_safetensors **golden) {
    char path[256];
    snprintf(path, sizeof path, "%s/expected/expected.json", folder);
    json_t *expected = load_json(golden_path(path));
    *sequences = json_incref(json_object_get(expected, "sequences"));
    const json_t *types = json_object_get(expected, "token_type_ids");
    json_t *lines = json_array();
    for (size_t i = 0; i < json_array_size(*sequences); i++) {
        json_t *line = json_pack("{s:O}", "input_ids", json_array_get(*sequences, i));
        if (types) json_object_set(line, "token_type_ids", json_array_get(types, i));
        json_array_append_new(lines, line);
    }
    write_lines("in.jsonl", lines);
    pack("--dtype=f32", golden_path(folder), "model.bin");
    require_ok(RUN(NULL, "logits", "model.bin", "--in=in.jsonl", "--out=out.safetensors", "--vectors"));
    require_ok(RUN(NULL, "logits", "model.bin", "--in=in.jsonl", "--out=one.safetensors", "--vectors",
                   "--batch-tokens=1", "--threads=2"));
    assert_same_file("out.safetensors", "one.safetensors");
    snprintf(path, sizeof path, "%s/expected/expected.safetensors", folder);
    *golden = open_tensors(golden_path(path));
    json_decref(lines);
    json_decref(expected);
    return open_tensors("out.safetensors");
}

static void compare_encoder(const char *folder, const char *logits, bool pooled, bool mean) {
    json_t *sequences;
    tfm_safetensors *golden, *got = run_encoder(folder, &sequences, &golden);
    size_t n = json_array_size(sequences);
    compare_golden(got, golden, "encoder", "batch.last_hidden_state", sequences);
    if (pooled) compare_vectors(got, golden, "pooled", "batch.pooler_output", n);
    if (mean) compare_vectors(got, golden, "embedding", "batch.mean_pooled", n);
    if (logits && strstr(logits, "classifier")) compare_vectors(got, golden, "logits", logits, n);
    if (logits && !strstr(logits, "classifier")) compare_golden(got, golden, "logits", logits, sequences);
    cr_assert_eq(tfm_safetensors_count(got), n * (2 + pooled + (logits != NULL)));
    tfm_safetensors_close(&got);
    tfm_safetensors_close(&golden);
    json_decref(sequences);
}

Test(model, logits_of_golden_encoders) {
    compare_encoder("bert", NULL, true, true);
    compare_encoder("bert-mlm", "batch.mlm_logits", false, false);
    compare_encoder("distilbert-mlm", "batch.mlm_logits", false, false);
    compare_encoder("roberta", NULL, true, true);
    compare_encoder("roberta-seqcls", "batch.classifier_logits", false, false);
    compare_encoder("bert-reranker", "batch.classifier_logits", true, false);
    assert_fails(RUN("{\"input_ids\":[5,6],\"token_type_ids\":[0]}\n", "logits", "model.bin", "--out=out"),
                 "1 token_type_ids for 2 input_ids");
    assert_fails(RUN("{\"input_ids\":[5],\"token_type_ids\":[2]}\n", "logits", "model.bin", "--out=out"),
                 "token ids go from 0 to 1");
    assert_fails(RUN("{\"input_ids\":[5]}\n", "logits", "model.bin", "--out=out", "--decoder-states"),
                 "--decoder-states is for encoder-decoders");
}

Test(model, logits_of_golden_decoders) {
    static const char *const folders[] = {"gpt2", "mistral", "bloom"};
    for (size_t i = 0; i < 3; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/expected/expected.json", folders[i]);
        json_t *expected = load_json(golden_path(path)), *lines = json_array(), *ids;
        const json_t *sequences = json_object_get(expected, "sequences");
        size_t index;
        json_array_foreach((json_t *)sequences, index, ids)
            json_array_append_new(lines, json_pack("{s:O}", "input_ids", ids));
        write_lines("in.jsonl", lines);
        pack("--dtype=f32", golden_path(folders[i]), "model.bin");
        require_ok(RUN(NULL, "logits", "model.bin", "--in=in.jsonl", "--out=out.safetensors"));
        snprintf(path, sizeof path, "%s/expected/expected.safetensors", folders[i]);
        tfm_safetensors *got = open_tensors("out.safetensors"), *golden = open_tensors(golden_path(path));
        cr_assert_eq(tfm_safetensors_count(got), 2 * json_array_size(sequences));
        compare_golden(got, golden, "encoder", "batch.last_hidden_state", sequences);
        compare_golden(got, golden, "logits", "batch.logits", sequences);
        tfm_safetensors_close(&got);
        tfm_safetensors_close(&golden);
        json_decref(lines);
        json_decref(expected);
    }
}

Test(model, logits_of_a_trained_model) {
    json_t *golden = load_json(shipped_file("golden.json"));
    const json_t *sentences = json_object_get(golden, "sentences");
    json_t *pairs = json_array();
    for (size_t i = 0; i < json_array_size(sentences); i++) {
        const json_t *s = json_array_get(sentences, i);
        json_array_append_new(pairs, json_pack("{s:O, s:O}", "input_ids", json_object_get(s, "src_ids"),
                                               "decoder_input_ids", json_object_get(s, "decoder_input_ids")));
    }
    write_lines("in.jsonl", pairs);
    require_ok(RUN(NULL, "logits", MODEL, "--in=in.jsonl", "--out=out.safetensors"));
    tfm_safetensors *got = open_tensors("out.safetensors");
    tfm_safetensors *expected = open_tensors(shipped_file("golden.safetensors"));
    for (size_t i = 0; i < json_array_size(sentences); i++) {
        char name[64];
        matrix encoder = load_line(got, i, "encoder"), logits = load_line(got, i, "logits");
        snprintf(name, sizeof name, "s%zu.encoder.3", i);
        matrix e = load(expected, name);
        snprintf(name, sizeof name, "s%zu.logits", i);
        matrix l = load(expected, name);
        cr_assert(memcmp(encoder.shape, e.shape, sizeof e.shape) == 0 &&
                  memcmp(logits.shape, l.shape, sizeof l.shape) == 0);
        assert_close("encoder", i, encoder, e.values);
        assert_close("logits", i, logits, l.values);
        free(encoder.values);
        free(logits.values);
        free(e.values);
        free(l.values);
    }
    tfm_safetensors_close(&got);
    tfm_safetensors_close(&expected);
    json_decref(pairs);
    json_decref(golden);
}

enum { N_SHIPPED = 12 };

/* ids without the last, after the start token (the last of the vocabulary, <pad>). */
static json_t *shift_right(const json_t *ids, json_int_t start) {
    json_t *list = json_pack("[I]", start);
    for (size_t i = 0; i + 1 < json_array_size(ids); i++) json_array_append(list, json_array_get(ids, i));
    return list;
}

/* log(sum(exp(row))) over n columns */
static double log_sum_exp(const float *row, size_t n) {
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (row[i] > max) max = row[i];
    for (size_t i = 0; i < n; i++) sum += exp((double)row[i] - max);
    return max + log(sum);
}

/*
 * The logits along the greedy translations that ship with the checkpoint say what the reference implementation says:
 * the same choices, the same sum of log-probabilities (it leaves <pad>, the last column, out).
 */
static void check_greedy_path(const char *path, const json_t *greedy) {
    tfm_safetensors *file = open_tensors(path);
    for (size_t i = 0; i < N_SHIPPED; i++) {
        const json_t *line = json_array_get(greedy, i), *ids = json_object_get(line, "ids");
        matrix logits = load_line(file, i, "logits");
        cr_assert_eq(logits.shape[0], json_array_size(ids));
        size_t n = logits.shape[1] - 1;
        double sum = 0;
        for (size_t t = 0; t < logits.shape[0]; t++) {
            const float *row = logits.values + t * logits.shape[1];
            size_t id = (size_t)json_integer_value(json_array_get(ids, t));
            for (size_t j = 0; j < n; j++)
                cr_assert(row[j] <= row[id], "line %zu, step %zu: %zu beats %zu", i, t, j, id);
            sum += (double)row[id] - log_sum_exp(row, n);
        }
        double expected = json_real_value(json_object_get(line, "sum_logprob"));
        cr_assert(fabs(sum - expected) < 1e-4, "line %zu: %.9g, expected %.9g", i, sum, expected);
        free(logits.values);
    }
    tfm_safetensors_close(&file);
}

/* Every number tfmeval perplexity prints follows from the logits. */
static void check_perplexity(const char *path, const json_t *greedy) {
    outcome result = RUN(NULL, "perplexity", MODEL, "--in=in.jsonl", "--per-line", "--json");
    cr_assert_eq(result.code, 0, "%s", result.err);
    json_t *lines = parse_lines(result.out);
    cr_assert_eq(json_array_size(lines), N_SHIPPED + 1);
    tfm_safetensors *file = open_tensors(path);
    double total = 0;
    size_t n_total = 0;
    for (size_t i = 0; i < N_SHIPPED; i++) {
        const json_t *ids = json_object_get(json_array_get(greedy, i), "ids"), *line = json_array_get(lines, i);
        const json_t *log_probs = json_object_get(line, "log_probs");
        size_t n = json_array_size(ids);
        matrix logits = load_line(file, i, "logits");
        double nll = 0;
        cr_assert_eq(json_array_size(log_probs), n);
        for (size_t t = 0; t < n; t++) {
            const float *row = logits.values + t * logits.shape[1];
            size_t id = (size_t)json_integer_value(json_array_get(ids, t));
            double expected = (double)row[id] - log_sum_exp(row, logits.shape[1]);
            double got = json_real_value(json_array_get(log_probs, t));
            cr_assert(fabs(got - expected) < 1e-5, "line %zu, token %zu: %.9g, expected %.9g", i, t, got, expected);
            nll -= got;
        }
        cr_assert_eq(json_integer_value(json_object_get(line, "line")), (json_int_t)i);
        cr_assert_eq(json_integer_value(json_object_get(line, "tokens")), (json_int_t)n);
        cr_assert_eq(json_real_value(json_object_get(line, "nll")), nll);
        cr_assert_float_eq(json_real_value(json_object_get(line, "ppl")), exp(nll / (double)n), 1e-12);
        total += nll;
        n_total += n;
        free(logits.values);
    }
    const json_t *last = json_array_get(lines, N_SHIPPED);
    cr_assert_eq(json_integer_value(json_object_get(last, "lines")), N_SHIPPED);
    cr_assert_eq(json_integer_value(json_object_get(last, "tokens")), (json_int_t)n_total);
    cr_assert_eq(json_real_value(json_object_get(last, "nll")), total);
    cr_assert_float_eq(json_real_value(json_object_get(last, "ppl")), exp(total / (double)n_total), 1e-12);
    tfm_safetensors_close(&file);
    json_decref(lines);
    free_outcome(&result);
}

Test(model, logits_and_perplexity_of_the_shipped_model) {
    json_t *sources = shipped_lines("src.ids.jsonl", N_SHIPPED), *greedy = shipped_lines("greedy.ids.jsonl", N_SHIPPED);
    json_t *pairs = json_array();
    for (size_t i = 0; i < N_SHIPPED; i++) {
        json_t *ids = json_object_get(json_array_get(greedy, i), "ids");
        json_array_append_new(pairs, json_pack("{s:O, s:o, s:O, s:s}", "input_ids",
                                               json_object_get(json_array_get(sources, i), "ids"), "decoder_input_ids",
                                               shift_right(ids, 6000), "labels", ids, "note", "not looked at"));
    }
    write_lines("in.jsonl", pairs);
    require_ok(RUN(NULL, "logits", MODEL, "--in=in.jsonl", "--out=a.safetensors"));
    check_greedy_path("a.safetensors", greedy);
    check_perplexity("a.safetensors", greedy);
    /* the same bits, whatever is computed at the same time, and in pieces of a line */
    require_ok(RUN(NULL, "logits", MODEL, "--in=in.jsonl", "--out=b.safetensors", "--batch-tokens=5", "--threads=3"));
    assert_same_file("a.safetensors", "b.safetensors");
    require_ok(RUN(NULL, "logits", MODEL, "--in=in.jsonl", "--out=c.safetensors", "--isa=scalar", "--verify=header"));
    assert_same_file("a.safetensors", "c.safetensors");
    json_decref(pairs);
    json_decref(sources);
    json_decref(greedy);
}

Test(model, perplexity_of_text_is_that_of_its_ids) {
    json_t *sources = shipped_lines("test.de", N_SHIPPED), *targets = shipped_lines("test.en", N_SHIPPED);
    json_t *source_ids = shipped_lines("src.ids.jsonl", N_SHIPPED), *pairs = json_array(), *questions = json_array();
    FILE *de = fopen("de", "w"), *en = fopen("en", "w");
    for (size_t i = 0; i < N_SHIPPED; i++) {
        fprintf(de, "%s\n", json_string_value(json_array_get(sources, i)));
        fprintf(en, "%s\r\n", json_string_value(json_array_get(targets, i)));
        json_array_append_new(questions, json_pack("{s:O}", "text", json_array_get(targets, i)));
    }
    cr_assert(fclose(de) == 0 && fclose(en) == 0);
    write_lines("questions", questions);
    outcome answers = RUN(NULL, "tokenize", MODEL, "--side=target", "--in=questions");
    json_t *target_ids = parse_lines(answers.out);
    cr_assert_eq(json_array_size(target_ids), N_SHIPPED, "%s", answers.err);
    for (size_t i = 0; i < N_SHIPPED; i++)
        json_array_append_new(pairs, json_pack("{s:O, s:O}", "input_ids",
                                               json_object_get(json_array_get(source_ids, i), "ids"), "labels",
                                               json_object_get(json_array_get(target_ids, i), "ids")));
    write_lines("in.jsonl", pairs);
    outcome text = RUN(NULL, "perplexity", MODEL, "--src=de", "--ref=en", "--per-line");
    outcome ids = RUN(NULL, "perplexity", MODEL, "--in=in.jsonl", "--per-line", "--batch-tokens=16");
    cr_assert(text.code == 0 && ids.code == 0, "%s%s", text.err, ids.err);
    cr_assert(strncmp(text.out, "line = 0 tokens = ", 18) == 0 && strstr(text.out, "\nlines = 12 tokens = "), "%s",
              text.out);
    cr_assert_str_eq(text.out, ids.out);
    json_decref(sources);
    json_decref(targets);
    json_decref(source_ids);
    json_decref(target_ids);
    json_decref(questions);
    json_decref(pairs);
    free_outcome(&answers);
    free_outcome(&text);
    free_outcome(&ids);
}

/* ---- perplexity of text ---- */

static const char story[] =
    "Once there was a little dog. He liked to play in the garden.\n\nOne day he saw a big red ball! He ran and ran, "
    "but the ball was always down the hill.\nThe sun went down, so he sat at the door.\n";

/* The ids a model's tokenizer gives for a text, with what it wants around it. */
static json_t *ids_of(const char *model, const char *text) {
    json_t *question = json_pack("[{s:s}]", "text", text);
    write_lines("question", question);
    outcome answer = RUN(NULL, "tokenize", model, "--in=question");
    json_t *answers = parse_lines(answer.out), *ids = json_incref(json_object_get(json_array_get(answers, 0), "ids"));
    cr_assert(json_array_size(ids) > 40, "%s", answer.err);
    json_decref(answers);
    json_decref(question);
    free_outcome(&answer);
    return ids;
}

static json_t *slice(const json_t *ids, size_t begin, size_t end) {
    json_t *list = json_array();
    for (size_t i = begin; i < end; i++) json_array_append(list, json_array_get(ids, i));
    return list;
}

/* By the definition: every window alone through the model, the logits before each token that no window before had. */
static size_t plain_log_probs(const json_t *ids, size_t max_length, size_t stride, double *log_probs) {
    size_t n = json_array_size(ids), n_scored = 0, n_windows = 0;
    json_t *windows = json_array();
    for (size_t begin = 0, end = 0; end < n; begin += stride) {
        end = begin + max_length < n ? begin + max_length : n;
        json_array_append_new(windows, json_pack("{s:o}", "input_ids", slice(ids, begin, end)));
    }
    write_lines("windows", windows);
    require_ok(RUN(NULL, "logits", "model.bin", "--in=windows", "--out=windows.safetensors"));
    tfm_safetensors *file = open_tensors("windows.safetensors");
    for (size_t begin = 0, end = 0, scored = 0; end < n; begin += stride, scored = end) {
        matrix logits = load_line(file, n_windows++, "logits");
        end = begin + logits.shape[0];
        for (size_t t = scored > begin ? scored : begin + 1; t < end; t++) {
            const float *row = logits.values + (t - 1 - begin) * logits.shape[1];
            size_t id = (size_t)json_integer_value(json_array_get(ids, t));
            log_probs[n_scored++] = (double)row[id] - log_sum_exp(row, logits.shape[1]);
        }
        free(logits.values);
    }
    tfm_safetensors_close(&file);
    json_decref(windows);
    return n_scored;
}

/* The line with every token, and the total, of one text in lines i and i + 1. */
static void check_figures(const json_t *lines, const double *log_probs, size_t n) {
    const json_t *line = json_array_get(lines, 0), *total = json_array_get(lines, 1);
    const json_t *got = json_object_get(line, "log_probs");
    double nll = 0;
    cr_assert_eq(json_array_size(got), n);
    for (size_t i = 0; i < n; i++) {
        double x = json_real_value(json_array_get(got, i));
        cr_assert(fabs(x - log_probs[i]) < 1e-5, "token %zu: %.9g, expected %.9g", i, x, log_probs[i]);
        nll -= x;
    }
    cr_assert_eq(json_integer_value(json_object_get(total, "lines")), 1);
    cr_assert_eq(json_integer_value(json_object_get(total, "tokens")), (json_int_t)n);
    cr_assert_eq(json_real_value(json_object_get(total, "nll")), nll);
    cr_assert_float_eq(json_real_value(json_object_get(total, "ppl")), exp(nll / (double)n), 1e-9);
}

Test(model, perplexity_of_text_slides_a_window) {
    static const struct {
        unsigned max_length, stride;
        bool all; /* whether every token but the first is scored */
    } cases[] = {{16, 8, true}, {16, 1, true}, {10, 9, true}, {7, 7, false}, {2, 1, true}, {512, 100, true}};
    static double log_probs[1000];
    make_story_checkpoint("stories");
    pack("--dtype=f32", "stories", "model.bin");
    write_text("story.txt", story);
    json_t *ids = ids_of("model.bin", story), *record = json_pack("[{s:O}]", "input_ids", ids);
    size_t n_ids = json_array_size(ids);
    cr_assert(n_ids < 200);
    write_lines("ids", record);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char length[40], stride[40];
        snprintf(length, sizeof length, "--max-length=%u", cases[i].max_length);
        snprintf(stride, sizeof stride, "--stride=%u", cases[i].stride);
        size_t n = plain_log_probs(ids, cases[i].max_length, cases[i].stride, log_probs);
        cr_assert(cases[i].all ? n == n_ids - 1 : n < n_ids - 1);
        outcome text = RUN(NULL, "perplexity", "model.bin", "--text=story.txt", length, stride, "--json", "--per-line");
        outcome same = RUN(story, "perplexity", "model.bin", "--text=-", length, stride, "--json", "--per-line",
                           "--batch-tokens=3", "--threads=2", "--isa=scalar");
        outcome line = RUN(NULL, "perplexity", "model.bin", "--in=ids", length, stride, "--json", "--per-line");
        cr_assert(text.code == 0 && same.code == 0 && line.code == 0, "%s%s%s", text.err, same.err, line.err);
        cr_assert_str_eq(text.out, same.out);
        cr_assert_str_eq(text.out, line.out);
        json_t *lines = parse_lines(text.out);
        check_figures(lines, log_probs, n);
        cr_assert_eq(json_integer_value(json_object_get(json_array_get(lines, 1), "stride")), cases[i].stride);
        json_decref(lines);
        free_outcome(&text);
        free_outcome(&same);
        free_outcome(&line);
    }
    json_decref(record);
    json_decref(ids);
}

Test(model, perplexity_of_text_is_checked) {
    make_story_checkpoint("stories");
    pack("--dtype=f32", "stories", "model.bin");
    write_text("story.txt", story);
    write_text("empty", "");
#define TEXT(...) RUN(NULL, "perplexity", "model.bin", __VA_ARGS__)
    assert_fails(TEXT("--text=none"), "none");
    assert_fails(TEXT("--text=empty"), "nothing to predict");
    assert_fails(TEXT("--text=story.txt", "--max-length=99999"), "--max-length is 99999");
    assert_fails(TEXT("--text=story.txt", "--max-length=10", "--stride=11"), "--stride is 11");
    assert_fails(TEXT("--src=story.txt", "--ref=story.txt"), "--text");
    assert_fails(RUN("{\"input_ids\":[1]}\n", "perplexity", "model.bin", "--in=-"), "<stdin>:1: one token");
    assert_fails(RUN("{\"input_ids\":[1,99999]}\n", "perplexity", "model.bin", "--in=-"), "99999");
    assert_fails(RUN("", "perplexity", "model.bin", "--in=-"), "no lines");
    assert_fails(RUN(NULL, "perplexity", MODEL, "--text=story.txt"), "decoder-only");
    assert_fails(RUN(NULL, "perplexity", MODEL, "--in=story.txt", "--stride=5"), "decoder-only");
    outcome result = TEXT("--text=story.txt", "--max-length=32");
    cr_assert(result.code == 0 && strncmp(result.out, "lines = 1 tokens = ", 19) == 0 &&
                  strstr(result.out, " max_length = 32 stride = 16\n"),
              "%s%s", result.out, result.err);
    free_outcome(&result);
    pack("--dtype=f32", golden_path("bert-mlm"), "bert.bin");
    assert_fails(RUN(NULL, "perplexity", "bert.bin", "--in=story.txt"), "no decoder");
}

Test(model, wrong_lines_are_named) {
#define LOGITS(line) RUN("{\"input_ids\":[7,0],\"decoder_input_ids\":[6000]}\n" line "\n", "logits", MODEL, "--out=out")
    assert_fails(LOGITS("x"), "<stdin>:2: not JSON");
    assert_fails(LOGITS(""), "<stdin>:2: not JSON");
    assert_fails(LOGITS("[1]"), "<stdin>:2: not a JSON object");
    assert_fails(LOGITS("{\"input_ids\":[1],\"input_ids\":[2]}"), "<stdin>:2: not JSON: duplicate object key");
    assert_fails(LOGITS("{\"input_ids\":[1],\"decoder_ids\":[6000]}"),
                 "<stdin>:2: \"decoder_input_ids\" is missing; the keys there are: \"input_ids\", \"decoder_ids\"");
    assert_fails(LOGITS("{\"input_ids\":[1,6001],\"decoder_input_ids\":[1]}"),
                 "<stdin>:2: \"input_ids\"[1] is 6001, but token ids go from 0 to 6000");
    assert_fails(LOGITS("{\"input_ids\":[1],\"decoder_input_ids\":[-1]}"), "\"decoder_input_ids\"[0] is -1");
    assert_fails(LOGITS("{\"input_ids\":[1],\"decoder_input_ids\":[1.5]}"), "[0] is not a whole number");
    assert_fails(LOGITS("{\"input_ids\":[9223372036854775808],\"decoder_input_ids\":[1]}"), "<stdin>:2: not JSON");
    assert_fails(LOGITS("{\"input_ids\":[],\"decoder_input_ids\":[1]}"), "\"input_ids\" is empty");
    assert_fails(LOGITS("{\"input_ids\":7,\"decoder_input_ids\":[1]}"), "\"input_ids\" is not a list");
    assert_fails(LOGITS("{\"input_ids\":[1],\"decoder_input_ids\":[1]}\xFF"), "<stdin>:2: not valid UTF-8");
    char line[8192] = "{\"decoder_input_ids\":[1],\"input_ids\":[1";
    for (int i = 0; i < 2000; i++) strcat(line, ",1");
    strcat(line, "]}\n");
    assert_fails(RUN(line, "logits", MODEL, "--out=out"),
                 "<stdin>:1: \"input_ids\" has 2001 tokens; the model takes at most");
    assert_fails(RUN(NULL, "logits", MODEL, "--out=out"), "no lines");
    assert_fails(RUN("{}\n", "logits", MODEL, "--out=out", "--vectors"), "--vectors is for encoder-only models");
    assert_fails(RUN(NULL, "logits", "none.bin", "--out=out"), "none.bin");
    assert_fails(RUN("{\"input_ids\":[1],\"decoder_input_ids\":[1]}\n", "logits", MODEL, "--out=no/out"), "no/out");
    cr_assert_null(fopen("out", "r"), "a failed run left a file");

    write_text("a", "Ein Hund.\n");
    write_text("b", "A dog.\nA cat.\n");
    assert_fails(RUN(NULL, "perplexity", MODEL, "--src=a", "--ref=b"), "a has 1 lines but b has 2");
    assert_fails(RUN("{\"input_ids\":[1]}\n", "perplexity", MODEL, "--in=-"), "<stdin>:1: \"labels\" is missing");
    assert_fails(RUN(NULL, "perplexity", MODEL, "--in=-"), "no lines");
}

/* ---- tokenize ---- */

Test(model, tokenizes_the_shipped_corpus) {
    json_t *texts = shipped_lines("test.de", 200), *ids = shipped_lines("src.ids.jsonl", 200);
    json_t *greedy = shipped_lines("greedy.ids.jsonl", 200), *english = shipped_lines("greedy.txt", 200);
    json_t *questions = json_array();
    for (size_t i = 0; i < 200; i++) {
        json_array_append_new(questions, json_pack("{s:O}", "text", json_array_get(texts, i)));
        json_array_append_new(questions, json_pack("{s:O}", "ids", json_object_get(json_array_get(greedy, i), "ids")));
    }
    write_lines("in.jsonl", questions);
    require_ok(RUN(NULL, "tokenize", MODEL, "--in", "in.jsonl", "--out", "out.jsonl"));
    tfm_text out = {0};
    tfm_error error;
    cr_assert_eq(tfm_read_file("out.jsonl", 1 << 24, &out, &error), TFM_OK, "%s", error.message);
    json_t *answers = parse_lines(out.data);
    cr_assert_eq(json_array_size(answers), 400);
    for (size_t i = 0; i < 200; i++) {
        cr_assert(json_equal(json_object_get(json_array_get(answers, 2 * i), "ids"),
                             json_object_get(json_array_get(ids, i), "ids")),
                  "line %zu", i);
        cr_assert(json_equal(json_object_get(json_array_get(answers, 2 * i + 1), "text"), json_array_get(english, i)),
                  "line %zu", i);
    }
    json_t *lists[] = {texts, ids, greedy, english, questions, answers};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) json_decref(lists[i]);
    tfm_text_free(&out);
}

/* A golden checkpoint whose config.json lists the characters of inputs and of outputs. */
static void make_spelling_checkpoint(const char *folder, const char *spelling, const char *sounds) {
    char path[256];
    cr_assert_eq(mkdir(folder, 0700), 0);
    json_t *config = load_json(golden_path("bart/config.json"));
    json_object_set_new(config, "grapheme_chars", json_string(spelling));
    json_object_set_new(config, "phoneme_chars", json_string(sounds));
    snprintf(path, sizeof path, "%s/config.json", folder);
    cr_assert_eq(json_dump_file(config, path, 0), 0);
    json_decref(config);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    cr_assert_eq(symlink(golden_path("bart/model.safetensors"), path), 0);
}

/* Spelling to sound: a token's id is its character's place. */
Test(model, tokenizer_of_characters) {
    make_spelling_checkpoint("spelling", "____abcdefghijklmnopqrstuvwxyz'", "____h\u0259l\u02c8o\u028a");
    pack("--dtype=f32", "spelling", "model.bin");
    outcome spelled = RUN("{\"text\":\"hello\"}\n{\"text\":\"it's 1\"}\n", "tokenize", "model.bin", "--in=-");
    cr_assert_str_eq(spelled.out, "{\"ids\": [0, 11, 8, 15, 15, 18, 2], \"text\": \"hello\"}\n"
                                  "{\"ids\": [0, 12, 23, 30, 22, 3, 3, 2], \"text\": \"it's\"}\n");
    outcome spoken = RUN("{\"ids\":[0,4,5,6,7,8,9,2]}\n", "tokenize", "model.bin", "--in=-", "--side=target");
    cr_assert_str_eq(spoken.out, "{\"ids\": [0, 4, 5, 6, 7, 8, 9, 2], \"text\": \"h\u0259l\u02c8o\u028a\"}\n");
    free_outcome(&spelled);
    free_outcome(&spoken);
}

Test(model, tokenize_options_and_wrong_lines) {
#define TOKENIZE(line, ...) RUN(line "\n", "tokenize", MODEL, __VA_ARGS__)
    outcome result = TOKENIZE("{\"text\": \"Ein Hund.\"}", "--no-special");
    cr_assert_str_eq(result.out, "{\"ids\": [9, 70, 2], \"text\": \"Ein Hund.\"}\n");
    free_outcome(&result);
    result = TOKENIZE("{\"bytes_hex\": \"45696e2048756E642E\"}", "--side=source");
    cr_assert_str_eq(result.out, "{\"ids\": [9, 70, 2, 0], \"text\": \"Ein Hund.\"}\n");
    free_outcome(&result);
    result = TOKENIZE("{\"ids\": [9, 70, 2, 0]}", "--keep-special");
    cr_assert(result.code == 0 && strstr(result.out, "</s>"), "%s%s", result.out, result.err);
    free_outcome(&result);
    result = TOKENIZE("{\"ids\": []}", "--in=-");
    cr_assert_str_eq(result.out, "{\"ids\": [], \"text\": \"\"}\n");
    free_outcome(&result);
    assert_fails(TOKENIZE("{\"txt\": \"a\"}", "--in=-"), "<stdin>:1: exactly one of");
    assert_fails(TOKENIZE("{\"text\": \"a\", \"ids\": [1]}", "--in=-"), "<stdin>:1: exactly one of");
    assert_fails(TOKENIZE("{\"text\": 1}", "--in=-"), "<stdin>:1: \"text\" is not a string");
    assert_fails(TOKENIZE("{\"ids\": [1, 6001]}", "--in=-"), "<stdin>:1: ");
    assert_fails(TOKENIZE("{\"bytes_hex\": \"4\"}", "--in=-"), "<stdin>:1: \"bytes_hex\" is not made of pairs");
    assert_fails(TOKENIZE("{\"bytes_hex\": \"4g\"}", "--in=-"), "at character 1");
    /* answers before a wrong line are given */
    result = TOKENIZE("{\"ids\": []}\nx", "--in=-");
    cr_assert(result.code == 1 && strcmp(result.out, "{\"ids\": [], \"text\": \"\"}\n") == 0);
    assert_fails(result, "<stdin>:2: not JSON");
}

/* Another program may ask, and wait for the answer before it asks again. */
Test(model, tokenize_answers_at_once, .timeout = 60) {
    dialog d = start_dialog((const char *const[]){TFMEVAL, "tokenize", MODEL, "--no-special", NULL});
    for (int i = 0; i < 3; i++) {
        char *answer = ask_program(&d, "{\"text\": \"Ein Hund.\"}");
        cr_assert_str_eq(answer, "{\"ids\": [9, 70, 2], \"text\": \"Ein Hund.\"}");
        free(answer);
    }
    cr_assert_eq(end_dialog(&d), 0);
}

/* The answers to texts, records of bytes and id lists, in the order of the library's own. */
static void ask(const json_t *texts, const json_t *expected, json_t *questions) {
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)texts, i, value) json_array_append_new(questions, json_pack("{s:O}", "text", value));
    json_array_foreach(json_object_get(expected, "decode"), i, value)
        json_array_append_new(questions, json_pack("{s:O}", "ids", json_object_get(value, "ids")));
    json_array_foreach(json_object_get(expected, "invalid_utf8"), i, value)
        json_array_append_new(questions, json_pack("{s:O}", "bytes_hex", json_object_get(value, "hex")));
}

static void check_answer(const char *folder, const json_t *question, const json_t *answer, const json_t *ids,
                         const json_t *text) {
    char *asked = json_dumps(question, 0), *got = json_dumps(answer, 0);
    cr_assert(!ids || json_equal(json_object_get(answer, "ids"), ids), "%s: %s: %s", folder, asked, got);
    cr_assert(!text || json_equal(json_object_get(answer, "text"), text), "%s: %s: %s", folder, asked, got);
    free(asked);
    free(got);
}

static const char *vocabulary_file(const char *folder, const char *file) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s/%s", getenv("TFM_VOCABULARIES"), folder, file);
    return path;
}

static void compare_tokenizer(const char *folder, const char *file) {
    pack("--tokenizer-only", vocabulary_file(folder, file), "tokenizer.bin");
    json_t *expected = load_json(vocabulary_file(folder, "expected.json"));
    json_t *all = load_json(vocabulary_file(".", "texts.json")), *texts = json_object_get(all, "texts");
    json_t *questions = json_array();
    ask(texts, expected, questions);
    write_lines("in.jsonl", questions);
    outcome result = RUN(NULL, "tokenize", "tokenizer.bin", "--in=in.jsonl", "--no-special");
    cr_assert_eq(result.code, 0, "%s", result.err);
    json_t *answers = parse_lines(result.out);
    cr_assert_eq(json_array_size(answers), json_array_size(questions));

    size_t i, n = 0;
    json_t *value;
    json_array_foreach(texts, i, value) {
        const json_t *text = json_array_get(json_object_get(expected, "text"), i);
        check_answer(folder, json_array_get(questions, n), json_array_get(answers, n),
                     json_array_get(json_object_get(expected, "ids"), i), json_is_null(text) ? value : text);
        n++;
    }
    cr_assert_geq(n, 300);
    json_array_foreach(json_object_get(expected, "decode"), i, value) {
        const json_t *bare = json_object_get(value, "text_skip_special");
        check_answer(folder, json_array_get(questions, n), json_array_get(answers, n), NULL,
                     bare ? bare : json_object_get(value, "text"));
        n++;
    }
    json_array_foreach(json_object_get(expected, "invalid_utf8"), i, value) {
        check_answer(folder, json_array_get(questions, n), json_array_get(answers, n), json_object_get(value, "ids"),
                     NULL);
        n++;
    }
    cr_assert_eq(n, json_array_size(questions));
    json_decref(questions);
    json_decref(answers);
    json_decref(all);
    json_decref(expected);
    free_outcome(&result);
}

Test(model, tokenizers_equal_their_libraries) {
    compare_tokenizer("spm-unigram", "model.spm");
    compare_tokenizer("spm-bpe-bytes", "model.spm");
    compare_tokenizer("gpt2", "");
    compare_tokenizer("bert-uncased", "");
}
