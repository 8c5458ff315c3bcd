/* gemm_case.c - see gemm_case.h. */
#include "gemm_case.h"

#include <string.h>

/* ---- weights ---- */

size_t gemm_case_k(check_case *c) {
    static const size_t edges[] = {0, 1, 3, 4, 5, 15, 17, 31, 33, 63, 64, 65, 127, 129};
    if (check_chance(c, 1)) return TFM_I8_K_MAX - check_below(c, 2);
    if (check_chance(c, 5)) return check_between(c, 1000, 6000);
    return check_chance(c, 30) ? edges[check_below(c, sizeof edges / sizeof edges[0])] : check_size(c, 300);
}

static uint8_t random_byte(check_case *c, size_t kind) {
    static const uint8_t extremes[] = {0, 1, 127, 128, 255};
    return kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? extremes[check_below(c, 5)] : (uint8_t)check_next(c);
}

static void fill_scales(check_case *c, const tfm_matrix *w, uint8_t *panel) {
    float scales[TFM_PANEL];
    check_fill(c, scales, TFM_PANEL);
    if (check_chance(c, 3)) scales[check_below(c, TFM_PANEL)] = check_chance(c, 50) ? NAN : INFINITY;
    if (w->dtype == TFM_I8) {
        memcpy(panel + (w->k + 3) / 4 * 64, scales, sizeof scales);
        return;
    }
    for (size_t group = 0; group < tfm_panel_bytes(w->dtype, w->k) / 576 * 2; group++)
        for (size_t lane = 0; lane < TFM_PANEL; lane++) {
            uint16_t h = tfm_f32_to_f16(scales[(lane + group) % TFM_PANEL]);
            memcpy(panel + group / 2 * 576 + 512 + (group % 2 * TFM_PANEL + lane) * sizeof h, &h, sizeof h);
        }
}

tfm_matrix gemm_case_int_weights(check_case *c, size_t n, size_t k, tfm_dtype dtype) {
    size_t panels = tfm_panel_count(n), bytes = tfm_panel_bytes(dtype, k), kind = check_below(c, 6);
    uint8_t *data = check_aligned(c, panels * bytes);
    const tfm_matrix w = {data, dtype, n, k};
    for (size_t i = 0; i < panels * bytes; i++) data[i] = random_byte(c, kind);
    for (size_t i = 0; i < panels; i++) fill_scales(c, &w, data + i * bytes);
    return w;
}

/* The numbers of the layout are written out here once more. */
int gemm_case_weight(const tfm_matrix *w, size_t column, size_t c, float *scale) {
    const uint8_t *panel = (const uint8_t *)w->data + column / 16 * tfm_panel_bytes(w->dtype, w->k);
    size_t lane = column % 16, group = c / 32, in = c % 32;
    if (w->dtype == TFM_I8) {
        memcpy(scale, panel + (w->k + 3) / 4 * 64 + lane * sizeof *scale, sizeof *scale);
        return panel[c / 4 * 64 + lane * 4 + c % 4] - 128;
    }
    panel += group / 2 * 576;
    uint16_t h;
    memcpy(&h, panel + 512 + (group % 2 * 16 + lane) * sizeof h, sizeof h);
    *scale = tfm_f16_to_f32(h);
    uint8_t two = panel[group % 2 * 256 + in / 8 * 64 + lane * 4 + in % 4];
    return (in % 8 < 4 ? two & 15 : two >> 4) - 8;
}

/* ---- products ---- */

float *gemm_case_rows(check_case *c, size_t m, size_t n, size_t *stride) {
    *stride = n + (check_chance(c, 50) ? check_below(c, 9) : 0);
    size_t extent = check_extent(m, n, *stride);
    float *x = check_floats(c, extent);
    check_fill(c, x, extent);
    return x;
}

void gemm_case_make(check_case *c, gemm_case *p, size_t m, bool plain) {
    tfm_gemm_args *g = &p->args;
    size_t n = p->w.n;
    g->w = &p->w;
    g->q = &p->q;
    g->c_stride = n + (check_chance(c, 50) ? check_below(c, 9) : 0);
    g->scale = 1.0f;
    p->m = m;
    p->n_c = check_extent(m, n, g->c_stride);
    p->row1 = m;
    p->panel1 = tfm_panel_count(n);
    if (plain) return;
    if (check_chance(c, 50)) g->bias = check_vector(c, n);
    g->act = check_chance(c, 30) ? TFM_ACT_NONE : (tfm_activation)check_below(c, TFM_ACT_COUNT);
    if (check_chance(c, 40)) g->mul = gemm_case_rows(c, m, n, &g->mul_stride);
    if (check_chance(c, 40)) g->scale = check_uniform(c, -3, 3);
    if (check_chance(c, 40)) g->residual = gemm_case_rows(c, m, n, &g->residual_stride);
    if (check_chance(c, 60)) {
        p->row1 = check_between(c, 0, m);
        p->row0 = check_between(c, 0, p->row1);
        p->panel1 = check_between(c, 0, p->panel1);
        p->panel0 = check_between(c, 0, p->panel1);
    }
}

float *gemm_case_run(check_case *c, gemm_case *p, tfm_gemm_fn *gemm) {
    p->args.c = check_floats(c, p->n_c);
    gemm(&p->args, p->row0, p->row1, p->panel0, p->panel1);
    return p->args.c;
}

bool gemm_case_writes(const void *context, size_t i) {
    const gemm_case *p = context;
    size_t row = i / p->args.c_stride, column = i % p->args.c_stride, panel = column / TFM_PANEL;
    return row >= p->row0 && row < p->row1 && column < p->w.n && panel >= p->panel0 && panel < p->panel1;
}

void gemm_case_check_in_place(check_case *c, gemm_case *p, tfm_gemm_fn *gemm, const float *expected) {
    tfm_gemm_args args = p->args;
    if (!args.residual) return;
    args.c = check_floats(c, p->n_c);
    for (size_t r = 0; r < p->m; r++)
        memcpy(args.c + r * args.c_stride, args.residual + r * args.residual_stride, p->w.n * sizeof *args.c);
    args.residual = args.c;
    args.residual_stride = args.c_stride;
    gemm(&args, p->row0, p->row1, p->panel0, p->panel1);
    for (size_t i = 0; i < p->n_c && !c->failed; i++)
        if (gemm_case_writes(p, i)) check_equal(c, "product in place", args.c + i, expected + i, 1);
}

void gemm_case_check_pieces(check_case *c, gemm_case *p, tfm_gemm_fn *gemm) {
    float *whole = gemm_case_run(c, p, gemm), *pieces = check_floats(c, p->n_c);
    p->args.c = pieces;
    for (size_t row = 0, n_rows; row < p->m; row += n_rows) {
        n_rows = check_chance(c, 50) ? 1 : check_between(c, 1, p->m - row);
        for (size_t panel = 0, n; panel < p->panel1; panel += n) {
            n = check_between(c, 1, p->panel1 - panel);
            gemm(&p->args, row, row + n_rows, panel, panel + n);
        }
    }
    check_equal(c, "product in pieces", pieces, whole, p->n_c);
}
