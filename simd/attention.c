/*
 * attention.c - attention over a paged cache of key and value panels; compiled once per instruction set.
 *
 * Query rows (and the heads of a group, which share keys) are taken in tiles, so that each panel of keys or values is
 * read once for the whole tile. Every step is done per row and stops at the row's own end, so a row's bits are those
 * it would have alone.
 */
#include "chain.h"
#include "isa_kernels.h"
#include "simd/v16/v16_math.h"
#include "tiles.h"

enum {
    BLOCK = TFM_ATTENTION_BLOCK,
    /* Where f16 and int8 come from memory, conversions keep the processor from running ahead far enough by itself. */
    AHEAD_ROWS = 4,  /* rows of a tile up to which it may have to wait for keys and values */
    AHEAD_PAGES = 4, /* pages of values to fetch ahead */
    STEP = 4         /* positions or features between prefetches: a cache line of int8 */
};

typedef struct span {
    size_t begin, end;
} span;

/* State of up to V16_TILE_ROWS rows. Row t is query row t / group, head t % group, counted from the tile's first. */
typedef struct tile {
    const tfm_attention_args *args;
    size_t first, n_rows; /* rows in units of (query row, head) pairs */
    size_t n_panels;      /* panels of features */
    size_t last_page;     /* the last one that any row sees */
    float *query;         /* (n_rows, head_dim) */
    float *scores;        /* (n_rows, BLOCK), then the weights exp(score - max) */
    float *out;           /* (n_rows, n_panels * 16) */
    float *sums;          /* (n_rows, 16) */
    float *max;           /* (n_rows) of the scores so far */
    span seen[V16_TILE_ROWS];
} tile;

typedef struct key_args {
    const float *query;
    const char *k;
    const uint32_t *pages;
    const uint32_t *ahead; /* pages to fetch meanwhile */
    size_t page_stride, head_dim;
    float *scores;
} key_args;

/* Scores of R rows against P pages of keys. */
V16_INLINE void score_keys(const int R, const int P, const tfm_dtype dtype, const key_args *keys) {
    v16 acc[TILE_MAX];
    const void *w[TILE_PANELS_MAX];
    V16_FOR(j, P) w[j] = keys->k + keys->pages[j] * keys->page_stride;
    V16_FOR(i, R * P) acc[i] = v16_set(0.0f);
    size_t d = 0;
    if (R <= AHEAD_ROWS && dtype != TFM_F32) {
        const size_t step_bytes = STEP * TFM_PANEL * tfm_number_bytes(dtype);
        const char *next[TILE_PANELS_MAX];
        V16_FOR(j, P) next[j] = keys->k + keys->ahead[j] * keys->page_stride;
        for (; d + STEP <= keys->head_dim; d += STEP) {
            V16_FOR(j, P) {
                V16_UNROLL
                for (size_t byte = 0; byte < step_bytes; byte += 64) __builtin_prefetch(next[j] + byte);
                next[j] += step_bytes;
            }
            v16_chain(R, P, acc, keys->query + d, keys->head_dim, w, dtype, STEP, 0);
            V16_FOR(j, P) w[j] = (const char *)w[j] + step_bytes;
        }
    }
    v16_chain(R, P, acc, keys->query + d, keys->head_dim, w, dtype, keys->head_dim - d, 0);
    V16_FOR(i, R * P) v16_store(keys->scores + i / P * BLOCK + i % P * TFM_PANEL, acc[i]);
}

typedef struct value_args {
    const float *weights; /* of position p at weights[p - origin] */
    const char *v;        /* at the first panel of features */
    const uint32_t *pages;
    size_t page_stride, origin;
    size_t last_page; /* the last one that will be read, now or later */
    span positions;
    float *out;
    size_t out_stride;
} value_args;

