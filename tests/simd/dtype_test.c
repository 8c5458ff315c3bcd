/* dtype_test.c - element types: names and sizes, every value of f16 and bf16, rounding, and widening in products. */
#include "checker.h"

#include <criterion/criterion.h>

Test(dtype, dtypes) {
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
        if (t->dtype == TFM_BF16 && isinf((float)next)) middle = tfm_float_of_bits(tfm_bits_of_float(x) + 0x8000);
        cr_assert_eq(t->narrow(middle), even, "%s: the middle %a above %04x: %04x", t->name, (double)middle, h,
                     t->narrow(middle));
        float less = tfm_float_of_bits(tfm_bits_of_float(middle) - 1),
              more = tfm_float_of_bits(tfm_bits_of_float(middle) + 1);
        cr_assert_eq(t->narrow(less), h, "%s: %a", t->name, (double)less);
        cr_assert_eq(t->narrow(more), above, "%s: %a", t->name, (double)more);
    }
}

Test(dtype, f16) { check_half(&half_types[0]); }
Test(dtype, bf16) { check_half(&half_types[1]); }

/* Widening by vectors, as products do it, for all values that are numbers: 1 x weight, 16 at a time. */
Test(dtype, widening_in_products) {
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
