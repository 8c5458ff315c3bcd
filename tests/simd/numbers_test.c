/* numbers_test.c - conversions, position tables, and the accuracy of exp and the activations over the whole range. */
#include "checker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simd/position_table.h"

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

Test(numbers, dtypes) {
    for (unsigned i = 0; i < TFM_DTYPE_COUNT; i++)
        cr_assert_eq(tfm_dtype_parse(tfm_dtype_name((tfm_dtype)i)), (tfm_dtype)i);
    cr_assert_eq(tfm_dtype_size(TFM_F32), 4);
    cr_assert_eq(tfm_dtype_size(TFM_F16), 2);
    cr_assert_eq(tfm_dtype_size(TFM_BF16), 2);
    cr_assert_eq(tfm_dtype_size(TFM_DTYPE_COUNT), 0);
    cr_assert_eq(tfm_dtype_parse("f64"), TFM_DTYPE_COUNT);
}

/* Value of 16 bits with so many of exponent and mantissa, by the definition of the format. */
static double half_value(uint16_t h, int exponent_bits, int mantissa_bits) {
    int exponent = h >> mantissa_bits & ((1 << exponent_bits) - 1), bias = (1 << (exponent_bits - 1)) - 1;
    double mantissa = h & ((1 << mantissa_bits) - 1), one = 1 << mantissa_bits, sign = h >> 15 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1) return mantissa > 0 ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(mantissa / one, 1 - bias);
    return sign * ldexp(1 + mantissa / one, exponent - bias);
}

typedef struct half_type {
    const char *name;
    int exponent_bits, mantissa_bits;
    tfm_dtype dtype;
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
} half_type;

static const half_type half_types[] = {{"f16", 5, 10, TFM_F16, tfm_f16_to_f32, tfm_f32_to_f16},
                                       {"bf16", 8, 7, TFM_BF16, tfm_bf16_to_f32, tfm_f32_to_bf16}};

/* All 65,536 values: widening is exact, and narrowing takes it back; the half way to the next rounds to even. */
static void check_half(const half_type *t) {
    for (uint32_t h = 0; h < 65536; h++) {
        float x = t->widen((uint16_t)h);
        double expected = half_value((uint16_t)h, t->exponent_bits, t->mantissa_bits);
        if (isnan(expected)) {
            cr_assert(isnan(x) && isnan(t->widen(t->narrow(x))), "%s %04x: NaN became %a", t->name, h, (double)x);
            continue;
        }
        cr_assert(x == expected && (signbit(x) != 0) == (h >> 15 != 0), "%s %04x: got %a, expected %a", t->name, h,
                  (double)x, expected);
        cr_assert_eq(t->narrow(x), h, "%s %04x does not come back from %a: %04x", t->name, h, (double)x, t->narrow(x));
        if (isinf(x)) continue;
        uint32_t above = h + 1, even = h & 1 ? above : h; /* the next in magnitude; above the largest: infinity */
        double next = half_value((uint16_t)above, t->exponent_bits, t->mantissa_bits);
        if (isinf(next)) next = copysign(ldexp(1, 1 << (t->exponent_bits - 1)), next);
        float middle = (float)(expected + (next - expected) / 2);
        if (t->dtype == TFM_BF16 && isinf((float)next)) middle = float_of(bits_of(x) + 0x8000);
        cr_assert_eq(t->narrow(middle), even, "%s: the middle %a above %04x: %04x", t->name, (double)middle, h,
                     t->narrow(middle));
        float less = float_of(bits_of(middle) - 1), more = float_of(bits_of(middle) + 1);
        cr_assert_eq(t->narrow(less), h, "%s: %a", t->name, (double)less);
        cr_assert_eq(t->narrow(more), above, "%s: %a", t->name, (double)more);
    }
}

Test(numbers, f16) { check_half(&half_types[0]); }
Test(numbers, bf16) { check_half(&half_types[1]); }

/* Widening by vectors, as products do it, for all values that are numbers: 1 x weight, 16 at a time. */
Test(numbers, widening_in_products) {
    const check_table *tables;
    size_t n_tables = check_tables(&tables), n_run = 0;
    static uint16_t weights[65536];
    static float got[65536];
    for (uint32_t h = 0; h < 65536; h++) weights[h] = (uint16_t)h;
    for (size_t i = 0; i < n_tables * 2; i++) {
        const half_type *t = &half_types[i % 2];
        tfm_matrix w = {weights, t->dtype, 65536, 1};
        tfm_gemm_args g = {.a = (const float[]){1.0f}, .a_stride = 1, .c = got, .c_stride = 65536, .w = &w, .scale = 1};
        tables[i / 2].kernels->gemm(&g, 0, 1, 0, 65536 / TFM_PANEL);
        for (uint32_t h = 0; h < 65536; h++, n_run++) {
            float expected = t->widen((uint16_t)h) + 0.0f; /* the chain starts from +0, so -0 becomes +0 */
            cr_assert(check_same(got[h], expected), "%s %s %04x: %a, expected %a", tables[i / 2].name, t->name, h,
                      (double)got[h], (double)expected);
        }
    }
    cr_assert_eq(n_run, n_tables * 2 * 65536);
}

