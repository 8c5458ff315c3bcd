/* kernel_table.c - the tables of one instruction set, with and without its integer products; compiled once for each. */
#include "isa_kernels.h"

#define TABLE(isa_id, isa_name, product)                                                                               \
    {                                                                                                                  \
        .isa = isa_id, .name = isa_name, .gemm = V16_NAME(tfm_gemm), .gemm_int = product,                              \
        .quantize = V16_NAME(tfm_quantize), .attention = V16_NAME(tfm_attention), .kv_store = V16_NAME(tfm_kv_store),  \
        .attention_weights = V16_NAME(tfm_attention_weights), .layer_norm = V16_NAME(tfm_layer_norm),                  \
        .rms_norm = V16_NAME(tfm_rms_norm), .activate = V16_NAME(tfm_activate), .softmax = V16_NAME(tfm_softmax),      \
        .log_sum_exp = V16_NAME(tfm_log_sum_exp), .log_softmax = V16_NAME(tfm_log_softmax),                            \
        .top_k = V16_NAME(tfm_top_k), .embed_panels = V16_NAME(tfm_embed_panels),                                      \
        .embed_rows = V16_NAME(tfm_embed_rows), .add = V16_NAME(tfm_add), .rope = V16_NAME(tfm_rope),                  \
        .soft_cap = V16_NAME(tfm_soft_cap),                                                                            \
    }

#if defined(TFM_V16_SCALAR)
const tfm_kernels tfm_kernels_scalar = TABLE(TFM_ISA_SCALAR, "scalar", tfm_gemm_int_scalar);
#elif defined(TFM_V16_NEON)
const tfm_kernels tfm_kernels_neon = TABLE(TFM_ISA_NEON, "neon", tfm_gemm_int_neon);
const tfm_kernels tfm_kernels_neon_dot = TABLE(TFM_ISA_NEON_DOT, "neon-dot", tfm_gemm_int_neon_dot);
#elif defined(TFM_V16_AVX2)
const tfm_kernels tfm_kernels_avx2 = TABLE(TFM_ISA_AVX2, "avx2", tfm_gemm_int_avx2);
const tfm_kernels tfm_kernels_avx2_vnni = TABLE(TFM_ISA_AVX2_VNNI, "avx2-vnni", tfm_gemm_int_avx2_vnni);
#elif defined(TFM_V16_EMULATED)
const tfm_kernels V16_NAME(tfm_kernels) = TABLE(TFM_ISA_AVX512, "avx512 emulated", tfm_gemm_int_avx512_emulated);
#elif defined(TFM_V16_AVX512)
const tfm_kernels tfm_kernels_avx512 = TABLE(TFM_ISA_AVX512, "avx512", tfm_gemm_int_avx512);
const tfm_kernels tfm_kernels_avx512_vnni = TABLE(TFM_ISA_AVX512_VNNI, "avx512-vnni", tfm_gemm_int_avx512_vnni);
#endif
