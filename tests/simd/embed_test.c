/* embed_test.c - embedding gather from rows and panels of every type. */
#include "checker.h"

#include <string.h>

#include "gemm_case.h"

/* A table (vocab, d) in the layout and type asked for; table gets what it holds. */
static tfm_matrix make_table(check_case *c, size_t vocab, size_t d, bool panels, float *table) {
    tfm_dtype dtype = (tfm_dtype)check_below(c, TFM_BF16 + 1);
    size_t n_rows = panels ? tfm_panel_count(vocab) * TFM_PANEL : vocab, size = tfm_dtype_size(dtype);
    char *data = check_bytes(c, n_rows * d * size);
    check_fill(c, table, vocab * d);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < d; i++) {
            float x = r < vocab ? table[r * d + i] : 0.0f;
            uint16_t half = dtype == TFM_F16 ? tfm_f32_to_f16(x) : tfm_f32_to_bf16(x);
            size_t at = panels ? (r / TFM_PANEL * d + i) * TFM_PANEL + r % TFM_PANEL : r * d + i;
            memcpy(data + at * size, dtype == TFM_F32 ? (void *)&x : (void *)&half, size);
            if (dtype != TFM_F32 && r < vocab)
                table[r * d + i] = dtype == TFM_F16 ? tfm_f16_to_f32(half) : tfm_bf16_to_f32(half);
        }
    return (tfm_matrix){data, dtype, vocab, d};
}

void check_embed(check_case *c, const tfm_kernels *k) {
    size_t vocab = check_between(c, 1, 70), d = check_size(c, 80), m = check_size(c, 10), n_positions = 9;
    bool panels = check_chance(c, 50), placed = check_chance(c, 50);
    float *table = check_floats(c, vocab * d), scale = check_chance(c, 50) ? 1.0f : check_uniform(c, 1, 9);
    tfm_matrix matrix = make_table(c, vocab, d, panels, table);
    int32_t *ids = check_bytes(c, m * sizeof *ids);
    uint32_t *positions = check_bytes(c, m * sizeof *positions);
    float *position = check_vector(c, n_positions * d);
    size_t stride = d + check_below(c, 3);
    for (size_t i = 0; i < m; i++) {
        ids[i] = (int32_t)check_below(c, vocab);
        positions[i] = (uint32_t)check_below(c, n_positions);
    }
    size_t extent = check_extent(m, d, stride);
    float *y = check_floats(c, extent);
    (panels ? k->embed_panels : k->embed_rows)(&matrix, ids, m, scale, placed ? position : NULL,
                                               placed ? positions : NULL, y, stride);
    check_padding(c, "embed", y, m, d, stride);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < d && !c->failed; j++) {
            float expected = table[(size_t)ids[i] * d + j] * scale;
            if (placed) expected = expected + position[positions[i] * d + j];
            check_equal(c, "embed", &y[i * stride + j], &expected, 1);
        }
}

void check_embed_int(check_case *c, const tfm_kernels *kernels) {
    size_t vocab = check_between(c, 1, 70), d = check_size(c, 200), m = check_size(c, 10), n_positions = 9;
    const tfm_matrix table = gemm_case_int_weights(c, vocab, d, check_chance(c, 50) ? TFM_I8 : TFM_I4);
    int32_t *ids = check_bytes(c, m * sizeof *ids);
    uint32_t *positions = check_bytes(c, m * sizeof *positions);
    float *position = check_floats(c, n_positions * d), factor = check_chance(c, 50) ? 1.0f : check_uniform(c, 1, 9);
    bool placed = check_chance(c, 50);
    check_fill(c, position, n_positions * d);
    for (size_t i = 0; i < m; i++) {
        ids[i] = (int32_t)check_below(c, vocab);
        positions[i] = (uint32_t)check_below(c, n_positions);
    }
    size_t stride = d + check_below(c, 3);
    float *y = check_floats(c, check_extent(m, d, stride));
    kernels->embed_panels(&table, ids, m, factor, placed ? position : NULL, placed ? positions : NULL, y, stride);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < d && !c->failed; j++) {
            float scale, q = (float)gemm_case_weight(&table, (size_t)ids[i], j, &scale), expected = q * scale * factor;
            if (placed) expected = expected + position[positions[i] * d + j];
            check_equal(c, "embed_panels", &y[i * stride + j], &expected, 1);
        }
}
