/* llama.c - LlamaForCausalLM: Llama 1, 2, 3, 3.1, 3.2, SmolLM, TinyLlama and others. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 32000,
    .d_model = 4096,
    .n_layers = 32,
    .n_heads = 32,
    .d_ff = 11008,
    .max_positions = 2048,
    .activation = "silu",
    .norm_eps = 1e-6,
    .rope_theta = 10000,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    tfm_llama_rope(c, config, &defaults);
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("llama", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_llama_importer = {
    .family = "llama",
    .model_types = "llama",
    .what = "LlamaForCausalLM: Llama 1 to 3.3, SmolLM, TinyLlama (decoder)",
    .import = import,
};
