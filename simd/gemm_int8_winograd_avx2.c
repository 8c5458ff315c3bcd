/*
 * gemm_int8_winograd_avx2.c - products of many rows with int8 weights on AVX2, by Winograd's inner product.
 *
 * The sum of a0 w0 + a1 w1 over pairs of columns is that of (a0 + w1) (a1 + w0), less that of a0 a1, which is the
 * row's, and of w0 w1, which is the lane's. Two additions of 16-bit lanes, VPMADDWD and one more addition serve 32
 * products like the exact form with VPMADDUBSW does, but with one multiplication where that has two: all four pipes
 * have work. Everything wraps at 32 bits, so that the difference at the end is exact.
 *
 * Of each 4 columns, the even ones (0, 2) and the odd ones (1, 3) go into a dword each, both of weights (as they lie,
 * w + 128, widened once for all rows) and of activations (widened once for a group of panels).
 */
#include "epilogue.h"
#include "simd/dot/dot_avx2.h"

enum {
    ROWS = 4,   /* of a tile */
    CHUNK = 96, /* rows whose sums are held */
    GROUP = 16, /* panels whose sums are held */
    LINES = 64  /* of a block */
};

typedef struct row_sums {
    int32_t lanes[TFM_PANEL];
} row_sums;

typedef struct scratch {
    V16_ALIGN int16_t rows[CHUNK][LINES * TFM_I8_LINE];
    V16_ALIGN int16_t weights[LINES][TFM_I8_LINE * TFM_PANEL]; /* even columns of lanes 0 .. 15, then odd ones */
    V16_ALIGN row_sums sums[GROUP][CHUNK];
    V16_ALIGN row_sums lane_pairs[GROUP]; /* sum of w0 w1 */
    int32_t row_pairs[CHUNK];             /* sum of a0 a1 */
} scratch;

V16_INLINE __m256i load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
V16_INLINE void store(void *p, __m256i x) { _mm256_storeu_si256((__m256i *)p, x); }

V16_INLINE int32_t add_lanes(__m256i x) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return (int32_t)((uint32_t)_mm_cvtsi128_si32(two) + (uint32_t)_mm_extract_epi32(two, 1));
}

/* Widens the columns of a block, 32 at a time: q is padded with 0 to a multiple of 64. Returns their sum of a0 a1. */
static int32_t widen_row(const int8_t *q, size_t lines, int16_t *to) {
    __m256i pairs = _mm256_setzero_si256();
    for (size_t c = 0; c < lines * TFM_I8_LINE; c += 32) {
        __m256i x = load(q + c), even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
        __m256i odd = _mm256_srai_epi16(x, 8);
        __m256i low = _mm256_unpacklo_epi32(even, odd), high = _mm256_unpackhi_epi32(even, odd);
        store(to + c, _mm256_permute2x128_si256(low, high, 0x20));
        store(to + c + 16, _mm256_permute2x128_si256(low, high, 0x31));
        pairs = _mm256_add_epi32(pairs, _mm256_madd_epi16(even, odd));
    }
    return add_lanes(pairs);
}

/* Widens a block of a panel, and adds its w0 w1 to pairs. */
static void widen_weights(const uint8_t *panel, size_t lines, int16_t to[][TFM_I8_LINE * TFM_PANEL], row_sums *pairs) {
    const __m256i mask = _mm256_set1_epi16(255);
    __m256i a = load(pairs->lanes), b = load(pairs->lanes + 8);
    for (size_t s = 0; s < lines; s++) {
        const uint8_t *line = panel + s * TFM_LINE_BYTES;
        __m256i x = load(line), y = load(line + 32);
        __m256i even_a = _mm256_and_si256(x, mask), even_b = _mm256_and_si256(y, mask);
        __m256i odd_a = _mm256_srli_epi16(x, 8), odd_b = _mm256_srli_epi16(y, 8);
        store(to[s], even_a);
        store(to[s] + 16, even_b);
        store(to[s] + 32, odd_a);
        store(to[s] + 48, odd_b);
        a = _mm256_add_epi32(a, _mm256_madd_epi16(even_a, odd_a));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(even_b, odd_b));
        __builtin_prefetch(line + LINES * TFM_LINE_BYTES);
    }
    store(pairs->lanes, a);
    store(pairs->lanes + 8, b);
}

V16_INLINE __m256i spread(const int16_t *pair) {
    int32_t two;
    memcpy(&two, pair, sizeof two);
    return _mm256_set1_epi32(two);
}

