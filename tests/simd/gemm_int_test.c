/*
 * gemm_int_test.c - quantised rows, and products with int8 and int4 weights: against sums of integers and the stated
 * float operations, written out here once more from panels.h and kernels.h.
 */
#include "checker.h"

#include <string.h>

typedef struct product {
    tfm_matrix w;
    tfm_quantized q;
    tfm_gemm_args args;
    size_t m, row0, row1, panel0, panel1, n_c, panel_bytes;
} product;

static uint8_t random_byte(check_case *c, size_t kind) {
    static const uint8_t extremes[] = {0, 1, 127, 128, 255};
    return kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? extremes[check_below(c, 5)] : (uint8_t)check_next(c);
}

/* Panels of any bytes, with scales that are numbers and now and then are not; they end at a guard page. */
static void make_weights(check_case *c, product *p, size_t n, size_t k, tfm_dtype dtype) {
    p->panel_bytes = tfm_panel_bytes(dtype, k);
    size_t panels = tfm_panel_count(n), kind = check_below(c, 6);
    uint8_t *data = check_aligned(c, panels * p->panel_bytes);
    for (size_t i = 0; i < panels * p->panel_bytes; i++) data[i] = random_byte(c, kind);
    for (size_t panel = 0; panel < panels; panel++) {
        uint8_t *at = data + panel * p->panel_bytes;
        float scales[TFM_PANEL];
        check_fill(c, scales, TFM_PANEL);
        if (check_chance(c, 3)) scales[check_below(c, TFM_PANEL)] = check_chance(c, 50) ? NAN : INFINITY;
        if (dtype == TFM_I8) memcpy(at + (k + 3) / 4 * 64, scales, sizeof scales);
        for (size_t group = 0; dtype == TFM_I4 && group < p->panel_bytes / TFM_I4_BLOCK_BYTES * 2; group++)
            for (size_t lane = 0; lane < TFM_PANEL; lane++) {
                uint16_t h = tfm_f32_to_f16(scales[(lane + group) % TFM_PANEL]);
                memcpy(at + group / 2 * TFM_I4_BLOCK_BYTES + 512 + (group % 2 * TFM_PANEL + lane) * 2, &h, 2);
            }
    }
    p->w = (tfm_matrix){data, dtype, n, k};
}

static tfm_quantized make_quantized(check_case *c, size_t m, size_t k) {
    tfm_quantized q = {.stride = (k + TFM_I4_BLOCK - 1) / TFM_I4_BLOCK * TFM_I4_BLOCK};
    size_t groups = q.stride / TFM_I4_GROUP, kind = check_below(c, 6);
    q.q = check_aligned(c, m * q.stride);
    q.scale = check_floats(c, m);
    q.sums = check_bytes(c, m * groups * sizeof *q.sums);
    check_fill(c, q.scale, m);
    if (m > 0 && check_chance(c, 10)) q.scale[check_below(c, m)] = NAN;
    memset(q.sums, 0, m * groups * sizeof *q.sums);
    for (size_t i = 0; i < m * q.stride; i++) {
        int x = (int)check_below(c, 255) - 127;
        if (kind < 2) x = kind == 0 ? 127 : -127;
        if (kind == 2) x = x < 0 ? -127 : 127;
        q.q[i] = (int8_t)(i % q.stride < k ? x : 0);
        q.sums[i / TFM_I4_GROUP] += q.q[i];
    }
    return q;
}

static float *make_rows(check_case *c, size_t m, size_t n, size_t *stride) {
    *stride = n + (check_chance(c, 50) ? check_below(c, 9) : 0);
    size_t extent = check_extent(m, n, *stride);
    float *x = check_floats(c, extent);
    check_fill(c, x, extent);
    return x;
}

/* Numbers of columns around the multiples of 4, 32 and 64 that the layouts have, and the longest there is. */
static size_t make_k(check_case *c) {
    static const size_t edges[] = {0, 1, 3, 4, 5, 15, 17, 31, 33, 63, 64, 65, 127, 129};
    if (check_chance(c, 1)) return TFM_I8_K_MAX - check_below(c, 2);
    if (check_chance(c, 5)) return check_between(c, 1000, 6000);
    return check_chance(c, 30) ? edges[check_below(c, sizeof edges / sizeof edges[0])] : check_size(c, 300);
}

