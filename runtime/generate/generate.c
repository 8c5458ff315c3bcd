/*
 * generate.c - generating outputs for any number of inputs: inputs enter the running batch as others leave it.
 *
 * Because results do not depend on what else is in the batch, who enters when is only a matter of speed.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/os/arena.h"
#include "generate_params.h"
#include "runtime/params.h"
#include "search.h"
#include "runtime/exec/sequences.h"
#include "runtime/exec/step.h"
#include "vocab_subset.h"

/* An input that is being worked on. */
typedef struct request {
    bool active;
    size_t index; /* in inputs[] */
    int32_t source;
    uint32_t n_source;
    int32_t *prompt;    /* (max_length) start token or input, and the prefix */
    size_t n_fed;       /* tokens of it that the sequence holds */
    int32_t first_node; /* that this step made */
    uint32_t *allowed;  /* (n_allowed) tokens it may choose from, where shortlists are used */
    size_t n_allowed;
    tfm_search search;
} request;

typedef struct generator {
    tfm_session *session;
    const tfm_input *inputs;
    size_t n;
    tfm_generate_params params;
    tfm_generate_callbacks callbacks;
    tfm_error *error;

    request *requests; /* (n_slots) */
    size_t n_slots, n_active, next_input;
    size_t max_length;        /* longest of all inputs */
    uint32_t width;           /* sequences of a request: beams or samples */
    tfm_span *spans;          /* (max_sequences) */
    bool *taken;              /* (width) scratch */
    int32_t *children;        /* (width) scratch */
    bool *claimed;            /* (max_sequences) conversations that an input goes on with */
    tfm_sampler *samplers;    /* one for each thread, where tokens are drawn */
    tfm_tokens *tokens;       /* (n_slots) scratch for encoding */
    int32_t *sources;         /* (n_slots) */
    tfm_vocab_subset columns; /* of the vocabulary, where shortlists are used */
    float *logits;            /* (rows, vocab) of the step */

    tfm_hypothesis *hypotheses; /* (num_return_sequences) */
    const tfm_hypothesis **listed;
    int32_t *ids; /* (num_return_sequences, max_length) */
    float *log_probs, *attention;
    int32_t *top_ids; /* (num_return_sequences, max_length, n_top_log_probs) */
    float *top_log_probs;
    void *memory;
} generator;

/* ---- checking and sizing ---- */

/* Tokens that come before the output. */
static size_t output_start(const generator *g, const tfm_input *input) {
    return g->session->model->arch.has_encoder ? 1 : input->n;
}

static size_t prompt_length(const generator *g, const tfm_input *input) {
    return output_start(g, input) + input->n_prefix;
}

static size_t max_length_of(const generator *g, const tfm_input *input) {
    return g->params.max_new_tokens ? prompt_length(g, input) + g->params.max_new_tokens : g->params.max_length;
}

/* An input that cannot be run is refused before any is. */
static tfm_status check_input(const generator *g, size_t i) {
    const tfm_input *input = &g->inputs[i];
    const tfm_architecture *o = &g->session->model->arch;
    const tfm_session_params *limits = &g->session->params;
    size_t most = o->has_encoder ? limits->max_source : limits->max_target;
    tfm_status status = tfm_params_check_reserved(input->reserved, "tfm_input", g->error);
    if (status) return status;
    if (input->n == 0 || input->n > most)
        return tfm_fail(g->error, TFM_ERROR_LIMIT, "input %zu has %zu tokens; allowed are 1 to %zu", i, input->n, most);
    uint32_t vocab = o->has_encoder ? o->encoder.vocab_size : o->decoder.vocab_size;
    for (size_t t = 0; t < input->n; t++)
        if (!tfm_id_valid(input->ids[t], vocab))
            return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "input %zu: token id %d is outside the vocabulary (0 .. %u)",
                            i, input->ids[t], vocab - 1);
    for (size_t t = 0; t < input->n_prefix; t++)
        if (!tfm_id_valid(input->prefix[t], o->decoder.vocab_size))
            return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "input %zu: prefix id %d is outside the vocabulary (0 .. %u)",
                            i, input->prefix[t], o->decoder.vocab_size - 1);
    size_t prompt = prompt_length(g, input), max_length = max_length_of(g, input);
    if (prompt >= max_length)
        return tfm_fail(g->error, TFM_ERROR_LIMIT,
                        "input %zu: start token and prefix are %zu tokens, which leaves none of max_length %zu", i,
                        prompt, max_length);
    if (max_length - 1 > limits->max_target)
        return tfm_fail(g->error, TFM_ERROR_LIMIT, "input %zu: max_length %zu is over the limit of %u", i, max_length,
                        limits->max_target + 1);
    return TFM_OK;
}

