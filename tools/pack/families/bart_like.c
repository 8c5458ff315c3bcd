/* bart_like.c - imports the families whose tensors are named as BART's are; see bart_like.h. */
#include "bart_like.h"

#include <math.h>
#include <string.h>

#include "family.h"
#include "simd/position_table.h"

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

typedef struct importer {
    tfm_family f;
    const tfm_bart_like *like;
    const char *prefix; /* "model." or "" */
    bool shared, tied;
    tfm_family_stack encoder, decoder;
} importer;

/* ---- configuration ---- */

/* encoder and decoder have what is common to both. */
static void read_stack(importer *m, tfm_config *config, tfm_family_stack *s, const char *which) {
    const uint64_t d = m->f.d_model;
    tfm_name layers = tfm_name_format("%s_layers", which), heads = tfm_name_format("%s_attention_heads", which);
    tfm_name ffn = tfm_name_format("%s_ffn_dim", which);
    s->name = which;
    s->n_layers = tfm_config_u64(config, layers.text, 0, 1024, 12);
    s->n_heads = s->n_kv_heads = tfm_config_u64(config, heads.text, 1, 4096, 16);
    s->d_ff = tfm_config_u64(config, ffn.text, 1, 1 << 20, 4096);
    s->head_dim = d / s->n_heads;
    s->attention_scale = 1.0 / sqrt((double)s->head_dim);
    if (config->status == TFM_OK && d % s->n_heads != 0)
        tfm_config_fail(config, TFM_ERROR_FORMAT, heads.text, "does not divide d_model");
    if (config->status == TFM_OK && s->head_dim > 4096)
        tfm_config_fail(config, TFM_ERROR_FORMAT, heads.text, "is too small for d_model");
}

static tfm_family_stack read_common(importer *m, tfm_config *config) {
    const tfm_bart_like *like = m->like;
    const char *activation = tfm_config_string(config, "activation_function", like->activation);
    tfm_family_stack s = {.activation = tfm_config_activation(activation),
                          .norm = "layer",
                          .norm_placement = like->norm_placement,
                          .position = "table",
                          .biases = "all",
                          .embed_norm = like->embed_norm,
                          .final_norm = like->final_norm,
                          .norm_eps = 1e-5,
                          .embed_scale = 1.0};
    if (config->status == TFM_OK && !s.activation)
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "activation_function", "has a value that is not supported");
    s.max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, 1024);
    if (like->positions == TFM_BART_LEARNED) s.position_offset = 2;
    if (like->positions == TFM_BART_FAIRSEQ)
        s.position_offset = tfm_config_u64(config, "pad_token_id", 0, 1 << 19, (uint64_t)like->ids.pad) + 1;
    if (tfm_config_bool(config, "scale_embedding", like->scale_embedding)) s.embed_scale = sqrt((double)m->f.d_model);
    return s;
}

static tfm_status read_config(importer *m, tfm_error *error) {
    const tfm_bart_like *like = m->like;
    tfm_config config = {tfm_checkpoint_path(m->f.checkpoint), "config.json", tfm_checkpoint_config(m->f.checkpoint),
                         TFM_OK, error};
    m->f.d_model = tfm_config_u64(&config, "d_model", 1, 1 << 20, 1024);
    m->tied = tfm_config_bool(&config, "tie_word_embeddings", true);
    m->encoder = m->decoder = read_common(m, &config);
    read_stack(m, &config, &m->encoder, "encoder");
    read_stack(m, &config, &m->decoder, "decoder");
    m->encoder.vocab_size = m->decoder.vocab_size = tfm_config_u64(&config, "vocab_size", 1, 1 << 24, like->vocab_size);
    m->shared = !like->two_vocabularies || tfm_config_bool(&config, "share_encoder_decoder_embeddings", true);
    if (!m->shared)
        m->decoder.vocab_size = tfm_config_u64(&config, "decoder_vocab_size", 1, 1 << 24, m->encoder.vocab_size);
    if (tfm_config_bool(&config, "tie_encoder_decoder", false))
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "tie_encoder_decoder", "is not supported");
    return config.status;
}

static tfm_status write_architecture(const importer *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for section architecture");
    tfm_table_set_string(table, "kind", "encoder-decoder");
    tfm_table_set_string(table, "family", m->like->family);
    tfm_table_set_u64(table, "d_model", m->f.d_model);
    tfm_family_set_stack(table, &m->encoder);
    tfm_family_set_stack(table, &m->decoder);
    tfm_status status = tfm_writer_section(writer, "architecture", table, error);
    tfm_table_builder_free(&table);
    return status;
}

/* ---- tensors ---- */

static tfm_status plan_embeddings(importer *m, tfm_error *error) {
    const tfm_name shared = tfm_name_format("%sshared.weight", m->prefix), head = tfm_name_format("lm_head.weight");
    const tfm_name encoder = tfm_name_format("%sencoder.embed_tokens.weight", m->prefix);
    const tfm_name decoder = tfm_name_format("%sdecoder.embed_tokens.weight", m->prefix);
    const bool has_head = m->tied && tfm_checkpoint_find(m->f.checkpoint, head.text);
    tfm_status status;
    /* All names of a shared embedding are one parameter there, and the one that is loaded last stays; the head is tied
     * to it afterwards. */
    if (m->shared) {
        tfm_name all[] = {decoder, encoder, shared, head};
        status = tfm_family_embedding(&m->f, "embed", all, has_head ? 4 : 3, m->encoder.vocab_size, error);
    } else {
        tfm_name all[] = {decoder, head};
        status = tfm_family_embedding(&m->f, "encoder.embed", &encoder, 1, m->encoder.vocab_size, error);
        if (status == TFM_OK)
            status = tfm_family_embedding(&m->f, "decoder.embed", all, has_head ? 2 : 1, m->decoder.vocab_size, error);
    }
    if (status == TFM_OK && !m->tied)
        status = tfm_family_embedding(&m->f, "output.weight", &head, 1, m->decoder.vocab_size, error);
    if (status == TFM_OK && tfm_checkpoint_find(m->f.checkpoint, "final_logits_bias")) {
        const char *part = "final_logits_bias";
        tfm_plan_vector(m->f.plan, "output.bias", 1, &part, &m->decoder.vocab_size);
    }
    return status;
}

