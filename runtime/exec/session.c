/*
 * session.c - making a session: how much memory it needs, and where everything lies in it.
 *
 * All buffers are one anonymous mapping without reserve: address space for the largest case, pages of memory only where
 * they are touched. What is never used (beams nobody asks for, positions no sentence reaches) costs nothing.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/os/arena.h"
#include "runtime/params.h"

static const tfm_session_params standard = {
    .size = sizeof standard, .max_sources = 32, .max_sequences = 128, .max_batch_tokens = 4096};

void tfm_session_params_init(tfm_session_params *params, size_t size) {
    tfm_params_give(params, size, &standard, sizeof standard);
}

/* What a cache of so many bits an element is, inside. */
static tfm_dtype kv_dtype(tfm_kv_type type) {
    static const tfm_dtype dtypes[] = {[TFM_KV_F32] = TFM_F32, [TFM_KV_F16] = TFM_F16, [TFM_KV_INT8] = TFM_I8};
    return dtypes[type];
}

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

static void take_cache(tfm_arena *a, tfm_kv_cache *cache) {
    cache->data = tfm_arena_take(a, cache->n_pages, cache->page_bytes);
    cache->references = tfm_arena_take(a, cache->n_pages, sizeof(uint32_t));
    cache->freed = tfm_arena_take(a, cache->n_pages, sizeof(uint32_t));
}

/* Widths of the widest rows of both stacks. */
typedef struct widths {
    size_t qkv, context, ff, embed;
    bool gated, quantized;
    size_t scratch;
} widths;

static bool layer_quantized(const tfm_layer *l) {
    const tfm_linear *const all[] = {&l->attention.qkv, &l->attention.out, &l->cross.q,  &l->cross.kv,
                                     &l->cross.out,     &l->ffn.up,        &l->ffn.gate, &l->ffn.down};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (tfm_dtype_quantized(all[i]->w.dtype)) return true;
    return false;
}

/* Of what comes after the last layer; what a model lacks is f32. */
static bool head_quantized(const tfm_model *m) {
    return tfm_dtype_quantized(m->output.w.dtype) || tfm_dtype_quantized(m->head_dense.w.dtype) ||
           tfm_dtype_quantized(m->pooler.w.dtype);
}

static void widen(widths *w, const tfm_kernels *kernels, const tfm_stack *stack) {
    const tfm_stack_options *o = stack->options;
    if (!o) return;
    size_t q = (size_t)o->n_heads * o->head_dim, kv = (size_t)o->n_kv_heads * o->head_dim;
    w->qkv = max_size(w->qkv, max_size(q + 2 * kv, stack->cross ? 2 * q : 0));
    w->context = max_size(w->context, q);
    w->ff = max_size(w->ff, o->d_ff);
    w->embed = max_size(w->embed, o->embed_width);
    w->gated |= o->gated != 0;
    w->scratch = max_size(w->scratch, tfm_attention_scratch(kernels, o->head_dim));
    w->quantized |= tfm_dtype_quantized(stack->embed_projection.w.dtype);
    for (uint32_t i = 0; i < o->n_layers; i++) w->quantized |= layer_quantized(&stack->layers[i]);
}

/* Tables of what depends on positions, for sequences of at most n tokens. */
static void layout_positions(tfm_arena *a, const tfm_stack_options *o, size_t n, bool causal, tfm_stack_state *state) {
    if (o->position == TFM_POSITION_ROPE) {
        state->rope.n_max = n;
        state->rope.table = tfm_arena_take(a, n * o->rope_dim, sizeof(float));
    }
    if (o->position == TFM_POSITION_ALIBI || o->position == TFM_POSITION_RELATIVE) {
        state->bias.centre = n - 1;
        state->bias.width = causal ? n : 2 * n - 1;
        state->bias.values = tfm_arena_take(a, state->bias.width * o->n_heads, sizeof(float));
    }
}

static void layout_quantized(tfm_quantized *q, tfm_arena *a, size_t rows, size_t k) {
    q->stride = tfm_quantized_stride(k);
    q->q = tfm_arena_take(a, rows, q->stride);
    q->scale = tfm_arena_take(a, rows, sizeof *q->scale);
    q->sums = tfm_arena_take(a, rows * tfm_quantized_groups(q), sizeof *q->sums);
}

