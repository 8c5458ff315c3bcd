/* gpt2.c - GPT2LMHeadModel: learned positions, norms first, linear layers stored with inputs and outputs exchanged. */
#include "causal.h"

#include <math.h>

static const tfm_causal_names names = {
    .prefix = "transformer.",
    .layers = "h",
    .embedding = "wte",
    .position = "wpe",
    .final_norm = "ln_f",
    .head = "lm_head",
    .qkv_form = TFM_QKV_TRANSPOSED,
    .qkv = {"attn.c_attn"},
    .out = "attn.c_proj",
    .norm = "ln_1",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .ffn_norm = "ln_2",
    .transposed = true,
    .ignore = {"attn.bias", "attn.masked_bias"},
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_family_stack *s = &c->stack;
    const uint64_t d = tfm_config_u64(config, "n_embd", 1, 1 << 18, 768);
    c->family.d_model = d;
    c->names = names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, 50257);
    s->n_layers = tfm_config_u64(config, "n_layer", 0, 1024, 12);
    s->n_heads = s->n_kv_heads = tfm_config_u64(config, "n_head", 1, 4096, 12);
    s->head_dim = d / s->n_heads;
    s->d_ff = tfm_config_u64(config, "n_inner", 1, 1 << 20, 4 * d);
    s->max_positions = tfm_config_u64(config, "n_positions", 1, 1 << 22, 1024);
    s->position = "table";
    s->activation = tfm_causal_activation(config, "activation_function", "gelu_new");
    s->norm = "layer";
    s->norm_eps = tfm_config_real(config, "layer_norm_epsilon", 0, 1, 1e-5);
    s->final_norm = true;
    s->biases = "all";
    const bool scaled = tfm_config_bool(config, "scale_attn_weights", true);
    s->attention_scale = scaled && s->head_dim ? 1 / sqrt((double)s->head_dim) : 1;
    if (tfm_config_bool(config, "scale_attn_by_inverse_layer_idx", false))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "scale_attn_by_inverse_layer_idx", "is not supported");
    if (tfm_config_bool(config, "add_cross_attention", false))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "add_cross_attention", "is not supported");
    c->tied = tfm_config_bool(config, "tie_word_embeddings", true);
    /* GGUF files have linear layers as other families do; gguf_families.c says so with this key. */
    if (!tfm_config_bool(config, "tfm_linear_transposed", true)) {
        c->names.transposed = false;
        c->names.qkv_form = TFM_QKV_JOINED;
    }
    c->ids.eos = 50256;
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("gpt2", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_gpt2_importer = {
    .family = "gpt2",
    .model_types = "gpt2",
    .what = "GPT2LMHeadModel: GPT-2, DistilGPT2, DialoGPT (decoder)",
    .import = import,
};