static void make_product(check_case *c, product *p, bool plain) {
    size_t n = check_size(c, 220), k = make_k(c), m = check_chance(c, 20) ? check_size(c, 150) : check_size(c, 20);
    if (k > 900) n = check_size(c, 40);
    if (k > 6000) n = 1;
    while (m > 1 && m * n * k > 600000) m /= 2;
    *p = (product){.m = m};
    make_weights(c, p, n, k, check_chance(c, 50) ? TFM_I8 : TFM_I4);
    p->q = make_quantized(c, m, k);
    tfm_gemm_args *g = &p->args;
    g->w = &p->w;
    g->q = &p->q;
    g->c_stride = n + (check_chance(c, 50) ? check_below(c, 9) : 0);
    p->n_c = check_extent(m, n, g->c_stride);
    g->scale = 1.0f;
    p->row1 = m;
    p->panel1 = tfm_panel_count(n);
    if (plain) return;
    if (check_chance(c, 50)) {
        float *bias = check_floats(c, n);
        check_fill(c, bias, n);
        g->bias = bias;
    }
    g->act = check_chance(c, 50) ? TFM_ACT_NONE : (tfm_activation)check_below(c, TFM_ACT_COUNT);
    if (check_chance(c, 40)) g->mul = make_rows(c, m, n, &g->mul_stride);
    if (check_chance(c, 40)) g->scale = check_uniform(c, -3, 3);
    if (check_chance(c, 40)) g->residual = make_rows(c, m, n, &g->residual_stride);
    if (check_chance(c, 60)) {
        p->row1 = check_between(c, 0, m);
        p->row0 = check_between(c, 0, p->row1);
        p->panel1 = check_between(c, 0, p->panel1);
        p->panel0 = check_between(c, 0, p->panel1);
    }
}

/* Runs the product into a fresh buffer. */
static float *run(check_case *c, product *p, const tfm_kernels *k) {
    float *out = check_floats(c, p->n_c);
    p->args.c = out;
    k->gemm_int(&p->args, p->row0, p->row1, p->panel0, p->panel1);
    return out;
}

static bool in_range(const void *context, size_t i) {
    const product *p = context;
    size_t row = i / p->args.c_stride, column = i % p->args.c_stride;
    return row >= p->row0 && row < p->row1 && column < p->w.n && column / TFM_PANEL >= p->panel0 &&
           column / TFM_PANEL < p->panel1;
}

/* Weight and scale of column `column` and input column c, as panels.h has them. */
static int weight(const product *p, size_t column, size_t c, float *scale) {
    const uint8_t *panel = (const uint8_t *)p->w.data + column / TFM_PANEL * p->panel_bytes;
    size_t lane = column % TFM_PANEL, group = c / TFM_I4_GROUP, in = c % TFM_I4_GROUP;
    if (p->w.dtype == TFM_I8) {
        memcpy(scale, panel + (p->w.k + 3) / 4 * 64 + lane * sizeof *scale, sizeof *scale);
        return panel[c / 4 * 64 + lane * 4 + c % 4] - 128;
    }
    panel += group / 2 * TFM_I4_BLOCK_BYTES;
    uint16_t h;
    memcpy(&h, panel + 512 + (group % 2 * TFM_PANEL + lane) * sizeof h, sizeof h);
    *scale = tfm_f16_to_f32(h);
    uint8_t two = panel[group % 2 * 256 + in / 8 * 64 + lane * 4 + in % 4];
    return (in % 8 < 4 ? two & 15 : two >> 4) - 8;
}

