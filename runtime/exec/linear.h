/*
 * linear.h - products with weights: y = epilogue(x W^T + b), over the session's threads.
 */
#ifndef TFM_RUNTIME_EXEC_LINEAR_H
#define TFM_RUNTIME_EXEC_LINEAR_H

#include "session.h"

/* What may happen to a product on its way out; see tfm_gemm_args. All zero: nothing. */
typedef struct tfm_epilogue {
    tfm_activation act;
    const float *mul; /* (m, n) or NULL */
    float scale;      /* 0: none, as 1 */
    float *residual;  /* (m, n) or NULL: added; overwritten with the result if it is the output */
} tfm_epilogue;

/* y (m, n) = x (m, k) through a linear layer; rows of both are contiguous. */
void tfm_apply_linear(tfm_session *session, const tfm_linear *linear, const float *x, size_t m, float *y,
                      tfm_epilogue epilogue);

/* Rows (m, k) on their way into products: as they are, and quantised if the weights they meet are. */
typedef struct tfm_linear_input {
    const float *x;
    size_t m;
    bool quantized; /* session->quantized holds them too */
} tfm_linear_input;

/*
 * Makes rows ready for the product with `linear`, for several products that take the same rows. Overwrites what was
 * quantised before.
 */
tfm_linear_input tfm_quantize_input(tfm_session *session, const float *x, size_t m, const tfm_linear *linear);

/* tfm_apply_linear to rows that are ready; those that are not, because their weights' type is another, are made so. */
void tfm_apply_linear_to(tfm_session *session, const tfm_linear *linear, tfm_linear_input input, float *y,
                         tfm_epilogue epilogue);

#endif
