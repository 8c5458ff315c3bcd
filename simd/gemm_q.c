/*
 * gemm_q.c - products of quantised activations with int8 and int4 weights; compiled once per set of integer
 * instructions.
 */
#include "epilogue.h"
#include "isa_kernels.h"

static void row_int8(const tfm_gemm_args *g, size_t row, const uint8_t *panel, float *acc) {
    const tfm_quantized *a = g->q;
    size_t k = g->w->k;
    const float *scales = (const float *)(const void *)(panel + (k + 3) / 4 * 64);
    for (size_t lane = 0; lane < TFM_PANEL; lane++) {
        int32_t sum = 0;
        for (size_t c = 0; c < k; c++) sum += a->q[row * a->stride + c] * (panel[c / 4 * 64 + lane * 4 + c % 4] - 128);
        acc[lane] = (float)sum * scales[lane] * a->scale[row];
    }
}

static void row_int4(const tfm_gemm_args *g, size_t row, const uint8_t *panel, float *acc) {
    const tfm_quantized *a = g->q;
    for (size_t lane = 0; lane < TFM_PANEL; lane++) {
        float chain = 0.0f;
        for (size_t group = 0; group < a->stride / TFM_I4_GROUP; group++) {
            const uint8_t *block = panel + group / 2 * TFM_I4_BLOCK_BYTES;
            const uint16_t *scales = (const uint16_t *)(const void *)(block + 512) + group % 2 * TFM_PANEL;
            int32_t sum = 0;
            for (size_t c = 0; c < TFM_I4_GROUP; c++) {
                int w = block[group % 2 * 256 + c / 8 * 64 + lane * 4 + c % 4] >> (c % 8 < 4 ? 0 : 4) & 15;
                sum += a->q[row * a->stride + group * TFM_I4_GROUP + c] * (w - 8);
            }
            chain = fmaf((float)sum, tfm_f16_to_f32(scales[lane]), chain);
        }
        acc[lane] = chain * a->scale[row];
    }
}

void GEMM_Q(const tfm_gemm_args *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
    V16_ALIGN float acc[TFM_PANEL];
    size_t bytes = tfm_panel_bytes(g->w->dtype, g->w->k);
    for (size_t panel = panel0; panel < panel1; panel++)
        for (size_t row = row0; row < row1; row++) {
            const uint8_t *w = (const uint8_t *)g->w->data + panel * bytes;
            (g->w->dtype == TFM_I8 ? row_int8 : row_int4)(g, row, w, acc);
            v16_finish(g, row, panel, v16_load(acc));
        }
}
