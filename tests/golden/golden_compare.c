/* golden_compare.c - expected ids and arrays, and results held against them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "runtime/model/model.h"
#include "tests/support/tap.h"
#include "tests/support/tensor_values.h"

void *golden_allocate(size_t n, size_t size) {
    void *memory = calloc(n ? n : 1, size);
    if (!memory) tap_bail_out("no memory");
    return memory;
}

char *golden_join(const char *folder, const char *file) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, file) < 0) tap_bail_out("no memory");
    return path;
}

/* ---- ids ---- */

tfm_tokens golden_read_list(const json_t *list) {
    size_t n = json_array_size(list);
    int32_t *ids = golden_allocate(n, sizeof *ids);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (tfm_tokens){ids, n};
}

golden_ids golden_read_ids(const golden *g, const char *name) {
    const json_t *lists = json_object_get(g->expected, name);
    golden_ids ids = {.n = json_array_size(lists), .n_rows = json_array_size(lists)};
    ids.of = golden_allocate(ids.n, sizeof *ids.of);
    ids.row = golden_allocate(ids.n, sizeof *ids.row);
    for (size_t i = 0; i < ids.n; i++) {
        ids.of[i] = golden_read_list(json_array_get(lists, i));
        ids.row[i] = i;
    }
    return ids;
}

void golden_free_ids(golden_ids *ids) {
    for (size_t i = 0; i < ids->n; i++) free((void *)ids->of[i].ids);
    free(ids->of);
    free(ids->row);
    *ids = (golden_ids){0};
}

size_t golden_debug_input(const golden *g) {
    size_t row = (size_t)json_integer_value(json_object_get(g->expected, "debug_sequence")), i = 0;
    while (i < g->inputs.n && g->inputs.row[i] != row) i++;
    return i;
}

/* ---- arrays ---- */

bool golden_has(const golden *g, const char *array) {
    return json_object_get(json_object_get(g->expected, "arrays"), array);
}

static float *load(golden *g, const char *array, const tfm_st_tensor **tensor) {
    float *expected = NULL;
    if (load_tensor_f32(g->arrays, array, &expected, tensor, &g->error) == TFM_OK) return expected;
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

void golden_compare(golden *g, const char *array, float *const *rows, const golden_ids *inputs, size_t width) {
    const tfm_st_tensor *tensor = NULL;
    float *expected = load(g, array, &tensor);
    if (!expected) return;
    bool fits = tensor->rank == 3 && tensor->shape[0] == inputs->n_rows && tensor->shape[2] == width && inputs->n > 0;
    size_t longest = fits ? tensor->shape[1] : 0;
    double largest = 0;
    for (size_t i = 0; fits && i < inputs->n; i++) {
        size_t n = inputs->of[i].n;
        fits = n <= longest;
        if (fits) widen(&largest, rows[i], expected + inputs->row[i] * longest * width, n * width);
    }
    free(expected);
    report(g, array, fits, largest);
}

void golden_compare_by_row(golden *g, const char *array, float *const *rows, size_t width) {
    const tfm_st_tensor *tensor = NULL;
    float *expected = load(g, array, &tensor);
    if (!expected) return;
    const golden_ids *inputs = &g->inputs;
    bool fits = tensor->rank == 2 && tensor->shape[0] == inputs->n_rows && tensor->shape[1] == width && inputs->n > 0;
    double largest = 0;
    for (size_t i = 0; fits && i < inputs->n; i++) widen(&largest, rows[i], expected + inputs->row[i] * width, width);
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
