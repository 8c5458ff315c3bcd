/*
 * gemm_int.c - products of quantised activations with int8 and int4 weights; compiled once per set of integer
 * instructions.
 *
 * Sums of integers are exact, so that neither tiles nor blocks can change a bit. Panels are taken in groups that stay
 * in the second-level cache while row tiles stream past.
 */
#include "epilogue.h"
#include "integer_kernels.h"

enum {
    GROUP_BYTES = 192 * 1024, /* weights of a group of panels */
    AHEAD = 1024,             /* bytes of weights to prefetch in front */
    ROWS_MAX = 12,            /* of a tile */
    PANELS_MAX = 8,
    ACC_MAX = 24 /* rows x panels */
};

/* A tile is known by its first row and panel. */
typedef struct tile_args {
    const tfm_gemm_args *g;
    const int32_t *totals; /* of each row of the tile: its sum, for int8 */
    size_t row, panel, panel_bytes;
} tile_args;

typedef void (*tile_fn)(const tile_args *t, float *out);

/* out (R, P panels): sums of products, times the weights' scales and the row's. */
V16_INLINE void tile_int8(const int R, const int P, const tile_args *t, float *out) {
    const tfm_quantized *q = t->g->q;
    const int8_t *a = q->q + t->row * q->stride;
    const uint8_t *w = (const uint8_t *)t->g->w->data + t->panel * t->panel_bytes;
    size_t lines = tfm_i8_lines(t->g->w->k);
    dot_sums sums[ACC_MAX];
    V16_FOR(i, R * P) sums[i] = dot_zero();
    for (size_t line = 0; line < lines; line++) {
        dot_weights b[PANELS_MAX];
        V16_FOR(j, P) {
            const uint8_t *p = w + j * t->panel_bytes + line * TFM_LINE_BYTES;
            b[j] = dot_load(p);
            __builtin_prefetch(p + AHEAD);
        }
        V16_FOR(r, R) {
            dot_columns x = dot_spread(a + r * q->stride + line * TFM_I8_LINE);
            V16_FOR(j, P) sums[r * P + j] = dot_step(sums[r * P + j], b[j], x);
        }
    }
    V16_FOR(r, R) {
        int32_t offset = (int32_t)((uint32_t)t->totals[r] * DOT_OFFSET);
        V16_FOR(j, P) {
            const void *scale = w + j * t->panel_bytes + lines * TFM_LINE_BYTES;
            v16 y = v16_mul(dot_float(sums[r * P + j], offset), v16_load(scale));
            v16_store(out + (r * P + j) * TFM_PANEL, v16_mul(y, v16_set(q->scale[t->row + r])));
        }
    }
}

/* One group of a block of columns, whose panels begin at `block`: acc = fma(sums, scales, acc). */
V16_INLINE void group_int4(const int R, const int P, const tile_args *t, const uint8_t *block, const size_t in_block,
                           size_t group, v16 *acc) {
    const tfm_quantized *q = t->g->q;
    size_t groups = tfm_quantized_groups(q);
    const uint8_t *w = block + tfm_i4_line_at(in_block * TFM_I4_GROUP);
    const int8_t *a = q->q + t->row * q->stride + group * TFM_I4_GROUP;
    nib_sums sums[ACC_MAX];
    V16_FOR(i, R * P) sums[i] = nib_zero();
    for (size_t line = 0; line < TFM_I4_GROUP / TFM_I4_LINE; line++) {
        nib_weights low[PANELS_MAX], high[PANELS_MAX];
        V16_FOR(j, P) {
            const uint8_t *p = w + j * t->panel_bytes + line * TFM_LINE_BYTES;
            nib_load(p, &low[j], &high[j]);
            __builtin_prefetch(p + AHEAD);
        }
        V16_FOR(r, R) {
            const int8_t *p = a + r * q->stride + line * TFM_I4_LINE;
            dot_columns x = dot_spread(p), y = dot_spread(p + TFM_I4_LINE / 2);
            V16_FOR(j, P) sums[r * P + j] = nib_step(nib_step(sums[r * P + j], low[j], x), high[j], y);
        }
    }
    V16_FOR(j, P) {
        const void *scales = block + j * t->panel_bytes + tfm_i4_scales_at(in_block);
        v16 scale = v16_load_f16(scales);
        V16_FOR(r, R) {
            int32_t sum = q->sums[(t->row + r) * groups + group];
            acc[r * P + j] = v16_fma(nib_float(sums[r * P + j], 8 * sum), scale, acc[r * P + j]);
        }
    }
}

