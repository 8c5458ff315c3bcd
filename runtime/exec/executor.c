/*
 * executor.c - one pass of a stack over a ragged batch: every kind of model runs through tfm_forward.
 *
 * The rows of all sequences stand in one matrix; a run says which rows belong to which sequence and where they stand in
 * it. Products and norms do not care; attention works run by run. Work is split over threads by outputs (panels, rows,
 * heads), so that the number of threads cannot change a result.
 */
#include <math.h>
#include <string.h>

#include "session.h"

/* Multiply-adds below which waking the workers costs more than they save. */
#define PARALLEL_WORK (1u << 16)
/* What an element of a norm, a quantisation or an embedding costs, in multiply-adds of a product. */
#define ROW_WORK 8

static void run_parallel(tfm_session *s, size_t work, tfm_task *task, void *arg) {
    tfm_pool_run(work < PARALLEL_WORK ? NULL : s->pool, task, arg);
}

/* ---- products ---- */

typedef struct gemm_job {
    const tfm_kernels *kernels;
    tfm_gemm_args args;
    size_t m;
} gemm_job;

static void gemm_part(void *arg, unsigned worker, unsigned n_workers) {
    gemm_job *job = arg;
    size_t n_panels = tfm_panel_count(job->args.w->n), begin, end;
    bool quantized = tfm_dtype_quantized(job->args.w->dtype);
    void (*gemm)(const tfm_gemm_args *, size_t, size_t, size_t, size_t) =
        quantized ? job->kernels->gemm_int : job->kernels->gemm;
    if (n_panels >= n_workers) {
        tfm_partition(n_panels, 1, worker, n_workers, &begin, &end);
        if (begin < end) gemm(&job->args, 0, job->m, begin, end);
    } else {
        tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
        if (begin < end) gemm(&job->args, begin, end, 0, n_panels);
    }
}

/* What may happen to a product on its way out; see tfm_gemm_args. */
typedef struct epilogue {
    tfm_activation act;
    const float *mul;
    float scale;     /* 0: none, as 1 */
    float *residual; /* added, and overwritten with the result if it is the output */
} epilogue;

/* Rows (m, k) on their way into products: as they are, and quantised if the weights they meet are. */
typedef struct input {
    const float *x;
    size_t m;
    bool quantized; /* session->quantized holds them too */
} input;

typedef struct quantize_job {
    tfm_session *s;
    const float *x;
    size_t m, k;
} quantize_job;

static void quantize_part(void *arg, unsigned worker, unsigned n_workers) {
    quantize_job *job = arg;
    size_t begin, end;
    tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
    if (begin < end) job->s->model->kernels->quantize(job->x, job->k, job->k, &job->s->quantized, begin, end);
}

/* Makes rows ready for the product with l; other layers of the same type may take the same input. */
static input make_ready(tfm_session *s, const float *x, size_t m, const tfm_linear *l) {
    if (!tfm_dtype_quantized(l->w.dtype)) return (input){x, m, false};
    size_t k = l->w.k;
    s->quantized.stride = (k + TFM_I4_BLOCK - 1) / TFM_I4_BLOCK * TFM_I4_BLOCK;
    quantize_job job = {s, x, m, k};
    run_parallel(s, m * k * ROW_WORK, quantize_part, &job);
    return (input){x, m, true};
}

/* y (m, n) = x (m, k) through a linear layer; rows of both are contiguous. */
static void linear_from(tfm_session *s, const tfm_linear *l, input in, float *y, epilogue e) {
    const size_t m = in.m;
    if (tfm_dtype_quantized(l->w.dtype) && !in.quantized) in = make_ready(s, in.x, m, l);
    gemm_job job = {.kernels = s->model->kernels,
                    .args = {.a = in.x,
                             .a_stride = l->w.k,
                             .q = &s->quantized,
                             .c = y,
                             .c_stride = l->w.n,
                             .w = &l->w,
                             .bias = l->bias,
                             .act = e.act,
                             .mul = e.mul,
                             .mul_stride = l->w.n,
                             .scale = e.scale == 0.0f ? 1.0f : e.scale,
                             .residual = e.residual,
                             .residual_stride = l->w.n},
                    .m = m};
    run_parallel(s, m * l->w.n * l->w.k, gemm_part, &job);
}

