/* analysis_test.c - tfmrun with encoder-only models: classes, masks, vectors, similarities, as a user types them. */
#include <criterion/criterion.h>
#include <endian.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/data.h"
#include "tests/support/tensor_values.h"
#include "tests/tools/run/interact.h"

TestSuite(analysis, .init = enter_scratch, .fini = leave_scratch, .timeout = 10 * TEST_SECONDS);

/* ---- checkpoints with known results ---- */

typedef struct known {
    const char *model;
    json_t *expected;
    tfm_safetensors *arrays;
    size_t n; /* sequences */
} known;

static void pack(const char *folder, const char *model) {
    const char *const words[] = {getenv("TFM_TFMPACK"), folder, model, NULL};
    cr_assert(words[0], "TFM_TFMPACK is not set; run the tests through meson");
    outcome packed = run_program(words, NULL);
    cr_assert_eq(packed.code, 0, "tfmpack: %s", packed.err);
    free_outcome(&packed);
}

static known open_known(const char *folder) {
    known k = {.model = "known.bin"};
    char path[1024];
    tfm_error error;
    pack(golden_path(folder), k.model);
    snprintf(path, sizeof path, "%s/expected/expected.json", folder);
    k.expected = json_load_file(golden_path(path), 0, NULL);
    snprintf(path, sizeof path, "%s/expected/expected.safetensors", folder);
    cr_assert_eq(tfm_safetensors_open(&k.arrays, golden_path(path), &error), TFM_OK, "%s", error.message);
    k.n = json_array_size(json_object_get(k.expected, "sequences"));
    cr_assert_gt(k.n, 0);
    return k;
}

static void close_known(known *k) {
    json_decref(k->expected);
    tfm_safetensors_close(&k->arrays);
}

static float *load(const known *k, const char *array, const tfm_st_tensor **tensor) {
    float *values;
    tfm_error error;
    cr_assert_eq(load_tensor_f32(k->arrays, array, &values, tensor, &error), TFM_OK, "%s", error.message);
    return values;
}

/* The sequences as lines; a tab where the second type begins. The caller frees. */
static char *known_lines(const known *k) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < k->n; i++) {
        const json_t *ids = json_array_get(json_object_get(k->expected, "sequences"), i);
        const json_t *types = json_array_get(json_object_get(k->expected, "token_type_ids"), i);
        for (size_t t = 0; t < json_array_size(ids); t++) {
            bool second =
                t && json_integer_value(json_array_get(types, t)) > json_integer_value(json_array_get(types, t - 1));
            fprintf(out, "%s%d", !t ? "" : second ? "\t" : " ", (int)json_integer_value(json_array_get(ids, t)));
        }
        fputc('\n', out);
    }
    fclose(out);
    return text;
}

/* Line i of the output as JSON; borrowed from a list that holds all, which the caller gives back. */
static json_t *all_objects(const outcome *run) {
    json_t *list = json_array();
    char *copy = strdup(run->out);
    for (char *rest = NULL, *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, 0, NULL);
        cr_assert(json_is_object(object), "%s", line);
        json_array_append_new(list, object);
    }
    free(copy);
    return list;
}

static double number(const json_t *object, const char *name) {
    cr_assert(json_is_number(json_object_get(object, name)), "no %s", name);
    return json_number_value(json_object_get(object, name));
}

static const char *word(const json_t *object, const char *name) {
    cr_assert(json_is_string(json_object_get(object, name)), "no %s", name);
    return json_string_value(json_object_get(object, name));
}

static void expect_run(const outcome *run, int code, const char *out) {
    cr_expect_eq(run->code, code, "exit status %d: %s", run->code, run->err);
    cr_expect_str_eq(run->out, out);
}

/* ---- classes ---- */

