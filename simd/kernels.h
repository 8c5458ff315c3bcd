/*
 * kernels.h - the kernel table: everything the executor computes with, one table per instruction set. Here are the
 * types and what all kernels have in common; kernels.def has the kernels, one by one.
 *
 * All tables give the same bits. What makes them so is part of each kernel's meaning and stated here: float kernels
 * are written against a vector of 16 lanes; an output element of a matrix product is one chain of fused
 * multiply-adds over k in index order; a sum over a row is 16 lane sums (element i goes to lane i mod 16, in order)
 * joined by one fixed tree (docs/kernels.md); maxima are exact and need no order. Where a result is NaN it is NaN on
 * every instruction set, but its sign and payload are not specified.
 *
 * Kernels run on the calling thread. The ones that take a range of rows or panels may be called from several threads
 * with disjoint ranges; every range gives the bits the whole would give.
 *
 * Shapes: m rows (tokens), n output columns, k input columns. Strides count elements. No kernel reads or writes
 * outside the rows and columns named, so a buffer may end where its last element does.
 */
#ifndef TFM_SIMD_KERNELS_H
#define TFM_SIMD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "isa.h"
#include "panels.h"

/* Positions whose scores are held at once in attention; part of the meaning (where the running maximum changes). */
#define TFM_ATTENTION_BLOCK 256

typedef enum tfm_activation {
    TFM_ACT_NONE,
    TFM_ACT_RELU,
    TFM_ACT_GELU_ERF,  /* x/2 (1 + erf(x/sqrt 2)) */
    TFM_ACT_GELU_TANH, /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    TFM_ACT_SILU,      /* x / (1 + exp(-x)), also called swish */
    TFM_ACT_TANH,
    TFM_ACT_COUNT
} tfm_activation;

/* Which features of a head are rotated together: i and i + rope_dim / 2, or 2i and 2i + 1. */
typedef enum tfm_rope_layout { TFM_ROPE_HALVES, TFM_ROPE_INTERLEAVED } tfm_rope_layout;

/* A weight matrix (n, k) in panels; output = input (m, k) x transpose. See panels.h for the layout. */
typedef struct tfm_matrix {
    const void *data;
    tfm_dtype dtype;
    size_t n, k;
} tfm_matrix;

/*
 * Rows of activations as products with int8 and int4 weights take them. Columns past k, up to stride, are 0.
 *   scale = max |x| / 127;  q = round to nearest even (x * (127 / max |x|)), in [-127, 127];  x is about q * scale
 * A row of zeros has scale 0. A row that holds a NaN or an infinity has q = 0 and scale NaN, and so are all products
 * with it. A row so small that 127 / max |x| overflows (max |x| < 2^-121) keeps its scale but has q = 0.
 * Shapes: q (m, stride), stride = k rounded up to TFM_I4_BLOCK, 64-aligned; sums (m, groups).
 */
typedef struct tfm_quantized {
    int8_t *q;
    size_t stride;
    float *scale;  /* (m) */
    int32_t *sums; /* q added up over each group of TFM_I4_GROUP columns */
} tfm_quantized;

/* The stride of rows of k columns, and groups of columns in a row. */
static inline size_t tfm_quantized_stride(size_t k) { return tfm_i4_blocks(k) * TFM_I4_BLOCK; }
static inline size_t tfm_quantized_groups(const tfm_quantized *q) { return q->stride / TFM_I4_GROUP; }

/*
 * y = epilogue(a x transpose(w)):
 *   float weights: acc = chain of fma(a[k], w[k], acc) from +0 over k = 0, 1, ...; f16 and bf16 are widened exactly
 *   int8 weights:  acc = (float)(sum of q[k] * w[k], exact) * w.scale[n] * a.scale[row], in this order
 *   int4 weights:  acc = chain of fma((float)(sum of q[k] * w[k] over group g, exact), w.scale[g][n], acc) from +0 over
 *                  the groups in order; then * a.scale[row]
 *   acc = acc + bias[n]            if bias
 *   acc = act(acc)
 *   acc = acc * mul[row][n]        if mul (the other half of a gated feed-forward)
 *   acc = acc * scale              if scale != 1
 *   acc = residual[row][n] + acc   if residual
 * residual may be c itself; otherwise c overlaps nothing.
 */
typedef struct tfm_gemm_args {
    const float *a; /* (m, k) for float weights */
    size_t a_stride;
    const tfm_quantized *q; /* (m, k) for int8 and int4 weights */
    float *c;               /* (m, n) */
    size_t c_stride;
    const tfm_matrix *w;
    const float *bias; /* (n) or NULL */
    tfm_activation act;
    const float *mul; /* (m, n) or NULL */
    size_t mul_stride;
    float scale;
    const float *residual; /* (m, n) or NULL */
    size_t residual_stride;
} tfm_gemm_args;