static void linear(tfm_session *s, const tfm_linear *l, const float *x, size_t m, float *y, epilogue e) {
    linear_from(s, l, make_ready(s, x, m, l), y, e);
}

/* ---- rows: embeddings and norms ---- */

typedef struct rows_job {
    tfm_session *s;
    const tfm_stack *stack;
    const tfm_norm *norm;
    const float *x;
    float *y;
    size_t m;
} rows_job;

static void norm_part(void *arg, unsigned worker, unsigned n_workers) {
    rows_job *job = arg;
    const tfm_kernels *kernels = job->s->model->kernels;
    const tfm_stack_options *o = job->stack->options;
    size_t d = job->s->model->arch.d_model, begin, end;
    tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
    const float *x = job->x + begin * d;
    float *y = job->y + begin * d;
    if (o->norm == TFM_NORM_LAYER)
        kernels->layer_norm(x, d, y, d, end - begin, d, job->norm->weight, job->norm->bias, o->norm_eps);
    else
        kernels->rms_norm(x, d, y, d, end - begin, d, job->norm->weight, o->norm_eps);
}

static void norm(tfm_session *s, const tfm_stack *stack, const tfm_norm *weights, const float *x, float *y, size_t m) {
    rows_job job = {s, stack, weights, x, y, m};
    run_parallel(s, m * s->model->arch.d_model * ROW_WORK, norm_part, &job);
}

static void embed_part(void *arg, unsigned worker, unsigned n_workers) {
    rows_job *job = arg;
    const tfm_session *s = job->s;
    const tfm_stack *stack = job->stack;
    size_t d = s->model->arch.d_model, begin, end;
    tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
    const tfm_kernels *kernels = s->model->kernels;
    (stack->embed_layout == TFM_LAYOUT_PANELS ? kernels->embed_panels : kernels->embed_rows)(
        &stack->embed, s->ids + begin, end - begin, stack->options->embed_scale, stack->position, s->positions + begin,
        s->x + begin * d, d);
    for (size_t r = begin; stack->token_type && r < end; r++)
        kernels->add(s->x + r * d, stack->token_type + s->token_types[r] * d, d);
}

/* session->x = embeddings of session->ids at the positions of the runs. */
static void embed(tfm_session *s, const tfm_stack *stack, const tfm_run *runs, size_t n_runs, size_t n_tokens) {
    uint32_t offset = stack->position ? stack->options->position_offset : 0;
    for (const tfm_run *run = runs; run < runs + n_runs; run++)
        for (size_t i = 0; i < run->n; i++) s->positions[run->row + i] = (uint32_t)(run->past + i) + offset;
    rows_job job = {.s = s, .stack = stack, .m = n_tokens};
    run_parallel(s, n_tokens * s->model->arch.d_model * ROW_WORK, embed_part, &job);
    if (stack->options->embed_norm) norm(s, stack, &stack->embed_norm, s->x, s->x, n_tokens);
}

/* ---- attention ---- */

typedef struct attention_job {
    tfm_session *s;
    const tfm_stack_options *o;
    tfm_kv_cache *cache;
    size_t layer;
    const tfm_run *runs;
    size_t n_runs;
    bool cross, causal;
    size_t window;                   /* 0: none */
    const tfm_position_bias *biases; /* NULL: none */
    bool stores;                     /* attend_part stores keys and values first */
    size_t query_stride;             /* floats between rows of session->qkv */
    const float *key, *value;        /* where the first row's keys and values lie, for storing */
} attention_job;

static const uint32_t *pages_of(const attention_job *job, const tfm_run *run) {
    return job->cross ? run->cross_pages : run->pages;
}

/* Writes the keys and values of one run and head into the cache. */
static void store_head(const attention_job *job, const tfm_run *run, size_t g) {
    size_t head_dim = job->cache->head_dim, offset = run->row * job->query_stride + g * head_dim;
    tfm_kv_view to = tfm_kv_view_of(job->cache, pages_of(job, run), job->layer, g);
    job->s->model->kernels->kv_store(&to, run->past, run->n, head_dim, job->key + offset, job->query_stride,
                                     job->value + offset, job->query_stride);
}

static void store_part(void *arg, unsigned worker, unsigned n_workers) {
    attention_job *job = arg;
    size_t item = 0;
    for (const tfm_run *run = job->runs; run < job->runs + job->n_runs; run++)
        for (size_t g = 0; g < job->cache->n_heads; g++)
            if (item++ % n_workers == worker) store_head(job, run, g);
}

