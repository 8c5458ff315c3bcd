/* quantized_panels_test.c - panels of int8 and int4 as docs/format.md has them, and how close they come to the weights.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_files.h"
#include "simd/panels.h"

/* ---- reading panels by the specification, without the library's own reader ---- */

static float scale_f32(const unsigned char *at) {
    float x;
    memcpy(&x, at, sizeof x);
    return x;
}

static float scale_f16(const unsigned char *at) {
    uint16_t h;
    memcpy(&h, at, sizeof h);
    return tfm_f16_to_f32(h);
}

/* The integer of element (lane, column) of a panel of k columns; *scale is its scale. */
static int level_at(const unsigned char *panel, tfm_dtype dtype, size_t k, size_t lane, size_t c, float *scale) {
    if (dtype == TFM_I8) {
        *scale = scale_f32(panel + (k + 3) / 4 * 64 + 4 * lane);
        return panel[c / 4 * 64 + 4 * lane + c % 4] - 128;
    }
    const unsigned char *block = panel + c / 64 * 576, *group = block + c % 64 / 32 * 256;
    *scale = scale_f16(block + 512 + 2 * (c % 64 / 32 * 16 + lane));
    unsigned char both = group[c % 32 / 8 * 64 + 4 * lane + c % 4];
    return (c % 8 < 4 ? both & 15 : both >> 4) - 8;
}

/* ---- fills ---- */

static float uniform(random_state *random) { return (float)(int64_t)(random_next(random) >> 40) / 8388608.0f - 1.0f; }

/* Roughly normal, as trained weights are. */
static float normal(random_state *random) {
    float sum = 0;
    for (int i = 0; i < 6; i++) sum += uniform(random);
    return sum * 0.707f;
}

typedef struct block {
    tfm_dtype dtype;
    size_t n_rows, k;
    float *rows, *back;
    unsigned char *panel;
} block;

static block pack(tfm_dtype dtype, size_t n_rows, size_t k, float (*fill)(random_state *random), float factor) {
    random_state random = {.s = 0x5EED + n_rows * 1000003 + k};
    size_t bytes = tfm_panel_bytes(dtype, k);
    block b = {dtype, n_rows, k, malloc(n_rows * k * sizeof(float)), malloc(n_rows * k * sizeof(float)), malloc(bytes)};
    cr_assert(b.rows && b.back && b.panel);
    for (size_t i = 0; i < n_rows * k; i++) b.rows[i] = fill(&random) * factor;
    memset(b.panel, 0xA5, bytes);
    tfm_panel_pack(b.rows, k, n_rows, k, dtype, b.panel);
    tfm_panel_unpack(b.panel, dtype, n_rows, k, b.back, k);
    return b;
}

static void release(block *b) {
    free(b->rows);
    free(b->back);
    free(b->panel);
}

static double error_squares(const block *b) {
    double sum = 0;
    for (size_t i = 0; i < b->n_rows * b->k; i++) sum += pow((double)(b->rows[i] - b->back[i]), 2);
    return sum;
}

/* ---- layout ---- */

/* Every element is where the specification says, and what is padded holds the integer 0. */
static void check_layout(tfm_dtype dtype, size_t n_rows, size_t k) {
    block b = pack(dtype, n_rows, k, normal, 0.1f);
    size_t padded = dtype == TFM_I8 ? (k + 3) / 4 * 4 : (k + 63) / 64 * 64;
    for (size_t lane = 0; lane < 16; lane++)
        for (size_t c = 0; c < padded; c++) {
            float scale;
            int q = level_at(b.panel, dtype, k, lane, c, &scale);
            if (lane >= n_rows || c >= k) {
                MUST(q == 0, "%zu x %zu: lane %zu, column %zu holds %d", n_rows, k, lane, c, q);
                continue;
            }
            MUST(dtype == TFM_I4 || (q >= -127 && q <= 127), "%d", q);
            MUST((float)q * scale == b.back[lane * k + c], "%zu x %zu: lane %zu, column %zu", n_rows, k, lane, c);
            /* The nearest level of the scale that is stored, or the last one. */
            float x = b.rows[lane * k + c], off = fabsf(x - (float)q * scale);
            bool last = dtype == TFM_I8 ? abs(q) == 127 : q == -8 || q == 7;
            MUST(last || off <= fabsf(scale) * 0.5001f, "%g is not near %d x %g", (double)x, q, (double)scale);
        }
    release(&b);
}

