/*
 * generate.c - tfm_generate: inputs become requests, enter the running batch as others leave it, and are reported.
 *
 * Because results do not depend on what else is in the batch, who enters when is only a matter of speed.
 */
#include "generate.h"

#include <stdlib.h>
#include <string.h>

#include "decode_batch.h"
#include "generate_params.h"
#include "hypotheses.h"
#include "runtime/exec/sequences.h"
#include "runtime/params.h"

typedef struct generation {
    tfm_session *session;
    const tfm_input *inputs;
    size_t n, next;             /* next: the first that was not looked at yet */
    tfm_generate_params params; /* of inputs without their own */
    tfm_generate_callbacks callbacks;
    bool has_text; /* somebody looks for stop strings */
    tfm_error *error;

    tfm_decode_batch batch;
    size_t n_sequences, n_sources; /* of the session that were free at first */
    bool *known;                   /* (max_sequences) those in use at first that no input goes on with yet */
    tfm_request *requests;         /* (n_requests) the most that can run, and one that waits */
    size_t n_requests;
    tfm_request **idle; /* (n_idle) those that stand for no input */
    size_t n_idle;
    tfm_request *waiting;   /* the next to enter; NULL: none was looked at */
    tfm_request **entering; /* scratch of admit */
    tfm_hypotheses hypotheses;
    tfm_error refusal; /* the first, if there is no on_result to hear of it */
} generation;

/* ---- memory ---- */

static tfm_status open_generation(generation *g) {
    size_t most = g->session->params.max_sequences, n = g->n_requests = (g->n < most ? g->n : most) + 1;
    g->known = calloc(most, sizeof *g->known);
    g->requests = calloc(n, sizeof *g->requests);
    g->idle = calloc(n, sizeof *g->idle);
    g->entering = calloc(n, sizeof *g->entering);
    if (!g->known || !g->requests || !g->idle || !g->entering) return tfm_no_memory(g->error, "%zu requests", n);
    for (size_t i = n; i-- > 0;) g->idle[g->n_idle++] = &g->requests[i];
    for (size_t i = 0; i < most; i++) g->known[i] = tfm_sequence_used(g->session, (int32_t)i);
    g->n_sequences = tfm_free_sequences(g->session);
    g->n_sources = tfm_free_sources(g->session);
    return tfm_decode_batch_create(&g->batch, g->session, g->error);
}

static void close_generation(generation *g) {
    if (g->batch.session) tfm_decode_batch_free(&g->batch);
    for (size_t i = 0; g->requests && i < g->n_requests; i++) tfm_request_free(&g->requests[i]);
    free(g->known);
    free(g->requests);
    free(g->idle);
    free(g->entering);
    tfm_hypotheses_free(&g->hypotheses);
}

/* ---- results ---- */

static tfm_status report(generation *g, size_t index, const tfm_result *result) {
    const tfm_generate_callbacks *callbacks = &g->callbacks;
    if (callbacks->on_result && callbacks->on_result(callbacks->user, index, result) != 0)
        return tfm_fail(g->error, TFM_ERROR_CANCELLED, "cancelled");
    if (!callbacks->on_result && result->status != TFM_OK && g->refusal.status == TFM_OK)
        tfm_fail(&g->refusal, result->status, "input %zu: %s", index, result->message);
    return TFM_OK;
}

static tfm_status report_error(generation *g, size_t index, const tfm_error *error) {
    return report(g, index, &(tfm_result){.status = error->status, .message = error->message});
}

static tfm_status report_finished(generation *g) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < g->batch.n_finished; i++) {
        tfm_request *r = g->batch.finished[i];
        g->idle[g->n_idle++] = r;
        if (r->status != TFM_OK) {
            status = report_error(g, r->index, &r->error);
            continue;
        }
        tfm_hypotheses_write(&g->hypotheses, r, g->session->params.max_source);
        status =
            report(g, r->index, &(tfm_result){.message = "", .hypotheses = g->hypotheses.list, .n = g->hypotheses.n});
    }
    return status;
}

/* ---- inputs ---- */