static void store(attention_job *job, size_t n_tokens) {
    run_parallel(job->s, n_tokens * job->cache->n_heads * job->cache->head_dim * 4, store_part, job);
}

/* One tile of query rows of one run and one key/value head with the query heads that share it. */
static void attend(const attention_job *job, const tfm_run *run, size_t g, size_t first, size_t n, void *scratch) {
    const tfm_session *s = job->s;
    size_t e = job->cache->head_dim, group = job->o->n_heads / job->cache->n_heads;
    size_t width = (size_t)job->o->n_heads * e, row = run->row + first, head = g * group * e;
    tfm_attention_args args = {.query = s->qkv + row * job->query_stride + head,
                               .query_stride = job->query_stride,
                               .query_group_stride = e,
                               .out = s->context + row * width + head,
                               .out_stride = width,
                               .out_group_stride = e,
                               .kv = tfm_kv_view_of(job->cache, pages_of(job, run), job->layer, g),
                               .n_query = n,
                               .group = group,
                               .head_dim = e,
                               .n_positions = job->cross ? run->n_source : run->past + run->n,
                               .query_position = run->past + first,
                               .causal = job->causal,
                               .window = job->window,
                               .scale = job->o->attention_scale,
                               .soft_cap = job->cross ? 0.0f : job->o->attention_soft_cap,
                               .scratch = scratch};
    if (job->biases) { /* of the key at position 0, for the tile's first query and head */
        args.bias = job->biases->values + g * group * job->biases->width + job->biases->centre - args.query_position;
        args.bias_row_stride = -1;
        args.bias_group_stride = (ptrdiff_t)job->biases->width;
    }
    s->model->kernels->attention(&args);
}

static void attend_part(void *arg, unsigned worker, unsigned n_workers) {
    const attention_job *job = arg;
    void *scratch = job->s->scratch + worker * job->s->scratch_bytes;
    size_t item = 0;
    for (const tfm_run *run = job->runs; run < job->runs + job->n_runs; run++) {
        for (size_t g = 0; g < job->cache->n_heads; g++) {
            for (size_t first = 0; first < run->n; first += TFM_QUERY_TILE) {
                if (item++ % n_workers != worker) continue;
                size_t left = run->n - first;
                if (job->stores) store_head(job, run, g);
                attend(job, run, g, first, left < TFM_QUERY_TILE ? left : TFM_QUERY_TILE, scratch);
            }
        }
    }
}

/*
 * session->context = attention of the queries in session->qkv over the cache. Where each run and head is one item of
 * work, as in decoding, the item stores its own keys and values, which saves a region.
 */
static void attention(attention_job *job, size_t n_tokens) {
    size_t work = 0;
    if (!job->cross) {
        job->stores = true;
        for (const tfm_run *run = job->runs; run < job->runs + job->n_runs; run++)
            job->stores &= run->n <= TFM_QUERY_TILE;
        if (!job->stores) store(job, n_tokens);
    }
    for (const tfm_run *run = job->runs; run < job->runs + job->n_runs; run++)
        work += run->n * (job->cross ? run->n_source : run->past + run->n);
    run_parallel(job->s, work * job->o->n_heads * job->cache->head_dim * 2, attend_part, job);
}

/* Keeps the newest row's cross-attention weights of each run, mean over heads, for tfm_cross_attention. */
static void keep_weights(const attention_job *job) {
    tfm_session *s = job->s;
    size_t n_layers = s->model->decoder.options->n_layers, e = job->cache->head_dim, n_heads = job->o->n_heads;
    for (const tfm_run *run = job->runs; run < job->runs + job->n_runs; run++) {
        float *kept =
            s->kept_attention + ((size_t)run->sequence * n_layers + job->layer) * (size_t)s->params.max_source;
        memset(kept, 0, run->n_source * sizeof *kept);
        for (size_t h = 0; h < n_heads; h++) {
            tfm_attention_args args = {.query = s->qkv + (run->row + run->n - 1) * job->query_stride + h * e,
                                       .kv = tfm_kv_view_of(job->cache, run->cross_pages, job->layer, h),
                                       .n_query = 1,
                                       .group = 1,
                                       .head_dim = e,
                                       .n_positions = run->n_source,
                                       .scale = job->o->attention_scale};
            s->model->kernels->attention_weights(&args, s->kept_row, run->n_source);
            s->model->kernels->add(kept, s->kept_row, run->n_source);
        }
        for (size_t p = 0; p < run->n_source; p++) kept[p] /= (float)n_heads;
    }
}

