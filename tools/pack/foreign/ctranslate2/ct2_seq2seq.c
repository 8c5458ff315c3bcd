/*
 * ct2_seq2seq.c - CTranslate2's TransformerSpec as the family of BART's relatives that has the same order of norms.
 *
 * Norms after sublayers: bart with a norm after the embeddings, marian without. Norms before: mbart and pegasus (or
 * m2m_100, whose table of positions is known). The tables of positions are shown, so those two take any.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ct2_model.h"
#include "simd/position_table.h"

/* Positions of a model that computes them end nowhere; sessions need a limit. */
#define COMPUTED_POSITIONS 1024

typedef struct stack_options {
    const char *name, *activation;
    tfm_name embeddings, table; /* variables; table: of positions, which need not be there */
    tfm_ct2_sizes sizes;
    uint64_t positions;
    bool pre_norm, embed_norm, final_norm, scaled, computed;
} stack_options;

typedef struct reader {
    tfm_ct2_model *model;
    stack_options encoder, decoder;
    uint64_t d;
    const char *model_type;
    uint64_t padding, offset; /* rows after the vocabulary; row of position 0 */
    bool shared, tied, zero_start;
} reader;

static bool failed(const reader *r) { return r->model->foreign.status != TFM_OK; }

/* ---- options ---- */

/* A flag, or the factor itself. */
static bool read_scale(const reader *r, const stack_options *stack) {
    tfm_ct2_model *m = r->model;
    const double root = sqrt((double)r->d);
    tfm_name name = tfm_name_format("%s/scale_embeddings", stack->name);
    if (!tfm_ct2_has(m, "%s", name.text)) /* of the embedding, in early files */
        name = tfm_name_format("%.*smultiply_by_sqrt_depth", (int)(strlen(stack->embeddings.text) - strlen("weight")),
                               stack->embeddings.text);
    const double factor = tfm_ct2_real(m, root, name.text);
    if (tfm_ct2_is_flag(m, name.text)) return factor != 0;
    if (fabs(factor - 1) < 1e-6) return false;
    if (fabs(factor - root) > 1e-5 * root)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "variable '%s': a factor of %g on embeddings is not supported", name.text, factor);
    return true;
}

static void read_stack(reader *r, stack_options *stack) {
    tfm_ct2_model *m = r->model;
    stack->embeddings = tfm_ct2_embeddings(m, stack->name);
    stack->table = tfm_name_format("%s/position_encodings/encodings", stack->name);
    stack->sizes = tfm_ct2_read_sizes(m, stack->name);
    if (r->d % stack->sizes.n_heads != 0)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s/num_heads' does not divide %llu", stack->name,
                         (unsigned long long)r->d);
    stack->pre_norm = tfm_ct2_flag(m, true, tfm_ct2_option(m, stack->name, "pre_norm").text);
    stack->activation = tfm_ct2_activation(m, stack->name);
    stack->embed_norm = tfm_ct2_has(m, "%s/layernorm_embedding/gamma", stack->name);
    stack->final_norm = tfm_ct2_has(m, "%s/layer_norm/gamma", stack->name);
    stack->scaled = read_scale(r, stack);
    stack->computed = !tfm_ct2_has(m, "%s", stack->table.text);
    stack->positions = stack->computed ? COMPUTED_POSITIONS : tfm_ct2_dimension(m, stack->table.text, 0);
    if (stack->pre_norm != stack->final_norm)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "%s: a final norm is supported with norms before sublayers only", stack->name);
    tfm_ct2_read_switches(m, stack->name);
}

static void read_options(reader *r) {
    tfm_ct2_model *m = r->model;
    if (m->file.revision < 2)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "revision %u of TransformerSpec is not supported; 2 and later are", m->file.revision);
    if (m->file.revision < 3) m->implied_heads = !strcmp(m->file.spec, "TransformerBig") ? 16 : 8;
    m->shared_options = m->file.revision < 5;
    if (tfm_ct2_has(m, "encoder/embeddings_1/weight"))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "variable 'encoder/embeddings_1/weight': source features are not supported");
    r->d = tfm_ct2_dimension(m, tfm_ct2_embeddings(m, "decoder").text, 1);
    r->zero_start = tfm_ct2_flag(m, false, "decoder/start_from_zero_embedding");
    r->padding = r->zero_start;
    m->has_padding = r->zero_start;
    read_stack(r, &r->encoder);
    read_stack(r, &r->decoder);
    r->shared = tfm_ct2_same(m, r->encoder.embeddings.text, r->decoder.embeddings.text);
    r->tied = tfm_ct2_same(m, "decoder/projection/weight", r->decoder.embeddings.text);
    tfm_ct2_expect(m, "decoder/scale_outputs", 1, 1);
}

/* ---- family ---- */

