/* opt.c - OPTForCausalLM: named as BART's decoder, learned positions from row 2 on. */
#include "causal.h"

#include <math.h>

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

static void read(tfm_causal *c, tfm_config *config) {
    tfm_family_stack *s = &c->stack;
    const uint64_t d = tfm_config_u64(config, "hidden_size", 1, 1 << 20, 768);
    const bool first = tfm_config_bool(config, "do_layer_norm_before", true);
    c->family.d_model = d;
    c->names = names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, 50272);
    s->n_layers = tfm_config_u64(config, "num_hidden_layers", 0, 1024, 12);
    s->n_heads = s->n_kv_heads = tfm_config_u64(config, "num_attention_heads", 1, 4096, 12);
    s->head_dim = d / s->n_heads;
    s->d_ff = tfm_config_u64(config, "ffn_dim", 1, 1 << 20, 3072);
    s->max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, 2048);
    s->position = "table";
    s->position_offset = 2;
    s->activation = tfm_causal_activation(config, "activation_function", "relu");
    s->norm = "layer";
    s->norm_placement = first ? "pre" : "post";
    s->norm_eps = 1e-5;
    s->final_norm = first && !tfm_config_bool(config, "_remove_final_layer_norm", false);
    s->biases = tfm_config_bool(config, "enable_bias", true) ? "all" : "none";
    s->attention_scale = s->head_dim ? 1 / sqrt((double)s->head_dim) : 1;
    c->tied = tfm_config_bool(config, "tie_word_embeddings", true);
    if (tfm_config_u64(config, "word_embed_proj_dim", 1, 1 << 20, d) != d)
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "word_embed_proj_dim",
                        "other than hidden_size is not supported");
    if (!tfm_config_bool(config, "layer_norm_elementwise_affine", true))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "layer_norm_elementwise_affine", "false is not supported");
    c->ids.pad = 1;
    c->ids.eos = 2;
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("opt", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_opt_importer = {
    .family = "opt",
    .model_types = "opt",
    .what = "OPTForCausalLM (decoder)",
    .import = import,
};
