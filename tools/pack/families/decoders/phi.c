/* phi.c - PhiForCausalLM (Phi-1, Phi-1.5, Phi-2): one norm for both sublayers, biases everywhere, on logits too. */
#include "gpt_like.h"

static const tfm_causal_names names = {
    .prefix = "model.",
    .layers = "layers",
    .embedding = "embed_tokens",
    .final_norm = "final_layernorm",
    .head = "lm_head",
    .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .out = "self_attn.dense",
    .norm = "input_layernorm",
    .q_norm = "self_attn.q_layernorm",
    .k_norm = "self_attn.k_layernorm",
    .up = "mlp.fc1",
    .down = "mlp.fc2",
};

static const tfm_gpt_like phi = {
    .keys =
        {
            .d_model = "hidden_size",
            .n_layers = "num_hidden_layers",
            .n_heads = "num_attention_heads",
            .n_kv_heads = "num_key_value_heads",
            .d_ff = "intermediate_size",
            .max_positions = "max_position_embeddings",
            .activation = "hidden_act",
            .norm_eps = "layer_norm_eps",
        },
    .defaults =
        {
            .vocab_size = 51200,
            .d_model = 2048,
            .n_layers = 24,
            .n_heads = 32,
            .d_ff = 8192,
            .max_positions = 2048,
            .activation = "gelu_new",
        },
    .names = &names,
};

static const tfm_rope_keys rope_keys = {
    .theta = "rope_theta",
    .default_theta = 10000,
    .part = "partial_rotary_factor",
    .default_part = 0.5,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_gpt_like(c, config, &phi);
    c->sublayers = "parallel_shared";
    c->head_bias = true;
    if (tfm_config_bool(config, "qk_layernorm", false)) {
        c->qk_norm = "shared";
        c->qk_norm_bias = true;
    }
    tfm_causal_rope(c, config, &rope_keys);
}

const tfm_importer tfm_phi_importer = {
    .family = "phi",
    .model_types = "phi",
    .what = "PhiForCausalLM: Phi-1, Phi-1.5, Phi-2 (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
