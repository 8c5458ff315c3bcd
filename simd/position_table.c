/* position_table.c - sines and cosines from the double functions of SLEEF whose bits no processor changes. */
#include "position_table.h"

#include <sleef.h>

static void halves_wide(float *y, size_t n, size_t d, size_t first) {
    size_t half = d / 2;
    for (size_t i = 0; i < half; i++) {
        double divisor = half > 1 ? Sleef_cinz_powd1_u10purec(10000.0, (double)i / (double)(half - 1)) : 1.0;
        for (size_t p = 0; p < n; p++) {
            double angle = (double)(first + p) / divisor;
            y[p * d + i] = (float)Sleef_cinz_sind1_u10purec(angle);
            y[p * d + half + i] = (float)Sleef_cinz_cosd1_u10purec(angle);
        }
    }
    for (size_t p = 0; d % 2 != 0 && p < n; p++) y[p * d + d - 1] = 0;
}

void tfm_sinusoid(float *y, size_t n, size_t d, size_t first, tfm_sinusoid_layout layout) {
    size_t half = d / 2 + d % 2; /* sines; cosines are d / 2 */
    if (layout == TFM_SINUSOID_HALVES_WIDE) {
        halves_wide(y, n, d, first);
        return;
    }
    for (size_t i = 0; i < half; i++) {
        double divisor = Sleef_cinz_powd1_u10purec(10000.0, 2.0 * (double)i / (double)d);
        size_t sine = layout == TFM_SINUSOID_HALVES ? i : 2 * i;
        size_t cosine = layout == TFM_SINUSOID_HALVES ? half + i : 2 * i + 1;
        for (size_t p = 0; p < n; p++) {
            double angle = (double)(first + p) / divisor;
            y[p * d + sine] = (float)Sleef_cinz_sind1_u10purec(angle);
            if (i < d / 2) y[p * d + cosine] = (float)Sleef_cinz_cosd1_u10purec(angle);
        }
    }
}

void tfm_rope_table(float *y, size_t n, size_t first, size_t rope_dim, const float *frequencies, float factor) {
    size_t half = rope_dim / 2;
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < half; i++) {
            double angle = (double)(first + p) * ((double)frequencies[i] + (double)frequencies[half + i]);
            y[p * rope_dim + i] = (float)(Sleef_cinz_cosd1_u10purec(angle) * (double)factor);
            y[p * rope_dim + half + i] = (float)(Sleef_cinz_sind1_u10purec(angle) * (double)factor);
        }
    }
}
