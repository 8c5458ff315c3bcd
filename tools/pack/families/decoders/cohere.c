/* cohere.c - CohereForCausalLM: one layer norm without bias for both sublayers, which run side by side. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 256000,
    .d_model = 8192,
    .n_layers = 40,
    .n_heads = 64,
    .d_ff = 22528,
    .max_positions = 8192,
    .tied = true,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    tfm_llama_layer_norm(c, config, 1e-5);
    c->no_norm_bias = true;
    c->sublayers = "parallel_shared";
    c->names.ffn_norm = NULL;
    c->output_scale = tfm_config_real(config, "logit_scale", -1e6, 1e6, 0.0625);
    if (c->output_scale == 0) tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "logit_scale", "is 0");
    if (tfm_config_bool(config, "use_qk_norm", false)) {
        c->qk_norm = "heads";
        c->names.q_norm = "self_attn.q_norm";
        c->names.k_norm = "self_attn.k_norm";
    }
    c->rope_interleaved = true;
    tfm_llama_rope(c, config, &defaults);
}

const tfm_importer tfm_cohere_importer = {
    .family = "cohere",
    .model_types = "cohere",
    .what = "CohereForCausalLM: Command R, Aya (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
