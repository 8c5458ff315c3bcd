/*
 * gemm_int_test.c - products with int8 and int4 weights: against sums of integers and the stated float operations,
 * written out here once more from panels.h and kernels.h.
 */
#include "checker.h"

#include <string.h>

#include "gemm_case.h"

static tfm_quantized make_quantized(check_case *c, size_t m, size_t k) {
    tfm_quantized q = {.stride = tfm_quantized_stride(k)};
    size_t groups = q.stride / TFM_I4_GROUP, kind = check_below(c, 6);
    q.q = check_aligned(c, m * q.stride);
    q.scale = check_floats(c, m);
    q.sums = check_bytes(c, m * groups * sizeof *q.sums);
    check_fill(c, q.scale, m);
    if (m > 0 && check_chance(c, 10)) q.scale[check_below(c, m)] = NAN;
    memset(q.sums, 0, m * groups * sizeof *q.sums);
    for (size_t i = 0; i < m * q.stride; i++) {
        int x = (int)check_below(c, 255) - 127;
        if (kind < 2) x = kind == 0 ? 127 : -127;
        if (kind == 2) x = x < 0 ? -127 : 127;
        q.q[i] = (int8_t)(i % q.stride < k ? x : 0);
        q.sums[i / TFM_I4_GROUP] += q.q[i];
    }
    return q;
}

static void make_product(check_case *c, gemm_case *p, bool plain) {
    size_t n = check_size(c, 220), k = gemm_case_k(c);
    size_t m = check_chance(c, 20) ? check_size(c, 150) : check_size(c, 20);
    if (k > 900) n = check_size(c, 40);
    if (k > 6000) n = 1;
    while (m > 1 && m * n * k > 600000) m /= 2;
    *p = (gemm_case){.w = gemm_case_int_weights(c, n, k, check_chance(c, 50) ? TFM_I8 : TFM_I4)};
    p->q = make_quantized(c, m, k);
    gemm_case_make(c, p, m, plain);
}

static float element(const gemm_case *p, size_t row, size_t column) {
    const tfm_gemm_args *g = &p->args;
    int64_t sum = 0;
    float y = 0, scale = 0;
    if (tfm_panel_bytes(p->w.dtype, p->w.k) > 0) (void)gemm_case_weight(&p->w, column, 0, &scale);
    for (size_t c = 0; c < p->q.stride; c++) {
        if (c < p->w.k) sum += p->q.q[row * p->q.stride + c] * gemm_case_weight(&p->w, column, c, &scale);
        if (p->w.dtype == TFM_I4 && c % TFM_I4_GROUP == TFM_I4_GROUP - 1) {
            (void)gemm_case_weight(&p->w, column, c, &scale);
            y = fmaf((float)sum, scale, y);
            sum = 0;
        }
    }
    if (p->w.dtype == TFM_I8) y = (float)sum * scale;
    y = y * p->q.scale[row];
    if (g->bias) y = y + g->bias[column];
    if (g->act != TFM_ACT_NONE) check_scalar()->activate(&y, &y, 1, g->act, NULL);
    if (g->mul) y = y * g->mul[row * g->mul_stride + column];
    y = y * g->scale;
    return g->residual ? g->residual[row * g->residual_stride + column] + y : y;
}

void check_gemm_int(check_case *c, const tfm_kernels *k) {
    gemm_case p;
    make_product(c, &p, false);
    float *got = gemm_case_run(c, &p, k->gemm_int), *expected = gemm_case_run(c, &p, check_scalar()->gemm_int);
    check_untouched(c, "gemm_int", got, p.n_c, gemm_case_writes, &p);
    for (size_t i = 0; i < p.n_c && !c->failed; i++) {
        if (!gemm_case_writes(&p, i)) continue;
        check_equal(c, "gemm_int", got + i, expected + i, 1);
        if (i > 2000 && i % 7) continue; /* the reference is slow */
        float y = element(&p, i / p.args.c_stride, i % p.args.c_stride);
        check_equal(c, "gemm_int against plain sums", got + i, &y, 1);
    }
    gemm_case_check_in_place(c, &p, k->gemm_int, expected);
}

void check_gemm_int_pieces(check_case *c, const tfm_kernels *k) {
    gemm_case p;
    make_product(c, &p, true);
    gemm_case_check_pieces(c, &p, k->gemm_int);
}
