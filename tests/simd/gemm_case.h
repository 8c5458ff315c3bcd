/* gemm_case.h - what the checks of gemm and gemm_int share: a random product, and what must hold of every product. */
#ifndef TFM_TESTS_SIMD_GEMM_CASE_H
#define TFM_TESTS_SIMD_GEMM_CASE_H

#include "checker.h"

typedef struct gemm_case {
    tfm_matrix w;
    tfm_quantized q; /* for int8 and int4 weights */
    tfm_gemm_args args;
    size_t m, row0, row1, panel0, panel1;
    size_t n_c; /* floats from c's first to its last element */
} gemm_case;

/*
 * What a product of m rows with the weights p->w, which the caller has made, does besides: with `plain` nothing, over
 * all rows and panels; else a random epilogue, now and then over a part of them.
 */
void gemm_case_make(check_case *c, gemm_case *p, size_t m, bool plain);

/* Numbers of columns around the multiples of 4, 32 and 64 that the layouts have, and the longest there is. */
size_t gemm_case_k(check_case *c);
/* Panels (n, k) of int8 or int4 that hold any bytes, with scales that now and then are no numbers; they end at a page
 * nobody may touch. */
tfm_matrix gemm_case_int_weights(check_case *c, size_t n, size_t k, tfm_dtype dtype);
/* Weight and scale of column `column` and input column c, by the text of panels.h. */
int gemm_case_weight(const tfm_matrix *w, size_t column, size_t c, float *scale);
/* A matrix (m, n), now and then with padding behind its rows. */
float *gemm_case_rows(check_case *c, size_t m, size_t n, size_t *stride);

/* Runs the product into a fresh buffer. */
float *gemm_case_run(check_case *c, gemm_case *p, tfm_gemm_fn *gemm);
/* Whether element i of c is one the product must write; p is a gemm_case. */
bool gemm_case_writes(const void *p, size_t i);

/* The residual may be the output itself: gives `expected` too. */
void gemm_case_check_in_place(check_case *c, gemm_case *p, tfm_gemm_fn *gemm, const float *expected);
/* Any cut into rows and panels gives the bits of the whole. */
void gemm_case_check_pieces(check_case *c, gemm_case *p, tfm_gemm_fn *gemm);

#endif