/* Labels, scores and probabilities, in both forms, whatever the windows. */
Test(analysis, classes_of_known_logits) {
    known k = open_known("distilbert-seqcls");
    const tfm_st_tensor *tensor;
    float *logits = load(&k, "batch.classifier_logits", &tensor);
    cr_assert_eq(tensor->shape[1], 2);
    char *lines = known_lines(&k);
    outcome plain = RUN(lines, k.model, "--ids"), both = RUN(lines, k.model, "--ids", "--classify", "--top", "2");
    outcome json = RUN(lines, k.model, "--ids", "--json", "--classify", "--batch-tokens=1", "--threads=3");
    cr_assert_eq(plain.code + both.code + json.code, 0, "%s%s%s", plain.err, both.err, json.err);
    json_t *objects = all_objects(&json);
    cr_assert_eq(json_array_size(objects), k.n);
    char *rest = NULL, *line = strtok_r(plain.out, "\n", &rest), *more = NULL, *pair = strtok_r(both.out, "\n", &more);
    for (size_t i = 0; i < k.n; i++) {
        double no = (double)logits[2 * i], yes = (double)logits[2 * i + 1], p = 1 / (1 + exp(-fabs(yes - no)));
        const char *label = yes > no ? "POSITIVE" : "NEGATIVE", *other = yes > no ? "NEGATIVE" : "POSITIVE";
        const json_t *object = json_array_get(objects, i), *classes = json_object_get(object, "classes");
        cr_expect_str_eq(word(object, "label"), label);
        cr_expect(fabs(number(object, "score") - fmax(no, yes)) < 1e-4);
        cr_expect(fabs(number(object, "probability") - p) < 5e-5);
        cr_assert_eq(json_array_size(classes), 2);
        cr_expect_str_eq(word(json_array_get(classes, 1), "label"), other);
        cr_expect(fabs(number(json_array_get(classes, 1), "score") - fmin(no, yes)) < 1e-4);
        char expected[100];
        p = number(object, "probability");
        snprintf(expected, sizeof expected, "%s\t%.6f", label, p);
        cr_assert(line && pair);
        cr_expect_str_eq(line, expected);
        snprintf(expected, sizeof expected, "%s\t%.6f\t%s\t%.6f", label, p, other,
                 number(json_array_get(classes, 1), "probability"));
        cr_expect_str_eq(pair, expected);
        line = strtok_r(NULL, "\n", &rest);
        pair = strtok_r(NULL, "\n", &more);
    }
    json_decref(objects);
    free(logits);
    free(lines);
    free_outcome(&plain);
    free_outcome(&both);
    free_outcome(&json);
    close_known(&k);
}

/* ---- masks ---- */

/* Candidates are those of the expected logits, best first. */
Test(analysis, masks_of_known_logits) {
    enum { MASK = 4, TOP = 7 };
    known k = open_known("bert-mlm");
    const tfm_st_tensor *tensor;
    float *logits = load(&k, "batch.mlm_logits", &tensor);
    size_t longest = tensor->shape[1], width = tensor->shape[2], n_masks = 0;
    char *lines = known_lines(&k);
    outcome run = RUN(lines, k.model, "--ids", "--fill-mask", "--mask-id=4", "--top=7", "--json");
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *objects = all_objects(&run);
    for (size_t i = 0; i < k.n; i++) {
        const json_t *ids = json_array_get(json_object_get(k.expected, "sequences"), i);
        const json_t *masks = json_object_get(json_array_get(objects, i), "masks");
        size_t index = 0;
        for (size_t t = 0; t < json_array_size(ids); t++) {
            if (json_integer_value(json_array_get(ids, t)) != MASK) continue;
            const json_t *mask = json_array_get(masks, index++), *list = json_object_get(mask, "candidates");
            float *row = logits + (i * longest + t) * width;
            double sum = 0;
            for (size_t v = 0; v < width; v++) sum += exp((double)row[v]);
            cr_expect_eq(number(mask, "position"), (double)t);
            cr_assert_eq(json_array_size(list), TOP);
            for (size_t c = 0; c < TOP; c++) {
                size_t best = 0;
                for (size_t v = 1; v < width; v++)
                    if (row[v] > row[best]) best = v;
                const json_t *candidate = json_array_get(list, c);
                cr_expect_eq(number(candidate, "id"), (double)best);
                cr_expect(fabs(number(candidate, "score") - (double)row[best]) < 1e-4);
                cr_expect(fabs(number(candidate, "probability") - exp((double)row[best]) / sum) < 1e-4);
                row[best] = -INFINITY;
            }
            n_masks++;
        }
        cr_expect_eq(json_array_size(masks), index);
    }
    cr_expect_gt(n_masks, 4);
    json_decref(objects);
    free(logits);
    free(lines);
    free_outcome(&run);
    close_known(&k);
}

