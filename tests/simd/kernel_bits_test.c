/*
 * kernel_bits_test.c - the bits of every kernel, pinned: one hash for each over fixed pseudo-random inputs.
 *
 * A plain program, so that it runs where the test framework does not. For every instruction set this machine can use
 * it prints each hash as a TAP line and compares it with the constant below; since the same constants hold on every
 * machine, equal hashes here and there mean equal bits. `kernel_bits_test --print` prints the table to paste in after a
 * deliberate change of what a kernel computes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simd/kernels.h"
#include "simd/position_table.h"

typedef struct stream {
    uint64_t state, hash;
} stream;

/* splitmix64 */
static uint64_t next(stream *s) {
    uint64_t z = s->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* FNV-1a, 64 bits. */
static void hash(stream *s, const void *data, size_t n) {
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) s->hash = (s->hash ^ p[i]) * 0x100000001b3;
}

static void *allocate(size_t n) {
    void *p = aligned_alloc(64, (n + 63) / 64 * 64 + 64);
    if (!p) {
        fprintf(stderr, "kernel_bits_test: out of memory\n");
        exit(1);
    }
    memset(p, 0, n);
    return p;
}

static float *numbers(stream *s, size_t n, float scale) {
    float *x = allocate(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = ((float)(next(s) >> 40) * 0x1p-23f - 1.0f) * scale;
    return x;
}

static void hash_gemm(stream *s, const tfm_kernels *k, tfm_dtype dtype) {
    static const size_t shapes[][3] = {{1, 70, 300}, {3, 33, 64}, {13, 50, 129}, {2, 20, 2100}, {30, 16, 17}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        size_t m = shapes[i][0], n = shapes[i][1], n_k = shapes[i][2], panels = tfm_panel_count(n);
        size_t panel_bytes = n_k * TFM_PANEL * tfm_dtype_size(dtype);
        float *a = numbers(s, m * n_k, 1), *rows = numbers(s, n * n_k, 1), *bias = numbers(s, n, 1);
        float *mul = numbers(s, m * n, 1), *residual = numbers(s, m * n, 1), *c = numbers(s, m * n, 1);
        char *data = allocate(panels * panel_bytes);
        for (size_t p = 0; p < panels; p++) {
            size_t n_rows = n - p * TFM_PANEL < TFM_PANEL ? n - p * TFM_PANEL : TFM_PANEL;
            tfm_panel_pack(rows + p * TFM_PANEL * n_k, n_k, n_rows, n_k, dtype, data + p * panel_bytes);
        }
        tfm_matrix w = {data, dtype, n, n_k};
        tfm_gemm_args g = {.a = a, .a_stride = n_k, .c = c, .c_stride = n, .w = &w, .scale = 1};
        for (unsigned act = 0; act < TFM_ACT_COUNT; act++) {
            g.act = (tfm_activation)act;
            g.bias = act % 2 ? bias : NULL;
            g.mul = act % 3 ? mul : NULL;
            g.mul_stride = n;
            g.residual = act > 2 ? residual : NULL;
            g.residual_stride = n;
            g.scale = act == 4 ? 0.37f : 1;
            k->gemm(&g, 0, m, 0, panels);
            hash(s, c, m * n * sizeof *c);
        }
        void *all[] = {a, rows, bias, mul, residual, c, data};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) free(all[j]);
    }
}

/* A matrix so large that other tiles may be chosen for it, here for four rows at once. */
static void gemm_large(stream *s, const tfm_kernels *k) {
    enum { M = 5, N = 48, K = 44000, PANELS = N / TFM_PANEL };
    float *a = numbers(s, M * K, 1), *rows = numbers(s, N * K, 1), *c = numbers(s, M * N, 1);
    size_t panel_bytes = tfm_panel_bytes(TFM_F32, K);
    char *data = allocate(PANELS * panel_bytes);
    for (size_t p = 0; p < PANELS; p++)
        tfm_panel_pack(rows + p * TFM_PANEL * K, K, TFM_PANEL, K, TFM_F32, data + p * panel_bytes);
    tfm_matrix w = {data, TFM_F32, N, K};
    tfm_gemm_args g = {.a = a, .a_stride = K, .c = c, .c_stride = N, .w = &w, .scale = 1};
    k->gemm(&g, 0, 4, 0, PANELS);
    k->gemm(&g, 4, M, 0, PANELS);
    hash(s, c, M * N * sizeof *c);
    void *all[] = {a, rows, c, data};
    for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) free(all[j]);
}

