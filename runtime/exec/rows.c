/* rows.c - see rows.h. */
#include "rows.h"

#include "linear.h"

/* ---- embeddings ---- */

typedef struct embed_job {
    const tfm_session *session;
    const tfm_stack *stack;
    const tfm_ragged_batch *batch;
    float *x; /* (n_tokens, embed.k) */
} embed_job;

static void embed_part(void *arg, unsigned worker, unsigned n_workers) {
    const embed_job *job = arg;
    const tfm_stack *stack = job->stack;
    const tfm_ragged_batch *batch = job->batch;
    const tfm_kernels *kernels = job->session->model->kernels;
    size_t d = stack->embed.k, begin, end;
    float *x = job->x;
    tfm_partition(batch->n_tokens, 1, worker, n_workers, &begin, &end);
    (stack->embed_layout == TFM_LAYOUT_PANELS ? kernels->embed_panels : kernels->embed_rows)(
        &stack->embed, batch->ids + begin, end - begin, stack->options->embed_scale, stack->position,
        batch->positions + begin, x + begin * d, d);
    for (size_t row = begin; stack->token_type && row < end; row++)
        kernels->add(x + row * d, stack->token_type + batch->token_types[row] * d, d);
}

void tfm_embed_batch(tfm_session *session, const tfm_stack *stack, tfm_ragged_batch *batch) {
    uint32_t offset = stack->position ? stack->options->position_offset : 0;
    for (const tfm_run *run = batch->runs; run < batch->runs + batch->n_runs; run++)
        for (size_t i = 0; i < run->n; i++) batch->positions[run->row + i] = (uint32_t)(run->past + i) + offset;
    const bool projected = stack->options->embed_width > 0;
    embed_job job = {session, stack, batch, projected ? session->h : session->x};
    tfm_pool_run_sized(session->pool, batch->n_tokens * stack->embed.k * TFM_ELEMENT_WORK, embed_part, &job);
    if (stack->options->embed_norm)
        tfm_apply_norm(session, stack->options, &stack->embed_norm, job.x, batch->n_tokens, job.x);
    if (projected)
        tfm_apply_linear(session, &stack->embed_projection, job.x, batch->n_tokens, session->x, (tfm_epilogue){0});
}

/* ---- norms ---- */

typedef struct norm_job {
    const tfm_session *session;
    const tfm_stack_options *options;
    const tfm_norm *norm;
    const float *x;
    float *y;
    size_t m;
} norm_job;

static void norm_part(void *arg, unsigned worker, unsigned n_workers) {
    const norm_job *job = arg;
    const tfm_kernels *kernels = job->session->model->kernels;
    const tfm_stack_options *o = job->options;
    size_t d = job->norm->n, begin, end;
    tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
    const float *x = job->x + begin * d;
    float *y = job->y + begin * d;
    if (o->norm == TFM_NORM_LAYER)
        kernels->layer_norm(x, d, y, d, end - begin, d, job->norm->weight, job->norm->bias, o->norm_eps);
    else
        kernels->rms_norm(x, d, y, d, end - begin, d, job->norm->weight, o->norm_eps);
}

void tfm_apply_norm(tfm_session *session, const tfm_stack_options *options, const tfm_norm *norm, const float *x,
                    size_t m, float *y) {
    norm_job job = {session, options, norm, x, y, m};
    tfm_pool_run_sized(session->pool, m * norm->n * TFM_ELEMENT_WORK, norm_part, &job);
}

/* ---- sums and caps ---- */

typedef struct elements_job {
    const tfm_kernels *kernels;
    float *y;
    const float *x;
    size_t n;
    float cap;
} elements_job;

static void add_part(void *arg, unsigned worker, unsigned n_workers) {
    const elements_job *job = arg;
    size_t begin, end;
    tfm_partition(job->n, TFM_PANEL, worker, n_workers, &begin, &end);
    if (begin < end) job->kernels->add(job->y + begin, job->x + begin, end - begin);
}

void tfm_add_rows(tfm_session *session, float *y, const float *x, size_t m) {
    size_t n = m * session->model->arch.d_model;
    elements_job job = {.kernels = session->model->kernels, .y = y, .x = x, .n = n};
    tfm_pool_run_sized(session->pool, n, add_part, &job);
}

static void cap_part(void *arg, unsigned worker, unsigned n_workers) {
    const elements_job *job = arg;
    size_t begin, end;
    tfm_partition(job->n, TFM_PANEL, worker, n_workers, &begin, &end);
    if (begin < end) job->kernels->soft_cap(job->y + begin, end - begin, job->cap);
}

void tfm_apply_soft_cap(tfm_session *session, float *x, size_t n, float cap) {
    elements_job job = {.kernels = session->model->kernels, .y = x, .n = n, .cap = cap};
    tfm_pool_run_sized(session->pool, n * TFM_ELEMENT_WORK, cap_part, &job);
}
