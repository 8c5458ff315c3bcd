/* rope.c - rotary position embedding of queries and keys; compiled once per instruction set. */
#include "isa_kernels.h"

/* Pairs (a, b) of n <= 16 lanes rotated: (a c - b s, b c + a s), each product and sum rounded. */
V16_INLINE void rotate(v16 *a, v16 *b, const float *cosine, const float *sine, size_t n) {
    v16 c = v16_load_up_to(cosine, n);
    v16 s = v16_load_up_to(sine, n);
    v16 x = *a, y = *b;
    *a = v16_sub(v16_mul(x, c), v16_mul(y, s));
    *b = v16_add(v16_mul(y, c), v16_mul(x, s));
}

static void rotate_halves(float *x, size_t half, const float *cosine, const float *sine) {
    size_t i = 0;
    for (; i + TFM_PANEL <= half; i += TFM_PANEL) {
        v16 a = v16_load(x + i), b = v16_load(x + half + i);
        rotate(&a, &b, cosine + i, sine + i, TFM_PANEL);
        v16_store(x + i, a);
        v16_store(x + half + i, b);
    }
    if (i < half) {
        v16 a = v16_load_partial(x + i, half - i), b = v16_load_partial(x + half + i, half - i);
        rotate(&a, &b, cosine + i, sine + i, half - i);
        v16_store_partial(x + i, a, half - i);
        v16_store_partial(x + half + i, b, half - i);
    }
}

static void rotate_interleaved(float *x, size_t half, const float *cosine, const float *sine) {
    for (size_t i = 0; i < half; i += TFM_PANEL) {
        size_t n = half - i < TFM_PANEL ? half - i : TFM_PANEL;
        V16_ALIGN float first[TFM_PANEL] = {0}, second[TFM_PANEL] = {0};
        for (size_t j = 0; j < n; j++) {
            first[j] = x[2 * (i + j)];
            second[j] = x[2 * (i + j) + 1];
        }
        v16 a = v16_load(first), b = v16_load(second);
        rotate(&a, &b, cosine + i, sine + i, n);
        v16_store(first, a);
        v16_store(second, b);
        for (size_t j = 0; j < n; j++) {
            x[2 * (i + j)] = first[j];
            x[2 * (i + j) + 1] = second[j];
        }
    }
}

void V16_NAME(tfm_rope)(float *x, size_t x_stride, size_t m, size_t n_heads, size_t head_dim, size_t rope_dim,
                        tfm_rope_layout layout, const float *table, const uint32_t *positions) {
    for (size_t r = 0; r < m; r++) {
        const float *cosine = table + positions[r] * rope_dim, *sine = cosine + rope_dim / 2;
        for (size_t h = 0; h < n_heads; h++) {
            float *head = x + r * x_stride + h * head_dim;
            if (layout == TFM_ROPE_HALVES)
                rotate_halves(head, rope_dim / 2, cosine, sine);
            else
                rotate_interleaved(head, rope_dim / 2, cosine, sine);
        }
    }
}