/* A conversation goes on in one input of a call. One that this call began was not there at first. */
static tfm_status claim_sequence(generation *g, const tfm_input *input, tfm_error *error) {
    if (!input->sequence || *input->sequence < 0) return TFM_OK;
    int32_t sequence = *input->sequence;
    if (!g->known[sequence])
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "another input goes on with sequence %d, too", sequence);
    g->known[sequence] = false;
    return TFM_OK;
}

static tfm_status check_stop_strings(const generation *g, const tfm_generate_params *params, tfm_error *error) {
    if (g->has_text || params->n_stop_strings == 0) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "stop_strings are for tfm_generate_text: tfm_generate knows ids only");
}

static tfm_status start_request(generation *g, tfm_request *r, size_t index, tfm_error *error) {
    tfm_status status = tfm_request_start(r, g->session, &g->inputs[index], &g->params, error);
    if (status == TFM_OK) status = check_stop_strings(g, &r->params, error);
    if (status == TFM_OK) status = claim_sequence(g, r->input, error);
    if (status == TFM_OK) status = tfm_hypotheses_reserve(&g->hypotheses, r, error);
    r->index = index;
    r->callbacks = &g->callbacks;
    return status;
}

/* Makes a request of the next input. Those that cannot run are reported on the way. */
static tfm_status look_ahead(generation *g) {
    tfm_status status = TFM_OK;
    while (status == TFM_OK && !g->waiting && g->next < g->n && g->n_idle > 0) {
        tfm_error error = {0};
        tfm_request *r = g->idle[g->n_idle - 1];
        size_t index = g->next++;
        switch (start_request(g, r, index, &error)) {
        case TFM_OK:
            g->n_idle--;
            g->waiting = r;
            break;
        case TFM_ERROR_MEMORY: return tfm_fail(g->error, TFM_ERROR_MEMORY, "%s", error.message);
        default: status = report_error(g, index, &error); break;
        }
    }
    return status;
}

static tfm_status refuse_waiting(generation *g, const tfm_error *error) {
    tfm_request *r = g->waiting;
    g->waiting = NULL;
    g->idle[g->n_idle++] = r;
    return report_error(g, r->index, error);
}

/* ---- admission ---- */

/* What is left of the session, and what the requests that are about to enter take of it. */
typedef struct free_room {
    size_t sequences, sources, n_tokens;
    size_t n; /* requests */
} free_room;

/* While others run, inputs wait until a quarter of the places is free, so that encoding is done in bulk. */
static bool is_due(const generation *g, const free_room *room) {
    if (g->batch.n_running == 0) return true;
    bool sources = !g->session->model->arch.has_encoder || 4 * room->sources >= g->n_sources;
    return 4 * room->sequences >= g->n_sequences && sources;
}

/* Of two new conversations that write their sequence's number to one place, one would be lost. */
static bool shares_sequence(const generation *g, const free_room *room, const tfm_request *r) {
    for (size_t i = 0; i < room->n && r->input->sequence; i++)
        if (g->entering[i]->input->sequence == r->input->sequence) return true;
    return false;
}

static bool takes_source(const generation *g) { return g->session->model->arch.has_encoder; }

/* A conversation that goes on has its sequence. */
static size_t sequences_taken(const tfm_request *r) {
    return r->input->sequence && *r->input->sequence >= 0 ? 0 : tfm_request_width(r);
}

/* Adds the request that waits to those that enter, or reports why it never will; *full: it has to wait. */
static tfm_status admit_waiting(generation *g, free_room *room, bool *full) {
    tfm_request *r = g->waiting;
    tfm_error error = {0};
    size_t n_sequences = sequences_taken(r), n_tokens = r->input->n;
    bool fits = n_sequences <= room->sequences && (!takes_source(g) || room->sources > 0);
    if (shares_sequence(g, room, r)) {
        tfm_fail(&error, TFM_ERROR_ARGUMENT, "another input has its place for the number of a sequence, too");
        return refuse_waiting(g, &error);
    }
    if (!fits && g->batch.n_running + room->n == 0) {
        tfm_fail(&error, TFM_ERROR_LIMIT,
                 "too few sources or sequences of the session are free for %u beams or samples", tfm_request_width(r));
        return refuse_waiting(g, &error);
    }
    *full = !fits || (room->n > 0 && room->n_tokens + n_tokens > g->session->params.max_batch_tokens);
    if (*full) return TFM_OK;
    g->entering[room->n++] = r;
    g->waiting = NULL;
    room->sequences -= n_sequences;
    room->sources -= takes_source(g);
    room->n_tokens += n_tokens;
    return TFM_OK;
}

