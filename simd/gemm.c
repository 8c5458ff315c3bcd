/*
 * gemm.c - products of activations with packed weights, with their epilogue; compiled once per instruction set.
 *
 * Weights are taken in groups of panels and blocks of k small enough to stay in the second-level cache while row tiles
 * stream past; what comes after a block is fetched while the block is worked on. Between blocks of k the accumulators
 * are parked as the floats they are, so no cut changes a bit.
 */
#include "chain.h"
#include "epilogue.h"
#include "isa_kernels.h"
#include "simd/v16/v16_math.h"
#include "tiles.h"

enum {
    K_BLOCK = 512,          /* k columns of one pass over a group; a block of an f32 panel is 32 KiB */
    K_BLOCK_FEW = 2048,     /* the same where all rows are one tile */
    GROUP = V16_ROW_PANELS, /* panels in a group: what one row takes at a time */
    ROW_CHUNK = 512 / GROUP / V16_TILE_ROWS * V16_TILE_ROWS, /* rows whose accumulators are parked together: 32 KiB */
    LARGE = 2 << 20, /* elements of a matrix that is hardly ever in a cache when it is used */
    STEP = 8         /* k columns between prefetches of what comes next */
};

typedef struct tile_args {
    const float *a;
    size_t a_stride;
    const char *w;       /* first panel, at the block's first k */
    size_t panel_stride; /* bytes */
    size_t n_k;
    float *acc; /* row r, panel j: acc[r * acc_stride + j * 16] */
    size_t acc_stride;
    bool resume;            /* go on from acc rather than from zero */
    const tfm_gemm_args *g; /* to be finished: acc is for this tile alone; NULL if k goes on */
    size_t row, panel;
    const char *next;  /* what to fetch meanwhile: of each panel (panel_stride apart) ... */
    size_t next_bytes; /* ... so many bytes every STEP columns, a multiple of 64 */
} tile_args;

typedef void (*tile_fn)(const tile_args *t);

/* The epilogue of a tile's rows. */
static void finish_tile(const tile_args *t, size_t n_rows, size_t n_panels) {
    for (size_t r = 0; r < n_rows; r++)
        for (size_t j = 0; j < n_panels; j++)
            v16_epilogue(t->g, t->row + r, t->panel + j, v16_load(t->acc + r * t->acc_stride + j * TFM_PANEL));
}

