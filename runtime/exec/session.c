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
    size_t qkv, context, ff;
    bool gated, quantized;
    size_t scratch;
} widths;

static bool layer_quantized(const tfm_layer *l) {
    const tfm_linear *const all[] = {&l->qkv,       &l->out, &l->cross_q, &l->cross_kv,
                                     &l->cross_out, &l->up,  &l->gate,    &l->down};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (tfm_dtype_quantized(all[i]->w.dtype)) return true;
    return false;
}

/* Of what comes after the last layer; what a model lacks is f32. */
static bool head_quantized(const tfm_model *m) {
    return tfm_dtype_quantized(m->output.w.dtype) || tfm_dtype_quantized(m->head_dense.w.dtype) ||
           tfm_dtype_quantized(m->pooler.w.dtype);
}

static void widen(widths *w, const tfm_stack *stack) {
    const tfm_stack_options *o = stack->options;
    if (!o) return;
    size_t q = (size_t)o->n_heads * o->head_dim, kv = (size_t)o->n_kv_heads * o->head_dim;
    w->qkv = max_size(w->qkv, max_size(q + 2 * kv, stack->cross ? 2 * q : 0));
    w->context = max_size(w->context, q);
    w->ff = max_size(w->ff, o->d_ff);
    w->gated |= o->gated != 0;
    size_t group = o->n_heads / o->n_kv_heads;
    w->scratch = max_size(w->scratch, tfm_attention_scratch(TFM_QUERY_TILE, group, o->head_dim));
    for (uint32_t i = 0; i < o->n_layers; i++) w->quantized |= layer_quantized(&stack->layers[i]);
}

/* Tables of what depends on positions, for sequences of at most n tokens. */
static void place_positions(tfm_arena *a, const tfm_stack_options *o, size_t n, bool causal, tfm_rope_cache *rotations,
                            tfm_position_bias *biases) {
    if (o->position == TFM_POSITION_ROPE) {
        rotations->n_max = n;
        rotations->table = tfm_arena_take(a, n * o->rope_dim, sizeof(float));
    }
    if (o->position == TFM_POSITION_ALIBI || o->position == TFM_POSITION_RELATIVE) {
        biases->centre = n - 1;
        biases->width = causal ? n : 2 * n - 1;
        biases->values = tfm_arena_take(a, biases->width * o->n_heads, sizeof(float));
    }
}

static void place_quantized(tfm_quantized *q, tfm_arena *a, size_t rows, size_t k) {
    size_t blocks = k / TFM_I4_BLOCK + (k % TFM_I4_BLOCK != 0);
    q->stride = blocks * TFM_I4_BLOCK;
    q->q = tfm_arena_take(a, rows, q->stride);
    q->scale = tfm_arena_take(a, rows, sizeof *q->scale);
    q->sums = tfm_arena_take(a, rows * (q->stride / TFM_I4_GROUP), sizeof *q->sums);
}

static void place_decoder(tfm_session *s, tfm_arena *a) {
    const tfm_session_params *p = &s->params;
    take_cache(a, &s->self_kv);
    take_cache(a, &s->cross_kv);
    place_positions(a, &s->model->arch.decoder, p->max_target, true, &s->decoder_rotations, &s->decoder_biases);
    s->last = tfm_arena_take(a, (size_t)p->max_sequences * s->model->arch.d_model, sizeof(float));
    s->logits = tfm_arena_take(a, (size_t)p->max_sequences * s->model->arch.decoder.vocab_size, sizeof(float));
    s->sequences = tfm_arena_take(a, p->max_sequences, sizeof *s->sequences);
    uint32_t per_sequence = tfm_kv_pages(p->max_target);
    uint32_t *pages = tfm_arena_take(a, (size_t)p->max_sequences * per_sequence, sizeof *pages);
    for (uint32_t i = 0; a->base && i < p->max_sequences; i++) s->sequences[i].pages = pages + (size_t)i * per_sequence;
}

static void place_encoder(tfm_session *s, tfm_arena *a) {
    const tfm_session_params *p = &s->params;
    take_cache(a, &s->encoder_kv);
    s->encoder_pages = tfm_arena_take(a, s->encoder_kv.n_pages, sizeof(uint32_t));
    place_positions(a, &s->model->arch.encoder, p->max_source, false, &s->encoder_rotations, &s->encoder_biases);
    if (s->model->arch.encoder.token_types > 0)
        s->token_types = tfm_arena_take(a, p->max_batch_tokens, sizeof *s->token_types);
    s->sources = tfm_arena_take(a, p->max_sources, sizeof *s->sources);
    uint32_t per_source = tfm_kv_pages(p->max_source);
    uint32_t *pages = tfm_arena_take(a, (size_t)p->max_sources * per_source, sizeof *pages);
    for (uint32_t i = 0; a->base && i < p->max_sources; i++) s->sources[i].pages = pages + (size_t)i * per_source;
}