static float element(const product *p, size_t row, size_t column) {
    const tfm_gemm_args *g = &p->args;
    int64_t sum = 0;
    float y = 0, scale = 0;
    if (p->panel_bytes > 0) (void)weight(p, column, 0, &scale);
    for (size_t c = 0; c < p->q.stride; c++) {
        if (c < p->w.k) sum += p->q.q[row * p->q.stride + c] * weight(p, column, c, &scale);
        if (p->w.dtype == TFM_I4 && c % TFM_I4_GROUP == TFM_I4_GROUP - 1) {
            (void)weight(p, column, c, &scale);
            y = fmaf((float)sum, scale, y);
            sum = 0;
        }
    }
    if (p->w.dtype == TFM_I8) y = (float)sum * scale;
    y = y * p->q.scale[row];
    if (g->bias) y = y + g->bias[column];
    if (g->act != TFM_ACT_NONE) check_scalar()->activate(&y, &y, 1, g->act, NULL);
    if (g->mul) y = y * g->mul[row * g->mul_stride + column];
    y = y * g->scale;
    return g->residual ? g->residual[row * g->residual_stride + column] + y : y;
}

void check_gemm_int(check_case *c, const tfm_kernels *k) {
    product p;
    make_product(c, &p, false);
    float *got = run(c, &p, k), *expected = run(c, &p, check_scalar());
    check_untouched(c, "gemm_int", got, p.n_c, in_range, &p);
    for (size_t i = 0; i < p.n_c && !c->failed; i++) {
        if (!in_range(&p, i)) continue;
        check_equal(c, "gemm_int", got + i, expected + i, 1);
        if (i > 2000 && i % 7) continue; /* the reference is slow */
        float y = element(&p, i / p.args.c_stride, i % p.args.c_stride);
        check_equal(c, "gemm_int against plain sums", got + i, &y, 1);
    }
    if (c->failed || !p.args.residual) return;
    /* The residual may be the output itself. */
    for (size_t r = 0; r < p.m; r++)
        memcpy(got + r * p.args.c_stride, p.args.residual + r * p.args.residual_stride, p.w.n * sizeof *got);
    p.args.c = got;
    p.args.residual = got;
    p.args.residual_stride = p.args.c_stride;
    k->gemm_int(&p.args, p.row0, p.row1, p.panel0, p.panel1);
    for (size_t i = 0; i < p.n_c && !c->failed; i++)
        if (in_range(&p, i)) check_equal(c, "gemm_int in place", got + i, expected + i, 1);
}

/* Any cut into rows and panels gives the bits of the whole. */
void check_gemm_int_rows(check_case *c, const tfm_kernels *k) {
    product p;
    make_product(c, &p, true);
    float *whole = run(c, &p, k), *pieces = check_floats(c, p.n_c);
    p.args.c = pieces;
    size_t panels = tfm_panel_count(p.w.n);
    for (size_t row = 0; row < p.m;) {
        size_t n_rows = check_chance(c, 50) ? 1 : check_between(c, 1, p.m - row);
        for (size_t panel = 0; panel < panels;) {
            size_t n = check_between(c, 1, panels - panel);
            k->gemm_int(&p.args, row, row + n_rows, panel, panel + n);
            panel += n;
        }
        row += n_rows;
    }
    check_equal(c, "gemm_int in pieces", pieces, whole, p.n_c);
}

/* ---- quantize ---- */

static void fill_row(check_case *c, float *x, size_t n) {
    static const float values[] = {INFINITY, -INFINITY, NAN, 0x1p127f, -0x1p127f, 0x1p-140f, -0.0f, 0x1.fffffep127f};
    size_t kind = check_below(c, 12);
    check_fill(c, x, n);
    for (size_t i = 0; i < n; i++) {
        if (kind == 0) x[i] = check_chance(c, 50) ? 0.0f : -0.0f;
        if (kind == 1) x[i] = ldexpf(x[i], -130); /* so small that 127 / max overflows, or nearly */
        if (kind == 2) x[i] = ldexpf(x[i], -120);
        if (kind == 3) x[i] = (float)((int)check_below(c, 509) - 254) / 2; /* halves: ties, if the largest is 127 */
        if (kind == 4) x[i] = ldexpf(x[i], 127);
    }
    if (kind == 3 && n > 0) x[check_below(c, n)] = 127.0f;
    for (size_t i = kind == 5 && n > 0 ? check_between(c, 1, 3) : 0; i > 0; i--)
        x[check_below(c, n)] = values[check_below(c, sizeof values / sizeof values[0])];
}

