/*
 * admission.c - how requests enter the running batch, and how they leave it.
 */
#include <stdlib.h>
#include <string.h>

#include "decode_batch.h"
#include "runtime/exec/sequences.h"
#include "runtime/exec/step.h"
#include "runtime/os/arena.h"
#include "runtime/os/pool.h"

/* ---- the batch ---- */

static void allocate(tfm_decode_batch *b, tfm_arena *arena) {
    size_t n = b->session->params.max_sequences;
    b->running = tfm_arena_take(arena, n, sizeof *b->running);
    b->finished = tfm_arena_take(arena, n, sizeof *b->finished);
    b->spans = tfm_arena_take(arena, n, sizeof *b->spans);
    b->inputs = tfm_arena_take(arena, n, sizeof *b->inputs);
    b->sources = tfm_arena_take(arena, n, sizeof *b->sources);
    b->n_children = tfm_arena_take(arena, n, sizeof *b->n_children);
}

tfm_status tfm_decode_batch_create(tfm_decode_batch *batch, tfm_session *session, tfm_error *error) {
    *batch = (tfm_decode_batch){.session = session};
    tfm_arena count = {0};
    allocate(batch, &count);
    batch->memory = count.overflow ? NULL : calloc(1, count.used);
    if (!batch->memory) return tfm_no_memory(error, "a batch of %u sequences", session->params.max_sequences);
    allocate(batch, &(tfm_arena){.base = batch->memory});
    return TFM_OK;
}

void tfm_decode_batch_free(tfm_decode_batch *batch) {
    while (batch->n_running > 0) tfm_decode_batch_remove(batch, batch->running[batch->n_running - 1]);
    tfm_mean_attention_close(&batch->mean);
    free(batch->memory);
    free(batch->sampler_memory);
    free(batch->subset_memory);
    *batch = (tfm_decode_batch){0};
}

size_t tfm_decode_batch_free_sequences(const tfm_decode_batch *batch) {
    size_t n = tfm_free_sequences(batch->session);
    for (size_t i = 0; i < batch->n_running; i++)
        n -= tfm_request_width(batch->running[i]) - batch->running[i]->search.n_rows;
    return n;
}

/* ---- what some requests need ---- */

static void allocate_samplers(tfm_decode_batch *b, tfm_arena *arena) {
    unsigned n_threads = tfm_pool_threads(b->session->pool);
    tfm_sampler *samplers = tfm_arena_take(arena, n_threads, sizeof *samplers), unused;
    for (unsigned i = 0; i < n_threads; i++)
        tfm_sampler_allocate(samplers ? &samplers[i] : &unused, arena, b->session->model->arch.decoder.vocab_size);
    b->samplers = samplers;
}

static void allocate_subset(tfm_decode_batch *b, tfm_arena *arena) {
    tfm_vocab_subset_allocate(&b->subset, arena, &b->session->model->output, b->session->params.max_sequences);
}

static tfm_status reserve(tfm_decode_batch *b, void (*lay_out)(tfm_decode_batch *, tfm_arena *), void **memory,
                          const char *what, tfm_error *error) {
    tfm_arena count = {0};
    lay_out(b, &count);
    *memory = count.overflow ? NULL : calloc(1, count.used);
    if (!*memory) return tfm_no_memory(error, "%s", what);
    lay_out(b, &(tfm_arena){.base = *memory});
    return TFM_OK;
}

static tfm_status reserve_for(tfm_decode_batch *b, const tfm_request *r, tfm_error *error) {
    tfm_status status = TFM_OK;
    if (r->params.do_sample && !b->sampler_memory)
        status = reserve(b, allocate_samplers, &b->sampler_memory, "drawing tokens", error);
    if (status == TFM_OK && r->params.shortlist && !b->subset_memory)
        status = reserve(b, allocate_subset, &b->subset_memory, "a part of the vocabulary", error);
    if (status == TFM_OK && r->params.keep_attention && !b->mean.session)
        status = tfm_mean_attention_open(&b->mean, b->session, error);
    return status;
}

/* ---- entering ---- */

static tfm_status encode(tfm_decode_batch *b, tfm_request *const *requests, size_t n, tfm_error *error) {
    if (!b->session->model->arch.has_encoder) return TFM_OK;
    for (size_t i = 0; i < n; i++) b->inputs[i] = (tfm_tokens){requests[i]->input->ids, requests[i]->input->n};
    tfm_status status = tfm_encode_step(b->session, b->inputs, n, b->sources, NULL, error);
    for (size_t i = 0; status == TFM_OK && i < n; i++) requests[i]->source = b->sources[i];
    return status;
}

/* A sequence for each beam without one; that of a conversation is the caller's, if there is one. */
static tfm_status take_sequences(tfm_decode_batch *b, tfm_request *r, tfm_error *error) {
    int32_t *kept = r->input->sequence;
    tfm_search *search = &r->search;
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; status == TFM_OK && i < search->n_rows; i++) {
        if (kept && *kept >= 0)
            search->beams[i].sequence = *kept;
        else
            status = tfm_sequence_new(b->session, r->source, &search->beams[i].sequence, error);
        if (kept) *kept = search->beams[i].sequence;
        tfm_search_path(search, search->beams[i].node, search->length, r->ids + i * r->max_length, NULL);
    }
    return status;
}