/* ---- vectors ---- */

/* Rows of an array for NumPy; checks all of its header. */
static const char *npy_rows(const outcome *run, size_t rows, size_t width) {
    char text[128];
    cr_assert_geq(run->n_out, 128);
    cr_assert_arr_eq(run->out, "\x93NUMPY\x01\x00\x76\x00", 10);
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, width);
    cr_assert_arr_eq(run->out + 10, text, n, "%.118s", run->out + 10);
    for (int i = 10 + n; i < 127; i++) cr_assert_eq(run->out[i], ' ');
    cr_assert_eq(run->out[127], '\n');
    cr_assert_eq(run->n_out, 128 + rows * width * sizeof(float));
    return run->out + 128;
}

static float float_at(const char *rows, size_t i) {
    uint32_t bits;
    float value;
    memcpy(&bits, rows + 4 * i, sizeof bits);
    bits = le32toh(bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void check_vectors(const known *k, const char *rows, const float *expected, size_t width) {
    for (size_t i = 0; i < k->n * width; i++)
        cr_assert(fabs((double)float_at(rows, i) - (double)expected[i]) < 1e-4, "vector %zu, %zu: %g, not %g",
                  i / width, i % width, (double)float_at(rows, i), (double)expected[i]);
}

/* Means, first tokens and largest values; three formats with the same bits. */
Test(analysis, vectors_of_known_states) {
    known k = open_known("bert");
    const tfm_st_tensor *tensor;
    float *mean = load(&k, "batch.mean_pooled", &tensor),
          *normalized = load(&k, "batch.mean_pooled_normalized", &tensor);
    size_t d = tensor->shape[1];
    char *lines = known_lines(&k);
    outcome npy = RUN(lines, k.model, "--ids", "--format=npy"),
            json = RUN(lines, k.model, "--ids", "--embed", "--json");
    outcome raw = RUN(lines, k.model, "--ids", "--embed", "--format", "f32", "--batch-tokens", "7");
    check_vectors(&k, npy_rows(&npy, k.n, d), mean, d);
    cr_assert_eq(raw.n_out, k.n * d * sizeof(float));
    cr_assert_arr_eq(raw.out, npy.out + 128, raw.n_out);
    json_t *objects = all_objects(&json);
    cr_assert_eq(json_array_size(objects), k.n);
    for (size_t i = 0; i < k.n * d; i++) {
        const json_t *row = json_object_get(json_array_get(objects, i / d), "embedding");
        cr_assert_eq(json_array_size(row), d);
        cr_assert((float)json_number_value(json_array_get(row, i % d)) == float_at(raw.out, i),
                  "nine digits are enough");
    }
    json_decref(objects);
    outcome unit = RUN(lines, k.model, "--ids", "--normalize", "--format=npy", "--pooling=mean");
    check_vectors(&k, npy_rows(&unit, k.n, d), normalized, d);
    float *states = load(&k, "batch.last_hidden_state", &tensor);
    for (size_t i = 0; i < k.n; i++) {
        const float *first = states + i * tensor->shape[1] * d;
        size_t n = json_array_size(json_array_get(json_object_get(k.expected, "sequences"), i));
        memcpy(mean + i * d, first, d * sizeof *mean);
        for (size_t c = 0; c < d; c++) {
            normalized[i * d + c] = first[c];
            for (size_t t = 1; t < n; t++) normalized[i * d + c] = fmaxf(normalized[i * d + c], first[t * d + c]);
        }
    }
    outcome cls = RUN(lines, k.model, "--ids", "--pooling=cls", "--format=f32"),
            max = RUN(lines, k.model, "--ids", "--pooling=max", "--format=f32");
    check_vectors(&k, cls.out, mean, d);
    check_vectors(&k, max.out, normalized, d);
    outcome *runs[] = {&npy, &json, &raw, &unit, &cls, &max};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) free_outcome(runs[i]);
    free(mean);
    free(normalized);
    free(states);
    free(lines);
    close_known(&k);
}

/* Into a pipe, where no header can be written later; a row of NaNs keeps the place of an input that failed. */
/* A prompt by name stands before each text as if it were typed there. */
Test(analysis, prompts) {
    static char model[1024];
    snprintf(model, sizeof model, "%s/embedder.bin", getenv("TFM_TINY_MODELS"));
    outcome typed = RUN("what was it ? a bird\nwhat was it ? a cat\n", model, "--embed");
    outcome asked = RUN("a bird\na cat\n", model, "--embed", "--prompt", "query");
    cr_assert_eq(typed.code, 0, "%s", typed.err);
    cr_assert_str_eq(asked.out, typed.out);
    free_outcome(&typed);
    free_outcome(&asked);
    outcome plain = RUN("a bird\n", model, "--embed"), none = RUN("a bird\n", model, "--embed", "--prompt", "");
    cr_assert_str_eq(plain.out, none.out);
    free_outcome(&plain);
    free_outcome(&none);
    outcome pair = RUN(NULL, model, "--similarity", "--prompt", "query", "a bird", "a bird");
    cr_assert_str_eq(pair.out, "1.000000\n", "%s", pair.err);
    free_outcome(&pair);
    outcome unknown = RUN("a\n", model, "--embed", "--prompt", "poem");
    cr_assert(unknown.code == 2 &&
                  strstr(unknown.err, "--prompt: the model has no prompt 'poem'; it has: query, document"),
              "%d %s", unknown.code, unknown.err);
    free_outcome(&unknown);
}

Test(analysis, arrays_through_pipes) {
    const char *model = golden_model("distilbert");
    outcome file = RUN("2 5 7\n999\n2 6\n", model, "--ids", "--format=npy");
    cr_expect_eq(file.code, 1);
    cr_expect(strstr(file.err, "line 2: ") && strstr(file.err, "'999' is not a token id"), "%s", file.err);
    const char *rows = npy_rows(&file, 3, 64);
    cr_expect(isfinite(float_at(rows, 0)) && isfinite(float_at(rows, 2 * 64 + 63)));
    for (size_t i = 64; i < 128; i++) cr_expect(isnan(float_at(rows, i)));
    const char *const words[] = {tfmrun_path(), model, "--ids", "--format=npy", NULL};
    child c = start_piped(words);
    send_text(&c, "2 5 7\n999\n");
    usleep(300000); /* a window of its own */
    send_text(&c, "2 6\n");
    close(c.in);
    char *through = malloc(file.n_out);
    size_t n = 0;
    for (ssize_t got; n < file.n_out && (got = read(c.out, through + n, file.n_out - n)) > 0;) n += (size_t)got;
    cr_assert_eq(n, file.n_out);
    cr_assert_arr_eq(through, file.out, n);
    c.in = c.out;
    cr_expect_eq(end_child(&c, NULL), 1);
    outcome nothing = RUN("", model, "--ids", "--format=npy");
    npy_rows(&nothing, 0, 64);
    free(through);
    free_outcome(&file);
    free_outcome(&nothing);
}

Test(analysis, similarities) {
    const char *model = golden_model("distilbert");
    outcome vectors = RUN("2 5 7 3\n2 6 3\n", model, "--ids", "--format=f32");
    double product = 0, a = 0, b = 0;
    for (size_t i = 0; i < 64; i++) {
        double x = (double)float_at(vectors.out, i), y = (double)float_at(vectors.out, 64 + i);
        product += x * y;
        a += x * x;
        b += y * y;
    }
    char expected[100];
    snprintf(expected, sizeof expected, "%.6f\n", product / sqrt(a * b));
    outcome two = RUN(NULL, model, "--ids", "--similarity", "2 5 7 3", "2 6 3");
    expect_run(&two, 0, expected);
    char lines[300];
    snprintf(lines, sizeof lines, "1.000000\n%s\n\n", expected);
    outcome many = RUN("2 6\t2 6\n2 5 7 3\t2 6 3\n2 6\n2\t2\t2\n", model, "--ids", "--similarity");
    lines[9 + strlen(expected)] = 0;
    strcat(lines, "\n\n");
    expect_run(&many, 1, lines);
    cr_expect(strstr(many.err, "line 3: a similarity is of two texts with one tab"), "%s", many.err);
    outcome json = RUN("2 5 7 3\t2 6 3\n2\n", model, "--ids", "--similarity", "--json", "--pooling=mean");
    json_t *objects = all_objects(&json);
    cr_expect(fabs(number(json_array_get(objects, 0), "similarity") - product / sqrt(a * b)) < 1e-8);
    cr_expect(strstr(word(json_array_get(objects, 1), "error"), "line 2: "));
    json_decref(objects);
    outcome *runs[] = {&vectors, &two, &many, &json};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) free_outcome(runs[i]);
}

