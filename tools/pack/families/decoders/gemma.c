/* gemma.c - GemmaForCausalLM and Gemma2ForCausalLM: scaled embeddings, norms with 1 + weight, in Gemma 2 soft caps. */
#include "llama_like.h"

#include <math.h>

static const tfm_llama_defaults gemma = {
    .vocab_size = 256000,
    .d_model = 3072,
    .n_layers = 28,
    .n_heads = 16,
    .n_kv_heads = 16,
    .d_ff = 24576,
    .max_positions = 8192,
    .activation = "gelu_pytorch_tanh",
    .tied = true,
};

static const tfm_llama_defaults gemma2 = {
    .vocab_size = 256000,
    .d_model = 2304,
    .n_layers = 26,
    .n_heads = 8,
    .n_kv_heads = 4,
    .d_ff = 9216,
    .max_positions = 8192,
    .activation = "gelu_pytorch_tanh",
    .tied = true,
};

static void read_common(tfm_causal *c, tfm_config *config, const tfm_llama_defaults *defaults) {
    tfm_read_llama_like(c, config, defaults);
    c->stack.head_dim = tfm_config_u64(config, "head_dim", 1, 4096, 256);
    c->stack.attention_scale = tfm_causal_attention_scale(c->stack.head_dim);
    c->stack.embed_scale = sqrt((double)c->family.d_model);
    /* hidden_act of older files says "gelu" and means the tanh form; hidden_activation counts. */
    c->stack.activation = tfm_family_activation(config, "hidden_activation", defaults->activation);
    c->norm_plus = 1;
    tfm_llama_rope(c, config, defaults);
}

static void read_gemma(tfm_causal *c, tfm_config *config) { read_common(c, config, &gemma); }

static bool is_even(uint64_t layer, const void *user) { return (void)user, layer % 2 == 0; }

static void read_gemma2(tfm_causal *c, tfm_config *config) {
    read_common(c, config, &gemma2);
    c->stack.norm_placement = "both";
    c->names.post_norm = "post_attention_layernorm";
    c->names.ffn_norm = "pre_feedforward_layernorm";
    c->names.ffn_post_norm = "post_feedforward_layernorm";
    c->stack.attention_scale = 1 / sqrt(tfm_config_real(config, "query_pre_attn_scalar", 1e-6, 1e6, 256));
    /* null is none, a missing key the class's default */
    const double cap = tfm_config_has(config, "attn_logit_softcapping") ? 0 : 50;
    const double final_cap = tfm_config_has(config, "final_logit_softcapping") ? 0 : 30;
    c->soft_cap = tfm_config_real(config, "attn_logit_softcapping", 1e-6, 1e6, cap);
    c->output_soft_cap = tfm_config_real(config, "final_logit_softcapping", 1e-6, 1e6, final_cap);
    tfm_causal_layer_types(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, 4096), is_even, NULL);
}

const tfm_importer tfm_gemma_importer = {
    .family = "gemma",
    .model_types = "gemma",
    .what = "GemmaForCausalLM (decoder)",
    .import = tfm_import_causal,
    .read_causal = read_gemma,
};

const tfm_importer tfm_gemma2_importer = {
    .family = "gemma2",
    .model_types = "gemma2",
    .what = "Gemma2ForCausalLM (decoder)",
    .import = tfm_import_causal,
    .read_causal = read_gemma2,
};
