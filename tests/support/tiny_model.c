/* tiny_model.c - see tiny_model.h. */
#include "tiny_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "write_tensors.h"

uint64_t tiny_random(uint64_t *state) {
    uint64_t x = *state ? *state : 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545F4914F6CDD1Du;
}

double tiny_uniform(uint64_t *state) { return (double)(int64_t)tiny_random(state) * 0x1p-63; }

tiny_config tiny_config_default(void) {
    tiny_stack stack = {.vocab_size = 37,
                        .n_layers = 2,
                        .n_heads = 3,
                        .n_kv_heads = 3,
                        .head_dim = 5,
                        .d_ff = 29,
                        .activation = "relu",
                        .position_table = true,
                        .max_positions = 320,
                        .embed_scale = 1.5,
                        .attention_scale = 0.4472135954999579,
                        .biases = true};
    return (tiny_config){.kind = "encoder-decoder",
                         .d_model = 15,
                         .encoder = stack,
                         .decoder = stack,
                         .output_bias = true,
                         .dtype = TFM_F32,
                         .logit_gain = 2,
                         .seed = 20240607};
}

tiny_config tiny_config_decoder(void) {
    tiny_config c = tiny_config_default();
    c.kind = "decoder";
    c.decoder.position_table = false;
    c.decoder.pre_norm = c.decoder.final_norm = true;
    c.decoder.n_heads = 6;
    c.decoder.n_kv_heads = 2;
    c.decoder.head_dim = 10;
    return c;
}

static void stop(const char *what, const tfm_error *error) {
    fprintf(stderr, "tiny model: %s%s%s\n", what, error ? ": " : "", error ? error->message : "");
    abort();
}

/* ---- weights ---- */

typedef struct maker {
    tiny_model *model;
    uint64_t random;
} maker;

static float rounded(float x, tfm_dtype dtype) {
    if (dtype == TFM_F16) return tfm_f16_to_f32(tfm_f32_to_f16(x));
    return dtype == TFM_BF16 ? tfm_bf16_to_f32(tfm_f32_to_bf16(x)) : x;
}

/* Values center + spread * uniform. */
static tiny_tensor *add(maker *m, uint64_t rows, uint64_t columns, double center, double spread, const char *name) {
    tiny_model *model = m->model;
    if (!tfm_grow(&model->tensors, &model->capacity, model->n, 1, sizeof *model->tensors)) stop("no memory", NULL);
    tiny_tensor *tensor = &model->tensors[model->n++];
    *tensor = (tiny_tensor){.rows = rows, .columns = columns, .panels = columns > 0};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    size_t count = rows * (columns ? columns : 1);
    tensor->values = malloc(count * sizeof *tensor->values);
    if (!tensor->values) stop("no memory", NULL);
    for (size_t i = 0; i < count; i++) {
        float value = (float)(center + spread * tiny_uniform(&m->random));
        tensor->values[i] = columns ? rounded(value, model->config.dtype) : value;
    }
    return tensor;
}

/* A table of f32 rows. */
static void add_table(maker *m, uint64_t rows, uint64_t columns, double center, double spread, const char *name) {
    tiny_tensor *table = add(m, rows * columns, 0, center, spread, name);
    table->rows = rows;
    table->columns = columns;
    table->table = true;
}

/* Operations that every libm rounds alike. */
double tiny_frequency(const tiny_stack *stack, uint32_t i) {
    return 1.1 / (1 + 3.7 * (double)i * (double)i / (double)stack->rope_dim);
}
float tiny_slope(uint32_t h) { return 0.6f / (float)(h + 1); }

