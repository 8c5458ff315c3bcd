/* position_table.h - tables of sines and cosines; computed in double precision, once, so that no processor changes
 * them. */
#ifndef TFM_SIMD_POSITION_TABLE_H
#define TFM_SIMD_POSITION_TABLE_H

#include <stddef.h>

/*
 * Sine and cosine tables, in double precision rounded once to float; y (n, d) rows contiguous, d any.
 * Position p, frequency i: angle = (first + p) / 10000^(2i/d).
 *   TFM_SINUSOID_INTERLEAVED: y[2i] = sin, y[2i+1] = cos ("Attention Is All You Need", section 3.5)
 *   TFM_SINUSOID_HALVES: y[i] = sin, y[(d+1)/2 + i] = cos, as Marian and Hugging Face's MarianMT lay it out
 *   TFM_SINUSOID_HALVES_WIDE: angle = (first + p) / 10000^(i/(h-1)) with h = d/2, so that the last frequency is
 * 1/10000; y[i] = sin, y[h + i] = cos, and an odd d ends with 0, as fairseq and M2M100 have it
 */
typedef enum tfm_sinusoid_layout {
    TFM_SINUSOID_INTERLEAVED,
    TFM_SINUSOID_HALVES,
    TFM_SINUSOID_HALVES_WIDE
} tfm_sinusoid_layout;
void tfm_sinusoid(float *y, size_t n, size_t d, size_t first, tfm_sinusoid_layout layout);

/*
 * Cosines and sines for the kernel rope(), in double precision, times factor, rounded once to float; y (n, rope_dim):
 * row p has the rope_dim / 2 cosines, then the sines, of the angles (first + p) * (frequencies[i] + frequencies[i +
 * rope_dim / 2]), the two parts added in double.
 */
void tfm_rope_table(float *y, size_t n, size_t first, size_t rope_dim, const float *frequencies, float factor);

#endif
