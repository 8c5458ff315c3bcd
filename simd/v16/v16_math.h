/*
 * v16_math.h - exp, tanh and the activations in the vocabulary of v16.h, so that their bits are the same everywhere.
 *
 * The polynomials are minimax fits (Remez exchange, coefficients rounded to float). Error bounds are measured by
 * tests/simd and stated in docs/kernels.md.
 */
#ifndef TFM_SIMD_V16_V16_MATH_H
#define TFM_SIMD_V16_V16_MATH_H

#include "simd/kernels.h"
#include "v16.h"

/*
 * exp(x) by x = n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite, ln 2 in two parts), 1 + r + r^2 q(r), times 2^n by adding
 * n to the exponent field. Results below 2^-126 are 0, so no subnormal number slows a softmax down; above the largest
 * float: infinity; NaN stays NaN.
 */
V16_INLINE v16 v16_exp(v16 x) {
    const v16 magic = v16_set(0x1.8p23f); /* adding it rounds to an integer, which then stands in the low bits */
    v16 t = v16_fma(x, v16_set(0x1.715476p0f), magic);
    v16 n = v16_sub(t, magic);
    v16 r = v16_fma(n, v16_set(-0x1.62e400p-1f), x);
    r = v16_fma(n, v16_set(-0x1.7f7d1cp-20f), r);
    v16 q = v16_fma(v16_set(0x1.6a2436p-10f), r, v16_set(0x1.1239e2p-7f));
    q = v16_fma(q, r, v16_set(0x1.5558f2p-5f));
    q = v16_fma(q, r, v16_set(0x1.555492p-3f));
    q = v16_fma(q, r, v16_set(0x1.fffffcp-2f));
    v16 p = v16_add(v16_fma(v16_mul(r, r), q, r), v16_set(1.0f));
    v16 y = v16_add_exponent(p, t);
    y = v16_select_lt(x, v16_set(-0x1.5d589ep6f), v16_set(0.0f), y);                  /* x < ln 2^-126 */
    return v16_select_lt(x, v16_set(0x1.62e43p6f), y, v16_add(x, v16_set(INFINITY))); /* x > ln FLT_MAX, or NaN */
}

/* x / (1 + exp(z)): SiLU with z = -x, GELU's tanh form with z = -2 sqrt(2/pi) (x + 0.044715 x^3). */
V16_INLINE v16 v16_gate(v16 x, v16 z) { return v16_div(x, v16_add(v16_set(1.0f), v16_exp(z))); }

/* Below 0.625 an odd polynomial, above it 1 - 2 e / (1 + e) with e = exp(-2|x|). */
V16_INLINE v16 v16_tanh(v16 x) {
    v16 a = v16_abs(x), one = v16_set(1.0f);
    v16 e = v16_exp(v16_mul(a, v16_set(-2.0f)));
    v16 far = v16_sub(one, v16_div(v16_add(e, e), v16_add(one, e)));
    v16 u = v16_mul(x, x);
    v16 q = v16_fma(v16_set(-0x1.76ac1ap-8f), u, v16_set(0x1.5256d8p-6f));
    q = v16_fma(q, u, v16_set(-0x1.b84448p-5f));
    q = v16_fma(q, u, v16_set(0x1.110768p-3f));
    q = v16_fma(q, u, v16_set(-0x1.555534p-2f));
    v16 near = v16_fma(v16_mul(q, u), x, x);
    return v16_select_lt(a, v16_set(0.625f), near, v16_copysign(far, x));
}

/*
 * x Phi(x), Phi the normal distribution function. The tail h = Phi(-|x|) is exp(g(|x|) - x^2 / 2) with a polynomial g
 * fitted on [0, 5.5] and held constant beyond, where |x| h < 1e-6; then Phi(x) is h or 1 - h. Small results keep their
 * relative precision, which 1 + erf(x / sqrt 2) would lose.
 */
V16_INLINE v16 v16_gelu_erf(v16 x) {
    v16 a = v16_abs(x), b = v16_min(a, v16_set(5.5f));
    v16 g = v16_fma(v16_set(0x1.1bf192p-22f), b, v16_set(-0x1.622648p-18f));
    g = v16_fma(g, b, v16_set(0x1.6eff5ep-15f));
    g = v16_fma(g, b, v16_set(-0x1.655bbcp-13f));
    g = v16_fma(g, b, v16_set(-0x1.4df3dcp-15f));
    g = v16_fma(g, b, v16_set(0x1.3e7e4ep-8f));
    g = v16_fma(g, b, v16_set(-0x1.2a0688p-5f));
    g = v16_fma(g, b, v16_set(0x1.7420fcp-3f));
    g = v16_fma(g, b, v16_set(-0x1.98848ep-1f));
    g = v16_fma(g, b, v16_set(-0x1.62e42ep-1f));
    v16 h = v16_exp(v16_fma(v16_mul(a, v16_set(-0.5f)), a, g));
    v16 phi = v16_select_lt(x, v16_set(0.0f), h, v16_sub(v16_set(1.0f), h));
    return v16_mul(x, phi);
}

V16_INLINE v16 v16_gelu_tanh(v16 x) {
    const float c = 0x1.988454p0f; /* 2 sqrt(2 / pi) */
    v16 u = v16_fma(v16_mul(v16_mul(x, x), v16_set(0.044715f)), x, x);
    return v16_gate(x, v16_mul(u, v16_set(-c)));
}

V16_INLINE v16 v16_activate(v16 x, tfm_activation act) {
    switch (act) {
    case TFM_ACT_RELU: return v16_max(v16_set(0.0f), x);
    case TFM_ACT_GELU_ERF: return v16_gelu_erf(x);
    case TFM_ACT_GELU_TANH: return v16_gelu_tanh(x);
    case TFM_ACT_SILU: return v16_gate(x, v16_sub(v16_set(0.0f), x));
    case TFM_ACT_TANH: return v16_tanh(x);
    case TFM_ACT_NONE:
    case TFM_ACT_COUNT: break;
    }
    return x;
}

#endif
