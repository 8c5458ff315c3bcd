/*
 * llama_like.h - families whose decoder is Llama's but for some options.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_LLAMA_LIKE_H
#define TFM_TOOLS_PACK_FAMILIES_LLAMA_LIKE_H

#include "causal.h"

/* What the class assumes where config.json says nothing. */
typedef struct tfm_llama_defaults {
    uint64_t vocab_size, d_model, n_layers, n_heads, d_ff, max_positions;
    uint64_t n_kv_heads; /* 0: as n_heads */
    const char *activation;
    double norm_eps, rope_theta;
    bool tied;
} tfm_llama_defaults;

/*
 * Sizes, names of tensors, RMS norms and activation; biases by attention_bias and mlp_bias. No rotations yet: they are
 * the family's to add with tfm_causal_rope.
 */
void tfm_read_llama_like(tfm_causal *causal, tfm_config *config, const tfm_llama_defaults *defaults);

/* Rotations of the whole head with base rope_theta. */
void tfm_llama_rope(tfm_causal *causal, tfm_config *config, const tfm_llama_defaults *defaults);

#endif
