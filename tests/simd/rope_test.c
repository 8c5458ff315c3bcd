/* rope_test.c - rotary position embedding. */
#include "checker.h"

#include <string.h>

/* Heads of a matrix with columns before, between and behind what is turned; every operation is rounded. */
void check_rope(check_case *c, const tfm_kernels *k) {
    enum { POSITIONS = 9 };
    size_t half = check_between(c, 1, 40), rope_dim = 2 * half, head_dim = rope_dim + check_below(c, 20);
    size_t n_heads = check_between(c, 1, 4), m = check_size(c, 6), stride = n_heads * head_dim + check_below(c, 5);
    size_t extent = check_extent(m, n_heads * head_dim, stride);
    tfm_rope_layout layout = check_chance(c, 50) ? TFM_ROPE_HALVES : TFM_ROPE_INTERLEAVED;
    float *table = check_vector(c, POSITIONS * rope_dim), *x = check_vector(c, extent),
          *expected = check_floats(c, extent);
    uint32_t *positions = check_bytes(c, m * sizeof *positions);
    if (extent > 0) memcpy(expected, x, extent * sizeof *x);
    for (size_t r = 0; r < m; r++) {
        positions[r] = (uint32_t)check_below(c, POSITIONS);
        const float *cosine = table + positions[r] * rope_dim, *sine = cosine + half;
        for (size_t h = 0; h < n_heads; h++) {
            for (size_t i = 0; i < half; i++) {
                float *head = expected + r * stride + h * head_dim;
                float *a = head + (layout == TFM_ROPE_HALVES ? i : 2 * i);
                float *b = layout == TFM_ROPE_HALVES ? a + half : a + 1;
                float p = *a * cosine[i], q = *b * sine[i], u = *b * cosine[i], v = *a * sine[i];
                *a = p - q;
                *b = u + v;
            }
        }
    }
    k->rope(x, stride, m, n_heads, head_dim, rope_dim, layout, table, positions);
    check_equal(c, "rope", x, expected, extent);
}
