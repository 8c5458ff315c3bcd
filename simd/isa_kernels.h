/* isa_kernels.h - what each instruction set's objects export: functions with its suffix, and its table. */
#ifndef TFM_SIMD_ISA_KERNELS_H
#define TFM_SIMD_ISA_KERNELS_H

#include "kernels.h"
#include "simd/v16/v16.h"

void V16_NAME(tfm_gemm)(const tfm_gemm_args *args, size_t row0, size_t row1, size_t panel0, size_t panel1);
void V16_NAME(tfm_quantize)(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0,
                            size_t row1);
void V16_NAME(tfm_attention)(const tfm_attention_args *args);
void V16_NAME(tfm_attention_weights)(const tfm_attention_args *args, float *weights, size_t weights_stride);
void V16_NAME(tfm_kv_store)(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                            size_t key_stride, const float *value, size_t value_stride);
void V16_NAME(tfm_layer_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                              const float *weight, const float *bias, float eps);
void V16_NAME(tfm_rms_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                            const float *weight, float eps);
void V16_NAME(tfm_activate)(const float *x, float *y, size_t n, tfm_activation act, const float *mul);
void V16_NAME(tfm_add)(float *y, const float *x, size_t n);
void V16_NAME(tfm_softmax)(float *x, size_t n);
float V16_NAME(tfm_log_sum_exp)(const float *x, size_t n);
void V16_NAME(tfm_log_softmax)(const float *x, float *y, size_t n);
size_t V16_NAME(tfm_top_k)(const float *x, size_t n, size_t k, float *values, uint32_t *indices);
void V16_NAME(tfm_embed_panels)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale,
                                const float *position, const uint32_t *positions, float *y, size_t y_stride);
void V16_NAME(tfm_embed_rows)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                              const uint32_t *positions, float *y, size_t y_stride);

void V16_NAME(tfm_rope)(float *x, size_t x_stride, size_t m, size_t n_heads, size_t head_dim, size_t rope_dim,
                        tfm_rope_layout layout, const float *table, const uint32_t *positions);
void V16_NAME(tfm_soft_cap)(float *x, size_t n, float cap);

/* Products with int8 and int4 weights: one object for each set of integer instructions. */
typedef void tfm_gemm_int_fn(const tfm_gemm_args *args, size_t row0, size_t row1, size_t panel0, size_t panel1);
tfm_gemm_int_fn tfm_gemm_int_many_avx2, tfm_gemm_int_scalar, tfm_gemm_int_neon, tfm_gemm_int_neon_dot,
    tfm_gemm_int_avx2, tfm_gemm_int_avx2_vnni, tfm_gemm_int_avx512, tfm_gemm_int_avx512_vnni,
    tfm_gemm_int_avx2_vnni_emulated, tfm_gemm_int_avx512_emulated, tfm_gemm_int_avx512_vnni_emulated;

#endif