V16_INLINE void tile_int4(const int R, const int P, const tile_args *t, float *out) {
    const tfm_quantized *q = t->g->q;
    const uint8_t *w = (const uint8_t *)t->g->w->data + t->panel * t->panel_bytes;
    v16 acc[ACC_MAX];
    V16_FOR(i, R * P) acc[i] = v16_set(0.0f);
    for (size_t block = 0; block < q->stride / TFM_I4_BLOCK; block++, w += TFM_I4_BLOCK_BYTES) {
        group_int4(R, P, t, w, 0, 2 * block, acc);
        group_int4(R, P, t, w, 1, 2 * block + 1, acc);
    }
    V16_FOR(i, R * P) v16_store(out + i * TFM_PANEL, v16_mul(acc[i], v16_set(q->scale[t->row + (i / P)])));
}

/* One tile of each shape and type. */
#define TILE_FITS(R, P) _Static_assert(R * P <= ACC_MAX, "a tile has more sums than there is room for");
DOT_TILES(TILE_FITS)
NIB_TILES(TILE_FITS)
#define TILE_INT8(R, P)                                                                                                \
    static void tile_int8_##R##x##P(const tile_args *t, float *out) { tile_int8(R, P, t, out); }
#define TILE_INT4(R, P)                                                                                                \
    static void tile_int4_##R##x##P(const tile_args *t, float *out) { tile_int4(R, P, t, out); }
DOT_TILES(TILE_INT8)
NIB_TILES(TILE_INT4)
/* NULL where there is none. */
#define ENTRY_INT8(R, P) [R][P] = tile_int8_##R##x##P,
#define ENTRY_INT4(R, P) [R][P] = tile_int4_##R##x##P,
static const tile_fn tiles_int8[ROWS_MAX + 1][PANELS_MAX + 1] = {DOT_TILES(ENTRY_INT8)};
static const tile_fn tiles_int4[ROWS_MAX + 1][PANELS_MAX + 1] = {NIB_TILES(ENTRY_INT4)};

/* Rows of the tallest tile for at most `left` > 0 rows, panels of the widest with so many rows for at most `left`. */
static size_t tallest_tile(const tile_fn tiles[][PANELS_MAX + 1], size_t left) {
    size_t r = left < ROWS_MAX ? left : ROWS_MAX;
    while (!tiles[r][1]) r--;
    return r;
}
static size_t widest_tile(const tile_fn *tiles, size_t left) {
    size_t p = left < PANELS_MAX ? left : PANELS_MAX;
    while (!tiles[p]) p--;
    return p;
}

static void add_up_rows(const tfm_quantized *q, size_t row, size_t n_rows, int32_t *totals) {
    size_t n = tfm_quantized_groups(q);
    for (size_t r = 0; r < n_rows; r++) {
        totals[r] = 0;
        for (size_t i = 0; i < n; i++) totals[r] += q->sums[(row + r) * n + i];
    }
}

/* Panels [panel0, panel1) for as many rows as one tile has. */
static void row_tile(const tfm_gemm_args *g, const tile_fn *tiles, size_t row, size_t n_rows, size_t panel0,
                     size_t panel1) {
    V16_ALIGN float out[ACC_MAX * TFM_PANEL];
    int32_t totals[ROWS_MAX] = {0};
    tile_args t = {.g = g, .totals = totals, .row = row, .panel_bytes = tfm_panel_bytes(g->w->dtype, g->w->k)};
    if (DOT_OFFSET != 0 && g->w->dtype == TFM_I8) add_up_rows(g->q, row, n_rows, totals);
    for (t.panel = panel0; t.panel < panel1;) {
        size_t n = widest_tile(tiles, panel1 - t.panel);
        tiles[n](&t, out);
        for (size_t i = 0; i < n_rows * n; i++)
            v16_epilogue(g, row + i / n, t.panel + i % n, v16_load(out + i * TFM_PANEL));
        t.panel += n;
    }
}

void DOT_NAME(tfm_gemm_int)(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
#if defined(DOT_TALL_GEMM_INT8)
    if (g->w->dtype == TFM_I8 && row1 - row0 >= DOT_TALL_ROWS) {
        DOT_TALL_GEMM_INT8(g, row0, row1, panel0, panel1);
        return;
    }
#endif
    const tile_fn(*tiles)[PANELS_MAX + 1] = g->w->dtype == TFM_I8 ? tiles_int8 : tiles_int4;
    size_t bytes = tfm_panel_bytes(g->w->dtype, g->w->k);
    size_t group = GROUP_BYTES / (bytes + (bytes == 0)) / PANELS_MAX * PANELS_MAX;
    if (group < PANELS_MAX) group = PANELS_MAX;
    for (size_t panel = panel0; panel < panel1; panel += group) {
        size_t end = panel1 - panel < group ? panel1 : panel + group;
        for (size_t row = row0; row < row1;) {
            size_t n_rows = tallest_tile(tiles, row1 - row);
            row_tile(g, tiles[n_rows], row, n_rows, panel, end);
            row += n_rows;
        }
    }
}
