/* granite.c - GraniteForCausalLM: Llama with four multipliers. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {0};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    c->stack.embed_scale = tfm_config_real(config, "embedding_multiplier", -1e6, 1e6, 1);
    c->stack.attention_scale = tfm_config_real(config, "attention_multiplier", 0, 1e6, 1);
    c->residual_scale = tfm_config_real(config, "residual_multiplier", 1e-6, 1e6, 1);
    c->output_scale = 1 / tfm_config_real(config, "logits_scaling", 1e-6, 1e6, 1);
    tfm_llama_rope(c, config, &defaults);
}

const tfm_importer tfm_granite_importer = {
    .family = "granite",
    .model_types = "granite",
    .what = "GraniteForCausalLM: Granite 3 (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
