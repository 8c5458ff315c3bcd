/* bart_like.c - imports the families whose tensors are named as BART's are; see bart_like.h. */
#include "bart_like.h"

#include <math.h>
#include <string.h>

#include "simd/position_table.h"
#include "tools/pack/families/family.h"

static const tfm_layer_names encoder_names = {
    .query = "self_attn.q_proj",
    .key = "self_attn.k_proj",
    .value = "self_attn.v_proj",
    .out = "self_attn.out_proj",
    .norm = "self_attn_layer_norm",
    .up = "fc1",
    .down = "fc2",
    .ffn_norm = "final_layer_norm",
};
static const tfm_layer_names decoder_names = {
    .query = "self_attn.q_proj",
    .key = "self_attn.k_proj",
    .value = "self_attn.v_proj",
    .out = "self_attn.out_proj",
    .norm = "self_attn_layer_norm",
    .cross_query = "encoder_attn.q_proj",
    .cross_key = "encoder_attn.k_proj",
    .cross_value = "encoder_attn.v_proj",
    .cross_out = "encoder_attn.out_proj",
    .cross_norm = "encoder_attn_layer_norm",
    .up = "fc1",
    .down = "fc2",
    .ffn_norm = "final_layer_norm",
};

typedef struct import {
    tfm_family family;
    const tfm_bart_like *like;
    const char *prefix; /* "model." or "" */
    bool shared, tied;
    tfm_family_stack encoder, decoder;
} import;

/* ---- configuration ---- */

/* encoder and decoder have what is common to both. */
static void read_stack(const import *m, tfm_config *config, tfm_family_stack *stack, const char *which) {
    const uint64_t d = m->family.d_model;
    const tfm_name layers = tfm_name_format("%s_layers", which), heads = tfm_name_format("%s_attention_heads", which);
    const tfm_name ffn = tfm_name_format("%s_ffn_dim", which);
    stack->name = which;
    stack->n_layers = tfm_config_u64(config, layers.text, 0, 1024, 12);
    stack->n_heads = stack->n_kv_heads = tfm_config_u64(config, heads.text, 1, 4096, 16);
    stack->d_ff = tfm_config_u64(config, ffn.text, 1, 1 << 20, 4096);
    stack->head_dim = d / stack->n_heads;
    stack->attention_scale = 1.0 / sqrt((double)stack->head_dim);
    if (d % stack->n_heads != 0) tfm_config_fail(config, TFM_ERROR_FORMAT, heads.text, "does not divide d_model");
    if (stack->head_dim > 4096) tfm_config_fail(config, TFM_ERROR_FORMAT, heads.text, "is too small for d_model");
}

static tfm_family_stack read_common(const import *m, tfm_config *config) {
    const tfm_bart_like *like = m->like;
    tfm_family_stack common = {.activation = tfm_family_activation(config, "activation_function", like->activation),
                               .norm = "layer",
                               .norm_placement = like->norm_placement,
                               .position = "table",
                               .biases = "all",
                               .embed_norm = like->embed_norm,
                               .final_norm = like->final_norm,
                               .norm_eps = 1e-5,
                               .embed_scale = 1.0};
    common.max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, 1024);
    if (like->positions == TFM_BART_LEARNED) common.position_offset = 2;
    if (like->positions == TFM_BART_FAIRSEQ)
        common.position_offset = tfm_config_u64(config, "pad_token_id", 0, 1 << 19, (uint64_t)like->ids.pad) + 1;
    if (tfm_config_bool(config, "scale_embedding", like->scale_embedding))
        common.embed_scale = sqrt((double)m->family.d_model);
    return common;
}

static tfm_status read_config(import *m, tfm_error *error) {
    const tfm_bart_like *like = m->like;
    const bool two_vocabularies =
        like->two_vocabularies || tfm_checkpoint_get_hints(m->family.checkpoint)->two_vocabularies;
    tfm_config config = tfm_checkpoint_read_config(m->family.checkpoint, error);
    m->family.d_model = tfm_config_u64(&config, "d_model", 1, 1 << 20, 1024);
    m->tied = tfm_config_bool(&config, "tie_word_embeddings", true);
    m->encoder = m->decoder = read_common(m, &config);
    read_stack(m, &config, &m->encoder, "encoder");
    read_stack(m, &config, &m->decoder, "decoder");
    m->encoder.vocab_size = m->decoder.vocab_size = tfm_config_u64(&config, "vocab_size", 1, 1 << 24, like->vocab_size);
    m->shared = !two_vocabularies || tfm_config_bool(&config, "share_encoder_decoder_embeddings", true);
    if (!m->shared)
        m->decoder.vocab_size = tfm_config_u64(&config, "decoder_vocab_size", 1, 1 << 24, m->encoder.vocab_size);
    if (tfm_config_bool(&config, "tie_encoder_decoder", false))
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "tie_encoder_decoder", "is not supported");
    return config.status;
}

static tfm_status write_architecture(const import *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_family_architecture(&m->family, "encoder-decoder", error);
    if (!table) return TFM_ERROR_MEMORY;
    tfm_family_set_stack(table, &m->encoder);
    tfm_family_set_stack(table, &m->decoder);
    return tfm_family_write_architecture(&table, TFM_OK, writer, error);
}

/* ---- tensors ---- */

