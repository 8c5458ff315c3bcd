/* rows_test.c - kernels over rows of numbers: norms, activations, softmax, top-k, embeddings, addition. */
#include "checker.h"

#include <stdlib.h>
#include <string.h>

double reference_activation(double x, tfm_activation act) {
    switch (act) {
    case TFM_ACT_RELU: return x > 0 || isnan(x) ? x : 0;
    case TFM_ACT_GELU_ERF: return x * 0.5 * erfc(-x / sqrt(2.0));
    case TFM_ACT_GELU_TANH: return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case TFM_ACT_SILU: return x / (1 + exp(-x));
    case TFM_ACT_TANH: return tanh(x);
    case TFM_ACT_NONE:
    case TFM_ACT_COUNT: break;
    }
    return x;
}

/*
 * Of x / (1 + e), e = exp(z): one and a half roundings for exp's 1.1 ulp and one each for the sum and the quotient;
 * an argument wrong by `turns` roundings moves e by that many times |z|. Where exp(z) is infinite the result is -0.
 */
static double gate_bound(double x, double z, double turns) {
    double e = exp(z), share = isinf(e) ? 1 : e / (1 + e), y = fabs(x / (1 + e));
    return (2.5 + share * (2.5 + turns * fabs(z))) * CHECK_U * y + 0x1p-125 * fabs(x);
}

/* Of x Phi(x): the fit's 2e-9, and the roundings of the exponent of the tail h, which h's size scales. */
static double gelu_erf_bound(double x) {
    double a = fabs(x), h = 0.5 * erfc(a / sqrt(2.0));
    double relative = h > 0 ? (2.5 - 4 * log(h)) * CHECK_U : 0;
    return a * h * relative + (x > 0 ? 2.5 * CHECK_U * x : 0) + 2e-9 * fmin(20 * a, 1);
}

double reference_activation_bound(double x, tfm_activation act) {
    switch (act) {
    case TFM_ACT_GELU_ERF: return gelu_erf_bound(x);
    case TFM_ACT_GELU_TANH: return gate_bound(x, -2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x), 3);
    case TFM_ACT_SILU: return gate_bound(x, -x, 0);
    case TFM_ACT_TANH: return 2.5 * CHECK_U * fabs(tanh(x));
    case TFM_ACT_RELU:
    case TFM_ACT_NONE:
    case TFM_ACT_COUNT: break;
    }
    return 0;
}

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

static float *make_vector(check_case *c, size_t n) {
    float *x = check_floats(c, n);
    check_fill(c, x, n);
    return x;
}

static bool in_row(const void *context, size_t i) {
    const rows *r = context;
    return r->n > 0 && i % r->y_stride < r->n;
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
    t.weight = make_vector(c, t.r.n);
    if (!rms && check_chance(c, 70)) t.bias = make_vector(c, t.r.n);
    size_t extent = check_extent(t.r.m, t.r.n, t.r.y_stride);
    float *got = check_floats(c, extent), *expected = check_floats(c, extent);
    run_norm(&t, k, t.r.x, t.r.x_stride, got, t.r.y_stride);
    run_norm(&t, check_scalar(), t.r.x, t.r.x_stride, expected, t.r.y_stride);
    check_untouched(c, "norm", got, extent, in_row, &t.r);
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

/* Overwrites some elements with values at the edges of what a float holds. */
static void spice(check_case *c, float *x, size_t n, bool nan) {
    static const float values[] = {INFINITY,   -INFINITY, 0x1.fffffep127f, -0x1.fffffep127f, 0x1p-149f,
                                   -0x1p-140f, 0.0f,      -0.0f,           88.75f,           -87.5f};
    for (size_t i = 0; i < n; i++)
        if (check_chance(c, 10)) x[i] = values[check_below(c, sizeof values / sizeof values[0])];
    if (nan && n > 0) x[check_below(c, n)] = NAN;
}

static const char *const activation_names[TFM_ACT_COUNT] = {"identity",    "ReLU", "GELU (erf)",
                                                            "GELU (tanh)", "SiLU", "tanh"};

void check_activate(check_case *c, const tfm_kernels *k) {
    size_t n = check_size(c, 200);
    tfm_activation act = (tfm_activation)check_below(c, TFM_ACT_COUNT);
    float *x = make_vector(c, n), *mul = check_chance(c, 40) ? make_vector(c, n) : NULL;
    float *got = check_floats(c, n), *expected = check_floats(c, n), scale = check_chance(c, 50) ? 15.0f : 1.0f;
    bool special = check_chance(c, 20);
    for (size_t i = 0; i < n; i++) x[i] *= scale;
    if (special) spice(c, x, n, check_chance(c, 50));
    k->activate(x, got, n, act, mul);
    check_scalar()->activate(x, expected, n, act, mul);
    check_equal(c, "activate", got, expected, n);
    for (size_t i = 0; i < n && !special; i++) {
        double factor = mul ? mul[i] : 1, y = reference_activation(x[i], act) * factor;
        double bound = reference_activation_bound(x[i], act) * fabs(factor) + CHECK_U * fabs(y) + 0x1p-126;
        check_near(c, activation_names[act], i, got[i], y, bound);
    }
    k->activate(x, x, n, act, mul);
    check_equal(c, "activate in place", x, expected, n);
}

static double log_sum_exp(const float *x, size_t n) {
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] > max) max = x[i];
    for (size_t i = 0; i < n; i++) sum += exp(x[i] - max);
    return sum == 0 || max == -INFINITY ? -INFINITY : max + log(sum);
}