/* ---- layers ---- */

typedef struct pass {
    tfm_session *s;
    tfm_stack *stack;
    const tfm_run *runs;
    size_t n_runs, n_tokens;
    tfm_kv_cache *cache;
    tfm_rope_cache *rotations;
    const tfm_position_bias *biases;
    bool causal;
} pass;

/* The input of a sublayer: normed first, or the residual stream itself. */
static const float *enter(const pass *p, const tfm_norm *weights) {
    if (p->stack->options->norm_placement == TFM_NORM_POST) return p->s->x;
    norm(p->s, p->stack, weights, p->s->x, p->s->h, p->n_tokens);
    return p->s->h;
}

static void add_part(void *arg, unsigned worker, unsigned n_workers) {
    const rows_job *job = arg;
    size_t begin, end, d = job->s->model->arch.d_model;
    tfm_partition(job->m, 1, worker, n_workers, &begin, &end);
    if (begin < end) job->s->model->kernels->add(job->y + begin * d, job->x + begin * d, (end - begin) * d);
}

/* The end of a sublayer: its last product is added to the residual stream, with the norms that belong here. */
static void leave(const pass *p, const tfm_linear *last, const float *x, const tfm_norm *weights,
                  const tfm_norm *post) {
    tfm_session *s = p->s;
    const tfm_stack_options *o = p->stack->options;
    if (o->norm_placement == TFM_NORM_BOTH) {
        linear(s, last, x, p->n_tokens, s->h, (epilogue){0});
        norm(s, p->stack, post, s->h, s->h, p->n_tokens);
        rows_job job = {.s = s, .x = s->h, .y = s->x, .m = p->n_tokens};
        run_parallel(s, p->n_tokens * s->model->arch.d_model, add_part, &job);
        return;
    }
    linear(s, last, x, p->n_tokens, s->x, (epilogue){.scale = o->residual_scale, .residual = s->x});
    if (o->norm_placement == TFM_NORM_POST) norm(s, p->stack, weights, s->x, s->x, p->n_tokens);
}

typedef struct heads_job {
    const pass *p;
    const tfm_layer *layer;
} heads_job;

/* Norm of n_heads heads in rows [begin, end) of session->qkv, from column `column` on. */
static void norm_heads(const heads_job *job, const tfm_norm *weights, size_t column, size_t n_heads, size_t begin,
                       size_t end) {
    const tfm_stack_options *o = job->p->stack->options;
    const tfm_kernels *kernels = job->p->s->model->kernels;
    size_t e = o->head_dim, stride = ((size_t)o->n_heads + 2 * (size_t)o->n_kv_heads) * e;
    for (size_t h = 0; h < n_heads; h++) {
        size_t own = o->qk_norm == TFM_QK_NORM_HEADS ? h * e : 0;
        const float *weight = weights->weight + own, *bias = weights->bias ? weights->bias + own : NULL;
        float *x = job->p->s->qkv + begin * stride + column + h * e;
        if (o->norm == TFM_NORM_LAYER)
            kernels->layer_norm(x, stride, x, stride, end - begin, e, weight, bias, o->norm_eps);
        else
            kernels->rms_norm(x, stride, x, stride, end - begin, e, weight, o->norm_eps);
    }
}

static void heads_part(void *arg, unsigned worker, unsigned n_workers) {
    const heads_job *job = arg;
    const tfm_stack_options *o = job->p->stack->options;
    const tfm_session *s = job->p->s;
    size_t e = o->head_dim, stride = ((size_t)o->n_heads + 2 * (size_t)o->n_kv_heads) * e, begin, end;
    tfm_partition(job->p->n_tokens, 1, worker, n_workers, &begin, &end);
    if (begin == end) return;
    if (o->qk_norm) {
        norm_heads(job, &job->layer->q_norm, 0, o->n_heads, begin, end);
        norm_heads(job, &job->layer->k_norm, (size_t)o->n_heads * e, o->n_kv_heads, begin, end);
    }
    if (o->position == TFM_POSITION_ROPE) /* queries and keys stand side by side */
        s->model->kernels->rope(s->qkv + begin * stride, stride, end - begin, (size_t)o->n_heads + o->n_kv_heads, e,
                                o->rope_dim, (tfm_rope_layout)o->rope_layout, job->p->rotations->table,
                                s->positions + begin);
}