Test(numbers, panels) {
    enum { ROWS = 13, K = 7 };
    float rows[ROWS * 9], back[ROWS * 9], panel[K * TFM_PANEL];
    for (size_t i = 0; i < ROWS * 9; i++) rows[i] = back[i] = (float)i;
    tfm_panel_pack(rows, 9, ROWS, K, TFM_F32, panel);
    for (size_t column = 0; column < K; column++)
        for (size_t row = 0; row < TFM_PANEL; row++)
            cr_assert_eq(panel[column * TFM_PANEL + row], row < ROWS ? rows[row * 9 + column] : 0.0f);
    tfm_panel_unpack(panel, TFM_F32, ROWS, K, back, 9);
    cr_assert_arr_eq(back, rows, sizeof rows);
    for (unsigned dtype = TFM_F16; dtype <= TFM_BF16; dtype++) {
        tfm_panel_pack(rows, 9, ROWS, K, (tfm_dtype)dtype, panel);
        memset(back, 0, sizeof back);
        tfm_panel_unpack(panel, (tfm_dtype)dtype, ROWS, K, back, 9);
        for (size_t i = 0; i < ROWS; i++)
            cr_assert_arr_eq(back + i * 9, rows + i * 9, K * sizeof *rows); /* small integers are exact in both */
    }
    cr_assert_eq(tfm_panel_count(0), 0);
    cr_assert_eq(tfm_panel_count(16), 1);
    cr_assert_eq(tfm_panel_count(17), 2);
    cr_assert_eq(tfm_panel_count(SIZE_MAX), SIZE_MAX / 16 + 1);
}

/* Against libm in double; the layouts for even and odd d as kernels.h states them. */
Test(numbers, sinusoid) {
    static const size_t sizes[] = {1, 2, 3, 7, 16, 33, 512};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t d = sizes[s], n = 40, first = s % 2 ? 1000 : 0;
        float *halves = calloc(n * d, sizeof *halves), *interleaved = calloc(n * d, sizeof *interleaved);
        tfm_sinusoid(halves, n, d, first, TFM_SINUSOID_HALVES);
        tfm_sinusoid(interleaved, n, d, first, TFM_SINUSOID_INTERLEAVED);
        for (size_t p = 0; p < n; p++)
            for (size_t j = 0; j < d; j++) { /* column j of the definition: sine for even j, cosine for odd */
                double angle = (double)(first + p) / pow(10000.0, 2.0 * (double)(j / 2) / (double)d);
                double expected = j % 2 ? cos(angle) : sin(angle);
                size_t column = j % 2 ? (d + 1) / 2 + j / 2 : j / 2;
                double bound = 0x1p-25 + 1e-12;
                cr_assert_float_eq(interleaved[p * d + j], expected, bound, "interleaved, d %zu, position %zu", d, p);
                cr_assert_float_eq(halves[p * d + column], expected, bound, "halves, d %zu, position %zu", d, p);
            }
        free(halves);
        free(interleaved);
    }
}

Test(numbers, sinusoid_wide) {
    static const size_t sizes[] = {1, 2, 3, 4, 33, 64};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t d = sizes[s], half = d / 2, n = 40, first = s % 2 ? 1000 : 0;
        float *y = calloc(n * d, sizeof *y);
        tfm_sinusoid(y, n, d, first, TFM_SINUSOID_HALVES_WIDE);
        for (size_t p = 0; p < n; p++) {
            for (size_t i = 0; i < half; i++) {
                double angle = (double)(first + p) / (half > 1 ? pow(10000.0, (double)i / (double)(half - 1)) : 1.0);
                cr_assert_float_eq(y[p * d + i], sin(angle), 0x1p-25 + 1e-12, "d %zu, position %zu", d, p);
                cr_assert_float_eq(y[p * d + half + i], cos(angle), 0x1p-25 + 1e-12, "d %zu, position %zu", d, p);
            }
            if (d % 2) cr_assert(y[p * d + d - 1] == 0, "d %zu", d);
        }
        free(y);
    }
}

/* Against libm in double, far out too; frequencies in two parts. */
Test(numbers, rope_table) {
    enum { DIM = 22, HALF = DIM / 2, N = 30 };
    static const size_t firsts[] = {0, 1000, 131000};
    float parts[DIM], y[N * DIM];
    double frequencies[HALF];
    for (size_t i = 0; i < HALF; i++) {
        frequencies[i] = pow(500000.0, -2.0 * (double)i / DIM);
        parts[i] = (float)frequencies[i];
        parts[HALF + i] = (float)(frequencies[i] - (double)parts[i]);
    }
    for (size_t f = 0; f < sizeof firsts / sizeof firsts[0]; f++) {
        tfm_rope_table(y, N, firsts[f], DIM, parts, 1.25f);
        for (size_t p = 0; p < N; p++)
            for (size_t i = 0; i < HALF; i++) {
                double angle = (double)(firsts[f] + p) * frequencies[i], bound = 0x1p-24 + 1e-8;
                cr_assert_float_eq(y[p * DIM + i], 1.25 * cos(angle), bound, "position %zu", firsts[f] + p);
                cr_assert_float_eq(y[p * DIM + HALF + i], 1.25 * sin(angle), bound, "position %zu", firsts[f] + p);
            }
    }
}

