/* mistral.c - MistralForCausalLM: Llama with grouped heads and, in its first version, a sliding window. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .n_kv_heads = 8,
    .d_ff = 14336,
    .max_positions = 4096 * 32,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    tfm_llama_rope(c, config, &defaults);
    /* A window that config.json does not mention is one of 4096; null is none. */
    const uint64_t standard = tfm_config_has(config, "sliding_window") ? 0 : 4096;
    tfm_causal_windows(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, standard), NULL, NULL);
}

const tfm_importer tfm_mistral_importer = {
    .family = "mistral",
    .model_types = "mistral",
    .what = "MistralForCausalLM (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