/* A conversation has one output, and its sequence holds fewer tokens than the prompt. */
static tfm_status check_conversation(const generator *g, size_t i) {
    const tfm_input *input = &g->inputs[i];
    if (!input->sequence != !g->inputs[0].sequence)
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT,
                        "input %zu: either all inputs of a call have a sequence to go on with, or none", i);
    if (!input->sequence) return TFM_OK;
    if (g->session->model->arch.kind != TFM_KIND_DECODER || g->width != 1)
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT,
                        "input %zu: only a decoder-only model can go on with a sequence, and with one output", i);
    int32_t sequence = *input->sequence;
    if (sequence == -1) return TFM_OK;
    if (!tfm_sequence_used(g->session, sequence))
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "input %zu: there is no sequence %d", i, sequence);
    size_t held = tfm_sequence_length(g->session, sequence);
    if (held >= prompt_length(g, input))
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT,
                        "input %zu: its %zu tokens must be more than the %zu that sequence %d holds: truncate it", i,
                        prompt_length(g, input), held, sequence);
    return TFM_OK;
}

/* Each conversation occurs once, and those that begin find a place. */
static tfm_status claim_sequences(const generator *g) {
    size_t n_new = 0, n_free = tfm_free_sequences(g->session);
    for (size_t i = 0; i < g->n && g->inputs[0].sequence; i++) {
        int32_t sequence = *g->inputs[i].sequence;
        if (sequence < 0 && ++n_new > n_free)
            return tfm_fail(g->error, TFM_ERROR_LIMIT, "more conversations begin than sequences are free: %zu", n_free);
        if (sequence < 0) continue;
        if (g->claimed[sequence])
            return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "input %zu: another input goes on with sequence %d, too", i,
                            sequence);
        g->claimed[sequence] = true;
    }
    return TFM_OK;
}

static void place_results(generator *g, tfm_arena *a) {
    size_t returned, n_returned = g->params.num_return_sequences, n_top = g->params.n_top_log_probs;
    if (__builtin_mul_overflow(n_returned, g->max_length, &returned)) a->overflow = true;
    g->hypotheses = tfm_arena_take(a, n_returned, sizeof *g->hypotheses);
    g->listed = tfm_arena_take(a, n_returned, sizeof *g->listed);
    g->ids = tfm_arena_take(a, returned, sizeof *g->ids);
    g->log_probs = tfm_arena_take(a, returned, sizeof *g->log_probs);
    if (g->params.keep_attention)
        g->attention = tfm_arena_take(a, returned, g->session->params.max_source * sizeof *g->attention);
    if (n_top == 0) return;
    g->top_ids = tfm_arena_take(a, returned, n_top * sizeof *g->top_ids);
    g->top_log_probs = tfm_arena_take(a, returned, n_top * sizeof *g->top_log_probs);
}

static void place_samplers(generator *g, tfm_arena *a) {
    unsigned n_threads = tfm_pool_threads(g->session->pool);
    g->samplers = tfm_arena_take(a, n_threads, sizeof *g->samplers);
    for (unsigned i = 0; i < n_threads; i++) {
        tfm_sampler unused;
        tfm_sampler_place(g->samplers ? &g->samplers[i] : &unused, a, g->session->model->arch.decoder.vocab_size);
    }
}

static void place_request(generator *g, tfm_arena *a, request *r) {
    const tfm_linear *output = &g->session->model->output;
    tfm_search_place(&r->search, a, &g->params, g->session->model->arch.decoder.vocab_size, g->max_length,
                     g->params.keep_attention ? g->session->params.max_source : 0);
    r->prompt = tfm_arena_take(a, g->max_length, sizeof *r->prompt);
    if (g->params.shortlist) r->allowed = tfm_arena_take(a, output->w.n + 1, sizeof *r->allowed);
}

