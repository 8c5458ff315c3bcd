/* phi3.c - Phi3ForCausalLM (Phi-3, Phi-3.5, Phi-4-mini): Llama with joined tensors and a sliding window. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 32064,
    .d_model = 3072,
    .n_layers = 32,
    .n_heads = 32,
    .d_ff = 8192,
    .max_positions = 4096,
    .activation = "silu",
    .norm_eps = 1e-5,
    .rope_theta = 10000,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    c->names.qkv_form = TFM_QKV_JOINED;
    c->names.qkv[0] = "self_attn.qkv_proj";
    c->names.gate_up = "mlp.gate_up_proj";
    c->stack.biases = "none";
    const double part = tfm_config_real(config, "partial_rotary_factor", 0, 1, 1);
    tfm_causal_rope(c, config, (uint64_t)((double)c->stack.head_dim * part),
                    tfm_config_real(config, "rope_theta", 1, 1e12, defaults.rope_theta));
    tfm_causal_windows(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, 0), NULL, NULL);
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("phi3", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_phi3_importer = {
    .family = "phi3",
    .model_types = "phi3",
    .what = "Phi3ForCausalLM: Phi-3, Phi-3.5, Phi-4-mini (decoder)",
    .import = import,
};
