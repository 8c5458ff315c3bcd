/* starcoder2.c - Starcoder2ForCausalLM: Llama's attention with biases, GPT-2's norms and feed-forward. */
#include "llama_like.h"

static const tfm_llama_defaults defaults = {
    .vocab_size = 49152,
    .d_model = 3072,
    .n_layers = 30,
    .n_heads = 24,
    .n_kv_heads = 2,
    .d_ff = 12288,
    .max_positions = 4096,
    .activation = "gelu_pytorch_tanh",
    .norm_eps = 1e-5,
    .rope_theta = 10000,
    .tied = true,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_llama_like(c, config, &defaults);
    tfm_family_stack *stack = &c->stack;
    stack->norm = "layer";
    stack->norm_eps = tfm_config_real(config, "norm_epsilon", 0, 1, defaults.norm_eps);
    stack->biases = tfm_config_bool(config, "use_bias", true) ? "all" : "none";
    stack->gated = false;
    c->names.gate = NULL;
    c->names.up = "mlp.c_fc";
    c->names.down = "mlp.c_proj";
    c->ids.eos = 50256;
    tfm_llama_rope(c, config, &defaults);
    tfm_causal_windows(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, 0), NULL, NULL);
}

const tfm_importer tfm_starcoder2_importer = {
    .family = "starcoder2",
    .model_types = "starcoder2",
    .what = "Starcoder2ForCausalLM: StarCoder2 (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
