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

typedef struct stack {
    const char *name, *embeddings, *activation; /* embeddings: variable */
    uint64_t vocab_size, n_layers, n_heads, d_ff, positions;
    bool pre_norm, embed_norm, final_norm, scaled, computed;
} stack;

typedef struct reader {
    tfm_ct2_model *m;
    stack encoder, decoder;
    uint64_t d;
    const char *model_type;
    uint64_t padding, offset; /* rows after the vocabulary; row of position 0 */
    bool shared, tied, zero_start;
} reader;

/* ---- options ---- */

/* Revisions of the specification before 5 had one option for both stacks. */
static tfm_name option(const reader *r, const stack *s, const char *key) {
    tfm_name name = tfm_name_format("%s/%s", s->name, key);
    if (r->m->file.revision < 5 && !tfm_ct2_has(r->m, "%s", name.text)) name = tfm_name_format("%s", key);
    return name;
}

/* A flag, or the factor itself. */
static bool read_scale(const reader *r, const stack *s) {
    tfm_ct2_model *m = r->m;
    tfm_name name = tfm_name_format("%s/scale_embeddings", s->name);
    if (!tfm_ct2_has(m, "%s", name.text)) {
        name = tfm_name_format("%s", s->embeddings);
        name.text[strlen(name.text) - strlen("weight")] = '\0';
        name = tfm_name_format("%smultiply_by_sqrt_depth", name.text);
    }
    const double factor = tfm_ct2_real(m, sqrt((double)r->d), name.text), root = sqrt((double)r->d);
    const uint32_t found = m->status != TFM_OK ? TFM_CT2_NONE : tfm_ct2_file_find(&m->file, name.text);
    const bool is_flag = found != TFM_CT2_NONE && m->file.variables[found].type == TFM_CT2_I8;
    if (is_flag) return factor != 0;
    if (fabs(factor - 1) < 1e-6) return false;
    if (fabs(factor - root) > 1e-5 * root)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s': a factor of %g on embeddings is not supported",
                     name.text, factor);
    return true;
}

static void read_stack(reader *r, stack *s) {
    tfm_ct2_model *m = r->m;
    s->vocab_size = tfm_ct2_dimension(m, s->embeddings, 0);
    s->n_layers = tfm_ct2_count(m, tfm_name_format("%s/layer_", s->name).text, "self_attention/linear_0/weight");
    if (s->n_layers == 0) tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s/layer_0' is missing", s->name);
    const int64_t heads = tfm_ct2_integer(m, 0, option(r, s, "num_heads").text);
    if (heads < 1 || heads > 4096 || r->d % (uint64_t)heads != 0)
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '%s/num_heads' is missing or does not divide %llu", s->name,
                     (unsigned long long)r->d);
    s->n_heads = (uint64_t)heads;
    s->d_ff = tfm_ct2_dimension(m, tfm_name_format("%s/layer_0/ffn/linear_0/weight", s->name).text, 0);
    s->pre_norm = tfm_ct2_flag(m, true, option(r, s, "pre_norm").text);
    s->activation = tfm_ct2_activation(m, option(r, s, "activation").text);
    s->embed_norm = tfm_ct2_has(m, "%s/layernorm_embedding/gamma", s->name);
    s->final_norm = tfm_ct2_has(m, "%s/layer_norm/gamma", s->name);
    s->scaled = read_scale(r, s);
    s->computed = !tfm_ct2_has(m, "%s/position_encodings/encodings", s->name);
    s->positions = s->computed
                       ? COMPUTED_POSITIONS
                       : tfm_ct2_dimension(m, tfm_name_format("%s/position_encodings/encodings", s->name).text, 0);
    if (s->pre_norm != s->final_norm)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "%s: a final norm is supported with norms before sublayers only",
                     s->name);
}

/* What has no effect here (attention weights for alignment), or must not have one. */
static void read_switches(const reader *r) {
    tfm_ct2_model *m = r->m;
    const stack *d = &r->decoder, *e = &r->encoder;
    tfm_ct2_ignore(m, option(r, d, "alignment_layer").text);
    tfm_ct2_ignore(m, option(r, d, "alignment_heads").text);
    tfm_ct2_ignore(m, option(r, e, "embeddings_merge").text); /* there is one embedding */
    tfm_ct2_expect(m, "encoder/multi_query_attention", 0, 0);
    tfm_ct2_expect(m, "decoder/alibi", 0, 0);
    tfm_ct2_ignore(m, "decoder/alibi_use_positive_positions");
    tfm_ct2_ignore(m, "decoder/scale_alibi");
    tfm_ct2_expect(m, "decoder/scale_outputs", 1, 1);
}

