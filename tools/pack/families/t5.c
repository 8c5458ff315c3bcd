/*
 * t5.c - T5ForConditionalGeneration (v1.0, v1.1, Flan-T5), MT5ForConditionalGeneration and their encoders alone.
 *
 * RMS norms before each sublayer, no biases, queries and keys not scaled, positions by a learned bias of the first
 * layer that all layers share. A tied vocabulary projection sees states divided by the root of d_model.
 */
#include <math.h>
#include <string.h>

#include "family.h"
#include "sentence_transformers.h"

/* Positions are relative and end nowhere; sessions need a limit. */
#define MAX_POSITIONS 4096

#define SELF_NAMES                                                                                                     \
    .query = "layer.0.SelfAttention.q", .key = "layer.0.SelfAttention.k", .value = "layer.0.SelfAttention.v",          \
    .out = "layer.0.SelfAttention.o", .norm = "layer.0.layer_norm"
#define CROSS_NAMES                                                                                                    \
    .cross_query = "layer.1.EncDecAttention.q", .cross_key = "layer.1.EncDecAttention.k",                              \
    .cross_value = "layer.1.EncDecAttention.v", .cross_out = "layer.1.EncDecAttention.o",                              \
    .cross_norm = "layer.1.layer_norm"

/* [gated] */
static const tfm_layer_names encoder_names[] = {
    {SELF_NAMES, .up = "layer.1.DenseReluDense.wi", .down = "layer.1.DenseReluDense.wo",
     .ffn_norm = "layer.1.layer_norm"},
    {SELF_NAMES, .gate = "layer.1.DenseReluDense.wi_0", .up = "layer.1.DenseReluDense.wi_1",
     .down = "layer.1.DenseReluDense.wo", .ffn_norm = "layer.1.layer_norm"},
};
static const tfm_layer_names decoder_names[] = {
    {SELF_NAMES, CROSS_NAMES, .up = "layer.2.DenseReluDense.wi", .down = "layer.2.DenseReluDense.wo",
     .ffn_norm = "layer.2.layer_norm"},
    {SELF_NAMES, CROSS_NAMES, .gate = "layer.2.DenseReluDense.wi_0", .up = "layer.2.DenseReluDense.wi_1",
     .down = "layer.2.DenseReluDense.wo", .ffn_norm = "layer.2.layer_norm"},
};

/* What the configuration classes of T5 and mT5 have where config.json says nothing. */
typedef struct variant {
    const char *family, *feed_forward;
    uint64_t vocab_size, d_ff, n_layers, n_heads;
    bool tied;
} variant;
static const variant t5 = {"t5", "relu", 32128, 2048, 6, 8, true};
static const variant mt5 = {"mt5", "gated-gelu", 250112, 1024, 8, 6, false};

typedef struct importer {
    tfm_family f;
    const variant *variant;
    bool tied, has_decoder;
    uint64_t relative_buckets, relative_max_distance;
    tfm_family_stack encoder, decoder;
} importer;

/* ---- configuration ---- */

/* "relu", "gated-gelu", ...; the gated GELU of T5 is the one by tanh, whatever it is called. */
static void read_feed_forward(tfm_config *config, const char *fallback, tfm_family_stack *s) {
    const char *text = tfm_config_string(config, "feed_forward_proj", fallback);
    s->gated = strncmp(text, "gated-", 6) == 0;
    if (s->gated) text += 6;
    s->activation = s->gated && strcmp(text, "gelu") == 0 ? "gelu_tanh" : tfm_config_activation(text);
    if (config->status == TFM_OK && !s->activation)
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "feed_forward_proj", "has a value that is not supported");
}

static tfm_status read_config(importer *m, tfm_error *error) {
    const variant *v = m->variant;
    tfm_config config = {tfm_checkpoint_path(m->f.checkpoint), "config.json", tfm_checkpoint_config(m->f.checkpoint),
                         TFM_OK, error};
    tfm_family_stack s = {.name = "encoder",
                          .norm = "rms",
                          .norm_placement = "pre",
                          .position = "relative",
                          .biases = "none",
                          .final_norm = true,
                          .embed_scale = 1.0,
                          .attention_scale = 1.0};
    m->f.d_model = tfm_config_u64(&config, "d_model", 1, 1 << 20, 512);
    s.head_dim = tfm_config_u64(&config, "d_kv", 1, 4096, 64);
    s.n_heads = s.n_kv_heads = tfm_config_u64(&config, "num_heads", 1, 4096, v->n_heads);
    s.d_ff = tfm_config_u64(&config, "d_ff", 1, 1 << 20, v->d_ff);
    s.n_layers = tfm_config_u64(&config, "num_layers", 1, 1024, v->n_layers);
    s.vocab_size = tfm_config_u64(&config, "vocab_size", 1, 1 << 24, v->vocab_size);
    s.norm_eps = tfm_config_real(&config, "layer_norm_epsilon", 0, 1, 1e-6);
    s.max_positions = tfm_config_u64(&config, "n_positions", 1, 1 << 22, MAX_POSITIONS);
    if (s.max_positions < MAX_POSITIONS) s.max_positions = MAX_POSITIONS;
    read_feed_forward(&config, v->feed_forward, &s);
    m->encoder = m->decoder = s;
    m->decoder.name = "decoder";
    m->decoder.n_layers = tfm_config_u64(&config, "num_decoder_layers", 1, 1024, s.n_layers);
    m->tied = tfm_config_bool(&config, "tie_word_embeddings", v->tied);
    m->relative_buckets = tfm_config_u64(&config, "relative_attention_num_buckets", 4, 1 << 16, 32);
    m->relative_max_distance = tfm_config_u64(&config, "relative_attention_max_distance", 2, 1 << 22, 128);
    return config.status;
}

