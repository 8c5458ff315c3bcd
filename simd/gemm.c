/*
 * gemm.c - products of activations with packed weights, with their epilogue; compiled once per instruction set.
 *
 * Panels are taken in groups that stay in the second-level cache while row tiles stream past; a long k is cut into
 * blocks between which the accumulators are parked as the floats they are, so no cut changes a bit.
 */
#include "isa_kernels.h"
#include "chain.h"
#include "epilogue.h"
#include "tiles.h"
#include "v16_math.h"

enum {
    K_BLOCK = 1024,                /* k columns of one pass over a group; a block of f32 panel is 64 KiB */
    GROUP_BYTES = 192 * 1024,      /* weights of a group and block */
    ROW_CHUNK = 8 * V16_TILE_ROWS, /* rows whose accumulators are parked together */
    GROUP_MAX = 8                  /* panels in a group */
};

typedef struct tile_args {
    const float *a;
    size_t a_stride;
    const char *w;       /* first panel, at the block's first k */
    size_t panel_stride; /* bytes */
    size_t n_k;
    float *acc; /* row r, panel j: acc[r * acc_stride + j * 16] */
    size_t acc_stride;
    bool resume; /* go on from acc rather than from zero */
} tile_args;

typedef void (*tile_fn)(const tile_args *t);

V16_INLINE void tile(const int R, const int P, const tfm_dtype dtype, const tile_args *t) {
    v16 acc[TILE_MAX];
    const void *w[TILE_PANELS_MAX];
    V16_UNROLL
    for (int j = 0; j < P; j++) w[j] = t->w + (size_t)j * t->panel_stride;
    V16_UNROLL
    for (int i = 0; i < R * P; i++) acc[i] = v16_set(0.0f);
    if (t->resume) {
        V16_UNROLL
        for (int i = 0; i < R * P; i++)
            acc[i] = v16_load(t->acc + (size_t)(i / P) * t->acc_stride + (size_t)(i % P) * TFM_PANEL);
    }
    v16_chain(R, P, acc, t->a, t->a_stride, w, dtype, t->n_k, 128);
    V16_UNROLL
    for (int i = 0; i < R * P; i++)
        v16_store(t->acc + (size_t)(i / P) * t->acc_stride + (size_t)(i % P) * TFM_PANEL, acc[i]);
}

#define TILE(R, P)                                                                                                     \
    static void tile_f32_##R##x##P(const tile_args *t) { tile(R, P, TFM_F32, t); }                                     \
    static void tile_f16_##R##x##P(const tile_args *t) { tile(R, P, TFM_F16, t); }                                     \
    static void tile_bf16_##R##x##P(const tile_args *t) { tile(R, P, TFM_BF16, t); }
V16_TILES(TILE)

/* One tile of each shape and dtype; NULL where the instruction set has none. */
#define TILE_F32(R, P) [TFM_F32][R][P] = tile_f32_##R##x##P,
#define TILE_F16(R, P) [TFM_F16][R][P] = tile_f16_##R##x##P,
#define TILE_BF16(R, P) [TFM_BF16][R][P] = tile_bf16_##R##x##P,
static const tile_fn tiles[TFM_DTYPE_COUNT][V16_TILE_ROWS + 1][TILE_PANELS_MAX + 1] = {
    V16_TILES(TILE_F32) V16_TILES(TILE_F16) V16_TILES(TILE_BF16)};
typedef struct row_range {
    size_t begin, n;
} row_range;

/* All tiles of rows x panels over one block of k; acc is (rows, GROUP_MAX panels). */
static void block(const tfm_gemm_args *g, row_range rows, size_t panel, size_t n_panels, size_t k, size_t n_k,
                  float *acc) {
    const tfm_matrix *w = g->w;
    size_t size = tfm_dtype_size(w->dtype), panel_stride = w->k * TFM_PANEL * size;
    for (size_t r = 0; r < rows.n;) {
        size_t n_rows = tile_rows(rows.n - r);
        for (size_t p = 0; p < n_panels;) {
            size_t n = tile_panels(n_rows, n_panels - p);
            tile_args t = {.a = g->a + (rows.begin + r) * g->a_stride + k,
                           .a_stride = g->a_stride,
                           .w = (const char *)w->data + (panel + p) * panel_stride + k * TFM_PANEL * size,
                           .panel_stride = panel_stride,
                           .n_k = n_k,
                           .acc = acc + (r * GROUP_MAX + p) * TFM_PANEL,
                           .acc_stride = GROUP_MAX * TFM_PANEL,
                           .resume = k > 0};
            tiles[w->dtype][n_rows][n](&t);
            p += n;
        }
        r += n_rows;
    }
}

static size_t group_panels(const tfm_matrix *w) {
    size_t block_k = w->k < K_BLOCK ? w->k : K_BLOCK;
    size_t bytes = (block_k + (block_k == 0)) * TFM_PANEL * tfm_dtype_size(w->dtype);
    size_t n = GROUP_BYTES / bytes;
    return n < 4 ? 4 : n > GROUP_MAX ? GROUP_MAX : n & ~(size_t)3;
}

void V16_NAME(tfm_gemm)(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    V16_ALIGN float acc[ROW_CHUNK * GROUP_MAX * TFM_PANEL];
    const tfm_matrix *w = g->w;
    size_t group = group_panels(w);
    for (size_t panel = panel0; panel < panel1; panel += group) {
        size_t n_panels = panel1 - panel < group ? panel1 - panel : group;
        for (size_t row = row0; row < row1; row += ROW_CHUNK) {
            row_range rows = {row, row1 - row < ROW_CHUNK ? row1 - row : ROW_CHUNK};
            size_t k = 0;
            do {
                size_t n_k = w->k - k < K_BLOCK ? w->k - k : K_BLOCK;
                block(g, rows, panel, n_panels, k, n_k, acc);
                k += n_k;
            } while (k < w->k);
            for (size_t r = 0; r < rows.n; r++)
                for (size_t p = 0; p < n_panels; p++)
                    v16_finish(g, row + r, panel + p, v16_load(acc + (r * GROUP_MAX + p) * TFM_PANEL));
        }
    }
}
