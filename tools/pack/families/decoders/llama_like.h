/*
 * llama_like.h - families whose decoder is Llama's but for some options.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_DECODERS_LLAMA_LIKE_H
#define TFM_TOOLS_PACK_FAMILIES_DECODERS_LLAMA_LIKE_H

#include "causal.h"

/* What the class assumes where config.json says nothing; what is zero here is as in LlamaConfig. */
typedef struct tfm_llama_defaults {
    uint64_t vocab_size, d_model, n_layers, n_heads, d_ff, max_positions; /* 32000, 4096, 32, 32, 11008, 2048 */
    uint64_t n_kv_heads;                                                  /* as n_heads */
    const char *activation;                                               /* "silu" */
    double norm_eps, rope_theta;                                          /* 1e-6, 10000 */
    bool tied;
} tfm_llama_defaults;

/*
 * Sizes, names of tensors, RMS norms and activation; biases by attention_bias and mlp_bias. No rotations yet: they are
 * the family's to add with tfm_llama_rope or tfm_causal_partial_rope.
 */
void tfm_read_llama_like(tfm_causal *causal, tfm_config *config, const tfm_llama_defaults *defaults);
/* RMS norms give way to layer norms with layer_norm_eps. */
void tfm_llama_layer_norm(tfm_causal *causal, tfm_config *config, double norm_eps);
/* Rotations of the whole head with base rope_theta. */
void tfm_llama_rope(tfm_causal *causal, tfm_config *config, const tfm_llama_defaults *defaults);

#endif
