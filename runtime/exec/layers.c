/*
 * layers.c - see layers.h. Read from the bottom: a layer is its sublayers, each between pre_norm and add_residual.
 */
#include "layers.h"

#include "attention_pass.h"
#include "attention_tap.h"
#include "linear.h"
#include "rows.h"

/* ---- around a sublayer ---- */

/* The input of a sublayer: normed first, or the residual stream itself. */
static const float *pre_norm(const tfm_pass *p, const tfm_norm *norm) {
    tfm_session *session = p->session;
    if (p->stack->options->norm_placement == TFM_NORM_POST) return session->x;
    tfm_apply_norm(session, p->stack->options, norm, session->x, p->batch->n_tokens, session->h);
    return session->h;
}

/* The end of a sublayer: its last product is added to the residual stream, with the norms that belong here. */
static void add_residual(const tfm_pass *p, const tfm_linear *last, const float *x, const tfm_norm *norm,
                         const tfm_norm *post_norm) {
    tfm_session *session = p->session;
    const tfm_stack_options *o = p->stack->options;
    size_t m = p->batch->n_tokens;
    if (o->norm_placement == TFM_NORM_BOTH) {
        tfm_apply_linear(session, last, x, m, session->h, (tfm_epilogue){0});
        tfm_apply_norm(session, o, post_norm, session->h, m, session->h);
        tfm_add_rows(session, session->x, session->h, m);
        return;
    }
    tfm_apply_linear(session, last, x, m, session->x,
                     (tfm_epilogue){.scale = o->residual_scale, .residual = session->x});
    if (o->norm_placement == TFM_NORM_POST) tfm_apply_norm(session, o, norm, session->x, m, session->x);
}

/* ---- self-attention ---- */

typedef struct heads_job {
    const tfm_pass *pass;
    const tfm_attention_sublayer *attention;
} heads_job;

/* Floats of a row of session->qkv: the queries of all heads, then keys, then values. */
static size_t qkv_width(const tfm_stack_options *o) {
    return ((size_t)o->n_heads + 2 * (size_t)o->n_kv_heads) * o->head_dim;
}

/* Norm of n_heads heads in rows [begin, end) of session->qkv, from column `column` on. */
static void norm_heads(const tfm_pass *p, const tfm_norm *norm, size_t column, size_t n_heads, size_t begin,
                       size_t end) {
    const tfm_stack_options *o = p->stack->options;
    const tfm_kernels *kernels = p->session->model->kernels;
    size_t e = o->head_dim, stride = qkv_width(o);
    for (size_t h = 0; h < n_heads; h++) {
        size_t own = o->qk_norm == TFM_QK_NORM_HEADS ? h * e : 0;
        const float *weight = norm->weight + own, *bias = norm->bias ? norm->bias + own : NULL;
        float *x = p->session->qkv + begin * stride + column + h * e;
        if (o->norm == TFM_NORM_LAYER)
            kernels->layer_norm(x, stride, x, stride, end - begin, e, weight, bias, o->norm_eps);
        else
            kernels->rms_norm(x, stride, x, stride, end - begin, e, weight, o->norm_eps);
    }
}

static void heads_part(void *arg, unsigned worker, unsigned n_workers) {
    const heads_job *job = arg;
    const tfm_pass *p = job->pass;
    const tfm_stack_options *o = p->stack->options;
    size_t e = o->head_dim, stride = qkv_width(o), begin, end;
    tfm_partition(p->batch->n_tokens, 1, worker, n_workers, &begin, &end);
    if (begin == end) return;
    if (o->qk_norm) {
        norm_heads(p, &job->attention->q_norm, 0, o->n_heads, begin, end);
        norm_heads(p, &job->attention->k_norm, (size_t)o->n_heads * e, o->n_kv_heads, begin, end);
    }
    if (o->position == TFM_POSITION_ROPE) /* queries and keys stand side by side */
        p->session->model->kernels->rope(
            p->session->qkv + begin * stride, stride, end - begin, (size_t)o->n_heads + o->n_kv_heads, e, o->rope_dim,
            (tfm_rope_layout)o->rope_layout, p->state->rope.table, p->batch->positions + begin);
}

/* Norms and rotations of the queries and keys in session->qkv. */
static void prepare_heads(const tfm_pass *p, const tfm_attention_sublayer *attention) {
    const tfm_stack_options *o = p->stack->options;
    if (!o->qk_norm && o->position != TFM_POSITION_ROPE) return;
    size_t elements = p->batch->n_tokens * ((size_t)o->n_heads + o->n_kv_heads) * o->head_dim;
    tfm_pool_run_sized(p->session->pool, elements * TFM_ELEMENT_WORK, heads_part, &(heads_job){p, attention});
}

