/* ct2_t5.c - CTranslate2's TransformerSpec with RMS norms and a bias by distance, as T5. */
#include <math.h>
#include <string.h>

#include "ct2_model.h"

typedef struct reader {
    tfm_ct2_model *m;
    uint64_t d, vocab_size, n_heads, inner, d_ff, layers[2]; /* inner: all heads together */
    const char *activation;
    bool gated, tied;
} reader;

static const char *const stacks[] = {"encoder", "decoder"};

static tfm_name of(const char *stack, const char *key) { return tfm_name_format("%s/%s", stack, key); }

/* ---- options ---- */

static void read_stack(reader *r, int which) {
    tfm_ct2_model *m = r->m;
    const char *s = stacks[which];
    r->layers[which] = tfm_ct2_count(m, of(s, "layer_").text, "self_attention/linear_0/weight");
    if (r->layers[which] == 0) tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s/layer_0' is missing", s);
    const int64_t heads = tfm_ct2_integer(m, 0, of(s, "num_heads").text);
    if (heads < 1 || heads > 4096 || (which == 1 && (uint64_t)heads != r->n_heads))
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s/num_heads' is missing or does not fit", s);
    r->n_heads = m->status != TFM_OK ? 1 : (uint64_t)heads;
    const char *activation = tfm_ct2_activation(m, of(s, "activation").text);
    if (which == 1 && strcmp(activation, r->activation) != 0)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "encoder and decoder differ in their activation");
    r->activation = activation;
    tfm_ct2_expect(m, of(s, "pre_norm").text, 1, 1);
    tfm_ct2_expect(m, of(s, "scale_embeddings").text, 0, 0);
    if (!tfm_ct2_has(m, "%s/scale_embeddings", s))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "'%s': a factor on embeddings is not supported here", s);
    tfm_ct2_expect(m, of(s, "multi_query_attention").text, 0, 0);
    tfm_ct2_expect(m, of(s, "alibi").text, 0, 0);
    tfm_ct2_expect(m, of(s, "start_from_zero_embedding").text, 0, 0);
    static const char *const free_of_effect[] = {"embeddings_merge", "alignment_layer", "alignment_heads",
                                                 "alibi_use_positive_positions", "scale_alibi"};
    for (size_t i = 0; i < sizeof free_of_effect / sizeof *free_of_effect; i++)
        tfm_ct2_ignore(m, of(s, free_of_effect[i]).text);
}

static void write_config(const reader *r) {
    tfm_ct2_model *m = r->m;
    const char *act = r->gated && !strcmp(r->activation, "gelu_new") ? "gelu" : r->activation;
    tfm_ct2_set_string(m, m->config, "model_type", "t5");
    tfm_ct2_set_integer(m, m->config, "d_model", r->d);
    tfm_ct2_set_integer(m, m->config, "d_kv", r->inner / r->n_heads);
    tfm_ct2_set_integer(m, m->config, "d_ff", r->d_ff);
    tfm_ct2_set_integer(m, m->config, "num_heads", r->n_heads);
    tfm_ct2_set_integer(m, m->config, "num_layers", r->layers[0]);
    tfm_ct2_set_integer(m, m->config, "num_decoder_layers", r->layers[1]);
    tfm_ct2_set_integer(m, m->config, "vocab_size", r->vocab_size);
    tfm_ct2_set_real(m, m->config, "layer_norm_epsilon", tfm_ct2_epsilon(m, true));
    tfm_ct2_set_string(m, m->config, "feed_forward_proj", tfm_name_format("%s%s", r->gated ? "gated-" : "", act).text);
    tfm_ct2_set_bool(m, m->config, "tie_word_embeddings", r->tied);
    tfm_ct2_set_integer(m, m->config, "relative_attention_num_buckets",
                        tfm_ct2_dimension(m, "encoder/layer_0/self_attention/relative_attention_bias", 0));
    const char *distance = "encoder/layer_0/self_attention/relative_attention_max_distance";
    const int64_t farthest = tfm_ct2_integer(m, 0, distance);
    if (farthest < 2) tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s' is missing or absurd", distance);
    if (m->status == TFM_OK) tfm_ct2_set_integer(m, m->config, "relative_attention_max_distance", (uint64_t)farthest);
    /* "gated-gelu" is the one by tanh there, so that the exact one cannot be said */
    if (r->gated && !strcmp(r->activation, "gelu"))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "a gate with the exact GELU is not supported here");
    const int64_t eos = tfm_ct2_token(m, m->target_tokens, "eos_token");
    const int64_t start = tfm_ct2_token(m, m->target_tokens, "decoder_start_token");
    tfm_ct2_set_integer(m, m->generation, "max_length", 256);
    if (eos >= 0) tfm_ct2_set_integer(m, m->generation, "eos_token_id", (uint64_t)eos);
    if (start >= 0) tfm_ct2_set_integer(m, m->generation, "decoder_start_token_id", (uint64_t)start);
    if (eos < 0 || start < 0)
        tfm_ct2_note(m, "the tokens that start and end an output are not known: a vocabulary is missing");
}

/* ---- tensors ---- */

