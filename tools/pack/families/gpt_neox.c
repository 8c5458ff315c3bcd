/* gpt_neox.c - GPTNeoXForCausalLM (GPT-NeoX, Pythia): sublayers side by side, heads rotated in part. */
#include "causal.h"

#include <math.h>

static const tfm_causal_names names = {
    .prefix = "gpt_neox.",
    .layers = "layers",
    .embedding = "embed_in",
    .final_norm = "final_layer_norm",
    .head = "embed_out",
    .qkv_form = TFM_QKV_PER_HEAD,
    .qkv = {"attention.query_key_value"},
    .out = "attention.dense",
    .norm = "input_layernorm",
    .up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
    .ffn_norm = "post_attention_layernorm",
    .ignore = {"attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"},
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_family_stack *s = &c->stack;
    const uint64_t d = tfm_config_u64(config, "hidden_size", 1, 1 << 20, 6144);
    c->family.d_model = d;
    c->names = names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, 50432);
    s->n_layers = tfm_config_u64(config, "num_hidden_layers", 0, 1024, 44);
    s->n_heads = s->n_kv_heads = tfm_config_u64(config, "num_attention_heads", 1, 4096, 64);
    s->head_dim = d / s->n_heads;
    s->d_ff = tfm_config_u64(config, "intermediate_size", 1, 1 << 20, 24576);
    s->max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, 2048);
    s->activation = tfm_causal_activation(config, "hidden_act", "gelu");
    s->norm = "layer";
    s->norm_eps = tfm_config_real(config, "layer_norm_eps", 0, 1, 1e-5);
    s->final_norm = true;
    const bool attention_bias = tfm_config_bool(config, "attention_bias", true);
    s->biases = tfm_causal_biases(config, attention_bias, attention_bias, true);
    s->attention_scale = s->head_dim ? 1 / sqrt((double)s->head_dim) : 1;
    if (tfm_config_bool(config, "use_parallel_residual", true)) c->sublayers = "parallel";
    c->tied = tfm_config_bool(config, "tie_word_embeddings", false);
    const double part = tfm_config_real(config, "rotary_pct", 0, 1, 0.25);
    tfm_causal_rope(c, config, (uint64_t)((double)s->head_dim * part),
                    tfm_config_real(config, "rotary_emb_base", 1, 1e12, 10000));
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("gpt_neox", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_gpt_neox_importer = {
    .family = "gpt_neox",
    .model_types = "gpt_neox",
    .what = "GPTNeoXForCausalLM: GPT-NeoX, Pythia (decoder)",
    .import = import,
};
