/*
 * kernels.h - the kernel table: everything the executor computes with, one table per instruction set.
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

#include "panels.h"

/* The -dot and -vnni forms are the ones before them with instructions for integer products. */
typedef enum tfm_isa {
    TFM_ISA_SCALAR,
    TFM_ISA_NEON,
    TFM_ISA_NEON_DOT,
    TFM_ISA_AVX2,
    TFM_ISA_AVX2_VNNI,
    TFM_ISA_AVX512,
    TFM_ISA_AVX512_VNNI,
    TFM_ISA_COUNT
} tfm_isa;

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

/* Which features of a head turn together: i and i + rope_dim / 2, or 2i and 2i + 1. */
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
 * Shapes: q (m, stride), stride = k rounded up to TFM_I4_BLOCK, 64-aligned; sums (m, stride / TFM_I4_GROUP).
 */
typedef struct tfm_quantized {
    int8_t *q;
    size_t stride;
    float *scale;  /* (m) */
    int32_t *sums; /* q added up over each group of TFM_I4_GROUP columns */
} tfm_quantized;

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
 * A row that sees nothing gives zeros. scratch: tfm_attention_scratch(n_query, group, head_dim) bytes, 64-aligned.
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

typedef struct tfm_kernels {
    tfm_isa isa;
    const char *name;

    /*
     * Rows [row0, row1) and panels [panel0, panel1) of a product; panel p holds columns 16p .. 16p + 15. gemm takes
     * float weights, gemm_int int8 and int4 weights.
     */
    void (*gemm)(const tfm_gemm_args *args, size_t row0, size_t row1, size_t panel0, size_t panel1);
    void (*gemm_int)(const tfm_gemm_args *args, size_t row0, size_t row1, size_t panel0, size_t panel1);

    /* Quantises rows [row0, row1) of x (m, k) into the same rows of `to`. */
    void (*quantize)(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0, size_t row1);

    void (*attention)(const tfm_attention_args *args);

    /*
     * Writes rows of keys and values (n_rows, head_dim) of one key/value head to positions first, first + 1, ... of
     * a cache, rounded or quantised to its type. Value lanes past head_dim are set to 0.
     */
    void (*kv_store)(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                     size_t key_stride, const float *value, size_t value_stride);

    /*
     * weights[r][p] = the softmax weights attention() uses for head g = 0 of each row (n_query, n_positions), computed
     * in one pass without blocks: for showing, not for computing with. p outside [begin, end) gives 0.
     */
    void (*attention_weights)(const tfm_attention_args *args, float *weights, size_t weights_stride);

    /*
     * (x - mean) / sqrt(variance + eps) * weight + bias over n columns of each of m rows; bias may be NULL.
     * Mean and variance (two passes, divided by n) by lane sums. y may be x.
     */
    void (*layer_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                       const float *weight, const float *bias, float eps);
    /* x / sqrt(mean(x^2) + eps) * weight. y may be x. */
    void (*rms_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                     const float *weight, float eps);

    /* y[i] = act(x[i]), times mul[i] if mul; y may be x. */
    void (*activate)(const float *x, float *y, size_t n, tfm_activation act, const float *mul);

    /* y = exp(x - max) / sum in place of one row of n; -inf gives 0; a row of -inf only gives zeros. */
    void (*softmax)(float *x, size_t n);
    /* max(x) + log(sum exp(x - max)); -inf if all are -inf or n = 0. */
    float (*log_sum_exp)(const float *x, size_t n);
    /* y[i] = x[i] - log_sum_exp(x); y may be x. */
    void (*log_softmax)(const float *x, float *y, size_t n);

    /*
     * The k largest of x with their indices, largest first; ties: lower index first; NaN is never chosen. Returns how
     * many were found (less than k if n < k or there are NaNs).
     */
    size_t (*top_k)(const float *x, size_t n, size_t k, float *values, uint32_t *indices);

    /*
     * y[i] = table row ids[i] * scale (+ position row positions[i] if position != NULL), (m, d).
     * embed_panels reads a table (vocab, d) in panel layout, embed_rows one in row layout (d elements a row, same
     * float dtypes; panels of int8 and int4 give q * scale). position: (n, d) f32 rows. ids and positions must lie
     * inside the tables.
     */
    void (*embed_panels)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                         const uint32_t *positions, float *y, size_t y_stride);
    void (*embed_rows)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                       const uint32_t *positions, float *y, size_t y_stride);

    /*
     * Turns pairs (a, b) of the first rope_dim features of n_heads heads in each of m rows, in place:
     * (a c - b s, b c + a s), every operation rounded. Head h of row r starts at x[r * x_stride + h * head_dim].
     * table: (positions, rope_dim) as tfm_rope_table makes it; row r takes row positions[r].
     */
    void (*rope)(float *x, size_t x_stride, size_t m, size_t n_heads, size_t head_dim, size_t rope_dim,
                 tfm_rope_layout layout, const float *table, const uint32_t *positions);

    /* x[i] = cap tanh(x[i] / cap). */
    void (*soft_cap)(float *x, size_t n, float cap);

    /* y = y + x over n elements. Used where no product's epilogue can carry the addition. */
    void (*add)(float *y, const float *x, size_t n);
} tfm_kernels;