/*
 * The tokens this input may be answered with: those of the shortlist, the end, and a prefix that the output is drawn
 * to. Forced tokens need no logits.
 */
static void find_allowed(tfm_decode_batch *b, tfm_request *r) {
    for (size_t i = 0; i < r->params.n_eos_token_ids; i++) {
        uint32_t end = (uint32_t)r->params.eos_token_ids[i];
        if (end < r->search.vocab_size) tfm_vocab_subset_mark(&b->subset, &end, 1);
    }
    for (size_t i = 0; i < r->search.n_bias; i++)
        tfm_vocab_subset_mark(&b->subset, &(uint32_t){(uint32_t)r->search.bias[i]}, 1);
    r->n_allowed = tfm_shortlist_of(&b->session->model->shortlist, &b->subset, r->input->ids, r->input->n, r->allowed);
}

static tfm_status enter(tfm_decode_batch *b, tfm_request *r, tfm_error *error) {
    b->running[b->n_running++] = r;
    if (r->params.shortlist) find_allowed(b, r);
    return take_sequences(b, r, error);
}

/* The columns of the vocabulary for all that run, unless one of them needs the whole. */
static void choose_subset(tfm_decode_batch *b) {
    b->subset_current = b->subset_memory && b->n_running > 0;
    for (size_t i = 0; i < b->n_running; i++) b->subset_current &= b->running[i]->params.shortlist;
    if (!b->subset_current) return;
    for (size_t i = 0; i < b->n_running; i++)
        tfm_vocab_subset_mark(&b->subset, b->running[i]->allowed, b->running[i]->n_allowed);
    tfm_vocab_subset_gather(&b->subset, b->session->pool);
}

/*
 * All tokens of the beams but their last, as one ragged batch in pieces the session can take; the last token goes
 * with the next step.
 */
static tfm_status feed(tfm_decode_batch *b, tfm_error *error) {
    for (;;) {
        size_t n = 0, room = b->session->params.max_batch_tokens;
        for (size_t i = 0; i < b->n_running; i++) {
            const tfm_request *r = b->running[i];
            for (uint32_t row = 0; row < r->search.n_rows && room > 0; row++) {
                int32_t sequence = r->search.beams[row].sequence;
                size_t fed = tfm_sequence_length(b->session, sequence), left = r->search.length - 1 - fed;
                size_t piece = left < room ? left : room;
                if (piece == 0) continue;
                b->spans[n++] = (tfm_span){.sequence = sequence, .ids = r->ids + row * r->max_length + fed, .n = piece};
                room -= piece;
            }
        }
        if (n == 0) return TFM_OK;
        tfm_status status = tfm_decode_step(b->session, b->spans, n, NULL, error);
        if (status != TFM_OK) return status;
    }
}

tfm_status tfm_decode_batch_admit(tfm_decode_batch *batch, tfm_request *const *requests, size_t n, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < n; i++) status = reserve_for(batch, requests[i], error);
    if (status == TFM_OK) status = encode(batch, requests, n, error);
    if (status != TFM_OK) return status;
    for (size_t i = 0; status == TFM_OK && i < n; i++) status = enter(batch, requests[i], error);
    choose_subset(batch);
    if (status == TFM_OK) status = feed(batch, error);
    for (size_t i = n; status != TFM_OK && i-- > 0;) tfm_decode_batch_remove(batch, requests[i]);
    return status;
}

/* ---- leaving ---- */

/* Takes a request off the list, if it is on it. Those that stay may do with a part of the vocabulary now. */
static void leave(tfm_decode_batch *b, const tfm_request *r) {
    for (size_t i = 0; i < b->n_running; i++) {
        if (b->running[i] != r) continue;
        b->n_running--;
        memmove(b->running + i, b->running + i + 1, (b->n_running - i) * sizeof *b->running);
    }
    if (!r->params.shortlist) choose_subset(b);
}

void tfm_decode_batch_preempt(tfm_decode_batch *batch, tfm_request *request) {
    tfm_search *search = &request->search;
    leave(batch, request);
    for (uint32_t i = 0; i < search->n_rows && !request->input->sequence; i++) {
        tfm_sequence_free(batch->session, search->beams[i].sequence);
        search->beams[i].sequence = -1;
    }
    tfm_source_free(batch->session, request->source);
    request->source = -1;
}

void tfm_decode_batch_remove(tfm_decode_batch *batch, tfm_request *request) {
    const tfm_search *search = &request->search;
    if (request->input->sequence && !search->done)
        tfm_sequence_truncate(batch->session, search->beams[0].sequence, request->input->n);
    tfm_decode_batch_preempt(batch, request);
}
