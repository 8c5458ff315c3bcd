/* bench_kernels.c - the kernels against the machine's limits, and f32 products against OpenBLAS and oneDNN. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "product.h"

#ifdef PERF_OPENBLAS
#include <cblas.h>
#endif
#ifdef PERF_ONEDNN
#include <dnnl.h>
#endif

/* ---- products ---- */

/* A product of ours, and the same with weights as they are, (n_copies, n, k), for the other libraries. */
typedef struct versus {
    perf_product *ours;
    float *weights;
    size_t next;
} versus;

#if defined(PERF_OPENBLAS) || defined(PERF_ONEDNN)
static const float *next_weights(versus *v) {
    return v->weights + v->next++ % v->ours->n_copies * v->ours->n * v->ours->k;
}
#endif
#ifdef PERF_OPENBLAS
static void run_openblas(void *arg) {
    versus *v = arg;
    const perf_product *p = v->ours;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->m, (int)p->n, (int)p->k, 1, p->args.a, (int)p->k,
                next_weights(v), (int)p->k, 0, p->args.c, (int)p->n);
}
#endif
#ifdef PERF_ONEDNN
static void run_onednn(void *arg) {
    versus *v = arg;
    const perf_product *p = v->ours;
    dnnl_sgemm('N', 'T', (dnnl_dim_t)p->m, (dnnl_dim_t)p->n, (dnnl_dim_t)p->k, 1, p->args.a, (dnnl_dim_t)p->k,
               next_weights(v), (dnnl_dim_t)p->k, 0, p->args.c, (dnnl_dim_t)p->n);
}
#endif

static const struct {
    const char *name, *title;
    void (*run)(void *versus);
} others[] = {
#ifdef PERF_OPENBLAS
    {"openblas", "OpenBLAS", run_openblas},
#endif
#ifdef PERF_ONEDNN
    {"onednn", "oneDNN", run_onednn},
#endif
    {NULL, NULL, NULL}};
enum { N_OTHERS = sizeof others / sizeof *others - 1 };

static void bench_product(const perf_bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    versus v = {.ours = perf_product_new(b, m, n, k, dtype, cold)};
    perf_candidate candidates[1 + N_OTHERS] = {{.name = "tfm", .run = perf_product_run, .arg = v.ours}};
    size_t n_candidates = 1, n_weights = v.ours->n_copies * n * k;
    if (dtype == TFM_F32 && others[0].name) {
        v.weights = perf_alloc(n_weights * sizeof(float));
        perf_fill(v.weights, n_weights, 2);
        for (size_t i = 0; others[i].name; i++)
            candidates[n_candidates++] = (perf_candidate){.name = others[i].name, .run = others[i].run, .arg = &v};
    }
    perf_product_compare(v.ours, candidates, n_candidates);
    free(v.weights);
    perf_product_free(v.ours);
}

static void bench_products(const perf_bench *b) {
    static const size_t rows[] = {1, 4, 8, 32, 128, 512}, half_rows[] = {1, 4, 8, 128};
    const char *titles[N_OTHERS + 1];
    size_t n_titles = 0;
    for (; others[n_titles].name; n_titles++) titles[n_titles] = others[n_titles].title;
    perf_product_heading(b, titles, n_titles);
    perf_product_shapes(b, TFM_F32, rows, sizeof rows / sizeof *rows, bench_product);
    for (int dtype = TFM_F16; dtype <= TFM_BF16; dtype++)
        for (size_t r = 0; r < sizeof half_rows / sizeof *half_rows; r++)
            bench_product(b, half_rows[r], 2048, 2048, (tfm_dtype)dtype, half_rows[r] <= 8);
}

/* ---- attention ---- */

typedef struct attention_bench {
    const perf_bench *b;
    tfm_attention_args args;
    size_t n_copies, n_pages, next; /* caches used in turn, of so many pages */
    uint32_t *pages;
} attention_bench;

static void run_attention(void *arg) {
    attention_bench *a = arg;
    a->args.kv.pages = a->pages + a->next++ % a->n_copies * a->n_pages;
    a->b->kernels->attention(&a->args);
}