static void set_stack(const importer *m, tfm_table_builder *table, const tfm_family_stack *s) {
    tfm_family_set_stack(table, s);
    tfm_family_set_u64(table, s->name, "relative_buckets", m->relative_buckets);
    tfm_family_set_u64(table, s->name, "relative_max_distance", m->relative_max_distance);
}

static tfm_status write_architecture(const importer *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for section architecture");
    tfm_table_set_string(table, "kind", m->has_decoder ? "encoder-decoder" : "encoder");
    tfm_table_set_string(table, "family", m->variant->family);
    tfm_table_set_u64(table, "d_model", m->f.d_model);
    set_stack(m, table, &m->encoder);
    tfm_status status = TFM_OK;
    if (m->has_decoder) {
        set_stack(m, table, &m->decoder);
        if (m->tied) tfm_table_set_f64(table, "output.scale", 1.0 / sqrt((double)m->f.d_model));
    } else {
        status = tfm_sentence_transformers_set(m->f.checkpoint, table, error);
    }
    if (status == TFM_OK) status = tfm_writer_section(writer, "architecture", table, error);
    tfm_table_builder_free(&table);
    return status;
}

/* ---- tensors ---- */

static tfm_status plan_embeddings(importer *m, tfm_error *error) {
    const uint64_t v = m->encoder.vocab_size;
    const tfm_name head = tfm_name_format("lm_head.weight");
    /* All names of the embedding are one parameter there, and the one that is loaded last stays. */
    tfm_name names[4] = {tfm_name_format("decoder.embed_tokens.weight"), tfm_name_format("encoder.embed_tokens.weight"),
                         tfm_name_format("shared.weight"), head};
    bool has_head = m->has_decoder && m->tied && tfm_checkpoint_find(m->f.checkpoint, head.text);
    tfm_status status = tfm_family_embedding(&m->f, "embed", names, has_head ? 4 : 3, v, error);
    if (status == TFM_OK && m->has_decoder && !m->tied)
        status = tfm_family_embedding(&m->f, "output.weight", &head, 1, v, error);
    return status;
}

static void plan_stack(const importer *m, const tfm_family_stack *s, const tfm_layer_names *names) {
    const tfm_name relative =
        tfm_name_format("%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", s->name);
    const tfm_name prefix = tfm_name_format("%s.", s->name);
    tfm_plan_rows(m->f.plan, tfm_name_format("%s.relative", s->name).text, relative.text, m->relative_buckets,
                  s->n_heads);
    for (uint64_t i = 0; i < s->n_layers; i++)
        tfm_family_layer(&m->f, s, names, tfm_name_format("%s.block.%llu.", s->name, (unsigned long long)i).text, i);
    tfm_family_norm(&m->f, tfm_name_format("%s.norm", s->name).text, prefix.text, "final_layer_norm", false);
}

static bool has_decoder(const tfm_checkpoint *checkpoint) {
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++)
        if (strncmp(tfm_checkpoint_at(checkpoint, i)->name, "decoder.block.", 14) == 0) return true;
    return false;
}

static tfm_status import(const variant *v, tfm_checkpoint *checkpoint, tfm_writer *writer,
                         const tfm_pack_options *options, tfm_error *error) {
    static const tfm_generation_ids ids = {.decoder_start = 0, .pad = 0, .eos = 1, .forced_eos = -1};
    importer m = {
        .f = {.checkpoint = checkpoint, .options = options}, .variant = v, .has_decoder = has_decoder(checkpoint)};
    tfm_status status = read_config(&m, error);
    if (status != TFM_OK) return status;
    m.f.plan = tfm_plan_new(checkpoint);
    if (!m.f.plan) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", tfm_checkpoint_path(checkpoint));
    status = plan_embeddings(&m, error);
    if (status == TFM_OK) {
        plan_stack(&m, &m.encoder, &encoder_names[m.encoder.gated]);
        if (m.has_decoder) plan_stack(&m, &m.decoder, &decoder_names[m.decoder.gated]);
        /* In the first checkpoints of T5, and never used. */
        tfm_plan_ignore(m.f.plan, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
        status = tfm_plan_check(m.f.plan, error);
    }
    if (status == TFM_OK) status = write_architecture(&m, writer, error);
    if (status == TFM_OK && m.has_decoder)
        status = tfm_write_generation(checkpoint, writer, &ids, m.decoder.vocab_size, options, error);
    if (status == TFM_OK) status = tfm_plan_run(m.f.plan, writer, options, error);
    tfm_plan_free(&m.f.plan);
    return status;
}

static tfm_status import_t5(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                            tfm_error *error) {
    return import(&t5, checkpoint, writer, options, error);
}

static tfm_status import_mt5(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                             tfm_error *error) {
    return import(&mt5, checkpoint, writer, options, error);
}

const tfm_importer tfm_t5_importer = {
    .family = "t5",
    .model_types = "t5",
    .what = "T5ForConditionalGeneration: T5, T5 v1.1, Flan-T5 (encoder-decoder), T5EncoderModel (encoder)",
    .import = import_t5,
};

const tfm_importer tfm_mt5_importer = {
    .family = "mt5",
    .model_types = "mt5",
    .what = "MT5ForConditionalGeneration (encoder-decoder), MT5EncoderModel (encoder)",
    .import = import_mt5,
};
