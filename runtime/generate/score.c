/*
 * score.c - log-probabilities of given targets.
 */
#include <stdlib.h>
#include <string.h>

#include "generate_params.h"
#include "runtime/exec/executor.h"
#include "runtime/exec/sequences.h"
#include "runtime/exec/step.h"
#include "runtime/model/languages.h"
#include "runtime/os/arena.h"
#include "runtime/params.h"

typedef struct scorer {
    tfm_session *session;
    const tfm_tokens *inputs, *targets;
    size_t n;
    float *const *log_probs;
    tfm_error *errors; /* (n) of items, or NULL */
    tfm_error *error;
    int32_t start; /* before the targets of an encoder-decoder */

    size_t n_slots; /* items that are worked on at the same time */
    int32_t *feed;  /* tokens of the items of a group, one after the other */
    int32_t *sources, *sequences;
    tfm_span *spans;
    tfm_tokens *encode;
} scorer;

/* What the decoder is fed for an item: start token or prompt, and all of the target but its last token. */
static size_t prompt_length(const scorer *c, size_t i) {
    return c->session->model->arch.has_encoder ? 1 : c->inputs[i].n;
}
static size_t feed_length(const scorer *c, size_t i) {
    return c->targets[i].n ? prompt_length(c, i) + c->targets[i].n - 1 : 0;
}

static void write_feed(const scorer *c, size_t i, int32_t *feed) {
    size_t n = prompt_length(c, i);
    if (c->session->model->arch.has_encoder)
        feed[0] = c->start;
    else
        memcpy(feed, c->inputs[i].ids, n * sizeof *feed);
    memcpy(feed + n, c->targets[i].ids, (c->targets[i].n - 1) * sizeof *feed);
}

/* Of a step's result, rows [row, row + n) are tokens [first, first + n) of the feed of item i. */
static tfm_status score_rows(scorer *c, const tfm_step_result *result, size_t i, size_t row, size_t first, size_t n) {
    const tfm_model *model = c->session->model;
    size_t d = model->arch.d_model, vocab = model->arch.decoder.vocab_size;
    size_t skip = prompt_length(c, i) - 1; /* tokens of the feed that predict none of the target */
    size_t at = first < skip ? skip - first : 0;
    while (at < n) {
        size_t m = n - at < result->logits_rows ? n - at : result->logits_rows;
        tfm_status status =
            tfm_project(c->session, &model->output, result->states + (row + at) * d, m, result->logits, c->error);
        if (status != TFM_OK) return status;
        for (size_t r = 0; r < m; r++) {
            const float *logits = result->logits + r * vocab;
            size_t t = first + at + r - skip;
            c->log_probs[i][t] = logits[c->targets[i].ids[t]] - model->kernels->log_sum_exp(logits, vocab);
        }
        at += m;
    }
    return TFM_OK;
}

/* An item that is too long for one pass goes in pieces. */
static tfm_status score_long(scorer *c, size_t i) {
    size_t n = feed_length(c, i), most = c->session->params.max_batch_tokens;
    tfm_status status = TFM_OK;
    for (size_t first = 0; status == TFM_OK && first < n; first += most) {
        size_t piece = n - first < most ? n - first : most;
        tfm_span span = {.sequence = c->sequences[0], .ids = c->feed + first, .n = piece};
        tfm_step_result result;
        status = tfm_decode_step(c->session, &span, 1, &result, c->error);
        if (status == TFM_OK) status = score_rows(c, &result, i, 0, first, piece);
    }
    return status;
}

static tfm_status decode_group(scorer *c, size_t first, size_t n) {
    size_t at = 0, row = 0;
    for (size_t i = 0; i < n; i++) {
        write_feed(c, first + i, c->feed + at);
        c->spans[i] = (tfm_span){.sequence = c->sequences[i], .ids = c->feed + at, .n = feed_length(c, first + i)};
        at += c->spans[i].n;
    }
    if (at > c->session->params.max_batch_tokens) return score_long(c, first);
    tfm_step_result result;
    tfm_status status = tfm_decode_step(c->session, c->spans, n, &result, c->error);
    for (size_t i = 0; status == TFM_OK && i < n; row += c->spans[i].n, i++)
        status = score_rows(c, &result, first + i, row, 0, c->spans[i].n);
    return status;
}