/* session->context = attention over x, the sublayer's input. */
static void self_attention(const pass *p, const tfm_layer *layer, size_t index, const float *x) {
    tfm_session *s = p->s;
    const tfm_stack_options *o = p->stack->options;
    size_t q = (size_t)o->n_heads * o->head_dim, kv = (size_t)o->n_kv_heads * o->head_dim;
    linear(s, &layer->qkv, x, p->n_tokens, s->qkv, (epilogue){0});
    if (o->qk_norm || o->position == TFM_POSITION_ROPE)
        run_parallel(s, p->n_tokens * (q + kv) * ROW_WORK, heads_part, &(heads_job){p, layer});
    attention_job job = {.s = s,
                         .o = o,
                         .cache = p->cache,
                         .layer = p->causal ? index : 0, /* an encoder's cache holds one layer at a time */
                         .runs = p->runs,
                         .n_runs = p->n_runs,
                         .causal = p->causal,
                         .window = o->windows ? o->windows[index] : 0,
                         .biases = p->biases->values ? p->biases : NULL,
                         .query_stride = q + 2 * kv,
                         .key = s->qkv + q,
                         .value = s->qkv + q + kv};
    attention(&job, p->n_tokens);
}

static void cross_attention(const pass *p, const tfm_layer *layer, size_t index) {
    tfm_session *s = p->s;
    const tfm_stack_options *o = p->stack->options;
    linear(s, &layer->cross_q, enter(p, &layer->cross_norm), p->n_tokens, s->qkv, (epilogue){0});
    attention_job job = {.s = s,
                         .o = o,
                         .cache = &s->cross_kv,
                         .layer = index,
                         .runs = p->runs,
                         .n_runs = p->n_runs,
                         .cross = true,
                         .query_stride = (size_t)o->n_heads * o->head_dim};
    attention(&job, p->n_tokens);
    if (s->kept_attention) keep_weights(&job);
    leave(p, &layer->cross_out, s->context, &layer->cross_norm, &layer->cross_post_norm);
}

/* The feed-forward up to its last product; the result is the input of that. */
static const float *feed_forward(const pass *p, const tfm_layer *layer, const float *x) {
    tfm_session *s = p->s;
    const tfm_stack_options *o = p->stack->options;
    input in = make_ready(s, x, p->n_tokens, &layer->up);
    if (!o->gated) {
        linear_from(s, &layer->up, in, s->up, (epilogue){.act = o->activation});
        return s->up;
    }
    linear_from(s, &layer->up, in, s->up, (epilogue){0});
    linear_from(s, &layer->gate, in, s->gate, (epilogue){.act = o->activation, .mul = s->up});
    return s->gate;
}

/* x + attention(norm(x)) + ffn(norm(x)): both sublayers read x before either adds to it. */
static void parallel_layer(const pass *p, const tfm_layer *layer, size_t index) {
    const float *h = enter(p, &layer->attention_norm);
    self_attention(p, layer, index, h);
    if (p->stack->options->sublayers != TFM_PARALLEL_SHARED) h = enter(p, &layer->ffn_norm);
    const float *inner = feed_forward(p, layer, h);
    leave(p, &layer->out, p->s->context, NULL, NULL);
    leave(p, &layer->down, inner, NULL, NULL);
}

static void sequential_layer(const pass *p, const tfm_layer *layer, size_t index) {
    self_attention(p, layer, index, enter(p, &layer->attention_norm));
    leave(p, &layer->out, p->s->context, &layer->attention_norm, &layer->attention_post_norm);
    if (p->stack->cross) cross_attention(p, layer, index);
    const float *inner = feed_forward(p, layer, enter(p, &layer->ffn_norm));
    leave(p, &layer->down, inner, &layer->ffn_norm, &layer->ffn_post_norm);
}

/* Makes the table of rotations reach the last position of every run. */
static void reach(const pass *p) {
    size_t n = 0;
    for (const tfm_run *run = p->runs; run < p->runs + p->n_runs; run++)
        if (run->past + run->n > n) n = run->past + run->n;
    tfm_rope_cache_extend(p->s, p->rotations, p->stack->options, n);
}