typedef struct exp_probe {
    tfm_isa isa;
    void (*run)(const float *x, float *y);
} exp_probe;

void probe_exp_scalar(const float *x, float *y);
void probe_exp_avx2(const float *x, float *y);
void probe_exp_avx512(const float *x, float *y);
void probe_exp_neon(const float *x, float *y);

static const exp_probe exp_probes[] = {
    {TFM_ISA_SCALAR, probe_exp_scalar},
#if defined(__x86_64__)
    {TFM_ISA_AVX2, probe_exp_avx2},
    {TFM_ISA_AVX512, probe_exp_avx512},
#elif defined(__aarch64__)
    {TFM_ISA_NEON, probe_exp_neon},
#endif
};

/* Error of y in units of the last place of a float near the true value. */
static double ulps(float y, double expected) {
    int exponent;
    frexp(expected, &exponent);
    return fabs(y - expected) / ldexp(1, exponent - 24);
}

/* exp for 16 floats: zero below 2^-126, infinity above the largest float, NaN for NaN, else within 1.1 ulp. */
static double check_exp(const exp_probe *probe, const float *x) {
    float y[16], scalar[16];
    double worst = 0;
    probe->run(x, y);
    probe_exp_scalar(x, scalar);
    for (int i = 0; i < 16; i++) {
        double expected = exp(x[i]), error = 0;
        const char *isa = tfm_isa_name(probe->isa);
        cr_assert(check_same(y[i], scalar[i]), "exp(%a): %s %a, scalar %a", (double)x[i], isa, (double)y[i],
                  (double)scalar[i]);
        if (isnan(x[i]))
            cr_assert(isnan(y[i]), "exp(NaN): %a", (double)y[i]);
        else if (expected < 0x1p-126)
            cr_assert(y[i] == 0, "exp(%a): %a, expected 0", (double)x[i], (double)y[i]);
        else if (expected > 0x1.ffffffp127)
            cr_assert(y[i] == INFINITY, "exp(%a): %a, expected infinity", (double)x[i], (double)y[i]);
        else
            error = ulps(y[i], expected);
        if (error > worst) worst = error;
    }
    return worst;
}

/*
 * Every `step`-th float of all 2^32; TFM_TEST_EXP_STEP=1 looks at each of them (minutes). Small steps near 0 and the
 * ends of the range follow from the stride being odd.
 */
Test(numbers, exp) {
    const char *text = getenv("TFM_TEST_EXP_STEP");
    uint64_t step = text ? strtoull(text, NULL, 10) : 1009 * 100 / check_scaled(100), n_run = 0;
    double worst = 0;
    cr_assert(step > 0);
    for (size_t p = 0; p < sizeof exp_probes / sizeof exp_probes[0]; p++) {
        if (!tfm_isa_usable(exp_probes[p].isa)) continue;
        for (uint64_t bits = 0; bits < (uint64_t)1 << 32; n_run++) {
            float x[16];
            for (int i = 0; i < 16; i++, bits += step) x[i] = float_of((uint32_t)bits);
            double error = check_exp(&exp_probes[p], x);
            if (error > worst) worst = error;
        }
        static const float edges[16] = {0.0f,       -0.0f,       INFINITY,     -INFINITY,      NAN,        88.7228317f,
                                        88.722839f, 88.7228394f, -87.3365402f, -87.3365479f,   -87.33655f, 0x1p-149f,
                                        -0x1p-149f, 1.0f,        -1.0f,        0x1.fffffep127f};
        double error = check_exp(&exp_probes[p], edges);
        if (error > worst) worst = error;
    }
    fprintf(stderr, "# exp: worst error %.4f ulp in %llu vectors\n", worst, (unsigned long long)n_run);
    cr_assert(n_run > 0);
    cr_assert(worst <= 1.1, "exp: worst error %.4f ulp", worst);
}

/* Every activation on a dense sweep of floats of all magnitudes, on every table, within the bounds of check_rows.c. */
Test(numbers, activations) {
    enum { N = 4096 };
    static float x[N], y[N], scalar[N];
    const check_table *tables;
    size_t n_tables = check_tables(&tables);
    uint64_t step = 49999 * 100 / check_scaled(100), n_run = 0;
    double worst[TFM_ACT_COUNT] = {0};
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
        size_t n = 0;
        for (; n < N && bits < (uint64_t)1 << 32; bits += step) {
            x[n] = float_of((uint32_t)bits);
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
