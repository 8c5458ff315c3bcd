/*
 * random_model.c - writes a model with seeded random weights in a well-known shape, so that speed can be measured
 * without a download. usage: random_model OUT.bin [--shape NAME] [--dtype NAME] [--dtype-embed NAME]
 *
 * Weights are uniform with the variance that keeps activations near 1; what the model says means nothing.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/model_file.h"
#include "harness.h"
#include "simd/position_table.h"

/* Blocks of the original Transformer ("post" norms, ReLU, biases), or of Llama (RMS norms first, gated SiLU, none). */
typedef enum block { BLOCK_TRANSFORMER, BLOCK_LLAMA } block;

typedef struct shape {
    const char *name, *kind;
    block block;
    bool tied; /* the embedding is the vocabulary projection */
    uint64_t d_model, n_layers, n_heads, n_kv_heads, d_ff, vocab, positions;
} shape;

/* "Attention Is All You Need", table 3, base, and its encoder; TinyLlama 1.1B; one of llama2.c's; and one for smoke
 * tests. */
static const shape shapes[] = {
    {"transformer-base", "encoder-decoder", BLOCK_TRANSFORMER, true, 512, 6, 8, 8, 2048, 32000, 512},
    {"encoder-base", "encoder", BLOCK_TRANSFORMER, true, 512, 6, 8, 8, 2048, 32000, 512},
    {"llama-1.1b", "decoder", BLOCK_LLAMA, false, 2048, 22, 32, 4, 5632, 32000, 2048},
    {"llama-110m", "decoder", BLOCK_LLAMA, true, 768, 12, 12, 12, 2048, 32000, 1024},
    {"tiny", "encoder-decoder", BLOCK_TRANSFORMER, true, 64, 2, 4, 4, 128, 1000, 128},
    {"tiny-llama", "decoder", BLOCK_LLAMA, false, 64, 2, 4, 2, 128, 1000, 128},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct maker {
    tfm_writer *writer;
    const shape *shape;
    tfm_dtype dtype, dtype_embed;
    uint64_t seed;
    tfm_error error;
    tfm_status status;
} maker;

/* ---- tensors ---- */

/* One panel after the other, so that memory stays small. */
static void matrix(maker *m, const char *prefix, const char *name, tfm_dtype dtype, uint64_t n, uint64_t k) {
    char full[TFM_NAME_MAX + 1];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    size_t bytes = tfm_panel_bytes(dtype, k);
    float *rows = perf_alloc(TFM_PANEL * k * sizeof *rows), width = sqrtf(3.0f / (float)k);
    void *panel = perf_alloc(bytes);
    if (m->status == TFM_OK)
        m->status =
            tfm_writer_tensor(m->writer, full, dtype, TFM_LAYOUT_PANELS, 2, (const uint64_t[]){n, k}, &m->error);
    for (uint64_t first = 0; first < n && m->status == TFM_OK; first += TFM_PANEL) {
        uint64_t n_rows = n - first < TFM_PANEL ? n - first : TFM_PANEL;
        perf_fill(rows, n_rows * k, ++m->seed);
        for (uint64_t i = 0; i < n_rows * k; i++) rows[i] *= width;
        tfm_panel_pack(rows, k, n_rows, k, dtype, panel);
        m->status = tfm_writer_write(m->writer, panel, bytes, &m->error);
    }
    free(rows);
    free(panel);
}

static void f32_tensor(maker *m, const char *name, uint32_t rank, const uint64_t *dims, const float *values) {
    uint64_t n = rank == 2 ? dims[0] * dims[1] : dims[0];
    if (m->status == TFM_OK)
        m->status = tfm_writer_tensor(m->writer, name, TFM_F32, TFM_LAYOUT_ROWS, rank, dims, &m->error);
    if (m->status == TFM_OK) m->status = tfm_writer_write(m->writer, values, n * sizeof *values, &m->error);
}

static void vector(maker *m, const char *prefix, const char *name, uint64_t n, float centre) {
    char full[TFM_NAME_MAX + 1];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    float *values = perf_alloc(n * sizeof *values);
    perf_fill(values, n, ++m->seed);
    for (uint64_t i = 0; i < n; i++) values[i] = centre + 0.1f * values[i];
    f32_tensor(m, full, 1, &n, values);
    free(values);
}

static void linear(maker *m, const char *prefix, const char *name, uint64_t n, uint64_t k) {
    char part[TFM_NAME_MAX + 1];
    snprintf(part, sizeof part, "%s.weight", name);
    matrix(m, prefix, part, m->dtype, n, k);
    if (m->shape->block == BLOCK_LLAMA) return;
    snprintf(part, sizeof part, "%s.bias", name);
    vector(m, prefix, part, n, 0);
}

static void norm(maker *m, const char *prefix, const char *name) {
    char part[TFM_NAME_MAX + 1];
    snprintf(part, sizeof part, "%s.weight", name);
    vector(m, prefix, part, m->shape->d_model, 1);
    if (m->shape->block == BLOCK_LLAMA) return;
    snprintf(part, sizeof part, "%s.bias", name);
    vector(m, prefix, part, m->shape->d_model, 0);
}

static void stack(maker *m, const char *name, bool cross) {
    const shape *s = m->shape;
    uint64_t d = s->d_model, kv = d / s->n_heads * s->n_kv_heads;
    char prefix[32];
    for (uint64_t i = 0; i < s->n_layers; i++) {
        snprintf(prefix, sizeof prefix, "%s.%u.", name, (unsigned)i);
        linear(m, prefix, "attention.qkv", d + 2 * kv, d);
        linear(m, prefix, "attention.out", d, d);
        norm(m, prefix, "attention.norm");
        if (cross) {
            linear(m, prefix, "cross.q", d, d);
            linear(m, prefix, "cross.kv", 2 * d, d);
            linear(m, prefix, "cross.out", d, d);
            norm(m, prefix, "cross.norm");
        }
        linear(m, prefix, "ffn.up", s->d_ff, d);
        if (s->block == BLOCK_LLAMA) linear(m, prefix, "ffn.gate", s->d_ff, d);
        linear(m, prefix, "ffn.down", d, s->d_ff);
        norm(m, prefix, "ffn.norm");
    }
    snprintf(prefix, sizeof prefix, "%s.", name);
    if (s->block == BLOCK_LLAMA) norm(m, prefix, "norm");
}

/* ---- options ---- */

/* Llama turns queries and keys by 10000^(-2i / head_dim) a position; what rounding to float leaves off stands behind.
 */
static void rope_options(tfm_table_builder *t, const shape *s, const char *name) {
    uint64_t dim = s->d_model / s->n_heads;
    float *frequencies = perf_alloc(dim * sizeof *frequencies);
    for (uint64_t i = 0; i < dim / 2; i++) {
        double exact = pow(10000.0, -2.0 * (double)i / (double)dim);
        frequencies[i] = (float)exact;
        frequencies[dim / 2 + i] = (float)(exact - (double)frequencies[i]);
    }
    char key[64];
    snprintf(key, sizeof key, "%s.rope_dim", name);
    tfm_table_set_u64(t, key, dim);
    snprintf(key, sizeof key, "%s.rope_layout", name);
    tfm_table_set_string(t, key, "halves");
    snprintf(key, sizeof key, "%s.rope_frequencies", name);
    tfm_table_set_array(t, key, TFM_VALUE_F32S, frequencies, dim);
    free(frequencies);
}

/* Where the tokens of a stack stand. */
static void position_options(tfm_table_builder *t, const shape *s, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s.position", name);
    tfm_table_set_string(t, key, s->block == BLOCK_LLAMA ? "rope" : "table");
    if (s->block == BLOCK_LLAMA) rope_options(t, s, name);
}

static void stack_options(tfm_table_builder *t, const shape *s, const char *name) {
    char key[64];
    bool llama = s->block == BLOCK_LLAMA;
    uint64_t head_dim = s->d_model / s->n_heads;
#define KEY(k) (snprintf(key, sizeof key, "%s." k, name), key)
    tfm_table_set_u64(t, KEY("vocab_size"), s->vocab);
    tfm_table_set_u64(t, KEY("n_layers"), s->n_layers);
    tfm_table_set_u64(t, KEY("n_heads"), s->n_heads);
    tfm_table_set_u64(t, KEY("n_kv_heads"), s->n_kv_heads);
    tfm_table_set_u64(t, KEY("head_dim"), head_dim);
    tfm_table_set_u64(t, KEY("d_ff"), s->d_ff);
    tfm_table_set_string(t, KEY("activation"), llama ? "silu" : "relu");
    tfm_table_set_u64(t, KEY("gated"), llama);
    tfm_table_set_string(t, KEY("norm"), llama ? "rms" : "layer");
    tfm_table_set_string(t, KEY("norm_placement"), llama ? "pre" : "post");
    tfm_table_set_f64(t, KEY("norm_eps"), 1e-5);
    tfm_table_set_u64(t, KEY("max_positions"), s->positions);
    tfm_table_set_f64(t, KEY("embed_scale"), llama ? 1 : sqrt((double)s->d_model));
    tfm_table_set_u64(t, KEY("embed_norm"), 0);
    tfm_table_set_u64(t, KEY("final_norm"), llama);
    tfm_table_set_f64(t, KEY("attention_scale"), 1 / sqrt((double)head_dim));
    tfm_table_set_string(t, KEY("biases"), llama ? "none" : "all");
#undef KEY
    position_options(t, s, name);
}

static bool has(const shape *s, const char *stack) { return strstr(s->kind, stack) != NULL; }

static void section(maker *m, const char *name, void (*fill)(tfm_table_builder *t, const shape *s)) {
    tfm_table_builder *t = tfm_table_builder_new();
    if (!t) abort();
    fill(t, m->shape);
    if (m->status == TFM_OK) m->status = tfm_writer_section(m->writer, name, t, &m->error);
    tfm_table_builder_free(&t);
}

static void architecture(tfm_table_builder *t, const shape *s) {
    tfm_table_set_string(t, "kind", s->kind);
    tfm_table_set_string(t, "family", "random");
    tfm_table_set_u64(t, "d_model", s->d_model);
    if (has(s, "encoder")) stack_options(t, s, "encoder");
    if (has(s, "decoder")) stack_options(t, s, "decoder");
}

static void generation(tfm_table_builder *t, const shape *s) {
    tfm_table_set_u64(t, "decoder_start_token_id", 0);
    tfm_table_set_u64(t, "max_length", s->positions);
}

/* The benchmarks name the model after this. */
static void metadata(tfm_table_builder *t, const shape *s) { tfm_table_set_string(t, "source", s->name); }

static void write_all(maker *m) {
    const shape *s = m->shape;
    section(m, "architecture", architecture);
    section(m, "metadata", metadata);
    if (has(s, "decoder")) section(m, "generation", generation);
    matrix(m, "", "embed", m->dtype_embed, s->vocab, s->d_model);
    if (!s->tied) matrix(m, "", "output.weight", m->dtype_embed, s->vocab, s->d_model);
    if (s->block == BLOCK_TRANSFORMER) {
        if (has(s, "decoder")) vector(m, "", "output.bias", s->vocab, 0);
        float *position = perf_alloc(s->positions * s->d_model * sizeof *position);
        tfm_sinusoid(position, s->positions, s->d_model, 0, TFM_SINUSOID_HALVES);
        f32_tensor(m, "position", 2, (const uint64_t[]){s->positions, s->d_model}, position);
        free(position);
    }
    if (has(s, "encoder")) stack(m, "encoder", false);
    if (has(s, "decoder")) stack(m, "decoder", has(s, "encoder"));
}

/* ---- the command line ---- */

static int usage(const char *program) {
    fprintf(stderr, "usage: %s OUT.bin [--shape NAME] [--dtype NAME] [--dtype-embed NAME]\nshapes:", program);
    for (size_t i = 0; i < N_SHAPES; i++) fprintf(stderr, " %s", shapes[i].name);
    fprintf(stderr, "\ndtypes:");
    for (int i = 0; i < TFM_DTYPE_COUNT; i++) fprintf(stderr, " %s", tfm_dtype_name((tfm_dtype)i));
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv) {
    static const struct option long_options[] = {{.name = "shape", .has_arg = required_argument, .val = 's'},
                                                 {.name = "dtype", .has_arg = required_argument, .val = 'd'},
                                                 {.name = "dtype-embed", .has_arg = required_argument, .val = 'e'},
                                                 {.name = NULL}};
    size_t chosen = 0;
    const char *embed = NULL;
    maker m = {.dtype = TFM_F32};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 'd') m.dtype = tfm_dtype_parse(optarg);
        if (c == 'e') embed = optarg;
        if (c == 's')
            for (chosen = 0; chosen < N_SHAPES && strcmp(shapes[chosen].name, optarg) != 0; chosen++) continue;
        if (c == '?') return usage(argv[0]);
    }
    m.dtype_embed = embed ? tfm_dtype_parse(embed) : m.dtype;
    if (m.dtype == TFM_DTYPE_COUNT || m.dtype_embed == TFM_DTYPE_COUNT || chosen == N_SHAPES || optind + 1 != argc)
        return usage(argv[0]);
    m.shape = &shapes[chosen];
    m.status = tfm_writer_create(&m.writer, argv[optind], &m.error);
    if (m.status == TFM_OK) write_all(&m);
    if (m.status == TFM_OK)
        m.status = tfm_writer_commit(&m.writer, &m.error);
    else
        tfm_writer_abort(&m.writer);
    if (m.status != TFM_OK) fprintf(stderr, "%s: %s\n", argv[0], m.error.message);
    return m.status != TFM_OK;
}
