/*
 * gpt_like.h - families whose decoder is GPT-2's in its options: layer norms, no gate, keys of config.json that differ
 * in name only.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_DECODERS_GPT_LIKE_H
#define TFM_TOOLS_PACK_FAMILIES_DECODERS_GPT_LIKE_H

#include "causal.h"

typedef struct tfm_gpt_like {
    struct { /* keys of config.json */
        const char *d_model, *n_layers, *n_heads;
        const char *n_kv_heads;    /* NULL: as n_heads */
        const char *d_ff;          /* NULL: 4 * d_model */
        const char *max_positions; /* NULL: the family reads it */
        const char *activation;    /* NULL: gelu_tanh */
        const char *norm_eps;      /* NULL: 1e-5 */
    } keys;
    struct { /* what the class assumes where config.json says nothing */
        uint64_t vocab_size, d_model, n_layers, n_heads;
        uint64_t d_ff; /* 0: 4 * d_model */
        uint64_t max_positions;
        const char *activation;
        bool tied;
    } defaults;
    const tfm_causal_names *names;
} tfm_gpt_like;

/*
 * Sizes, names of tensors, layer norms with a final one, activation, biases everywhere. Positions are the family's to
 * say: a table, rotations or slopes.
 */
void tfm_read_gpt_like(tfm_causal *causal, tfm_config *config, const tfm_gpt_like *like);

#endif
