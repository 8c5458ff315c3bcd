/*
 * bench_gemm_int.c - products with int8 and int4 weights against the machine's limits, our own f32 products and
 * oneDNN's u8s8s32, and the time of quantising a row. oneDNN gets its weights packed the way it likes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "product.h"

#ifdef PERF_ONEDNN
#include <dnnl.h>

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

static void make_onednn(onednn *o, const perf_product *p) {
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

static void bench_product(const perf_bench *b, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold) {
    perf_product *ours = perf_product_new(b, m, n, k, dtype, cold);
    perf_product *floats = perf_product_new(b, m, n, k, TFM_F32, cold);
    perf_candidate candidates[3] = {{.name = "tfm", .run = perf_product_run, .arg = ours},
                                    {.name = "tfm_f32", .run = perf_product_run, .arg = floats}};
    size_t n_candidates = 2;
#ifdef PERF_ONEDNN
    onednn other;
    make_onednn(&other, ours);
    candidates[n_candidates++] = (perf_candidate){.name = "onednn", .run = run_onednn, .arg = &other};
#endif
    perf_product_compare(ours, candidates, n_candidates);
#ifdef PERF_ONEDNN
    free_onednn(&other);
#endif
    perf_product_free(ours);
    perf_product_free(floats);
}

static void bench_products(const perf_bench *b) {
    static const size_t rows[] = {1, 2, 4, 8, 32, 128, 512};
    static const char *const others[] = {
        "our f32",
#ifdef PERF_ONEDNN
        "oneDNN u8s8s32",
#endif
    };
    perf_product_heading(b, others, sizeof others / sizeof *others);
    for (int dtype = TFM_I8; dtype <= TFM_I4; dtype++)
        perf_product_shapes(b, (tfm_dtype)dtype, rows, sizeof rows / sizeof *rows, bench_product);
}

static void run_quantize(void *arg) {
    perf_product *p = arg;
    p->bench->kernels->quantize(p->args.a, p->k, p->k, &p->q, 0, 1);
}

static void bench_quantize(const perf_bench *b) {
    for (size_t k = 512; k <= 8192; k *= 4) {
        perf_product *p = perf_product_new(b, 1, TFM_PANEL, k, TFM_I8, false);
        perf_bench_row(b, "quantize", k, run_quantize, p);
        perf_product_free(p);
    }
}

int main(int argc, char **argv) {
    perf_bench b =
        perf_bench_open(argc, argv, "[--threads N] [--isa NAME] [--json] [--quick]", "products of int8 and int4");
    bench_quantize(&b);
    if (!b.options.json) printf("\n");
    bench_products(&b);
    perf_bench_close(&b);
    return 0;
}