/* ---- text in, text out ---- */

enum { D = 16, F = 24, VOCAB = 21, POSITIONS = 32 };

/* BERT's special tokens, and words. */
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\ni\nlove\nparis\nlondon\n##ing\nthe\n"
                                 "capital\nof\nfrance\nis\n.\nplaying\nchess\n##3\n";

typedef struct checkpoint {
    struct {
        char name[80];
        uint64_t shape[2];
        uint32_t rank;
    } tensors[40];
    size_t n;
} checkpoint;

static void add(checkpoint *c, const char *name, uint64_t rows, uint64_t columns) {
    cr_assert_lt(c->n, sizeof c->tensors / sizeof *c->tensors);
    snprintf(c->tensors[c->n].name, sizeof c->tensors[0].name, "%s", name);
    c->tensors[c->n].rank = columns ? 2 : 1;
    c->tensors[c->n].shape[0] = rows;
    c->tensors[c->n++].shape[1] = columns;
}

static void add_linear(checkpoint *c, const char *name, uint64_t rows, uint64_t columns) {
    char text[80];
    snprintf(text, sizeof text, "%s.weight", name);
    add(c, text, rows, columns);
    snprintf(text, sizeof text, "%s.bias", name);
    add(c, text, rows, 0);
}

static checkpoint make_body(void) {
    checkpoint c = {0};
    add(&c, "bert.embeddings.word_embeddings.weight", VOCAB, D);
    add(&c, "bert.embeddings.position_embeddings.weight", POSITIONS, D);
    add(&c, "bert.embeddings.token_type_embeddings.weight", 2, D);
    add_linear(&c, "bert.embeddings.LayerNorm", D, 0);
#define LAYER "bert.encoder.layer.0."
    add_linear(&c, LAYER "attention.self.query", D, D);
    add_linear(&c, LAYER "attention.self.key", D, D);
    add_linear(&c, LAYER "attention.self.value", D, D);
    add_linear(&c, LAYER "attention.output.dense", D, D);
    add_linear(&c, LAYER "attention.output.LayerNorm", D, 0);
    add_linear(&c, LAYER "intermediate.dense", F, D);
    add_linear(&c, LAYER "output.dense", D, F);
    add_linear(&c, LAYER "output.LayerNorm", D, 0);
    return c;
}