static float *make_scores(check_case *c, size_t n) {
    float *x = make_vector(c, n), scale = check_chance(c, 50) ? 20.0f : 3.0f;
    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
        if (check_chance(c, 3)) x[i] = -INFINITY;
    }
    return x;
}

/* Relative error of a sum of n exponentials: of each argument, of each exponential, of the sum. */
static double exp_sum_error(size_t n, double range) { return (range + 3 + (double)n / 16 + 4) * CHECK_U; }

static double range_of(const float *x, size_t n) {
    double low = 0, high = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (x[i] > high) high = x[i];
    for (size_t i = 0; i < n; i++)
        if (high - x[i] > low && x[i] > high - 88) low = high - x[i];
    return low;
}

void check_softmax(check_case *c, const tfm_kernels *k) {
    size_t n = check_chance(c, 10) ? check_size(c, 3000) : check_size(c, 150);
    float *x = make_scores(c, n), *got = check_floats(c, n), *expected = check_floats(c, n);
    if (n > 0) {
        memcpy(got, x, n * sizeof *x);
        memcpy(expected, x, n * sizeof *x);
    }
    k->softmax(got, n);
    check_scalar()->softmax(expected, n);
    check_equal(c, "softmax", got, expected, n);
    double lse = log_sum_exp(x, n), relative = 2 * exp_sum_error(n, range_of(x, n)) + 2 * CHECK_U;
    for (size_t i = 0; i < n && !c->failed; i++) {
        double y = lse == -INFINITY ? 0 : exp(x[i] - lse);
        check_near(c, "softmax", i, got[i], y, relative * y + 0x1p-126);
    }
}

void check_log_softmax(check_case *c, const tfm_kernels *k) {
    size_t n = check_chance(c, 10) ? check_size(c, 3000) : check_size(c, 150);
    float *x = make_scores(c, n), *got = check_floats(c, n), *expected = check_floats(c, n);
    k->log_softmax(x, got, n);
    check_scalar()->log_softmax(x, expected, n);
    check_equal(c, "log_softmax", got, expected, n);
    float sum = k->log_sum_exp(x, n), sum_expected = check_scalar()->log_sum_exp(x, n);
    check_equal(c, "log_sum_exp", &sum, &sum_expected, 1);
    double lse = log_sum_exp(x, n), bound = exp_sum_error(n, range_of(x, n)) + CHECK_U * fabs(lse);
    check_near(c, "log_sum_exp", 0, sum, lse, bound);
    for (size_t i = 0; i < n && !c->failed; i++)
        check_near(c, "log_softmax", i, got[i], lse == -INFINITY ? NAN : x[i] - lse,
                   bound + CHECK_U * fabs(x[i] - lse));
    k->log_softmax(x, x, n);
    check_equal(c, "log_softmax in place", x, expected, n);
}

