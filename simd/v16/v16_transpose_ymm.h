/* v16_transpose_ymm.h - 16 x 16 floats transposed in four squares of 8 x 8, for both forms on x86-64. */
#ifndef TFM_SIMD_V16_V16_TRANSPOSE_YMM_H
#define TFM_SIMD_V16_V16_TRANSPOSE_YMM_H

/* 8 x 8: pairs within 128 bits, then fours, then the halves. */
V16_INLINE void transpose8(const float *from, float *to) {
    __m256 r[8], s[8];
    V16_FOR(i, 8) r[i] = _mm256_loadu_ps(from + i * 16);
    V16_UNROLL
    for (int i = 0; i < 8; i += 2) {
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    V16_UNROLL
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
    }
    V16_FOR(i, 4) {
        _mm256_storeu_ps(to + i * 16, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * 16, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

/* to (16, 16) = transpose of from (16, 16). */
static inline void v16_transpose(const float *from, float *to) {
    transpose8(from, to);
    transpose8(from + 8, to + 8 * 16);
    transpose8(from + 8 * 16, to + 8);
    transpose8(from + 8 * 16 + 8, to + 8 * 16 + 8);
}

#endif