static void place(generator *g, tfm_arena *a) {
    size_t n_rows = g->n_slots * g->width;
    g->requests = tfm_arena_take(a, g->n_slots, sizeof *g->requests);
    g->spans = tfm_arena_take(a, n_rows, sizeof *g->spans);
    g->taken = tfm_arena_take(a, g->width, sizeof *g->taken);
    g->children = tfm_arena_take(a, g->width, sizeof *g->children);
    g->claimed = tfm_arena_take(a, g->session->params.max_sequences, sizeof *g->claimed);
    g->tokens = tfm_arena_take(a, g->n_slots, sizeof *g->tokens);
    g->sources = tfm_arena_take(a, g->n_slots, sizeof *g->sources);
    place_results(g, a);
    if (g->params.do_sample) place_samplers(g, a);
    if (g->params.shortlist) tfm_vocab_subset_place(&g->columns, a, &g->session->model->output, n_rows);
    for (size_t i = 0; i < g->n_slots; i++) {
        request unused;
        place_request(g, a, g->requests ? &g->requests[i] : &unused);
    }
}

/* Inputs that can be worked on at the same time. */
static size_t count_slots(const generator *g) {
    size_t n = tfm_free_sequences(g->session) / g->width;
    if (g->inputs[0].sequence) n = g->n; /* they have their places, or claim_sequences says so */
    if (g->session->model->arch.has_encoder && n > tfm_free_sources(g->session)) n = tfm_free_sources(g->session);
    if (n > g->session->params.max_sequences) n = g->session->params.max_sequences;
    return n < g->n ? n : g->n;
}

static tfm_status prepare(generator *g) {
    tfm_status status = tfm_generate_params_check(g->session, &g->params, g->error);
    if (status) return status;
    g->width = tfm_search_width(&g->params);
    for (size_t i = 0; !status && i < g->n; i++) {
        status = check_input(g, i);
        if (!status) status = check_conversation(g, i);
        size_t length = max_length_of(g, &g->inputs[i]);
        if (length > g->max_length) g->max_length = length;
    }
    if (status) return status;
    g->n_slots = count_slots(g);
    if (g->n_slots == 0)
        return tfm_fail(g->error, TFM_ERROR_LIMIT,
                        "too few sources or sequences of the session are free for %u beams or samples", g->width);
    tfm_arena count = {0};
    place(g, &count);
    g->memory = count.overflow ? NULL : calloc(1, count.used);
    if (!g->memory) return tfm_fail(g->error, TFM_ERROR_MEMORY, "no memory for %zu searches", g->n_slots);
    place(g, &(tfm_arena){.base = g->memory});
    return claim_sequences(g);
}

/* ---- entering and leaving the batch ---- */

/* The sequence of a conversation stays. */
static void leave(generator *g, request *r) {
    for (uint32_t b = 0; b < r->search.n_rows && !g->inputs[r->index].sequence; b++)
        tfm_sequence_free(g->session, r->search.beams[b].sequence);
    if (r->source >= 0) tfm_source_free(g->session, r->source);
    r->active = false;
    g->n_active--;
}

/* After an error: what was generated is forgotten. */
static void abandon(generator *g, request *r) {
    const tfm_input *input = &g->inputs[r->index];
    if (input->sequence) tfm_sequence_truncate(g->session, r->search.beams[0].sequence, input->n);
    leave(g, r);
}

/*
 * All tokens of the prompts but their last, as one ragged batch in pieces the session can take; the last token goes
 * with the next step.
 */
static tfm_status feed_prompts(generator *g) {
    for (;;) {
        size_t n = 0, room = g->session->params.max_batch_tokens;
        for (request *r = g->requests; r < g->requests + g->n_slots && room > 0; r++) {
            size_t end = r->active ? r->search.prompt_length - 1 : 0;
            if (!r->active || r->n_fed >= end) continue;
            size_t piece = end - r->n_fed < room ? end - r->n_fed : room;
            g->spans[n++] =
                (tfm_span){.sequence = r->search.beams[0].sequence, .ids = r->prompt + r->n_fed, .n = piece};
            r->n_fed += piece;
            room -= piece;
        }
        if (n == 0) return TFM_OK;
        tfm_status status = tfm_decode_step(g->session, g->spans, n, NULL, g->error);
        if (status) return status;
    }
}

/* The tokens this input may be answered with: those of the shortlist, and the end. Forced tokens need no logits. */
static void allow(generator *g, request *r, const tfm_input *input) {
    for (size_t i = 0; i < g->params.n_eos_token_ids; i++) {
        uint32_t end = (uint32_t)g->params.eos_token_ids[i];
        tfm_vocab_subset_mark(&g->columns, &end, 1);
    }
    r->n_allowed = tfm_shortlist_of(&g->session->model->shortlist, &g->columns, input->ids, input->n, r->allowed);
}

