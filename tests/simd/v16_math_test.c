/* v16_math_test.c - the exponential of v16_math.h by itself, over the whole range of floats. */
#include "checker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "exp_probe.h"

static exp_probe_fn *const probes[TFM_ISA_COUNT] = {
#define ISA(id, suffix, label, machine) TFM_BUILT_FOR_##machine([id] = probe_exp_##suffix, )
#include "simd/isa.def"
};

/* Error of y in units of the last place of a float near the true value. */
static double ulps(float y, double expected) {
    int exponent;
    frexp(expected, &exponent);
    return fabs(y - expected) / ldexp(1, exponent - 24);
}

/* exp for 16 floats: zero below 2^-126, infinity above the largest float, NaN for NaN, else within 1.1 ulp. */
static double check_exp(tfm_isa isa, const float *x) {
    float y[16], scalar[16];
    double worst = 0;
    probes[isa](x, y);
    probe_exp_scalar(x, scalar);
    for (int i = 0; i < 16; i++) {
        double expected = exp(x[i]), error = 0;
        cr_assert(check_same(y[i], scalar[i]), "exp(%a): %s %a, scalar %a", (double)x[i], tfm_isa_name(isa),
                  (double)y[i], (double)scalar[i]);
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
Test(v16_math, exp) {
    const char *text = getenv("TFM_TEST_EXP_STEP");
    uint64_t step = text ? strtoull(text, NULL, 10) : 1009 * 100 / check_scaled(100), n_run = 0;
    double worst = 0;
    cr_assert(step > 0);
    for (tfm_isa isa = 0; isa < TFM_ISA_COUNT; isa++) {
        if (!tfm_isa_usable(isa)) continue;
        for (uint64_t bits = 0; bits < (uint64_t)1 << 32; n_run++) {
            float x[16];
            for (int i = 0; i < 16; i++, bits += step) x[i] = tfm_float_of_bits((uint32_t)bits);
            double error = check_exp(isa, x);
            if (error > worst) worst = error;
        }
        static const float edges[16] = {0.0f,       -0.0f,       INFINITY,     -INFINITY,      NAN,        88.7228317f,
                                        88.722839f, 88.7228394f, -87.3365402f, -87.3365479f,   -87.33655f, 0x1p-149f,
                                        -0x1p-149f, 1.0f,        -1.0f,        0x1.fffffep127f};
        double error = check_exp(isa, edges);
        if (error > worst) worst = error;
    }
    fprintf(stderr, "# exp: worst error %.4f ulp in %llu vectors\n", worst, (unsigned long long)n_run);
    cr_assert(n_run > 0);
    cr_assert(worst <= 1.1, "exp: worst error %.4f ulp", worst);
}
