/*
 * t5.c - T5ForConditionalGeneration (v1.0, v1.1, Flan-T5), MT5ForConditionalGeneration and their encoders alone.
 *
 * RMS norms before each sublayer, no biases, queries and keys not scaled, positions by a learned bias of the first
 * layer that all layers share. A tied vocabulary projection sees states divided by the root of d_model.
 */
#include <math.h>
#include <string.h>

#include "tools/pack/families/family.h"
#include "tools/pack/families/sentence_transformers.h"

/* Positions are relative and end nowhere; sessions need a limit. */
#define MAX_POSITIONS 4096

/* Of the gated feed-forward; the plain one has no gate, and `wi` for up. */
static const tfm_layer_names encoder_names = {
    .query = "layer.0.SelfAttention.q",
    .key = "layer.0.SelfAttention.k",
    .value = "layer.0.SelfAttention.v",
    .out = "layer.0.SelfAttention.o",
    .norm = "layer.0.layer_norm",
    .gate = "layer.1.DenseReluDense.wi_0",
    .up = "layer.1.DenseReluDense.wi_1",
    .down = "layer.1.DenseReluDense.wo",
    .ffn_norm = "layer.1.layer_norm",
};
static const tfm_layer_names decoder_names = {
    .query = "layer.0.SelfAttention.q",
    .key = "layer.0.SelfAttention.k",
    .value = "layer.0.SelfAttention.v",
    .out = "layer.0.SelfAttention.o",
    .norm = "layer.0.layer_norm",
    .cross_query = "layer.1.EncDecAttention.q",
    .cross_key = "layer.1.EncDecAttention.k",
    .cross_value = "layer.1.EncDecAttention.v",
    .cross_out = "layer.1.EncDecAttention.o",
    .cross_norm = "layer.1.layer_norm",
    .gate = "layer.2.DenseReluDense.wi_0",
    .up = "layer.2.DenseReluDense.wi_1",
    .down = "layer.2.DenseReluDense.wo",
    .ffn_norm = "layer.2.layer_norm",
};

/* What the configuration classes of T5 and mT5 have where config.json says nothing. */
typedef struct tfm_t5_like {
    const char *feed_forward;
    uint64_t vocab_size, d_ff, n_layers, n_heads;
    bool tied;
} tfm_t5_like;

static const tfm_t5_like t5 = {
    .feed_forward = "relu", .vocab_size = 32128, .d_ff = 2048, .n_layers = 6, .n_heads = 8, .tied = true};
static const tfm_t5_like mt5 = {
    .feed_forward = "gated-gelu", .vocab_size = 250112, .d_ff = 1024, .n_layers = 8, .n_heads = 6, .tied = false};

typedef struct import {
    tfm_family family;
    const tfm_t5_like *like;
    bool tied, has_decoder;
    uint64_t relative_buckets, relative_max_distance;
    tfm_family_stack encoder, decoder;
} import;

/* ---- configuration ---- */

/* "relu", "gated-gelu", ...; the gated GELU of T5 is the one by tanh, whatever it is called. */
static void read_feed_forward(tfm_config *config, const char *fallback, tfm_family_stack *stack) {
    const char *text = tfm_config_string(config, "feed_forward_proj", fallback);
    stack->gated = strncmp(text, "gated-", 6) == 0;
    if (stack->gated) text += 6;
    stack->activation = stack->gated && strcmp(text, "gelu") == 0 ? "gelu_tanh" : tfm_activation_word(text);
    if (!stack->activation) tfm_config_unsupported(config, "feed_forward_proj");
}

static tfm_status read_config(import *m, tfm_error *error) {
    const tfm_t5_like *like = m->like;
    tfm_config config = tfm_checkpoint_read_config(m->family.checkpoint, error);
    tfm_family_stack stack = {.name = "encoder",
                              .norm = "rms",
                              .norm_placement = "pre",
                              .position = "relative",
                              .biases = "none",
                              .final_norm = true,
                              .embed_scale = 1.0,
                              .attention_scale = 1.0};
    m->family.d_model = tfm_config_u64(&config, "d_model", 1, 1 << 20, 512);
    stack.head_dim = tfm_config_u64(&config, "d_kv", 1, 4096, 64);
    stack.n_heads = stack.n_kv_heads = tfm_config_u64(&config, "num_heads", 1, 4096, like->n_heads);
    stack.d_ff = tfm_config_u64(&config, "d_ff", 1, 1 << 20, like->d_ff);
    stack.n_layers = tfm_config_u64(&config, "num_layers", 1, 1024, like->n_layers);
    stack.vocab_size = tfm_config_u64(&config, "vocab_size", 1, 1 << 24, like->vocab_size);
    stack.norm_eps = tfm_config_real(&config, "layer_norm_epsilon", 0, 1, 1e-6);
    stack.max_positions = tfm_config_u64(&config, "n_positions", 1, 1 << 22, MAX_POSITIONS);
    if (stack.max_positions < MAX_POSITIONS) stack.max_positions = MAX_POSITIONS;
    read_feed_forward(&config, like->feed_forward, &stack);
    m->encoder = m->decoder = stack;
    m->decoder.name = "decoder";
    m->decoder.n_layers = tfm_config_u64(&config, "num_decoder_layers", 1, 1024, stack.n_layers);
    m->tied = tfm_config_bool(&config, "tie_word_embeddings", like->tied);
    m->relative_buckets = tfm_config_u64(&config, "relative_attention_num_buckets", 4, 1 << 16, 32);
    m->relative_max_distance = tfm_config_u64(&config, "relative_attention_max_distance", 2, 1 << 22, 128);
    return config.status;
}