__attribute__((format(printf, 1, 2))) static const char *name_of(const char *format, ...) {
    static char name[TFM_NAME_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return name;
}

static void add_linear(maker *m, const char *stem, const char *part, uint64_t n, uint64_t k, bool bias) {
    add(m, n, k, 0, sqrt(3.0 / (double)k), name_of("%s%s.weight", stem, part));
    if (bias) add(m, n, 0, 0, 0.3, name_of("%s%s.bias", stem, part));
}

static void add_norm(maker *m, const tiny_stack *s, const char *stem, const char *part) {
    add(m, m->model->config.d_model, 0, 1, 0.3, name_of("%s%s.weight", stem, part));
    if (!s->rms && !s->no_norm_bias) add(m, m->model->config.d_model, 0, 0, 0.3, name_of("%s%s.bias", stem, part));
}

/* The norm of queries or keys. */
static void add_head_norm(maker *m, const tiny_stack *s, const char *stem, const char *part, uint64_t n_heads) {
    for (int bias = 0; bias < (s->qk_norm_bias && !s->rms ? 2 : 1); bias++) {
        const char *name = name_of("%s%s.%s", stem, part, bias ? "bias" : "weight");
        if (s->qk_norm == 2)
            add_table(m, n_heads, s->head_dim, bias ? 0 : 1, 0.3, name);
        else
            add(m, s->head_dim, 0, bias ? 0 : 1, 0.3, name);
    }
}

/* Whether the linear layers of a role ('q' query, key and value; 'o' out; 'f' feed-forward) have biases. */
static bool has_bias(const tiny_stack *s, char role) {
    const char *word = s->biases_word ? s->biases_word : s->biases ? "all" : "none";
    if (!strcmp(word, "all") || !strcmp(word, "none")) return *word == 'a';
    if (role == 'q') return !strcmp(word, "qkv") || !strcmp(word, "attention");
    if (role == 'o') return !strcmp(word, "attention") || !strcmp(word, "out_ffn");
    return !strcmp(word, "ffn") || !strcmp(word, "out_ffn");
}

static void add_layer(maker *m, const tiny_stack *s, const char *stem, bool cross) {
    uint64_t d = m->model->config.d_model, q = (uint64_t)s->n_heads * s->head_dim;
    uint64_t kv = (uint64_t)s->n_kv_heads * s->head_dim;
    add_linear(m, stem, "attention.qkv", q + 2 * kv, d, has_bias(s, 'q'));
    add_linear(m, stem, "attention.out", d, q, has_bias(s, 'o'));
    add_norm(m, s, stem, "attention.norm");
    if (s->both_norms) add_norm(m, s, stem, "attention.post_norm");
    if (s->qk_norm) add_head_norm(m, s, stem, "attention.q_norm", s->n_heads);
    if (s->qk_norm) add_head_norm(m, s, stem, "attention.k_norm", s->n_kv_heads);
    if (cross) {
        add_linear(m, stem, "cross.q", q, d, has_bias(s, 'q'));
        add_linear(m, stem, "cross.kv", 2 * q, d, has_bias(s, 'q'));
        add_linear(m, stem, "cross.out", d, q, has_bias(s, 'o'));
        add_norm(m, s, stem, "cross.norm");
        if (s->both_norms) add_norm(m, s, stem, "cross.post_norm");
    }
    add_linear(m, stem, "ffn.up", s->d_ff, d, has_bias(s, 'f'));
    if (s->gated) add_linear(m, stem, "ffn.gate", s->d_ff, d, has_bias(s, 'f'));
    add_linear(m, stem, "ffn.down", d, s->d_ff, has_bias(s, 'f'));
    if (s->sublayers != 2) add_norm(m, s, stem, "ffn.norm");
    if (s->both_norms) add_norm(m, s, stem, "ffn.post_norm");
}

static void add_stack(maker *m, const tiny_stack *s, const char *name, bool cross, bool panels) {
    char stem[32];
    uint64_t d = m->model->config.d_model;
    if (s->own_embed) add(m, s->vocab_size, d, 0, 1, name_of("%s.embed", name))->panels = panels;
    if (s->position_table && s->own_position) {
        add_table(m, (uint64_t)s->max_positions + s->position_offset, d, 0, 0.7, name_of("%s.position", name));
    }
    if (s->position_word && !strcmp(s->position_word, "relative"))
        add_table(m, s->relative_buckets, s->n_heads, 0, 2, name_of("%s.relative", name));
    if (s->token_types) add_table(m, s->token_types, d, 0, 0.7, name_of("%s.token_type", name));
    snprintf(stem, sizeof stem, "%s.", name);
    if (s->embed_norm) add_norm(m, s, stem, "embed_norm");
    if (s->final_norm) add_norm(m, s, stem, "norm");
    for (uint32_t i = 0; i < s->n_layers; i++) {
        snprintf(stem, sizeof stem, "%s.%u.", name, i);
        add_layer(m, s, stem, cross);
    }
}

static bool has(const tiny_config *c, const char *stack) { return strstr(c->kind, stack) != NULL; }

static void add_shared(maker *m, const tiny_config *c) {
    const tiny_stack *s = has(c, "encoder") ? &c->encoder : &c->decoder;
    bool encoder_uses = has(c, "encoder") && !c->encoder.own_embed,
         decoder_uses = has(c, "decoder") && !c->decoder.own_embed;
    if (encoder_uses || decoder_uses) {
        const tiny_stack *owner = encoder_uses ? &c->encoder : &c->decoder;
        bool projects = decoder_uses && !c->output_weight;
        add(m, owner->vocab_size, c->d_model, 0, c->logit_gain, "embed")->panels = projects || !c->embed_rows;
    }
    bool position = (has(c, "encoder") && c->encoder.position_table && !c->encoder.own_position) ||
                    (has(c, "decoder") && c->decoder.position_table && !c->decoder.own_position);
    if (position) {
        add_table(m, (uint64_t)s->max_positions + s->position_offset, c->d_model, 0, 0.7, "position");
    }
    if (!has(c, "decoder")) return;
    if (c->output_weight) add(m, c->decoder.vocab_size, c->d_model, 0, c->logit_gain, "output.weight");
    if (c->output_bias) add(m, c->decoder.vocab_size, 0, 0, 0.5, "output.bias");
}

/* What an encoder has after its last layer. */
static void add_head(maker *m, const tiny_config *c) {
    uint64_t d = c->d_model;
    if (c->pooler) add_linear(m, "", "pooler", d, d, true);
    if (!c->head) return;
    if (c->head_dense) add_linear(m, "", "head.dense", d, d, true);
    if (c->head_norm) add_norm(m, &c->encoder, "", "head.norm");
    add_linear(m, "", "output", c->head_classes ? c->head_classes : c->encoder.vocab_size, d, true);
}

tiny_model *tiny_model_make(const tiny_config *config) {
    tiny_model *model = calloc(1, sizeof *model);
    if (!model) stop("no memory", NULL);
    model->config = *config;
    maker m = {model, config->seed};
    add_shared(&m, config);
    bool both = has(config, "encoder") && has(config, "decoder");
    if (has(config, "encoder")) add_stack(&m, &config->encoder, "encoder", false, !config->embed_rows);
    if (has(config, "decoder"))
        add_stack(&m, &config->decoder, "decoder", both, !config->embed_rows || !config->output_weight);
    if (!has(config, "decoder")) add_head(&m, config);
    return model;
}

void tiny_model_free(tiny_model **out) {
    tiny_model *model = *out;
    *out = NULL;
    if (!model) return;
    for (size_t i = 0; i < model->n; i++) free(model->tensors[i].values);
    free(model->tensors);
    free(model);
}

const float *tiny_model_find(const tiny_model *model, const char *name) {
    for (size_t i = 0; i < model->n; i++)
        if (!strcmp(model->tensors[i].name, name)) return model->tensors[i].values;
    return NULL;
}

/* ---- the file ---- */

/* Options that a file may lack are set where they are not the default. */
static void set_more(tfm_table_builder *table, const tiny_stack *s, const char *name) {
    static const char *const sublayers[] = {"sequential", "parallel", "parallel_shared"};
    static const char *const qk_norms[] = {"none", "shared", "heads"};
    if (s->no_norm_bias) tfm_table_set_u64(table, name_of("%s.norm_bias", name), 0);
    if (s->sublayers) tfm_table_set_string(table, name_of("%s.sublayers", name), sublayers[s->sublayers]);
    if (s->residual_scale != 0) tfm_table_set_f64(table, name_of("%s.residual_scale", name), s->residual_scale);
    if (s->soft_cap != 0) tfm_table_set_f64(table, name_of("%s.attention_soft_cap", name), s->soft_cap);
    if (s->qk_norm) tfm_table_set_string(table, name_of("%s.qk_norm", name), qk_norms[s->qk_norm]);
    if (s->token_types) tfm_table_set_u64(table, name_of("%s.token_types", name), s->token_types);
    if (s->window) {
        uint32_t windows[16] = {0};
        for (uint32_t i = 0; i < 16; i += 2) windows[i] = s->window;
        tfm_table_set_array(table, name_of("%s.windows", name), TFM_VALUE_U32S, windows, s->n_layers);
    }
}

static void set_position(tfm_table_builder *table, const tiny_stack *s, const char *name) {
    const char *word = s->position_word ? s->position_word : s->position_table ? "table" : "none";
    tfm_table_set_string(table, name_of("%s.position", name), word);
    if (!strcmp(word, "rope")) {
        float parts[128];
        uint32_t half = s->rope_dim / 2;
        for (uint32_t i = 0; i < half; i++) {
            parts[i] = (float)tiny_frequency(s, i);
            parts[half + i] = (float)(tiny_frequency(s, i) - (double)parts[i]);
        }
        tfm_table_set_u64(table, name_of("%s.rope_dim", name), s->rope_dim);
        tfm_table_set_string(table, name_of("%s.rope_layout", name), s->rope_interleaved ? "interleaved" : "halves");
        tfm_table_set_array(table, name_of("%s.rope_frequencies", name), TFM_VALUE_F32S, parts, s->rope_dim);
        if (s->rope_factor != 0) tfm_table_set_f64(table, name_of("%s.rope_factor", name), s->rope_factor);
    }
    if (!strcmp(word, "alibi")) {
        float slopes[64];
        for (uint32_t h = 0; h < s->n_heads; h++) slopes[h] = tiny_slope(h);
        tfm_table_set_array(table, name_of("%s.alibi_slopes", name), TFM_VALUE_F32S, slopes, s->n_heads);
    }
    if (!strcmp(word, "relative")) {
        tfm_table_set_u64(table, name_of("%s.relative_buckets", name), s->relative_buckets);
        tfm_table_set_u64(table, name_of("%s.relative_max_distance", name), s->relative_max_distance);
    }
}

static void set_stack(tfm_table_builder *table, const tiny_stack *s, const char *name) {
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"vocab_size", s->vocab_size},
                  {"n_layers", s->n_layers},
                  {"n_heads", s->n_heads},
                  {"n_kv_heads", s->n_kv_heads},
                  {"head_dim", s->head_dim},
                  {"d_ff", s->d_ff},
                  {"gated", s->gated},
                  {"position_offset", s->position_offset},
                  {"max_positions", s->max_positions},
                  {"embed_norm", s->embed_norm},
                  {"final_norm", s->final_norm}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        tfm_table_set_u64(table, name_of("%s.%s", name, counts[i].key), counts[i].value);
    tfm_table_set_string(table, name_of("%s.activation", name), s->activation);
    tfm_table_set_string(table, name_of("%s.norm", name), s->rms ? "rms" : "layer");
    tfm_table_set_string(table, name_of("%s.norm_placement", name),
                         s->both_norms ? "both"
                         : s->pre_norm ? "pre"
                                       : "post");
    tfm_table_set_string(table, name_of("%s.biases", name),
                         s->biases_word ? s->biases_word
                         : s->biases    ? "all"
                                        : "none");
    set_position(table, s, name);
    set_more(table, s, name);
    tfm_table_set_f64(table, name_of("%s.norm_eps", name), TINY_NORM_EPS);
    tfm_table_set_f64(table, name_of("%s.embed_scale", name), s->embed_scale);
    tfm_table_set_f64(table, name_of("%s.attention_scale", name), s->attention_scale);
}

