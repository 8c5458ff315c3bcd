/*
 * bench_kernels.c - the kernels against the machine's limits, and f32 products against OpenBLAS and oneDNN.
 *
 * The limit of a product is the larger of two times: its operations at the FMA peak, and the bytes of its weights at
 * the bandwidth of where they lie (DRAM if the copies used in turn exceed the caches).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/pool.h"
#include "harness.h"

#ifdef PERF_OPENBLAS
#include <cblas.h>
#endif
#ifdef PERF_ONEDNN
#include <dnnl.h>
#endif

typedef struct bench {
    perf_options options;
    perf_machine machine;
    const tfm_kernels *kernels;
    tfm_pool *pool;
} bench;

/* ---- products ---- */

typedef struct product {
    const bench *b;
    size_t m, n, k, n_copies, next;
    float *a, *c;
    float *plain; /* (n_copies, n, k) for the other libraries */
    char *panels; /* (n_copies, panels) */
    size_t panel_bytes;
    tfm_dtype dtype;
    tfm_gemm_args args;
    tfm_matrix matrix;
} product;

static void gemm_part(void *arg, unsigned worker, unsigned n_workers) {
    product *p = arg;
    size_t begin, end;
    tfm_partition(tfm_panel_count(p->n), 1, worker, n_workers, &begin, &end);
    if (begin < end) p->b->kernels->gemm(&p->args, 0, p->m, begin, end);
}

static void run_ours(void *arg) {
    product *p = arg;
    p->matrix.data = p->panels + p->next++ % p->n_copies * p->panel_bytes;
    tfm_pool_run(p->b->pool, gemm_part, p);
}

#ifdef PERF_OPENBLAS
static void run_openblas(void *arg) {
    product *p = arg;
    const float *w = p->plain + p->next++ % p->n_copies * p->n * p->k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->m, (int)p->n, (int)p->k, 1, p->a, (int)p->k, w,
                (int)p->k, 0, p->c, (int)p->n);
}
#endif
#ifdef PERF_ONEDNN
static void run_onednn(void *arg) {
    product *p = arg;
    const float *w = p->plain + p->next++ % p->n_copies * p->n * p->k;
    dnnl_sgemm('N', 'T', (dnnl_dim_t)p->m, (dnnl_dim_t)p->n, (dnnl_dim_t)p->k, 1, p->a, (dnnl_dim_t)p->k, w,
               (dnnl_dim_t)p->k, 0, p->c, (dnnl_dim_t)p->n);
}
#endif

static void make_product(product *p, const bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    *p = (product){.b = b, .m = m, .n = n, .k = k, .dtype = dtype};
    p->panel_bytes = tfm_panel_count(n) * TFM_PANEL * k * tfm_dtype_size(dtype);
    p->n_copies = cold ? ((size_t)256 << 20) / p->panel_bytes + 1 : 1;
    p->a = perf_alloc(m * k * sizeof(float));
    p->c = perf_alloc(m * n * sizeof(float));
    p->plain = perf_alloc(p->n_copies * n * k * sizeof(float));
    p->panels = perf_alloc(p->n_copies * p->panel_bytes);
    perf_fill(p->a, m * k, 1);
    perf_fill(p->plain, p->n_copies * n * k, 2);
    size_t panel = p->panel_bytes / tfm_panel_count(n);
    for (size_t copy = 0; copy < p->n_copies; copy++)
        for (size_t r = 0; r < n; r += TFM_PANEL)
            tfm_panel_pack(p->plain + (copy * n + r) * k, k, n - r < TFM_PANEL ? n - r : TFM_PANEL, k, dtype,
                           p->panels + copy * p->panel_bytes + r / TFM_PANEL * panel);
    p->matrix = (tfm_matrix){p->panels, dtype, n, k};
    p->args = (tfm_gemm_args){
        .a = p->a, .a_stride = k, .c = p->c, .c_stride = n, .w = &p->matrix, .act = TFM_ACT_NONE, .scale = 1};
}

static void free_product(product *p) {
    free(p->a);
    free(p->c);
    free(p->plain);
    free(p->panels);
}

