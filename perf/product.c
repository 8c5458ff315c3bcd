/* product.c - see product.h. */
#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- operands ---- */

/* One copy of the weights with random values, the others like it. */
static void fill_weights(perf_product *p) {
    size_t panel = tfm_panel_bytes(p->matrix.dtype, p->k);
    float *rows = perf_alloc(TFM_PANEL * p->k * sizeof(float));
    for (size_t i = 0; i < tfm_panel_count(p->n); i++) {
        size_t left = p->n - i * TFM_PANEL;
        perf_fill(rows, TFM_PANEL * p->k, i + 1);
        tfm_panel_pack(rows, p->k, left < TFM_PANEL ? left : TFM_PANEL, p->k, p->matrix.dtype, p->panels + i * panel);
    }
    for (size_t copy = 1; copy < p->n_copies; copy++) memcpy(p->panels + copy * p->bytes, p->panels, p->bytes);
    free(rows);
}

perf_product *perf_product_new(const perf_bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    perf_product *p = perf_alloc(sizeof *p);
    float *a = perf_alloc(m * k * sizeof(float));
    *p = (perf_product){.bench = b, .m = m, .n = n, .k = k, .cold = cold};
    p->bytes = tfm_panel_count(n) * tfm_panel_bytes(dtype, k);
    p->n_copies = cold ? ((size_t)256 << 20) / p->bytes + 1 : 1;
    p->panels = perf_alloc(p->n_copies * p->bytes);
    p->matrix = (tfm_matrix){p->panels, dtype, n, k};
    fill_weights(p);
    perf_fill(a, m * k, 2);
    p->q = (tfm_quantized){.q = perf_alloc(m * tfm_quantized_stride(k)), .stride = tfm_quantized_stride(k)};
    p->q.scale = perf_alloc(m * sizeof *p->q.scale);
    p->q.sums = perf_alloc(m * tfm_quantized_groups(&p->q) * sizeof *p->q.sums);
    b->kernels->quantize(a, k, k, &p->q, 0, m);
    p->args = (tfm_gemm_args){.a = a,
                              .a_stride = k,
                              .q = &p->q,
                              .c = perf_alloc(m * n * sizeof(float)),
                              .c_stride = n,
                              .w = &p->matrix,
                              .act = TFM_ACT_NONE,
                              .scale = 1};
    return p;
}

void perf_product_free(perf_product *p) {
    free(p->panels);
    free((void *)p->args.a);
    free(p->args.c);
    free(p->q.q);
    free(p->q.scale);
    free(p->q.sums);
    free(p);
}

static void gemm_part(void *arg, unsigned worker, unsigned n_workers) {
    const perf_product *p = arg;
    size_t begin, end;
    tfm_partition(tfm_panel_count(p->n), 1, worker, n_workers, &begin, &end);
    if (begin < end) tfm_gemm_for(p->bench->kernels, p->matrix.dtype)(&p->args, 0, p->m, begin, end);
}

void perf_product_run(void *product) {
    perf_product *p = product;
    p->matrix.data = p->panels + p->next++ % p->n_copies * p->bytes;
    tfm_pool_run(p->bench->pool, gemm_part, p);
}

/* ---- figures ---- */

static double operations(const perf_product *p) { return 2.0 * (double)p->m * (double)p->n * (double)p->k; }

/*
 * Seconds a product takes at least: the larger of its operations at the measured peak of the instructions for them, and
 * of the bytes of its weights at the bandwidth of where they lie.
 */
static double limit_of(const perf_product *p) {
    const perf_machine *machine = &p->bench->machine;
    double peak = tfm_dtype_quantized(p->matrix.dtype) ? machine->int8_gops : machine->fma_gflops;
    double compute = operations(p) / peak * 1e-9;
    double memory = (double)p->bytes / (p->cold ? machine->dram_gbytes : machine->l2_gbytes) * 1e-9;
    return compute > memory ? compute : memory;
}

static void print_json(const perf_product *p, const perf_candidate *c, size_t n) {
    printf("{\"kernel\": \"%s\", \"dtype\": \"%s\", \"m\": %zu, \"n\": %zu, \"k\": %zu, \"cold\": %s, "
           "\"limit_us\": %.3f",
           tfm_dtype_quantized(p->matrix.dtype) ? "gemm_int" : "gemm", tfm_dtype_name(p->matrix.dtype), p->m, p->n,
           p->k, p->cold ? "true" : "false", limit_of(p) * 1e6);
    for (size_t i = 0; i < n; i++)
        printf(", \"%s_us\": %.3f, \"%s_min_us\": %.3f", c[i].name, c[i].median * 1e6, c[i].name, c[i].minimum * 1e6);
    printf("}\n");
}

static void print_text(const perf_product *p, const perf_candidate *c, size_t n) {
    printf("%-5s %4zu x %5zu x %4zu %-5s %9.1f %8.1f %7.2f %6.0f%%", tfm_dtype_name(p->matrix.dtype), p->m, p->n, p->k,
           p->cold ? "dram" : "cache", c[0].median * 1e6, operations(p) / c[0].median * 1e-9,
           (double)p->bytes / c[0].median * 1e-9, 100 * limit_of(p) / c[0].median);
    for (size_t i = 1; i < n; i++) printf(" %9.1f %6.2fx", c[i].median * 1e6, c[i].median / c[0].median);
    printf("\n");
}

void perf_product_compare(const perf_product *p, perf_candidate *candidates, size_t n) {
    const perf_bench *b = p->bench;
    perf_compare(candidates, n, perf_bench_rounds(b), perf_bench_seconds(b),
                 b->options.n_threads > 1 ? PERF_OTHERS_SPIN : 0);
    (b->options.json ? print_json : print_text)(p, candidates, n);
    fflush(stdout);
}

void perf_product_heading(const perf_bench *b, const char *const *others, size_t n_others) {
    if (b->options.json) return;
    printf("products                      weights        us    GOP/s    GB/s  limit");
    for (size_t i = 0; i < n_others; i++) printf(" %17s", others[i]);
    printf("\n");
}

void perf_product_shapes(const perf_bench *b, tfm_dtype dtype, const size_t *rows, size_t n_rows,
                         perf_product_fn *measure) {
    static const size_t shapes[][2] = {{512, 512}, {2048, 512}, {512, 2048}, {2048, 2048}, {32000, 512}, {32000, 2048}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t r = 0; r < n_rows; r++) {
            size_t n = shapes[s][0], k = shapes[s][1];
            bool large = n * k >= 2048 * 2048;
            if (b->options.quick && large && rows[r] > 8) continue;
            measure(b, rows[r], n, k, dtype, rows[r] <= 8 && large);
        }
}