static void gemm_f32(stream *s, const tfm_kernels *k) { hash_gemm(s, k, TFM_F32); }
static void gemm_f16(stream *s, const tfm_kernels *k) { hash_gemm(s, k, TFM_F16); }
static void gemm_bf16(stream *s, const tfm_kernels *k) { hash_gemm(s, k, TFM_BF16); }

/* Panels of any bytes, as they may stand in a file; q, scales and sums as quantize gives them. */
static void hash_gemm_int(stream *s, const tfm_kernels *k, tfm_dtype dtype) {
    static const size_t shapes[][3] = {{1, 70, 300}, {3, 33, 64}, {13, 50, 129}, {2, 20, 2100}, {35, 300, 517}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        size_t m = shapes[i][0], n = shapes[i][1], n_k = shapes[i][2], panels = tfm_panel_count(n);
        size_t bytes = tfm_panel_bytes(dtype, n_k), stride = (n_k + TFM_I4_BLOCK - 1) / TFM_I4_BLOCK * TFM_I4_BLOCK;
        float *a = numbers(s, m * n_k, 1), *bias = numbers(s, n, 1), *c = numbers(s, m * n, 1);
        unsigned char *data = allocate(panels * bytes);
        for (size_t j = 0; j < panels * bytes; j++) data[j] = (unsigned char)next(s);
        for (size_t p = 0; p < panels; p++) {
            float *scales = numbers(s, TFM_PANEL, 1);
            unsigned char *panel = data + p * bytes;
            if (dtype == TFM_I8) memcpy(panel + bytes - sizeof *scales * TFM_PANEL, scales, sizeof *scales * TFM_PANEL);
            for (size_t j = 0; dtype == TFM_I4 && j < bytes / TFM_I4_BLOCK_BYTES * 2 * TFM_PANEL; j++) {
                uint16_t h = tfm_f32_to_f16(scales[j % TFM_PANEL]);
                memcpy(panel + j / 32 * TFM_I4_BLOCK_BYTES + 512 + j % 32 * sizeof h, &h, sizeof h);
            }
            free(scales);
        }
        tfm_quantized q = {allocate(m * stride), stride, allocate(m * sizeof(float)),
                           allocate(m * (stride / TFM_I4_GROUP) * sizeof(int32_t))};
        k->quantize(a, n_k, n_k, &q, 0, m);
        hash(s, q.q, m * stride);
        hash(s, q.scale, m * sizeof *q.scale);
        hash(s, q.sums, m * (stride / TFM_I4_GROUP) * sizeof *q.sums);
        tfm_matrix w = {data, dtype, n, n_k};
        tfm_gemm_args g = {.q = &q, .c = c, .c_stride = n, .w = &w, .bias = bias, .act = TFM_ACT_GELU_TANH, .scale = 1};
        k->gemm_int(&g, 0, m, 0, panels);
        hash(s, c, m * n * sizeof *c);
        g.bias = NULL;
        g.act = TFM_ACT_NONE;
        k->gemm_int(&g, 0, m, 0, panels);
        hash(s, c, m * n * sizeof *c);
        void *all[] = {a, bias, c, data, q.q, q.scale, q.sums};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) free(all[j]);
    }
}

static void gemm_i8(stream *s, const tfm_kernels *k) { hash_gemm_int(s, k, TFM_I8); }
static void gemm_i4(stream *s, const tfm_kernels *k) { hash_gemm_int(s, k, TFM_I4); }

