/* kernel_table.c - the table of one instruction set; compiled once for each. */
#include "isa_kernels.h"
#include "kv_store.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const tfm_kernels V16_NAME(tfm_kernels) = {
    .isa = V16_ISA_ID,
    .name = STRING(V16_ISA),
    .gemm = V16_NAME(tfm_gemm),
    .attention = V16_NAME(tfm_attention),
    .kv_store = tfm_kv_store,
    .attention_weights = V16_NAME(tfm_attention_weights),
    .layer_norm = V16_NAME(tfm_layer_norm),
    .rms_norm = V16_NAME(tfm_rms_norm),
    .activate = V16_NAME(tfm_activate),
    .softmax = V16_NAME(tfm_softmax),
    .log_sum_exp = V16_NAME(tfm_log_sum_exp),
    .log_softmax = V16_NAME(tfm_log_softmax),
    .top_k = V16_NAME(tfm_top_k),
    .embed_panels = V16_NAME(tfm_embed_panels),
    .embed_rows = V16_NAME(tfm_embed_rows),
    .add = V16_NAME(tfm_add),
};