Test(quantize, layout) {
    static const size_t columns[] = {1, 2, 3, 4, 5, 8, 31, 32, 33, 63, 64, 65, 96, 97, 128, 129, 200};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        for (size_t n_rows = 1; n_rows <= 16; n_rows += 5) {
            check_layout(TFM_I8, n_rows, columns[i]);
            check_layout(TFM_I4, n_rows, columns[i]);
        }
}

Test(quantize, sizes) {
    cr_assert_eq(tfm_panel_bytes(TFM_I8, 1), 128);
    cr_assert_eq(tfm_panel_bytes(TFM_I8, 512), 512 * 16 + 64);
    cr_assert_eq(tfm_panel_bytes(TFM_I8, TFM_I8_K_MAX), (size_t)TFM_I8_K_MAX * 16 + 64);
    cr_assert_eq(tfm_panel_bytes(TFM_I8, TFM_I8_K_MAX + 1), 0);
    cr_assert_eq(tfm_panel_bytes(TFM_I4, 64), 576);
    cr_assert_eq(tfm_panel_bytes(TFM_I4, 65), 1152);
    cr_assert_eq(tfm_panel_bytes(TFM_I4, SIZE_MAX), 0);
    cr_assert_eq(tfm_panel_bytes(TFM_F32, SIZE_MAX), 0);
}

/* ---- how close ---- */

Test(quantize, int8_is_within_half_a_step_of_the_largest) {
    block b = pack(TFM_I8, 16, 300, normal, 3.0f);
    for (size_t r = 0; r < 16; r++) {
        float largest = 0;
        for (size_t c = 0; c < 300; c++) largest = fmaxf(largest, fabsf(b.rows[r * 300 + c]));
        for (size_t c = 0; c < 300; c++)
            MUST(fabsf(b.rows[r * 300 + c] - b.back[r * 300 + c]) <= largest / 127 * 0.5001f, "row %zu, %zu", r, c);
    }
    release(&b);
}

/* The chosen scales leave less than the usual simple ones: largest magnitude at 7, or the extreme at -8. */
Test(quantize, int4_scales_are_better_than_simple_ones) {
    block b = pack(TFM_I4, 16, 512, normal, 0.05f);
    double sevens = 0, eights = 0, squares = 0;
    for (size_t group = 0; group < 16 * 512 / 32; group++) {
        const float *x = b.rows + group * 32;
        float extreme = 0;
        for (size_t c = 0; c < 32; c++) extreme = fabsf(x[c]) > fabsf(extreme) ? x[c] : extreme;
        for (size_t c = 0; c < 32; c++) {
            double a = fabs((double)extreme) / 7, z = (double)extreme / -8, q = fmin(7, nearbyint((double)x[c] / z));
            sevens += pow((double)x[c] - a * nearbyint((double)x[c] / a), 2);
            eights += pow((double)x[c] - z * fmax(-8, q), 2);
            squares += (double)x[c] * (double)x[c];
        }
    }
    double ours = error_squares(&b);
    cr_assert_lt(sqrt(ours / squares), 0.09, "relative error %g", sqrt(ours / squares));
    cr_assert_lt(ours, 0.85 * sevens, "%g of %g", ours, sevens);
    cr_assert_lt(ours, 0.95 * eights, "%g of %g", ours, eights);
    release(&b);
}

