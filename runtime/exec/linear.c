/* linear.c - see linear.h. Work is split by panels of outputs, or by rows where there are fewer panels than threads. */
#include "linear.h"

/* ---- the input ---- */

typedef struct quantize_job {
    const tfm_session *session;
    const float *x;
    size_t m, k;
} quantize_job;

static void quantize_part(void *arg, unsigned worker, unsigned n_workers) {
    const quantize_job *job = arg;
    const tfm_session *session = job->session;
    size_t begin, end;
    tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
    if (begin < end) session->model->kernels->quantize(job->x, job->k, job->k, &session->quantized, begin, end);
}

tfm_linear_input tfm_quantize_input(tfm_session *session, const float *x, size_t m, const tfm_linear *linear) {
    if (!tfm_dtype_quantized(linear->w.dtype)) return (tfm_linear_input){x, m, false};
    size_t k = linear->w.k;
    session->quantized.stride = tfm_quantized_stride(k);
    quantize_job job = {session, x, m, k};
    tfm_pool_run_sized(session->pool, m * k * TFM_ELEMENT_WORK, quantize_part, &job);
    return (tfm_linear_input){x, m, true};
}

/* ---- the product ---- */

typedef struct gemm_job {
    const tfm_kernels *kernels;
    tfm_gemm_args args;
    size_t m;
} gemm_job;

static void gemm_part(void *arg, unsigned worker, unsigned n_workers) {
    const gemm_job *job = arg;
    size_t n_panels = tfm_panel_count(job->args.w->n), begin, end;
    tfm_gemm_fn *gemm = tfm_gemm_for(job->kernels, job->args.w->dtype);
    if (n_panels >= n_workers) {
        tfm_partition(n_panels, 1, worker, n_workers, &begin, &end);
        if (begin < end) gemm(&job->args, 0, job->m, begin, end);
    } else {
        tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
        if (begin < end) gemm(&job->args, begin, end, 0, n_panels);
    }
}

void tfm_apply_linear_to(tfm_session *session, const tfm_linear *linear, tfm_linear_input input, float *y,
                         tfm_epilogue epilogue) {
    const tfm_matrix *w = &linear->w;
    if (tfm_dtype_quantized(w->dtype) && !input.quantized)
        input = tfm_quantize_input(session, input.x, input.m, linear);
    gemm_job job = {.kernels = session->model->kernels,
                    .args = {.a = input.x,
                             .a_stride = w->k,
                             .q = &session->quantized,
                             .c = y,
                             .c_stride = w->n,
                             .w = w,
                             .bias = linear->bias,
                             .act = epilogue.act,
                             .mul = epilogue.mul,
                             .mul_stride = w->n,
                             .scale = epilogue.scale == 0.0f ? 1.0f : epilogue.scale,
                             .residual = epilogue.residual,
                             .residual_stride = w->n},
                    .m = input.m};
    tfm_pool_run_sized(session->pool, input.m * w->n * w->k, gemm_part, &job);
}

void tfm_apply_linear(tfm_session *session, const tfm_linear *linear, const float *x, size_t m, float *y,
                      tfm_epilogue epilogue) {
    tfm_apply_linear_to(session, linear, tfm_quantize_input(session, x, m, linear), y, epilogue);
}
