/* position_table_test.c - tables of sines and cosines against libm. */
#include "checker.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "simd/position_table.h"

/* Against libm in double; the layouts for even and odd d as position_table.h states them. */
Test(position_table, sinusoid) {
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

Test(position_table, sinusoid_wide) {
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
Test(position_table, rope_table) {
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