/* ---- family ---- */

/* Whether the encoder's table is what M2M100 computes, but for the rounding of frequencies. */
static bool fairseq_positions(reader *r) {
    tfm_ct2_model *m = r->m;
    const uint32_t table = tfm_ct2_file_find(&m->file, "encoder/position_encodings/encodings");
    const uint64_t d = r->d;
    if (m->status != TFM_OK || table == TFM_CT2_NONE || m->file.variables[table].type != TFM_CT2_F32 ||
        m->file.variables[table].rank != 2 || m->file.variables[table].shape[1] != d ||
        !tfm_ct2_same(m, "encoder/position_encodings/encodings", "decoder/position_encodings/encodings"))
        return false;
    float *rows = malloc((size_t)(2 * d) * sizeof *rows);
    bool equal = rows != NULL;
    for (uint64_t i = 0; equal && m->status == TFM_OK && i < r->encoder.positions; i++) {
        m->status = tfm_ct2_file_read(&m->file, table, i, 1, rows, m->error);
        tfm_sinusoid(rows + d, 1, (size_t)d, (size_t)(i + r->offset), TFM_SINUSOID_HALVES_WIDE);
        for (uint64_t k = 0; k < d; k++) equal &= fabsf(rows[k] - rows[d + k]) < 1e-6f * (float)(i + 100);
    }
    free(rows);
    return equal && m->status == TFM_OK;
}

static void choose_family(reader *r) {
    tfm_ct2_model *m = r->m;
    const stack *e = &r->encoder, *d = &r->decoder;
    if (e->pre_norm != d->pre_norm || e->embed_norm != d->embed_norm || e->scaled != d->scaled ||
        strcmp(e->activation, d->activation) != 0)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "encoder and decoder differ in norms, activation or scale of embeddings");
    const bool one_vocabulary = r->shared;
    if (e->pre_norm)
        r->model_type = e->embed_norm ? "mbart" : "pegasus";
    else
        r->model_type = e->embed_norm ? "bart" : "marian";
    r->offset = e->embed_norm ? 2 : 0;
    if (!strcmp(r->model_type, "pegasus") && one_vocabulary && !r->zero_start && e->scaled) {
        r->offset = 2;
        if (fairseq_positions(r))
            r->model_type = "m2m_100";
        else
            r->offset = 0;
    }
    if (!one_vocabulary && strcmp(r->model_type, "marian") && strcmp(r->model_type, "pegasus"))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "separate embeddings with a norm after them are not supported");
    if (fabs(tfm_ct2_epsilon(m, false) - 1e-5) > 1e-12)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "config.json beside it: layer_norm_epsilon other than 1e-5 is not supported "
                     "for this kind of model");
}

/* ---- configuration ---- */

static uint64_t positions(const reader *r) {
    return r->encoder.positions < r->decoder.positions ? r->encoder.positions : r->decoder.positions;
}

static void set_stack(const reader *r, const stack *s) {
    tfm_ct2_model *m = r->m;
    tfm_ct2_set_integer(m, m->config, tfm_name_format("%s_layers", s->name).text, s->n_layers);
    tfm_ct2_set_integer(m, m->config, tfm_name_format("%s_attention_heads", s->name).text, s->n_heads);
    tfm_ct2_set_integer(m, m->config, tfm_name_format("%s_ffn_dim", s->name).text, s->d_ff);
}

static void write_config(const reader *r) {
    tfm_ct2_model *m = r->m;
    tfm_ct2_set_string(m, m->config, "model_type", r->model_type);
    tfm_ct2_set_integer(m, m->config, "d_model", r->d);
    set_stack(r, &r->encoder);
    set_stack(r, &r->decoder);
    tfm_ct2_set_string(m, m->config, "activation_function", r->decoder.activation);
    tfm_ct2_set_bool(m, m->config, "scale_embedding", r->decoder.scaled);
    tfm_ct2_set_integer(m, m->config, "max_position_embeddings", positions(r));
    tfm_ct2_set_integer(m, m->config, "vocab_size", r->encoder.vocab_size + (r->shared ? r->padding : 0));
    tfm_ct2_set_integer(m, m->config, "decoder_vocab_size", r->decoder.vocab_size + r->padding);
    tfm_ct2_set_bool(m, m->config, "share_encoder_decoder_embeddings", r->shared);
    tfm_ct2_set_bool(m, m->config, "tie_word_embeddings", r->tied);
    if (!strcmp(r->model_type, "m2m_100")) tfm_ct2_set_integer(m, m->config, "pad_token_id", 1);
}