/* Columns for all inputs that are in now. */
static void choose_columns(generator *g) {
    for (request *r = g->requests; r < g->requests + g->n_slots; r++)
        if (r->active) tfm_vocab_subset_mark(&g->columns, r->allowed, r->n_allowed);
    tfm_vocab_subset_gather(&g->columns, g->session->pool);
}

/* The sequence to go on with, or a new one. */
static tfm_status take_sequence(const generator *g, const tfm_input *input, int32_t source, int32_t *sequence) {
    int32_t *kept = input->sequence;
    if (!kept || *kept < 0) {
        tfm_status status = tfm_sequence_new(g->session, source, sequence, g->error);
        if (!status && kept) *kept = *sequence;
        return status;
    }
    if (!tfm_sequence_used(g->session, *kept) || !g->claimed[*kept])
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "two inputs share one place for the number of their sequence");
    *sequence = *kept;
    return TFM_OK;
}

static tfm_status start(generator *g, request *r, size_t index, int32_t source) {
    const tfm_input *input = &g->inputs[index];
    size_t n = 0;
    if (g->session->model->arch.has_encoder)
        r->prompt[n++] = g->params.decoder_start_token_id;
    else
        for (; n < input->n; n++) r->prompt[n] = input->ids[n];
    for (size_t i = 0; i < input->n_prefix; i++) r->prompt[n++] = input->prefix[i];

    r->active = true;
    g->n_active++;
    r->index = index;
    r->source = source;
    r->n_source = (uint32_t)input->n;
    if (g->params.shortlist) allow(g, r, input);
    tfm_search_start(&r->search, r->prompt, n, output_start(g, input), max_length_of(g, input));
    /* The tokens that were given have no attention. */
    if (r->search.attention)
        memset(r->search.attention, 0, n * g->session->params.max_source * sizeof *r->search.attention);
    tfm_status status = take_sequence(g, input, source, &r->search.beams[0].sequence);
    r->n_fed = tfm_sequence_length(g->session, r->search.beams[0].sequence);
    return status;
}

/* Encodes as many of the next inputs as there are free places, within one pass. */
static tfm_status encode_next(generator *g, size_t n_free, size_t *n_encoded) {
    size_t n = 0, n_tokens = 0;
    while (n < n_free && g->next_input + n < g->n) {
        const tfm_input *input = &g->inputs[g->next_input + n];
        if (n_tokens + input->n > g->session->params.max_batch_tokens) break;
        g->tokens[n++] = (tfm_tokens){input->ids, input->n};
        n_tokens += input->n;
    }
    *n_encoded = n;
    for (size_t i = 0; i < n; i++) g->sources[i] = -1;
    if (!g->session->model->arch.has_encoder) return TFM_OK;
    return tfm_encode_step(g->session, g->tokens, n, g->sources, NULL, g->error);
}

/* Lets inputs in. While others run, it waits until a quarter of the places is free, so that encoding is done in bulk.
 */
static tfm_status admit(generator *g) {
    size_t n_free = g->n_slots - g->n_active, n_encoded = 0;
    if (g->next_input == g->n || n_free == 0 || (g->n_active > 0 && n_free < (g->n_slots + 3) / 4)) return TFM_OK;
    tfm_status status = encode_next(g, n_free, &n_encoded);
    if (status) return status;
    size_t slot = 0;
    for (size_t i = 0; i < n_encoded; i++) {
        if (status) { /* the ones that have no request to free them */
            tfm_source_free(g->session, g->sources[i]);
            continue;
        }
        while (g->requests[slot].active) slot++;
        status = start(g, &g->requests[slot], g->next_input++, g->sources[i]);
    }
    if (!status && g->params.shortlist) choose_columns(g);
    return status ? status : feed_prompts(g);
}

/* What was kept of each token of a path that ends in node, oldest first; the hypothesis has its ids. */
static void copy_details(generator *g, const request *r, int32_t node, size_t i, tfm_hypothesis *h) {
    const tfm_search *s = &r->search;
    size_t stride = g->session->params.max_source, n_source = r->n_source, n_top = s->n_top;
    float *attention = g->params.keep_attention ? g->attention + i * g->max_length * n_source : NULL;
    int32_t *top_ids = n_top ? g->top_ids + i * g->max_length * n_top : NULL;
    float *top_log_probs = n_top ? g->top_log_probs + i * g->max_length * n_top : NULL;
    for (size_t at = h->n; at-- > 0; node = s->nodes[node].parent) {
        size_t from = (size_t)node;
        if (attention) memcpy(attention + at * n_source, s->attention + from * stride, n_source * sizeof *attention);
        if (n_top == 0) continue;
        memcpy(top_ids + at * n_top, s->top_ids + from * n_top, n_top * sizeof *top_ids);
        memcpy(top_log_probs + at * n_top, s->top_log_probs + from * n_top, n_top * sizeof *top_log_probs);
    }
    h->attention = attention;
    h->top_ids = top_ids;
    h->top_log_probs = top_log_probs;
}