/* Lays everything out; called once to count and once to place. */
static void place(tfm_session *s, tfm_arena *a) {
    const tfm_session_params *p = &s->params;
    widths w = {0};
    widen(&w, &s->model->encoder);
    widen(&w, &s->model->decoder);
    size_t t = p->max_batch_tokens, d = s->model->arch.d_model;
    s->x = tfm_arena_take(a, t * d, sizeof(float));
    s->h = tfm_arena_take(a, t * d, sizeof(float));
    s->qkv = tfm_arena_take(a, t * w.qkv, sizeof(float));
    s->context = tfm_arena_take(a, t * w.context, sizeof(float));
    s->up = tfm_arena_take(a, t * w.ff, sizeof(float));
    w.quantized |= head_quantized(s->model);
    if (w.quantized) place_quantized(&s->quantized, a, t, max_size(d, max_size(w.context, w.ff)));
    s->gate = w.gated ? tfm_arena_take(a, t * w.ff, sizeof(float)) : NULL;
    s->positions = tfm_arena_take(a, t, sizeof(uint32_t));
    s->ids = tfm_arena_take(a, t, sizeof(int32_t));
    s->scratch_bytes = (w.scratch + 63) & ~(size_t)63;
    s->scratch = tfm_arena_take(a, tfm_pool_threads(s->pool), s->scratch_bytes);
    s->runs = tfm_arena_take(a, max_size(p->max_sources, p->max_sequences), sizeof *s->runs);
    if (s->model->arch.has_encoder) place_encoder(s, a);
    if (s->model->arch.has_decoder) place_decoder(s, a);
    if (s->model->arch.kind == TFM_KIND_ENCODER) {
        s->last = tfm_arena_take(a, t * d, sizeof(float));
        s->logits = tfm_arena_take(a, TFM_SCORE_ROWS * s->model->output.w.n, sizeof(float));
    }
}

/* Replaces zeros by what the model allows and refuses what it does not. */
static tfm_status settle_params(tfm_session *s, tfm_error *error) {
    tfm_session_params *p = &s->params;
    tfm_model_info info = tfm_model_get_info(s->model);
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

static bool shape_caches(tfm_session *s) {
    const tfm_session_params *p = &s->params;
    const tfm_architecture *o = &s->model->arch;
    bool fits = true;
    if (o->has_encoder)
        fits &= tfm_kv_cache_shape(&s->encoder_kv, TFM_F32, 1, o->encoder.n_kv_heads, o->encoder.head_dim,
                                   (uint64_t)tfm_kv_pages(p->max_batch_tokens) + p->max_sources);
    if (o->has_decoder)
        fits &= tfm_kv_cache_shape(&s->self_kv, kv_dtype(p->kv_type), o->decoder.n_layers, o->decoder.n_kv_heads,
                                   o->decoder.head_dim, (uint64_t)p->max_sequences * tfm_kv_pages(p->max_target));
    if (o->kind == TFM_KIND_ENCODER_DECODER)
        fits &= tfm_kv_cache_shape(&s->cross_kv, kv_dtype(p->kv_type), o->decoder.n_layers, o->decoder.n_heads,
                                   o->decoder.head_dim, (uint64_t)p->max_sources * tfm_kv_pages(p->max_source));
    return fits;
}

static tfm_status reserve(tfm_session *s, tfm_error *error) {
    tfm_arena count = {0};
    if (shape_caches(s))
        place(s, &count);
    else
        count.overflow = true;
    void *memory = MAP_FAILED;
    if (!count.overflow)
        memory = mmap(NULL, count.used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return tfm_fail(error, TFM_ERROR_MEMORY,
                        "no address space for a session of %u sequences of %u tokens: ask for fewer or shorter ones",
                        s->params.max_sequences, s->params.max_target);
    s->memory = memory;
    s->memory_bytes = count.used;
    place(s, &(tfm_arena){.base = memory});
    for (uint32_t i = 0; i < s->encoder_kv.n_pages; i++) s->encoder_pages[i] = i;
    if (s->encoder_biases.values) tfm_position_bias_fill(&s->encoder_biases, &s->model->encoder);
    if (s->decoder_biases.values) tfm_position_bias_fill(&s->decoder_biases, &s->model->decoder);
    return TFM_OK;
}

tfm_status tfm_session_create(tfm_session **out, tfm_model *model, const tfm_session_params *params, tfm_error *error) {
    *out = NULL;
    if (model->arch.kind == TFM_KIND_TOKENIZER)
        return tfm_fail(error, TFM_ERROR_STATE, "%s holds a tokenizer only, there is nothing to run",
                        tfm_file_path(model->file));
    tfm_session *session = calloc(1, sizeof *session);
    if (!session) return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for a session");
    session->model = model;
    session->params = standard;
    tfm_status status = tfm_params_take(&session->params, sizeof standard, params, "tfm_session_params", error);
    session->pool = session->params.pool;
    if (status == TFM_OK) status = settle_params(session, error);
    if (!status) status = reserve(session, error);
    if (status) {
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
    free(session->kept_attention);
    free(session->kept_row);
    free(session);
}

void tfm_session_cancel(tfm_session *session) { atomic_store(&session->cancelled, true); }

tfm_status tfm_session_check(const tfm_session *session, tfm_error *error) {
    if (!atomic_load_explicit(&session->cancelled, memory_order_relaxed)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_CANCELLED, "cancelled");
}
