/*
 * request.c - see request.h.
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "generate_params.h"
#include "runtime/exec/sequences.h"
#include "runtime/os/arena.h"
#include "runtime/params.h"

/* ---- checks ---- */

/* Whether the output is drawn to its prefix, which is then no part of what is given. */
static bool is_drawn(const tfm_request *r) { return r->params.prefix_bias_beta > 0 && r->input->n_prefix > 0; }

static size_t prompt_length(const tfm_request *r) { return r->output_start + (is_drawn(r) ? 0 : r->input->n_prefix); }

static tfm_status check_ids(const char *what, const int32_t *ids, size_t n, uint32_t vocab_size, tfm_error *error) {
    if (!ids && n > 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there are %zu %s ids at NULL", n, what);
    for (size_t i = 0; i < n; i++)
        if (!tfm_id_valid(ids[i], vocab_size))
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s id %d is outside the vocabulary (0 .. %u)", what, ids[i],
                            vocab_size - 1);
    return TFM_OK;
}

/* Lengths before contents: nothing is read of lists whose lengths cannot be right. */
static tfm_status check_lengths(tfm_request *r, const tfm_session *session, tfm_error *error) {
    const tfm_input *input = r->input;
    const tfm_session_params *limits = &session->params;
    bool has_encoder = session->model->arch.has_encoder;
    size_t most = has_encoder ? limits->max_source : limits->max_target;
    if (input->n == 0 || input->n > most)
        return tfm_fail(error, TFM_ERROR_LIMIT, "the input has %zu tokens; allowed are 1 to %zu", input->n, most);
    if (input->n_prefix > limits->max_target)
        return tfm_fail(error, TFM_ERROR_LIMIT, "the prefix has %zu tokens; allowed are %u", input->n_prefix,
                        limits->max_target);
    r->output_start = has_encoder ? 1 : input->n;
    size_t prompt = prompt_length(r), new_tokens = r->params.max_new_tokens;
    r->max_length = new_tokens ? prompt + new_tokens : r->params.max_length;
    if (prompt >= r->max_length)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%s and prefix are %zu tokens, which leaves none of max_length %zu",
                        has_encoder ? "start token" : "the input", prompt, r->max_length);
    if (r->max_length - 1 > limits->max_target)
        return tfm_fail(error, TFM_ERROR_LIMIT, "max_length %zu is over the limit of %u", r->max_length,
                        limits->max_target + 1);
    return tfm_check_minimum_lengths(session->model, &r->params, r->max_length, r->max_length - prompt, error);
}

/* A conversation has one output, and its sequence holds fewer tokens than the prompt. */
static tfm_status check_conversation(const tfm_request *r, const tfm_session *session, tfm_error *error) {
    if (!r->input->sequence) return TFM_OK;
    if (session->model->arch.kind != TFM_KIND_DECODER || tfm_generate_width(&r->params) != 1)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "only a decoder-only model can go on with a sequence, and with one output");
    int32_t sequence = *r->input->sequence;
    if (sequence == -1) return TFM_OK;
    if (!tfm_sequence_used(session, sequence))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no sequence %d", sequence);
    size_t held = tfm_sequence_length(session, sequence);
    if (held >= prompt_length(r))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "its %zu tokens must be more than the %zu that sequence %d holds: truncate it",
                        prompt_length(r), held, sequence);
    return TFM_OK;
}

static tfm_status check(tfm_request *r, const tfm_session *session, tfm_error *error) {
    const tfm_architecture *arch = &session->model->arch;
    const tfm_input *input = r->input;
    tfm_status status = tfm_params_check_reserved(input->reserved, "tfm_input", error);
    if (status == TFM_OK) status = check_lengths(r, session, error);
    if (status == TFM_OK)
        status = check_ids("token", input->ids, input->n,
                           arch->has_encoder ? arch->encoder.vocab_size : arch->decoder.vocab_size, error);
    if (status == TFM_OK) status = check_ids("prefix", input->prefix, input->n_prefix, arch->decoder.vocab_size, error);
    if (status == TFM_OK) status = check_conversation(r, session, error);
    return status;
}

/* ---- memory ---- */

static void allocate(tfm_request *r, const tfm_session *session, tfm_arena *arena) {
    size_t vocab_size = session->model->arch.decoder.vocab_size, width = tfm_generate_width(&r->params), n_ids;
    tfm_search_allocate(&r->search, arena, &r->params, vocab_size, r->max_length,
                        r->params.keep_attention ? session->params.max_source : 0);
    if (__builtin_mul_overflow(width, r->max_length, &n_ids)) arena->overflow = true;
    r->ids = tfm_arena_take(arena, n_ids, sizeof *r->ids);
    /* One more than the vocabulary: what tfm_shortlist_of asks for. */
    r->allowed = r->params.shortlist ? tfm_arena_take(arena, vocab_size + 1, sizeof *r->allowed) : NULL;
}

static tfm_status reserve(tfm_request *r, const tfm_session *session, tfm_error *error) {
    tfm_arena count = {0};
    allocate(r, session, &count);
    if (!count.overflow && count.used > r->memory_bytes) {
        free(r->memory);
        r->memory = malloc(count.used);
        r->memory_bytes = r->memory ? count.used : 0;
    }
    if (count.overflow || !r->memory)
        return tfm_no_memory(error, "a search of %u outputs of %zu tokens", tfm_generate_width(&r->params),
                             r->max_length);
    allocate(r, session, &(tfm_arena){.base = r->memory});
    return TFM_OK;
}

void tfm_request_free(tfm_request *request) {
    free(request->memory);
    *request = (tfm_request){0};
}

/* ---- starting ---- */

/* Start token or input, then the prefix. */
static void start_search(tfm_request *r, const tfm_session *session) {
    const tfm_input *input = r->input;
    if (session->model->arch.has_encoder)
        r->ids[0] = tfm_start_token(&r->params);
    else
        memcpy(r->ids, input->ids, input->n * sizeof *r->ids);
    if (input->n_prefix && !is_drawn(r))
        memcpy(r->ids + r->output_start, input->prefix, input->n_prefix * sizeof *r->ids);
    tfm_search_start(&r->search, r->ids, prompt_length(r), r->output_start, r->max_length);
    if (is_drawn(r)) tfm_search_draw_to(&r->search, input->prefix, input->n_prefix);
    /* The tokens that were given have no attention. */
    if (r->search.attention)
        memset(r->search.attention, 0, prompt_length(r) * session->params.max_source * sizeof *r->search.attention);
}

tfm_status tfm_request_start(tfm_request *request, const tfm_session *session, const tfm_input *input,
                             const tfm_generate_params *params, tfm_error *error) {
    *request = (tfm_request){.input = input,
                             .params = *params,
                             .source = -1,
                             .memory = request->memory,
                             .memory_bytes = request->memory_bytes};
    tfm_status status = TFM_OK;
    if (input->params) {
        request->params = session->model->defaults;
        status = tfm_params_take(&request->params, sizeof *params, input->params, "tfm_generate_params", error);
    }
    request->params.keep_attention |= request->params.replace_unknowns;
    if (status == TFM_OK) status = tfm_languages_apply(session->model, &request->params, error);
    if (status == TFM_OK && input->params) status = tfm_generate_params_check(session, &request->params, error);
    if (status == TFM_OK) status = check(request, session, error);
    if (status == TFM_OK) status = reserve(request, session, error);
    if (status == TFM_OK) start_search(request, session);
    return status;
}