static tfm_status plan_embeddings(import *m, tfm_error *error) {
    const tfm_name shared = tfm_name_format("%sshared.weight", m->prefix), head = tfm_name_format("lm_head.weight");
    const tfm_name encoder = tfm_name_format("%sencoder.embed_tokens.weight", m->prefix);
    const tfm_name decoder = tfm_name_format("%sdecoder.embed_tokens.weight", m->prefix);
    const bool has_head = m->tied && tfm_checkpoint_find(m->family.checkpoint, head.text);
    tfm_status status;
    /* All names of a shared embedding are one parameter there, and the one that is loaded last stays; the head is tied
     * to it afterwards. */
    if (m->shared) {
        tfm_name all[] = {decoder, encoder, shared, head};
        status = tfm_family_embedding(&m->family, "embed", all, has_head ? 4 : 3, m->encoder.vocab_size, error);
    } else {
        tfm_name all[] = {decoder, head};
        status = tfm_family_embedding(&m->family, "encoder.embed", &encoder, 1, m->encoder.vocab_size, error);
        if (status == TFM_OK)
            status =
                tfm_family_embedding(&m->family, "decoder.embed", all, has_head ? 2 : 1, m->decoder.vocab_size, error);
    }
    if (status == TFM_OK && !m->tied)
        status = tfm_family_embedding(&m->family, "output.weight", &head, 1, m->decoder.vocab_size, error);
    if (status == TFM_OK && tfm_checkpoint_find(m->family.checkpoint, "final_logits_bias")) {
        const char *part = "final_logits_bias";
        tfm_plan_vector(m->family.plan, "output.bias", 1, &part, &m->decoder.vocab_size);
    }
    return status;
}

static tfm_status plan_positions(import *m, tfm_error *error) {
    const tfm_name names[] = {tfm_name_format("%sencoder.embed_positions.weight", m->prefix),
                              tfm_name_format("%sdecoder.embed_positions.weight", m->prefix)};
    static const char *const outputs[] = {"encoder.position", "decoder.position"};
    const tfm_bart_positions kind = m->like->positions;
    const uint64_t d = m->family.d_model, rows = m->encoder.max_positions + m->encoder.position_offset;
    tfm_row_fill *const fill = kind == TFM_BART_FAIRSEQ ? tfm_fill_sinusoid_wide : tfm_fill_sinusoid;
    const tfm_checkpoint_tensor *stored[2] = {NULL, NULL};
    for (int i = 0; i < 2 && kind != TFM_BART_FAIRSEQ; i++)
        stored[i] = tfm_checkpoint_find(m->family.checkpoint, names[i].text);
    bool equal = false;
    if (stored[0] && stored[1]) {
        tfm_status status = tfm_checkpoint_equal(m->family.checkpoint, stored[0], stored[1], &equal, error);
        if (status != TFM_OK) return status;
    }
    if (equal) {
        tfm_plan_rows(m->family.plan, "position", names[0].text, rows, d);
        tfm_plan_alias(m->family.plan, names[1].text);
    } else if (!stored[0] && !stored[1] && kind != TFM_BART_LEARNED) {
        tfm_plan_computed(m->family.plan, "position", rows, d, fill);
    } else {
        for (int i = 0; i < 2; i++) {
            if (stored[i] || kind == TFM_BART_LEARNED)
                tfm_plan_rows(m->family.plan, outputs[i], names[i].text, rows, d);
            else
                tfm_plan_computed(m->family.plan, outputs[i], rows, d, fill);
        }
    }
    return TFM_OK;
}

static void plan_stack(const import *m, const tfm_family_stack *stack, const tfm_layer_names *names) {
    const tfm_name prefix = tfm_name_format("%s%s.", m->prefix, stack->name);
    if (stack->embed_norm)
        tfm_family_norm(&m->family, tfm_name_format("%s.embed_norm", stack->name).text, prefix.text,
                        "layernorm_embedding", true);
    for (uint64_t i = 0; i < stack->n_layers; i++)
        tfm_family_layer(&m->family, stack, names,
                         tfm_name_format("%slayers.%llu.", prefix.text, (unsigned long long)i).text, i);
    if (stack->final_norm)
        tfm_family_norm(&m->family, tfm_name_format("%s.norm", stack->name).text, prefix.text, "layer_norm", true);
}

tfm_status tfm_import_bart_like(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                const tfm_pack_options *options, tfm_error *error) {
import m = {.like = importer->bart_like };
    tfm_status status = tfm_family_begin(&m.family, importer, checkpoint, options, error);
    /* A model with a head keeps its body under "model."; a bare one does not. */
    if (status == TFM_OK) m.prefix = tfm_family_has_prefix(&m.family, "model.") ? "model." : "";
    if (status == TFM_OK) status = read_config(&m, error);
    if (status == TFM_OK) status = plan_embeddings(&m, error);
    if (status == TFM_OK) status = plan_positions(&m, error);
    if (status == TFM_OK) {
        plan_stack(&m, &m.encoder, &encoder_names);
        plan_stack(&m, &m.decoder, &decoder_names);
        status = tfm_family_check(&m.family, error);
    }
    if (status == TFM_OK) status = write_architecture(&m, writer, error);
    if (status == TFM_OK)
        status = tfm_write_generation(checkpoint, writer, &m.like->ids, m.decoder.vocab_size, options, error);
    if (status == TFM_OK) status = tfm_plan_run(m.family.plan, writer, options, error);
    tfm_family_end(&m.family);
    return status;
}