static void set_stack(const import *m, tfm_table_builder *table, const tfm_family_stack *stack) {
    tfm_family_set_stack(table, stack);
    tfm_family_set_u64(table, stack->name, "relative_buckets", m->relative_buckets);
    tfm_family_set_u64(table, stack->name, "relative_max_distance", m->relative_max_distance);
}

static tfm_status write_architecture(const import *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table =
        tfm_family_architecture(&m->family, m->has_decoder ? "encoder-decoder" : "encoder", error);
    if (!table) return TFM_ERROR_MEMORY;
    tfm_status status = TFM_OK;
    set_stack(m, table, &m->encoder);
    if (m->has_decoder) {
        set_stack(m, table, &m->decoder);
        if (m->tied) tfm_table_set_f64(table, "output.scale", 1.0 / sqrt((double)m->family.d_model));
    } else {
        status = tfm_sentence_transformers_set(m->family.checkpoint, m->encoder.max_positions, table, m->family.options,
                                               error);
    }
    return tfm_family_write_architecture(&table, status, writer, error);
}

/* ---- tensors ---- */

static tfm_status plan_embeddings(import *m, tfm_error *error) {
    const uint64_t v = m->encoder.vocab_size;
    const tfm_name head = tfm_name_format("lm_head.weight");
    /* All names of the embedding are one parameter there, and the one that is loaded last stays. */
    tfm_name names[4] = {tfm_name_format("decoder.embed_tokens.weight"), tfm_name_format("encoder.embed_tokens.weight"),
                         tfm_name_format("shared.weight"), head};
    bool has_head = m->has_decoder && m->tied && tfm_checkpoint_find(m->family.checkpoint, head.text);
    tfm_status status = tfm_family_embedding(&m->family, "embed", names, has_head ? 4 : 3, v, error);
    if (status == TFM_OK && m->has_decoder && !m->tied)
        status = tfm_family_embedding(&m->family, "output.weight", &head, 1, v, error);
    return status;
}

static void plan_stack(const import *m, const tfm_family_stack *stack, tfm_layer_names names, const char *plain_up) {
    if (!stack->gated) {
        names.gate = NULL;
        names.up = plain_up;
    }
    const tfm_name relative =
        tfm_name_format("%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", stack->name);
    const tfm_name prefix = tfm_name_format("%s.", stack->name);
    tfm_plan_rows(m->family.plan, tfm_name_format("%s.relative", stack->name).text, relative.text, m->relative_buckets,
                  stack->n_heads);
    for (uint64_t i = 0; i < stack->n_layers; i++)
        tfm_family_layer(&m->family, stack, &names,
                         tfm_name_format("%s.block.%llu.", stack->name, (unsigned long long)i).text, i);
    tfm_family_norm(&m->family, tfm_name_format("%s.norm", stack->name).text, prefix.text, "final_layer_norm", false);
}

static tfm_status import_t5_like(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                 const tfm_pack_options *options, tfm_error *error) {
    static const tfm_generation_ids ids = {.decoder_start = 0, .pad = 0, .eos = 1, .forced_eos = -1};
import m = {.like = importer->t5_like };
    tfm_status status = tfm_family_begin(&m.family, importer, checkpoint, options, error);
    if (status == TFM_OK) m.has_decoder = tfm_family_has_prefix(&m.family, "decoder.block.");
    if (status == TFM_OK) status = read_config(&m, error);
    if (status == TFM_OK) status = plan_embeddings(&m, error);
    if (status == TFM_OK) {
        plan_stack(&m, &m.encoder, encoder_names, "layer.1.DenseReluDense.wi");
        if (m.has_decoder) plan_stack(&m, &m.decoder, decoder_names, "layer.2.DenseReluDense.wi");
        /* In the first checkpoints of T5, and never used. */
        tfm_plan_ignore(m.family.plan, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
        status = tfm_family_check(&m.family, error);
    }
    if (status == TFM_OK) status = write_architecture(&m, writer, error);
    if (status == TFM_OK && m.has_decoder)
        status = tfm_write_generation(checkpoint, writer, &ids, m.decoder.vocab_size, options, error);
    if (status == TFM_OK) status = tfm_plan_run(m.family.plan, writer, options, error);
    tfm_family_end(&m.family);
    return status;
}

const tfm_importer tfm_t5_importer = {
    .family = "t5",
    .model_types = "t5",
    .what = "T5ForConditionalGeneration: T5, T5 v1.1, Flan-T5 (encoder-decoder), T5EncoderModel (encoder)",
    .import = import_t5_like,
    .t5_like = &t5,
};

const tfm_importer tfm_mt5_importer = {
    .family = "mt5",
    .model_types = "mt5",
    .what = "MT5ForConditionalGeneration (encoder-decoder), MT5EncoderModel (encoder)",
    .import = import_t5_like,
    .t5_like = &mt5,
};