/* What the bias of masked words favours, as logits: "paris", "london", "##ing", [SEP]. */
static float masked_bias(size_t id) {
    return id == 9 ? 160.0f : id == 10 ? 120.0f : id == 11 ? 80.0f : id == 3 ? 40.0f : 0.0f;
}

static void write_weights(const char *path, const checkpoint *c) {
    tfm_safetensors_writer *writer;
    tfm_error error;
    uint64_t state = 0x9e3779b97f4a7c15; /* xorshift */
    cr_assert_eq(tfm_safetensors_writer_create(&writer, path, &error), TFM_OK, "%s", error.message);
    for (size_t i = 0; i < c->n; i++)
        cr_assert_eq(tfm_safetensors_writer_declare(writer, c->tensors[i].name, TFM_ST_F32, c->tensors[i].rank,
                                                    c->tensors[i].shape, &error),
                     TFM_OK, "%s", error.message);
    for (size_t i = 0; i < c->n; i++) {
        size_t n = c->tensors[i].shape[0] * (c->tensors[i].rank == 2 ? c->tensors[i].shape[1] : 1);
        bool masked = strcmp(c->tensors[i].name, "cls.predictions.bias") == 0;
        float *values = malloc(n * sizeof *values);
        for (size_t k = 0; k < n; k++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            values[k] = masked ? masked_bias(k) : (float)(int32_t)(state >> 32) * 0x1p-31f;
        }
        cr_assert_eq(tfm_safetensors_writer_write(writer, values, n * sizeof *values, &error), TFM_OK);
        free(values);
    }
    cr_assert_eq(tfm_safetensors_writer_commit(&writer, &error), TFM_OK, "%s", error.message);
}

