/* activation_test.c - activations, the soft cap and addition: random rows, and a dense sweep of all floats. */
#include "checker.h"

#include <criterion/criterion.h>

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

static const char *const activation_names[TFM_ACT_COUNT] = {"identity",    "ReLU", "GELU (erf)",
                                                            "GELU (tanh)", "SiLU", "tanh"};

void check_activate(check_case *c, const tfm_kernels *k) {
    size_t n = check_size(c, 200);
    tfm_activation act = (tfm_activation)check_below(c, TFM_ACT_COUNT);
    float *x = check_vector(c, n), *mul = check_chance(c, 40) ? check_vector(c, n) : NULL;
    float *got = check_floats(c, n), *expected = check_floats(c, n), scale = check_chance(c, 50) ? 15.0f : 1.0f;
    bool special = check_chance(c, 20);
    for (size_t i = 0; i < n; i++) x[i] *= scale;
    if (special) check_spice(c, x, n, check_chance(c, 50));
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

void check_soft_cap(check_case *c, const tfm_kernels *k) {
    size_t n = check_size(c, 100);
    float *x = check_vector(c, n), *scalar = check_floats(c, n), cap = check_uniform(c, 0.5f, 60);
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
    float *x = check_vector(c, n), *y = check_vector(c, n), *expected = check_floats(c, n);
    for (size_t i = 0; i < n; i++) expected[i] = y[i] + x[i];
    k->add(y, x, n);
    check_equal(c, "add", y, expected, n);
}

/* Every activation on a dense sweep of floats of all magnitudes, on every table, within the bounds above. */
Test(activation, dense_sweep) {
    enum { N = 4096 };
    static float x[N], y[N], scalar[N];
    const check_table *tables;
    size_t n_tables = check_tables(&tables);
    uint64_t step = 49999 * 100 / check_scaled(100), n_run = 0;
    double worst[TFM_ACT_COUNT] = {0};
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
        size_t n = 0;
        for (; n < N && bits < (uint64_t)1 << 32; bits += step) {
            x[n] = tfm_float_of_bits((uint32_t)bits);
            if (fabsf(x[n]) < 1e30f) n++;
        }
        for (size_t t = 0; t < n_tables; t++)
            for (unsigned act = 0; act < TFM_ACT_COUNT; act++) {
                tables[t].kernels->activate(x, y, n, (tfm_activation)act, NULL);
                check_scalar()->activate(x, scalar, n, (tfm_activation)act, NULL);
                for (size_t i = 0; i < n; i++, n_run++) {
                    double expected = reference_activation(x[i], (tfm_activation)act);
                    double bound = reference_activation_bound(x[i], (tfm_activation)act) + 0x1p-149;
                    double error = fabs(y[i] - expected);
                    cr_assert(check_same(y[i], scalar[i]), "activation %u of %a on %s", act, (double)x[i],
                              tables[t].name);
                    cr_assert(error <= bound, "activation %u of %a: %a, expected %a, error %g above %g", act,
                              (double)x[i], (double)y[i], expected, error, bound);
                    if (error > worst[act]) worst[act] = error;
                }
            }
    }
    cr_assert(n_run > 0);
}
