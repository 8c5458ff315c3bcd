/*
 * token_step.c - a step of the running batch: the newest token of every beam goes through the decoder, and the next
 * ones are chosen.
 */
#include <string.h>

#include "decode_batch.h"
#include "runtime/exec/step.h"
#include "runtime/os/pool.h"

/* ---- logits ---- */

/* One row for each beam that exists. */
static size_t lay_out_rows(tfm_decode_batch *b) {
    size_t row = 0;
    for (size_t i = 0; i < b->n_running; i++) {
        tfm_search *search = &b->running[i]->search;
        b->running[i]->first_node = search->n_nodes;
        for (uint32_t beam = 0; beam < search->n_rows; beam++) {
            tfm_beam *from = &search->beams[beam];
            from->token = search->nodes[from->node].token;
            b->spans[row++] = (tfm_span){.sequence = from->sequence, .ids = &from->token, .n = 1};
        }
    }
    return row;
}

/* The heads that a request wants to know of, for its sequences. */
static void choose_heads(tfm_decode_batch *b, const tfm_request *r) {
    for (uint32_t beam = 0; beam < r->search.n_rows; beam++)
        tfm_mean_attention_choose(&b->mean, r->search.beams[beam].sequence, &r->params);
}

/* Hidden states of the rows, and their product with the vocabulary or the subset of it that they need. */
static tfm_status compute_logits(tfm_decode_batch *b, size_t n_rows, tfm_error *error) {
    tfm_step_result result;
    bool keep_attention = false;
    for (size_t i = 0; i < b->n_running; i++) keep_attention |= b->running[i]->params.keep_attention;
    for (size_t i = 0; i < b->n_running && keep_attention; i++) choose_heads(b, b->running[i]);
    if (keep_attention) tfm_mean_attention_start(&b->mean);
    tfm_status status = tfm_decode_step(b->session, b->spans, n_rows, &result, error);
    if (keep_attention) tfm_mean_attention_stop(&b->mean);
    if (status != TFM_OK) return status;
    b->logits = result.logits;
    return tfm_project_rows(b->session, &result, result.last_rows, n_rows,
                            b->subset_current ? &b->subset.linear : &b->session->model->output,
                            b->subset_current ? b->subset.logits : b->logits, error);
}

/* Logits of a row over the whole vocabulary; what its request may not choose has -infinity. */
static float *scatter_row(tfm_decode_batch *b, const tfm_request *r, size_t row) {
    float *logits = b->logits + row * r->search.vocab_size;
    if (b->subset_current)
        tfm_vocab_subset_scatter(&b->subset, row, r->allowed, r->n_allowed, logits);
    else if (r->params.shortlist)
        tfm_shortlist_mask(r->allowed, r->n_allowed, logits, r->search.vocab_size);
    return logits;
}

/* ---- scores ---- */

/* Lets the caller see and change the logits of all that have an on_logits, on this thread. */
static tfm_status call_on_logits(tfm_decode_batch *b, tfm_error *error) {
    size_t row = 0;
    for (size_t i = 0; i < b->n_running; i++) {
        tfm_request *r = b->running[i];
        const tfm_generate_callbacks *callbacks = r->callbacks;
        const tfm_search *search = &r->search;
        for (uint32_t beam = 0; beam < search->n_rows; beam++, row++) {
            if (!callbacks->on_logits) continue;
            float *logits = scatter_row(b, r, row);
            tfm_search_path(search, search->beams[beam].node, search->length, r->ids, NULL);
            uint32_t output = r->params.num_beams > 1 ? beam : search->beams[beam].output;
            if (callbacks->on_logits(callbacks->user, r->index, output, r->ids + r->output_start,
                                     search->length - r->output_start, logits, search->vocab_size) != TFM_GO_ON)
                return tfm_fail(error, TFM_ERROR_CANCELLED, "cancelled");
        }
    }
    return TFM_OK;
}

/* One row of logits is one item of work. */
static void score_part(void *arg, unsigned worker, unsigned n_workers) {
    tfm_decode_batch *b = arg;
    tfm_sampler *sampler = b->samplers ? &b->samplers[worker] : NULL;
    size_t row = 0;
    for (size_t i = 0; i < b->n_running; i++) {
        tfm_request *r = b->running[i];
        for (uint32_t beam = 0; beam < r->search.n_rows; beam++, row++) {
            if (row % n_workers != worker) continue;
            float *logits = r->callbacks->on_logits ? b->logits + row * r->search.vocab_size : scatter_row(b, r, row);
            tfm_search_score(&r->search, beam, logits, b->session->model->kernels, sampler);
        }
    }
}