/* Random weights under the vocabulary; packed as NAME.bin in the scratch directory. */
static void pack_with_vocabulary(const char *name, const char *class, const checkpoint *c) {
    char config[600], model[64];
    snprintf(
        config, sizeof config,
        "{\"model_type\": \"bert\", \"architectures\": [\"%s\"], \"hidden_size\": %d, \"vocab_size\": %d,"
        " \"intermediate_size\": %d, \"num_attention_heads\": 2, \"num_hidden_layers\": 1,"
        " \"max_position_embeddings\": %d, \"type_vocab_size\": 2, \"id2label\": {\"0\": \"calm\", \"1\": \"glad\","
        " \"2\": \"sad\"}}",
        class, D, VOCAB, F, POSITIONS);
    mkdir("checkpoint", 0700);
    write_text("checkpoint/config.json", config);
    write_text("checkpoint/vocab.txt", vocabulary);
    write_weights("checkpoint/model.safetensors", c);
    snprintf(model, sizeof model, "%s.bin", name);
    pack("checkpoint", model);
    unlink("checkpoint/config.json");
    unlink("checkpoint/vocab.txt");
    unlink("checkpoint/model.safetensors");
    rmdir("checkpoint");
}

Test(analysis, masks_in_texts) {
    checkpoint c = make_body();
    add_linear(&c, "cls.predictions.transform.dense", D, D);
    add_linear(&c, "cls.predictions.transform.LayerNorm", D, 0);
    add(&c, "cls.predictions.bias", VOCAB, 0);
    pack_with_vocabulary("masked", "BertForMaskedLM", &c);
    outcome run = RUN("The capital of France is [MASK].\n", "masked.bin", "--top=4");
    cr_assert_eq(run.code, 0, "%s", run.err);
    static const char *const ends[] = {
        "\tparis\tthe capital of france is paris.", "\tlondon\tthe capital of france is london.",
        "\t##ing\tthe capital of france ising.", "\t[SEP]\tthe capital of france is [SEP]."};
    double before = 1;
    char *rest = NULL, *line = strtok_r(run.out, "\n", &rest);
    for (size_t i = 0; i < 4; i++, line = strtok_r(NULL, "\n", &rest)) {
        cr_assert(line, "candidate %zu", i);
        char *end;
        double p = strtod(line, &end);
        cr_expect_str_eq(end, ends[i]);
        cr_expect(p <= before && p >= 0);
        before = p;
    }
    cr_expect_null(line);
    /* The same as with ids, several masks, each with the others still in the text. */
    outcome text = RUN(NULL, "masked.bin", "--json", "--top=2", "[MASK] love [MASK]", "no mask");
    outcome ids = RUN(NULL, "masked.bin", "--json", "--top=2", "--ids", "2 4 8 4 3");
    cr_expect_eq(text.code, 1);
    cr_expect(strstr(text.err, "argument 2: there is no mask token in the text; write [MASK] where"), "%s", text.err);
    json_t *a = all_objects(&text), *b = all_objects(&ids);
    const json_t *masks = json_object_get(json_array_get(a, 0), "masks"),
                 *same = json_object_get(json_array_get(b, 0), "masks");
    cr_assert_eq(json_array_size(masks), 2);
    cr_expect(strstr(word(json_array_get(a, 1), "error"), "argument 2: "));
    for (size_t m = 0; m < 2; m++) {
        const json_t *ours = json_array_get(masks, m), *theirs = json_array_get(same, m);
        cr_expect_eq(number(ours, "position"), m ? 3 : 1);
        for (size_t i = 0; i < 2; i++) {
            const json_t *left = json_array_get(json_object_get(ours, "candidates"), i);
            const json_t *right = json_array_get(json_object_get(theirs, "candidates"), i);
            cr_expect_eq(number(left, "id"), number(right, "id"));
            cr_expect_eq(number(left, "score"), number(right, "score"));
        }
    }
    const json_t *first = json_array_get(json_object_get(json_array_get(masks, 0), "candidates"), 0);
    cr_expect_str_eq(word(first, "token"), "paris");
    cr_expect_str_eq(word(first, "text"), "paris love [MASK]");
    json_decref(a);
    json_decref(b);
    free_outcome(&run);
    free_outcome(&text);
    free_outcome(&ids);
}