/* Hands the hypotheses of an input to the caller. */
static tfm_status report(generator *g, request *r) {
    tfm_search *s = &r->search;
    tfm_search_finish(s);
    uint32_t n = s->n_finished < g->params.num_return_sequences ? s->n_finished : g->params.num_return_sequences;
    for (uint32_t i = 0; i < n; i++) {
        const tfm_finished *f = &s->finished[i];
        size_t length = 0;
        for (int32_t node = f->node; node >= 0; node = s->nodes[node].parent) length++;
        length -= s->output_start;
        int32_t *ids = g->ids + i * g->max_length;
        float *log_probs = g->log_probs + i * g->max_length;
        tfm_search_path(s, f->node, length, ids, log_probs);
        g->hypotheses[i] = (tfm_hypothesis){.ids = ids,
                                            .n = length,
                                            .ended = f->ended,
                                            .sum_log_prob = f->sum,
                                            .score = f->score,
                                            .log_probs = g->params.keep_log_probs ? log_probs : NULL};
        copy_details(g, r, f->node, i, &g->hypotheses[i]);
    }
    for (uint32_t i = 0; i < n; i++) g->listed[i] = &g->hypotheses[i];
    const tfm_result result = {.status = TFM_OK, .message = "", .hypotheses = g->listed, .n = n};
    if (g->callbacks.on_result && g->callbacks.on_result(g->callbacks.user, r->index, &result))
        return tfm_fail(g->error, TFM_ERROR_CANCELLED, "cancelled");
    return TFM_OK;
}

/* ---- a step ---- */

/* One row for each beam that exists. */
static size_t lay_out_rows(generator *g) {
    size_t row = 0;
    for (request *r = g->requests; r < g->requests + g->n_slots; r++) {
        if (!r->active) continue;
        r->first_node = r->search.n_nodes;
        for (uint32_t b = 0; b < r->search.n_rows; b++) {
            tfm_beam *beam = &r->search.beams[b];
            beam->token = r->search.nodes[beam->node].token;
            g->spans[row++] = (tfm_span){.sequence = beam->sequence, .ids = &beam->token, .n = 1};
        }
    }
    return row;
}

static void score_row(generator *g, request *r, uint32_t b, size_t row, tfm_sampler *sampler) {
    float *logits = g->logits + row * g->session->model->arch.decoder.vocab_size;
    if (g->params.shortlist) tfm_vocab_subset_spread(&g->columns, row, r->allowed, r->n_allowed, logits);
    tfm_search_score(&r->search, b, logits, g->session->model->kernels, sampler);
}

/* One row of logits is one item of work. */
static void score_part(void *arg, unsigned worker, unsigned n_workers) {
    generator *g = arg;
    tfm_sampler *sampler = g->samplers ? &g->samplers[worker] : NULL;
    size_t row = 0;
    for (request *r = g->requests; r < g->requests + g->n_slots; r++)
        for (uint32_t b = 0; r->active && b < r->search.n_rows; b++, row++)
            if (row % n_workers == worker) score_row(g, r, b, row, sampler);
}

/* The attention of a step belongs to the tokens chosen in it, whether they go on or end. */
static tfm_status keep_attention(generator *g, request *r) {
    tfm_search *s = &r->search;
    for (int32_t node = r->first_node; node < s->n_nodes; node++) {
        uint32_t b = 0;
        while (b + 1 < s->n_rows && s->beams[b].node != s->nodes[node].parent) b++;
        tfm_status status = tfm_cross_attention(g->session, s->beams[b].sequence, -1,
                                                s->attention + (size_t)node * g->session->params.max_source, g->error);
        if (status) return status;
    }
    return TFM_OK;
}

