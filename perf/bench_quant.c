/*
 * bench_quant.c - products with int8 and int4 weights against the machine's limits, our own f32 products and oneDNN's
 * u8s8s32, and the time of quantising a row.
 *
 * The limit of a product is the larger of two times: its operations at the measured peak of the integer instructions,
 * and the bytes of its weights at the bandwidth of where they lie. oneDNN gets its weights packed the way it likes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/pool.h"
#include "harness.h"

#ifdef PERF_ONEDNN
#include <dnnl.h>
#endif

typedef struct bench {
    perf_options options;
    perf_machine machine;
    const tfm_kernels *kernels;
    tfm_pool *pool;
} bench;

typedef struct product {
    const bench *b;
    size_t m, n, k, n_copies, next;
    char *panels; /* (n_copies, panels) */
    size_t bytes; /* of one copy */
    tfm_quantized q;
    tfm_gemm_args args;
    tfm_matrix matrix;
} product;

static void gemm_part(void *arg, unsigned worker, unsigned n_workers) {
    product *p = arg;
    size_t begin, end;
    tfm_partition(tfm_panel_count(p->n), 1, worker, n_workers, &begin, &end);
    if (begin == end) return;
    const tfm_kernels *k = p->b->kernels;
    (p->matrix.dtype == TFM_F32 ? k->gemm : k->gemm_int)(&p->args, 0, p->m, begin, end);
}

static void run_ours(void *arg) {
    product *p = arg;
    p->matrix.data = p->panels + p->next++ % p->n_copies * p->bytes;
    tfm_pool_run(p->b->pool, gemm_part, p);
}

static void make_product(product *p, const bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    size_t panel = tfm_panel_bytes(dtype, k), bytes = tfm_panel_count(n) * panel;
    size_t stride = tfm_quantized_stride(k);
    *p = (product){.b = b, .m = m, .n = n, .k = k, .bytes = bytes};
    p->n_copies = cold ? ((size_t)256 << 20) / bytes + 1 : 1;
    p->panels = perf_alloc(p->n_copies * bytes);
    float *rows = perf_alloc(TFM_PANEL * k * sizeof(float)), *a = perf_alloc(m * k * sizeof(float));
    for (size_t i = 0; i < p->n_copies * tfm_panel_count(n); i++) {
        if (i < tfm_panel_count(n)) {
            perf_fill(rows, TFM_PANEL * k, i + 1);
            tfm_panel_pack(rows, k, TFM_PANEL, k, dtype, p->panels + i * panel);
        } else {
            memcpy(p->panels + i * panel, p->panels + (i - tfm_panel_count(n)) * panel, panel);
        }
    }
    perf_fill(a, m * k, 2);
    p->q = (tfm_quantized){perf_alloc(m * stride), stride, perf_alloc(m * sizeof(float)),
                           perf_alloc(m * (stride / TFM_I4_GROUP) * sizeof(int32_t))};
    b->kernels->quantize(a, k, k, &p->q, 0, m);
    p->matrix = (tfm_matrix){p->panels, dtype, n, k};
    p->args = (tfm_gemm_args){.a = a,
                              .a_stride = k,
                              .q = &p->q,
                              .c = perf_alloc(m * n * sizeof(float)),
                              .c_stride = n,
                              .w = &p->matrix,
                              .act = TFM_ACT_NONE,
                              .scale = 1};
    free(rows);
}

static void free_product(product *p) {
    free(p->panels);
    free((void *)p->args.a);
    free(p->args.c);
    free(p->q.q);
    free(p->q.scale);
    free(p->q.sums);
}

#ifdef PERF_ONEDNN
/* A product of unsigned activations and signed weights, as oneDNN has it: no scales, no epilogue. */
typedef struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t matmul;
    dnnl_memory_t source, *weights, result;
    size_t n_copies, next;
} onednn;

static void must(dnnl_status_t status) {
    if (status == dnnl_success) return;
    fprintf(stderr, "oneDNN: error %d\n", (int)status);
    exit(1);
}