static void bench_product(const bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    product p;
    make_product(&p, b, m, n, k, dtype, cold);
    perf_candidate candidates[3] = {{.name = "tfm", .run = run_ours, .arg = &p}};
    size_t n_candidates = 1;
#ifdef PERF_OPENBLAS
    if (dtype == TFM_F32)
        candidates[n_candidates++] = (perf_candidate){.name = "openblas", .run = run_openblas, .arg = &p};
#endif
#ifdef PERF_ONEDNN
    if (dtype == TFM_F32) candidates[n_candidates++] = (perf_candidate){.name = "onednn", .run = run_onednn, .arg = &p};
#endif
    perf_compare(candidates, n_candidates, b->options.quick ? 3 : 11, b->options.quick ? 0.005 : 0.03,
                 b->options.n_threads > 1 ? PERF_OTHERS_SPIN : 0);

    double operations = 2.0 * (double)m * (double)n * (double)k, bytes = (double)p.panel_bytes;
    double compute = operations / b->machine.fma_gflops * 1e-9;
    double memory = bytes / (cold ? b->machine.dram_gbytes : b->machine.l2_gbytes) * 1e-9;
    double limit = compute > memory ? compute : memory, other = 0;
    for (size_t i = 1; i < n_candidates; i++)
        if (other == 0 || candidates[i].median < other) other = candidates[i].median;
    const perf_candidate *ours = &candidates[0];
    if (b->options.json) {
        printf("{\"kernel\": \"gemm\", \"dtype\": \"%s\", \"m\": %zu, \"n\": %zu, \"k\": %zu, \"cold\": %s, "
               "\"limit_us\": %.3f",
               tfm_dtype_name(dtype), m, n, k, cold ? "true" : "false", limit * 1e6);
        for (size_t i = 0; i < n_candidates; i++)
            printf(", \"%s_us\": %.3f, \"%s_min_us\": %.3f", candidates[i].name, candidates[i].median * 1e6,
                   candidates[i].name, candidates[i].minimum * 1e6);
        printf("}\n");
    } else {
        printf("%-5s %4zu x %5zu x %4zu %-5s %9.1f %8.1f %7.2f %6.0f%%", tfm_dtype_name(dtype), m, n, k,
               cold ? "dram" : "cache", ours->median * 1e6, operations / ours->median * 1e-9,
               bytes / ours->median * 1e-9, 100 * limit / ours->median);
        for (size_t i = 1; i < n_candidates; i++) printf(" %9.1f", candidates[i].median * 1e6);
        if (other > 0) printf(" %6.2fx", other / ours->median);
        printf("\n");
    }
    fflush(stdout);
    free_product(&p);
}

static void bench_products(const bench *b) {
    static const size_t rows[] = {1, 4, 8, 32, 128, 512};
    static const size_t shapes[][2] = {{512, 512}, {2048, 512}, {512, 2048}, {2048, 2048}, {32000, 512}, {32000, 2048}};
    if (!b->options.json) {
        printf("products                      weights        us  GFLOP/s    GB/s  limit");
#ifdef PERF_OPENBLAS
        printf("  OpenBLAS");
#endif
#ifdef PERF_ONEDNN
        printf("    oneDNN");
#endif
        printf("   ratio to the best of them\n");
    }
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            bool large = shapes[s][0] * shapes[s][1] >= 2048 * 2048;
            if (b->options.quick && large && rows[r] > 8) continue;
            bench_product(b, rows[r], shapes[s][0], shapes[s][1], TFM_F32, rows[r] <= 8 && large);
        }
    }
    for (int dtype = TFM_F16; dtype <= TFM_BF16; dtype++)
        for (size_t r = 0; r < 5; r++)
            if (rows[r] != 32) bench_product(b, rows[r], 2048, 2048, (tfm_dtype)dtype, rows[r] <= 8);
}

/* ---- attention ---- */

typedef struct attention_bench {
    const bench *b;
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
    const bench *b = a->b;
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
static void bench_attention(const bench *b, tfm_dtype dtype, size_t n_query, size_t n_positions, bool causal,
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

static void bench_attentions(const bench *b) {
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

static void bench_rows(const bench *b) {
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
        perf_candidate ours = {.name = "tfm", .run = cases[i].run, .arg = &r};
        perf_compare(&ours, 1, b->options.quick ? 3 : 11, 0.005, 0);
        if (b->options.json)
            printf("{\"kernel\": \"%s\", \"n\": %zu, \"us\": %.4f}\n", cases[i].name, n, ours.median * 1e6);
        else
            printf("%-12s n %6zu %9.2f us %7.3f ns an element\n", cases[i].name, n, ours.median * 1e6,
                   ours.median * 1e9 / (double)n);
        free(r.x);
        free(r.y);
        free(r.weight);
        free(r.bias);
    }
}

int main(int argc, char **argv) {
    bench b = {.options = perf_parse(argc, argv, "[--threads N] [--isa NAME] [--json] [--quick]")};
    b.kernels = tfm_kernels_get(b.options.isa);
    if (tfm_pool_create(&b.pool, b.options.n_threads, NULL)) return 1;
#ifdef PERF_OPENBLAS
    openblas_set_num_threads((int)b.options.n_threads);
#endif
    b.machine = perf_measure_machine(b.options.isa, b.options.n_threads);
    perf_print_header("kernels", b.options.isa, b.options.n_threads, &b.machine, b.options.json);
    bench_products(&b);
    if (!b.options.json) printf("\n");
    bench_attentions(&b);
    if (!b.options.json) printf("\n");
    bench_rows(&b);
    tfm_pool_free(&b.pool);
    return 0;
}
