/* norm_test.c - layer norm and RMS norm. */
#include "checker.h"

typedef struct rows {
    size_t m, n, x_stride, y_stride;
    float *x;
} rows;

static rows make_rows(check_case *c) {
    rows r = {.m = check_size(c, 5), .n = check_chance(c, 10) ? check_size(c, 2000) : check_size(c, 150)};
    r.x_stride = r.n + check_below(c, 5);
    r.y_stride = r.n + check_below(c, 5);
    size_t extent = check_extent(r.m, r.n, r.x_stride);
    r.x = check_floats(c, extent);
    check_fill(c, r.x, extent);
    float offset = check_chance(c, 30) ? check_uniform(c, -5, 5) : 0.0f;
    for (size_t i = 0; i < extent; i++) r.x[i] += offset;
    return r;
}

typedef struct norm {
    rows r;
    const float *weight, *bias;
    float eps;
    bool rms;
} norm;

static void run_norm(const norm *t, const tfm_kernels *k, const float *x, size_t x_stride, float *y, size_t y_stride) {
    if (t->rms)
        k->rms_norm(x, x_stride, y, y_stride, t->r.m, t->r.n, t->weight, t->eps);
    else
        k->layer_norm(x, x_stride, y, y_stride, t->r.m, t->r.n, t->weight, t->bias, t->eps);
}

/*
 * Errors: of the mean, n roundings of |x|; of the variance, n + 4 roundings and twice the deviation the mean's error
 * makes; the factor takes half of the variance's relative error and three roundings, the last steps one each.
 */
static void check_norm_row(check_case *c, const norm *t, const float *x, const float *y) {
    double n = (double)t->r.n, mean = 0, size = 0, variance = 0;
    for (size_t i = 0; i < t->r.n; i++) {
        mean += x[i] / n;
        size += fabs(x[i]) / n;
    }
    if (t->rms) mean = 0;
    double mean_error = t->rms ? 0 : (n / 16 + 8) * CHECK_U * size;
    for (size_t i = 0; i < t->r.n; i++) variance += (x[i] - mean) * (x[i] - mean) / n;
    double total = variance + t->eps, deviation = sqrt(variance);
    double variance_error = (n / 16 + 12) * CHECK_U * variance + 2 * deviation * (mean_error + CHECK_U * size) +
                            mean_error * mean_error + CHECK_U * total;
    double factor = 1 / sqrt(total), relative = variance_error / total + 4 * CHECK_U;
    for (size_t i = 0; i < t->r.n && !c->failed; i++) {
        double d = x[i] - mean, bias = t->bias ? t->bias[i] : 0, w = fabs(t->weight[i]);
        double expected = d * factor * t->weight[i] + bias;
        double d_error = mean_error + CHECK_U * (fabs(d) + mean_error);
        double bound = w * factor * (d_error + fabs(d) * relative) * 1.01 + 2 * CHECK_U * (fabs(expected) + fabs(bias));
        check_near(c, t->rms ? "rms_norm" : "layer_norm", i, y[i], expected, bound + 0x1p-126);
    }
}

static void check_norm(check_case *c, const tfm_kernels *k, bool rms) {
    norm t = {.r = make_rows(c), .rms = rms, .eps = check_chance(c, 50) ? 1e-5f : 1e-6f};
    t.weight = check_vector(c, t.r.n);
    if (!rms && check_chance(c, 70)) t.bias = check_vector(c, t.r.n);
    size_t extent = check_extent(t.r.m, t.r.n, t.r.y_stride);
    float *got = check_floats(c, extent), *expected = check_floats(c, extent);
    run_norm(&t, k, t.r.x, t.r.x_stride, got, t.r.y_stride);
    run_norm(&t, check_scalar(), t.r.x, t.r.x_stride, expected, t.r.y_stride);
    check_padding(c, "norm", got, t.r.m, t.r.n, t.r.y_stride);
    for (size_t r = 0; r < t.r.m && !c->failed; r++) {
        check_norm_row(c, &t, t.r.x + r * t.r.x_stride, got + r * t.r.y_stride);
        check_equal(c, "norm", got + r * t.r.y_stride, expected + r * t.r.y_stride, t.r.n);
    }
    run_norm(&t, k, t.r.x, t.r.x_stride, t.r.x, t.r.x_stride);
    for (size_t r = 0; r < t.r.m && !c->failed; r++)
        check_equal(c, "norm in place", t.r.x + r * t.r.x_stride, expected + r * t.r.y_stride, t.r.n);
}

void check_layer_norm(check_case *c, const tfm_kernels *k) { check_norm(c, k, false); }
void check_rms_norm(check_case *c, const tfm_kernels *k) { check_norm(c, k, true); }