/*
 * Where keys and values of one head (or one group's head) lie: pages of TFM_PANEL positions, in f32, f16 or int8.
 * Position p is in page pages[p / 16], lane p % 16, at byte pages[p / 16] * page_stride of each of the pointers:
 *   key   feature d: element d * 16 + p % 16 of k
 *   value feature d: element (d / 16) * 256 + (p % 16) * 16 + d % 16 of v
 * Value pages hold ceil(head_dim / 16) panels; the lanes past head_dim must be finite (the cache keeps them 0).
 * int8: signed bytes; a position's key and value have one scale each (max |x| / 127, as in tfm_quantized), element
 * p % 16 of k_scale and v_scale. Everything is 64-aligned.
 */
typedef struct tfm_kv_view {
    tfm_dtype dtype; /* TFM_F32, TFM_F16 or TFM_I8 */
    void *k, *v;
    float *k_scale, *v_scale; /* int8 only */
    const uint32_t *pages;
    size_t page_stride; /* bytes */
} tfm_kv_view;

/* Bytes from the start of a head's part of a page to each of the four; all multiples of 64. */
typedef struct tfm_kv_layout {
    size_t k, k_scale, v, v_scale, bytes;
} tfm_kv_layout;
tfm_kv_layout tfm_kv_layout_of(tfm_dtype dtype, size_t head_dim);

/*
 * out[row][g] = softmax(scores) x V for n_query rows, each with `group` query heads that share one key/value head.
 *   score(row, g, p) = chain over d of fma(q[d], K[p][d], acc), times k_scale[p] if int8, times scale;
 *                      then soft_cap * tanh(score / soft_cap) if soft_cap != 0;
 *                      then + bias[g * bias_group_stride + row * bias_row_stride + p] if bias.
 * Row r stands at position query_position + r. It sees positions [begin, end):
 *   end   = causal ? query_position + r + 1 : n_positions
 *   begin = window == 0 ? 0 : max(0, query_position + r + 1 - window)
 * Online softmax over blocks of TFM_ATTENTION_BLOCK positions that start at multiples of it: running maximum m,
 * 16 lane sums of exp(score - m) (position p to lane p mod 16), output chain over p in order (of fma(weight, V, acc),
 * where for int8 the weight is exp(score - m) * v_scale[p] and V the integer); when a block raises m,
 * sums and output are multiplied by exp(m_old - m_new). A row's result depends only on what it sees.
 * A row that sees nothing gives zeros. scratch: tfm_attention_scratch(kernels, head_dim) bytes, 64-aligned.
 */
typedef struct tfm_attention_args {
    const float *query; /* row r, head g, feature d: query[r * query_stride + g * query_group_stride + d] */
    size_t query_stride, query_group_stride;
    float *out; /* likewise; features 0 .. head_dim - 1 */
    size_t out_stride, out_group_stride;
    tfm_kv_view kv;
    size_t n_query, group, head_dim;
    size_t n_positions; /* positions the view holds; for causal rows query_position + n_query <= n_positions */
    size_t query_position;
    bool causal;
    size_t window; /* 0: no limit */
    float scale, soft_cap;
    const float *bias;
    ptrdiff_t bias_row_stride, bias_group_stride;
    void *scratch;
} tfm_attention_args;

/* kernels.def says what each of them computes. */
#define KERNEL(type, name, parameters, arguments) typedef type tfm_##name##_fn parameters;
#include "kernels.def"

typedef struct tfm_kernels {
    tfm_isa isa;
    size_t tile_rows; /* rows of the tallest tile: so many have room in attention's scratch */
#define KERNEL(type, name, parameters, arguments) tfm_##name##_fn *name;
#include "kernels.def"
} tfm_kernels;

/* The kernel that multiplies with weights of a type; int8 and int4 take args->q, floats args->a. */
static inline tfm_gemm_fn *tfm_gemm_for(const tfm_kernels *kernels, tfm_dtype weights) {
    return tfm_dtype_quantized(weights) ? kernels->gemm_int : kernels->gemm;
}

/* The table of a usable isa; NULL if not usable. */
const tfm_kernels *tfm_kernels_get(tfm_isa isa);

/* Scratch bytes that the table's attention() needs for heads of this size, however many rows it gets. */
size_t tfm_attention_scratch(const tfm_kernels *kernels, size_t head_dim);

#endif