/* Gives every next beam a sequence: the first child of a beam takes its sequence over, the others fork it. */
static tfm_status reorder(generator *g, request *r) {
    tfm_search *s = &r->search;
    memset(g->children, 0, g->width * sizeof *g->children);
    memset(g->taken, 0, g->width * sizeof *g->taken);
    for (uint32_t b = 0; b < s->n_next; b++) g->children[s->next[b].parent]++;
    for (uint32_t b = 0; b < s->n_rows; b++) {
        if (g->children[b]) continue;
        tfm_sequence_free(g->session, s->beams[b].sequence);
        s->beams[b].sequence = -1;
    }
    for (uint32_t b = 0; b < s->n_next; b++) {
        uint32_t parent = s->next[b].parent;
        s->next[b].sequence = s->beams[parent].sequence;
        if (g->taken[parent]) {
            tfm_status status =
                tfm_sequence_fork(g->session, s->beams[parent].sequence, &s->next[b].sequence, g->error);
            if (status) return status;
        }
        g->taken[parent] = true;
    }
    return TFM_OK;
}

/* Without beams: each output's token; the caller may end the output with it. */
static tfm_status tell(generator *g, request *r) {
    const tfm_generate_callbacks *c = &g->callbacks;
    if (g->params.num_beams > 1 || !c->on_token) return TFM_OK;
    for (uint32_t i = 0; i < r->search.n_next; i++) {
        tfm_beam *beam = &r->search.next[i];
        int answer = c->on_token(c->user, r->index, beam->output, beam->token);
        if (answer != TFM_GO_ON && answer != TFM_END_OUTPUT)
            return tfm_fail(g->error, TFM_ERROR_CANCELLED, "cancelled");
        beam->ends |= answer == TFM_END_OUTPUT;
    }
    return TFM_OK;
}

static tfm_status finish_step(generator *g, request *r) {
    tfm_search *s = &r->search;
    if (s->failed)
        return tfm_fail(
            g->error, TFM_ERROR_STATE,
            "input %zu: the model gives no usable scores at token %zu (they are not numbers, or the vocabulary "
            "is too small for %u beams)",
            r->index, s->length, g->params.num_beams);
    tfm_status status = g->params.keep_attention ? keep_attention(g, r) : TFM_OK;
    if (!status) status = tell(g, r);
    if (status) return status;
    tfm_search_settle(s);
    if (!s->done) status = reorder(g, r);
    if (status) return status;
    tfm_search_advance(s);
    if (!s->done) return TFM_OK;
    status = report(g, r);
    if (!status) leave(g, r);
    return status;
}

static tfm_status step(generator *g) {
    size_t n_rows = lay_out_rows(g), vocab = g->session->model->arch.decoder.vocab_size;
    tfm_step_result result;
    tfm_status status = tfm_decode_step(g->session, g->spans, n_rows, &result, g->error);
    if (status != TFM_OK) return status;
    bool some = g->params.shortlist;
    g->logits = result.logits;
    status = tfm_project_rows(g->session, &result, result.last_rows, n_rows,
                              some ? &g->columns.linear : &g->session->model->output,
                              some ? g->columns.logits : g->logits, g->error);
    if (status != TFM_OK) return status;
    tfm_pool_run_sized(g->session->pool, n_rows * vocab * 4, score_part, g);
    for (request *r = g->requests; !status && r < g->requests + g->n_slots; r++) {
        if (!r->active) continue;
        tfm_search_choose(&r->search);
        status = finish_step(g, r);
    }
    return status;
}

void tfm_generate_callbacks_init(tfm_generate_callbacks *callbacks, size_t size) {
    static const tfm_generate_callbacks none = {.size = sizeof none};
    tfm_params_give(callbacks, size, &none, sizeof none);
}

tfm_status tfm_generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                        const tfm_generate_callbacks *callbacks, tfm_error *error) {
    generator g = {.session = session, .inputs = inputs, .n = n, .params = session->model->defaults, .error = error};
    atomic_store(&session->cancelled, false);
    bool kept_before = session->kept_attention != NULL;
    tfm_status status = tfm_params_take(&g.params, sizeof g.params, params, "tfm_generate_params", error);
    if (!status) status = tfm_params_take(&g.callbacks, sizeof g.callbacks, callbacks, "tfm_generate_callbacks", error);
    if (!status && n > 0) status = prepare(&g);
    if (!status && n > 0 && g.params.keep_attention) status = tfm_session_keep_attention(session, true, error);
    while (!status && n > 0 && (g.next_input < n || g.n_active > 0)) {
        status = admit(&g);
        if (!status) status = step(&g);
    }
    for (size_t i = 0; g.memory && i < g.n_slots; i++)
        if (g.requests[i].active) abandon(&g, &g.requests[i]);
    if (!kept_before) tfm_session_keep_attention(session, false, NULL);
    free(g.memory);
    return status;
}
