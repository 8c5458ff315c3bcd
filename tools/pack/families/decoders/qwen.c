/* qwen.c - Qwen2ForCausalLM (Qwen 2, 2.5), with biases of queries, keys and values; Qwen3ForCausalLM, with norms. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 151936,
    .n_kv_heads = 32,
    .d_ff = 22016,
    .max_positions = 32768,
};

static bool is_late(uint64_t layer, const void *first) { return layer >= *(const uint64_t *)first; }

/* The first max_window_layers layers see everything, where layer_types does not say it otherwise. */
static void read_window(tfm_causal *c, tfm_config *config) {
    const bool has_window = tfm_config_bool(config, "use_sliding_window", false);
    const uint64_t window = tfm_config_u64(config, "sliding_window", 1, 1 << 22, 4096);
    const uint64_t first = tfm_config_u64(config, "max_window_layers", 0, UINT32_MAX, 28);
    tfm_causal_layer_types(c, config, has_window ? window : 0, is_late, &first);
}

static void read_qwen2(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    c->stack.biases = "qkv";
    tfm_llama_rope(c, config, &defaults);
    read_window(c, config);
}

static void read_qwen3(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    c->stack.head_dim = tfm_config_u64(config, "head_dim", 1, 4096, 128);
    c->stack.attention_scale = tfm_causal_attention_scale(c->stack.head_dim);
    c->qk_norm = "shared";
    c->names.q_norm = "self_attn.q_norm";
    c->names.k_norm = "self_attn.k_norm";
    tfm_llama_rope(c, config, &defaults);
    read_window(c, config);
}

const tfm_importer tfm_qwen2_importer = {
    .family = "qwen2",
    .model_types = "qwen2",
    .what = "Qwen2ForCausalLM: Qwen 2 and 2.5 (decoder)",
    .import = tfm_import_causal,
    .read_causal = read_qwen2,
};

const tfm_importer tfm_qwen3_importer = {
    .family = "qwen3",
    .model_types = "qwen3",
    .what = "Qwen3ForCausalLM (decoder)",
    .import = tfm_import_causal,
    .read_causal = read_qwen3,
};
