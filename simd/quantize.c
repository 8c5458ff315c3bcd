/* quantize.c - rows of activations as int8; compiled once per instruction set. */
#include "isa_kernels.h"

static void quantize_row(const float *x, size_t k, const tfm_quantized *to, size_t row) {
    int8_t *q = to->q + row * to->stride;
    int32_t *sums = to->sums + row * (to->stride / TFM_I4_GROUP);
    float max = 0.0f;
    bool finite = true;
    for (size_t i = 0; i < k; i++) {
        finite &= isfinite(x[i]) != 0;
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    }
    to->scale[row] = finite ? max / 127.0f : NAN;
    float inverse = finite && max > 0.0f ? 127.0f / max : 0.0f;
    if (!isfinite(inverse)) inverse = 0.0f;
    memset(sums, 0, to->stride / TFM_I4_GROUP * sizeof *sums);
    for (size_t i = 0; i < to->stride; i++) {
        float scaled = i < k && finite ? nearbyintf(x[i] * inverse) : 0.0f;
        scaled = scaled > 127.0f ? 127.0f : scaled < -127.0f ? -127.0f : scaled;
        q[i] = (int8_t)scaled;
        sums[i / TFM_I4_GROUP] += q[i];
    }
}

void V16_NAME(tfm_quantize)(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0,
                            size_t row1) {
    for (size_t row = row0; row < row1; row++) quantize_row(x + row * x_stride, k, to, row);
}
