/* llama_like.c - see llama_like.h. */
#include "llama_like.h"

#include <math.h>

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
    .ignore = {"self_attn.rotary_emb.inv_freq"},
};

void tfm_read_llama_like(tfm_causal *c, tfm_config *config, const tfm_llama_defaults *defaults) {
    tfm_family_stack *s = &c->stack;
    const uint64_t d = tfm_config_u64(config, "hidden_size", 1, 1 << 20, defaults->d_model);
    c->family.d_model = d;
    c->names = llama_names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, defaults->vocab_size);
    s->n_layers = tfm_config_u64(config, "num_hidden_layers", 0, 1024, defaults->n_layers);
    s->n_heads = tfm_config_u64(config, "num_attention_heads", 1, 4096, defaults->n_heads);
    uint64_t n_kv_heads = defaults->n_kv_heads ? defaults->n_kv_heads : s->n_heads;
    s->n_kv_heads = tfm_config_u64(config, "num_key_value_heads", 1, 4096, n_kv_heads);
    s->head_dim = tfm_config_u64(config, "head_dim", 1, 4096, d / s->n_heads);
    s->d_ff = tfm_config_u64(config, "intermediate_size", 1, 1 << 20, defaults->d_ff);
    s->max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, defaults->max_positions);
    s->activation = tfm_causal_activation(config, "hidden_act", defaults->activation);
    s->norm = "rms";
    s->norm_eps = tfm_config_real(config, "rms_norm_eps", 0, 1, defaults->norm_eps);
    s->gated = s->final_norm = true;
    s->attention_scale = s->head_dim ? 1 / sqrt((double)s->head_dim) : 1;
    const bool attention_bias = tfm_config_bool(config, "attention_bias", false);
    s->biases = tfm_causal_biases(config, attention_bias, attention_bias, tfm_config_bool(config, "mlp_bias", false));
    c->tied = tfm_config_bool(config, "tie_word_embeddings", defaults->tied);
}

void tfm_llama_rope(tfm_causal *c, tfm_config *config, const tfm_llama_defaults *defaults) {
    tfm_causal_rope(c, config, c->stack.head_dim, tfm_config_real(config, "rope_theta", 1, 1e12, defaults->rope_theta));
}
