/*
 * generate.c - generating outputs for any number of inputs: inputs enter the running batch as others leave it.
 *
 * Because results do not depend on what else is in the batch, who enters when is only a matter of speed.
 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "search.h"
#include "session.h"
#include "shortlist.h"

/* An input that is being worked on. */
typedef struct request {
    bool active;
    size_t index; /* in inputs[] */
    int32_t source;
    uint32_t n_source;
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
    const tfm_generate_callbacks *callbacks;
    tfm_error *error;

    request *requests; /* (n_slots) */
    size_t n_slots, n_active, next_input;
    size_t max_length;   /* longest of all inputs */
    tfm_span *spans;     /* (max_sequences) */
    int32_t *prompt;     /* (max_length) scratch */
    bool *taken;         /* (num_beams) scratch */
    int32_t *children;   /* (num_beams) scratch */
    tfm_tokens *tokens;  /* (n_slots) scratch for encoding */
    int32_t *sources;    /* (n_slots) */
    tfm_columns columns; /* of the vocabulary, where shortlists are used */

    tfm_hypothesis *hypotheses; /* (num_return_sequences) */
    int32_t *ids;               /* (num_return_sequences, max_length) */
    float *log_probs, *attention;
    void *memory;
} generator;

/* ---- checking and sizing ---- */

static size_t prompt_length(const generator *g, const tfm_input *input) {
    return (g->session->model->options.has_encoder ? 1 : input->n) + input->n_prefix;
}

static size_t max_length_of(const generator *g, const tfm_input *input) {
    return g->params.max_new_tokens ? prompt_length(g, input) + g->params.max_new_tokens : g->params.max_length;
}

static tfm_status check_params(const generator *g) {
    const tfm_generate_params *p = &g->params;
    const tfm_options *o = &g->session->model->options;
    const char *path = tfm_file_path(g->session->model->file);
    if (!o->has_decoder) return tfm_fail(g->error, TFM_ERROR_STATE, "%s has no decoder, it cannot generate", path);
    if (p->num_beams == 0 || p->num_beams > g->session->params.max_sequences)
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "num_beams is %u; this session allows 1 to %u", p->num_beams,
                        g->session->params.max_sequences);
    if (p->num_return_sequences == 0 || p->num_return_sequences > p->num_beams)
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "num_return_sequences is %u; it must be 1 to num_beams (%u)",
                        p->num_return_sequences, p->num_beams);
    if (p->num_beams > 1 && p->n_eos_token_ids + 1 > UINT32_MAX / p->num_beams)
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "too many end tokens");
    if (!(p->repetition_penalty > 0))
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "repetition_penalty is %g; it must be above 0",
                        p->repetition_penalty);
    if (!(p->length_penalty > -1e3 && p->length_penalty < 1e3))
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "length_penalty is %g; it must be a small number",
                        p->length_penalty);
    if (o->has_encoder && !tfm_id_valid(p->decoder_start_token_id, o->decoder.vocab_size))
        return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "decoder_start_token_id is %d; the model has tokens 0 to %u",
                        p->decoder_start_token_id, o->decoder.vocab_size - 1);
    for (size_t i = 0; i < p->n_eos_token_ids; i++)
        if (!tfm_id_valid(p->eos_token_ids[i], o->decoder.vocab_size))
            return tfm_fail(g->error, TFM_ERROR_ARGUMENT, "eos_token_id %d is outside the vocabulary (0 .. %u)",
                            p->eos_token_ids[i], o->decoder.vocab_size - 1);
    if (p->shortlist && !g->session->model->shortlist.offsets)
        return tfm_fail(g->error, TFM_ERROR_STATE, "%s has no shortlist: pack it with --shortlist", path);
    if (p->keep_attention && o->kind != TFM_KIND_ENCODER_DECODER)
        return tfm_fail(g->error, TFM_ERROR_STATE, "%s has no cross-attention to keep", path);
    return TFM_OK;
}