/* Lets inputs in, as many as one pass through the encoder takes. */
static tfm_status admit(generation *g) {
    if (!g->waiting && g->next == g->n) return TFM_OK;
    free_room room = {.sequences = tfm_decode_batch_free_sequences(&g->batch), .sources = tfm_free_sources(g->session)};
    if (!is_due(g, &room)) return TFM_OK;
    tfm_status status = look_ahead(g);
    for (bool full = false; status == TFM_OK && g->waiting && !full;) {
        status = admit_waiting(g, &room, &full);
        if (status == TFM_OK) status = look_ahead(g);
    }
    if (status != TFM_OK || room.n == 0) return status;
    return tfm_decode_batch_admit(&g->batch, g->entering, room.n, g->error);
}

/* ---- the call ---- */

void tfm_generate_callbacks_init(tfm_generate_callbacks *callbacks, size_t size) {
    static const tfm_generate_callbacks none = {.size = sizeof none};
    tfm_params_give(callbacks, size, &none, sizeof none);
}

/* Bad parameters of the call are the call's error, if they are any input's. */
static tfm_status take_params(generation *g, const tfm_generate_params *params,
                              const tfm_generate_callbacks *callbacks) {
    tfm_status status = tfm_params_take(&g->params, sizeof g->params, params, "tfm_generate_params", g->error);
    if (status == TFM_OK)
        status = tfm_params_take(&g->callbacks, sizeof g->callbacks, callbacks, "tfm_generate_callbacks", g->error);
    if (status == TFM_OK && g->n > 0 && !g->inputs)
        status = tfm_fail(g->error, TFM_ERROR_ARGUMENT, "there are %zu inputs at NULL", g->n);
    bool used = false;
    for (size_t i = 0; status == TFM_OK && i < g->n; i++) used |= !g->inputs[i].params;
    if (status == TFM_OK && used) status = tfm_languages_apply(g->session->model, &g->params, g->error);
    if (status == TFM_OK && used) status = tfm_generate_params_check(g->session, &g->params, g->error);
    if (status == TFM_OK && used) status = check_stop_strings(g, &g->params, g->error);
    return status;
}

static tfm_status run(generation *g) {
    tfm_status status = open_generation(g);
    while (status == TFM_OK && (g->waiting || g->next < g->n || g->batch.n_running > 0)) {
        status = admit(g);
        if (status == TFM_OK) status = tfm_decode_batch_step(&g->batch, g->error);
        if (status == TFM_OK) status = report_finished(g);
    }
    close_generation(g);
    return status;
}

static tfm_status generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                           const tfm_generate_callbacks *callbacks, bool has_text, tfm_error *error) {
    generation g = {.session = session,
                    .inputs = inputs,
                    .n = n,
                    .params = session->model->defaults,
                    .has_text = has_text,
                    .error = error};
    tfm_status status = take_params(&g, params, callbacks);
    if (status == TFM_OK && n > 0) status = run(&g);
    if (status != TFM_OK || g.refusal.status == TFM_OK) return status;
    return tfm_fail(error, g.refusal.status, "%s", g.refusal.message);
}

tfm_status tfm_generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                        const tfm_generate_callbacks *callbacks, tfm_error *error) {
    return generate(session, inputs, n, params, callbacks, false, error);
}

tfm_status tfm_generate_inputs(tfm_session *session, const tfm_input *inputs, size_t n,
                               const tfm_generate_params *params, const tfm_generate_callbacks *callbacks,
                               tfm_error *error) {
    return generate(session, inputs, n, params, callbacks, true, error);
}
