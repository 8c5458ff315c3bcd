/* checker_test.c - kernels that are wrong on purpose: the checks must notice each of them. */
#include "checker.h"

#include <criterion/criterion.h>
#include <float.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Whether any of a few cases fails; their seeds are those of the real tests. */
static bool noticed(check_fn fn, const tfm_kernels *broken) {
    char why[sizeof((check_case *)NULL)->why];
    for (uint64_t run = 0; run < 60; run++)
        if (!check_run(fn, broken, 1 + run * 0x10001, why)) return true;
    return false;
}

#define BROKEN(member, function)                                                                                       \
    tfm_kernels broken = *check_scalar();                                                                              \
    broken.member = function

/* Off by one unit in the last place, in one element. */
static void gemm_one_ulp(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 <= row0 || panel1 <= panel0) return;
    float *last = g->c + (row1 - 1) * g->c_stride + panel0 * TFM_PANEL;
    *last = nextafterf(*last, INFINITY);
}
Test(tester, gemm_one_ulp) {
    BROKEN(gemm, gemm_one_ulp);
    cr_assert(noticed(check_gemm, &broken));
}

/* Writes one element past the last column. */
static void gemm_past_columns(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 > row0 + 1 && g->c_stride > g->w->n) g->c[row0 * g->c_stride + g->w->n] = 0;
}
Test(tester, gemm_past_columns) {
    BROKEN(gemm, gemm_past_columns);
    cr_assert(noticed(check_gemm, &broken));
}

/* Takes every row there is, not those asked for. */
static void gemm_ignores_range(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm(g, row0 > 0 ? row0 - 1 : 0, row1, panel0, panel1);
}
Test(tester, gemm_ignores_range) {
    BROKEN(gemm, gemm_ignores_range);
    cr_assert(noticed(check_gemm, &broken));
}

/* Many rows go through another order of summation than one row does. */
static void gemm_by_rows(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 - row0 < 2 || panel1 <= panel0) return;
    g->c[row0 * g->c_stride + panel0 * TFM_PANEL] *= 1 + FLT_EPSILON;
}
Test(tester, gemm_by_rows) {
    BROKEN(gemm, gemm_by_rows);
    cr_assert(noticed(check_gemm_rows, &broken));
}

/* Reads one float past the activations: a case where a page ends there must fault. */
static volatile float sink;
static void gemm_reads_past(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm(g, row0, row1, panel0, panel1);
    if (row1 > row0) sink = g->a[(row1 - 1) * g->a_stride + g->w->k];
}
Test(tester, gemm_reads_past, .signal = SIGSEGV) {
    BROKEN(gemm, gemm_reads_past);
    noticed(check_gemm, &broken);
}

/* Products of pairs saturate at 16 bits, as VPMADDUBSW has it for weights that lie as q + 128. */
static void gemm_q_saturates(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm_int(g, row0, row1, panel0, panel1);
    if (g->w->dtype != TFM_I8 || g->w->k < 2 || row1 <= row0 || panel1 <= panel0) return;
    const uint8_t *w = (const uint8_t *)g->w->data + panel0 * tfm_panel_bytes(TFM_I8, g->w->k);
    const int8_t *q = g->q->q + row0 * g->q->stride;
    int pair = w[0] * q[0] + w[1] * q[1];
    if (pair > INT16_MAX || pair < INT16_MIN) g->c[row0 * g->c_stride + panel0 * TFM_PANEL] += 1.0f;
}
Test(tester, gemm_q_saturates) {
    BROKEN(gemm_int, gemm_q_saturates);
    cr_assert(noticed(check_gemm_int, &broken));
}