tfm_status tfm_forward(tfm_session *s, tfm_stack *stack, const tfm_run *runs, size_t n_runs, size_t n_tokens,
                       tfm_error *error) {
    bool is_decoder = stack == &s->model->decoder;
    pass p = {.s = s,
              .stack = stack,
              .runs = runs,
              .n_runs = n_runs,
              .n_tokens = n_tokens,
              .cache = is_decoder ? &s->self_kv : &s->encoder_kv,
              .rotations = is_decoder ? &s->decoder_rotations : &s->encoder_rotations,
              .biases = is_decoder ? &s->decoder_biases : &s->encoder_biases,
              .causal = is_decoder};
    tfm_status status = tfm_model_verify_group(s->model, &stack->group, s->pool, error);
    if (status) return status;
    if (stack->options->position == TFM_POSITION_ROPE) reach(&p);
    embed(s, stack, runs, n_runs, n_tokens);
    for (uint32_t i = 0; i < stack->options->n_layers; i++) {
        tfm_layer *layer = &stack->layers[i];
        status = tfm_model_verify_group(s->model, &layer->group, s->pool, error);
        if (!status) status = tfm_session_check(s, error);
        if (status) return status;
        (stack->options->sublayers == TFM_SEQUENTIAL ? sequential_layer : parallel_layer)(&p, layer, i);
    }
    if (stack->options->final_norm) norm(s, stack, &stack->final_norm, s->x, s->x, n_tokens);
    return tfm_model_check_unchanged(s->model, error);
}

void tfm_apply_linear(tfm_session *s, const tfm_linear *l, const float *x, size_t m, tfm_activation act, float *y) {
    linear(s, l, x, m, y, (epilogue){.act = act});
}

void tfm_apply_norm(tfm_session *s, const tfm_stack *stack, const tfm_norm *weights, const float *x, size_t m,
                    float *y) {
    norm(s, stack, weights, x, y, m);
}

tfm_status tfm_forward_cross(tfm_session *s, const tfm_run *runs, size_t n_runs, size_t n_tokens, tfm_error *error) {
    tfm_stack *stack = &s->model->decoder;
    const tfm_stack_options *o = stack->options;
    size_t width = (size_t)o->n_heads * o->head_dim;
    input in = {s->x, n_tokens, false};
    if (o->n_layers > 0) in = make_ready(s, s->x, n_tokens, &stack->layers[0].cross_kv);
    for (uint32_t i = 0; i < o->n_layers; i++) {
        tfm_status status = tfm_model_verify_group(s->model, &stack->layers[i].group, s->pool, error);
        if (!status) status = tfm_session_check(s, error);
        if (status) return status;
        linear_from(s, &stack->layers[i].cross_kv, in, s->qkv, (epilogue){0});
        attention_job job = {.s = s,
                             .o = o,
                             .cache = &s->cross_kv,
                             .layer = i,
                             .runs = runs,
                             .n_runs = n_runs,
                             .cross = true,
                             .query_stride = 2 * width,
                             .key = s->qkv,
                             .value = s->qkv + width};
        store(&job, n_tokens);
    }
    return tfm_model_check_unchanged(s->model, error);
}

typedef struct cap_job {
    const tfm_session *s;
    float *x;
    size_t n;
} cap_job;

static void cap_part(void *arg, unsigned worker, unsigned n_workers) {
    const cap_job *job = arg;
    size_t begin, end;
    tfm_partition(job->n, TFM_PANEL, worker, n_workers, &begin, &end);
    if (begin < end) job->s->model->kernels->soft_cap(job->x + begin, end - begin, job->s->model->arch.output_soft_cap);
}

tfm_status tfm_project(tfm_session *s, const tfm_linear *output, const float *states, size_t m, float *logits,
                       tfm_error *error) {
    tfm_status status = tfm_model_verify_group(s->model, &s->model->output_group, s->pool, error);
    if (status) return status;
    const tfm_architecture *o = &s->model->arch;
    linear(s, output, states, m, logits, (epilogue){.scale = o->output_scale});
    if (o->output_soft_cap != 0.0f) {
        cap_job job = {s, logits, m * output->w.n};
        run_parallel(s, job.n * ROW_WORK, cap_part, &job);
    }
    return tfm_model_check_unchanged(s->model, error);
}