/* ---- the next tokens of one request ---- */

/* The attention of a step belongs to the tokens chosen in it, whether they go on or end. */
static void keep_attention(const tfm_decode_batch *b, tfm_request *r) {
    tfm_search *search = &r->search;
    for (int32_t node = r->first_node; node < search->n_nodes; node++) {
        uint32_t beam = 0;
        while (beam + 1 < search->n_rows && search->beams[beam].node != search->nodes[node].parent) beam++;
        memcpy(search->attention + (size_t)node * b->session->params.max_source,
               tfm_mean_attention_row(&b->mean, search->beams[beam].sequence), r->input->n * sizeof *search->attention);
    }
}

/* Without beams: each output's token; the caller may end the output with it. */
static tfm_status call_on_token(tfm_request *r, tfm_error *error) {
    const tfm_generate_callbacks *callbacks = r->callbacks;
    if (r->params.num_beams > 1 || !callbacks->on_token) return TFM_OK;
    for (uint32_t i = 0; i < r->search.n_next; i++) {
        tfm_beam *beam = &r->search.next[i];
        int answer = callbacks->on_token(callbacks->user, r->index, beam->output, beam->token);
        if (answer != TFM_GO_ON && answer != TFM_END_OUTPUT) return tfm_fail(error, TFM_ERROR_CANCELLED, "cancelled");
        beam->ends |= answer == TFM_END_OUTPUT;
    }
    return TFM_OK;
}

/* Gives every next beam a sequence: the first child of a beam takes its sequence over, the others fork it. */
static tfm_status reorder(tfm_decode_batch *b, tfm_request *r, tfm_error *error) {
    tfm_search *search = &r->search;
    memset(b->n_children, 0, search->n_rows * sizeof *b->n_children);
    for (uint32_t i = 0; i < search->n_next; i++) b->n_children[search->next[i].parent]++;
    for (uint32_t i = 0; i < search->n_rows; i++) {
        if (b->n_children[i] > 0) continue;
        tfm_sequence_free(b->session, search->beams[i].sequence);
        search->beams[i].sequence = -1;
    }
    memset(b->n_children, 0, search->n_rows * sizeof *b->n_children);
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; status == TFM_OK && i < search->n_next; i++) {
        tfm_beam *next = &search->next[i];
        int32_t sequence = search->beams[next->parent].sequence;
        if (b->n_children[next->parent]++ == 0)
            next->sequence = sequence;
        else
            status = tfm_sequence_fork(b->session, sequence, &next->sequence, error);
    }
    return status;
}

static tfm_status choose_tokens(tfm_decode_batch *b, tfm_request *r, tfm_error *error) {
    tfm_search *search = &r->search;
    tfm_search_choose(search);
    if (search->failed) {
        r->status = tfm_fail(&r->error, TFM_ERROR_STATE,
                             "the model gives no usable scores at token %zu (they are not numbers, or the vocabulary "
                             "is too small for %u beams)",
                             search->length, r->params.num_beams);
        return TFM_OK;
    }
    if (r->params.keep_attention) keep_attention(b, r);
    tfm_status status = call_on_token(r, error);
    if (status != TFM_OK) return status;
    tfm_search_settle(search);
    if (!search->done) status = reorder(b, r, error);
    if (status == TFM_OK) tfm_search_advance(search);
    return status;
}

/* ---- the step ---- */

tfm_status tfm_decode_batch_step(tfm_decode_batch *batch, tfm_error *error) {
    batch->n_finished = 0;
    if (batch->n_running == 0) return TFM_OK;
    size_t n_rows = lay_out_rows(batch);
    bool watched = false;
    for (size_t i = 0; i < batch->n_running; i++) watched |= batch->running[i]->callbacks->on_logits != NULL;
    tfm_status status = compute_logits(batch, n_rows, error);
    if (status == TFM_OK && watched) status = call_on_logits(batch, error);
    if (status != TFM_OK) return status;
    size_t n_logits = n_rows * batch->session->model->arch.decoder.vocab_size;
    tfm_pool_run_sized(batch->session->pool, n_logits * 4, score_part, batch);
    for (size_t i = 0; status == TFM_OK && i < batch->n_running;) {
        tfm_request *r = batch->running[i];
        status = choose_tokens(batch, r, error);
        if (status != TFM_OK || (r->status == TFM_OK && !r->search.done)) {
            i++;
            continue;
        }
        tfm_decode_batch_remove(batch, r);
        batch->finished[batch->n_finished++] = r;
    }
    return status;
}
