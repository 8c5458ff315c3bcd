/* phi.c - PhiForCausalLM (Phi-1, Phi-1.5, Phi-2): one norm for both sublayers, biases everywhere, on logits too. */
#include "causal.h"

#include <math.h>

static const tfm_causal_names names = {
    .prefix = "model.",
    .layers = "layers",
    .embedding = "embed_tokens",
    .final_norm = "final_layernorm",
    .head = "lm_head",
    .qkv = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .out = "self_attn.dense",
    .norm = "input_layernorm",
    .q_norm = "self_attn.q_layernorm",
    .k_norm = "self_attn.k_layernorm",
    .up = "mlp.fc1",
    .down = "mlp.fc2",
    .ignore = {"self_attn.rotary_emb.inv_freq"},
};

static void read(tfm_causal *c, tfm_config *config) {
    tfm_family_stack *s = &c->stack;
    const uint64_t d = tfm_config_u64(config, "hidden_size", 1, 1 << 20, 2048);
    c->family.d_model = d;
    c->names = names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, 51200);
    s->n_layers = tfm_config_u64(config, "num_hidden_layers", 0, 1024, 24);
    s->n_heads = tfm_config_u64(config, "num_attention_heads", 1, 4096, 32);
    s->n_kv_heads = tfm_config_u64(config, "num_key_value_heads", 1, 4096, s->n_heads);
    s->head_dim = d / s->n_heads;
    s->d_ff = tfm_config_u64(config, "intermediate_size", 1, 1 << 20, 8192);
    s->max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, 2048);
    s->activation = tfm_causal_activation(config, "hidden_act", "gelu_new");
    s->norm = "layer";
    s->norm_eps = tfm_config_real(config, "layer_norm_eps", 0, 1, 1e-5);
    s->final_norm = true;
    s->biases = "all";
    s->attention_scale = s->head_dim ? 1 / sqrt((double)s->head_dim) : 1;
    c->sublayers = "parallel_shared";
    c->head_bias = true;
    c->tied = tfm_config_bool(config, "tie_word_embeddings", false);
    if (tfm_config_bool(config, "qk_layernorm", false)) {
        c->qk_norm = "shared";
        c->qk_norm_bias = true;
    }
    const double part = tfm_config_real(config, "partial_rotary_factor", 0, 1, 0.5);
    tfm_causal_rope(c, config, (uint64_t)((double)s->head_dim * part),
                    tfm_config_real(config, "rope_theta", 1, 1e12, 10000));
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("phi", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_phi_importer = {
    .family = "phi",
    .model_types = "phi",
    .what = "PhiForCausalLM: Phi-1, Phi-1.5, Phi-2 (decoder)",
    .import = import,
};
