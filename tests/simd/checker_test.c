/*
 * checker_test.c - kernels that are wrong on purpose: the checks must notice each of them.
 */
#include "checker.h"

#include <criterion/criterion.h>
#include <float.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Whether any of a few cases fails; their seeds are those of the real tests. */
static bool noticed(check_fn *fn, const tfm_kernels *broken) {
    char why[sizeof((check_case *)NULL)->why];
    for (uint64_t run = 0; run < 60; run++)
        if (!check_run(fn, broken, 1 + run * 0x10001, why)) return true;
    return false;
}

/* check_NAME must notice the scalar table with one kernel of another make. */
#define NOTICES(check, kernel, broken_kernel)                                                                          \
    Test(checker, broken_kernel) {                                                                                     \
        tfm_kernels broken = *check_scalar();                                                                          \
        broken.kernel = broken_kernel;                                                                                 \
        cr_assert(noticed(check_##check, &broken));                                                                    \
    }
/* Likewise by a fault: the kernel touches what lies beyond a page's end. */
#define FAULTS(check, kernel, broken_kernel)                                                                           \
    Test(checker, broken_kernel, .signal = SIGSEGV) {                                                                  \
        tfm_kernels broken = *check_scalar();                                                                          \
        broken.kernel = broken_kernel;                                                                                 \
        noticed(check_##check, &broken);                                                                               \
    }

/* ---- products ---- */

#define PRODUCT(name) static void name(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1)

/* Off by one unit in the last place, in one element. */
PRODUCT(gemm_one_ulp) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 <= row0 || panel1 <= panel0) return;
    float *last = g->c + (row1 - 1) * g->c_stride + panel0 * TFM_PANEL;
    *last = nextafterf(*last, INFINITY);
}
NOTICES(gemm, gemm, gemm_one_ulp)

/* Writes one element past the last column. */
PRODUCT(gemm_past_columns) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 > row0 + 1 && g->c_stride > g->w->n) g->c[row0 * g->c_stride + g->w->n] = 0;
}
NOTICES(gemm, gemm, gemm_past_columns)

/* Takes every row there is, not those asked for. */
PRODUCT(gemm_ignores_range) { check_scalar()->gemm(g, row0 > 0 ? row0 - 1 : 0, row1, panel0, panel1); }
NOTICES(gemm, gemm, gemm_ignores_range)

/* Many rows go through another order of summation than one row does. */
PRODUCT(gemm_by_rows) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 - row0 < 2 || panel1 <= panel0) return;
    g->c[row0 * g->c_stride + panel0 * TFM_PANEL] *= 1 + FLT_EPSILON;
}
NOTICES(gemm_pieces, gemm, gemm_by_rows)

/* Reads one float past the activations: a case where a page ends there must fault. */
static volatile float sink;
PRODUCT(gemm_reads_past) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 > row0) sink = g->a[(row1 - 1) * g->a_stride + g->w->k];
}
FAULTS(gemm, gemm, gemm_reads_past)

/* Products of pairs saturate at 16 bits, as VPMADDUBSW has it for weights that lie as q + 128. */
PRODUCT(gemm_int_saturates) {
    check_scalar()->gemm_int(g, row0, row1, panel0, panel1);
    if (g->w->dtype != TFM_I8 || g->w->k < 2 || row1 <= row0 || panel1 <= panel0) return;
    const uint8_t *w = (const uint8_t *)g->w->data + panel0 * tfm_panel_bytes(TFM_I8, g->w->k);
    const int8_t *q = g->q->q + row0 * g->q->stride;
    int pair = w[0] * q[0] + w[1] * q[1];
    if (pair > INT16_MAX || pair < INT16_MIN) g->c[row0 * g->c_stride + panel0 * TFM_PANEL] += 1.0f;
}
NOTICES(gemm_int, gemm_int, gemm_int_saturates)

/* Takes the least weight there is in a byte, -128, for -127. */
PRODUCT(gemm_int_clips_weights) {
    tfm_matrix w = *g->w;
    tfm_gemm_args clipped = *g;
    size_t bytes = tfm_panel_count(w.n) * tfm_panel_bytes(w.dtype, w.k);
    uint8_t *data = aligned_alloc(64, bytes + 64);
    cr_assert_not_null(data);
    memcpy(data, w.data, bytes);
    if (w.dtype == TFM_I8)
        for (size_t p = 0; p < tfm_panel_count(w.n); p++)
            for (size_t i = 0; i < (w.k + 3) / 4 * 64; i++) {
                uint8_t *byte = data + p * tfm_panel_bytes(w.dtype, w.k) + i;
                *byte = *byte == 0 ? 1 : *byte;
            }
    w.data = data;
    clipped.w = &w;
    check_scalar()->gemm_int(&clipped, row0, row1, panel0, panel1);
    free(data);
}
NOTICES(gemm_int, gemm_int, gemm_int_clips_weights)

