/*
 * ct2_encoder.c - CTranslate2's TransformerEncoderSpec as BERT: post-norm layers, positions from a table, a pooler.
 *
 * Families whose positions start later in their table (RoBERTa) are shown as BERT too: the table here starts with the
 * first position. One without token types gets one type of zeros.
 */
#include <math.h>

#include "ct2_model.h"

typedef struct reader {
    tfm_ct2_model *model;
    tfm_ct2_sizes sizes;
    uint64_t types, positions;
} reader;

static void read_options(reader *r) {
    tfm_ct2_model *m = r->model;
    r->sizes = tfm_ct2_read_sizes(m, "encoder");
    if (tfm_ct2_has(m, "encoder/embeddings_1/weight")) {
        r->types = tfm_ct2_dimension(m, "encoder/embeddings_1/weight", 0);
        if (tfm_ct2_integer(m, 0, "encoder/embeddings_merge") != 1)
            tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                             "variable 'encoder/embeddings_merge': embeddings that are not added up are not supported");
    }
    r->positions = tfm_ct2_dimension(m, "encoder/position_encodings/encodings", 0);
    tfm_ct2_expect(m, "encoder/pre_norm", 0, 0);
    if (!tfm_ct2_has(m, "encoder/pre_norm") || !tfm_ct2_has(m, "encoder/layernorm_embedding/gamma"))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "an encoder alone with norms before sublayers, or without a norm after the embeddings, is not "
                         "supported");
    tfm_ct2_expect(m, "encoder/scale_embeddings", 0, 1);
    if (tfm_ct2_is_flag(m, "encoder/scale_embeddings") && tfm_ct2_flag(m, false, "encoder/scale_embeddings"))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "variable 'encoder/scale_embeddings': a factor on embeddings is not supported here");
    tfm_ct2_read_switches(m, "encoder");
}

static void write_config(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    tfm_foreign_set_string(foreign, m->config, "model_type", "bert");
    tfm_ct2_set_sizes(m, &r->sizes);
    tfm_foreign_set_u64(foreign, m->config, "type_vocab_size", r->types ? r->types : 1);
    tfm_foreign_set_u64(foreign, m->config, "max_position_embeddings", r->positions);
    tfm_foreign_set_string(foreign, m->config, "hidden_act", tfm_ct2_activation(m, "encoder"));
    tfm_foreign_set_real(foreign, m->config, "layer_norm_eps", tfm_ct2_epsilon(m, false));
}

static void show_layer(const reader *r, uint64_t i) {
    static const tfm_ct2_attention attention = {.query = "attention.self.query",
                                                .key = "attention.self.key",
                                                .value = "attention.self.value",
                                                .out = "attention.output.dense"};
    const tfm_ct2_part layer = tfm_ct2_layer(r->model, "encoder.layer", "encoder", i);
    tfm_ct2_show_attention(&layer, &attention, "self_attention", false, r->sizes.d, true);
    tfm_ct2_norm(&layer, "attention.output.LayerNorm", "self_attention/layer_norm", true);
    tfm_ct2_linear(&layer, "intermediate.dense", "ffn/linear_0", true);
    tfm_ct2_linear(&layer, "output.dense", "ffn/linear_1", true);
    tfm_ct2_norm(&layer, "output.LayerNorm", "ffn/layer_norm", true);
    const double scale = sqrt((double)r->sizes.n_heads / (double)r->sizes.d);
    tfm_ct2_expect(r->model, tfm_ct2_name_there(&layer, "self_attention/queries_scale").text, scale, scale);
}

static void show_tensors(const reader *r) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    const tfm_array_view all = {0};
    tfm_ct2_show(&whole, "embeddings.word_embeddings.weight", tfm_ct2_embeddings(m, "encoder").text, all);
    tfm_ct2_show(&whole, "embeddings.position_embeddings.weight", "encoder/position_encodings/encodings", all);
    if (r->types)
        tfm_ct2_show(&whole, "embeddings.token_type_embeddings.weight", "encoder/embeddings_1/weight", all);
    else
        tfm_ct2_show_filled(&whole, "embeddings.token_type_embeddings.weight", 1, r->sizes.d, NULL, 0);
    tfm_ct2_norm(&whole, "embeddings.LayerNorm", "encoder/layernorm_embedding", true);
    for (uint64_t i = 0; i < r->sizes.n_layers && m->foreign.status == TFM_OK; i++) show_layer(r, i);
    if (tfm_ct2_has(m, "pooler_dense/weight")) {
        tfm_ct2_expect(m, "pooler_activation", 5, 5); /* tanh */
        tfm_ct2_linear(&whole, "pooler.dense", "pooler_dense", true);
    }
}

void tfm_ct2_read_encoder(tfm_ct2_model *m) {
    reader r = {.model = m};
    read_options(&r);
    write_config(&r);
    if (m->foreign.status == TFM_OK) show_tensors(&r);
}
