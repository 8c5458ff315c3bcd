/*
 * marian.c - MarianMTModel and MarianModel of Hugging Face transformers (OPUS-MT and its like).
 *
 * The class is post-norm whatever normalize_before says, has no norm after the embeddings and none after the last
 * layer: transformers reads none of normalize_before, normalize_embedding and add_final_layer_norm, and neither do we.
 * Its position table is computed (halves of sines and cosines) unless the checkpoint stores one, which then counts.
 */
#include "config.h"
#include "plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../simd/kernels.h"

typedef struct stack {
    const char *name; /* "encoder", "decoder" */
    uint64_t vocab_size, n_layers, n_heads, d_ff;
} stack;

typedef struct marian {
    tfm_source *source;
    const tfm_pack_options *options;
    const char *prefix; /* "model." or "" */
    uint64_t d_model, max_positions;
    const char *activation;
    bool shared, tied, scale_embedding;
    stack encoder, decoder;
    tfm_plan *plan;
} marian;

/* Longer than any name, so that plan.c sees what was cut off. */
typedef struct name {
    char text[200];
} name;

__attribute__((format(printf, 1, 2))) static name format_name(const char *format, ...) {
    name result;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result.text, sizeof result.text, format, arguments);
    va_end(arguments);
    return result;
}

/* ---- configuration -------------------------------------------------------------------------------------------- */

static void read_stack(marian *m, tfm_config *config, stack *s, const char *which) {
    s->name = which;
    name layers = format_name("%s_layers", which), heads = format_name("%s_attention_heads", which);
    name ffn = format_name("%s_ffn_dim", which);
    s->n_layers = tfm_config_u64(config, layers.text, 0, 1024, 12);
    s->n_heads = tfm_config_u64(config, heads.text, 1, 4096, 16);
    s->d_ff = tfm_config_u64(config, ffn.text, 1, 1 << 20, 4096);
    if (!config->status && m->d_model % s->n_heads != 0)
        tfm_config_fail(config, TFM_ERROR_FORMAT, heads.text, "does not divide d_model");
    if (!config->status && m->d_model / s->n_heads > 4096)
        tfm_config_fail(config, TFM_ERROR_FORMAT, heads.text, "is too small for d_model");
}

static tfm_status read_config(marian *m, tfm_error *error) {
    tfm_config config = {tfm_source_path(m->source), "config.json", tfm_source_config(m->source), TFM_OK, error};
    m->d_model = tfm_config_u64(&config, "d_model", 1, 1 << 20, 1024);
    m->max_positions = tfm_config_u64(&config, "max_position_embeddings", 1, 1 << 22, 1024);
    m->shared = tfm_config_bool(&config, "share_encoder_decoder_embeddings", true);
    m->tied = tfm_config_bool(&config, "tie_word_embeddings", true);
    m->scale_embedding = tfm_config_bool(&config, "scale_embedding", false);
    read_stack(m, &config, &m->encoder, "encoder");
    read_stack(m, &config, &m->decoder, "decoder");
    m->encoder.vocab_size = tfm_config_u64(&config, "vocab_size", 1, 1 << 24, 58101);
    m->decoder.vocab_size = tfm_config_u64(&config, "decoder_vocab_size", 1, 1 << 24, m->encoder.vocab_size);
    if (m->shared) m->decoder.vocab_size = m->encoder.vocab_size;
    const char *activation = tfm_config_string(&config, "activation_function", "gelu");
    m->activation = tfm_config_activation(activation);
    if (!config.status && !m->activation)
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "activation_function", "has a value that is not supported");
    if (tfm_config_bool(&config, "tie_encoder_decoder", false))
        tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "tie_encoder_decoder", "is not supported");
    return config.status;
}