/* An input that cannot be run is refused before any is. */
static tfm_status check_input(const generator *g, size_t i) {
    const tfm_input *input = &g->inputs[i];
    const tfm_options *o = &g->session->model->options;
    const tfm_session_params *limits = &g->session->params;
    size_t most = o->has_encoder ? limits->max_source : limits->max_target;
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

static void place_search(const generator *g, tfm_search *s, tfm_arena *a) {
    size_t nodes = tfm_search_nodes(&g->params, g->max_length), beams = g->params.num_beams;
    size_t k = tfm_search_candidates(&g->params);
    *s = (tfm_search){.params = &g->params, .vocab_size = g->session->model->options.decoder.vocab_size};
    s->nodes = tfm_arena_take(a, nodes, sizeof *s->nodes);
    s->beams = tfm_arena_take(a, beams, sizeof *s->beams);
    s->next = tfm_arena_take(a, beams, sizeof *s->next);
    s->candidates = tfm_arena_take(a, beams * k, sizeof *s->candidates);
    s->finished = tfm_arena_take(a, beams + 1, sizeof *s->finished);
    s->values = tfm_arena_take(a, beams * k, sizeof *s->values);
    s->indices = tfm_arena_take(a, beams * k, sizeof *s->indices);
    s->found = tfm_arena_take(a, beams, sizeof *s->found);
    s->history = tfm_search_history(&g->params, g->max_length);
    s->ids = tfm_arena_take(a, beams * s->history, sizeof *s->ids);
    s->scratch = tfm_arena_take(a, beams * s->history, sizeof *s->scratch);
    if (g->params.keep_attention)
        s->attention = tfm_arena_take(a, nodes, g->session->params.max_source * sizeof *s->attention);
}

static void place(generator *g, tfm_arena *a) {
    size_t returned = (size_t)g->params.num_return_sequences * g->max_length, beams = g->params.num_beams;
    g->requests = tfm_arena_take(a, g->n_slots, sizeof *g->requests);
    g->spans = tfm_arena_take(a, g->n_slots * beams, sizeof *g->spans);
    g->prompt = tfm_arena_take(a, g->max_length, sizeof *g->prompt);
    g->taken = tfm_arena_take(a, beams, sizeof *g->taken);
    g->children = tfm_arena_take(a, beams, sizeof *g->children);
    g->tokens = tfm_arena_take(a, g->n_slots, sizeof *g->tokens);
    g->sources = tfm_arena_take(a, g->n_slots, sizeof *g->sources);
    g->hypotheses = tfm_arena_take(a, g->params.num_return_sequences, sizeof *g->hypotheses);
    g->ids = tfm_arena_take(a, returned, sizeof *g->ids);
    g->log_probs = tfm_arena_take(a, returned, sizeof *g->log_probs);
    if (g->params.keep_attention)
        g->attention = tfm_arena_take(a, returned, g->session->params.max_source * sizeof *g->attention);
    const tfm_linear *output = &g->session->model->output;
    if (g->params.shortlist) tfm_columns_place(&g->columns, a, output, g->n_slots * beams);
    for (size_t i = 0; i < g->n_slots; i++) {
        tfm_search unused;
        place_search(g, g->requests ? &g->requests[i].search : &unused, a);
        if (!g->params.shortlist) continue;
        uint32_t *allowed = tfm_arena_take(a, output->w.n + 1, sizeof *allowed);
        if (g->requests) g->requests[i].allowed = allowed;
    }
}

static tfm_status prepare(generator *g) {
    tfm_status status = check_params(g);
    for (size_t i = 0; !status && i < g->n; i++) {
        status = check_input(g, i);
        size_t length = max_length_of(g, &g->inputs[i]);
        if (length > g->max_length) g->max_length = length;
    }
    if (status) return status;
    g->n_slots = tfm_free_sequences(g->session) / g->params.num_beams;
    if (g->session->model->options.has_encoder && g->n_slots > tfm_free_sources(g->session))
        g->n_slots = tfm_free_sources(g->session);
    if (g->n_slots > g->n) g->n_slots = g->n;
    if (g->n_slots == 0)
        return tfm_fail(g->error, TFM_ERROR_LIMIT, "too few sources or sequences of the session are free for %u beams",
                        g->params.num_beams);
    tfm_arena count = {0};
    place(g, &count);
    g->memory = count.overflow ? NULL : calloc(1, count.used);
    if (!g->memory) return tfm_fail(g->error, TFM_ERROR_MEMORY, "no memory for %zu searches", g->n_slots);
    place(g, &(tfm_arena){.base = g->memory});
    return TFM_OK;
}

/* ---- entering and leaving the batch ---- */

static void leave(generator *g, request *r) {
    for (uint32_t b = 0; b < r->search.n_rows; b++) tfm_sequence_free(g->session, r->search.beams[b].sequence);
    if (r->source >= 0) tfm_source_free(g->session, r->source);
    r->active = false;
    g->n_active--;
}

/* All tokens of the prompt but the last, in pieces the session can take; the last goes with the next step. */
static tfm_status feed_prompt(generator *g, int32_t sequence, size_t n) {
    tfm_status status = TFM_OK;
    for (size_t fed = 0; !status && fed + 1 < n;) {
        size_t piece = n - 1 - fed;
        if (piece > g->session->params.max_batch_tokens) piece = g->session->params.max_batch_tokens;
        tfm_span span = {.sequence = sequence, .ids = g->prompt + fed, .n = piece};
        status = tfm_decode_step(g->session, &span, 1, false, g->error);
        fed += piece;
    }
    return status;
}

/* The tokens this input may be answered with: those of the shortlist, and the end. Forced tokens need no logits. */
static void allow(generator *g, request *r, const tfm_input *input) {
    for (size_t i = 0; i < g->params.n_eos_token_ids; i++) {
        uint32_t end = (uint32_t)g->params.eos_token_ids[i];
        tfm_columns_mark(&g->columns, &end, 1);
    }
    r->n_allowed = tfm_shortlist_of(&g->session->model->shortlist, &g->columns, input->ids, input->n, r->allowed);
}

/* Columns for all inputs that are in now. */
static void choose_columns(generator *g) {
    for (request *r = g->requests; r < g->requests + g->n_slots; r++)
        if (r->active) tfm_columns_mark(&g->columns, r->allowed, r->n_allowed);
    tfm_columns_gather(&g->columns, g->session->pool);
}

static tfm_status start(generator *g, request *r, size_t index, int32_t source) {
    const tfm_input *input = &g->inputs[index];
    size_t n = 0;
    if (g->session->model->options.has_encoder)
        g->prompt[n++] = g->params.decoder_start_token_id;
    else
        for (; n < input->n; n++) g->prompt[n] = input->ids[n];
    for (size_t i = 0; i < input->n_prefix; i++) g->prompt[n++] = input->prefix[i];

    r->active = true;
    g->n_active++;
    r->index = index;
    r->source = source;
    r->n_source = (uint32_t)input->n;
    if (g->params.shortlist) allow(g, r, input);
    tfm_search_start(&r->search, g->prompt, n, max_length_of(g, input));
    /* The tokens that were given have no attention. */
    if (r->search.attention)
        memset(r->search.attention, 0, n * g->session->params.max_source * sizeof *r->search.attention);
    int32_t sequence;
    tfm_status status = tfm_sequence_new(g->session, source, &sequence, g->error);
    if (status) return status;
    r->search.beams[0].sequence = sequence;
    return feed_prompt(g, sequence, n);
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
    if (!g->session->model->options.has_encoder) return TFM_OK;
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
    return status;
}

/* Hands the hypotheses of an input to the caller. */
static tfm_status report(generator *g, request *r) {
    tfm_search *s = &r->search;
    tfm_search_finish(s);
    size_t skip = g->session->model->options.has_encoder ? 1 : g->inputs[r->index].n;
    uint32_t n = s->n_finished < g->params.num_return_sequences ? s->n_finished : g->params.num_return_sequences;
    for (uint32_t i = 0; i < n; i++) {
        const tfm_finished *f = &s->finished[i];
        size_t length = 0;
        for (int32_t node = f->node; node >= 0; node = s->nodes[node].parent) length++;
        length -= skip;
        int32_t *ids = g->ids + i * g->max_length;
        float *log_probs = g->log_probs + i * g->max_length;
        float *attention = g->params.keep_attention ? g->attention + i * g->max_length * r->n_source : NULL;
        tfm_search_path(s, f->node, length, ids, log_probs);
        size_t at = length;
        for (int32_t node = f->node; attention && at-- > 0; node = s->nodes[node].parent)
            memcpy(attention + at * r->n_source, s->attention + (size_t)node * g->session->params.max_source,
                   r->n_source * sizeof *attention);
        g->hypotheses[i] = (tfm_hypothesis){.ids = ids,
                                            .n = length,
                                            .ended = f->ended,
                                            .sum_log_prob = f->sum,
                                            .score = f->score,
                                            .log_probs = g->params.keep_log_probs ? log_probs : NULL,
                                            .attention = attention};
    }
    if (g->callbacks->on_result && g->callbacks->on_result(g->callbacks->user, r->index, g->hypotheses, n))
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

static void score_row(generator *g, request *r, uint32_t b, size_t row) {
    float *logits = g->session->logits + row * g->session->model->options.decoder.vocab_size;
    if (g->params.shortlist) tfm_columns_spread(&g->columns, row, r->allowed, r->n_allowed, logits);
    tfm_search_score(&r->search, b, logits, g->session->model->kernels);
}

/* One row of logits is one item of work. */
static void score_part(void *arg, unsigned worker, unsigned n_workers) {
    generator *g = arg;
    size_t row = 0;
    for (request *r = g->requests; r < g->requests + g->n_slots; r++)
        for (uint32_t b = 0; r->active && b < r->search.n_rows; b++, row++)
            if (row % n_workers == worker) score_row(g, r, b, row);
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
    uint32_t num_beams = g->params.num_beams;
    memset(g->children, 0, num_beams * sizeof *g->children);
    memset(g->taken, 0, num_beams * sizeof *g->taken);
    for (uint32_t b = 0; b < num_beams; b++) {
        if (s->n_rows == 1) s->next[b].parent = 0;
        g->children[s->next[b].parent]++;
    }
    for (uint32_t b = 0; b < s->n_rows; b++) {
        if (g->children[b]) continue;
        tfm_sequence_free(g->session, s->beams[b].sequence);
        s->beams[b].sequence = -1;
    }
    for (uint32_t b = 0; b < num_beams; b++) {
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

static tfm_status finish_step(generator *g, request *r) {
    tfm_search *s = &r->search;
    if (s->failed)
        return tfm_fail(
            g->error, TFM_ERROR_STATE,
            "input %zu: the model gives no usable scores at token %zu (they are not numbers, or the vocabulary "
            "is too small for %u beams)",
            r->index, s->length, g->params.num_beams);
    tfm_status status = g->params.keep_attention ? keep_attention(g, r) : TFM_OK;
    if (!status && g->params.num_beams == 1 && g->callbacks->on_token &&
        g->callbacks->on_token(g->callbacks->user, r->index, 0, s->next[0].token))
        status = tfm_fail(g->error, TFM_ERROR_CANCELLED, "cancelled");
    if (!status && !s->done) status = reorder(g, r);
    if (status) return status;
    tfm_search_advance(s);
    if (!s->done) return TFM_OK;
    status = report(g, r);
    leave(g, r);
    return status;
}

static tfm_status step(generator *g) {
    size_t n_rows = lay_out_rows(g), vocab = g->session->model->options.decoder.vocab_size;
    tfm_session *s = g->session;
    tfm_status status = tfm_decode_step(s, g->spans, n_rows, true, g->error);
    bool some = g->params.shortlist;
    if (!status)
        status = tfm_project(s, some ? &g->columns.linear : &s->model->output, s->last, n_rows,
                             some ? g->columns.logits : s->logits, g->error);
    if (status) return status;
    tfm_pool_run(n_rows * vocab < 1 << 14 ? NULL : s->pool, score_part, g);
    for (request *r = g->requests; !status && r < g->requests + g->n_slots; r++) {
        if (!r->active) continue;
        tfm_search_choose(&r->search);
        status = finish_step(g, r);
    }
    return status;
}

tfm_status tfm_generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                        const tfm_generate_callbacks *callbacks, tfm_error *error) {
    static const tfm_generate_callbacks none = {0};
    generator g = {.session = session,
                   .inputs = inputs,
                   .n = n,
                   .params = params ? *params : session->model->defaults,
                   .callbacks = callbacks ? callbacks : &none,
                   .error = error};
    atomic_store(&session->cancelled, false);
    bool kept_before = session->kept_attention != NULL;
    tfm_status status = n > 0 ? prepare(&g) : TFM_OK;
    if (!status && n > 0 && g.params.keep_attention) status = tfm_session_keep_attention(session, true, error);
    while (!status && n > 0 && (g.next_input < n || g.n_active > 0)) {
        status = admit(&g);
        if (!status) status = step(&g);
    }
    for (size_t i = 0; g.memory && i < g.n_slots; i++)
        if (g.requests[i].active) leave(&g, &g.requests[i]);
    if (!kept_before) tfm_session_keep_attention(session, false, NULL);
    free(g.memory);
    return status;
}
