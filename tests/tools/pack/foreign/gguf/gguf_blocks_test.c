/* gguf_blocks_test.c - values of all block types of GGUF files, held against their definitions. */
#include "gguf_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pack/foreign/gguf/gguf_blocks.h"
#include "tools/pack/foreign/gguf/gguf_file.h"

#define N_BLOCKS 5

/* ---- definitions: how ggml's documentation walks through a block, value by value, in double precision ---- */

static double half(const unsigned char *p) { return (double)tfm_f16_to_f32((uint16_t)(p[0] + 256 * p[1])); }

static void define_q8_0(const unsigned char *b, double *y) {
    for (int j = 0; j < 32; j++) y[j] = half(b) * (signed char)b[2 + j];
}

static void define_q4_0(const unsigned char *b, double *y) {
    for (int j = 0; j < 16; j++) {
        y[j] = half(b) * ((b[2 + j] & 0x0F) - 8);
        y[j + 16] = half(b) * ((b[2 + j] >> 4) - 8);
    }
}

static void define_q4_1(const unsigned char *b, double *y) {
    for (int j = 0; j < 16; j++) {
        y[j] = half(b) * (b[4 + j] & 0x0F) + half(b + 2);
        y[j + 16] = half(b) * (b[4 + j] >> 4) + half(b + 2);
    }
}

static unsigned word(const unsigned char *p) {
    return p[0] | (unsigned)p[1] << 8 | (unsigned)p[2] << 16 | (unsigned)p[3] << 24;
}

static void define_q5_0(const unsigned char *b, double *y) {
    const unsigned high = word(b + 2);
    for (int j = 0; j < 16; j++) {
        y[j] = half(b) * ((int)((b[6 + j] & 0x0F) + 16 * (high >> j & 1)) - 16);
        y[j + 16] = half(b) * ((int)((b[6 + j] >> 4) + 16 * (high >> (j + 16) & 1)) - 16);
    }
}

static void define_q5_1(const unsigned char *b, double *y) {
    const unsigned high = word(b + 4);
    for (int j = 0; j < 16; j++) {
        y[j] = half(b) * (int)((b[8 + j] & 0x0F) + 16 * (high >> j & 1)) + half(b + 2);
        y[j + 16] = half(b) * (int)((b[8 + j] >> 4) + 16 * (high >> (j + 16) & 1)) + half(b + 2);
    }
}

/* Eight scales and eight minima of six bits: four bytes of low ones, four of low minima, four with the rest. */
static void unpack_scales(const unsigned char *packed, int *scales, int *minima) {
    for (int j = 0; j < 4; j++) {
        scales[j] = packed[j] % 64;
        minima[j] = packed[4 + j] % 64;
        scales[4 + j] = packed[8 + j] % 16 + 16 * (packed[j] / 64);
        minima[4 + j] = packed[8 + j] / 16 + 16 * (packed[4 + j] / 64);
    }
}

static void define_q4_k(const unsigned char *b, double *y) {
    int scales[8], minima[8];
    unpack_scales(b + 4, scales, minima);
    const unsigned char *q = b + 16;
    for (int j = 0; j < 4; j++, q += 32) {
        for (int l = 0; l < 32; l++) *y++ = half(b) * scales[2 * j] * (q[l] % 16) - half(b + 2) * minima[2 * j];
        for (int l = 0; l < 32; l++) *y++ = half(b) * scales[2 * j + 1] * (q[l] / 16) - half(b + 2) * minima[2 * j + 1];
    }
}

static void define_q5_k(const unsigned char *b, double *y) {
    int scales[8], minima[8];
    unpack_scales(b + 4, scales, minima);
    const unsigned char *high = b + 16, *q = b + 48;
    for (int j = 0, bit = 1; j < 4; j++, q += 32, bit *= 4) {
        for (int l = 0; l < 32; l++)
            *y++ = half(b) * scales[2 * j] * (q[l] % 16 + (high[l] & bit ? 16 : 0)) - half(b + 2) * minima[2 * j];
        for (int l = 0; l < 32; l++)
            *y++ = half(b) * scales[2 * j + 1] * (q[l] / 16 + (high[l] & (2 * bit) ? 16 : 0)) -
                   half(b + 2) * minima[2 * j + 1];
    }
}

static void define_q6_k(const unsigned char *b, double *y) {
    const unsigned char *low = b, *high = b + 128;
    const signed char *scales = (const signed char *)b + 192;
    for (int n = 0; n < 2; n++, y += 128, low += 64, high += 32, scales += 8) {
        for (int l = 0; l < 32; l++) {
            y[l] = half(b + 208) * scales[l / 16] * ((low[l] % 16 | (high[l] & 3) << 4) - 32);
            y[l + 32] = half(b + 208) * scales[l / 16 + 2] * ((low[l + 32] % 16 | (high[l] >> 2 & 3) << 4) - 32);
            y[l + 64] = half(b + 208) * scales[l / 16 + 4] * ((low[l] / 16 | (high[l] >> 4 & 3) << 4) - 32);
            y[l + 96] = half(b + 208) * scales[l / 16 + 6] * ((low[l + 32] / 16 | (high[l] >> 6 & 3) << 4) - 32);
        }
    }
}