/* A text and its ids have the same class; a pair has other types than one text. */
Test(analysis, classes_of_texts) {
    checkpoint c = make_body();
    add_linear(&c, "bert.pooler.dense", D, D);
    add_linear(&c, "classifier", 3, D);
    pack_with_vocabulary("classes", "BertForSequenceClassification", &c);
    outcome texts = RUN("I love Paris\na\tb\n\na\tb\tc\n", "classes.bin", "--json");
    outcome ids = RUN("2 7 8 9 3\n2 5 3\t6 3\n2 3\n2 5 3 6 3\n", "classes.bin", "--json", "--ids");
    cr_expect_eq(texts.code, 1);
    cr_expect_eq(ids.code, 0, "%s", ids.err);
    cr_expect(strstr(texts.err, "line 4: a pair is two texts with one tab"), "%s", texts.err);
    json_t *a = all_objects(&texts), *b = all_objects(&ids);
    for (size_t i = 0; i < 3; i++) cr_expect(json_equal(json_array_get(a, i), json_array_get(b, i)), "line %zu", i + 1);
    cr_expect_neq(number(json_array_get(b, 1), "score"), number(json_array_get(b, 3), "score"), "types count");
    char answer[64]; /* the first line's, as the prompt gives it */
    snprintf(answer, sizeof answer, "%s\t%.6f\t", word(json_array_get(a, 0), "label"),
             number(json_array_get(a, 0), "probability"));
    json_decref(a);
    json_decref(b);
    /* Too long for the model; cut, it keeps its last token. */
    char lengthy[400] = "";
    for (int i = 0; i < 40; i++) strcat(lengthy, "love ");
    outcome refused = RUN(NULL, "classes.bin", lengthy);
    expect_run(&refused, 1, "\n");
    cr_expect(strstr(refused.err, "argument 1: the input has 42 tokens, 32 at most"), "%s", refused.err);
    lengthy[5 * 30] = 0;
    outcome whole = RUN(NULL, "classes.bin", lengthy);
    strcat(lengthy, "love love");
    outcome cut = RUN(NULL, "classes.bin", "--truncate", lengthy);
    expect_run(&cut, 0, whole.out);
    /* At the prompt too. */
    const char *const words[] = {tfmrun_path(), "classes.bin", NULL};
    child terminal = start_on_terminal(words);
    expect(&terminal, "> ");
    send_text(&terminal, "I love Paris\r");
    expect(&terminal, answer);
    expect(&terminal, "> ");
    send_text(&terminal, "/set num-beams 2\r");
    expect(&terminal, "an encoder-only model generates no text");
    expect(&terminal, "> ");
    send_text(&terminal, "/quit\r");
    cr_expect_eq(end_child(&terminal, NULL), 0);
    outcome *runs[] = {&texts, &ids, &refused, &whole, &cut};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) free_outcome(runs[i]);
}

Test(analysis, classes_of_tokens) {
    checkpoint c = make_body();
    add_linear(&c, "classifier", 3, D);
    pack_with_vocabulary("tokens", "BertForTokenClassification", &c);
    outcome text = RUN("I love playing chess3\n\n", "tokens.bin", "--classify"),
            json = RUN("i love playing chess3\n", "tokens.bin", "--json");
    cr_assert_eq(text.code + json.code, 0, "%s%s", text.err, json.err);
    json_t *objects = all_objects(&json);
    const json_t *tokens = json_object_get(json_array_get(objects, 0), "tokens");
    static const char *const pieces[] = {"i", "love", "playing", "chess", "##3"};
    cr_assert_eq(json_array_size(tokens), 5, "%s", json.out);
    char expected[300] = "";
    for (size_t i = 0; i < 5; i++) {
        const json_t *token = json_array_get(tokens, i);
        cr_expect_str_eq(word(token, "token"), pieces[i]);
        cr_expect(number(token, "probability") > 1.0 / 3 - 1e-6);
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s%s/%s", i ? " " : "", pieces[i],
                 word(token, "label"));
    }
    strcat(expected, "\n\n");
    cr_expect_str_eq(text.out, expected);
    json_decref(objects);
    free_outcome(&text);
    free_outcome(&json);
}

