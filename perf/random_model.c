/*
 * random_model.c - writes a model with seeded random weights in a well-known shape, so that speed can be measured
 * without a download. usage: random_model OUT.bin [--shape transformer-base|tiny] [--dtype f32|f16|bf16]
 *
 * Weights are uniform with the variance that keeps activations near 1; what the model says means nothing.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../format/model_file.h"
#include "../simd/kernels.h"
#include "harness.h"

typedef struct shape {
    const char *name;
    uint64_t d_model, n_heads, d_ff, n_layers, vocab, positions;
} shape;

/* "Attention Is All You Need", table 3, base; and one that is done in a moment. */
static const shape shapes[] = {{"transformer-base", 512, 8, 2048, 6, 32000, 512}, {"tiny", 64, 4, 128, 2, 1000, 128}};

typedef struct maker {
    tfm_writer *writer;
    tfm_dtype dtype;
    uint64_t seed;
    tfm_error error;
    tfm_status status;
} maker;

static void matrix(maker *m, const char *prefix, const char *name, uint64_t n, uint64_t k) {
    char full[TFM_NAME_MAX + 1];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    float *rows = perf_alloc(n * k * sizeof *rows), width = sqrtf(3.0f / (float)k);
    perf_fill(rows, n * k, ++m->seed);
    for (uint64_t i = 0; i < n * k; i++) rows[i] *= width;
    if (!m->status) m->status = tfm_writer_matrix(m->writer, full, m->dtype, TFM_LAYOUT_PANELS, rows, n, k, &m->error);
    free(rows);
}

static void vector(maker *m, const char *prefix, const char *name, uint64_t n, float centre) {
    char full[TFM_NAME_MAX + 1];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    float *values = perf_alloc(n * sizeof *values);
    perf_fill(values, n, ++m->seed);
    for (uint64_t i = 0; i < n; i++) values[i] = centre + 0.1f * values[i];
    if (!m->status) m->status = tfm_writer_vector(m->writer, full, values, n, &m->error);
    free(values);
}

static void linear(maker *m, const char *prefix, const char *name, uint64_t n, uint64_t k) {
    char part[TFM_NAME_MAX + 1];
    snprintf(part, sizeof part, "%s.weight", name);
    matrix(m, prefix, part, n, k);
    snprintf(part, sizeof part, "%s.bias", name);
    vector(m, prefix, part, n, 0);
}

static void norm(maker *m, const char *prefix, const char *name, uint64_t n) {
    char part[TFM_NAME_MAX + 1];
    snprintf(part, sizeof part, "%s.weight", name);
    vector(m, prefix, part, n, 1);
    snprintf(part, sizeof part, "%s.bias", name);
    vector(m, prefix, part, n, 0);
}

static void stack(maker *m, const shape *s, const char *name, bool cross) {
    for (uint64_t i = 0; i < s->n_layers; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "%s.%u.", name, (unsigned)i);
        linear(m, prefix, "attention.qkv", 3 * s->d_model, s->d_model);
        linear(m, prefix, "attention.out", s->d_model, s->d_model);
        norm(m, prefix, "attention.norm", s->d_model);
        if (cross) {
            linear(m, prefix, "cross.q", s->d_model, s->d_model);
            linear(m, prefix, "cross.kv", 2 * s->d_model, s->d_model);
            linear(m, prefix, "cross.out", s->d_model, s->d_model);
            norm(m, prefix, "cross.norm", s->d_model);
        }
        linear(m, prefix, "ffn.up", s->d_ff, s->d_model);
        linear(m, prefix, "ffn.down", s->d_model, s->d_ff);
        norm(m, prefix, "ffn.norm", s->d_model);
    }
}

