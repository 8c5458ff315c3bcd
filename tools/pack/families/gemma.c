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
    .norm_eps = 1e-6,
    .rope_theta = 10000,
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
    .norm_eps = 1e-6,
    .rope_theta = 10000,
    .tied = true,
};

static void read_common(tfm_causal *c, tfm_config *config, const tfm_llama_defaults *defaults) {
    tfm_read_llama_like(c, config, defaults);
    c->stack.head_dim = tfm_config_u64(config, "head_dim", 1, 4096, 256);
    c->stack.attention_scale = 1 / sqrt((double)c->stack.head_dim);
    c->stack.embed_scale = sqrt((double)c->family.d_model);
    /* hidden_act of older files says "gelu" and means the tanh form; hidden_activation counts. */
    c->stack.activation = tfm_causal_activation(config, "hidden_activation", defaults->activation);
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
    const bool caps = !json_object_get(config->object, "attn_logit_softcapping");
    const bool final_caps = !json_object_get(config->object, "final_logit_softcapping");
    c->soft_cap = tfm_config_real(config, "attn_logit_softcapping", 1e-6, 1e6, caps ? 50 : 0);
    c->output_soft_cap = tfm_config_real(config, "final_logit_softcapping", 1e-6, 1e6, final_caps ? 30 : 0);
    tfm_causal_windows(c, config, tfm_config_u64(config, "sliding_window", 1, 1 << 22, 4096), is_even, NULL);
}

static tfm_status import_gemma(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                               tfm_error *error) {
    return tfm_import_causal("gemma", read_gemma, checkpoint, writer, options, error);
}

static tfm_status import_gemma2(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                                tfm_error *error) {
    return tfm_import_causal("gemma2", read_gemma2, checkpoint, writer, options, error);
}

const tfm_importer tfm_gemma_importer = {
    .family = "gemma",
    .model_types = "gemma",
    .what = "GemmaForCausalLM (decoder)",
    .import = import_gemma,
};

const tfm_importer tfm_gemma2_importer = {
    .family = "gemma2",
    .model_types = "gemma2",
    .what = "Gemma2ForCausalLM (decoder)",
    .import = import_gemma2,
};