/* ---- streams and refusals ---- */

Test(analysis, lines_are_answered_at_a_pause) {
    const char *const words[] = {tfmrun_path(), golden_model("roberta"), "--ids", "--embed", NULL};
    child c = start_piped(words);
    send_text(&c, "0 5 2\n0");
    expect(&c, "]}\n");
    send_text(&c, " 6 2\n");
    expect(&c, "]}\n");
    close(c.in);
    c.in = c.out;
    cr_expect_eq(end_child(&c, NULL), 0);
}

/* Many lines in many windows: the results of the lines alone, in order. */
Test(analysis, windows_do_not_matter) {
    enum { N = 3000 };
    const char *model = golden_model("distilbert");
    char *lines = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    for (int i = 0; i < N; i++) {
        for (int t = 0; t <= i % 13; t++) fprintf(out, "%d ", (i * 7 + t * 31) % 200);
        fputc('\n', out);
    }
    fclose(out);
    outcome all = RUN(lines, model, "--ids", "--format=f32"),
            few = RUN(lines, model, "--ids", "--format=f32", "--batch-tokens=32", "--threads=1");
    cr_assert_eq(all.n_out, N * 64 * sizeof(float));
    cr_assert_eq(few.n_out, all.n_out);
    cr_expect_arr_eq(few.out, all.out, all.n_out);
    for (int i = 0; i < N; i += 1499) {
        char line[200] = "";
        for (int t = 0; t <= i % 13; t++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%d ", (i * 7 + t * 31) % 200);
        outcome one = RUN(NULL, model, "--ids", "--format=f32", line);
        cr_expect_eq(one.n_out, 64 * sizeof(float));
        cr_expect_arr_eq(one.out, all.out + (size_t)i * 64 * sizeof(float), 64 * sizeof(float), "line %d", i + 1);
        free_outcome(&one);
    }
    free(lines);
    free_outcome(&all);
    free_outcome(&few);
}

static void refuse(const char *model, const char *option, const char *more, const char *message) {
    outcome run = more ? RUN("", model, option, more, "--ids") : RUN("", model, option, "--ids");
    cr_expect_eq(run.code, 2, "%s %s: status %d", option, more ? more : "", run.code);
    cr_expect_str_eq(run.out, "");
    cr_expect(strstr(run.err, message), "%s %s: %s", option, more ? more : "", run.err);
    free_outcome(&run);
}

Test(analysis, refusals_name_the_option) {
    const char *model = golden_model("distilbert");
    refuse(model, "--fill-mask", NULL, "--fill-mask: this model cannot fill masks");
    refuse(model, "--classify", NULL, "--classify: this model has no classes");
    refuse(model, "--embed", "--similarity", "--embed and --similarity: one at a time");
    refuse(model, "--top=3", NULL, "--top goes with --fill-mask or --classify, not with --embed");
    refuse(model, "--similarity", "--format=npy", "--format goes with --embed, not with --similarity");
    refuse(model, "--json", "--format=f32", "--json and --format f32 contradict each other");
    refuse(model, "--num-beams=2", NULL, "--num-beams is for models that generate text; this one is encoder-only");
    refuse(model, "--attention=x.svg", NULL, "--attention is for models that generate text");
    model = golden_model("bert-mlm");
    refuse(model, "--fill-mask", NULL, "the mask token is not known; give --mask-id ID");
    refuse(model, "--mask-id=200", NULL, "--mask-id: the model has no token 200; its ids are 0 to 199");
    refuse(model, "--mask-id=[MASK]", NULL, "--mask-id: '[MASK]' is a token's name, and the model has no tokenizer");
    refuse(shipped_model(), "--embed", NULL,
           "--embed is for encoder-only models; this one is of kind 'encoder-decoder'");
    refuse(shipped_model(), "--pooling=cls", NULL, "--pooling is for encoder-only models");
}