static void layout_decoder(tfm_session *session, tfm_arena *a) {
    const tfm_session_params *p = &session->params;
    take_cache(a, &session->decoder.kv);
    take_cache(a, &session->cross_kv);
    layout_positions(a, &session->model->arch.decoder, p->max_target, true, &session->decoder);
    session->logits_rows = p->max_sequences;
    session->logits =
        tfm_arena_take(a, (size_t)p->max_sequences * session->model->arch.decoder.vocab_size, sizeof(float));
    session->sequences = tfm_arena_take(a, p->max_sequences, sizeof *session->sequences);
    uint32_t per_sequence = tfm_kv_pages(p->max_target);
    uint32_t *pages = tfm_arena_take(a, (size_t)p->max_sequences * per_sequence, sizeof *pages);
    for (uint32_t i = 0; a->base && i < p->max_sequences; i++)
        session->sequences[i].pages = pages + (size_t)i * per_sequence;
}

static void layout_encoder(tfm_session *session, tfm_arena *a) {
    const tfm_session_params *p = &session->params;
    take_cache(a, &session->encoder.kv);
    session->encoder_pages = tfm_arena_take(a, session->encoder.kv.n_pages, sizeof *session->encoder_pages);
    layout_positions(a, &session->model->arch.encoder, p->max_source, false, &session->encoder);
    if (session->model->arch.encoder.token_types > 0)
        session->batch.token_types = tfm_arena_take(a, p->max_batch_tokens, sizeof *session->batch.token_types);
    session->sources = tfm_arena_take(a, p->max_sources, sizeof *session->sources);
    uint32_t per_source = tfm_kv_pages(p->max_source);
    uint32_t *pages = tfm_arena_take(a, (size_t)p->max_sources * per_source, sizeof *pages);
    for (uint32_t i = 0; a->base && i < p->max_sources; i++) session->sources[i].pages = pages + (size_t)i * per_source;
}

/* What an encoder-only model has after its last layer. */
static void layout_head(tfm_session *session, tfm_arena *a) {
    enum { SCORE_ROWS = 128 }; /* enough that their product reads its weights seldom */
    size_t d = session->model->arch.d_model;
    session->head = tfm_arena_take(a, session->params.max_batch_tokens * d, sizeof(float));
    session->logits_rows = SCORE_ROWS;
    session->logits = tfm_arena_take(a, SCORE_ROWS * session->model->output.w.n, sizeof(float));
}

static void layout_batch(tfm_ragged_batch *batch, tfm_arena *a, size_t n_tokens, size_t n_runs) {
    batch->runs = tfm_arena_take(a, n_runs, sizeof *batch->runs);
    batch->ids = tfm_arena_take(a, n_tokens, sizeof *batch->ids);
    batch->positions = tfm_arena_take(a, n_tokens, sizeof *batch->positions);
}

/* Lays everything out; called once to count and once with the memory. */
static void layout(tfm_session *session, tfm_arena *a) {
    const tfm_session_params *p = &session->params;
    widths w = {.quantized = head_quantized(session->model)};
    widen(&w, session->model->kernels, &session->model->encoder);
    widen(&w, session->model->kernels, &session->model->decoder);
    size_t t = p->max_batch_tokens, d = session->model->arch.d_model;
    size_t n_runs = max_size(p->max_sources, p->max_sequences);
    layout_batch(&session->batch, a, t, n_runs);
    session->last_rows = tfm_arena_take(a, n_runs, sizeof *session->last_rows);
    session->x = tfm_arena_take(a, t * d, sizeof(float));
    session->h = tfm_arena_take(a, t * max_size(d, w.embed), sizeof(float));
    session->qkv = tfm_arena_take(a, t * w.qkv, sizeof(float));
    session->context = tfm_arena_take(a, t * w.context, sizeof(float));
    session->up = tfm_arena_take(a, t * w.ff, sizeof(float));
    session->gate = w.gated ? tfm_arena_take(a, t * w.ff, sizeof(float)) : NULL;
    if (w.quantized)
        layout_quantized(&session->quantized, a, t, max_size(max_size(d, w.embed), max_size(w.context, w.ff)));
    session->scratch_bytes = (w.scratch + 63) & ~(size_t)63;
    session->scratch = tfm_arena_take(a, tfm_pool_threads(session->pool), session->scratch_bytes);
    if (session->model->arch.has_encoder) layout_encoder(session, a);
    if (session->model->arch.has_decoder) layout_decoder(session, a);
    if (session->model->arch.kind == TFM_KIND_ENCODER) layout_head(session, a);
}