/* out += weights x V for R rows and P panels of features, over positions in order. */
V16_INLINE void accumulate_values(const int R, const int P, const tfm_dtype dtype, const value_args *values) {
    const size_t size = tfm_number_bytes(dtype), step_bytes = STEP * TFM_PANEL * size;
    v16 acc[TILE_MAX];
    V16_FOR(i, R * P) acc[i] = v16_load(values->out + (i / P) * values->out_stride + i % P * TFM_PANEL);
    for (size_t p = values->positions.begin; p < values->positions.end;) {
        size_t lane = p % TFM_PANEL, n = TFM_PANEL - lane;
        if (n > values->positions.end - p) n = values->positions.end - p;
        const char *page = values->v + values->pages[p / TFM_PANEL] * values->page_stride;
        const void *w[TILE_PANELS_MAX];
        V16_FOR(j, P) w[j] = page + (j * TFM_PANEL + lane) * TFM_PANEL * size;
        const float *weights = values->weights + (p - values->origin);
        size_t i = 0;
        if (R <= AHEAD_ROWS && dtype != TFM_F32) {
            size_t ahead = p / TFM_PANEL + AHEAD_PAGES;
            const char *next =
                values->v + values->pages[ahead < values->last_page ? ahead : values->last_page] * values->page_stride;
            for (; i + STEP <= n; i += STEP) {
                V16_FOR(j, P) {
                    V16_UNROLL
                    for (size_t byte = 0; byte < step_bytes; byte += 64)
                        __builtin_prefetch(next + j * TFM_PANEL * TFM_PANEL * size + byte);
                }
                next += step_bytes;
                v16_chain(R, P, acc, weights + i, BLOCK, w, dtype, STEP, 0);
                V16_FOR(j, P) w[j] = (const char *)w[j] + step_bytes;
            }
        }
        v16_chain(R, P, acc, weights + i, BLOCK, w, dtype, n - i, 0);
        p += n;
    }
    V16_FOR(i, R * P) v16_store(values->out + (i / P) * values->out_stride + i % P * TFM_PANEL, acc[i]);
}

typedef void (*key_fn)(const key_args *keys);
typedef void (*value_fn)(const value_args *values);
#define TILE(R, P)                                                                                                     \
    static void score_keys_f32_##R##x##P(const key_args *keys) { score_keys(R, P, TFM_F32, keys); }                    \
    static void score_keys_f16_##R##x##P(const key_args *keys) { score_keys(R, P, TFM_F16, keys); }                    \
    static void score_keys_i8_##R##x##P(const key_args *keys) { score_keys(R, P, TFM_I8, keys); }                      \
    static void accumulate_values_f32_##R##x##P(const value_args *values) {                                            \
        accumulate_values(R, P, TFM_F32, values);                                                                      \
    }                                                                                                                  \
    static void accumulate_values_f16_##R##x##P(const value_args *values) {                                            \
        accumulate_values(R, P, TFM_F16, values);                                                                      \
    }                                                                                                                  \
    static void accumulate_values_i8_##R##x##P(const value_args *values) { accumulate_values(R, P, TFM_I8, values); }
V16_TILES(TILE)
#define TILE_KEYS(R, P)                                                                                                \
    [TFM_F32][R][P] = score_keys_f32_##R##x##P, [TFM_F16][R][P] = score_keys_f16_##R##x##P,                            \
    [TFM_I8][R][P] = score_keys_i8_##R##x##P,
#define TILE_VALUES(R, P)                                                                                              \
    [TFM_F32][R][P] = accumulate_values_f32_##R##x##P, [TFM_F16][R][P] = accumulate_values_f16_##R##x##P,              \
    [TFM_I8][R][P] = accumulate_values_i8_##R##x##P,
static const key_fn key_tiles[TFM_I8 + 1][V16_TILE_ROWS + 1][TILE_PANELS_MAX + 1] = {V16_TILES(TILE_KEYS)};
static const value_fn value_tiles[TFM_I8 + 1][V16_TILE_ROWS + 1][TILE_PANELS_MAX + 1] = {V16_TILES(TILE_VALUES)};

static span visible(const tfm_attention_args *a, size_t row) {
    size_t next = a->query_position + row + 1;
    return (span){.begin = a->window == 0 || next < a->window ? 0 : next - a->window,
                  .end = a->causal ? next : a->n_positions};
}

