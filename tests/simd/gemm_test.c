/* gemm_test.c - products with float weights, against double precision, the scalar table and themselves row by row. */
#include "checker.h"

#include <string.h>

#include "gemm_case.h"

/* Packs random weights (n, k) into a buffer that ends at a page nobody may touch; returns what the panels then hold. */
static float *make_weights(check_case *c, gemm_case *p, size_t n, size_t k) {
    tfm_dtype dtype = (tfm_dtype)check_below(c, TFM_BF16 + 1);
    size_t panels = tfm_panel_count(n), panel_bytes = tfm_panel_bytes(dtype, k);
    char *data = check_aligned(c, panels * panel_bytes);
    float *weights = check_vector(c, n * k);
    for (size_t i = 0; i < panels; i++) {
        size_t rows = n - i * TFM_PANEL < TFM_PANEL ? n - i * TFM_PANEL : TFM_PANEL;
        float *from = weights + i * TFM_PANEL * k;
        tfm_panel_pack(from, k, rows, k, dtype, data + i * panel_bytes);
        tfm_panel_unpack(data + i * panel_bytes, dtype, rows, k, from, k);
    }
    p->w = (tfm_matrix){data, dtype, n, k};
    return weights;
}

/* Returns the weights (n, k) as the packed type holds them. */
static float *make_product(check_case *c, gemm_case *p, bool plain) {
    size_t n = check_size(c, 150), k = check_chance(c, 5) ? check_between(c, 1000, 2500) : check_size(c, 300);
    size_t m = k > 900 ? check_size(c, 3) : check_chance(c, 10) ? check_size(c, 120) : check_size(c, 20);
    while (m * n * k > 600000) m /= 2;
    *p = (gemm_case){0};
    float *weights = make_weights(c, p, n, k);
    p->args.a = gemm_case_rows(c, m, k, &p->args.a_stride);
    gemm_case_make(c, p, m, plain);
    return weights;
}

/* One element in double, with a bound on the kernel's error carried through every step. */
static void check_element(check_case *c, const gemm_case *p, const float *weights, size_t row, size_t column,
                          float got) {
    const tfm_gemm_args *g = &p->args;
    double y = 0, size = 0, bound, k = (double)p->w.k;
    for (size_t i = 0; i < p->w.k; i++) {
        double term = (double)g->a[row * g->a_stride + i] * (double)weights[column * p->w.k + i];
        y += term;
        size += fabs(term);
    }
    bound = k * CHECK_U / (1 - k * CHECK_U) * size + 0x1p-126;
    if (g->bias) {
        y += g->bias[column];
        bound += CHECK_U * (fabs(y) + bound);
    }
    if (g->act != TFM_ACT_NONE) {
        double slope = 1.13; /* no activation is steeper */
        bound = slope * bound + reference_activation_bound(y, g->act) * (1 + 4 * bound);
        y = reference_activation(y, g->act);
    }
    if (g->mul) {
        double factor = g->mul[row * g->mul_stride + column];
        y *= factor;
        bound = fabs(factor) * bound * (1 + CHECK_U) + CHECK_U * fabs(y) + 0x1p-149;
    }
    y *= (double)g->scale;
    bound = fabs((double)g->scale) * bound * (1 + CHECK_U) + CHECK_U * fabs(y) + 0x1p-149;
    if (g->residual) {
        y += g->residual[row * g->residual_stride + column];
        bound += CHECK_U * (fabs(y) + bound);
    }
    check_near(c, "gemm", row * g->c_stride + column, got, y, bound);
}

void check_gemm(check_case *c, const tfm_kernels *k) {
    gemm_case p;
    const float *weights = make_product(c, &p, false);
    float *got = gemm_case_run(c, &p, k->gemm), *expected = gemm_case_run(c, &p, check_scalar()->gemm);
    check_untouched(c, "gemm", got, p.n_c, gemm_case_writes, &p);
    for (size_t i = 0; i < p.n_c && !c->failed; i++) {
        if (!gemm_case_writes(&p, i)) continue;
        check_element(c, &p, weights, i / p.args.c_stride, i % p.args.c_stride, got[i]);
        check_equal(c, "gemm", got + i, expected + i, 1);
    }
    gemm_case_check_in_place(c, &p, k->gemm, expected);
}

void check_gemm_pieces(check_case *c, const tfm_kernels *k) {
    gemm_case p;
    make_product(c, &p, true);
    gemm_case_check_pieces(c, &p, k->gemm);
}

/* Infinities and NaN go where IEEE arithmetic takes them, and nowhere else. */
void check_gemm_special(check_case *c, const tfm_kernels *k) {
    static const float values[] = {INFINITY, -INFINITY, NAN, 0x1p127f, -0x1p127f, 0x1p-140f, -0.0f};
    gemm_case p;
    make_product(c, &p, true);
    if (p.m == 0 || p.w.n == 0 || p.w.k == 0) return;
    size_t n_a = check_extent(p.m, p.w.k, p.args.a_stride), stride = p.args.c_stride, row = check_below(c, p.m);
    float *a = check_floats(c, n_a), *before = gemm_case_run(c, &p, k->gemm);
    memcpy(a, p.args.a, n_a * sizeof *a);
    for (size_t i = check_between(c, 1, 3); i > 0; i--)
        a[row * p.args.a_stride + check_below(c, p.w.k)] = values[check_below(c, sizeof values / sizeof *values)];
    p.args.a = a;
    float *got = gemm_case_run(c, &p, k->gemm), *expected = gemm_case_run(c, &p, check_scalar()->gemm);
    check_equal(c, "gemm with special values", got, expected, p.n_c);
    for (size_t r = 0; r < p.m; r++)
        if (r != row) check_equal(c, "gemm row without special values", got + r * stride, before + r * stride, p.w.n);
}