/* Decoding as their library does it: its limit of 256 tokens, no token but those of the vocabulary. */
static void write_generation(const reader *r) {
    tfm_ct2_model *m = r->m;
    const int64_t eos = tfm_ct2_token(m, m->target_tokens, "eos_token"),
                  bos = tfm_ct2_token(m, m->target_tokens, "bos_token");
    const int64_t start = tfm_ct2_token(m, m->target_tokens, "decoder_start_token");
    const uint64_t pad = r->decoder.vocab_size, limit = positions(r) < 256 ? positions(r) : 256;
    tfm_ct2_set_integer(m, m->generation, "max_length", limit);
    if (eos >= 0) tfm_ct2_set_integer(m, m->generation, "eos_token_id", (uint64_t)eos);
    if (eos < 0) tfm_ct2_note(m, "no token that ends an output is known: the vocabulary or eos_token is missing");
    if (r->zero_start) { /* the added token: its embedding is zero, and it never comes out */
        json_t *words = json_pack("[[I]]", (json_int_t)pad);
        if (json_object_set_new(m->generation, "bad_words_ids", words) != 0)
            tfm_ct2_fail(m, TFM_ERROR_MEMORY, "no memory");
        tfm_ct2_set_bool(m, m->generation, "renormalize_logits", true);
        tfm_ct2_set_integer(m, m->generation, "pad_token_id", pad);
        tfm_ct2_set_integer(m, m->generation, "decoder_start_token_id", pad);
    } else if (start >= 0) {
        tfm_ct2_set_integer(m, m->generation, "decoder_start_token_id", (uint64_t)start);
    } else {
        tfm_ct2_note(m, "no token is known that starts an output; say it when you decode");
    }
    if (bos >= 0) tfm_ct2_set_integer(m, m->generation, "bos_token_id", (uint64_t)bos);
}

/* ---- tensors ---- */

static void fill_positions(float *rows, uint64_t first, uint64_t n_rows, uint64_t d) {
    tfm_sinusoid(rows, (size_t)n_rows, (size_t)d, (size_t)first, TFM_SINUSOID_HALVES_WIDE);
}

static void show_positions(const reader *r, const stack *s) {
    const tfm_name to = tfm_name_format("model.%s.embed_positions.weight", s->name);
    const tfm_name from = tfm_name_format("%s/position_encodings/encodings", s->name);
    if (!strcmp(r->model_type, "m2m_100")) {
        tfm_ct2_ignore(r->m, from.text); /* computed again */
        return;
    }
    if (!s->computed) {
        tfm_ct2_show(r->m, to.text, from.text, (tfm_array_view){.before = r->offset, .rows = positions(r)});
        return;
    }
    if (r->d < 4) tfm_ct2_fail(r->m, TFM_ERROR_UNSUPPORTED, "embeddings of less than 4 features have no positions");
    /* Their first position is 1; what comes before it is never used. */
    tfm_ct2_show_filled(r->m, to.text, positions(r) + r->offset, r->d, fill_positions, 1);
    if (r->offset)
        tfm_ct2_fail(r->m, TFM_ERROR_UNSUPPORTED,
                     "computed positions with a norm after the embeddings are not "
                     "supported");
}

static void show_embeddings(const reader *r) {
    tfm_ct2_model *m = r->m;
    const tfm_array_view padded = {.after = r->padding};
    if (r->shared) {
        tfm_ct2_show(m, "model.shared.weight", r->decoder.embeddings, padded);
    } else {
        tfm_ct2_show(m, "model.encoder.embed_tokens.weight", r->encoder.embeddings, (tfm_array_view){0});
        tfm_ct2_show(m, "model.decoder.embed_tokens.weight", r->decoder.embeddings, padded);
    }
    if (!r->tied) tfm_ct2_show(m, "lm_head.weight", "decoder/projection/weight", padded);
    if (tfm_ct2_has(m, "decoder/projection/bias"))
        tfm_ct2_show(m, "final_logits_bias", "decoder/projection/bias", padded);
}

