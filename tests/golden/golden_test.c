/*
 * golden_test.c - holds the runtime against checkpoints with known results.
 *
 * usage: golden FOLDER...
 *
 * A folder is a checkpoint in Hugging Face's layout with expected/expected.safetensors (states and logits) and
 * expected/expected.json (inputs, generation settings and what they give). It is packed as f32 to a scratch file and
 * run; every array and every generation case is a test of its own. Inputs run one by one and all together.
 */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/model/model.h"
#include "tools/pack/pack.h"
#include "golden_settings.h"
#include "tests/support/outputs.h"
#include "tests/support/tap.h"

static char *join(const char *folder, const char *file) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, file) < 0) tap_bail_out("no memory");
    return path;
}

void *golden_allocate(size_t n, size_t size) {
    void *memory = calloc(n ? n : 1, size);
    if (!memory) tap_bail_out("no memory");
    return memory;
}

static tfm_tokens read_ids(const json_t *list) {
    size_t n = json_array_size(list);
    int32_t *ids = golden_allocate(n, sizeof *ids);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (tfm_tokens){ids, n};
}

tfm_tokens *golden_read_ids(const json_t *lists, size_t *n) {
    *n = json_array_size(lists);
    tfm_tokens *result = golden_allocate(*n, sizeof *result);
    for (size_t i = 0; i < *n; i++) result[i] = read_ids(json_array_get(lists, i));
    return result;
}

void golden_free_ids(tfm_tokens **lists, size_t n) {
    for (size_t i = 0; *lists && i < n; i++) free((void *)(*lists)[i].ids);
    free(*lists);
    *lists = NULL;
}

/* ---- comparing ---- */

bool golden_has(const golden *g, const char *array) {
    return json_object_get(json_object_get(g->expected, "arrays"), array) != NULL;
}

static float *load(golden *g, const char *array, const tfm_st_tensor **tensor) {
    float *expected = NULL;
    if (!tfm_safetensors_load_f32(g->arrays, array, &expected, tensor, &g->error)) return expected;
    tap_ok(false, "%s: %s: %s", g->name, array, g->error.message);
    return NULL;
}

static void widen(double *largest, const float *got, const float *expected, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - (double)expected[i]);
        if (!(difference <= *largest)) *largest = difference;
    }
}

/* Where values are so large that the reference's own float32 noise comes near the tolerance, some of that. */
static double tolerance(const golden *g, const char *array) {
    const json_t *facts = json_object_get(json_object_get(g->expected, "arrays"), array);
    double noise = json_number_value(json_object_get(facts, "hf_float32_max_abs_diff"));
    return fmax(GOLDEN_TOLERANCE, 4 * noise);
}

static void report(golden *g, const char *array, bool fits, double largest) {
    int group = strstr(array, "hidden_state") ? 0 : strstr(array, "logits") ? 1 : 2;
    g->largest[group] = fmax(g->largest[group], largest);
    tap_ok(fits && largest <= tolerance(g, array), "%s: %s: largest difference %.3g%s", g->name, array, largest,
           fits ? "" : " (shapes differ)");
}

void golden_compare(golden *g, const char *array, float *const *rows, const tfm_tokens *lengths, size_t width) {
    const tfm_st_tensor *tensor = NULL;
    float *expected = load(g, array, &tensor);
    if (!expected) return;
    uint32_t rank = lengths ? 3 : 2;
    bool fits = tensor->rank == rank && tensor->shape[0] == g->n && tensor->shape[rank - 1] == width;
    size_t longest = fits && lengths ? tensor->shape[1] : 1;
    double largest = 0;
    for (size_t i = 0; fits && i < g->n; i++) {
        size_t n = lengths ? lengths[i].n : 1;
        fits = n <= longest;
        if (fits) widen(&largest, rows[i], expected + i * longest * width, n * width);
    }
    free(expected);
    report(g, array, fits, largest);
}

void golden_compare_one(golden *g, const char *array, const float *rows, size_t n, size_t width) {
    const tfm_st_tensor *tensor = NULL;
    float *expected = load(g, array, &tensor);
    if (!expected) return;
    bool fits = tensor->rank == 2 && tensor->shape[0] == n && tensor->shape[1] == width;
    double largest = 0;
    if (fits) widen(&largest, rows, expected, n * width);
    free(expected);
    report(g, array, fits, largest);
}

void golden_cut(golden *g, bool decoder, uint32_t n) {
    tfm_stack_options *o = decoder ? &g->model->arch.decoder : &g->model->arch.encoder;
    o->n_layers = n < g->n_layers[decoder] ? n : g->n_layers[decoder];
    o->final_norm = o->n_layers == g->n_layers[decoder] ? g->final_norm[decoder] : 0;
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
    g->inputs = golden_read_ids(json_object_get(g->expected, "sequences"), &g->n);
    return tap_ok(!status && g->n > 0, "%s: expected results are there", g->name);
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
        if (!(difference <= GOLDEN_TOLERANCE)) {
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
    if (g->model->arch.kind == TFM_KIND_DECODER)
        settings.params.decoder_start_token_id = -1; /* prompts start by themselves, the setting says nothing */
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
    size_t n, index;
    tfm_tokens *ids = golden_read_ids(prompts ? prompts : json_object_get(g->expected, "sequences"), &n);
    tfm_input *inputs = golden_allocate(n, sizeof *inputs);
    for (size_t i = 0; i < n; i++) inputs[i] = (tfm_input){.ids = ids[i].ids, .n = ids[i].n};
    json_t *item;
    json_array_foreach(json_object_get(g->expected, "generate"), index, item) check_case(g, item, inputs, n);
    golden_free_ids(&ids, n);
    free(inputs);
}

/* ---- folders ---- */

static void release(golden *g) {
    golden_free_ids(&g->inputs, g->n);
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
        const tfm_architecture *o = &g.model->arch;
        g.d_model = info.d_model;
        g.vocab_size = info.target_vocab_size;
        for (int i = 0; i < 2; i++) {
            g.n_layers[i] = (i ? &o->decoder : &o->encoder)->n_layers;
            g.final_norm[i] = (i ? &o->decoder : &o->encoder)->final_norm;
        }
        switch (info.kind) {
        case TFM_KIND_ENCODER_DECODER: golden_check_seq2seq(&g); break;
        case TFM_KIND_ENCODER: golden_check_encoder(&g); break;
        case TFM_KIND_DECODER: golden_check_causal(&g); break;
        default: tap_ok(false, "%s: a model of this kind", g.name);
        }
        if (info.kind != TFM_KIND_ENCODER) check_generation(&g);
        tap_note("%s: largest difference of states %.2g, of logits %.2g, of vectors and probabilities %.2g", g.name,
                 g.largest[0], g.largest[1], g.largest[2]);
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