static void stack_options(tfm_table_builder *t, const shape *s, const char *name) {
    char key[64];
#define KEY(k) (snprintf(key, sizeof key, "%s." k, name), key)
    tfm_table_set_u64(t, KEY("vocab_size"), s->vocab);
    tfm_table_set_u64(t, KEY("n_layers"), s->n_layers);
    tfm_table_set_u64(t, KEY("n_heads"), s->n_heads);
    tfm_table_set_u64(t, KEY("n_kv_heads"), s->n_heads);
    tfm_table_set_u64(t, KEY("head_dim"), s->d_model / s->n_heads);
    tfm_table_set_u64(t, KEY("d_ff"), s->d_ff);
    tfm_table_set_string(t, KEY("activation"), "relu");
    tfm_table_set_u64(t, KEY("gated"), 0);
    tfm_table_set_string(t, KEY("norm"), "layer");
    tfm_table_set_string(t, KEY("norm_placement"), "post");
    tfm_table_set_f64(t, KEY("norm_eps"), 1e-5);
    tfm_table_set_string(t, KEY("position"), "table");
    tfm_table_set_u64(t, KEY("max_positions"), s->positions);
    tfm_table_set_f64(t, KEY("embed_scale"), sqrt((double)s->d_model));
    tfm_table_set_u64(t, KEY("embed_norm"), 0);
    tfm_table_set_u64(t, KEY("final_norm"), 0);
    tfm_table_set_f64(t, KEY("attention_scale"), 1 / sqrt((double)(s->d_model / s->n_heads)));
    tfm_table_set_string(t, KEY("biases"), "all");
#undef KEY
}

static void sections(maker *m, const shape *s) {
    tfm_table_builder *t = tfm_table_builder_new();
    if (!t) abort();
    tfm_table_set_string(t, "kind", "encoder-decoder");
    tfm_table_set_string(t, "family", "random");
    tfm_table_set_u64(t, "d_model", s->d_model);
    stack_options(t, s, "encoder");
    stack_options(t, s, "decoder");
    if (!m->status) m->status = tfm_writer_section(m->writer, "architecture", t, &m->error);
    tfm_table_builder_free(&t);
    t = tfm_table_builder_new();
    if (!t) abort();
    tfm_table_set_u64(t, "decoder_start_token_id", 0);
    tfm_table_set_u64(t, "max_length", s->positions);
    if (!m->status) m->status = tfm_writer_section(m->writer, "generation", t, &m->error);
    tfm_table_builder_free(&t);
}

static void write_all(maker *m, const shape *s) {
    sections(m, s);
    matrix(m, "", "embed", s->vocab, s->d_model);
    vector(m, "", "output.bias", s->vocab, 0);
    float *position = perf_alloc(s->positions * s->d_model * sizeof *position);
    tfm_sinusoid(position, s->positions, s->d_model, 0, TFM_SINUSOID_HALVES);
    if (!m->status)
        m->status = tfm_writer_matrix(m->writer, "position", TFM_F32, TFM_LAYOUT_ROWS, position, s->positions,
                                      s->d_model, &m->error);
    free(position);
    stack(m, s, "encoder", false);
    stack(m, s, "decoder", true);
}

int main(int argc, char **argv) {
    static const struct option long_options[] = {
        {"shape", required_argument, NULL, 's'}, {"dtype", required_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    const shape *chosen = &shapes[0];
    maker m = {.dtype = TFM_F32};
    bool usage = false;
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 'd') m.dtype = tfm_dtype_parse(optarg);
        if (c == 's')
            for (chosen = shapes; chosen < shapes + 2 && strcmp(chosen->name, optarg); chosen++) continue;
        usage |= c == '?';
    }
    if (usage || m.dtype == TFM_DTYPE_COUNT || chosen == shapes + 2 || optind + 1 != argc) {
        fprintf(stderr, "usage: %s OUT.bin [--shape transformer-base|tiny] [--dtype f32|f16|bf16]\n", argv[0]);
        return 2;
    }
    m.status = tfm_writer_create(&m.writer, argv[optind], &m.error);
    if (!m.status) write_all(&m, chosen);
    if (!m.status)
        m.status = tfm_writer_commit(&m.writer, &m.error);
    else
        tfm_writer_abort(&m.writer);
    if (m.status) fprintf(stderr, "%s: %s\n", argv[0], m.error.message);
    return m.status != 0;
}
