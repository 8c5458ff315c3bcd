/* qwen.c - Qwen2ForCausalLM (Qwen 2, 2.5), with biases of queries, keys and values; Qwen3ForCausalLM, with norms. */
#include "llama_like.h"

#include <math.h>
#include <string.h>

static const tfm_llama_defaults defaults = {
    .vocab_size = 151936,
    .d_model = 4096,
    .n_layers = 32,
    .n_heads = 32,
    .n_kv_heads = 32,
    .d_ff = 22016,
    .max_positions = 32768,
    .activation = "silu",
    .norm_eps = 1e-6,
    .rope_theta = 10000,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    if (!strcmp(tfm_config_string(config, "model_type", ""), "qwen3")) {
        c->stack.head_dim = tfm_config_u64(config, "head_dim", 1, 4096, 128);
        c->stack.attention_scale = 1 / sqrt((double)c->stack.head_dim);
        c->qk_norm = "shared";
        c->names.q_norm = "self_attn.q_norm";
        c->names.k_norm = "self_attn.k_norm";
    } else {
        c->stack.biases = "qkv";
    }
    tfm_llama_rope(c, config, &defaults);
    if (!tfm_config_bool(config, "use_sliding_window", false)) return;
    /* In every layer, whatever max_window_layers says: what the masks of transformers 4.46 do. */
    tfm_causal_windows(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, 4096), NULL, NULL);
}

static tfm_status import_qwen2(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                               tfm_error *error) {
    return tfm_import_causal("qwen2", read, checkpoint, writer, options, error);
}

static tfm_status import_qwen3(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                               tfm_error *error) {
    return tfm_import_causal("qwen3", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_qwen2_importer = {
    .family = "qwen2",
    .model_types = "qwen2",
    .what = "Qwen2ForCausalLM: Qwen 2 and 2.5 (decoder)",
    .import = import_qwen2,
};

const tfm_importer tfm_qwen3_importer = {
    .family = "qwen3",
    .model_types = "qwen3",
    .what = "Qwen3ForCausalLM (decoder)",
    .import = import_qwen3,
};
