/* ct2_t5.c - CTranslate2's TransformerSpec with RMS norms and a bias by distance, as T5. */
#include <math.h>
#include <string.h>

#include "ct2_model.h"

#define BIAS "layer_0/self_attention/relative_attention_bias"
#define DISTANCE "encoder/layer_0/self_attention/relative_attention_max_distance"

typedef struct reader {
    tfm_ct2_model *model;
    tfm_ct2_sizes encoder, decoder;
    uint64_t inner; /* all heads together */
    const char *activation;
    bool gated, tied;
} reader;

static tfm_name of(const char *stack, const char *key) { return tfm_name_format("%s/%s", stack, key); }

/* ---- options ---- */

static void check_switches(tfm_ct2_model *m, const char *stack) {
    tfm_ct2_read_switches(m, stack);
    tfm_ct2_expect(m, of(stack, "pre_norm").text, 1, 1);
    tfm_ct2_expect(m, of(stack, "scale_embeddings").text, 0, 0);
    if (!tfm_ct2_has(m, "%s/scale_embeddings", stack))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "'%s': a factor on embeddings is not supported here",
                         stack);
    tfm_ct2_expect(m, of(stack, "start_from_zero_embedding").text, 0, 0);
}

/* Outputs are scaled where the projection is the embedding. */
static void read_projection(reader *r, const char *embeddings) {
    tfm_ct2_model *m = r->model;
    const double factor = 1 / sqrt((double)r->decoder.d);
    r->tied = tfm_ct2_has(m, "decoder/scale_outputs");
    if (r->tied) tfm_ct2_expect(m, "decoder/scale_outputs", factor, factor);
    if (r->tied && !tfm_ct2_same(m, "decoder/projection/weight", embeddings))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "variable 'decoder/scale_outputs' is supported with tied embeddings only");
}

static void read_options(reader *r) {
    tfm_ct2_model *m = r->model;
    const tfm_name theirs = tfm_ct2_embeddings(m, "encoder"), embeddings = tfm_ct2_embeddings(m, "decoder");
    r->encoder = tfm_ct2_read_sizes(m, "encoder");
    r->decoder = tfm_ct2_read_sizes(m, "decoder");
    r->inner = tfm_ct2_dimension(m, "encoder/layer_0/self_attention/linear_1/weight", 1);
    r->gated = tfm_ct2_has(m, "encoder/layer_0/ffn/linear_0_noact/weight");
    r->activation = tfm_ct2_activation(m, "encoder");
    if (r->decoder.n_heads != r->encoder.n_heads)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable 'decoder/num_heads' does not fit the encoder's");
    if (r->inner % r->encoder.n_heads != 0)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT,
                         "variable 'encoder/num_heads' does not divide the width of the heads");
    if (strcmp(tfm_ct2_activation(m, "decoder"), r->activation) != 0)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "encoder and decoder differ in their activation");
    /* "gated-gelu" is the one by tanh there, so that the exact one cannot be said */
    if (r->gated && !strcmp(r->activation, "gelu"))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "a gate with the exact GELU is not supported here");
    if (!tfm_ct2_same(m, embeddings.text, theirs.text))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "variable '%s': embeddings apart are not supported here",
                         theirs.text);
    check_switches(m, "encoder");
    check_switches(m, "decoder");
    read_projection(r, embeddings.text);
}

/* ---- configuration ---- */

static void write_config(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    const char *activation = r->gated && !strcmp(r->activation, "gelu_new") ? "gelu" : r->activation;
    const tfm_name ffn = tfm_name_format("%s%s", r->gated ? "gated-" : "", activation);
    const int64_t farthest = tfm_ct2_integer(m, 0, DISTANCE);
    if (farthest < 2) tfm_foreign_fail(foreign, TFM_ERROR_FORMAT, "variable '" DISTANCE "' is missing or absurd");
    tfm_foreign_set_string(foreign, m->config, "model_type", "t5");
    tfm_foreign_set_u64(foreign, m->config, "d_model", r->decoder.d);
    tfm_foreign_set_u64(foreign, m->config, "d_kv", r->inner / r->encoder.n_heads);
    tfm_foreign_set_u64(foreign, m->config, "d_ff", r->encoder.d_ff);
    tfm_foreign_set_u64(foreign, m->config, "num_heads", r->encoder.n_heads);
    tfm_foreign_set_u64(foreign, m->config, "num_layers", r->encoder.n_layers);
    tfm_foreign_set_u64(foreign, m->config, "num_decoder_layers", r->decoder.n_layers);
    tfm_foreign_set_u64(foreign, m->config, "vocab_size", r->decoder.vocab_size);
    tfm_foreign_set_real(foreign, m->config, "layer_norm_epsilon", tfm_ct2_epsilon(m, true));
    tfm_foreign_set_string(foreign, m->config, "feed_forward_proj", ffn.text);
    tfm_foreign_set_bool(foreign, m->config, "tie_word_embeddings", r->tied);
    tfm_foreign_set_u64(foreign, m->config, "relative_attention_num_buckets", tfm_ct2_dimension(m, "encoder/" BIAS, 0));
    tfm_foreign_set_u64(foreign, m->config, "relative_attention_max_distance", (uint64_t)farthest);
}

