/* bloom.c - BloomForCausalLM: scores fall linearly with the distance (ALiBi), a norm after the embeddings. */
#include "causal.h"

#include <math.h>
#include <stdlib.h>

static const tfm_causal_names names = {
    .prefix = "transformer.",
    .layers = "h",
    .embedding = "word_embeddings",
    .embed_norm = "word_embeddings_layernorm",
    .final_norm = "ln_f",
    .head = "lm_head",
    .qkv_form = TFM_QKV_PER_HEAD,
    .qkv = {"self_attention.query_key_value"},
    .out = "self_attention.dense",
    .norm = "input_layernorm",
    .up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
    .ffn_norm = "post_attention_layernorm",
};

/*
 * Slopes of "Train Short, Test Long" (Press et al. 2022): for n heads, n a power of two, the first n powers of
 * 2^(-8/n); further heads take every other of the powers for 2n heads.
 */
static void set_slopes(tfm_causal *c, tfm_config *config) {
    const uint64_t n_heads = c->stack.n_heads;
    uint64_t n = 1;
    while (2 * n <= n_heads) n *= 2;
    c->slopes = calloc(n_heads, sizeof *c->slopes);
    if (!c->slopes) {
        tfm_config_fail(config, TFM_ERROR_MEMORY, "n_head", "needs more memory than there is");
        return;
    }
    for (uint64_t h = 0; h < n_heads; h++) {
        double exponent = h < n ? (double)(h + 1) * 8 / (double)n : (double)(2 * (h - n) + 1) * 4 / (double)n;
        c->slopes[h] = (float)exp2(-exponent);
    }
}

static void read(tfm_causal *c, tfm_config *config) {
    tfm_family_stack *s = &c->stack;
    const char *wide = json_object_get(config->object, "n_embed") ? "n_embed" : "hidden_size";
    const char *layers = json_object_get(config->object, "num_hidden_layers") ? "num_hidden_layers" : "n_layer";
    const char *heads = json_object_get(config->object, "num_attention_heads") ? "num_attention_heads" : "n_head";
    const uint64_t d = tfm_config_u64(config, wide, 1, 1 << 18, 64);
    c->family.d_model = d;
    c->names = names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, 250880);
    s->n_layers = tfm_config_u64(config, layers, 0, 1024, 2);
    s->n_heads = s->n_kv_heads = tfm_config_u64(config, heads, 1, 4096, 8);
    s->head_dim = d / s->n_heads;
    s->d_ff = 4 * d;
    s->max_positions = tfm_config_u64(config, "seq_length", 1, 1 << 14, 2048);
    s->position = "alibi";
    s->activation = "gelu_tanh";
    s->norm = "layer";
    s->norm_eps = tfm_config_real(config, "layer_norm_epsilon", 0, 1, 1e-5);
    s->embed_norm = s->final_norm = true;
    s->biases = "all";
    s->attention_scale = s->head_dim ? 1 / sqrt((double)s->head_dim) : 1;
    c->tied = tfm_config_bool(config, "tie_word_embeddings", true);
    if (tfm_config_bool(config, "apply_residual_connection_post_layernorm", false))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "apply_residual_connection_post_layernorm", "is not supported");
    if (config->status == TFM_OK) set_slopes(c, config);
    c->ids.eos = 2;
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("bloom", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_bloom_importer = {
    .family = "bloom",
    .model_types = "bloom",
    .what = "BloomForCausalLM: BLOOM, BLOOMZ (decoder)",
    .import = import,
};