static void define_f32(const unsigned char *b, double *y) {
    float x;
    memcpy(&x, b, sizeof x);
    *y = (double)x;
}

static void define_f16(const unsigned char *b, double *y) { *y = half(b); }

static void define_bf16(const unsigned char *b, double *y) {
    *y = (double)tfm_bf16_to_f32((uint16_t)(b[0] + 256 * b[1]));
}

static const struct {
    uint32_t number;
    const char *name;
    uint32_t elements, bytes;
    int halves[2]; /* offsets of half-precision numbers, which must be finite here; -1: none */
    void (*define)(const unsigned char *block, double *values);
} types[] = {
    {0, "F32", 1, 4, {-1, -1}, define_f32},      {1, "F16", 1, 2, {0, -1}, define_f16},
    {2, "Q4_0", 32, 18, {0, -1}, define_q4_0},   {3, "Q4_1", 32, 20, {0, 2}, define_q4_1},
    {6, "Q5_0", 32, 22, {0, -1}, define_q5_0},   {7, "Q5_1", 32, 24, {0, 2}, define_q5_1},
    {8, "Q8_0", 32, 34, {0, -1}, define_q8_0},   {12, "Q4_K", 256, 144, {0, 2}, define_q4_k},
    {13, "Q5_K", 256, 176, {0, 2}, define_q5_k}, {14, "Q6_K", 256, 210, {208, -1}, define_q6_k},
    {30, "BF16", 1, 2, {-1, -1}, define_bf16},
};
#define N_TYPES (sizeof types / sizeof *types)

static void fill(size_t type, unsigned char *block, uint64_t *seed) {
    for (uint32_t i = 0; i < types[type].bytes; i++) block[i] = (unsigned char)(random_u32(seed) >> 8);
    for (int i = 0; i < 2; i++)
        if (types[type].halves[i] >= 0) block[types[type].halves[i] + 1] &= 0xBB; /* exponents below the largest */
    if (types[type].elements == 1) {
        float x = (float)(int32_t)random_u32(seed) * 0x1p-30f;
        uint16_t bf16 = tfm_f32_to_bf16(x);
        memcpy(block, types[type].number == 30 ? (void *)&bf16 : (void *)&x, types[type].bytes);
        if (types[type].number == 1) block[1] &= 0xBB;
    }
}

static void check(const char *type, uint64_t i, float got, double expected, double largest) {
    /* Plain types are exact; products round twice, and where a minimum is taken off, by the size of both. */
    const bool exact = strchr(type, 'F') != NULL;
    const double bound = exact ? 0 : 4 * 0x1p-24 * largest;
    cr_assert(fabs((double)got - expected) <= bound, "%s value %d: %.9g, not %.9g", type, (int)i, (double)got,
              expected);
}

/* A tensor of each type, (3, row), in one file; every stretch of its values is as the definition has it. */
Test(gguf_blocks, all_types) {
    char *folder = scratch_make();
    gguf_writer w = gguf_begin();
    uint64_t seed = 20241121;
    unsigned char *data[N_TYPES];
    cr_log_info("seed %d", (int)seed);
    for (size_t i = 0; i < N_TYPES; i++) {
        const size_t bytes = 3 * N_BLOCKS * types[i].bytes;
        data[i] = malloc(bytes);
        cr_assert(data[i]);
        for (size_t k = 0; k < 3 * N_BLOCKS; k++) fill(i, data[i] + k * types[i].bytes, &seed);
        const uint64_t shape[] = {3, N_BLOCKS * types[i].elements};
        gguf_tensor(&w, types[i].name, types[i].number, 2, shape, data[i], bytes);
    }
    gguf_save(&w, in(folder, "x.gguf"));
    tfm_gguf *gguf;
    REQUIRE_OK(tfm_gguf_open(&gguf, in(folder, "x.gguf"), error));
    for (size_t i = 0; i < N_TYPES; i++) {
        const tfm_gguf_tensor *t = tfm_gguf_tensor_find(gguf, types[i].name);
        const uint64_t n = 3 * N_BLOCKS * types[i].elements;
        cr_assert(t && t->count == n && t->shape[0] == 3 && strcmp(t->block->name, types[i].name) == 0);
        double *expected = malloc(n * sizeof *expected);
        float *got = malloc(n * sizeof *got);
        cr_assert(expected && got);
        for (uint64_t k = 0; k < n; k += types[i].elements)
            types[i].define(data[i] + k / types[i].elements * types[i].bytes, expected + k);
        double largest = 0;
        for (uint64_t k = 0; k < n; k++) largest = fmax(largest, fabs(expected[k]));
        const uint64_t step = n / 37 + 1;
        for (uint64_t first = 0; first < n; first += step)
            for (uint64_t count = 1; count <= n - first; count += step) {
                tfm_gguf_decode(t->block, t->data, first, count, got);
                for (uint64_t k = 0; k < count; k++)
                    check(types[i].name, first + k, got[k], expected[first + k], largest);
            }
        free(expected);
        free(got);
        free(data[i]);
    }
    tfm_gguf_close(&gguf);
    scratch_remove(&folder);
}