/* Replaces zeros by what the model allows and refuses what it does not. */
static tfm_status settle_params(tfm_session *session, tfm_error *error) {
    tfm_session_params *p = &session->params;
    tfm_model_info info = tfm_model_get_info(session->model);
    if (p->max_source == 0) p->max_source = info.max_source;
    if (p->max_target == 0) p->max_target = info.max_target;
    if (p->max_sources == 0 || p->max_sequences == 0 || p->max_batch_tokens == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "a session needs at least 1 source, 1 sequence and 1 batch token");
    if ((unsigned)p->kv_type > TFM_KV_INT8)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "kv_type is %d, which is none of tfm_kv_type", (int)p->kv_type);
    if (p->max_sources > 1 << 20 || p->max_sequences > 1 << 20 || p->max_batch_tokens > 1 << 24)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "a session of %u sources, %u sequences and %u batch tokens is too large", p->max_sources,
                        p->max_sequences, p->max_batch_tokens);
    if (p->max_source > info.max_source || p->max_target > info.max_target)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "the model allows %u source and %u target tokens, not %u and %u",
                        info.max_source, info.max_target, p->max_source, p->max_target);
    /* One input must fit a pass. */
    if (p->max_batch_tokens < p->max_source) p->max_batch_tokens = p->max_source;
    if (p->max_batch_tokens < p->max_sequences) p->max_batch_tokens = p->max_sequences;
    return TFM_OK;
}

static bool shape_caches(tfm_session *session) {
    const tfm_session_params *p = &session->params;
    const tfm_architecture *arch = &session->model->arch;
    bool fits = true;
    if (arch->has_encoder)
        fits &= tfm_kv_cache_shape(&session->encoder.kv, TFM_F32, 1, arch->encoder.n_kv_heads, arch->encoder.head_dim,
                                   (uint64_t)tfm_kv_pages(p->max_batch_tokens) + p->max_sources);
    if (arch->has_decoder)
        fits &= tfm_kv_cache_shape(&session->decoder.kv, kv_dtype(p->kv_type), arch->decoder.n_layers,
                                   arch->decoder.n_kv_heads, arch->decoder.head_dim,
                                   (uint64_t)p->max_sequences * tfm_kv_pages(p->max_target));
    if (arch->kind == TFM_KIND_ENCODER_DECODER)
        fits &=
            tfm_kv_cache_shape(&session->cross_kv, kv_dtype(p->kv_type), arch->decoder.n_layers, arch->decoder.n_heads,
                               arch->decoder.head_dim, (uint64_t)p->max_sources * tfm_kv_pages(p->max_source));
    return fits;
}

static tfm_status reserve(tfm_session *session, tfm_error *error) {
    tfm_arena count = {0};
    if (shape_caches(session))
        layout(session, &count);
    else
        count.overflow = true;
    void *memory = MAP_FAILED;
    if (!count.overflow)
        memory = mmap(NULL, count.used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return tfm_fail(error, TFM_ERROR_MEMORY,
                        "no address space for a session of %u sequences of %u tokens: ask for fewer or shorter ones",
                        session->params.max_sequences, session->params.max_target);
    session->memory = memory;
    session->memory_bytes = count.used;
    layout(session, &(tfm_arena){.base = memory});
    for (uint32_t i = 0; i < session->encoder.kv.n_pages; i++) session->encoder_pages[i] = i;
    if (session->encoder.bias.values) tfm_position_bias_fill(&session->encoder.bias, &session->model->encoder);
    if (session->decoder.bias.values) tfm_position_bias_fill(&session->decoder.bias, &session->model->decoder);
    return TFM_OK;
}

tfm_status tfm_session_create(tfm_session **out, tfm_model *model, const tfm_session_params *params, tfm_error *error) {
    *out = NULL;
    if (model->arch.kind == TFM_KIND_TOKENIZER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s holds a tokenizer only, there is nothing to run",
                        tfm_file_path(model->file));
    tfm_session *session = calloc(1, sizeof *session);
    if (!session) return tfm_no_memory(error, "a session");
    session->model = model;
    session->params = standard;
    tfm_status status = tfm_params_take(&session->params, sizeof standard, params, "tfm_session_params", error);
    session->pool = session->params.pool;
    if (status == TFM_OK) status = settle_params(session, error);
    if (status == TFM_OK) status = reserve(session, error);
    if (status != TFM_OK) {
        tfm_session_free(&session);
        return status;
    }
    *out = session;
    return TFM_OK;
}

void tfm_session_free(tfm_session **out) {
    if (!out || !*out) return;
    tfm_session *session = *out;
    *out = NULL;
    if (session->memory) munmap(session->memory, session->memory_bytes);
    free(session->taps.weights);
    free(session);
}

/* ---- cancelling ---- */

void tfm_session_cancel(tfm_session *session) { atomic_store(&session->cancel_requested, true); }

void tfm_session_clear_cancel(tfm_session *session) { atomic_store(&session->cancel_requested, false); }

tfm_status tfm_session_take_cancel(tfm_session *session, tfm_error *error) {
    if (!atomic_load_explicit(&session->cancel_requested, memory_order_relaxed)) return TFM_OK;
    if (!atomic_exchange(&session->cancel_requested, false)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_CANCELLED, "cancelled");
}