static void hash_attention(stream *s, const tfm_kernels *k, tfm_dtype dtype, bool causal, bool weights) {
    enum { POSITIONS = 530, QUERIES = 11, GROUP = 2, DIM = 40, PAGES = (POSITIONS + 15) / 16 };
    const tfm_kv_layout layout = tfm_kv_layout_of(dtype, DIM);
    const size_t page_floats = layout.bytes / sizeof(float);
    float *cache = numbers(s, PAGES * page_floats, 1), *key = numbers(s, POSITIONS * DIM, 1);
    float *value = numbers(s, POSITIONS * DIM, 1), *query = numbers(s, QUERIES * GROUP * DIM, 3);
    float *out = numbers(s, QUERIES * GROUP * DIM, 1), *bias = numbers(s, QUERIES * POSITIONS, 1);
    float *shown = numbers(s, QUERIES * POSITIONS, 1);
    uint32_t pages[PAGES];
    for (uint32_t i = 0; i < PAGES; i++) pages[i] = PAGES - 1 - i;
    const tfm_kv_view view = {.dtype = dtype,
                              .k = cache + layout.k / sizeof(float),
                              .v = cache + layout.v / sizeof(float),
                              .k_scale = cache + layout.k_scale / sizeof(float),
                              .v_scale = cache + layout.v_scale / sizeof(float),
                              .pages = pages,
                              .page_stride = layout.bytes};
    k->kv_store(&view, 0, POSITIONS, DIM, key, DIM, value, DIM);
    hash(s, cache, PAGES * layout.bytes);
    void *scratch = allocate(tfm_attention_scratch(k, DIM));
    tfm_attention_args a = {.query = query,
                            .query_stride = GROUP * DIM,
                            .query_group_stride = DIM,
                            .out = out,
                            .out_stride = GROUP * DIM,
                            .out_group_stride = DIM,
                            .kv = view,
                            .n_query = QUERIES,
                            .group = GROUP,
                            .head_dim = DIM,
                            .n_positions = POSITIONS,
                            .query_position = POSITIONS - QUERIES - 5,
                            .causal = causal,
                            .scale = 0.158f,
                            .scratch = scratch};
    for (size_t variant = 0; variant < 4; variant++) {
        a.window = variant == 1 ? 300 : 0;
        a.soft_cap = variant == 2 ? 2.5f : 0;
        a.bias = variant == 3 ? bias : NULL;
        a.bias_row_stride = POSITIONS;
        if (weights) {
            k->attention_weights(&a, shown, POSITIONS);
            hash(s, shown, QUERIES * POSITIONS * sizeof *shown);
        } else {
            k->attention(&a);
            hash(s, out, QUERIES * GROUP * DIM * sizeof *out);
        }
    }
    void *all[] = {cache, key, value, query, out, bias, shown, scratch};
    for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) free(all[j]);
}

static void attention_full(stream *s, const tfm_kernels *k) { hash_attention(s, k, TFM_F32, false, false); }
static void attention_causal(stream *s, const tfm_kernels *k) { hash_attention(s, k, TFM_F32, true, false); }
static void attention_weights(stream *s, const tfm_kernels *k) { hash_attention(s, k, TFM_F32, true, true); }
static void attention_f16(stream *s, const tfm_kernels *k) { hash_attention(s, k, TFM_F16, true, false); }
static void attention_i8(stream *s, const tfm_kernels *k) { hash_attention(s, k, TFM_I8, true, false); }
static void attention_weights_i8(stream *s, const tfm_kernels *k) { hash_attention(s, k, TFM_I8, false, true); }