/* NaN makes every weight NaN; nothing but -inf makes zeros; an infinity is as IEEE arithmetic has it. */
void check_softmax_special(check_case *c, const tfm_kernels *k) {
    size_t n = check_between(c, 1, 100);
    float *x = make_scores(c, n), *got = check_floats(c, n), *expected = check_floats(c, n);
    bool nan = check_chance(c, 50), empty = !nan && check_chance(c, 50);
    spice(c, x, n, nan);
    for (size_t i = 0; i < n && empty; i++) x[i] = -INFINITY;
    memcpy(got, x, n * sizeof *x);
    memcpy(expected, x, n * sizeof *x);
    k->softmax(got, n);
    check_scalar()->softmax(expected, n);
    check_equal(c, "softmax of special values", got, expected, n);
    for (size_t i = 0; i < n; i++) {
        if (nan && !isnan(got[i])) check_fail(c, "softmax: a NaN at input left element %zu as %g", i, (double)got[i]);
        if (empty && got[i] != 0) check_fail(c, "softmax: a row of -inf gave %g at %zu", (double)got[i], i);
    }
    float sum = k->log_sum_exp(x, n), sum_expected = check_scalar()->log_sum_exp(x, n);
    check_equal(c, "log_sum_exp of special values", &sum, &sum_expected, 1);
    if (empty && sum != -INFINITY) check_fail(c, "log_sum_exp: a row of -inf gave %g", (double)sum);
}

typedef struct ranked {
    float value;
    uint32_t index;
} ranked;

static int by_rank(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

void check_top_k(check_case *c, const tfm_kernels *k) {
    size_t n = check_chance(c, 10) ? check_size(c, 5000) : check_size(c, 200);
    size_t wanted = check_chance(c, 50) ? check_below(c, 8) : check_size(c, n + 5);
    float *x = make_vector(c, n);
    if (check_chance(c, 30)) spice(c, x, n, true);
    if (check_chance(c, 20))
        for (size_t i = 0; i < n; i++) /* rising: every element displaces one */
            x[i] = (float)(i / 3);
    ranked *order = check_bytes(c, n * sizeof *order);
    size_t numbers = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) order[numbers++] = (ranked){x[i], (uint32_t)i};
    if (numbers > 0) qsort(order, numbers, sizeof *order, by_rank);
    float *values = check_floats(c, wanted);
    uint32_t *indices = check_bytes(c, wanted * sizeof *indices);
    size_t expected = numbers < wanted ? numbers : wanted, found = k->top_k(x, n, wanted, values, indices);
    if (found != expected) check_fail(c, "top_k: found %zu of %zu, expected %zu", found, n, expected);
    for (size_t i = 0; i < expected && !c->failed; i++)
        if (indices[i] != order[i].index || !check_same(values[i], order[i].value))
            check_fail(c, "top_k: rank %zu is %g at %u, expected %g at %u", i, (double)values[i], indices[i],
                       (double)order[i].value, order[i].index);
}

/* A table (vocab, d) in the layout and type asked for; table gets what it holds. */
static tfm_matrix make_table(check_case *c, size_t vocab, size_t d, bool panels, float *table) {
    tfm_dtype dtype = (tfm_dtype)check_below(c, TFM_BF16 + 1);
    size_t n_rows = panels ? tfm_panel_count(vocab) * TFM_PANEL : vocab, size = tfm_dtype_size(dtype);
    char *data = check_bytes(c, n_rows * d * size);
    check_fill(c, table, vocab * d);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < d; i++) {
            float x = r < vocab ? table[r * d + i] : 0.0f;
            uint16_t half = dtype == TFM_F16 ? tfm_f32_to_f16(x) : tfm_f32_to_bf16(x);
            size_t at = panels ? (r / TFM_PANEL * d + i) * TFM_PANEL + r % TFM_PANEL : r * d + i;
            memcpy(data + at * size, dtype == TFM_F32 ? (void *)&x : (void *)&half, size);
            if (dtype != TFM_F32 && r < vocab)
                table[r * d + i] = dtype == TFM_F16 ? tfm_f16_to_f32(half) : tfm_bf16_to_f32(half);
        }
    return (tfm_matrix){data, dtype, vocab, d};
}

