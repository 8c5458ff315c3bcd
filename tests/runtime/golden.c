/*
 * golden.c - holds the runtime against checkpoints with known results.
 *
 * usage: golden FOLDER...
 *
 * A folder is a checkpoint in Hugging Face's layout with expected/expected.safetensors (states and logits) and
 * expected/expected.json (inputs, generation settings and what they give). It is packed as f32 to a scratch file and
 * run; every array and every generation case is a test of its own. Inputs run one by one and all together.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/common/safetensors.h"
#include "../../tools/pack/pack.h"
#include "golden_settings.h"
#include "outputs.h"
#include "tap.h"

#define TOLERANCE 1e-4

typedef struct golden {
    const char *path, *name;
    json_t *expected;
    tfm_safetensors *arrays;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    size_t n;
    tfm_tokens *inputs, *decoder_inputs;
    float **encoded, **states, **logits; /* [2 n]: of input i alone, of input i in the batch */
    size_t d_model, vocab_size;
    tfm_error error;
} golden;

static char *join(const char *folder, const char *file) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, file) < 0) tap_bail_out("no memory");
    return path;
}

static void *allocate(size_t n, size_t size) {
    void *memory = calloc(n ? n : 1, size);
    if (!memory) tap_bail_out("no memory");
    return memory;
}

/* ---- opening ---- */

static bool pack_and_open(golden *g) {
    const char *scratch = getenv("TMPDIR");
    char *file = join(scratch ? scratch : "/tmp", "tfm-golden-XXXXXX.bin");
    int fd = mkstemps(file, 4);
    if (fd < 0) tap_bail_out("cannot make %s", file);
    close(fd);
    tfm_pack_request request = {.source = g->path, .out = file, .force = true, .options = {.dtype = TFM_F32}};
    tfm_status status = tfm_pack(&request, &g->error);
    if (!status) status = tfm_model_open(&g->model, file, NULL, &g->error);
    unlink(file);
    free(file);
    tfm_session_params params = tfm_session_params_default();
    params.pool = g->pool;
    params.max_batch_tokens = 1 << 14;
    if (!status) status = tfm_session_create(&g->session, g->model, &params, &g->error);
    return tap_ok(!status, "%s: packed and opened%s%s", g->name, status ? ": " : "", status ? g->error.message : "");
}

static tfm_tokens read_ids(const json_t *list) {
    size_t n = json_array_size(list);
    int32_t *ids = allocate(n, sizeof *ids);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (tfm_tokens){ids, n};
}

static bool read_expected(golden *g) {
    char *path = join(g->path, "expected/expected.json");
    json_error_t json_error;
    g->expected = json_load_file(path, 0, &json_error);
    if (!g->expected) tap_note("%s: %s", path, json_error.text);
    free(path);
    path = join(g->path, "expected/expected.safetensors");
    tfm_status status = tfm_safetensors_open(&g->arrays, path, &g->error);
    if (status) tap_note("%s", g->error.message);
    free(path);
    const json_t *sequences = json_object_get(g->expected, "sequences");
    const json_t *decoder_sequences = json_object_get(g->expected, "decoder_sequences");
    g->n = json_array_size(sequences);
    bool ok = !status && g->n > 0 && json_array_size(decoder_sequences) == g->n &&
              json_array_size(json_object_get(g->expected, "generate")) > 0;
    g->inputs = allocate(g->n, sizeof *g->inputs);
    g->decoder_inputs = allocate(g->n, sizeof *g->decoder_inputs);
    for (size_t i = 0; ok && i < g->n; i++) {
        g->inputs[i] = read_ids(json_array_get(sequences, i));
        g->decoder_inputs[i] = read_ids(json_array_get(decoder_sequences, i));
    }
    return tap_ok(ok, "%s: expected results of an encoder-decoder are there", g->name);
}

/* ---- states and logits ---- */

/* Runs inputs first .. first + n - 1 together; their results go to slots at + first, ... */
static tfm_status run(golden *g, size_t first, size_t n, size_t at) {
    int32_t *sources = allocate(n, sizeof *sources), sequence;
    tfm_span *spans = allocate(n, sizeof *spans);
    tfm_status status = tfm_encode(g->session, g->inputs + first, n, sources, g->encoded + at + first, &g->error);
    bool encoded = !status;
    for (size_t i = 0; !status && i < n; i++) {
        status = tfm_sequence_new(g->session, sources[i], &sequence, &g->error);
        const tfm_tokens *tokens = &g->decoder_inputs[first + i];
        spans[i] = (tfm_span){.sequence = sequence,
                              .ids = tokens->ids,
                              .n = tokens->n,
                              .logits = g->logits[at + first + i],
                              .states = g->states[at + first + i],
                              .all_logits = true};
    }
    if (!status) status = tfm_decode(g->session, spans, n, &g->error);
    for (size_t i = 0; encoded && i < n; i++) {
        tfm_sequence_free(g->session, spans[i].sequence);
        tfm_source_free(g->session, sources[i]);
    }
    free(sources);
    free(spans);
    return status;
}