/* session->context = attention over x, the sublayer's input. */
static tfm_status self_attention(const tfm_pass *p, uint32_t index, const float *x, tfm_error *error) {
    tfm_session *session = p->session;
    const tfm_stack_options *o = p->stack->options;
    const tfm_attention_sublayer *attention = &p->stack->layers[index].attention;
    size_t q = (size_t)o->n_heads * o->head_dim, kv = (size_t)o->n_kv_heads * o->head_dim;
    tfm_apply_linear(session, &attention->qkv, x, p->batch->n_tokens, session->qkv, (tfm_epilogue){0});
    prepare_heads(p, attention);
    tfm_attention_pass pass = {.session = session,
                               .batch = p->batch,
                               .options = o,
                               .cache = &p->state->kv,
                               .layer = p->causal ? index : 0, /* an encoder's cache holds one layer at a time */
                               .causal = p->causal,
                               .window = o->windows ? o->windows[index] : 0,
                               .bias = p->state->bias.values ? &p->state->bias : NULL,
                               .query_stride = q + 2 * kv,
                               .key = session->qkv + q,
                               .value = session->qkv + q + kv};
    tfm_attention_run(&pass);
    tfm_attention_kind kind = p->causal ? TFM_ATTENTION_SELF : TFM_ATTENTION_ENCODER;
    return session->taps.kinds & kind ? tfm_attention_emit(&pass, kind, index, error) : TFM_OK;
}

/* ---- cross-attention ---- */

/* session->context = attention over the sources, whose keys and values are in the cache. */
static tfm_status cross_attention(const tfm_pass *p, uint32_t index, const float *x, tfm_error *error) {
    tfm_session *session = p->session;
    const tfm_stack_options *o = p->stack->options;
    tfm_apply_linear(session, &p->stack->layers[index].cross.q, x, p->batch->n_tokens, session->qkv, (tfm_epilogue){0});
    tfm_attention_pass pass = {.session = session,
                               .batch = p->batch,
                               .options = o,
                               .cache = &session->cross_kv,
                               .layer = index,
                               .cross = true,
                               .query_stride = (size_t)o->n_heads * o->head_dim};
    tfm_attention_run(&pass);
    return session->taps.kinds & TFM_ATTENTION_CROSS ? tfm_attention_emit(&pass, TFM_ATTENTION_CROSS, index, error)
                                                     : TFM_OK;
}

/* ---- feed-forward ---- */

/* The feed-forward up to its last product; the result is the input of that. */
static const float *feed_forward(const tfm_pass *p, const tfm_ffn_sublayer *ffn, const float *x) {
    tfm_session *session = p->session;
    const tfm_stack_options *o = p->stack->options;
    tfm_linear_input input = tfm_quantize_input(session, x, p->batch->n_tokens, &ffn->up);
    if (!o->gated) {
        tfm_apply_linear_to(session, &ffn->up, input, session->up, (tfm_epilogue){.act = o->activation});
        return session->up;
    }
    tfm_apply_linear_to(session, &ffn->up, input, session->up, (tfm_epilogue){0});
    tfm_apply_linear_to(session, &ffn->gate, input, session->gate,
                        (tfm_epilogue){.act = o->activation, .mul = session->up});
    return session->gate;
}

/* ---- layers ---- */

/* "Attention Is All You Need", figure 1: the sublayers one after the other. */
static tfm_status sequential_layer(const tfm_pass *p, const tfm_layer *layer, uint32_t index, tfm_error *error) {
    const tfm_attention_sublayer *attention = &layer->attention;
    tfm_status status = self_attention(p, index, pre_norm(p, &attention->norm), error);
    if (status != TFM_OK) return status;
    add_residual(p, &attention->out, p->session->context, &attention->norm, &attention->post_norm);

    if (p->stack->cross) {
        const tfm_cross_sublayer *cross = &layer->cross;
        status = cross_attention(p, index, pre_norm(p, &cross->norm), error);
        if (status != TFM_OK) return status;
        add_residual(p, &cross->out, p->session->context, &cross->norm, &cross->post_norm);
    }

    const tfm_ffn_sublayer *ffn = &layer->ffn;
    const float *inner = feed_forward(p, ffn, pre_norm(p, &ffn->norm));
    add_residual(p, &ffn->down, inner, &ffn->norm, &ffn->post_norm);
    return TFM_OK;
}

/* x + attention(norm(x)) + ffn(norm(x)): both sublayers read x before either adds to it. */
static tfm_status parallel_layer(const tfm_pass *p, const tfm_layer *layer, uint32_t index, tfm_error *error) {
    const float *h = pre_norm(p, &layer->attention.norm);
    tfm_status status = self_attention(p, index, h, error);
    if (status != TFM_OK) return status;
    if (p->stack->options->sublayers != TFM_PARALLEL_SHARED) h = pre_norm(p, &layer->ffn.norm);
    const float *inner = feed_forward(p, &layer->ffn, h);
    add_residual(p, &layer->attention.out, p->session->context, NULL, NULL);
    add_residual(p, &layer->ffn.down, inner, NULL, NULL);
    return TFM_OK;
}

tfm_status tfm_run_layer(const tfm_pass *p, uint32_t index, tfm_error *error) {
    const tfm_layer *layer = &p->stack->layers[index];
    bool sequential = p->stack->options->sublayers == TFM_SEQUENTIAL;
    return (sequential ? sequential_layer : parallel_layer)(p, layer, index, error);
}
