/*
 * v16_bytes.h - from the virtual vector to bytes: v16_store_bytes(q, a, b) rounds the 32 lanes of a and b, all in
 * [-127.5, 127.5), to the nearest integers (ties to even), stores them at q as int8 and returns their sum.
 */
#ifndef TFM_SIMD_V16_V16_BYTES_H
#define TFM_SIMD_V16_V16_BYTES_H

#include "v16.h"

#if defined(TFM_V16_SCALAR)

V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    int32_t sum = 0;
    for (int i = 0; i < 32; i++) {
        q[i] = (int8_t)nearbyintf(i < 16 ? a.x[i] : b.x[i - 16]);
        sum += q[i];
    }
    return sum;
}

#elif defined(TFM_V16_AVX2)

V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(a.a), _mm256_cvtps_epi32(a.b));
    __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(b.a), _mm256_cvtps_epi32(b.b));
    /* Packing works in halves: fours of lanes come in the order 0 2 4 6 1 3 5 7. */
    __m256i bytes = _mm256_packs_epi16(low, high);
    _mm256_storeu_si256((__m256i *)(void *)q,
                        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
    __m256i sums = _mm256_sad_epu8(_mm256_xor_si256(bytes, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
    __m128i two = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_unpackhi_epi64(two, two))) - 32 * 128;
}

#elif defined(TFM_V16_AVX512)

V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    __m512i x = _mm512_cvtps_epi32(a), y = _mm512_cvtps_epi32(b), s16 = _mm512_add_epi32(x, y);
    _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(x));
    _mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(y));
    __m256i s8 = _mm256_add_epi32(_mm512_castsi512_si256(s16), _mm512_extracti64x4_epi64(s16, 1));
    __m128i s4 = _mm_add_epi32(_mm256_castsi256_si128(s8), _mm256_extracti128_si256(s8, 1));
    __m128i s2 = _mm_add_epi32(s4, _mm_unpackhi_epi64(s4, s4));
    return _mm_cvtsi128_si32(s2) + _mm_extract_epi32(s2, 1);
}

#elif defined(TFM_V16_NEON)

V16_INLINE int8x16_t v16_bytes(v16 x) {
    int16x8_t low = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.a)), vmovn_s32(vcvtnq_s32_f32(x.b)));
    int16x8_t high = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.c)), vmovn_s32(vcvtnq_s32_f32(x.d)));
    return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}
V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    int8x16_t x = v16_bytes(a), y = v16_bytes(b);
    vst1q_s8(q, x);
    vst1q_s8(q + 16, y);
    return vaddlvq_s8(x) + vaddlvq_s8(y);
}

#endif

#endif