static void set_stack(const marian *m, tfm_table_builder *table, const stack *s) {
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"vocab_size", s->vocab_size},
                  {"n_layers", s->n_layers},
                  {"n_heads", s->n_heads},
                  {"n_kv_heads", s->n_heads},
                  {"head_dim", m->d_model / s->n_heads},
                  {"d_ff", s->d_ff},
                  {"gated", 0},
                  {"position_offset", 0},
                  {"max_positions", m->max_positions},
                  {"embed_norm", 0},
                  {"final_norm", 0}};
    const char *const words[][2] = {{"activation", m->activation},
                                    {"norm", "layer"},
                                    {"norm_placement", "post"},
                                    {"position", "table"},
                                    {"biases", "all"}};
    const struct {
        const char *key;
        double value;
    } reals[] = {{"norm_eps", 1e-5},
                 {"embed_scale", m->scale_embedding ? sqrt((double)m->d_model) : 1.0},
                 {"attention_scale", 1.0 / sqrt((double)(m->d_model / s->n_heads))}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        tfm_table_set_u64(table, format_name("%s.%s", s->name, counts[i].key).text, counts[i].value);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        tfm_table_set_string(table, format_name("%s.%s", s->name, words[i][0]).text, words[i][1]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        tfm_table_set_f64(table, format_name("%s.%s", s->name, reals[i].key).text, reals[i].value);
}

static tfm_status write_architecture(const marian *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for section architecture");
    tfm_table_set_string(table, "kind", "encoder-decoder");
    tfm_table_set_string(table, "family", "marian");
    tfm_table_set_u64(table, "d_model", m->d_model);
    set_stack(m, table, &m->encoder);
    set_stack(m, table, &m->decoder);
    tfm_status status = tfm_writer_section(writer, "architecture", table, error);
    tfm_table_builder_free(&table);
    return status;
}

/* ---- tensors -------------------------------------------------------------------------------------------------- */

/*
 * One tensor that the checkpoint may hold under several names: the first that is there is taken, as transformers does,
 * the others are remembered for --export if they are equal, else left out with a note.
 */
static tfm_status plan_embedding(marian *m, const char *output, const name *candidates, size_t n, uint64_t rows,
                                 tfm_error *error) {
    const tfm_source_tensor *taken = NULL;
    for (size_t i = 0; i < n; i++) {
        const tfm_source_tensor *tensor = tfm_source_find(m->source, candidates[i].text);
        if (!tensor) continue;
        if (!taken) {
            taken = tensor;
            tfm_plan_embedding(m->plan, output, candidates[i].text, rows, m->d_model);
            continue;
        }
        bool equal;
        tfm_status status = tfm_source_equal(m->source, taken, tensor, &equal, error);
        if (status) return status;
        if (equal) {
            tfm_plan_alias(m->plan, candidates[i].text);
            continue;
        }
        tfm_plan_ignore(m->plan, candidates[i].text);
        char text[500];
        snprintf(text, sizeof text, "%s is not used: config.json ties it to %s, from which it differs",
                 candidates[i].text, taken->name);
        if (m->options->note) m->options->note(m->options->note_user, text);
    }
    if (!taken) /* the plan's check says that it is missing, under its usual name */
        tfm_plan_embedding(m->plan, output, candidates[n - 1].text, rows, m->d_model);
    return TFM_OK;
}

static tfm_status plan_embeddings(marian *m, tfm_error *error) {
    const name shared = format_name("%sshared.weight", m->prefix), head = format_name("lm_head.weight");
    const name encoder = format_name("%sencoder.embed_tokens.weight", m->prefix);
    const name decoder = format_name("%sdecoder.embed_tokens.weight", m->prefix);
    tfm_status status;
    /* All names of a shared embedding are one parameter there, and the one that is loaded last stays; the head is tied
     * to it afterwards. */
    if (m->shared) {
        name all[] = {decoder, encoder, shared, head};
        size_t n = m->tied && tfm_source_find(m->source, head.text) ? 4 : 3;
        status = plan_embedding(m, "embed", all, n, m->encoder.vocab_size, error);
    } else {
        status = plan_embedding(m, "encoder.embed", &encoder, 1, m->encoder.vocab_size, error);
        name all[] = {decoder, head};
        bool has_head = m->tied && tfm_source_find(m->source, head.text);
        if (!status) status = plan_embedding(m, "decoder.embed", all, has_head ? 2 : 1, m->decoder.vocab_size, error);
    }
    if (!status && !m->tied) status = plan_embedding(m, "output.weight", &head, 1, m->decoder.vocab_size, error);
    if (!status && tfm_source_find(m->source, "final_logits_bias")) {
        const char *part = "final_logits_bias";
        tfm_plan_vector(m->plan, "output.bias", 1, &part, &m->decoder.vocab_size);
    }
    return status;
}

static void fill_positions(float *rows, uint64_t first, uint64_t n_rows, uint64_t d) {
    tfm_sinusoid(rows, (size_t)n_rows, (size_t)d, (size_t)first, TFM_SINUSOID_HALVES);
}

static tfm_status plan_positions(marian *m, tfm_error *error) {
    const name encoder = format_name("%sencoder.embed_positions.weight", m->prefix);
    const name decoder = format_name("%sdecoder.embed_positions.weight", m->prefix);
    const tfm_source_tensor *a = tfm_source_find(m->source, encoder.text);
    const tfm_source_tensor *b = tfm_source_find(m->source, decoder.text);
    bool equal = !a && !b;
    if (a && b) {
        tfm_status status = tfm_source_equal(m->source, a, b, &equal, error);
        if (status) return status;
    }
    if (equal && a) {
        tfm_plan_rows(m->plan, "position", encoder.text, m->max_positions, m->d_model);
        tfm_plan_alias(m->plan, decoder.text);
    } else if (equal) {
        tfm_plan_computed(m->plan, "position", m->max_positions, m->d_model, fill_positions);
    } else {
        const tfm_source_tensor *stored[] = {a, b};
        const char *const outputs[] = {"encoder.position", "decoder.position"};
        for (int i = 0; i < 2; i++) {
            if (stored[i])
                tfm_plan_rows(m->plan, outputs[i], stored[i]->name, m->max_positions, m->d_model);
            else
                tfm_plan_computed(m->plan, outputs[i], m->max_positions, m->d_model, fill_positions);
        }
    }
    return TFM_OK;
}

/* Weight and bias of linear layers joined along their outputs, `rows` of each, k inputs. */
static void plan_linear(marian *m, const char *output, const char *layer, const char *const *parts, size_t n,
                        uint64_t rows, uint64_t k) {
    name weights[TFM_PLAN_PARTS], biases[TFM_PLAN_PARTS];
    const char *weight_names[TFM_PLAN_PARTS], *bias_names[TFM_PLAN_PARTS];
    uint64_t counts[TFM_PLAN_PARTS];
    for (size_t i = 0; i < n; i++) {
        weights[i] = format_name("%s%s.weight", layer, parts[i]);
        biases[i] = format_name("%s%s.bias", layer, parts[i]);
        weight_names[i] = weights[i].text;
        bias_names[i] = biases[i].text;
        counts[i] = rows;
    }
    tfm_plan_matrix(m->plan, format_name("%s.weight", output).text, n, weight_names, counts, k);
    tfm_plan_vector(m->plan, format_name("%s.bias", output).text, n, bias_names, counts);
}

static void plan_norm(marian *m, const char *output, const char *layer, const char *part) {
    const char *const kinds[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++) {
        name from = format_name("%s%s.%s", layer, part, kinds[i]);
        const char *text = from.text;
        tfm_plan_vector(m->plan, format_name("%s.%s", output, kinds[i]).text, 1, &text, &m->d_model);
    }
}

static void plan_layer(marian *m, const stack *s, uint64_t i, bool cross) {
    static const char *const qkv[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    static const char *const out[] = {"self_attn.out_proj"}, *const up[] = {"fc1"}, *const down[] = {"fc2"};
    static const char *const cross_q[] = {"encoder_attn.q_proj"}, *const cross_out[] = {"encoder_attn.out_proj"};
    static const char *const cross_kv[] = {"encoder_attn.k_proj", "encoder_attn.v_proj"};
    name layer = format_name("%s%s.layers.%llu.", m->prefix, s->name, (unsigned long long)i);
    name to = format_name("%s.%llu", s->name, (unsigned long long)i);
    const uint64_t d = m->d_model;
    plan_linear(m, format_name("%s.attention.qkv", to.text).text, layer.text, qkv, 3, d, d);
    plan_linear(m, format_name("%s.attention.out", to.text).text, layer.text, out, 1, d, d);
    plan_norm(m, format_name("%s.attention.norm", to.text).text, layer.text, "self_attn_layer_norm");
    if (cross) {
        plan_linear(m, format_name("%s.cross.q", to.text).text, layer.text, cross_q, 1, d, d);
        plan_linear(m, format_name("%s.cross.kv", to.text).text, layer.text, cross_kv, 2, d, d);
        plan_linear(m, format_name("%s.cross.out", to.text).text, layer.text, cross_out, 1, d, d);
        plan_norm(m, format_name("%s.cross.norm", to.text).text, layer.text, "encoder_attn_layer_norm");
    }
    plan_linear(m, format_name("%s.ffn.up", to.text).text, layer.text, up, 1, s->d_ff, d);
    plan_linear(m, format_name("%s.ffn.down", to.text).text, layer.text, down, 1, d, s->d_ff);
    plan_norm(m, format_name("%s.ffn.norm", to.text).text, layer.text, "final_layer_norm");
}

/* MarianMTModel keeps its body under "model."; a bare MarianModel does not. */
static const char *find_prefix(const tfm_source *source) {
    for (size_t i = 0; i < tfm_source_count(source); i++)
        if (strncmp(tfm_source_at(source, i)->name, "model.", 6) == 0) return "model.";
    return "";
}

static tfm_status import_marian(tfm_source *source, tfm_writer *writer, const tfm_pack_options *options,
                                tfm_error *error) {
    marian m = {.source = source, .options = options, .prefix = find_prefix(source)};
    static const tfm_generation_ids defaults = {.decoder_start = 58100, .pad = 58100, .eos = 0, .forced_eos = 0};
    tfm_status status = read_config(&m, error);
    if (status) return status;
    m.plan = tfm_plan_new(source);
    if (!m.plan) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", tfm_source_path(source));
    status = plan_embeddings(&m, error);
    if (!status) status = plan_positions(&m, error);
    for (uint64_t i = 0; !status && i < m.encoder.n_layers; i++) plan_layer(&m, &m.encoder, i, false);
    for (uint64_t i = 0; !status && i < m.decoder.n_layers; i++) plan_layer(&m, &m.decoder, i, true);
    if (!status) status = tfm_plan_check(m.plan, error);
    if (!status) status = write_architecture(&m, writer, error);
    if (!status) status = tfm_write_generation(source, writer, &defaults, m.decoder.vocab_size, options, error);
    if (!status) status = tfm_plan_run(m.plan, writer, options, error);
    tfm_plan_free(&m.plan);
    return status;
}

const tfm_importer tfm_marian_importer = {
    .family = "marian",
    .model_types = "marian",
    .what = "MarianMTModel: translation models such as OPUS-MT (encoder-decoder)",
    .import = import_marian,
};