/* Many rows go through another order of operations than one row does. */
PRODUCT(gemm_int_by_rows) {
    check_scalar()->gemm_int(g, row0, row1, panel0, panel1);
    if (row1 - row0 < 2 || panel1 <= panel0) return;
    g->c[row0 * g->c_stride + panel0 * TFM_PANEL] *= 1 + FLT_EPSILON;
}
NOTICES(gemm_int_pieces, gemm_int, gemm_int_by_rows)

/* Reads past the last panel: a case where a page ends there must fault. */
PRODUCT(gemm_int_reads_past) {
    check_scalar()->gemm_int(g, row0, row1, panel0, panel1);
    sink = ((const uint8_t *)g->w->data)[tfm_panel_count(g->w->n) * tfm_panel_bytes(g->w->dtype, g->w->k)];
}
FAULTS(gemm_int, gemm_int, gemm_int_reads_past)

/* Rounds halves away from zero. */
static void quantize_rounds_away(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0,
                                 size_t row1) {
    check_scalar()->quantize(x, x_stride, k, to, row0, row1);
    for (size_t r = row0; r < row1; r++)
        for (size_t i = 0; i < k; i++) {
            float scaled = x[r * x_stride + i] * (1 / to->scale[r]);
            if (isfinite(scaled)) to->q[r * to->stride + i] = (int8_t)roundf(scaled);
        }
}
NOTICES(quantize, quantize, quantize_rounds_away)

/* Leaves what lies behind the last column. */
static void quantize_forgets_padding(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0,
                                     size_t row1) {
    check_scalar()->quantize(x, x_stride, k, to, row0, row1);
    for (size_t r = row0; r < row1 && k < to->stride; r++) to->q[r * to->stride + k] = 1;
}
NOTICES(quantize, quantize, quantize_forgets_padding)

/* Every row sees one position more than it should; the last has none more. */
static void attention_peeks(const tfm_attention_args *a) {
    tfm_attention_args b = *a;
    if (b.causal && b.query_position + b.n_query < b.n_positions) b.query_position++;
    check_scalar()->attention(&b);
}
NOTICES(attention, attention, attention_peeks)

/* Rows that come together are computed a hair differently from a row alone. */
static void attention_by_rows(const tfm_attention_args *a) {
    tfm_attention_args b = *a;
    b.scale = a->n_query > 1 ? nextafterf(a->scale, 1) : a->scale;
    check_scalar()->attention(&b);
}
NOTICES(attention_cuts, attention, attention_by_rows)

/* Leaves out the last position a row sees. */
static void attention_weights_short(const tfm_attention_args *a, float *weights, size_t weights_stride) {
    check_scalar()->attention_weights(a, weights, weights_stride);
    if (a->n_query > 0 && a->n_positions > 0) weights[a->n_positions - 1] = 0;
}
NOTICES(attention_weights, attention_weights, attention_weights_short)

static void kv_store_forgets_one(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                                 size_t key_stride, const float *value, size_t value_stride) {
    if (first > 0 && n_rows == 1) return;
    check_scalar()->kv_store(to, first, n_rows, head_dim, key, key_stride, value, value_stride);
}
NOTICES(kv_store, kv_store, kv_store_forgets_one)

/* Rounds halfway cases and all others towards zero. */
static void kv_store_truncates(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                               size_t key_stride, const float *value, size_t value_stride) {
    check_scalar()->kv_store(to, first, n_rows, head_dim, key, key_stride, value, value_stride);
    for (size_t r = 0; r < n_rows && to->dtype == TFM_I8 && head_dim > 0; r++) {
        size_t p = first + r, page = to->pages[p / TFM_PANEL] * to->page_stride;
        float scale = ((const float *)(const void *)((const char *)to->k_scale + page))[p % TFM_PANEL];
        int8_t *q = (int8_t *)to->k + page + p % TFM_PANEL;
        if (scale > 0) *q = (int8_t)(key[r * key_stride] / scale);
    }
}
NOTICES(kv_store, kv_store, kv_store_truncates)

