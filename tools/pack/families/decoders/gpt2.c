/* gpt2.c - GPT2LMHeadModel: learned positions, norms first, linear layers stored with inputs and outputs exchanged. */
#include "gpt_like.h"

static const tfm_causal_names names = {
    .prefix = "transformer.",
    .layers = "h",
    .embedding = "wte",
    .position = "wpe",
    .final_norm = "ln_f",
    .head = "lm_head",
    .qkv_layout = TFM_QKV_TRANSPOSED,
    .qkv = {"attn.c_attn"},
    .out = "attn.c_proj",
    .norm = "ln_1",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .ffn_norm = "ln_2",
    .transposed = true,
};

static const tfm_gpt_like gpt2 = {
    .keys =
        {
            .d_model = "n_embd",
            .n_layers = "n_layer",
            .n_heads = "n_head",
            .d_ff = "n_inner",
            .max_positions = "n_positions",
            .activation = "activation_function",
            .norm_eps = "layer_norm_epsilon",
        },
    .defaults =
        {
            .vocab_size = 50257,
            .d_model = 768,
            .n_layers = 12,
            .n_heads = 12,
            .max_positions = 1024,
            .activation = "gelu_new",
            .tied = true,
        },
    .names = &names,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_gpt_like(c, config, &gpt2);
    c->stack.position = "table";
    if (!tfm_config_bool(config, "scale_attn_weights", true)) c->stack.attention_scale = 1;
    c->over_layer = tfm_config_bool(config, "scale_attn_by_inverse_layer_idx", false);
    if (tfm_config_bool(config, "add_cross_attention", false))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "add_cross_attention", "is not supported");
    if (tfm_checkpoint_get_hints(c->family.checkpoint)->linear_not_transposed) {
        c->names.transposed = false;
        c->names.qkv_layout = TFM_QKV_JOINED;
    }
    c->ids.eos = 50256;
}

const tfm_importer tfm_gpt2_importer = {
    .family = "gpt2",
    .model_types = "gpt2",
    .what = "GPT2LMHeadModel: GPT-2, DistilGPT2, DialoGPT (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