/* Whether this build has kernels for isa and this processor (and system) can run them. */
bool tfm_isa_usable(tfm_isa isa);
/* Whether this build has kernels for isa at all. */
bool tfm_isa_built(tfm_isa isa);
/* The best usable one: avx512-vnni, avx512, avx2-vnni, avx2, neon-dot, neon, scalar. */
tfm_isa tfm_isa_best(void);
/* "scalar", "neon", "neon-dot", "avx2", "avx2-vnni", "avx512", "avx512-vnni"; the reverse returns TFM_ISA_COUNT for an
 * unknown name. */
const char *tfm_isa_name(tfm_isa isa);
tfm_isa tfm_isa_parse(const char *name);

/* The table of a usable isa; NULL if not usable. */
const tfm_kernels *tfm_kernels_get(tfm_isa isa);

/* Scratch bytes that attention() needs for these sizes; the same for every table. */
size_t tfm_attention_scratch(size_t n_query, size_t group, size_t head_dim);

/*
 * Sine and cosine tables, in double precision rounded once to float; y (n, d) rows contiguous, d any.
 * Position p, frequency i: angle = (first + p) / 10000^(2i/d).
 *   TFM_SINUSOID_INTERLEAVED: y[2i] = sin, y[2i+1] = cos ("Attention Is All You Need", section 3.5)
 *   TFM_SINUSOID_HALVES: y[i] = sin, y[(d+1)/2 + i] = cos, as Marian and Hugging Face's MarianMT lay it out
 *   TFM_SINUSOID_HALVES_WIDE: angle = (first + p) / 10000^(i/(h-1)) with h = d/2, so that the last frequency is
 * 1/10000; y[i] = sin, y[h + i] = cos, and an odd d ends with 0, as fairseq and M2M100 have it
 */
typedef enum tfm_sinusoid_layout {
    TFM_SINUSOID_INTERLEAVED,
    TFM_SINUSOID_HALVES,
    TFM_SINUSOID_HALVES_WIDE
} tfm_sinusoid_layout;
void tfm_sinusoid(float *y, size_t n, size_t d, size_t first, tfm_sinusoid_layout layout);

/*
 * Cosines and sines for the kernel rope(), in double precision, times factor, rounded once to float; y (n, rope_dim):
 * row p has the rope_dim / 2 cosines, then the sines, of the angles (first + p) * (frequencies[i] + frequencies[i +
 * rope_dim / 2]), the two parts added in double.
 */
void tfm_rope_table(float *y, size_t n, size_t first, size_t rope_dim, const float *frequencies, float factor);

#endif