static void set_head(tfm_table_builder *table, const tiny_config *c) {
    if (c->pooler) tfm_table_set_u64(table, "pooler", 1);
    if (!c->head) return;
    tfm_table_set_string(table, "head", c->head);
    if (c->head_dense) tfm_table_set_u64(table, "head.dense", 1);
    if (c->head_dense) tfm_table_set_string(table, "head.activation", "gelu");
    if (c->head_norm) tfm_table_set_u64(table, "head.norm", 1);
    if (c->head_classes) tfm_table_set_u64(table, "head.classes", c->head_classes);
}

tfm_table_builder *tiny_architecture(const tiny_config *c) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) stop("no memory", NULL);
    tfm_table_set_string(table, "kind", c->kind);
    tfm_table_set_string(table, "family", "tiny");
    tfm_table_set_u64(table, "d_model", c->d_model);
    if (c->output_scale != 0) tfm_table_set_f64(table, "output.scale", c->output_scale);
    if (c->output_soft_cap != 0) tfm_table_set_f64(table, "output.soft_cap", c->output_soft_cap);
    if (!has(c, "decoder")) set_head(table, c);
    if (has(c, "encoder")) set_stack(table, &c->encoder, "encoder");
    if (has(c, "decoder")) set_stack(table, &c->decoder, "decoder");
    return table;
}