static void show_attention(const reader *r, const char *to, const char *from, bool cross) {
    static const char *const parts[] = {"q", "k", "v"};
    tfm_ct2_model *m = r->m;
    for (int i = 0; i < 3; i++) {
        const int linear = cross && i > 0;
        tfm_ct2_linear_plain(m, tfm_name_format("%s.%s", to, parts[i]).text,
                             tfm_name_format("%s/linear_%d", from, linear).text, (uint64_t)(i - linear) * r->inner,
                             r->inner);
    }
    for (int i = 0; i < 1 + cross; i++) {
        const uint64_t rows = tfm_ct2_dimension(m, tfm_name_format("%s/linear_%d/weight", from, i).text, 0);
        if (rows != (uint64_t)(!cross ? 3 : i ? 2 : 1) * r->inner)
            tfm_ct2_fail(m, TFM_ERROR_FORMAT, "'%s': its layers do not fit the others", from);
    }
    tfm_ct2_linear_plain(m, tfm_name_format("%s.o", to).text, tfm_name_format("%s/linear_%d", from, 1 + cross).text, 0,
                         0);
    if (!tfm_ct2_has(m, "%s/queries_scale", from))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "'%s': scaled queries are not supported here", from);
    tfm_ct2_expect(m, tfm_name_format("%s/queries_scale", from).text, 1, 1);
}

/* One bias by distance that all layers share. */
static void show_relative(const reader *r, const char *s) {
    tfm_ct2_model *m = r->m;
    const tfm_name bias = of(s, "layer_0/self_attention/relative_attention_bias");
    tfm_ct2_show(m, tfm_name_format("%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", s).text,
                 bias.text, (tfm_array_view){0});
    const double farthest = tfm_ct2_real(m, 0, "encoder/layer_0/self_attention/relative_attention_max_distance");
    for (uint64_t i = 0; i < r->layers[s == stacks[1]] && m->status == TFM_OK; i++) {
        const tfm_name layer = tfm_name_format("%s/layer_%llu/self_attention", s, (unsigned long long)i);
        const tfm_name own = tfm_name_format("%s/relative_attention_bias", layer.text);
        if (!tfm_ct2_same(m, own.text, bias.text))
            tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s' is not that of the first layer", own.text);
        const tfm_name distance = tfm_name_format("%s/relative_attention_max_distance", layer.text);
        tfm_ct2_expect(m, distance.text, farthest, farthest);
    }
}

static void show_stack(const reader *r, int which) {
    tfm_ct2_model *m = r->m;
    const char *s = stacks[which];
    show_relative(r, s);
    for (uint64_t i = 0; i < r->layers[which] && m->status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("%s.block.%llu.layer", s, (unsigned long long)i);
        const tfm_name from = tfm_name_format("%s/layer_%llu", s, (unsigned long long)i);
        const tfm_name ffn = tfm_name_format("%s.%d", to.text, 1 + which);
#define TO(part) tfm_name_format("%s." part, to.text).text
#define FROM(part) tfm_name_format("%s/" part, from.text).text
        show_attention(r, TO("0.SelfAttention"), FROM("self_attention"), false);
        tfm_ct2_norm(m, TO("0.layer_norm"), FROM("self_attention/layer_norm"), false);
        if (which == 1) {
            show_attention(r, TO("1.EncDecAttention"), FROM("attention"), true);
            tfm_ct2_norm(m, TO("1.layer_norm"), FROM("attention/layer_norm"), false);
        }
        tfm_ct2_linear_plain(m, tfm_name_format("%s.DenseReluDense.wi%s", ffn.text, r->gated ? "_0" : "").text,
                             FROM("ffn/linear_0"), 0, 0);
        if (r->gated)
            tfm_ct2_linear_plain(m, tfm_name_format("%s.DenseReluDense.wi_1", ffn.text).text,
                                 FROM("ffn/linear_0_noact"), 0, 0);
        tfm_ct2_linear_plain(m, tfm_name_format("%s.DenseReluDense.wo", ffn.text).text, FROM("ffn/linear_1"), 0, 0);
        tfm_ct2_norm(m, tfm_name_format("%s.layer_norm", ffn.text).text, FROM("ffn/layer_norm"), false);
#undef TO
#undef FROM
    }
    tfm_ct2_norm(m, tfm_name_format("%s.final_layer_norm", s).text, of(s, "layer_norm").text, false);
}

void tfm_ct2_read_t5(tfm_ct2_model *m) {
    reader r = {.m = m, .n_heads = 1};
    const char *embedding = "decoder/embeddings/weight";
    const char *other =
        tfm_ct2_has(m, "encoder/embeddings/weight") ? "encoder/embeddings/weight" : "encoder/embeddings_0/weight";
    r.d = tfm_ct2_dimension(m, embedding, 1);
    r.vocab_size = tfm_ct2_dimension(m, embedding, 0);
    r.d_ff = tfm_ct2_dimension(m, "encoder/layer_0/ffn/linear_0/weight", 0);
    r.inner = tfm_ct2_dimension(m, "encoder/layer_0/self_attention/linear_1/weight", 1);
    r.gated = tfm_ct2_has(m, "encoder/layer_0/ffn/linear_0_noact/weight");
    read_stack(&r, 0);
    read_stack(&r, 1);
    if (m->status == TFM_OK && r.inner % r.n_heads != 0)
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable 'encoder/num_heads' does not divide the width of the heads");
    if (!tfm_ct2_same(m, embedding, other))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s': embeddings apart are not supported here", other);
    r.tied = tfm_ct2_has(m, "decoder/scale_outputs");
    const double factor = 1 / sqrt((double)r.d);
    if (r.tied) tfm_ct2_expect(m, "decoder/scale_outputs", factor, factor);
    if (r.tied && !tfm_ct2_same(m, "decoder/projection/weight", embedding))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "variable 'decoder/scale_outputs' is supported with tied embeddings only");
    write_config(&r);
    if (m->status != TFM_OK) return;
    tfm_ct2_show(m, "shared.weight", embedding, (tfm_array_view){0});
    if (!r.tied) tfm_ct2_linear_plain(m, "lm_head", "decoder/projection", 0, 0);
    show_stack(&r, 0);
    show_stack(&r, 1);
}
