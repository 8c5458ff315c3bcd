/* phi3.c - Phi3ForCausalLM (Phi-3, Phi-3.5, Phi-4-mini): Llama with joined tensors and a sliding window. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 32064,
    .d_model = 3072,
    .d_ff = 8192,
    .max_positions = 4096,
    .norm_eps = 1e-5,
};

static const tfm_rope_keys rope_keys = {
    .theta = "rope_theta",
    .default_theta = 10000,
    .part = "partial_rotary_factor",
    .default_part = 1,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    c->names.qkv_layout = TFM_QKV_JOINED;
    c->names.qkv[0] = "self_attn.qkv_proj";
    c->names.gate_up = "mlp.gate_up_proj";
    c->stack.biases = "none";
    tfm_causal_rope(c, config, &rope_keys);
    tfm_causal_windows(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, 0), NULL, NULL);
}

const tfm_importer tfm_phi3_importer = {
    .family = "phi3",
    .model_types = "phi3",
    .what = "Phi3ForCausalLM: Phi-3, Phi-3.5, Phi-4-mini (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
