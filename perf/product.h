/*
 * product.h - a matrix product as the benchmarks time it: our kernel and its operands, how fast it could be, and the
 * line that says how fast it was beside others.
 */
#ifndef TFM_PERF_PRODUCT_H
#define TFM_PERF_PRODUCT_H

#include "harness.h"

typedef struct perf_product {
    const perf_bench *bench;
    size_t m, n, k;
    bool cold; /* weights come from memory: copies of them, more than the caches hold, are used in turn */
    size_t n_copies, next;
    char *panels;      /* (n_copies, bytes) */
    size_t bytes;      /* of one copy */
    tfm_matrix matrix; /* the copy in use */
    tfm_quantized q;   /* the activations, as products with int8 and int4 weights take them */
    tfm_gemm_args args;
} perf_product;

/* Random weights (n, k) of a type and activations (m, k); perf_product_free gives them back. */
perf_product *perf_product_new(const perf_bench *bench, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold);
void perf_product_free(perf_product *product);

/* Our candidate: runs a perf_product on the benchmark's threads, with the next copy of the weights. */
void perf_product_run(void *product);

/*
 * Times candidates, the first of which is ours, and prints a line: a JSON object, or text under the heading that
 * perf_product_heading prints.
 */
void perf_product_compare(const perf_product *product, perf_candidate *candidates, size_t n);
void perf_product_heading(const perf_bench *bench, const char *const *others, size_t n_others);

/* Shapes and places of weights that products are measured with, for each of these numbers of rows. */
typedef void perf_product_fn(const perf_bench *bench, size_t m, size_t n, size_t k, tfm_dtype dtype, bool cold);
void perf_product_shapes(const perf_bench *bench, tfm_dtype dtype, const size_t *rows, size_t n_rows,
                         perf_product_fn *measure);

#endif