/* Fills all caches with the same random positions; the memory is the caller's to free. */
static void *make_caches(attention_bench *a, tfm_dtype dtype) {
    size_t e = a->args.head_dim, n = a->args.n_positions, n_all = a->n_copies * a->n_pages;
    tfm_kv_layout layout = tfm_kv_layout_of(dtype, e);
    char *data = perf_alloc(n_all * layout.bytes);
    float *key = perf_alloc(n * e * sizeof(float)), *value = perf_alloc(n * e * sizeof(float));
    uint32_t *pages = perf_alloc(n_all * sizeof *pages);
    perf_fill(key, n * e, 3);
    perf_fill(value, n * e, 5);
    for (size_t i = 0; i < n_all; i++) pages[i] = (uint32_t)i;
    a->args.kv = (tfm_kv_view){.dtype = dtype,
                               .k = data + layout.k,
                               .v = data + layout.v,
                               .k_scale = (float *)(void *)(data + layout.k_scale),
                               .v_scale = (float *)(void *)(data + layout.v_scale),
                               .page_stride = layout.bytes};
    for (size_t copy = 0; copy < a->n_copies; copy++) {
        a->args.kv.pages = pages + copy * a->n_pages;
        a->b->kernels->kv_store(&a->args.kv, 0, n, e, key, e, value, e);
    }
    a->pages = pages;
    free(key);
    free(value);
    return data;
}

static void print_attention(const attention_bench *a, const perf_candidate *ours) {
    const perf_bench *b = a->b;
    const tfm_attention_args *args = &a->args;
    double n_query = (double)args->n_query, seen = n_query * (double)args->n_positions;
    if (args->causal) seen -= n_query * (n_query - 1) / 2;
    double gflops = 4 * seen * (double)args->head_dim / ours->median * 1e-9;
    double gbytes = (double)(a->n_pages * args->kv.page_stride) / ours->median * 1e-9;
    if (b->options.json)
        printf("{\"kernel\": \"attention\", \"dtype\": \"%s\", \"queries\": %zu, \"positions\": %zu, \"causal\": %s, "
               "\"cold\": %s, \"us\": %.3f, \"min_us\": %.3f, \"gflops\": %.2f, \"gbytes\": %.2f}\n",
               tfm_dtype_name(args->kv.dtype), args->n_query, args->n_positions, args->causal ? "true" : "false",
               a->n_copies > 1 ? "true" : "false", ours->median * 1e6, ours->minimum * 1e6, gflops, gbytes);
    else
        printf(
            "attention %-4s %4zu queries %5zu positions %-6s %-5s %9.2f us %7.2f ns a pair %7.1f GFLOP/s %4.0f%% of a "
            "thread's peak %7.2f GB/s\n",
            tfm_dtype_name(args->kv.dtype), args->n_query, args->n_positions, args->causal ? "causal" : "full",
            a->n_copies > 1 ? "dram" : "cache", ours->median * 1e6, ours->median * 1e9 / seen, gflops,
            100 * gflops / (b->machine.fma_gflops / b->options.n_threads), gbytes);
    fflush(stdout);
}

/* One head of 64 on one thread; cold: caches of 128 MiB in all are used in turn. */
static void bench_attention(const perf_bench *b, tfm_dtype dtype, size_t n_query, size_t n_positions, bool causal,
                            bool cold) {
    size_t e = 64, n_pages = tfm_panel_count(n_positions), bytes = n_pages * tfm_kv_layout_of(dtype, e).bytes;
    float *query = perf_alloc(n_query * e * sizeof(float)), *out = perf_alloc(n_query * e * sizeof(float));
    perf_fill(query, n_query * e, 4);
    attention_bench a = {.b = b,
                         .args = {.query = query,
                                  .query_stride = e,
                                  .out = out,
                                  .out_stride = e,
                                  .n_query = n_query,
                                  .group = 1,
                                  .head_dim = e,
                                  .n_positions = n_positions,
                                  .query_position = causal ? n_positions - n_query : 0,
                                  .causal = causal,
                                  .scale = 0.125f,
                                  .scratch = perf_alloc(tfm_attention_scratch(b->kernels, e))},
                         .n_copies = cold ? ((size_t)128 << 20) / bytes + 1 : 1,
                         .n_pages = n_pages};
    void *data = make_caches(&a, dtype);
    perf_candidate ours = {.name = "tfm", .run = run_attention, .arg = &a};
    perf_compare(&ours, 1, b->options.quick ? 3 : 11, 0.01, 0);
    print_attention(&a, &ours);
    free(data);
    free(a.pages);
    free(query);
    free(out);
    free(a.args.scratch);
}

