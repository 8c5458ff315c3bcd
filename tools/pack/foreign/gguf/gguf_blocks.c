/* gguf_blocks.c - values of the block types of GGUF files. */
#include "gguf_blocks.h"

#include <string.h>

#include "simd/panels.h"

static uint16_t u16_at(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static float half_at(const uint8_t *p) { return tfm_f16_to_f32(u16_at(p)); }

/* ---- plain types ---- */

static void decode_f32(const uint8_t *b, float *x) { memcpy(x, b, sizeof *x); }

static void decode_f16(const uint8_t *b, float *x) { *x = half_at(b); }

static void decode_bf16(const uint8_t *b, float *x) { *x = tfm_bf16_to_f32(u16_at(b)); }

/* ---- blocks of 32: a scale, perhaps a minimum, perhaps a fifth bit for each value ---- */

static void decode_q8_0(const uint8_t *b, float *x) {
    const float scale = half_at(b);
    for (int i = 0; i < 32; i++) x[i] = scale * (float)(int8_t)b[2 + i];
}

/* Low halves of the bytes are values 0 to 15, high halves 16 to 31. */
static int nibble(const uint8_t *bytes, int i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }

static void decode_q4_0(const uint8_t *b, float *x) {
    const float scale = half_at(b);
    for (int i = 0; i < 32; i++) x[i] = scale * (float)(nibble(b + 2, i) - 8);
}

static void decode_q4_1(const uint8_t *b, float *x) {
    const float scale = half_at(b), minimum = half_at(b + 2);
    for (int i = 0; i < 32; i++) x[i] = scale * (float)nibble(b + 4, i) + minimum;
}

static int fifth_bit(const uint8_t *bits, int i) { return (bits[i / 8] >> (i % 8) & 1) << 4; }

static void decode_q5_0(const uint8_t *b, float *x) {
    const float scale = half_at(b);
    for (int i = 0; i < 32; i++) x[i] = scale * (float)((nibble(b + 6, i) | fifth_bit(b + 2, i)) - 16);
}

static void decode_q5_1(const uint8_t *b, float *x) {
    const float scale = half_at(b), minimum = half_at(b + 2);
    for (int i = 0; i < 32; i++) x[i] = scale * (float)(nibble(b + 8, i) | fifth_bit(b + 4, i)) + minimum;
}

/* ---- blocks of 256: parts with small integer scales, which have a scale in turn ---- */

/*
 * Six-bit scale and minimum of part i of 8, in 12 bytes: parts 0 to 3 have theirs in the low bits of bytes 0 to 3 and 4
 * to 7; of parts 4 to 7 the low four bits are in bytes 8 to 11, the high two on top of those bytes.
 */
static void part_scales(const uint8_t *packed, int i, int *scale, int *minimum) {
    if (i < 4) {
        *scale = packed[i] & 63;
        *minimum = packed[i + 4] & 63;
    } else {
        *scale = (packed[i + 4] & 15) | (packed[i - 4] >> 6) << 4;
        *minimum = packed[i + 4] >> 4 | (packed[i] >> 6) << 4;
    }
}

/* high: 32 bytes, bit i of byte l is the fifth bit of value l of part i; NULL: four bits. */
static void decode_parts(const uint8_t *b, const uint8_t *high, const uint8_t *low, float *x) {
    const float scale_unit = half_at(b), minimum_unit = half_at(b + 2);
    for (int part = 0; part < 8; part++) {
        int scale, minimum;
        part_scales(b + 4, part, &scale, &minimum);
        const float d = scale_unit * (float)scale, m = minimum_unit * (float)minimum;
        const uint8_t *bytes = low + 32 * (part / 2);
        for (int l = 0; l < 32; l++) {
            int q = part % 2 ? bytes[l] >> 4 : bytes[l] & 15;
            if (high) q |= (high[l] >> part & 1) << 4;
            x[32 * part + l] = d * (float)q - m;
        }
    }
}

static void decode_q4_k(const uint8_t *b, float *x) { decode_parts(b, NULL, b + 16, x); }

static void decode_q5_k(const uint8_t *b, float *x) { decode_parts(b, b + 16, b + 48, x); }

/*
 * Each half of 128 values: 64 bytes of low and 32 bytes of high bits, in which byte l serves values l, 32 + l, 64 + l
 * and 96 + l; a signed scale for 16 values.
 */
static void decode_q6_k(const uint8_t *b, float *x) {
    const uint8_t *scales = b + 192;
    const float unit = half_at(b + 208);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, l = i % 32;
        uint8_t low = b[64 * half + 32 * (quarter % 2) + l], high = b[128 + 32 * half + l];
        int q = (quarter < 2 ? low & 15 : low >> 4) | (high >> (2 * quarter) & 3) << 4;
        x[i] = unit * (float)(int8_t)scales[i / 16] * (float)(q - 32);
    }
}

/* ---- the list ---- */

static const tfm_gguf_block types[] = {
    [0] = {"F32", 1, 4, decode_f32},
    [1] = {"F16", 1, 2, decode_f16},
    [2] = {"Q4_0", 32, 18, decode_q4_0},
    [3] = {"Q4_1", 32, 20, decode_q4_1},
    [6] = {"Q5_0", 32, 22, decode_q5_0},
    [7] = {"Q5_1", 32, 24, decode_q5_1},
    [8] = {"Q8_0", 32, 34, decode_q8_0},
    [9] = {.name = "Q8_1"},
    [10] = {.name = "Q2_K"},
    [11] = {.name = "Q3_K"},
    [12] = {"Q4_K", 256, 144, decode_q4_k},
    [13] = {"Q5_K", 256, 176, decode_q5_k},
    [14] = {"Q6_K", 256, 210, decode_q6_k},
    [15] = {.name = "Q8_K"},
    [16] = {.name = "IQ2_XXS"},
    [17] = {.name = "IQ2_XS"},
    [18] = {.name = "IQ3_XXS"},
    [19] = {.name = "IQ1_S"},
    [20] = {.name = "IQ4_NL"},
    [21] = {.name = "IQ3_S"},
    [22] = {.name = "IQ2_S"},
    [23] = {.name = "IQ4_XS"},
    [24] = {.name = "I8"},
    [25] = {.name = "I16"},
    [26] = {.name = "I32"},
    [27] = {.name = "I64"},
    [28] = {.name = "F64"},
    [29] = {.name = "IQ1_M"},
    [30] = {"BF16", 1, 2, decode_bf16},
    [34] = {.name = "TQ1_0"},
    [35] = {.name = "TQ2_0"},
    [39] = {.name = "MXFP4"},
};

const tfm_gguf_block *tfm_gguf_block_type(uint32_t number) {
    return number < sizeof types / sizeof *types && types[number].name ? &types[number] : NULL;
}

void tfm_gguf_decode(const tfm_gguf_block *type, const uint8_t *data, uint64_t first, uint64_t n, float *values) {
    if (type->decode == decode_f32) {
        memcpy(values, data + 4 * first, (size_t)n * sizeof *values);
        return;
    }
    float part[TFM_GGUF_BLOCK_MAX];
    const uint32_t size = type->elements;
    for (uint64_t done = 0; done < n;) {
        uint64_t at = first + done, inside = at % size, count = size - inside < n - done ? size - inside : n - done;
        const uint8_t *block = data + at / size * type->bytes;
        if (count == size) {
            type->decode(block, values + done);
        } else {
            type->decode(block, part);
            memcpy(values + done, part + inside, (size_t)count * sizeof *values);
        }
        done += count;
    }
}