/* Items [first, first + n): encode, start sequences, decode, give everything back. */
static tfm_status score_group(scorer *c, size_t first, size_t n) {
    tfm_status status = TFM_OK;
    bool has_encoder = c->session->model->arch.has_encoder;
    for (size_t i = 0; i < n; i++) {
        c->sources[i] = c->sequences[i] = -1;
        c->encode[i] = c->inputs[first + i];
    }
    if (has_encoder) status = tfm_encode_step(c->session, c->encode, n, c->sources, NULL, c->error);
    bool encoded = status == TFM_OK;
    for (size_t i = 0; status == TFM_OK && i < n; i++)
        status = tfm_sequence_new(c->session, c->sources[i], &c->sequences[i], c->error);
    if (status == TFM_OK) status = decode_group(c, first, n);
    for (size_t i = 0; i < n; i++) {
        tfm_sequence_free(c->session, c->sequences[i]);
        if (encoded) tfm_source_free(c->session, c->sources[i]);
    }
    return status;
}

/* ---- what is asked ---- */

static tfm_status check_ids(const tfm_tokens *tokens, const char *what, size_t i, uint32_t vocab, tfm_error *error) {
    if (tokens->n > 0 && !tokens->ids)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s %zu: there are %zu token ids at NULL", what, i, tokens->n);
    for (size_t t = 0; t < tokens->n; t++)
        if (!tfm_id_valid(tokens->ids[t], vocab))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s %zu: token id %d is outside the vocabulary (0 .. %u)", what,
                            i, tokens->ids[t], vocab - 1);
    return TFM_OK;
}

static tfm_status check_item(const scorer *c, size_t i, tfm_error *error) {
    const tfm_architecture *arch = &c->session->model->arch;
    const tfm_session_params *limits = &c->session->params;
    uint32_t input_vocab = arch->has_encoder ? arch->encoder.vocab_size : arch->decoder.vocab_size;
    uint32_t most = arch->has_encoder ? limits->max_source : limits->max_target;
    /* Lengths before contents: nothing is read of lists whose lengths cannot be right. */
    if (c->inputs[i].n == 0) return tfm_fail(error, TFM_ERROR_LIMIT, "input %zu has no tokens", i);
    if (c->inputs[i].n > most)
        return tfm_fail(error, TFM_ERROR_LIMIT, "input %zu has %zu tokens; allowed are 1 to %u", i, c->inputs[i].n,
                        most);
    if (c->targets[i].n > limits->max_target || feed_length(c, i) > limits->max_target)
        return tfm_fail(error, TFM_ERROR_LIMIT, "target %zu has %zu tokens; allowed are %zu", i, c->targets[i].n,
                        limits->max_target - prompt_length(c, i) + 1);
    if (c->targets[i].n > 0 && !c->log_probs[i])
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "target %zu: log_probs is NULL", i);
    tfm_status status = check_ids(&c->targets[i], "target", i, arch->decoder.vocab_size, error);
    return status == TFM_OK ? check_ids(&c->inputs[i], "input", i, input_vocab, error) : status;
}

/* Errors of items go to errors, or if that is NULL the first of them is the call's. */
static tfm_status check_items(const scorer *c) {
    for (size_t i = 0; i < c->n; i++) {
        if (c->errors) c->errors[i] = (tfm_error){0};
        tfm_status status = check_item(c, i, c->errors ? &c->errors[i] : c->error);
        if (status != TFM_OK && !c->errors) return status;
    }
    return TFM_OK;
}

/* Whether there is anything to do: a target without tokens has nothing to score. */
static bool is_to_score(const scorer *c, size_t i) {
    return c->targets[i].n > 0 && (!c->errors || c->errors[i].status == TFM_OK);
}

/* ---- groups ---- */

