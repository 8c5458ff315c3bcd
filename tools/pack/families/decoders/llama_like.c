/* llama_like.c - see llama_like.h. */
#include "llama_like.h"

static const tfm_causal_names llama_names = {
    .prefix = "model.",
    .layers = "layers",
    .embedding = "embed_tokens",
    .final_norm = "norm",
    .head = "lm_head",
    .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .out = "self_attn.o_proj",
    .norm = "input_layernorm",
    .up = "mlp.up_proj",
    .gate = "mlp.gate_proj",
    .down = "mlp.down_proj",
    .ffn_norm = "post_attention_layernorm",
};

static uint64_t or_else(uint64_t value, uint64_t standard) { return value ? value : standard; }

void tfm_read_llama_like(tfm_causal *c, tfm_config *config, const tfm_llama_defaults *defaults) {
    tfm_family_stack *stack = &c->stack;
    const uint64_t d = tfm_config_u64(config, "hidden_size", 1, 1 << 20, or_else(defaults->d_model, 4096));
    c->family.d_model = d;
    c->names = llama_names;
    stack->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, or_else(defaults->vocab_size, 32000));
    stack->n_layers = tfm_config_u64(config, "num_hidden_layers", 0, 1024, or_else(defaults->n_layers, 32));
    stack->n_heads = tfm_config_u64(config, "num_attention_heads", 1, 4096, or_else(defaults->n_heads, 32));
    stack->n_kv_heads =
        tfm_config_u64(config, "num_key_value_heads", 1, 4096, or_else(defaults->n_kv_heads, stack->n_heads));
    stack->head_dim = tfm_config_u64(config, "head_dim", 1, 4096, d / stack->n_heads);
    stack->d_ff = tfm_config_u64(config, "intermediate_size", 1, 1 << 20, or_else(defaults->d_ff, 11008));
    stack->max_positions =
        tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, or_else(defaults->max_positions, 2048));
    stack->activation =
        tfm_family_activation(config, "hidden_act", defaults->activation ? defaults->activation : "silu");
    stack->norm = "rms";
    stack->norm_eps =
        tfm_config_real(config, "rms_norm_eps", 0, 1, defaults->norm_eps != 0 ? defaults->norm_eps : 1e-6);
    stack->gated = stack->final_norm = true;
    stack->attention_scale = tfm_causal_attention_scale(stack->head_dim);
    const bool attention_bias = tfm_config_bool(config, "attention_bias", false);
    stack->biases =
        tfm_causal_biases(config, attention_bias, attention_bias, tfm_config_bool(config, "mlp_bias", false));
    c->tied = tfm_config_bool(config, "tie_word_embeddings", defaults->tied);
}

void tfm_llama_layer_norm(tfm_causal *c, tfm_config *config, double norm_eps) {
    c->stack.norm = "layer";
    c->stack.norm_eps = tfm_config_real(config, "layer_norm_eps", 0, 1, norm_eps);
}

void tfm_llama_rope(tfm_causal *c, tfm_config *config, const tfm_llama_defaults *defaults) {
    const double theta = defaults->rope_theta != 0 ? defaults->rope_theta : 10000;
    tfm_causal_rope(c, config, &(tfm_rope_keys){.theta = "rope_theta", .default_theta = theta});
}