static void show_attention(const reader *r, const stack *s, const char *to, const char *from, bool cross) {
    static const char *const parts[] = {"q_proj", "k_proj", "v_proj"};
    tfm_ct2_model *m = r->m;
    for (int i = 0; i < 3; i++) {
        const int linear = cross && i > 0;
        const uint64_t first = (uint64_t)(i - linear) * r->d;
        tfm_ct2_linear(m, tfm_name_format("%s.%s", to, parts[i]).text,
                       tfm_name_format("%s/linear_%d", from, linear).text, first, r->d);
    }
    /* Rows of a joined layer that nobody takes would be lost in silence. */
    for (int i = 0; i < 1 + cross; i++) {
        const uint64_t rows = tfm_ct2_dimension(m, tfm_name_format("%s/linear_%d/weight", from, i).text, 0);
        if (rows != (uint64_t)(!cross ? 3 : i ? 2 : 1) * r->d)
            tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "'%s': keys and values have heads of their own", from);
    }
    tfm_ct2_linear(m, tfm_name_format("%s.out_proj", to).text, tfm_name_format("%s/linear_%d", from, 1 + cross).text, 0,
                   0);
    tfm_ct2_norm(m, tfm_name_format("%s_layer_norm", to).text, tfm_name_format("%s/layer_norm", from).text, true);
    tfm_ct2_expect(m, tfm_name_format("%s/queries_scale", from).text, sqrt((double)s->n_heads / (double)r->d),
                   sqrt((double)s->n_heads / (double)r->d));
    tfm_ct2_expect(m, tfm_name_format("%s/num_heads_kv", from).text, (double)s->n_heads, (double)s->n_heads);
    tfm_ct2_expect(m, tfm_name_format("%s/head_dim", from).text, (double)(r->d / s->n_heads),
                   (double)(r->d / s->n_heads));
}

static void show_stack(const reader *r, const stack *s, bool cross) {
    tfm_ct2_model *m = r->m;
    show_positions(r, s);
    if (s->embed_norm)
        tfm_ct2_norm(m, tfm_name_format("model.%s.layernorm_embedding", s->name).text,
                     tfm_name_format("%s/layernorm_embedding", s->name).text, true);
    for (uint64_t i = 0; i < s->n_layers && m->status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("model.%s.layers.%llu", s->name, (unsigned long long)i);
        const tfm_name from = tfm_name_format("%s/layer_%llu", s->name, (unsigned long long)i);
#define TO(part) tfm_name_format("%s." part, to.text).text
#define FROM(part) tfm_name_format("%s/" part, from.text).text
        show_attention(r, s, TO("self_attn"), FROM("self_attention"), false);
        if (cross) show_attention(r, s, TO("encoder_attn"), FROM("attention"), true);
        tfm_ct2_linear(m, TO("fc1"), FROM("ffn/linear_0"), 0, 0);
        tfm_ct2_linear(m, TO("fc2"), FROM("ffn/linear_1"), 0, 0);
        tfm_ct2_norm(m, TO("final_layer_norm"), FROM("ffn/layer_norm"), true);
#undef TO
#undef FROM
    }
    if (s->final_norm)
        tfm_ct2_norm(m, tfm_name_format("model.%s.layer_norm", s->name).text,
                     tfm_name_format("%s/layer_norm", s->name).text, true);
}

void tfm_ct2_read_seq2seq(tfm_ct2_model *m) {
    reader r = {.m = m, .encoder = {.name = "encoder"}, .decoder = {.name = "decoder"}};
    if (m->file.revision < 3)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "revision %u of TransformerSpec is not supported; 3 and later are",
                     m->file.revision);
    r.encoder.embeddings =
        tfm_ct2_has(m, "encoder/embeddings/weight") ? "encoder/embeddings/weight" : "encoder/embeddings_0/weight";
    r.decoder.embeddings = "decoder/embeddings/weight";
    if (tfm_ct2_has(m, "encoder/embeddings_1/weight"))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "variable 'encoder/embeddings_1/weight': source features are not supported");
    r.d = tfm_ct2_dimension(m, r.decoder.embeddings, 1);
    r.shared = tfm_ct2_same(m, r.encoder.embeddings, r.decoder.embeddings);
    r.tied = tfm_ct2_same(m, "decoder/projection/weight", r.decoder.embeddings);
    r.zero_start = tfm_ct2_flag(m, false, "decoder/start_from_zero_embedding");
    r.padding = r.zero_start;
    m->has_padding = r.zero_start;
    read_stack(&r, &r.encoder);
    read_stack(&r, &r.decoder);
    read_switches(&r);
    if (m->status == TFM_OK) choose_family(&r);
    if (m->status != TFM_OK) return;
    write_config(&r);
    write_generation(&r);
    if (m->status != TFM_OK) return;
    show_embeddings(&r);
    show_stack(&r, &r.encoder, false);
    show_stack(&r, &r.decoder, true);
}
