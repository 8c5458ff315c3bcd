/*
 * vectors.h - what is asked of two embeddings.
 */
#ifndef TFM_TOOLS_COMMON_VECTORS_H
#define TFM_TOOLS_COMMON_VECTORS_H

#include <math.h>
#include <stddef.h>

/* The cosine of the angle between two vectors (n), 0 if one has no length: in double and in order, the same everywhere.
 */
static inline double tfm_cosine(const float *a, const float *b, size_t n) {
    double product = 0, square_a = 0, square_b = 0;
    for (size_t i = 0; i < n; i++) {
        product += (double)a[i] * (double)b[i];
        square_a += (double)a[i] * (double)a[i];
        square_b += (double)b[i] * (double)b[i];
    }
    const double lengths = sqrt(square_a) * sqrt(square_b);
    return lengths > 0 ? product / lengths : 0;
}

#endif