/* sums[r] += the block's products of ROWS rows with one panel. */
static void tile(int16_t rows[][LINES * TFM_I8_LINE], int16_t weights[][TFM_I8_LINE * TFM_PANEL], size_t lines,
                 row_sums *sums) {
    __m256i a[ROWS], b[ROWS];
    V16_FOR(r, ROWS) {
        a[r] = load(sums[r].lanes);
        b[r] = load(sums[r].lanes + 8);
    }
    for (size_t s = 0; s < lines; s++) {
        const __m256i even_a = load(weights[s]), even_b = load(weights[s] + 16);
        const __m256i odd_a = load(weights[s] + 32), odd_b = load(weights[s] + 48);
        V16_FOR(r, ROWS) {
            __m256i even = spread(rows[r] + TFM_I8_LINE * s), odd = spread(rows[r] + TFM_I8_LINE * s + 2);
            a[r] =
                _mm256_add_epi32(a[r], _mm256_madd_epi16(_mm256_add_epi16(even, odd_a), _mm256_add_epi16(odd, even_a)));
            b[r] =
                _mm256_add_epi32(b[r], _mm256_madd_epi16(_mm256_add_epi16(even, odd_b), _mm256_add_epi16(odd, even_b)));
        }
    }
    V16_FOR(r, ROWS) {
        store(sums[r].lanes, a[r]);
        store(sums[r].lanes + 8, b[r]);
    }
}

/* Sums of n_rows <= CHUNK rows and n_panels <= GROUP panels; rows up to the next multiple of ROWS are written too. */
static void sum_up(scratch *t, const tfm_gemm_args *g, size_t row, size_t n_rows, size_t panel, size_t n_panels) {
    const tfm_quantized *q = g->q;
    size_t lines = tfm_i8_lines(g->w->k), bytes = tfm_panel_bytes(TFM_I8, g->w->k);
    size_t tiled = (n_rows + ROWS - 1) / ROWS * ROWS;
    memset(t->lane_pairs, 0, sizeof t->lane_pairs);
    memset(t->row_pairs, 0, sizeof t->row_pairs);
    for (size_t p = 0; p < n_panels; p++) memset(t->sums[p], 0, tiled * sizeof t->sums[p][0]);
    memset(t->rows[n_rows], 0, (tiled - n_rows) * sizeof t->rows[0]);
    for (size_t first = 0; first < lines; first += LINES) {
        size_t n = lines - first < LINES ? lines - first : LINES;
        for (size_t r = 0; r < n_rows; r++)
            t->row_pairs[r] += widen_row(q->q + (row + r) * q->stride + first * TFM_I8_LINE, n, t->rows[r]);
        for (size_t p = 0; p < n_panels; p++) {
            const uint8_t *w = (const uint8_t *)g->w->data + (panel + p) * bytes + first * TFM_LINE_BYTES;
            widen_weights(w, n, t->weights, &t->lane_pairs[p]);
            for (size_t r = 0; r < n_rows; r += ROWS) tile(t->rows + r, t->weights, n, t->sums[p] + r);
        }
    }
}

static void finish_row(const scratch *t, const tfm_gemm_args *g, size_t row, size_t r, size_t panel, size_t n_panels) {
    const tfm_quantized *q = g->q;
    size_t groups = tfm_quantized_groups(q), bytes = tfm_panel_bytes(TFM_I8, g->w->k);
    uint32_t total = 0;
    for (size_t i = 0; i < groups; i++) total += (uint32_t)q->sums[(row + r) * groups + i];
    const __m256i minus = _mm256_set1_epi32((int32_t)((uint32_t)t->row_pairs[r] + total * 128));
    const v16 scale = v16_set(q->scale[row + r]);
    for (size_t p = 0; p < n_panels; p++) {
        const int32_t *sums = t->sums[p][r].lanes, *pairs = t->lane_pairs[p].lanes;
        __m256i a = _mm256_sub_epi32(_mm256_sub_epi32(load(sums), load(pairs)), minus);
        __m256i b = _mm256_sub_epi32(_mm256_sub_epi32(load(sums + 8), load(pairs + 8)), minus);
        const void *scales = (const char *)g->w->data + (panel + p) * bytes + tfm_i8_scales_at(g->w->k);
        v16 y = v16_mul(v16_pair(_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)), v16_load(scales));
        v16_epilogue(g, row + r, panel + p, v16_mul(y, scale));
    }
}

void tfm_gemm_int8_winograd_avx2(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    scratch t;
    for (size_t panel = panel0; panel < panel1; panel += GROUP) {
        size_t n_panels = panel1 - panel < GROUP ? panel1 - panel : GROUP;
        for (size_t row = row0; row < row1; row += CHUNK) {
            size_t n_rows = row1 - row < CHUNK ? row1 - row : CHUNK;
            sum_up(&t, g, row, n_rows, panel, n_panels);
            for (size_t r = 0; r < n_rows; r++) finish_row(&t, g, row, r, panel, n_panels);
        }
    }
}
