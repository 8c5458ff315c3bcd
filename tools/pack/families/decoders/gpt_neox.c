/* gpt_neox.c - GPTNeoXForCausalLM (GPT-NeoX, Pythia): sublayers side by side, heads rotated in part. */
#include "gpt_like.h"

static const tfm_causal_names names = {
    .prefix = "gpt_neox.",
    .layers = "layers",
    .embedding = "embed_in",
    .final_norm = "final_layer_norm",
    .head = "embed_out",
    .qkv_layout = TFM_QKV_PER_HEAD,
    .qkv = {"attention.query_key_value"},
    .out = "attention.dense",
    .norm = "input_layernorm",
    .up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
    .ffn_norm = "post_attention_layernorm",
};

static const tfm_gpt_like gpt_neox = {
    .keys =
        {
            .d_model = "hidden_size",
            .n_layers = "num_hidden_layers",
            .n_heads = "num_attention_heads",
            .d_ff = "intermediate_size",
            .max_positions = "max_position_embeddings",
            .activation = "hidden_act",
            .norm_eps = "layer_norm_eps",
        },
    .defaults =
        {
            .vocab_size = 50432,
            .d_model = 6144,
            .n_layers = 44,
            .n_heads = 64,
            .d_ff = 24576,
            .max_positions = 2048,
            .activation = "gelu",
        },
    .names = &names,
};

static const tfm_rope_keys rope_keys = {
    .theta = "rotary_emb_base",
    .default_theta = 10000,
    .part = "rotary_pct",
    .default_part = 0.25,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_gpt_like(c, config, &gpt_neox);
    const bool attention_bias = tfm_config_bool(config, "attention_bias", true);
    c->stack.biases = tfm_causal_biases(config, attention_bias, attention_bias, true);
    if (tfm_config_bool(config, "use_parallel_residual", true)) c->sublayers = "parallel";
    tfm_causal_rope(c, config, &rope_keys);
}

const tfm_importer tfm_gpt_neox_importer = {
    .family = "gpt_neox",
    .model_types = "gpt_neox",
    .what = "GPTNeoXForCausalLM: GPT-NeoX, Pythia (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
