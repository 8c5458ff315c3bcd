/* bloom.c - BloomForCausalLM: scores fall linearly with the distance (ALiBi), a norm after the embeddings. */
#include "gpt_like.h"

#include <math.h>
#include <stdlib.h>

static const tfm_causal_names names = {
    .prefix = "transformer.",
    .layers = "h",
    .embedding = "word_embeddings",
    .embed_norm = "word_embeddings_layernorm",
    .final_norm = "ln_f",
    .head = "lm_head",
    .qkv_layout = TFM_QKV_PER_HEAD,
    .qkv = {"self_attention.query_key_value"},
    .out = "self_attention.dense",
    .norm = "input_layernorm",
    .up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
    .ffn_norm = "post_attention_layernorm",
};

static const tfm_gpt_like bloom = {
    .keys =
        {
            .d_model = "hidden_size",
            .n_layers = "n_layer",
            .n_heads = "n_head",
            .norm_eps = "layer_norm_epsilon",
        },
    .defaults =
        {
            .vocab_size = 250880,
            .d_model = 64,
            .n_layers = 2,
            .n_heads = 8,
            .tied = true,
        },
    .names = &names,
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
    tfm_read_gpt_like(c, config, &bloom);
    c->stack.max_positions = tfm_config_u64(config, "seq_length", 1, 1 << 14, 2048);
    c->stack.position = "alibi";
    c->stack.embed_norm = true;
    if (tfm_config_bool(config, "apply_residual_connection_post_layernorm", false))
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "apply_residual_connection_post_layernorm", "is not supported");
    if (config->status == TFM_OK) set_slopes(c, config);
    c->ids.eos = 2;
}

const tfm_importer tfm_bloom_importer = {
    .family = "bloom",
    .model_types = "bloom",
    .what = "BloomForCausalLM: BLOOM, BLOOMZ (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