/* As many items from first on as one pass takes; at least one, unless that is not to be scored. */
static size_t group_size(const scorer *c, size_t first) {
    size_t count = 0, n_source = 0, n_target = 0, most = c->session->params.max_batch_tokens;
    while (first + count < c->n && count < c->n_slots && is_to_score(c, first + count)) {
        n_source += c->inputs[first + count].n;
        n_target += feed_length(c, first + count);
        if (count > 0 && (n_source > most || n_target > most)) break;
        count++;
    }
    return count;
}

static tfm_status score_all(scorer *c) {
    tfm_status status = TFM_OK;
    for (size_t first = 0; status == TFM_OK && first < c->n;) {
        size_t count = group_size(c, first);
        if (count > 0) status = score_group(c, first, count);
        first += count > 0 ? count : 1;
    }
    return status;
}

static void layout(scorer *c, tfm_arena *arena) {
    const tfm_session_params *limits = &c->session->params;
    size_t feed = limits->max_batch_tokens > limits->max_target ? limits->max_batch_tokens : limits->max_target;
    c->feed = tfm_arena_take(arena, feed, sizeof *c->feed);
    c->sources = tfm_arena_take(arena, c->n_slots, sizeof *c->sources);
    c->sequences = tfm_arena_take(arena, c->n_slots, sizeof *c->sequences);
    c->spans = tfm_arena_take(arena, c->n_slots, sizeof *c->spans);
    c->encode = tfm_arena_take(arena, c->n_slots, sizeof *c->encode);
}

/* The token before the targets of an encoder-decoder, as tfm_generate would have it. */
static tfm_status choose_start(const tfm_model *model, const tfm_generate_params *params, int32_t *start,
                               tfm_error *error) {
    tfm_generate_params own = model->defaults;
    tfm_status status = tfm_params_take(&own, sizeof own, params, "tfm_generate_params", error);
    if (status == TFM_OK) status = tfm_languages_apply(model, &own, error);
    if (status != TFM_OK) return status;
    *start = tfm_start_token(&own);
    if (!model->arch.has_encoder || tfm_id_valid(*start, model->arch.decoder.vocab_size)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "decoder_start_token_id is %d; the model has tokens 0 to %u", *start,
                    model->arch.decoder.vocab_size - 1);
}

tfm_status tfm_score_with(tfm_session *session, const tfm_generate_params *params, const tfm_tokens *inputs,
                          const tfm_tokens *targets, size_t n, float *const *log_probs, tfm_error *errors,
                          tfm_error *error) {
    const tfm_architecture *arch = &session->model->arch;
    if (!arch->has_decoder)
        return tfm_fail(error, TFM_ERROR_STATE, "%s has no decoder, it cannot score",
                        tfm_file_path(session->model->file));
    if (n > 0 && (!inputs || !targets || !log_probs))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s is NULL",
                        !inputs    ? "inputs"
                        : !targets ? "targets"
                                   : "log_probs");
    scorer c = {.session = session,
                .inputs = inputs,
                .targets = targets,
                .n = n,
                .log_probs = log_probs,
                .errors = errors,
                .error = error,
                .n_slots = tfm_free_sequences(session)};
    size_t n_sources = tfm_free_sources(session);
    if (arch->has_encoder && c.n_slots > n_sources) c.n_slots = n_sources;
    if (c.n_slots == 0) return tfm_fail(error, TFM_ERROR_LIMIT, "no source or sequence of the session is free");
    if (c.n_slots > n) c.n_slots = n;
    tfm_status status = choose_start(session->model, params, &c.start, error);
    if (status == TFM_OK) status = check_items(&c);
    if (status != TFM_OK) return status;
    tfm_arena count = {0};
    layout(&c, &count);
    void *memory = count.overflow ? NULL : calloc(1, count.used);
    if (!memory) return tfm_no_memory(error, "scores of %zu targets", n);
    layout(&c, &(tfm_arena){.base = memory});
    status = score_all(&c);
    free(memory);
    return status;
}

tfm_status tfm_score(tfm_session *session, const tfm_tokens *inputs, const tfm_tokens *targets, size_t n,
                     float *const *log_probs, tfm_error *errors, tfm_error *error) {
    return tfm_score_with(session, NULL, inputs, targets, n, log_probs, errors, error);
}