static span intersect(span a, span b) {
    span s = {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
    if (s.end < s.begin) s.end = s.begin;
    return s;
}

/* The scales of the 16 positions from p on, which begin a page. */
V16_INLINE v16 scales_of(const tfm_kv_view *kv, const float *scales, size_t p) {
    return v16_load((const float *)(const void *)((const char *)scales + kv->pages[p / TFM_PANEL] * kv->page_stride));
}

/* Scales, soft cap and bias for the 16 scores from position p on; -inf where not in `seen`. */
V16_INLINE v16 adjust(const tfm_attention_args *a, v16 s, const float *bias, size_t p, span seen) {
    if (a->kv.dtype == TFM_I8) s = v16_mul(s, scales_of(&a->kv, a->kv.k_scale, p));
    s = v16_mul(s, v16_set(a->scale));
    if (a->soft_cap != 0.0f) {
        v16 cap = v16_set(a->soft_cap);
        s = v16_mul(cap, v16_tanh(v16_div(s, cap)));
    }
    size_t n = seen.end - p < TFM_PANEL ? seen.end - p : TFM_PANEL;
    if (bias) s = v16_add(s, v16_load_up_to(bias + p, n));
    if (n < TFM_PANEL) s = v16_first(n, s, v16_set(-INFINITY));
    if (p < seen.begin) s = v16_first(seen.begin - p, v16_set(-INFINITY), s);
    return s;
}

static const float *bias_row(const tfm_attention_args *a, size_t row, size_t head) {
    return a->bias ? a->bias + (ptrdiff_t)row * a->bias_row_stride + (ptrdiff_t)head * a->bias_group_stride : NULL;
}

/*
 * The tile's raw scores for all pages that `positions` touches. Where few are left for a few rows, the last one is
 * taken more than once: one chain a row waits for its own multiply-adds, so more cost nothing. What they give is not
 * read.
 */
static void score_block(const tile *t, size_t block, span positions) {
    const tfm_attention_args *a = t->args;
    size_t page = positions.begin / TFM_PANEL, end = tfm_panel_count(positions.end);
    while (page < end) {
        size_t left = end - page, n = tile_panels(t->n_rows, left), widest = tile_widest[t->n_rows];
        const uint32_t *pages = a->kv.pages + page;
        uint32_t now[TILE_PANELS_MAX], ahead[TILE_PANELS_MAX];
        if (t->n_rows <= 2 && left > 1 && left < widest && page % widest == 0) {
            for (size_t j = 0; j < widest; j++) now[j] = pages[j < left ? j : left - 1];
            pages = now;
            n = widest;
        }
        for (size_t j = 0; j < n; j++)
            ahead[j] = a->kv.pages[page + n + j < t->last_page ? page + n + j : t->last_page];
        key_args keys = {.query = t->query,
                         .k = a->kv.k,
                         .pages = pages,
                         .ahead = ahead,
                         .page_stride = a->kv.page_stride,
                         .head_dim = a->head_dim,
                         .scores = t->scores + page * TFM_PANEL - block};
        key_tiles[a->kv.dtype][t->n_rows][n](&keys);
        page += n;
    }
}

/* Multiplies a row's sums and output by exp(old - new), when the running maximum has risen. */
static void rescale(const tile *t, size_t row, float old, float new) {
    v16 factor = v16_exp(v16_sub(v16_set(old), v16_set(new)));
    float *sums = t->sums + row * TFM_PANEL, *out = t->out + row * t->n_panels * TFM_PANEL;
    v16_store(sums, v16_mul(v16_load(sums), factor));
    for (size_t j = 0; j < t->n_panels; j++)
        v16_store(out + j * TFM_PANEL, v16_mul(v16_load(out + j * TFM_PANEL), factor));
}

/* Turns a row's raw scores into weights exp(score - max), after raising its maximum; adds them to its lane sums. */
static void softmax_row(const tile *t, size_t row, size_t block, span seen) {
    const tfm_attention_args *a = t->args;
    size_t pair = t->first + row;
    const float *bias = bias_row(a, pair / a->group, pair % a->group);
    float *scores = t->scores + row * BLOCK, *sums = t->sums + row * TFM_PANEL;
    size_t first = seen.begin - seen.begin % TFM_PANEL;
    v16 top = v16_set(-INFINITY);
    for (size_t p = first; p < seen.end; p += TFM_PANEL) {
        v16 s = adjust(a, v16_load(scores + (p - block)), bias, p, seen);
        v16_store(scores + (p - block), s);
        top = v16_max(s, top);
    }
    float old = t->max[row], max = v16_reduce_max(top);
    if (max > old) {
        rescale(t, row, old, max);
        t->max[row] = max;
    }
    v16 shift = v16_set(t->max[row] == -INFINITY ? 0.0f : t->max[row]), sum = v16_load(sums);
    for (size_t p = first; p < seen.end; p += TFM_PANEL) {
        v16 e = v16_exp(v16_sub(v16_load(scores + (p - block)), shift));
        sum = v16_add(sum, e); /* lanes not seen add 0 to a sum that is never -0 */
        if (a->kv.dtype == TFM_I8) e = v16_mul(e, scales_of(&a->kv, a->kv.v_scale, p));
        v16_store(scores + (p - block), e);
    }
    v16_store(sums, sum);
}

/* out += weights x V for n_rows rows from `row` on, over the same positions. */
static void accumulate_rows(const tile *t, size_t row, size_t n_rows, size_t block, span positions) {
    const tfm_attention_args *a = t->args;
    if (positions.begin >= positions.end) return;
    for (size_t j = 0; j < t->n_panels;) {
        size_t n = tile_panels(n_rows, t->n_panels - j);
        value_args values = {.weights = t->scores + row * BLOCK,
                             .v = (const char *)a->kv.v + j * TFM_PANEL * TFM_PANEL * tfm_number_bytes(a->kv.dtype),
                             .pages = a->kv.pages,
                             .page_stride = a->kv.page_stride,
                             .origin = block,
                             .last_page = t->last_page,
                             .positions = positions,
                             .out = t->out + (row * t->n_panels + j) * TFM_PANEL,
                             .out_stride = t->n_panels * TFM_PANEL};
        value_tiles[a->kv.dtype][n_rows][n](&values);
        j += n;
    }
}

/* The positions all rows see go through together; what a row sees before and after them, alone. */
static void accumulate_block(const tile *t, size_t block, const span *seen) {
    span common = seen[0];
    for (size_t r = 1; r < t->n_rows; r++) common = intersect(common, seen[r]);
    bool together = common.begin < common.end;
    for (size_t r = 0; r < t->n_rows; r++)
        accumulate_rows(t, r, 1, block, together ? (span){seen[r].begin, common.begin} : seen[r]);
    if (!together) return;
    accumulate_rows(t, 0, t->n_rows, block, common);
    for (size_t r = 0; r < t->n_rows; r++) accumulate_rows(t, r, 1, block, (span){common.end, seen[r].end});
}

static void attend_block(const tile *t, size_t block) {
    span seen[V16_TILE_ROWS], all = {SIZE_MAX, 0}, limits = {block, block + BLOCK};
    for (size_t r = 0; r < t->n_rows; r++) {
        seen[r] = intersect(limits, t->seen[r]);
        if (seen[r].begin >= seen[r].end) continue;
        if (seen[r].begin < all.begin) all.begin = seen[r].begin;
        if (seen[r].end > all.end) all.end = seen[r].end;
    }
    if (all.begin >= all.end) return;
    score_block(t, block, all);
    for (size_t r = 0; r < t->n_rows; r++)
        if (seen[r].begin < seen[r].end) softmax_row(t, r, block, seen[r]);
    accumulate_block(t, block, seen);
}

static void start_tile(tile *t) {
    const tfm_attention_args *a = t->args;
    for (size_t r = 0; r < t->n_rows; r++) {
        size_t row = (t->first + r) / a->group, head = (t->first + r) % a->group;
        t->seen[r] = visible(a, row);
        t->max[r] = -INFINITY;
        memcpy(t->query + r * a->head_dim, a->query + row * a->query_stride + head * a->query_group_stride,
               a->head_dim * sizeof(float));
    }
    memset(t->sums, 0, t->n_rows * TFM_PANEL * sizeof(float));
    memset(t->out, 0, t->n_rows * t->n_panels * TFM_PANEL * sizeof(float));
}

/* out / sum; zeros for a row that saw nothing. */
static void finish_tile(const tile *t) {
    const tfm_attention_args *a = t->args;
    for (size_t r = 0; r < t->n_rows; r++) {
        size_t row = (t->first + r) / a->group, head = (t->first + r) % a->group;
        const float *from = t->out + r * t->n_panels * TFM_PANEL;
        float *to = a->out + row * a->out_stride + head * a->out_group_stride;
        float total = v16_reduce_add(v16_load(t->sums + r * TFM_PANEL));
        for (size_t d = 0; d < a->head_dim; d += TFM_PANEL) {
            size_t n = a->head_dim - d < TFM_PANEL ? a->head_dim - d : TFM_PANEL;
            v16 x = total == 0.0f ? v16_set(0.0f) : v16_div(v16_load(from + d), v16_set(total));
            v16_store_up_to(to + d, x, n);
        }
    }
}

static void attend_tile(tile *t) {
    span all = {SIZE_MAX, 0};
    start_tile(t);
    for (size_t r = 0; r < t->n_rows; r++) {
        if (t->seen[r].begin < all.begin) all.begin = t->seen[r].begin;
        if (t->seen[r].end > all.end) all.end = t->seen[r].end;
    }
    t->last_page = all.end == 0 ? 0 : (all.end - 1) / TFM_PANEL;
    for (size_t block = all.begin - all.begin % BLOCK; block < all.end; block += BLOCK) attend_block(t, block);
    finish_tile(t);
}

void V16_NAME(tfm_attention)(const tfm_attention_args *a) {
    size_t n_panels = tfm_panel_count(a->head_dim), n_pairs = a->n_query * a->group;
    float *scratch = a->scratch, max[V16_TILE_ROWS];
    tile t = {.args = a, .n_panels = n_panels, .max = max};
    t.scores = scratch;
    t.sums = t.scores + V16_TILE_ROWS * BLOCK;
    t.out = t.sums + V16_TILE_ROWS * TFM_PANEL;
    t.query = t.out + V16_TILE_ROWS * n_panels * TFM_PANEL;
    for (size_t pair = 0; pair < n_pairs; pair += t.n_rows) {
        t.first = pair;
        t.n_rows = tile_rows(n_pairs - pair);
        attend_tile(&t);
    }
}

void V16_NAME(tfm_attention_weights)(const tfm_attention_args *a, float *weights, size_t weights_stride) {
    V16_ALIGN float scores[BLOCK];
    for (size_t row = 0; row < a->n_query; row++) {
        span seen = visible(a, row);
        float *to = weights + row * weights_stride;
        for (size_t p = 0; p < a->n_positions; p += TFM_PANEL) {
            size_t n = a->n_positions - p < TFM_PANEL ? a->n_positions - p : TFM_PANEL;
            v16 s = v16_set(-INFINITY);
            if (p < seen.end && p + TFM_PANEL > seen.begin) {
                key_args one = {.query = a->query + row * a->query_stride,
                                .k = a->kv.k,
                                .pages = a->kv.pages + p / TFM_PANEL,
                                .ahead = a->kv.pages + p / TFM_PANEL,
                                .page_stride = a->kv.page_stride,
                                .head_dim = a->head_dim,
                                .scores = scores};
                key_tiles[a->kv.dtype][1][1](&one);
                s = adjust(a, v16_load(scores), bias_row(a, row, 0), p, seen);
            }
            v16_store_partial(to + p, s, n);
        }
        V16_NAME(tfm_softmax)(to, a->n_positions);
    }
}
