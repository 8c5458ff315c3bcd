/* gemm_test.c - products with packed weights, against double precision, the scalar table and themselves row by row. */
#include "checker.h"

#include <string.h>

typedef struct product {
    tfm_matrix w;
    tfm_gemm_args args;
    size_t m, row0, row1, panel0, panel1, n_c;
    float *weights; /* (n, k), as the packed type holds them */
} product;

/* Packs random weights (n, k) into a buffer that ends at a guard page; weights get what the panels hold. */
static void make_weights(check_case *c, product *p, size_t n, size_t k, tfm_dtype dtype) {
    size_t panels = tfm_panel_count(n), panel_bytes = k * TFM_PANEL * tfm_dtype_size(dtype);
    char *data = check_aligned(c, panels * panel_bytes);
    p->weights = check_floats(c, n * k);
    check_fill(c, p->weights, n * k);
    for (size_t i = 0; i < panels; i++) {
        size_t rows = n - i * TFM_PANEL < TFM_PANEL ? n - i * TFM_PANEL : TFM_PANEL;
        float *from = p->weights + i * TFM_PANEL * k;
        tfm_panel_pack(from, k, rows, k, dtype, data + i * panel_bytes);
        tfm_panel_unpack(data + i * panel_bytes, dtype, rows, k, from, k);
    }
    p->w = (tfm_matrix){data, dtype, n, k};
}

static float *make_rows(check_case *c, size_t m, size_t n, size_t *stride) {
    *stride = n + (check_chance(c, 50) ? check_below(c, 9) : 0);
    size_t extent = check_extent(m, n, *stride);
    float *x = check_floats(c, extent);
    check_fill(c, x, extent);
    return x;
}

static void make_product(check_case *c, product *p, bool plain) {
    size_t n = check_size(c, 150), k = check_chance(c, 5) ? check_between(c, 1000, 2500) : check_size(c, 300);
    size_t m = k > 900 ? check_size(c, 3) : check_chance(c, 10) ? check_size(c, 120) : check_size(c, 20);
    while (m * n * k > 600000) m /= 2;
    *p = (product){.m = m};
    make_weights(c, p, n, k, (tfm_dtype)check_below(c, TFM_BF16 + 1));
    tfm_gemm_args *g = &p->args;
    g->w = &p->w;
    g->a = make_rows(c, m, k, &g->a_stride);
    g->c_stride = n + (check_chance(c, 50) ? check_below(c, 9) : 0);
    p->n_c = check_extent(m, n, g->c_stride);
    g->scale = 1.0f;
    p->row1 = m;
    p->panel1 = tfm_panel_count(n);
    if (plain) return;
    if (check_chance(c, 50)) {
        float *bias = check_floats(c, n);
        check_fill(c, bias, n);
        g->bias = bias;
    }
    g->act = (tfm_activation)check_below(c, TFM_ACT_COUNT);
    if (check_chance(c, 40)) g->mul = make_rows(c, m, n, &g->mul_stride);
    if (check_chance(c, 40)) g->scale = check_uniform(c, -3, 3);
    if (check_chance(c, 40)) g->residual = make_rows(c, m, n, &g->residual_stride);
    if (check_chance(c, 60)) {
        p->row1 = check_between(c, 0, m);
        p->row0 = check_between(c, 0, p->row1);
        p->panel1 = check_between(c, 0, p->panel1);
        p->panel0 = check_between(c, 0, p->panel1);
    }
}

/* Runs the product into a fresh buffer. */
static float *run(check_case *c, product *p, const tfm_kernels *k) {
    float *out = check_floats(c, p->n_c);
    p->args.c = out;
    k->gemm(&p->args, p->row0, p->row1, p->panel0, p->panel1);
    return out;
}

static bool in_range(const void *context, size_t i) {
    const product *p = context;
    size_t row = i / p->args.c_stride, column = i % p->args.c_stride;
    return row >= p->row0 && row < p->row1 && column < p->w.n && column / TFM_PANEL >= p->panel0 &&
           column / TFM_PANEL < p->panel1;
}

