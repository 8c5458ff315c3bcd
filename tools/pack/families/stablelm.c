/* stablelm.c - StableLmForCausalLM: Llama with layer norms and heads that are rotated in part. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 50304,
    .d_model = 2560,
    .n_layers = 32,
    .n_heads = 32,
    .n_kv_heads = 32,
    .d_ff = 6912,
    .max_positions = 4096,
    .activation = "silu",
    .norm_eps = 1e-5,
    .rope_theta = 10000,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    c->stack.norm = "layer";
    c->stack.norm_eps = tfm_config_real(config, "layer_norm_eps", 0, 1, defaults.norm_eps);
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
    const double part = tfm_config_real(config, "partial_rotary_factor", 0, 1, 0.25);
    tfm_causal_rope(c, config, (uint64_t)((double)c->stack.head_dim * part),
                    tfm_config_real(config, "rope_theta", 1, 1e12, defaults.rope_theta));
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("stablelm", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_stablelm_importer = {
    .family = "stablelm",
    .model_types = "stablelm",
    .what = "StableLmForCausalLM (decoder)",
    .import = import,
};