/* Whether the encoder's table is what M2M100 computes, but for the rounding of frequencies. */
static bool has_fairseq_positions(reader *r) {
    tfm_ct2_model *m = r->model;
    const char *const name = r->encoder.table.text;
    const uint32_t i = failed(r) ? TFM_CT2_NONE : tfm_ct2_file_find(&m->file, name);
    const uint64_t d = r->d;
    if (i == TFM_CT2_NONE || !tfm_ct2_same(m, name, r->decoder.table.text)) return false;
    const tfm_ct2_variable *table = &m->file.variables[i];
    if (table->type != TFM_CT2_F32 || table->rank != 2 || table->shape[1] != d) return false;
    float *rows = malloc((size_t)(2 * d) * sizeof *rows);
    bool equal = rows != NULL;
    for (uint64_t p = 0; equal && !failed(r) && p < r->encoder.positions; p++) {
        m->foreign.status = tfm_ct2_file_read(&m->file, i, p, 1, rows, m->foreign.error);
        tfm_fill_sinusoid_wide(rows + d, p + r->offset, 1, d);
        for (uint64_t k = 0; k < d; k++) equal &= fabsf(rows[k] - rows[d + k]) < 1e-6f * (float)(p + 100);
    }
    free(rows);
    return equal && !failed(r);
}

static void choose_family(reader *r) {
    tfm_ct2_model *m = r->model;
    const stack_options *encoder = &r->encoder, *decoder = &r->decoder;
    if (encoder->pre_norm != decoder->pre_norm || encoder->embed_norm != decoder->embed_norm ||
        encoder->scaled != decoder->scaled || strcmp(encoder->activation, decoder->activation) != 0)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "encoder and decoder differ in norms, activation or scale of embeddings");
    if (encoder->pre_norm)
        r->model_type = encoder->embed_norm ? "mbart" : "pegasus";
    else
        r->model_type = encoder->embed_norm ? "bart" : "marian";
    r->offset = encoder->embed_norm ? 2 : 0;
    if (!strcmp(r->model_type, "pegasus") && r->shared && !r->zero_start && encoder->scaled) {
        r->offset = 2;
        if (has_fairseq_positions(r))
            r->model_type = "m2m_100";
        else
            r->offset = 0;
    }
    if (!r->shared && encoder->embed_norm)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "separate embeddings with a norm after them are not supported");
    if (fabs(tfm_ct2_epsilon(m, false) - 1e-5) > 1e-12)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "config.json beside it: layer_norm_epsilon other than 1e-5 is not supported for this kind of "
                         "model");
}

/* ---- configuration ---- */

static uint64_t positions(const reader *r) {
    return r->encoder.positions < r->decoder.positions ? r->encoder.positions : r->decoder.positions;
}

static void set_stack(tfm_ct2_model *m, const stack_options *stack) {
    tfm_foreign_set_u64(&m->foreign, m->config, tfm_name_format("%s_layers", stack->name).text, stack->sizes.n_layers);
    tfm_foreign_set_u64(&m->foreign, m->config, tfm_name_format("%s_attention_heads", stack->name).text,
                        stack->sizes.n_heads);
    tfm_foreign_set_u64(&m->foreign, m->config, tfm_name_format("%s_ffn_dim", stack->name).text, stack->sizes.d_ff);
}

static void write_config(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    tfm_foreign_set_string(foreign, m->config, "model_type", r->model_type);
    tfm_foreign_set_u64(foreign, m->config, "d_model", r->d);
    set_stack(m, &r->encoder);
    set_stack(m, &r->decoder);
    tfm_foreign_set_string(foreign, m->config, "activation_function", r->decoder.activation);
    tfm_foreign_set_bool(foreign, m->config, "scale_embedding", r->decoder.scaled);
    tfm_foreign_set_u64(foreign, m->config, "max_position_embeddings", positions(r));
    tfm_foreign_set_u64(foreign, m->config, "vocab_size", r->encoder.sizes.vocab_size + (r->shared ? r->padding : 0));
    tfm_foreign_set_u64(foreign, m->config, "decoder_vocab_size", r->decoder.sizes.vocab_size + r->padding);
    tfm_foreign_set_bool(foreign, m->config, "share_encoder_decoder_embeddings", r->shared);
    tfm_foreign_set_bool(foreign, m->config, "tie_word_embeddings", r->tied);
    if (!strcmp(r->model_type, "m2m_100")) tfm_foreign_set_u64(foreign, m->config, "pad_token_id", 1);
    foreign->checkpoint->hints.two_vocabularies = true;
}

/* Decoding as their library does it: its limit of 256 tokens, no token but those of the vocabulary. */
static void write_generation(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    const uint64_t pad = r->decoder.sizes.vocab_size, limit = positions(r) < 256 ? positions(r) : 256;
    tfm_foreign_set_u64(foreign, m->generation, "max_length", limit);
    tfm_ct2_set_token(m, "bos_token_id", "bos_token");
    tfm_ct2_set_eos(m);
    if (r->zero_start) { /* the added token: its embedding is zero, and it never comes out */
        tfm_foreign_set(foreign, m->generation, "bad_words_ids", json_pack("[[I]]", (json_int_t)pad));
        tfm_foreign_set_bool(foreign, m->generation, "renormalize_logits", true);
        tfm_foreign_set_u64(foreign, m->generation, "pad_token_id", pad);
        tfm_foreign_set_u64(foreign, m->generation, "decoder_start_token_id", pad);
    } else if (!tfm_ct2_set_token(m, "decoder_start_token_id", "decoder_start_token")) {
        tfm_foreign_note(foreign, "no token is known that starts an output; say it when you decode");
    }
}

