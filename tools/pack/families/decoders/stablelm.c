/* stablelm.c - StableLmForCausalLM: Llama with layer norms and heads that are rotated in part. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 50304,
    .d_model = 2560,
    .n_kv_heads = 32,
    .d_ff = 6912,
    .max_positions = 4096,
};

static const tfm_rope_keys rope_keys = {
    .theta = "rope_theta",
    .default_theta = 10000,
    .part = "partial_rotary_factor",
    .default_part = 0.25,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    tfm_llama_layer_norm(c, config, 1e-5);
    c->stack.biases = tfm_causal_biases(config, tfm_config_bool(config, "use_qkv_bias", false), false, false);
    if (tfm_config_bool(config, "use_parallel_residual", false)) {
        c->sublayers = "parallel_shared";
        c->names.ffn_norm = NULL;
    }
    if (tfm_config_bool(config, "qk_layernorm", false)) {
        c->qk_norm = "heads";
        c->names.qk_norm_stacked = true;
        c->names.q_norm = "self_attn.q_layernorm.norms";
        c->names.k_norm = "self_attn.k_layernorm.norms";
    }
    tfm_causal_rope(c, config, &rope_keys);
}

const tfm_importer tfm_stablelm_importer = {
    .family = "stablelm",
    .model_types = "stablelm",
    .what = "StableLmForCausalLM (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