static dnnl_memory_desc_t describe(size_t rows, size_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t d;
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    must(dnnl_memory_desc_init_by_tag(&d, 2, dims, type, tag));
    return d;
}

static void fill_bytes(dnnl_memory_t memory, const dnnl_memory_desc_t *d) {
    void *data;
    must(dnnl_memory_get_data_handle(memory, &data));
    size_t n = dnnl_memory_desc_get_size(d);
    for (size_t i = 0; i < n; i++) ((unsigned char *)data)[i] = (unsigned char)(i * 2654435761u >> 13 & 63);
}

static void make_onednn(onednn *o, const product *p) {
    dnnl_memory_desc_t source = describe(p->m, p->k, dnnl_u8, dnnl_ab),
                       result = describe(p->m, p->n, dnnl_s32, dnnl_ab);
    dnnl_memory_desc_t weights = describe(p->k, p->n, dnnl_s8, dnnl_format_tag_any);
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_desc_t d;
    must(dnnl_engine_create(&o->engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags));
    must(dnnl_matmul_desc_init(&matmul, &source, &weights, NULL, &result));
    must(dnnl_primitive_desc_create(&d, &matmul, NULL, o->engine, NULL));
    must(dnnl_primitive_create(&o->matmul, d));
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(d, dnnl_query_weights_md, 0);
    must(dnnl_memory_create(&o->source, &source, o->engine, DNNL_MEMORY_ALLOCATE));
    must(dnnl_memory_create(&o->result, &result, o->engine, DNNL_MEMORY_ALLOCATE));
    fill_bytes(o->source, &source);
    o->n_copies = p->n_copies;
    o->next = 0;
    o->weights = perf_alloc(p->n_copies * sizeof *o->weights);
    for (size_t i = 0; i < p->n_copies; i++) {
        must(dnnl_memory_create(&o->weights[i], packed, o->engine, DNNL_MEMORY_ALLOCATE));
        fill_bytes(o->weights[i], packed);
    }
    must(dnnl_primitive_desc_destroy(d));
}

static void run_onednn(void *arg) {
    onednn *o = arg;
    dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, o->source}, {DNNL_ARG_WEIGHTS, o->weights[o->next++ % o->n_copies]}, {DNNL_ARG_DST, o->result}};
    must(dnnl_primitive_execute(o->matmul, o->stream, 3, args));
    must(dnnl_stream_wait(o->stream));
}

static void free_onednn(onednn *o) {
    for (size_t i = 0; i < o->n_copies; i++) must(dnnl_memory_destroy(o->weights[i]));
    free(o->weights);
    must(dnnl_memory_destroy(o->source));
    must(dnnl_memory_destroy(o->result));
    must(dnnl_primitive_destroy(o->matmul));
    must(dnnl_stream_destroy(o->stream));
    must(dnnl_engine_destroy(o->engine));
}
#endif

static void print_result(const bench *b, const product *p, const perf_candidate *c, size_t n, bool cold) {
    double operations = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    double bandwidth = cold ? b->machine.dram_gbytes : b->machine.l2_gbytes;
    double compute = operations / b->machine.int8_gops * 1e-9, memory = (double)p->bytes / bandwidth * 1e-9;
    double limit = compute > memory ? compute : memory;
    const char *name = tfm_dtype_name(p->matrix.dtype);
    if (b->options.json) {
        printf("{\"kernel\": \"gemm_int\", \"dtype\": \"%s\", \"m\": %zu, \"n\": %zu, \"k\": %zu, \"cold\": %s, "
               "\"limit_us\": %.3f",
               name, p->m, p->n, p->k, cold ? "true" : "false", limit * 1e6);
        for (size_t i = 0; i < n; i++)
            printf(", \"%s_us\": %.3f, \"%s_min_us\": %.3f", c[i].name, c[i].median * 1e6, c[i].name,
                   c[i].minimum * 1e6);
        printf("}\n");
    } else {
        printf("%-5s %4zu x %5zu x %4zu %-5s %9.1f %8.1f %7.2f %6.0f%%", name, p->m, p->n, p->k,
               cold ? "dram" : "cache", c[0].median * 1e6, operations / c[0].median * 1e-9,
               (double)p->bytes / c[0].median * 1e-9, 100 * limit / c[0].median);
        for (size_t i = 1; i < n; i++) printf(" %9.1f %6.2fx", c[i].median * 1e6, c[i].median / c[0].median);
        printf("\n");
    }
    fflush(stdout);
}

