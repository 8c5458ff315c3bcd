/* gpt_like.c - see gpt_like.h. */
#include "gpt_like.h"

void tfm_read_gpt_like(tfm_causal *c, tfm_config *config, const tfm_gpt_like *like) {
    tfm_family_stack *stack = &c->stack;
    /* Where the feed-forward layer is a multiple of it, the width has a lower limit. */
    const uint64_t widest = like->defaults.d_ff ? 1 << 20 : 1 << 18;
    const uint64_t d = tfm_config_u64(config, like->keys.d_model, 1, widest, like->defaults.d_model);
    const uint64_t d_ff = like->defaults.d_ff ? like->defaults.d_ff : 4 * d;
    c->family.d_model = d;
    c->names = *like->names;
    stack->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, like->defaults.vocab_size);
    stack->n_layers = tfm_config_u64(config, like->keys.n_layers, 0, 1024, like->defaults.n_layers);
    stack->n_heads = stack->n_kv_heads = tfm_config_u64(config, like->keys.n_heads, 1, 4096, like->defaults.n_heads);
    if (like->keys.n_kv_heads)
        stack->n_kv_heads = tfm_config_u64(config, like->keys.n_kv_heads, 1, 4096, stack->n_heads);
    stack->head_dim = d / stack->n_heads;
    stack->d_ff = like->keys.d_ff ? tfm_config_u64(config, like->keys.d_ff, 1, 1 << 20, d_ff) : d_ff;
    if (like->keys.max_positions)
        stack->max_positions =
            tfm_config_u64(config, like->keys.max_positions, 1, 1 << 22, like->defaults.max_positions);
    stack->activation = like->keys.activation
                            ? tfm_family_activation(config, like->keys.activation, like->defaults.activation)
                            : "gelu_tanh";
    stack->norm = "layer";
    stack->norm_eps = like->keys.norm_eps ? tfm_config_real(config, like->keys.norm_eps, 0, 1, 1e-5) : 1e-5;
    stack->final_norm = true;
    stack->biases = "all";
    stack->attention_scale = tfm_causal_attention_scale(stack->head_dim);
    c->tied = tfm_config_bool(config, "tie_word_embeddings", like->defaults.tied);
}