static void check_quantized_row(check_case *c, const float *x, size_t k, const tfm_quantized *q, size_t row) {
    float max = 0;
    bool finite = true;
    for (size_t i = 0; i < k; i++) {
        finite = finite && isfinite(x[i]);
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    }
    float scale = finite ? max / 127.0f : NAN, inverse = 127.0f / max;
    check_equal(c, "quantize: scale", &q->scale[row], &scale, 1);
    int32_t sum = 0;
    for (size_t i = 0; i < q->stride && !c->failed; i++) {
        int expected = i < k && finite && max > 0 && isfinite(inverse) ? (int)lrintf(x[i] * inverse) : 0;
        if (q->q[row * q->stride + i] != expected)
            check_fail(c, "quantize: row %zu, column %zu of %zu: got %d, expected %d of %a, largest %a", row, i, k,
                       q->q[row * q->stride + i], expected, (double)(i < k ? x[i] : 0), (double)max);
        sum += expected;
        if (i % TFM_I4_GROUP != TFM_I4_GROUP - 1) continue;
        int32_t got = q->sums[row * (q->stride / TFM_I4_GROUP) + i / TFM_I4_GROUP];
        if (got != sum) check_fail(c, "quantize: row %zu, group %zu: sum %d, expected %d", row, i / 32, got, sum);
        sum = 0;
    }
}

void check_quantize(check_case *c, const tfm_kernels *kernels) {
    size_t m = check_size(c, 6), k = check_chance(c, 50) ? check_size(c, 300) : make_k(c), groups, row0, row1;
    size_t x_stride = k + (check_chance(c, 50) ? check_below(c, 9) : 0);
    tfm_quantized q = {.stride = (k + TFM_I4_BLOCK - 1) / TFM_I4_BLOCK * TFM_I4_BLOCK};
    groups = q.stride / TFM_I4_GROUP;
    float *x = check_floats(c, check_extent(m, k, x_stride));
    for (size_t r = 0; r < m; r++) fill_row(c, x + r * x_stride, k);
    q.q = check_aligned(c, m * q.stride);
    q.scale = check_floats(c, m);
    q.sums = check_bytes(c, m * groups * sizeof *q.sums);
    uint8_t untouched[sizeof(float)];
    memcpy(untouched, q.q, m * q.stride > 0 ? sizeof untouched : 0);
    row1 = check_chance(c, 50) ? m : check_between(c, 0, m);
    row0 = check_chance(c, 50) ? 0 : check_between(c, 0, row1);
    kernels->quantize(x, x_stride, k, &q, row0, row1);
    for (size_t r = 0; r < m && !c->failed; r++) {
        if (r >= row0 && r < row1) {
            check_quantized_row(c, x + r * x_stride, k, &q, r);
            continue;
        }
        for (size_t i = 0; i < q.stride; i++)
            if ((uint8_t)q.q[r * q.stride + i] != untouched[0])
                check_fail(c, "quantize: row %zu, not asked for, was written", r);
    }
}

/* ---- embeddings ---- */

void check_embed_q(check_case *c, const tfm_kernels *kernels) {
    product p = {.m = 0};
    size_t vocab = check_between(c, 1, 70), d = check_size(c, 200), m = check_size(c, 10), n_positions = 9;
    make_weights(c, &p, vocab, d, check_chance(c, 50) ? TFM_I8 : TFM_I4);
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
    kernels->embed_panels(&p.w, ids, m, factor, placed ? position : NULL, placed ? positions : NULL, y, stride);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < d && !c->failed; j++) {
            float scale, q = (float)weight(&p, (size_t)ids[i], j, &scale), expected = q * scale * factor;
            if (placed) expected = expected + position[positions[i] * d + j];
            check_equal(c, "embed_panels", &y[i * stride + j], &expected, 1);
        }
}