/* Takes the least weight there is in a byte, -128, for -127. */
static void gemm_q_clips_weights(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
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
Test(tester, gemm_q_clips_weights) {
    BROKEN(gemm_int, gemm_q_clips_weights);
    cr_assert(noticed(check_gemm_int, &broken));
}

/* Many rows go through another order of operations than one row does. */
static void gemm_q_by_rows(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm_int(g, row0, row1, panel0, panel1);
    if (row1 - row0 < 2 || panel1 <= panel0) return;
    g->c[row0 * g->c_stride + panel0 * TFM_PANEL] *= 1 + FLT_EPSILON;
}
Test(tester, gemm_q_by_rows) {
    BROKEN(gemm_int, gemm_q_by_rows);
    cr_assert(noticed(check_gemm_int_rows, &broken));
}

/* Reads past the last panel: a case where a page ends there must fault. */
static void gemm_q_reads_past(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    check_scalar()->gemm_int(g, row0, row1, panel0, panel1);
    sink = ((const uint8_t *)g->w->data)[tfm_panel_count(g->w->n) * tfm_panel_bytes(g->w->dtype, g->w->k)];
}
Test(tester, gemm_q_reads_past, .signal = SIGSEGV) {
    BROKEN(gemm_int, gemm_q_reads_past);
    noticed(check_gemm_int, &broken);
}

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
Test(tester, quantize_rounds_away) {
    BROKEN(quantize, quantize_rounds_away);
    cr_assert(noticed(check_quantize, &broken));
}

/* Leaves what lies behind the last column. */
static void quantize_forgets_padding(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0,
                                     size_t row1) {
    check_scalar()->quantize(x, x_stride, k, to, row0, row1);
    for (size_t r = row0; r < row1 && k < to->stride; r++) to->q[r * to->stride + k] = 1;
}
Test(tester, quantize_forgets_padding) {
    BROKEN(quantize, quantize_forgets_padding);
    cr_assert(noticed(check_quantize, &broken));
}

/* Every row sees one position more than it should; the last has none more. */
static void attention_peeks(const tfm_attention_args *a) {
    tfm_attention_args b = *a;
    if (b.causal && b.query_position + b.n_query < b.n_positions) b.query_position++;
    check_scalar()->attention(&b);
}
Test(tester, attention_peeks) {
    BROKEN(attention, attention_peeks);
    cr_assert(noticed(check_attention, &broken));
}

/* Rows that come together are computed a hair differently from a row alone. */
static void attention_by_rows(const tfm_attention_args *a) {
    tfm_attention_args b = *a;
    b.scale = a->n_query > 1 ? nextafterf(a->scale, 1) : a->scale;
    check_scalar()->attention(&b);
}
Test(tester, attention_depends_on_the_cut) {
    BROKEN(attention, attention_by_rows);
    cr_assert(noticed(check_attention_cuts, &broken));
}

static void kv_store_forgets_one(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                                 size_t key_stride, const float *value, size_t value_stride) {
    if (first > 0 && n_rows == 1) return;
    check_scalar()->kv_store(to, first, n_rows, head_dim, key, key_stride, value, value_stride);
}
Test(tester, kv_store_forgets) {
    BROKEN(kv_store, kv_store_forgets_one);
    cr_assert(noticed(check_kv_store, &broken));
}

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
Test(tester, kv_store_truncates) {
    BROKEN(kv_store, kv_store_truncates);
    cr_assert(noticed(check_kv_store, &broken));
}

/* Divides by n - 1. */
static void layer_norm_unbiased(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                                const float *weight, const float *bias, float eps) {
    check_scalar()->layer_norm(x, x_stride, y, y_stride, m, n, weight, bias, eps);
    for (size_t r = 0; r < m && n > 1; r++) y[r * y_stride] *= sqrtf((float)(n - 1) / (float)n);
}
Test(tester, layer_norm_unbiased) {
    BROKEN(layer_norm, layer_norm_unbiased);
    cr_assert(noticed(check_layer_norm, &broken));
}

static void activate_twice_over(const float *x, float *y, size_t n, tfm_activation act, const float *mul) {
    check_scalar()->activate(x, y, n, act, mul);
    for (size_t i = 0; i < n && act == TFM_ACT_TANH && !mul; i++) y[i] = tanhf(y[i]);
}
Test(tester, activate_twice) {
    BROKEN(activate, activate_twice_over);
    cr_assert(noticed(check_activate, &broken));
}

/* An empty row comes out as a uniform distribution. */
static void softmax_empty(float *x, size_t n) {
    check_scalar()->softmax(x, n);
    if (n > 0 && x[0] == 0 && x[n - 1] == 0 && x[n / 2] == 0) x[0] = 1;
}
Test(tester, softmax_of_nothing) {
    BROKEN(softmax, softmax_empty);
    cr_assert(noticed(check_softmax_special, &broken));
}

/* Of equal elements the later one wins. */
static size_t top_k_late(const float *x, size_t n, size_t k, float *values, uint32_t *indices) {
    size_t found = check_scalar()->top_k(x, n, k, values, indices);
    for (size_t i = found > 0 ? indices[0] + 1 : n; i < n; i++)
        if (x[i] == values[0]) indices[0] = (uint32_t)i;
    return found;
}
Test(tester, top_k_ties) {
    BROKEN(top_k, top_k_late);
    cr_assert(noticed(check_top_k, &broken));
}

/* One fused step instead of two roundings. */
static void embed_fused(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                        const uint32_t *positions, float *y, size_t y_stride) {
    check_scalar()->embed_rows(table, ids, m, scale, NULL, NULL, y, y_stride);
    for (size_t r = 0; r < m && position; r++)
        for (size_t i = 0; i < table->k; i++)
            y[r * y_stride + i] = fmaf(y[r * y_stride + i], 1 + FLT_EPSILON, position[positions[r] * table->k + i]);
}
Test(tester, embed_fused) {
    BROKEN(embed_rows, embed_fused);
    cr_assert(noticed(check_embed, &broken));
}

/* And the scalar table itself passes what the broken ones fail. */
Test(tester, scalar_passes) {
    static const check_fn checks[] = {check_gemm,     check_gemm_rows,  check_attention,        check_attention_cuts,
                                      check_kv_store, check_layer_norm, check_activate,         check_softmax_special,
                                      check_top_k,    check_embed,      check_attention_weights};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        cr_assert(!noticed(checks[i], check_scalar()), "check %zu", i);
}