/* ---- tensors ---- */

static void show_positions(const reader *r, const stack_options *stack) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    const tfm_name to = tfm_name_format("model.%s.embed_positions.weight", stack->name);
    if (!strcmp(r->model_type, "m2m_100")) {
        tfm_ct2_ignore(m, stack->table.text); /* computed again */
        return;
    }
    if (!stack->computed) {
        tfm_ct2_show(&whole, to.text, stack->table.text, (tfm_array_view){.before = r->offset, .rows = positions(r)});
        return;
    }
    if (r->d < 4)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "embeddings of less than 4 features have no positions");
    if (r->offset)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "computed positions with a norm after the embeddings are not supported");
    /* Their first position is 1; what comes before it is never used. */
    tfm_ct2_show_filled(&whole, to.text, positions(r), r->d, tfm_fill_sinusoid_wide, 1);
}

static void show_embeddings(const reader *r) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    const tfm_array_view padded = {.after = r->padding};
    if (r->shared) {
        tfm_ct2_show(&whole, "model.shared.weight", r->decoder.embeddings.text, padded);
    } else {
        tfm_ct2_show(&whole, "model.encoder.embed_tokens.weight", r->encoder.embeddings.text, (tfm_array_view){0});
        tfm_ct2_show(&whole, "model.decoder.embed_tokens.weight", r->decoder.embeddings.text, padded);
    }
    if (!r->tied) tfm_ct2_show(&whole, "lm_head.weight", "decoder/projection/weight", padded);
    if (tfm_ct2_has(m, "decoder/projection/bias"))
        tfm_ct2_show(&whole, "final_logits_bias", "decoder/projection/bias", padded);
}

static void show_attention(const reader *r, const stack_options *stack, const tfm_ct2_part *layer,
                           const tfm_ct2_attention *to, const char *from, bool is_cross) {
    tfm_ct2_model *m = r->model;
    const double heads = (double)stack->sizes.n_heads, size = (double)r->d / heads, scale = sqrt(heads / (double)r->d);
    const tfm_name there = tfm_ct2_name_there(layer, from);
    tfm_ct2_show_attention(layer, to, from, is_cross, r->d, true);
    tfm_ct2_expect(m, tfm_name_format("%s/queries_scale", there.text).text, scale, scale);
    tfm_ct2_expect(m, tfm_name_format("%s/num_heads_kv", there.text).text, heads, heads);
    tfm_ct2_expect(m, tfm_name_format("%s/head_dim", there.text).text, size, size);
}

static void show_layer(const reader *r, const stack_options *stack, uint64_t i) {
    static const tfm_ct2_attention self = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                           "self_attn.out_proj"};
    static const tfm_ct2_attention cross = {"encoder_attn.q_proj", "encoder_attn.k_proj", "encoder_attn.v_proj",
                                            "encoder_attn.out_proj"};
    const tfm_name layers = tfm_name_format("model.%s.layers", stack->name);
    const tfm_ct2_part layer = tfm_ct2_layer(r->model, layers.text, stack->name, i);
    show_attention(r, stack, &layer, &self, "self_attention", false);
    tfm_ct2_norm(&layer, "self_attn_layer_norm", "self_attention/layer_norm", true);
    if (stack == &r->decoder) {
        show_attention(r, stack, &layer, &cross, "attention", true);
        tfm_ct2_norm(&layer, "encoder_attn_layer_norm", "attention/layer_norm", true);
    }
    tfm_ct2_linear(&layer, "fc1", "ffn/linear_0", true);
    tfm_ct2_linear(&layer, "fc2", "ffn/linear_1", true);
    tfm_ct2_norm(&layer, "final_layer_norm", "ffn/layer_norm", true);
}

static void show_stack(const reader *r, const stack_options *stack) {
    const tfm_ct2_part part = {
        .model = r->model, .to = tfm_name_format("model.%s", stack->name), .from = tfm_name_format("%s", stack->name)};
    show_positions(r, stack);
    if (stack->embed_norm) tfm_ct2_norm(&part, "layernorm_embedding", "layernorm_embedding", true);
    for (uint64_t i = 0; i < stack->sizes.n_layers && !failed(r); i++) show_layer(r, stack, i);
    if (stack->final_norm) tfm_ct2_norm(&part, "layer_norm", "layer_norm", true);
}

void tfm_ct2_read_seq2seq(tfm_ct2_model *m) {
    reader r = {.model = m, .encoder = {.name = "encoder"}, .decoder = {.name = "decoder"}};
    read_options(&r);
    if (!failed(&r)) choose_family(&r);
    if (failed(&r)) return;
    write_config(&r);
    write_generation(&r);
    show_embeddings(&r);
    show_stack(&r, &r.encoder);
    show_stack(&r, &r.decoder);
}