static void norms(stream *s, const tfm_kernels *k) {
    for (size_t n = 1; n < 600; n = n * 2 + 3) {
        float *x = numbers(s, 3 * n, 4), *w = numbers(s, n, 2), *b = numbers(s, n, 2), *y = numbers(s, 3 * n, 1);
        k->layer_norm(x, n, y, n, 3, n, w, b, 1e-5f);
        hash(s, y, 3 * n * sizeof *y);
        k->layer_norm(x, n, y, n, 3, n, w, NULL, 1e-5f);
        hash(s, y, 3 * n * sizeof *y);
        k->rms_norm(x, n, y, n, 3, n, w, 1e-6f);
        hash(s, y, 3 * n * sizeof *y);
        void *all[] = {x, w, b, y};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) free(all[j]);
    }
}

static void activations(stream *s, const tfm_kernels *k) {
    enum { N = 5003 };
    for (float scale = 0.01f; scale < 200; scale *= 10) {
        float *x = numbers(s, N, scale), *mul = numbers(s, N, 1), *y = numbers(s, N, 1);
        for (unsigned act = 0; act < TFM_ACT_COUNT; act++) {
            k->activate(x, y, N, (tfm_activation)act, act % 2 ? mul : NULL);
            hash(s, y, N * sizeof *y);
        }
        k->add(y, x, N);
        hash(s, y, N * sizeof *y);
        free(x);
        free(mul);
        free(y);
    }
}

static void softmaxes(stream *s, const tfm_kernels *k) {
    for (size_t n = 1; n < 3000; n = n * 3 + 1) {
        float *x = numbers(s, n, 30), *y = numbers(s, n, 1), sum = k->log_sum_exp(x, n);
        hash(s, &sum, sizeof sum);
        k->log_softmax(x, y, n);
        hash(s, y, n * sizeof *y);
        k->softmax(x, n);
        hash(s, x, n * sizeof *x);
        free(x);
        free(y);
    }
}

static void top_k(stream *s, const tfm_kernels *k) {
    enum { N = 3001, K = 50 };
    float *x = numbers(s, N, 10), values[K];
    uint32_t indices[K];
    for (size_t i = 0; i < N; i++)
        if (i % 3) x[i] = (float)(int)x[i]; /* ties */
    size_t found = k->top_k(x, N, K, values, indices);
    hash(s, values, found * sizeof *values);
    hash(s, indices, found * sizeof *indices);
    free(x);
}

static void embeddings(stream *s, const tfm_kernels *k) {
    enum { VOCAB = 64, D = 37, M = 9 };
    uint16_t *table = allocate(VOCAB * D * sizeof *table);
    float *position = numbers(s, M * D, 1), *y = numbers(s, M * D, 1);
    int32_t ids[M];
    uint32_t positions[M];
    for (size_t i = 0; i < VOCAB * D; i++) table[i] = tfm_f32_to_f16((float)(next(s) >> 40) * 0x1p-23f - 1.0f);
    for (uint32_t i = 0; i < M; i++) {
        ids[i] = (int32_t)(next(s) % VOCAB);
        positions[i] = M - 1 - i;
    }
    tfm_matrix w = {table, TFM_F16, VOCAB, D};
    k->embed_panels(&w, ids, M, 6.08f, position, positions, y, D);
    hash(s, y, M * D * sizeof *y);
    w.dtype = TFM_BF16;
    k->embed_rows(&w, ids, M, 1, position, positions, y, D);
    hash(s, y, M * D * sizeof *y);
    free(table);
    free(position);
    free(y);
}

static void sinusoids(stream *s, const tfm_kernels *k) {
    enum { N = 600, D = 33 };
    (void)k; /* one function serves all tables */
    float *y = allocate(N * D * sizeof *y);
    tfm_sinusoid(y, N, D, 0, TFM_SINUSOID_HALVES);
    hash(s, y, N * D * sizeof *y);
    tfm_sinusoid(y, N, D, 100000, TFM_SINUSOID_INTERLEAVED);
    hash(s, y, N * D * sizeof *y);
    free(y);
}