static void bench_product(const bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    product ours, floats;
    make_product(&ours, b, m, n, k, dtype, cold);
    make_product(&floats, b, m, n, k, TFM_F32, cold);
    perf_candidate candidates[3] = {{.name = "tfm", .run = run_ours, .arg = &ours},
                                    {.name = "tfm_f32", .run = run_ours, .arg = &floats}};
    size_t n_candidates = 2;
#ifdef PERF_ONEDNN
    onednn other;
    make_onednn(&other, &ours);
    candidates[n_candidates++] = (perf_candidate){.name = "onednn", .run = run_onednn, .arg = &other};
#endif
    perf_compare(candidates, n_candidates, b->options.quick ? 3 : 11, b->options.quick ? 0.005 : 0.03,
                 b->options.n_threads > 1 ? PERF_OTHERS_SPIN : 0);
    print_result(b, &ours, candidates, n_candidates, cold);
#ifdef PERF_ONEDNN
    free_onednn(&other);
#endif
    free_product(&ours);
    free_product(&floats);
}

static void bench_products(const bench *b) {
    static const size_t rows[] = {1, 2, 4, 8, 32, 128, 512};
    static const size_t shapes[][2] = {{512, 512}, {2048, 512}, {512, 2048}, {2048, 2048}, {32000, 512}, {32000, 2048}};
    if (!b->options.json)
        printf("products                      weights        us    GOP/s    GB/s  limit   our f32            "
               "oneDNN u8s8s32\n");
    for (int dtype = TFM_I8; dtype <= TFM_I4; dtype++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
                bool large = shapes[s][0] * shapes[s][1] >= 2048 * 2048;
                if (b->options.quick && large && rows[r] > 8) continue;
                bench_product(b, rows[r], shapes[s][0], shapes[s][1], (tfm_dtype)dtype, rows[r] <= 8 && large);
            }
}

static void run_quantize(void *arg) {
    product *p = arg;
    p->b->kernels->quantize(p->args.a, p->k, p->k, &p->q, 0, 1);
}

static void bench_quantize(const bench *b) {
    for (size_t k = 512; k <= 8192; k *= 4) {
        product p;
        make_product(&p, b, 1, 16, k, TFM_I8, false);
        perf_candidate ours = {.name = "tfm", .run = run_quantize, .arg = &p};
        perf_compare(&ours, 1, b->options.quick ? 3 : 11, 0.005, 0);
        if (b->options.json)
            printf("{\"kernel\": \"quantize\", \"n\": %zu, \"us\": %.4f}\n", k, ours.median * 1e6);
        else
            printf("quantize     n %6zu %9.2f us %7.3f ns an element\n", k, ours.median * 1e6,
                   ours.median * 1e9 / (double)k);
        free_product(&p);
    }
}

int main(int argc, char **argv) {
    bench b = {.options = perf_parse(argc, argv, "[--threads N] [--isa NAME] [--json] [--quick]")};
    b.kernels = tfm_kernels_get(b.options.isa);
    if (tfm_pool_create(&b.pool, b.options.n_threads, NULL)) return 1;
    b.machine = perf_measure_machine(b.options.isa, b.options.n_threads);
    perf_print_header("products of int8 and int4", b.options.isa, b.options.n_threads, &b.machine, b.options.json);
    bench_quantize(&b);
    if (!b.options.json) printf("\n");
    bench_products(&b);
    tfm_pool_free(&b.pool);
    return 0;
}
