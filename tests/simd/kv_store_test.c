/* kv_store_test.c - the kernel that stores keys and values in pages. */
#include "checker.h"

#include <string.h>

#include "kv_case.h"

/* Position p's row, as the reference has it, in the pages at `data`. */
static void place_reference(const kv_case *t, char *data, size_t p, void *elements, float *held) {
    size_t size = tfm_number_bytes(t->dtype), lane = p % TFM_PANEL;
    char *page = data + t->pages[p / TFM_PANEL] * t->page_stride;
    float scale = kv_case_row(t->dtype, t->key + p * t->head_dim, t->head_dim, elements, held);
    if (t->dtype == TFM_I8) memcpy(page + t->layout.k_scale + lane * sizeof scale, &scale, sizeof scale);
    for (size_t d = 0; d < t->head_dim; d++)
        memcpy(page + t->layout.k + (d * TFM_PANEL + lane) * size, (char *)elements + d * size, size);
    scale = kv_case_row(t->dtype, t->value + p * t->head_dim, t->head_dim, elements, held);
    if (t->dtype == TFM_I8) memcpy(page + t->layout.v_scale + lane * sizeof scale, &scale, sizeof scale);
    for (size_t d = 0; d < tfm_panel_count(t->head_dim) * TFM_PANEL; d++) {
        char *to = page + t->layout.v + (d / TFM_PANEL * TFM_PANEL + lane) * TFM_PANEL * size + d % TFM_PANEL * size;
        memset(to, 0, size);
        if (d < t->head_dim) memcpy(to, (char *)elements + d * size, size);
    }
}

/* Now and then numbers that the cache's type cannot hold. NaN only where its bits cannot show. */
static void make_odd(check_case *c, const kv_case *t, float *x) {
    static const float values[] = {INFINITY, -INFINITY, 65519.9f, 65520.0f, 1e30f, 3e-8f, 0x1p-25f, 1e-40f, NAN};
    size_t n = t->n_positions * t->head_dim;
    for (size_t i = 0; i < n; i++)
        if (check_chance(c, 3)) x[i] = values[check_below(c, t->dtype == TFM_I8 ? 9 : 8)];
    for (size_t p = 0; p < t->n_positions; p++) { /* whole rows too small for a factor, and rows of zeros */
        bool tiny = check_chance(c, 5), zero = check_chance(c, 5);
        for (size_t d = 0; d < t->head_dim && (tiny || zero); d++) x[p * t->head_dim + d] *= zero ? 0.0f : 0x1p-130f;
    }
}

/* Stores rows at a random place in two runs, and looks at every byte of the cache. */
void check_kv_store(check_case *c, const tfm_kernels *k) {
    kv_case t;
    size_t n_positions = check_size(c, 60), head_dim = check_chance(c, 20) ? 64 : check_size(c, 40);
    kv_case_make(c, &t, n_positions, head_dim);
    if (check_chance(c, 30)) {
        make_odd(c, &t, t.key);
        make_odd(c, &t, t.value);
    }
    size_t first = check_between(c, 0, n_positions), end = check_between(c, first, n_positions);
    size_t middle = check_between(c, first, end), stride = head_dim;
    const float *key = t.key + first * stride, *value = t.value + first * stride;
    tfm_kv_view view = kv_case_view(&t);
    k->kv_store(&view, first, middle - first, head_dim, key, stride, value, stride);
    k->kv_store(&view, middle, end - middle, head_dim, key + (middle - first) * stride, stride,
                value + (middle - first) * stride, stride);
    char *expected = check_aligned(c, t.extent);
    memset(expected, 0xff, t.extent);
    void *elements = check_aligned(c, head_dim * sizeof(float));
    float *held = check_floats(c, head_dim);
    for (size_t p = first; p < end; p++) place_reference(&t, expected, p, elements, held);
    for (size_t i = 0; i < t.extent && !c->failed; i += sizeof(float)) {
        float got, wanted;
        memcpy(&got, t.data + i, sizeof got);
        memcpy(&wanted, expected + i, sizeof wanted);
        if (memcmp(&got, &wanted, sizeof got) != 0 && !(t.dtype == TFM_I8 && isnan(got) && isnan(wanted)))
            check_fail(c, "kv_store, %s: byte %zu of a page: got %a, expected %a", tfm_dtype_name(t.dtype),
                       i % t.page_stride, (double)got, (double)wanted);
    }
}