static void write_generation(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_set_u64(&m->foreign, m->generation, "max_length", 256);
    const bool has_eos = tfm_ct2_set_token(m, "eos_token_id", "eos_token");
    if (!tfm_ct2_set_token(m, "decoder_start_token_id", "decoder_start_token") || !has_eos)
        tfm_foreign_note(&m->foreign, "the tokens that start and end an output are not known: a vocabulary is missing");
}

/* ---- tensors ---- */

static void show_attention(const reader *r, const tfm_ct2_part *layer, const tfm_ct2_attention *to, const char *from,
                           bool is_cross) {
    const tfm_name scale = tfm_name_format("%s/%s/queries_scale", layer->from.text, from);
    tfm_ct2_show_attention(layer, to, from, is_cross, r->inner, false);
    if (!tfm_ct2_has(r->model, "%s", scale.text))
        tfm_foreign_fail(&r->model->foreign, TFM_ERROR_UNSUPPORTED, "'%s/%s': scaled queries are not supported here",
                         layer->from.text, from);
    tfm_ct2_expect(r->model, scale.text, 1, 1);
}

/* One bias by distance that all layers share. */
static void show_relative(const reader *r, const char *stack, uint64_t n_layers) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    const tfm_name bias = of(stack, BIAS);
    const tfm_name to = tfm_name_format("%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", stack);
    const double farthest = tfm_ct2_real(m, 0, DISTANCE);
    tfm_ct2_show(&whole, to.text, bias.text, (tfm_array_view){0});
    for (uint64_t i = 0; i < n_layers && m->foreign.status == TFM_OK; i++) {
        const tfm_ct2_part layer = tfm_ct2_layer(m, "", stack, i);
        const tfm_name own = tfm_ct2_name_there(&layer, "self_attention/relative_attention_bias");
        if (!tfm_ct2_same(m, own.text, bias.text))
            tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "variable '%s' is not that of the first layer",
                             own.text);
        tfm_ct2_expect(m, tfm_ct2_name_there(&layer, "self_attention/relative_attention_max_distance").text, farthest,
                       farthest);
    }
}

/* A block is attention, cross-attention in the decoder, and the feed-forward, in this order. */
static void show_block(const reader *r, const char *stack, uint64_t i, bool is_decoder) {
    static const tfm_ct2_attention self = {"layer.0.SelfAttention.q", "layer.0.SelfAttention.k",
                                           "layer.0.SelfAttention.v", "layer.0.SelfAttention.o"};
    static const tfm_ct2_attention cross = {"layer.1.EncDecAttention.q", "layer.1.EncDecAttention.k",
                                            "layer.1.EncDecAttention.v", "layer.1.EncDecAttention.o"};
    const tfm_name block = tfm_name_format("%s.block", stack), ffn = tfm_name_format("layer.%d", is_decoder ? 2 : 1);
    const tfm_ct2_part layer = tfm_ct2_layer(r->model, block.text, stack, i);
    show_attention(r, &layer, &self, "self_attention", false);
    tfm_ct2_norm(&layer, "layer.0.layer_norm", "self_attention/layer_norm", false);
    if (is_decoder) {
        show_attention(r, &layer, &cross, "attention", true);
        tfm_ct2_norm(&layer, "layer.1.layer_norm", "attention/layer_norm", false);
    }
    const tfm_name up = tfm_name_format("%s.DenseReluDense.wi%s", ffn.text, r->gated ? "_0" : "");
    tfm_ct2_linear(&layer, up.text, "ffn/linear_0", false);
    if (r->gated)
        tfm_ct2_linear(&layer, tfm_name_format("%s.DenseReluDense.wi_1", ffn.text).text, "ffn/linear_0_noact", false);
    tfm_ct2_linear(&layer, tfm_name_format("%s.DenseReluDense.wo", ffn.text).text, "ffn/linear_1", false);
    tfm_ct2_norm(&layer, tfm_name_format("%s.layer_norm", ffn.text).text, "ffn/layer_norm", false);
}

static void show_stack(const reader *r, const char *stack, uint64_t n_layers, bool is_decoder) {
    const tfm_ct2_part whole = tfm_ct2_whole(r->model);
    show_relative(r, stack, n_layers);
    for (uint64_t i = 0; i < n_layers && r->model->foreign.status == TFM_OK; i++) show_block(r, stack, i, is_decoder);
    tfm_ct2_norm(&whole, tfm_name_format("%s.final_layer_norm", stack).text, of(stack, "layer_norm").text, false);
}

void tfm_ct2_read_t5(tfm_ct2_model *m) {
    reader r = {.model = m};
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    read_options(&r);
    write_config(&r);
    write_generation(&r);
    if (m->foreign.status != TFM_OK) return;
    tfm_ct2_show(&whole, "shared.weight", tfm_ct2_embeddings(m, "decoder").text, (tfm_array_view){0});
    if (!r.tied) tfm_ct2_linear(&whole, "lm_head", "decoder/projection", false);
    show_stack(&r, "encoder", r.encoder.n_layers, false);
    show_stack(&r, "decoder", r.decoder.n_layers, true);
}