/* rows[i] (lengths[i].n, width) against the array (n, longest, width). */
static void compare(golden *g, const char *array, float *const *rows, const tfm_tokens *lengths, size_t width) {
    float *expected = NULL;
    const tfm_st_tensor *tensor = NULL;
    tfm_status status = tfm_safetensors_load_f32(g->arrays, array, &expected, &tensor, &g->error);
    if (status) {
        tap_ok(false, "%s: %s: %s", g->name, array, g->error.message);
        return;
    }
    bool fits = tensor->rank == 3 && tensor->shape[0] == g->n && tensor->shape[2] == width;
    double largest = 0;
    for (size_t i = 0; fits && i < g->n; i++) {
        if (lengths[i].n > tensor->shape[1]) fits = false;
        for (size_t j = 0; fits && j < lengths[i].n * width; j++) {
            double difference = fabs((double)rows[i][j] - (double)expected[i * tensor->shape[1] * width + j]);
            if (!(difference <= largest)) largest = difference;
        }
    }
    free(expected);
    tap_ok(fits && largest <= TOLERANCE, "%s: %s: largest difference %.3g%s", g->name, array, largest,
           fits ? "" : " (shapes differ)");
}

static void check_arrays(golden *g) {
    size_t n = g->n;
    g->encoded = allocate(2 * n, sizeof *g->encoded);
    g->states = allocate(2 * n, sizeof *g->states);
    g->logits = allocate(2 * n, sizeof *g->logits);
    for (size_t i = 0; i < 2 * n; i++) {
        g->encoded[i] = allocate(g->inputs[i % n].n * g->d_model, sizeof(float));
        g->states[i] = allocate(g->decoder_inputs[i % n].n * g->d_model, sizeof(float));
        g->logits[i] = allocate(g->decoder_inputs[i % n].n * g->vocab_size, sizeof(float));
    }
    tfm_status status = run(g, 0, n, n);
    for (size_t i = 0; !status && i < n; i++) status = run(g, i, 1, 0);
    if (!tap_ok(!status, "%s: encoded and decoded%s%s", g->name, status ? ": " : "", status ? g->error.message : ""))
        return;
    compare(g, "batch.encoder_last_hidden_state", g->encoded, g->inputs, g->d_model);
    compare(g, "batch.decoder_last_hidden_state", g->states, g->decoder_inputs, g->d_model);
    compare(g, "batch.logits", g->logits, g->decoder_inputs, g->vocab_size);
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        same &= !memcmp(g->encoded[i], g->encoded[n + i], g->inputs[i].n * g->d_model * sizeof(float));
        same &= !memcmp(g->states[i], g->states[n + i], g->decoder_inputs[i].n * g->d_model * sizeof(float));
        same &= !memcmp(g->logits[i], g->logits[n + i], g->decoder_inputs[i].n * g->vocab_size * sizeof(float));
    }
    tap_ok(same, "%s: the same bits alone and in the batch", g->name);
}

/* ---- generation ---- */

static void note_ids(const char *what, const int32_t *ids, size_t n) {
    printf("#   %s:", what);
    for (size_t i = 0; i < n; i++) printf(" %d", ids[i]);
    putchar('\n');
}

/* One hypothesis against the expected one; says what is wrong. */
static bool check_hypothesis(size_t input, const output *got, const json_t *expected, double *largest) {
    tfm_tokens ids = read_ids(json_object_get(expected, "new_ids"));
    bool ended = json_is_true(json_object_get(expected, "ended_with_eos"));
    const json_t *score = json_object_get(expected, "sequences_score");
    bool ok = got->n == ids.n && !memcmp(got->ids, ids.ids, ids.n * sizeof *ids.ids);
    if (!ok) {
        tap_note("input %zu:", input);
        note_ids("expected", ids.ids, ids.n);
        note_ids("got", got->ids, got->n);
    }
    free((void *)ids.ids);
    if (got->ended != ended) {
        tap_note("input %zu: ended is %d, expected %d", input, got->ended, ended);
        ok = false;
    }
    if (score) {
        double difference = fabs(got->score - json_number_value(score));
        if (!(difference <= *largest)) *largest = difference;
        if (!(difference <= TOLERANCE)) {
            tap_note("input %zu: score %.9g, expected %.9g", input, got->score, json_number_value(score));
            ok = false;
        }
    }
    return ok;
}