V16_INLINE void tile(const int R, const int P, const tfm_dtype dtype, const tile_args *t) {
    const size_t size = tfm_number_bytes(dtype);
    v16 acc[TILE_MAX];
    const void *w[TILE_PANELS_MAX];
    V16_FOR(j, P) w[j] = t->w + j * t->panel_stride;
    V16_FOR(i, R * P) acc[i] = v16_set(0.0f);
    if (t->resume) {
        V16_FOR(i, R * P) acc[i] = v16_load(t->acc + (i / P) * t->acc_stride + (i % P) * TFM_PANEL);
    }
    if (t->g) {
        V16_FOR(r, R) {
            float *c = t->g->c + (t->row + r) * t->g->c_stride + t->panel * TFM_PANEL;
            V16_FOR(j, P) __builtin_prefetch(c + j * TFM_PANEL, 1);
        }
    }
    const float *a = t->a;
    const char *next = t->next;
    size_t k = 0;
    for (; k + STEP <= t->n_k; k += STEP) {
        for (size_t line = 0; line < t->next_bytes; line += 64) {
            V16_FOR(j, P) __builtin_prefetch(next + j * t->panel_stride + line, 0, 2);
        }
        next += t->next_bytes;
        v16_chain(R, P, acc, a, t->a_stride, w, dtype, STEP, V16_PREFETCH / P);
        a += STEP;
        V16_FOR(j, P) w[j] = (const char *)w[j] + STEP * TFM_PANEL * size;
    }
    v16_chain(R, P, acc, a, t->a_stride, w, dtype, t->n_k - k, 0);
    V16_FOR(i, R * P) v16_store(t->acc + (i / P) * t->acc_stride + (i % P) * TFM_PANEL, acc[i]);
    if (t->g) finish_tile(t, R, P);
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

/* Rows and panels worked on together. */
typedef struct region {
    size_t row, n_rows, panel, n_panels;
} region;

/* What is fetched while a block is worked on: the block that comes next, of as many panels. */
typedef struct next_block {
    const char *w; /* NULL if nothing */
    size_t n_panels;
    size_t tiles; /* row tiles that share the work */
} next_block;

/* Panels of the next tile of so many rows. */
static size_t panels_of(const tfm_matrix *w, size_t n_rows, size_t left) {
#ifdef V16_LARGE_ROWS
    if (n_rows == V16_LARGE_ROWS && left >= V16_LARGE_PANELS && w->dtype == TFM_F32 && w->n >= LARGE / (w->k + 1))
        return V16_LARGE_PANELS;
#else
    (void)w;
#endif
    return tile_panels(n_rows, left);
}

/* All tiles of a region over one block of k; acc is (rows, GROUP panels). */
static void block(const tfm_gemm_args *g, const region *p, size_t k, size_t n_k, next_block next, float *acc) {
    const tfm_matrix *w = g->w;
    size_t k_bytes = TFM_PANEL * tfm_dtype_size(w->dtype), panel_stride = w->k * k_bytes;
    const char *data = (const char *)w->data + p->panel * panel_stride + k * k_bytes;
    size_t steps = n_k / STEP, n_bytes = n_k * k_bytes;
    size_t share = steps == 0 ? 0 : (n_bytes / (steps * next.tiles) + 63) / 64 * 64; /* bytes a step */
    size_t fetched = 0;
    for (size_t r = 0; r < p->n_rows;) {
        size_t n_rows = tile_rows(p->n_rows - r);
        for (size_t j = 0; j < p->n_panels;) {
            size_t n = panels_of(w, n_rows, p->n_panels - j);
            bool fetch = next.w && fetched < n_bytes && j + n <= next.n_panels;
            tile_args t = {.a = g->a + (p->row + r) * g->a_stride + k,
                           .a_stride = g->a_stride,
                           .w = data + j * panel_stride,
                           .panel_stride = panel_stride,
                           .n_k = n_k,
                           .acc = acc + (r * GROUP + j) * TFM_PANEL,
                           .acc_stride = GROUP * TFM_PANEL,
                           .resume = k > 0,
                           .g = k + n_k == w->k ? g : NULL,
                           .row = p->row + r,
                           .panel = p->panel + j,
                           .next = fetch ? next.w + j * panel_stride + fetched : NULL,
                           .next_bytes = fetch ? share : 0};
            tiles[w->dtype][n_rows][n](&t);
            j += n;
        }
        fetched += share * steps;
        r += n_rows;
    }
}

static size_t row_tiles(size_t n) {
    size_t count = n / V16_TILE_ROWS;
    for (n -= count * V16_TILE_ROWS; n > 0; n -= tile_rows(n)) count++;
    return count;
}

/*
 * The block after columns [k, k + n_k) of region p, none if it is near anyway: one row tile reads ahead by itself, and
 * a group that more rows come for stays in the cache unless k is cut.
 */
static next_block block_after(const tfm_gemm_args *g, const region *p, size_t k, size_t n_k, bool last_rows,
                              size_t panel1) {
    const tfm_matrix *w = g->w;
    const char *panels = (const char *)w->data;
    size_t k_bytes = TFM_PANEL * tfm_dtype_size(w->dtype), panel_stride = w->k * k_bytes;
    next_block next = {NULL, p->n_panels, row_tiles(p->n_rows)};
    size_t then = p->panel + p->n_panels;
    if (next.tiles < 2) return next;
    if (k + n_k < w->k) {
        next.w = panels + p->panel * panel_stride + (k + n_k) * k_bytes;
    } else if (!last_rows) {
        if (n_k < w->k) next.w = panels + p->panel * panel_stride;
    } else if (then < panel1) {
        next.w = panels + then * panel_stride;
        next.n_panels = panel1 - then;
    }
    return next;
}

void V16_NAME(tfm_gemm)(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    V16_ALIGN float acc[ROW_CHUNK * GROUP * TFM_PANEL];
    size_t n_k, all = g->w->k, k_block = row_tiles(row1 - row0) < 2 ? K_BLOCK_FEW : K_BLOCK;
    for (size_t panel = panel0; panel < panel1; panel += GROUP) {
        region p = {.panel = panel, .n_panels = panel1 - panel < GROUP ? panel1 - panel : GROUP};
        for (p.row = row0; p.row < row1; p.row += p.n_rows) {
            p.n_rows = row1 - p.row < ROW_CHUNK ? row1 - p.row : ROW_CHUNK;
            size_t k = 0;
            do {
                n_k = all - k < k_block ? all - k : k_block;
                block(g, &p, k, n_k, block_after(g, &p, k, n_k, p.row + p.n_rows == row1, panel1), acc);
                k += n_k;
            } while (k < all);
        }
    }
}