static void rotations(stream *s, const tfm_kernels *k) {
    enum { M = 7, HEADS = 3, DIM = 45, ROPE = 42, N = 2000 };
    float *x = numbers(s, M * HEADS * DIM, 4), *table = allocate(N * ROPE * sizeof *table), parts[ROPE] = {0};
    uint32_t positions[M];
    for (size_t i = 0; i < ROPE / 2; i++) parts[i] = 1.0f / (float)(i * i + 1);
    tfm_rope_table(table, N, 0, ROPE, parts, 1.1f);
    hash(s, table, N * ROPE * sizeof *table);
    for (uint32_t i = 0; i < M; i++) positions[i] = (uint32_t)(next(s) % N);
    k->rope(x, HEADS * DIM, M, HEADS, DIM, ROPE, TFM_ROPE_HALVES, table, positions);
    hash(s, x, M * HEADS * DIM * sizeof *x);
    k->rope(x, HEADS * DIM, M, HEADS, DIM, ROPE, TFM_ROPE_INTERLEAVED, table, positions);
    k->soft_cap(x, M * HEADS * DIM, 3);
    hash(s, x, M * HEADS * DIM * sizeof *x);
    free(x);
    free(table);
}

static const struct {
    const char *name;
    void (*run)(stream *s, const tfm_kernels *k);
    uint64_t expected;
} kernels[] = {
    {"gemm_f32", gemm_f32, 0xa185ab46ef2b67b2},
    {"gemm_f16", gemm_f16, 0xa6617635fb6df4eb},
    {"gemm_bf16", gemm_bf16, 0x91d65378d35aa0c8},
    {"attention_full", attention_full, 0x340b7c21df7e9f20},
    {"attention_causal", attention_causal, 0x5566759e1e8b8fbd},
    {"attention_weights", attention_weights, 0x9c0db9b72ef5fe59},
    {"norms", norms, 0x7840a86c1a182c25},
    {"activations", activations, 0x21fe3a5c2dc2ec20},
    {"softmaxes", softmaxes, 0x43520d611870563e},
    {"top_k", top_k, 0x4aec86a42ca0fa6a},
    {"embeddings", embeddings, 0xc112a59fc639d95f},
    {"sinusoids", sinusoids, 0xe0d7b3ac4e4bee76},
    {"attention_f16", attention_f16, 0x44d986aa23f67831},
    {"attention_i8", attention_i8, 0x90c2d42de9f9dc0c},
    {"attention_weights_i8", attention_weights_i8, 0xe843702cfdf6f955},
    {"gemm_i8", gemm_i8, 0x73904eaadf9f06f8},
    {"gemm_i4", gemm_i4, 0x86e259f9aa41843a},
    {"rotations", rotations, 0x4deecbbb779ef630},
    {"gemm_large", gemm_large, 0x1a8f66e8d7d1fa33},
};

int main(int argc, char **argv) {
    const size_t n = sizeof kernels / sizeof kernels[0];
    bool print = argc > 1 && strcmp(argv[1], "--print") == 0;
    size_t n_isas = 0, test = 0, failed = 0;
    for (tfm_isa isa = 0; isa < TFM_ISA_COUNT; isa++) n_isas += tfm_isa_usable(isa);
    if (!print) printf("TAP version 13\n1..%zu\n", n_isas * n);
    for (tfm_isa isa = 0; isa < (print ? 1 : TFM_ISA_COUNT); isa++) {
        const tfm_kernels *k = tfm_kernels_get(isa);
        for (size_t i = 0; i < n && k; i++) {
            stream s = {.state = i + 1, .hash = 0xcbf29ce484222325};
            kernels[i].run(&s, k);
            bool ok = s.hash == kernels[i].expected;
            failed += !ok;
            if (print)
                printf("    {\"%s\", %s, 0x%016llx},\n", kernels[i].name, kernels[i].name, (unsigned long long)s.hash);
            else
                printf("%sok %zu - %s %s %016llx\n", ok ? "" : "not ", ++test, kernels[i].name, tfm_isa_name(isa),
                       (unsigned long long)s.hash);
            if (!ok && !print) printf("# expected %016llx\n", (unsigned long long)kernels[i].expected);
        }
    }
    return failed > 0 && !print;
}