static bool check_outputs(const outputs *got, const json_t *expected, double *largest) {
    bool ok = json_array_size(expected) == got->n;
    for (size_t i = 0; i < got->n; i++) {
        const json_t *hypotheses = json_array_get(expected, i);
        if (json_array_size(hypotheses) != got->counts[i]) {
            tap_note("input %zu: %zu hypotheses, expected %zu", i, got->counts[i], json_array_size(hypotheses));
            ok = false;
            continue;
        }
        for (size_t j = 0; j < got->counts[i]; j++)
            ok &= check_hypothesis(i, outputs_at(got, i, j), json_array_get(hypotheses, j), largest);
    }
    return ok;
}

static void check_case(golden *g, const json_t *item, const tfm_input *inputs, size_t n) {
    const char *name = json_string_value(json_object_get(item, "name"));
    golden_settings settings = {.params = tfm_generate_params_default(g->model)};
    char why[200] = "";
    outputs *together = NULL, *singly = NULL;
    bool ok = golden_settings_apply(&settings, json_object_get(item, "kwargs"), why) &&
              golden_settings_match(&settings, json_object_get(item, "effective"), why);
    double largest = -1; /* no scores */
    if (ok) {
        tfm_status status = outputs_generate(g->session, inputs, n, &settings.params, &together, &g->error);
        if (!status) status = outputs_generate_singly(g->session, inputs, n, &settings.params, &singly, &g->error);
        if (status) snprintf(why, sizeof why, "%.190s", g->error.message);
        ok = !status && check_outputs(together, json_object_get(item, "outputs"), &largest);
        if (ok && !outputs_same(together, singly)) {
            snprintf(why, sizeof why, "one by one the results differ");
            ok = false;
        }
    }
    if (ok && largest >= 0) snprintf(why, sizeof why, "scores within %.3g", largest);
    tap_ok(ok, "%s: generate %s%s%s", g->name, name ? name : "?", *why ? ": " : "", why);
    outputs_free(&together);
    outputs_free(&singly);
    golden_settings_free(&settings);
}

/* Generation starts from `prompts` where they are, else from `sequences`. */
static void check_generation(golden *g) {
    const json_t *prompts = json_object_get(g->expected, "prompts");
    if (!prompts) prompts = json_object_get(g->expected, "sequences");
    size_t n = json_array_size(prompts), index;
    tfm_input *inputs = allocate(n, sizeof *inputs);
    for (size_t i = 0; i < n; i++) {
        tfm_tokens ids = read_ids(json_array_get(prompts, i));
        inputs[i] = (tfm_input){.ids = ids.ids, .n = ids.n};
    }
    json_t *item;
    json_array_foreach(json_object_get(g->expected, "generate"), index, item) check_case(g, item, inputs, n);
    for (size_t i = 0; i < n; i++) free((void *)inputs[i].ids);
    free(inputs);
}

/* ---- folders ---- */

static void release(golden *g) {
    for (size_t i = 0; i < g->n; i++) {
        free((void *)g->inputs[i].ids);
        free((void *)g->decoder_inputs[i].ids);
    }
    for (size_t i = 0; g->encoded && i < 2 * g->n; i++) {
        free(g->encoded[i]);
        free(g->states[i]);
        free(g->logits[i]);
    }
    free(g->inputs);
    free(g->decoder_inputs);
    free(g->encoded);
    free(g->states);
    free(g->logits);
    tfm_session_free(&g->session);
    tfm_model_close(&g->model);
    tfm_safetensors_close(&g->arrays);
    json_decref(g->expected);
}

static void check_folder(const char *path, tfm_pool *pool) {
    const char *slash = strrchr(path, '/');
    golden g = {.path = path, .name = slash && slash[1] ? slash + 1 : path, .pool = pool};
    if (read_expected(&g) && pack_and_open(&g)) {
        tfm_model_info info = tfm_model_get_info(g.model);
        g.d_model = info.d_model;
        g.vocab_size = info.target_vocab_size;
        check_arrays(&g);
        check_generation(&g);
    }
    release(&g);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
        return 2;
    }
    tfm_pool *pool;
    tfm_error error;
    if (tfm_pool_create(&pool, 2, &error)) tap_bail_out("%s", error.message);
    for (int i = 1; i < argc; i++) check_folder(argv[i], pool);
    tfm_pool_free(&pool);
    return tap_done();
}