/* Divides by n - 1. */
static void layer_norm_unbiased(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                                const float *weight, const float *bias, float eps) {
    check_scalar()->layer_norm(x, x_stride, y, y_stride, m, n, weight, bias, eps);
    for (size_t r = 0; r < m && n > 1; r++) y[r * y_stride] *= sqrtf((float)(n - 1) / (float)n);
}
NOTICES(layer_norm, layer_norm, layer_norm_unbiased)

/* Takes the mean away first, as layer norm does. */
static void rms_norm_centred(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                             const float *weight, float eps) {
    check_scalar()->layer_norm(x, x_stride, y, y_stride, m, n, weight, NULL, eps);
}
NOTICES(rms_norm, rms_norm, rms_norm_centred)

static void activate_twice_over(const float *x, float *y, size_t n, tfm_activation act, const float *mul) {
    check_scalar()->activate(x, y, n, act, mul);
    for (size_t i = 0; i < n && act == TFM_ACT_TANH && !mul; i++) y[i] = tanhf(y[i]);
}
NOTICES(activate, activate, activate_twice_over)

/* An empty row comes out as a uniform distribution. */
static void softmax_empty(float *x, size_t n) {
    check_scalar()->softmax(x, n);
    if (n > 0 && x[0] == 0 && x[n - 1] == 0 && x[n / 2] == 0) x[0] = 1;
}
NOTICES(softmax_special, softmax, softmax_empty)

/* Without the largest element taken away first, so that large ones overflow. */
static void softmax_unshifted(float *x, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] = expf(x[i]);
    for (size_t i = 0; i < n; i++) x[i] /= sum;
}
NOTICES(softmax, softmax, softmax_unshifted)

/* The logarithm of the base 2. */
static float log_sum_exp_base_2(const float *x, size_t n) { return check_scalar()->log_sum_exp(x, n) / (float)M_LN2; }
NOTICES(log_softmax, log_sum_exp, log_sum_exp_base_2)

/* Of equal elements the later one wins. */
static size_t top_k_late(const float *x, size_t n, size_t k, float *values, uint32_t *indices) {
    size_t found = check_scalar()->top_k(x, n, k, values, indices);
    for (size_t i = found > 0 ? indices[0] + 1 : n; i < n; i++)
        if (x[i] == values[0]) indices[0] = (uint32_t)i;
    return found;
}
NOTICES(top_k, top_k, top_k_late)

/* One fused step instead of two roundings. */
static void embed_fused(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                        const uint32_t *positions, float *y, size_t y_stride) {
    check_scalar()->embed_rows(table, ids, m, scale, NULL, NULL, y, y_stride);
    for (size_t r = 0; r < m && position; r++)
        for (size_t i = 0; i < table->k; i++)
            y[r * y_stride + i] = fmaf(y[r * y_stride + i], 1 + FLT_EPSILON, position[positions[r] * table->k + i]);
}
NOTICES(embed, embed_rows, embed_fused)

/* Takes the position's row before the scale. */
static void embed_scales_all(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                             const uint32_t *positions, float *y, size_t y_stride) {
    check_scalar()->embed_panels(table, ids, m, 1, position, positions, y, y_stride);
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < table->k; i++) y[r * y_stride + i] *= scale;
}
NOTICES(embed_int, embed_panels, embed_scales_all)

/* Takes the angles of the position before. */
static void rope_late(float *x, size_t x_stride, size_t m, size_t n_heads, size_t head_dim, size_t rope_dim,
                      tfm_rope_layout layout, const float *table, const uint32_t *positions) {
    uint32_t late[64];
    for (size_t r = 0; r < m && r < 64; r++) late[r] = positions[r] > 0 ? positions[r] - 1 : 0;
    check_scalar()->rope(x, x_stride, m, n_heads, head_dim, rope_dim, layout, table, late);
}
NOTICES(rope, rope, rope_late)

static void soft_cap_hard(float *x, size_t n, float cap) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] > cap ? cap : x[i] < -cap ? -cap : x[i];
}
NOTICES(soft_cap, soft_cap, soft_cap_hard)

/* Forgets what comes after the last whole vector. */
static void add_whole_vectors(float *y, const float *x, size_t n) { check_scalar()->add(y, x, n / 16 * 16); }
NOTICES(add, add, add_whole_vectors)

/* And the scalar table itself passes what the broken ones fail. */
Test(checker, scalar_passes) {
    static const struct {
        const char *name;
        check_fn *run;
    } checks[] = {
#define CHECK(name, n) {#name, check_##name},
#include "checks.def"
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        cr_assert(!noticed(checks[i].run, check_scalar()), "%s", checks[i].name);
}