static void fill_halves(float *rows, uint64_t first, uint64_t n_rows, uint64_t d) {
    tfm_sinusoid(rows, (size_t)n_rows, (size_t)d, (size_t)first, TFM_SINUSOID_HALVES);
}

static void fill_fairseq(float *rows, uint64_t first, uint64_t n_rows, uint64_t d) {
    tfm_sinusoid(rows, (size_t)n_rows, (size_t)d, (size_t)first, TFM_SINUSOID_HALVES_WIDE);
}

static tfm_status plan_positions(importer *m, tfm_error *error) {
    const tfm_name names[] = {tfm_name_format("%sencoder.embed_positions.weight", m->prefix),
                              tfm_name_format("%sdecoder.embed_positions.weight", m->prefix)};
    static const char *const outputs[] = {"encoder.position", "decoder.position"};
    const tfm_bart_positions kind = m->like->positions;
    const uint64_t d = m->f.d_model, rows = m->encoder.max_positions + m->encoder.position_offset;
    const tfm_plan_fill fill = kind == TFM_BART_FAIRSEQ ? fill_fairseq : fill_halves;
    const tfm_checkpoint_tensor *stored[2] = {NULL, NULL};
    for (int i = 0; i < 2 && kind != TFM_BART_FAIRSEQ; i++)
        stored[i] = tfm_checkpoint_find(m->f.checkpoint, names[i].text);
    if (kind == TFM_BART_FAIRSEQ) { /* saved by older versions though they are computed anew */
        tfm_plan_ignore(m->f.plan, tfm_name_format("%ss", names[0].text).text);
        tfm_plan_ignore(m->f.plan, tfm_name_format("%ss", names[1].text).text);
    }
    bool equal = false;
    if (stored[0] && stored[1]) {
        tfm_status status = tfm_checkpoint_equal(m->f.checkpoint, stored[0], stored[1], &equal, error);
        if (status != TFM_OK) return status;
    }
    if (equal) {
        tfm_plan_rows(m->f.plan, "position", names[0].text, rows, d);
        tfm_plan_alias(m->f.plan, names[1].text);
    } else if (!stored[0] && !stored[1] && kind != TFM_BART_LEARNED) {
        tfm_plan_computed(m->f.plan, "position", rows, d, fill);
    } else {
        for (int i = 0; i < 2; i++) {
            if (stored[i] || kind == TFM_BART_LEARNED)
                tfm_plan_rows(m->f.plan, outputs[i], names[i].text, rows, d);
            else
                tfm_plan_computed(m->f.plan, outputs[i], rows, d, fill);
        }
    }
    return TFM_OK;
}

static void plan_stack(const importer *m, const tfm_family_stack *s, const tfm_layer_names *names) {
    const tfm_name prefix = tfm_name_format("%s%s.", m->prefix, s->name);
    if (s->embed_norm)
        tfm_family_norm(&m->f, tfm_name_format("%s.embed_norm", s->name).text, prefix.text, "layernorm_embedding",
                        true);
    for (uint64_t i = 0; i < s->n_layers; i++)
        tfm_family_layer(&m->f, s, names, tfm_name_format("%slayers.%llu.", prefix.text, (unsigned long long)i).text,
                         i);
    if (s->final_norm)
        tfm_family_norm(&m->f, tfm_name_format("%s.norm", s->name).text, prefix.text, "layer_norm", true);
}

/* A model with a head keeps its body under "model."; a bare one does not. */
static const char *find_prefix(const tfm_checkpoint *checkpoint) {
    for (size_t i = 0; i < tfm_checkpoint_count(checkpoint); i++)
        if (strncmp(tfm_checkpoint_at(checkpoint, i)->name, "model.", 6) == 0) return "model.";
    return "";
}

tfm_status tfm_import_bart_like(const tfm_bart_like *like, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                const tfm_pack_options *options, tfm_error *error) {
    importer m = {.f = {.checkpoint = checkpoint, .options = options}, .like = like, .prefix = find_prefix(checkpoint)};
    tfm_status status = read_config(&m, error);
    if (status != TFM_OK) return status;
    m.f.plan = tfm_plan_new(checkpoint);
    if (!m.f.plan) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", tfm_checkpoint_path(checkpoint));
    status = plan_embeddings(&m, error);
    if (status == TFM_OK) status = plan_positions(&m, error);
    if (status == TFM_OK) {
        plan_stack(&m, &m.encoder, &encoder_names);
        plan_stack(&m, &m.decoder, &decoder_names);
        status = tfm_plan_check(m.f.plan, error);
    }
    if (status == TFM_OK) status = write_architecture(&m, writer, error);
    if (status == TFM_OK)
        status = tfm_write_generation(checkpoint, writer, &like->ids, m.decoder.vocab_size, options, error);
    if (status == TFM_OK) status = tfm_plan_run(m.f.plan, writer, options, error);
    tfm_plan_free(&m.f.plan);
    return status;
}