static float only_levels(random_state *random) { return (float)(random_next(random) % 16) - 8.0f; }
static float one_value(random_state *random) {
    (void)random;
    return 1.0f;
}
static float nothing(random_state *random) {
    (void)random;
    return -0.0f;
}

/* What 16 levels can hold exactly, they hold exactly; powers of two as factors leave the scales exact. */
Test(quantize, int4_keeps_what_fits) {
    static const float factors[] = {0x1p-10f, 0.25f, 1.0f, 64.0f, -2.0f};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        block b = pack(TFM_I4, 16, 64, only_levels, factors[i]);
        cr_assert_eq(error_squares(&b), 0, "factor %g", (double)factors[i]);
        release(&b);
    }
    /* Equal weights: nothing but the rounding of the scale. */
    block b = pack(TFM_I4, 3, 40, one_value, 0.3f);
    for (size_t i = 0; i < 3 * 40; i++) MUST(fabsf(b.back[i] / 0.3f - 1) <= 0x1p-11f, "%g", (double)b.back[i]);
    release(&b);
}

Test(quantize, zeros_and_tiny_values) {
    for (tfm_dtype dtype = TFM_I8; dtype <= TFM_I4; dtype++) {
        block b = pack(dtype, 16, 70, nothing, 1.0f);
        for (size_t i = 0; i < 16 * 70; i++) MUST(b.back[i] == 0, "%zu", i);
        release(&b);
        static const float tiny[] = {0x1p-149f, 0x1p-140f, 0x1p-126f, 0x1p-30f, 0x1p-25f, 0x1p-20f};
        for (size_t k = 0; k < sizeof tiny / sizeof *tiny; k++) {
            b = pack(dtype, 16, 70, uniform, tiny[k]);
            /* A subnormal scale is coarse, and below the smallest one all becomes zero; never is anything made up. */
            float most = tiny[k] * 0.5f + (dtype == TFM_I4 ? 0x1p-22f : 0x1p-142f);
            for (size_t i = 0; i < 16 * 70; i++)
                MUST(fabsf(b.rows[i] - b.back[i]) <= most, "%g became %g", (double)b.rows[i], (double)b.back[i]);
            release(&b);
        }
    }
}

/* From this magnitude on a type cannot hold a value: it, or its scale, would become infinite. */
Test(quantize, bounds) {
    for (tfm_dtype dtype = TFM_F32; dtype < TFM_DTYPE_COUNT; dtype++) {
        float bound = tfm_dtype_bound(dtype), row[4] = {0}, back[4];
        unsigned char *room = malloc(tfm_panel_bytes(dtype, 4));
        for (int at_bound = 0; at_bound < 2; at_bound++) {
            if (at_bound && tfm_dtype_quantized(dtype)) continue; /* no value of theirs may be so large */
            row[1] = at_bound ? bound : nextafterf(bound, 0.0f);
            tfm_panel_pack(row, 4, 1, 4, dtype, room);
            tfm_panel_unpack(room, dtype, 1, 4, back, 4);
            MUST((isinf(back[1]) != 0) == at_bound, "%s: %a became %a", tfm_dtype_name(dtype), (double)row[1],
                 (double)back[1]);
        }
        free(room);
    }
}

Test(quantize, largest_values) {
    float row[64];
    float back[64];
    for (tfm_dtype dtype = TFM_I8; dtype <= TFM_I4; dtype++) {
        unsigned char *room = malloc(tfm_panel_bytes(dtype, 64));
        float bound = nextafterf(tfm_dtype_bound(dtype), 0.0f);
        for (size_t c = 0; c < 64; c++) row[c] = c % 2 ? bound : -bound;
        tfm_panel_pack(row, 64, 1, 64, dtype, room);
        tfm_panel_unpack(room, dtype, 1, 64, back, 64);
        for (size_t c = 0; c < 64; c++)
            MUST(isfinite(back[c]) && fabsf(back[c] / row[c] - 1) < 0.08f, "%g became %g", (double)row[c],
                 (double)back[c]);
        free(room);
    }
}
