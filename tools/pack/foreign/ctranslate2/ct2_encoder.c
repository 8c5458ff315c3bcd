/*
 * ct2_encoder.c - CTranslate2's TransformerEncoderSpec as BERT: post-norm layers, positions from a table, a pooler.
 *
 * Families whose positions start later in their table (RoBERTa) are shown as BERT too: the table here starts with the
 * first position. One without token types gets one type of zeros.
 */
#include <math.h>

#include "ct2_model.h"

typedef struct reader {
    tfm_ct2_model *m;
    const char *embeddings;
    uint64_t d, vocab_size, types, n_layers, n_heads, d_ff, positions;
} reader;

static void read_sizes(reader *r) {
    tfm_ct2_model *m = r->m;
    const bool alone = tfm_ct2_has(m, "encoder/embeddings/weight");
    r->embeddings = alone ? "encoder/embeddings/weight" : "encoder/embeddings_0/weight";
    r->vocab_size = tfm_ct2_dimension(m, r->embeddings, 0);
    r->d = tfm_ct2_dimension(m, r->embeddings, 1);
    if (tfm_ct2_has(m, "encoder/embeddings_1/weight")) {
        r->types = tfm_ct2_dimension(m, "encoder/embeddings_1/weight", 0);
        if (tfm_ct2_integer(m, 0, "encoder/embeddings_merge") != 1)
            tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                         "variable 'encoder/embeddings_merge': embeddings that are not added up "
                         "are not supported");
    }
    tfm_ct2_ignore(m, "encoder/embeddings_merge");
    r->n_layers = tfm_ct2_count(m, "encoder/layer_", "self_attention/linear_0/weight");
    if (r->n_layers == 0) tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable 'encoder/layer_0' is missing");
    const int64_t heads = tfm_ct2_integer(m, 0, "encoder/num_heads");
    if (heads < 1 || heads > 4096)
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable 'encoder/num_heads' is missing or absurd");
    r->n_heads = m->status != TFM_OK ? 1 : (uint64_t)heads;
    r->d_ff = tfm_ct2_dimension(m, "encoder/layer_0/ffn/linear_0/weight", 0);
    r->positions = tfm_ct2_dimension(m, "encoder/position_encodings/encodings", 0);
    tfm_ct2_expect(m, "encoder/pre_norm", 0, 0);
    if (!tfm_ct2_has(m, "encoder/pre_norm") || !tfm_ct2_has(m, "encoder/layernorm_embedding/gamma"))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "an encoder alone with norms before sublayers, or without a norm after the "
                     "embeddings, is not supported");
    tfm_ct2_expect(m, "encoder/scale_embeddings", 0, 1);
    if (tfm_ct2_has(m, "encoder/scale_embeddings") && tfm_ct2_real(m, 0, "encoder/scale_embeddings") == 1) {
        const uint32_t i = tfm_ct2_file_find(&m->file, "encoder/scale_embeddings");
        if (i != TFM_CT2_NONE && m->file.variables[i].type == TFM_CT2_I8)
            tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                         "variable 'encoder/scale_embeddings': a factor on embeddings is not "
                         "supported here");
    }
    tfm_ct2_expect(m, "encoder/multi_query_attention", 0, 0);
}

static void write_config(const reader *r) {
    tfm_ct2_model *m = r->m;
    tfm_ct2_set_string(m, m->config, "model_type", "bert");
    tfm_ct2_set_integer(m, m->config, "hidden_size", r->d);
    tfm_ct2_set_integer(m, m->config, "intermediate_size", r->d_ff);
    tfm_ct2_set_integer(m, m->config, "num_hidden_layers", r->n_layers);
    tfm_ct2_set_integer(m, m->config, "num_attention_heads", r->n_heads);
    tfm_ct2_set_integer(m, m->config, "vocab_size", r->vocab_size);
    tfm_ct2_set_integer(m, m->config, "type_vocab_size", r->types ? r->types : 1);
    tfm_ct2_set_integer(m, m->config, "max_position_embeddings", r->positions);
    tfm_ct2_set_string(m, m->config, "hidden_act", tfm_ct2_activation(m, "encoder/activation"));
    tfm_ct2_set_real(m, m->config, "layer_norm_eps", tfm_ct2_epsilon(m, false));
}

static void show_layer(const reader *r, uint64_t i) {
    static const char *const parts[] = {"query", "key", "value"};
    tfm_ct2_model *m = r->m;
    const tfm_name to = tfm_name_format("encoder.layer.%llu", (unsigned long long)i);
    const tfm_name from = tfm_name_format("encoder/layer_%llu", (unsigned long long)i);
#define TO(part) tfm_name_format("%s." part, to.text).text
#define FROM(part) tfm_name_format("%s/" part, from.text).text
    if (tfm_ct2_dimension(m, FROM("self_attention/linear_0/weight"), 0) != 3 * r->d)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "'%s/self_attention': keys and values have heads of their own",
                     from.text);
    for (uint64_t k = 0; k < 3; k++)
        tfm_ct2_linear(m, tfm_name_format("%s.attention.self.%s", to.text, parts[k]).text,
                       FROM("self_attention/linear_0"), k * r->d, r->d);
    tfm_ct2_linear(m, TO("attention.output.dense"), FROM("self_attention/linear_1"), 0, 0);
    tfm_ct2_norm(m, TO("attention.output.LayerNorm"), FROM("self_attention/layer_norm"), true);
    tfm_ct2_linear(m, TO("intermediate.dense"), FROM("ffn/linear_0"), 0, 0);
    tfm_ct2_linear(m, TO("output.dense"), FROM("ffn/linear_1"), 0, 0);
    tfm_ct2_norm(m, TO("output.LayerNorm"), FROM("ffn/layer_norm"), true);
    const double scale = sqrt((double)r->n_heads / (double)r->d);
    tfm_ct2_expect(m, FROM("self_attention/queries_scale"), scale, scale);
#undef TO
#undef FROM
}

void tfm_ct2_read_encoder(tfm_ct2_model *m) {
    reader r = {.m = m};
    read_sizes(&r);
    write_config(&r);
    if (m->status != TFM_OK) return;
    tfm_ct2_show(m, "embeddings.word_embeddings.weight", r.embeddings, (tfm_array_view){0});
    tfm_ct2_show(m, "embeddings.position_embeddings.weight", "encoder/position_encodings/encodings",
                 (tfm_array_view){0});
    if (r.types)
        tfm_ct2_show(m, "embeddings.token_type_embeddings.weight", "encoder/embeddings_1/weight", (tfm_array_view){0});
    else
        tfm_ct2_show_filled(m, "embeddings.token_type_embeddings.weight", 1, r.d, NULL, 0);
    tfm_ct2_norm(m, "embeddings.LayerNorm", "encoder/layernorm_embedding", true);
    for (uint64_t i = 0; i < r.n_layers && m->status == TFM_OK; i++) show_layer(&r, i);
    if (tfm_ct2_has(m, "pooler_dense/weight")) {
        tfm_ct2_expect(m, "pooler_activation", 5, 5); /* tanh */
        tfm_ct2_linear(m, "pooler.dense", "pooler_dense", 0, 0);
    }
}
