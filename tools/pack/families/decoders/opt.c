/* opt.c - OPTForCausalLM: named as BART's decoder, learned positions from row 2 on. */
#include "gpt_like.h"

static const tfm_causal_names names = {
    .prefix = "model.decoder.",
    .layers = "layers",
    .embedding = "embed_tokens",
    .position = "embed_positions",
    .final_norm = "final_layer_norm",
    .head = "lm_head",
    .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .out = "self_attn.out_proj",
    .norm = "self_attn_layer_norm",
    .up = "fc1",
    .down = "fc2",
    .ffn_norm = "final_layer_norm",
};

static const tfm_gpt_like opt = {
    .keys =
        {
            .d_model = "hidden_size",
            .n_layers = "num_hidden_layers",
            .n_heads = "num_attention_heads",
            .d_ff = "ffn_dim",
            .max_positions = "max_position_embeddings",
            .activation = "activation_function",
        },
    .defaults =
        {
            .vocab_size = 50272,
            .d_model = 768,
            .n_layers = 12,
            .n_heads = 12,
            .d_ff = 3072,
            .max_positions = 2048,
            .activation = "relu",
            .tied = true,
        },
    .names = &names,
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_read_gpt_like(c, config, &opt);
    const bool first = tfm_config_bool(config, "do_layer_norm_before", true);
    c->stack.position = "table";
    c->stack.position_offset = 2;
    c->stack.norm_placement = first ? "pre" : "post";
    c->stack.final_norm = first && !tfm_config_bool(config, "_remove_final_layer_norm", false);
    c->stack.biases = tfm_config_bool(config, "enable_bias", true) ? "all" : "none";
    if (tfm_config_u64(config, "word_embed_proj_dim", 1, 1 << 20, c->family.d_model) != c->family.d_model)
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "word_embed_proj_dim",
                        "other than hidden_size is not supported");
    if (!tfm_config_bool(config, "layer_norm_elementwise_affine", true))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "layer_norm_elementwise_affine", "false is not supported");
    c->ids.pad = 1;
    c->ids.eos = 2;
}

const tfm_importer tfm_opt_importer = {
    .family = "opt",
    .model_types = "opt",
    .what = "OPTForCausalLM (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
