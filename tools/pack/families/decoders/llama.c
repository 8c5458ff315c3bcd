/* llama.c - LlamaForCausalLM: Llama 1, 2, 3, 3.1, 3.2, SmolLM, TinyLlama and others. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {0};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    tfm_llama_rope(c, config, &defaults);
}

const tfm_importer tfm_llama_importer = {
    .family = "llama",
    .model_types = "llama",
    .what = "LlamaForCausalLM: Llama 1 to 3.3, SmolLM, TinyLlama (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