static void bench_attentions(const perf_bench *b) {
    static const tfm_dtype dtypes[] = {TFM_F32, TFM_F16, TFM_I8};
    static const size_t decode[] = {16, 32, 64, 256, 1024};
    for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++) {
        for (size_t i = 0; i < sizeof decode / sizeof *decode; i++)
            bench_attention(b, dtypes[t], 1, decode[i], true, false);
        bench_attention(b, dtypes[t], 1, 16384, true, true);
        bench_attention(b, dtypes[t], 32, 32, false, false);
        bench_attention(b, dtypes[t], 64, 1024, true, false);
        bench_attention(b, dtypes[t], 1024, 1024, true, false);
        bench_attention(b, dtypes[t], 1024, 1024, false, false);
    }
}

/* ---- rows ---- */

typedef struct row_bench {
    const tfm_kernels *kernels;
    float *x, *y, *weight, *bias;
    size_t n;
    tfm_activation act;
} row_bench;

static void run_layer_norm(void *arg) {
    row_bench *r = arg;
    r->kernels->layer_norm(r->x, r->n, r->y, r->n, 1, r->n, r->weight, r->bias, 1e-5f);
}
static void run_rms_norm(void *arg) {
    row_bench *r = arg;
    r->kernels->rms_norm(r->x, r->n, r->y, r->n, 1, r->n, r->weight, 1e-5f);
}
static void run_log_sum_exp(void *arg) {
    row_bench *r = arg;
    r->y[0] = r->kernels->log_sum_exp(r->x, r->n);
}
static void run_log_softmax(void *arg) {
    row_bench *r = arg;
    r->kernels->log_softmax(r->x, r->y, r->n);
}
static void run_activation(void *arg) {
    row_bench *r = arg;
    r->kernels->activate(r->x, r->y, r->n, r->act, NULL);
}
static void run_top_k(void *arg) {
    row_bench *r = arg;
    float values[8];
    uint32_t indices[8];
    r->kernels->top_k(r->x, r->n, 8, values, indices);
}

static void bench_rows(const perf_bench *b) {
    static const struct {
        const char *name;
        void (*run)(void *arg);
        size_t n;
        tfm_activation act;
    } cases[] = {
        {"layer_norm", run_layer_norm, 512, TFM_ACT_NONE},
        {"rms_norm", run_rms_norm, 512, TFM_ACT_NONE},
        {"log_sum_exp", run_log_sum_exp, 32000, TFM_ACT_NONE},
        {"log_softmax", run_log_softmax, 32000, TFM_ACT_NONE},
        {"top_k of 8", run_top_k, 32000, TFM_ACT_NONE},
        {"relu", run_activation, 2048, TFM_ACT_RELU},
        {"gelu (erf)", run_activation, 2048, TFM_ACT_GELU_ERF},
        {"gelu (tanh)", run_activation, 2048, TFM_ACT_GELU_TANH},
        {"silu", run_activation, 2048, TFM_ACT_SILU},
        {"tanh", run_activation, 2048, TFM_ACT_TANH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = cases[i].n;
        row_bench r = {b->kernels, perf_alloc(n * 4), perf_alloc(n * 4), perf_alloc(n * 4), perf_alloc(n * 4),
                       n,          cases[i].act};
        perf_fill(r.x, n, 5);
        perf_fill(r.weight, n, 6);
        perf_fill(r.bias, n, 7);
        perf_bench_row(b, cases[i].name, n, cases[i].run, &r);
        free(r.x);
        free(r.y);
        free(r.weight);
        free(r.bias);
    }
}

int main(int argc, char **argv) {
    perf_bench b = perf_bench_open(argc, argv, "[--threads N] [--isa NAME] [--json] [--quick]", "kernels");
#ifdef PERF_OPENBLAS
    openblas_set_num_threads((int)b.options.n_threads);
#endif
    bench_products(&b);
    if (!b.options.json) printf("\n");
    bench_attentions(&b);
    if (!b.options.json) printf("\n");
    bench_rows(&b);
    perf_bench_close(&b);
    return 0;
}