void check_embed(check_case *c, const tfm_kernels *k) {
    size_t vocab = check_between(c, 1, 70), d = check_size(c, 80), m = check_size(c, 10), n_positions = 9;
    bool panels = check_chance(c, 50), placed = check_chance(c, 50);
    float *table = check_floats(c, vocab * d), scale = check_chance(c, 50) ? 1.0f : check_uniform(c, 1, 9);
    tfm_matrix matrix = make_table(c, vocab, d, panels, table);
    int32_t *ids = check_bytes(c, m * sizeof *ids);
    uint32_t *positions = check_bytes(c, m * sizeof *positions);
    float *position = make_vector(c, n_positions * d);
    rows r = {.m = m, .n = d, .y_stride = d + check_below(c, 3)};
    for (size_t i = 0; i < m; i++) {
        ids[i] = (int32_t)check_below(c, vocab);
        positions[i] = (uint32_t)check_below(c, n_positions);
    }
    size_t extent = check_extent(m, d, r.y_stride);
    float *y = check_floats(c, extent);
    (panels ? k->embed_panels : k->embed_rows)(&matrix, ids, m, scale, placed ? position : NULL,
                                               placed ? positions : NULL, y, r.y_stride);
    check_untouched(c, "embed", y, extent, in_row, &r);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < d && !c->failed; j++) {
            float expected = table[(size_t)ids[i] * d + j] * scale;
            if (placed) expected = expected + position[positions[i] * d + j];
            check_equal(c, "embed", &y[i * r.y_stride + j], &expected, 1);
        }
}

/* Heads of a matrix with columns before, between and behind what is turned; every operation is rounded. */
void check_rope(check_case *c, const tfm_kernels *k) {
    enum { POSITIONS = 9 };
    size_t half = check_between(c, 1, 40), rope_dim = 2 * half, head_dim = rope_dim + check_below(c, 20);
    size_t n_heads = check_between(c, 1, 4), m = check_size(c, 6), stride = n_heads * head_dim + check_below(c, 5);
    size_t extent = check_extent(m, n_heads * head_dim, stride);
    tfm_rope_layout layout = check_chance(c, 50) ? TFM_ROPE_HALVES : TFM_ROPE_INTERLEAVED;
    float *table = make_vector(c, POSITIONS * rope_dim), *x = make_vector(c, extent),
          *expected = check_floats(c, extent);
    uint32_t *positions = check_bytes(c, m * sizeof *positions);
    if (extent > 0) memcpy(expected, x, extent * sizeof *x);
    for (size_t r = 0; r < m; r++) {
        positions[r] = (uint32_t)check_below(c, POSITIONS);
        const float *cosine = table + positions[r] * rope_dim, *sine = cosine + half;
        for (size_t h = 0; h < n_heads; h++) {
            for (size_t i = 0; i < half; i++) {
                float *head = expected + r * stride + h * head_dim;
                float *a = head + (layout == TFM_ROPE_HALVES ? i : 2 * i);
                float *b = layout == TFM_ROPE_HALVES ? a + half : a + 1;
                float p = *a * cosine[i], q = *b * sine[i], u = *b * cosine[i], v = *a * sine[i];
                *a = p - q;
                *b = u + v;
            }
        }
    }
    k->rope(x, stride, m, n_heads, head_dim, rope_dim, layout, table, positions);
    check_equal(c, "rope", x, expected, extent);
}

void check_soft_cap(check_case *c, const tfm_kernels *k) {
    size_t n = check_size(c, 100);
    float *x = make_vector(c, n), *scalar = check_floats(c, n), cap = check_uniform(c, 0.5f, 60);
    double *before = check_bytes(c, n * sizeof *before);
    for (size_t i = 0; i < n; i++) {
        before[i] = (double)x[i];
        scalar[i] = x[i];
    }
    check_scalar()->soft_cap(scalar, n, cap);
    k->soft_cap(x, n, cap);
    check_equal(c, "soft cap", x, scalar, n);
    for (size_t i = 0; i < n && !c->failed; i++) {
        double y = (double)cap * tanh(before[i] / (double)cap);
        check_near(c, "soft cap", i, x[i], y, 5 * CHECK_U * fabs(y) + 0x1p-125);
    }
}

void check_add(check_case *c, const tfm_kernels *k) {
    size_t n = check_size(c, 100);
    float *x = make_vector(c, n), *y = make_vector(c, n), *expected = check_floats(c, n);
    for (size_t i = 0; i < n; i++) expected[i] = y[i] + x[i];
    k->add(y, x, n);
    check_equal(c, "add", y, expected, n);
}