static tfm_table_builder *generation(void) {
    static const uint32_t end[] = {TINY_END};
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) stop("no memory", NULL);
    tfm_table_set_u64(table, "max_length", 24);
    tfm_table_set_u64(table, "num_beams", 1);
    tfm_table_set_u64(table, "decoder_start_token_id", TINY_START);
    tfm_table_set_array(table, "eos_token_id", TFM_VALUE_U32S, end, 1);
    return table;
}

static tfm_status write_tensor(tfm_writer *writer, const tiny_tensor *t, tfm_dtype dtype, tfm_error *error) {
    if (t->columns == 0) return write_vector(writer, t->name, t->values, t->rows, error);
    return write_matrix(writer, t->name, t->table ? TFM_F32 : dtype, t->panels ? TFM_LAYOUT_PANELS : TFM_LAYOUT_ROWS,
                        t->values, t->rows, t->columns, error);
}

static tfm_status write_metadata(tfm_writer *writer, void (*fill)(tfm_table_builder *table), tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) stop("no memory", NULL);
    fill(table);
    tfm_status status = tfm_writer_section(writer, "metadata", table, error);
    tfm_table_builder_free(&table);
    return status;
}

void tiny_model_write(const tiny_model *model, const char *path) {
    tfm_error error;
    tfm_writer *writer;
    tfm_status status = tfm_writer_create(&writer, path, &error);
    if (status != TFM_OK) stop(path, &error);
    tfm_table_builder *tables[2] = {tiny_architecture(&model->config), generation()};
    if (model->config.generation) model->config.generation(tables[1]);
    status = tfm_writer_section(writer, "architecture", tables[0], &error);
    if (status == TFM_OK) status = tfm_writer_section(writer, "generation", tables[1], &error);
    if (status == TFM_OK && model->config.metadata) status = write_metadata(writer, model->config.metadata, &error);
    for (size_t i = 0; status == TFM_OK && i < model->n; i++)
        status = write_tensor(writer, &model->tensors[i], model->config.dtype, &error);
    if (status == TFM_OK) status = tfm_writer_commit(&writer, &error);
    if (status != TFM_OK) stop(path, &error);
    tfm_table_builder_free(&tables[0]);
    tfm_table_builder_free(&tables[1]);
}