/* One element in double, with a bound on the kernel's error carried through every step. */
static void check_element(check_case *c, const product *p, size_t row, size_t column, float got) {
    const tfm_gemm_args *g = &p->args;
    double y = 0, size = 0, bound, k = (double)p->w.k;
    for (size_t i = 0; i < p->w.k; i++) {
        double term = (double)g->a[row * g->a_stride + i] * (double)p->weights[column * p->w.k + i];
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
    product p;
    make_product(c, &p, false);
    float *got = run(c, &p, k), *expected = run(c, &p, check_scalar());
    check_untouched(c, "gemm", got, p.n_c, in_range, &p);
    for (size_t i = 0; i < p.n_c && !c->failed; i++) {
        if (!in_range(&p, i)) continue;
        check_element(c, &p, i / p.args.c_stride, i % p.args.c_stride, got[i]);
        check_equal(c, "gemm", got + i, expected + i, 1);
    }
    if (c->failed || !p.args.residual) return;
    /* The residual may be the output itself. */
    memcpy(got, expected, p.n_c * sizeof *got);
    for (size_t r = 0; r < p.m; r++)
        memcpy(got + r * p.args.c_stride, p.args.residual + r * p.args.residual_stride, p.w.n * sizeof *got);
    p.args.c = got;
    p.args.residual = got;
    p.args.residual_stride = p.args.c_stride;
    k->gemm(&p.args, p.row0, p.row1, p.panel0, p.panel1);
    for (size_t i = 0; i < p.n_c && !c->failed; i++)
        if (in_range(&p, i)) check_equal(c, "gemm in place", got + i, expected + i, 1);
}

/* Any cut into rows and panels gives the bits of the whole. */
void check_gemm_rows(check_case *c, const tfm_kernels *k) {
    product p;
    make_product(c, &p, true);
    float *whole = run(c, &p, k), *pieces = check_floats(c, p.n_c);
    p.args.c = pieces;
    size_t panels = tfm_panel_count(p.w.n);
    for (size_t row = 0; row < p.m;) {
        size_t n_rows = check_chance(c, 50) ? 1 : check_between(c, 1, p.m - row);
        for (size_t panel = 0; panel < panels;) {
            size_t n = check_between(c, 1, panels - panel);
            k->gemm(&p.args, row, row + n_rows, panel, panel + n);
            panel += n;
        }
        row += n_rows;
    }
    check_equal(c, "gemm in pieces", pieces, whole, p.n_c);
}

/* Infinities and NaN go where IEEE arithmetic takes them, and nowhere else. */
void check_gemm_special(check_case *c, const tfm_kernels *k) {
    static const float values[] = {INFINITY, -INFINITY, NAN, 0x1p127f, -0x1p127f, 0x1p-140f, -0.0f};
    product p;
    make_product(c, &p, true);
    if (p.m == 0 || p.w.n == 0 || p.w.k == 0) return;
    float *a = check_floats(c, check_extent(p.m, p.w.k, p.args.a_stride));
    memcpy(a, p.args.a, check_extent(p.m, p.w.k, p.args.a_stride) * sizeof *a);
    size_t row = check_below(c, p.m);
    for (size_t i = check_between(c, 1, 3); i > 0; i--)
        a[row * p.args.a_stride + check_below(c, p.w.k)] = values[check_below(c, sizeof values / sizeof values[0])];
    float *before = run(c, &p, k);
    p.args.a = a;
    float *got = run(c, &p, k), *expected = run(c, &p, check_scalar());
    check_equal(c, "gemm with special values", got, expected, p.n_c);
    for (size_t r = 0; r < p.m; r++)
        if (r != row)
            check_equal(c, "gemm row without special values", got + r * p.args.c_stride, before + r * p.args.c_stride,
                        p.w.n);
}
