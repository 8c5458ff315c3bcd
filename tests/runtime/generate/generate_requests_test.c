/*
 * generate_requests_test.c - tfm_generate: inputs with parameters of their own, inputs that cannot be run, callers that
 * change logits; requests that leave the running batch and come again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/sequences.h"
#include "runtime/generate/decode_batch.h"
#include "runtime/generate/generate_params.h"
#include "runtime/generate/hypotheses.h"
#include "tests/support/outputs.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

#define N_INPUTS 40
#define VOCAB 37

typedef struct inputs {
    int32_t ids[N_INPUTS][12];
    tfm_input items[N_INPUTS];
    tfm_generate_params params[N_INPUTS];
} inputs;

static const int32_t end_token[] = {13};

static tfm_generate_params params_of(const fixture *f) {
    tfm_generate_params p = tfm_generate_params_default(f->model);
    p.eos_token_ids = end_token;
    p.n_eos_token_ids = 1;
    return p;
}

static void make_inputs(inputs *in) {
    for (size_t i = 0; i < N_INPUTS; i++) {
        fixture_ids(in->ids[i], 12, VOCAB, i + 7);
        in->items[i] = (tfm_input){.ids = in->ids[i], .n = 1 + i * 5 % 12};
    }
}

/* Greedy search, beams and samples of several widths, lengths, penalties and seeds; every fourth has those of the call.
 */
static void vary_params(inputs *in, const fixture *f) {
    for (size_t i = 0; i < N_INPUTS; i++) {
        tfm_generate_params *p = &in->params[i];
        *p = params_of(f);
        p->max_length = 14 + (uint32_t)(i * 7 % 11);
        if (i % 4 == 1) {
            p->num_beams = p->num_return_sequences = 2 + (uint32_t)i / 4 % 3;
            p->no_repeat_ngram_size = i % 3 ? 2 : 0;
        } else if (i % 4 == 2) {
            p->do_sample = true;
            p->num_return_sequences = 1 + (uint32_t)i / 4 % 4;
            p->seed = i;
            p->top_p = i % 3 ? 1 : 0.9;
            p->n_top_log_probs = i % 3 ? 0 : 4;
        } else if (i % 4 == 3) {
            p->repetition_penalty = 1.3;
            p->keep_log_probs = true;
            p->keep_attention = f->tiny->config.kind[0] == 'e' && i % 3;
        }
        in->items[i].params = i % 4 ? p : NULL;
    }
}

static void open_kind(fixture *f, int decoder) {
    tiny_config c = tiny_config_default();
    if (decoder) c.kind = "decoder";
    fixture_open(f, &c, NULL);
}

/* ---- parameters of inputs ---- */

Test(requests, own_parameters_give_what_a_call_with_them_gives) {
    static inputs in;
    for (int decoder = 0; decoder < 2; decoder++) {
        fixture f;
        open_kind(&f, decoder);
        make_inputs(&in);
        vary_params(&in, &f);
        tfm_generate_params p = params_of(&f);
        outputs *together, *alone[N_INPUTS];
        for (size_t i = 0; i < N_INPUTS; i++) {
            tfm_input input = {.ids = in.ids[i], .n = in.items[i].n};
            REQUIRE_OK(outputs_generate(f.session, &input, 1, i % 4 ? &in.params[i] : &p, &alone[i], error));
        }
        for (uint32_t places = 4; places < 20; places += 5) {
            tfm_session_params few = {.size = sizeof few,
                                      .pool = f.pool,
                                      .max_sources = 1 + places / 2,
                                      .max_sequences = places,
                                      .max_batch_tokens = 19,
                                      .max_source = decoder ? 0 : 12,
                                      .max_target = 36};
            tfm_session *session;
            REQUIRE_OK(tfm_session_create(&session, f.model, &few, error));
            REQUIRE_OK(outputs_generate(session, in.items, N_INPUTS, &p, &together, error));
            for (size_t i = 0; i < N_INPUTS; i++) {
                cr_assert(together->calls[i] == 1 && together->counts[i] == alone[i]->counts[0]);
                for (size_t j = 0; j < together->counts[i]; j++) {
                    const output *a = outputs_at(together, i, j), *b = outputs_at(alone[i], 0, j);
                    cr_assert(a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids), "input %zu", i);
                    cr_assert(a->score == b->score && a->ended == b->ended);
                    cr_assert(!a->log_probs == !b->log_probs && !a->attention == !b->attention);
                    if (a->attention)
                        cr_assert(!memcmp(a->attention, b->attention, a->n * in.items[i].n * sizeof(float)));
                }
            }
            outputs_free(&together);
            tfm_session_free(&session);
        }
        for (size_t i = 0; i < N_INPUTS; i++) outputs_free(&alone[i]);
        fixture_close(&f);
    }
}

/* ---- inputs that cannot be run ---- */

Test(requests, an_input_that_cannot_run_leaves_the_others_alone) {
    static inputs in;
    fixture f;
    open_kind(&f, 0);
    make_inputs(&in);
    tfm_generate_params p = params_of(&f), wide = p, odd = p, none = {.size = 0}, not_a_number = p;
    outputs *before, *some;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &before, error));
    static const int32_t unknown[] = {3, 37}, many[400] = {0};
    const tfm_logit_bias nan_bias[] = {{.id = 3, .bias = -INFINITY}};
    wide.num_beams = 129;
    odd.early_stopping = (tfm_early_stopping)3;
    static tfm_logit_bias all_banned[VOCAB];
    for (int32_t id = 0; id < VOCAB; id++) all_banned[id] = (tfm_logit_bias){.id = id, .bias = nan_bias[0].bias};
    not_a_number.do_sample = true;
    not_a_number.logit_bias = all_banned;
    not_a_number.n_logit_bias = VOCAB;
    const struct refusal {
        size_t index;
        tfm_input input;
        tfm_status status;
        const char *says;
    } refusals[] = {
        {0, {.ids = many, .n = 400}, TFM_ERROR_LIMIT, "the input has 400 tokens"},
        {1, {.ids = many, .n = 0}, TFM_ERROR_LIMIT, "the input has 0 tokens"},
        {2, {.ids = unknown, .n = 2}, TFM_ERROR_ARGUMENT, "37"},
        {5, {.ids = NULL, .n = 2}, TFM_ERROR_ARGUMENT, "NULL"},
        {7, {.ids = NULL, .n = SIZE_MAX}, TFM_ERROR_LIMIT, "allowed are 1 to 320"},
        {8, {.ids = many, .n = 1, .prefix = many, .n_prefix = SIZE_MAX}, TFM_ERROR_LIMIT, "prefix"},
        {9, {.ids = many, .n = 1, .prefix = NULL, .n_prefix = 3}, TFM_ERROR_ARGUMENT, "NULL"},
        {11, {.ids = many, .n = 1, .prefix = unknown, .n_prefix = 2}, TFM_ERROR_ARGUMENT, "prefix id 37"},
        {20, {.ids = many, .n = 1, .params = &wide}, TFM_ERROR_ARGUMENT, "num_beams is 129"},
        {21, {.ids = many, .n = 1, .params = &odd}, TFM_ERROR_ARGUMENT, "early_stopping is 3"},
        {22, {.ids = many, .n = 1, .params = &none}, TFM_ERROR_ARGUMENT, "tfm_generate_params.size is 0"},
        {30, {.ids = many, .n = 1, .params = &not_a_number}, TFM_ERROR_STATE, "no usable scores"},
        {39, {.ids = many, .n = 1, .reserved = {&p}}, TFM_ERROR_UNSUPPORTED, "reserved"},
    };
    enum { N_REFUSALS = sizeof refusals / sizeof *refusals };
    for (size_t i = 0; i < N_REFUSALS; i++) in.items[refusals[i].index] = refusals[i].input;
    REQUIRE_OK(outputs_generate_some(f.session, in.items, N_INPUTS, &p, &some, error));
    for (size_t i = 0, k = 0; i < N_INPUTS; i++) {
        cr_assert(some->calls[i] == 1, "input %zu is reported %u times", i, some->calls[i]);
        if (k < N_REFUSALS && refusals[k].index == i) {
            cr_assert(some->counts[i] == 0 && some->errors[i].status == refusals[k].status, "input %zu: %s", i,
                      some->errors[i].message);
            cr_assert(strstr(some->errors[i].message, refusals[k].says), "input %zu: \"%s\" does not say \"%s\"", i,
                      some->errors[i].message, refusals[k].says);
            k++;
            continue;
        }
        const output *a = outputs_at(some, i, 0), *b = outputs_at(before, i, 0);
        cr_assert(some->errors[i].status == TFM_OK && a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids));
    }
    outputs_free(&some);
    /* Without an on_result the first of them is the call's, when the others have run. */
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_generate(f.session, in.items, N_INPUTS, &p, NULL, error), "input 0: ", "400");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, in.items + 20, 20, &p, NULL, error), "input 0: ", "129");
    /* Bad parameters of the call are the call's, unless no input uses them. */
    make_inputs(&in);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, in.items, N_INPUTS, &wide, NULL, error),
                  "num_beams is 129");
    for (size_t i = 0; i < N_INPUTS; i++) in.items[i].params = &p;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &wide, &some, error));
    cr_assert(outputs_same(before, some));
    outputs_free(&some);
    outputs_free(&before);
    /* All places were given back. */
    int32_t source = fixture_source(&f, in.ids[0], 5), sequences[128];
    for (size_t i = 0; i < 128; i++) sequences[i] = fixture_sequence(&f, source);
    for (size_t i = 0; i < 128; i++) tfm_sequence_free(f.session, sequences[i]);
    fixture_close(&f);
}

/* What the session has no room for is refused; what it has later waits. */
Test(requests, places_that_are_taken) {
    static inputs in;
    fixture f;
    tfm_session_params few = tfm_session_params_default();
    few.max_sequences = 4;
    few.max_sources = 3;
    fixture_open(&f, NULL, &few);
    make_inputs(&in);
    tfm_generate_params p = params_of(&f), beams = p;
    beams.num_beams = 3;
    in.items[2].params = in.items[3].params = &beams;
    int32_t source = fixture_source(&f, in.ids[0], 3), sequence = fixture_sequence(&f, source);
    outputs *some;
    REQUIRE_OK(outputs_generate(f.session, in.items, 6, &p, &some, error));
    outputs_free(&some);
    int32_t another = fixture_sequence(&f, source);
    REQUIRE_OK(outputs_generate_some(f.session, in.items, 6, &p, &some, error));
    for (size_t i = 0; i < 6; i++) {
        bool refused = i == 2 || i == 3;
        cr_assert(some->calls[i] == 1 && (some->counts[i] == 0) == refused, "input %zu", i);
        cr_assert(some->errors[i].status == (refused ? TFM_ERROR_LIMIT : TFM_OK));
    }
    outputs_free(&some);
    tfm_sequence_free(f.session, sequence);
    tfm_sequence_free(f.session, another);
    fixture_close(&f);
}

/* A prompt of a decoder may be longer than a batch: it goes in pieces. */
Test(requests, a_prompt_longer_than_a_pass) {
    fixture f;
    tfm_session_params small = {
        .size = sizeof small, .max_sources = 1, .max_sequences = 2, .max_batch_tokens = 5, .max_source = 4};
    tiny_config c = tiny_config_default();
    c.kind = "decoder";
    fixture_open(&f, &c, &small);
    int32_t ids[3][50];
    tfm_input items[3];
    for (size_t i = 0; i < 3; i++) {
        fixture_ids(ids[i], 50, VOCAB, i);
        items[i] = (tfm_input){.ids = ids[i], .n = 50 - i};
    }
    tfm_generate_params p = params_of(&f);
    p.max_new_tokens = 6;
    tfm_session *large;
    outputs *pieces, *whole;
    REQUIRE_OK(tfm_session_create(&large, f.model, NULL, error));
    REQUIRE_OK(outputs_generate(f.session, items, 3, &p, &pieces, error));
    REQUIRE_OK(outputs_generate(large, items, 3, &p, &whole, error));
    cr_assert(outputs_same(pieces, whole));
    outputs_free(&pieces);
    outputs_free(&whole);
    tfm_session_free(&large);
    fixture_close(&f);
}

/* ---- on_logits ---- */

typedef struct watcher {
    fixture other; /* a session of its own */
    const inputs *in;
    size_t n_calls;
    int32_t banned; /* -1: none */
    size_t stop_at; /* 0: never */
    bool decoder;
    bool seen[8]; /* outputs, of input 0 */
} watcher;

/* The logits are those that feeding the same tokens gives, bit for bit. */
static int check_logits(void *user, size_t index, uint32_t number, const int32_t *ids, size_t n, float *logits,
                        size_t vocab_size) {
    watcher *w = user;
    const tfm_input *input = &w->in->items[index];
    cr_assert(vocab_size == VOCAB && index < N_INPUTS && number < 8);
    if (index == 0) w->seen[number] = true;
    int32_t fed[64], source = -1;
    size_t n_fed = 0;
    float expected[64 * VOCAB];
    if (w->decoder)
        for (; n_fed < input->n; n_fed++) fed[n_fed] = input->ids[n_fed];
    else
        fed[n_fed++] = TINY_START;
    for (size_t i = 0; i < n; i++) fed[n_fed++] = ids[i];
    if (!w->decoder) source = fixture_source(&w->other, input->ids, input->n);
    int32_t sequence = fixture_sequence(&w->other, source);
    fixture_feed(&w->other, sequence, fed, n_fed, expected);
    tfm_sequence_free(w->other.session, sequence);
    tfm_source_free(w->other.session, source);
    cr_assert(!memcmp(expected + (n_fed - 1) * VOCAB, logits, VOCAB * sizeof *logits), "input %zu, token %zu", index,
              n);
    if (w->banned >= 0) logits[w->banned] = -INFINITY;
    return ++w->n_calls == w->stop_at;
}

static int check_result(void *user, size_t index, const tfm_result *result) {
    const watcher *w = user;
    cr_assert(result->status == TFM_OK);
    for (size_t j = 0; j < result->n; j++)
        for (size_t t = 0; t < result->hypotheses[j]->n; t++)
            cr_assert(result->hypotheses[j]->ids[t] != w->banned, "input %zu, hypothesis %zu", index, j);
    return 0;
}

Test(requests, logits_are_shown_and_may_be_changed) {
    static inputs in;
    for (int way = 0; way < 4; way++) {
        fixture f;
        open_kind(&f, way == 3);
        make_inputs(&in);
        tfm_generate_params p = params_of(&f);
        p.max_new_tokens = 8;
        p.num_beams = way == 1 ? 3 : 1;
        p.do_sample = way >= 2;
        p.num_return_sequences = way == 0 ? 1 : 3;
        outputs *plain;
        REQUIRE_OK(outputs_generate(f.session, in.items, 6, &p, &plain, error));
        watcher w = {.other = f, .in = &in, .banned = outputs_at(plain, 0, 0)->ids[1], .decoder = way == 3};
        REQUIRE_OK(tfm_session_create(&w.other.session, f.model, NULL, error));
        tfm_generate_callbacks callbacks = {
            .size = sizeof callbacks, .on_logits = check_logits, .on_result = check_result, .user = &w};
        REQUIRE_OK(tfm_generate(f.session, in.items, 6, &p, &callbacks, error));
        cr_assert(w.n_calls > 6 * (way == 0 ? 4 : 9));
        for (uint32_t j = 0; j < 4; j++) cr_assert(w.seen[j] == (j < (way == 0 ? 1 : 3)), "way %d, output %u", way, j);
        watcher cancels = {.other = w.other, .in = &in, .banned = -1, .decoder = way == 3, .stop_at = 7};
        callbacks.user = &cancels;
        REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_generate(f.session, in.items, 6, &p, &callbacks, error), "cancelled");
        cr_assert(cancels.n_calls == 7);
        tfm_session_free(&w.other.session);
        outputs_free(&plain);
        fixture_close(&f);
    }
}

/* ---- leaving and coming again ---- */

typedef struct runner {
    tfm_decode_batch batch;
    tfm_request requests[N_INPUTS];
    bool in_batch[N_INPUTS];
    tfm_hypotheses found;
} runner;

static const tfm_generate_callbacks no_callbacks = {.size = sizeof no_callbacks};

static void enter(runner *r, size_t i) {
    tfm_request *request = &r->requests[i];
    REQUIRE_OK(tfm_decode_batch_admit(&r->batch, &request, 1, error));
    r->in_batch[i] = true;
}

static void compare(runner *r, const tfm_session *session, size_t i, const output *first, size_t n) {
    tfm_request *request = &r->requests[i];
    cr_assert(request->status == TFM_OK);
    REQUIRE_OK(tfm_hypotheses_reserve(&r->found, request, error));
    tfm_hypotheses_write(&r->found, request, session->params.max_source);
    cr_assert(r->found.n == n);
    for (size_t j = 0; j < n; j++) {
        const tfm_hypothesis *a = r->found.list[j];
        const output *b = &first[j];
        cr_assert(a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids) && a->score == b->score &&
                      a->ended == b->ended,
                  "input %zu, hypothesis %zu", i, j);
        if (b->attention)
            cr_assert(!memcmp(a->attention, b->attention, a->n * request->input->n * sizeof *a->attention));
    }
}

/* A scheduler that lets requests in and takes them out at any step gets the results of an undisturbed run. */
Test(requests, may_leave_the_batch_and_come_again) {
    static inputs in;
    static runner r;
    for (int decoder = 0; decoder < 2; decoder++) {
        fixture f;
        open_kind(&f, decoder);
        make_inputs(&in);
        vary_params(&in, &f);
        tfm_generate_params p = params_of(&f);
        outputs *undisturbed;
        REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &undisturbed, error));
        r = (runner){0};
        REQUIRE_OK(tfm_decode_batch_create(&r.batch, f.session, error));
        for (size_t i = 0; i < N_INPUTS; i++) {
            REQUIRE_OK(tfm_request_start(&r.requests[i], f.session, &in.items[i], &p, error));
            r.requests[i].index = i;
            r.requests[i].callbacks = &no_callbacks;
        }
        uint64_t random = 99;
        size_t n_finished = 0, n_preempted = 0;
        bool done[N_INPUTS] = {0};
        for (size_t step = 0; n_finished < N_INPUTS; step++) {
            cr_assert(step < 5000, "it never ends");
            for (size_t k = 0; k < 8; k++) {
                size_t i = tiny_random(&random) % N_INPUTS;
                if (done[i]) continue;
                if (r.in_batch[i] && tiny_random(&random) % 2 == 0) {
                    tfm_decode_batch_preempt(&r.batch, &r.requests[i]);
                    r.in_batch[i] = false;
                    n_preempted++;
                } else if (!r.in_batch[i] && r.batch.n_running < 20) {
                    enter(&r, i);
                }
            }
            REQUIRE_OK(tfm_decode_batch_step(&r.batch, error));
            for (size_t k = 0; k < r.batch.n_finished; k++, n_finished++) {
                size_t i = r.batch.finished[k]->index;
                r.in_batch[i] = false;
                done[i] = true;
                compare(&r, f.session, i, outputs_at(undisturbed, i, 0), undisturbed->counts[i]);
            }
        }
        cr_assert(n_preempted > N_INPUTS, "%zu", n_preempted);
        tfm_decode_batch_free(&r.batch);
        for (size_t i = 0; i < N_INPUTS; i++) tfm_request_free(&r.requests[i]);
        tfm_hypotheses_free(&r.found);
        cr_assert(tfm_free_sequences(f.session) == 128);
        outputs_free(&undisturbed);
        fixture_close(&f);
    }
}

/* ---- anything at all ---- */

static const int32_t some_ids[] = {3, 13, 0, -1, 36, 37, INT32_MAX, INT32_MIN, 5};
static const tfm_tokens some_words[] = {{some_ids, 1}, {some_ids, 3}, {NULL, 0}, {some_ids + 3, 2}, {NULL, 2}};
static const tfm_logit_bias some_biases[] = {{3, 1}, {5, -INFINITY}, {-1, 0}, {7, NAN}, {36, 1e30f}};

static uint32_t odd_count(uint64_t *random) {
    static const uint32_t counts[] = {0, 1, 2, 3, 4, 5, 8, 20, 40, 64, 65, 129, 1u << 20, UINT32_MAX};
    return counts[tiny_random(random) % (tiny_random(random) % 4 ? 8 : 14)];
}

static double odd_number(uint64_t *random) {
    static const double numbers[] = {1, 0.5, 0, 2, 1e-30, 1e30, -1, NAN, INFINITY, -INFINITY};
    return numbers[tiny_random(random) % (tiny_random(random) % 4 ? 4 : 10)];
}

/* A list is at its place, at NULL, or of a length that it cannot have. */
static size_t odd_length(uint64_t *random, size_t n, const void **list) {
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 8, (size_t)1 << 40};
    if (tiny_random(random) % 16 == 0) return lengths[tiny_random(random) % 3];
    if (tiny_random(random) % 16 == 0) *list = NULL;
    return tiny_random(random) % (n + 1);
}

static tfm_generate_params odd_params(const fixture *f, uint64_t *random) {
    tfm_generate_params p = params_of(f);
    uint32_t *const counts[] = {&p.num_beams,      &p.num_return_sequences, &p.max_length,           &p.max_new_tokens,
                                &p.min_length,     &p.min_new_tokens,       &p.no_repeat_ngram_size, &p.top_k,
                                &p.n_top_log_probs};
    double *const numbers[] = {&p.length_penalty,
                               &p.repetition_penalty,
                               &p.temperature,
                               &p.top_p,
                               &p.min_p,
                               &p.typical_p,
                               &p.presence_penalty,
                               &p.frequency_penalty,
                               &p.prefix_bias_beta,
                               &p.patience,
                               &p.min_alternative_expansion_prob};
    int32_t *const ids[] = {&p.decoder_start_token_id, &p.forced_bos_token_id, &p.forced_eos_token_id};
    bool *const flags[] = {&p.do_sample,      &p.renormalize_logits, &p.keep_log_probs,
                           &p.keep_attention, &p.shortlist,          &p.return_alternatives};
    const void *list;
    /* A few at a time: with more, nothing would ever run. */
    for (int k = 0; k < 4; k++) {
        switch (tiny_random(random) % 10) {
        case 0:
        case 1:
        case 2: *counts[tiny_random(random) % 9] = odd_count(random); break;
        case 3: *numbers[tiny_random(random) % 11] = odd_number(random); break;
        case 4: *ids[tiny_random(random) % 3] = some_ids[tiny_random(random) % 9]; break;
        case 5: *flags[tiny_random(random) % 6] ^= true; break;
        case 6: p.early_stopping = (tfm_early_stopping)(tiny_random(random) % 4); break;
        case 7:
            list = some_words;
            p.n_bad_words = odd_length(random, 5, &list);
            p.bad_words = list;
            break;
        case 8:
            list = some_ids;
            p.n_suppress_tokens = odd_length(random, 9, &list);
            p.suppress_tokens = list;
            break;
        default:
            list = some_biases;
            p.n_logit_bias = odd_length(random, 5, &list);
            p.logit_bias = list;
        }
    }
    if (p.max_length > 60 && p.max_length < 322) p.max_length = 60;
    return p;
}

static tfm_input odd_input(inputs *in, size_t i, uint64_t *random) {
    const void *ids = in->ids[i], *prefix = some_ids;
    tfm_input input = {.n = odd_length(random, 12, &ids)};
    input.ids = ids;
    if (tiny_random(random) % 4 == 0) {
        input.n_prefix = odd_length(random, 9, &prefix);
        input.prefix = prefix;
    }
    if (tiny_random(random) % 16 == 0) input.ids = some_ids, input.n = 9;
    if (tiny_random(random) % 3) input.params = &in->params[i];
    return input;
}

/* Whatever is asked: every input gets one result, and the session is as it was. */
Test(requests, whatever_is_asked) {
    static inputs in;
    for (int decoder = 0; decoder < 2; decoder++) {
        fixture f;
        open_kind(&f, decoder);
        make_inputs(&in);
        uint64_t random = 17;
        size_t n_done = 0, n_refused = 0;
        tfm_generate_params plain = params_of(&f);
        outputs *before, *after;
        tfm_input good[5];
        for (size_t i = 0; i < 5; i++) good[i] = in.items[i];
        REQUIRE_OK(outputs_generate(f.session, good, 5, &plain, &before, error));
        for (size_t round = 0; round < 300; round++) {
            size_t n = 1 + tiny_random(&random) % 8;
            tfm_generate_params p = odd_params(&f, &random);
            for (size_t i = 0; i < n; i++) {
                in.params[i] = odd_params(&f, &random);
                in.items[i] = odd_input(&in, i, &random);
            }
            outputs *all;
            tfm_error error = {0};
            tfm_status status = outputs_generate_some(f.session, in.items, n, round % 2 ? &plain : &p, &all, &error);
            cr_assert((status == TFM_OK) == (all != NULL) && (status == TFM_OK || *error.message), "%s", error.message);
            for (size_t i = 0; all && i < n; i++) {
                cr_assert(all->calls[i] == 1 && (all->counts[i] > 0) == (all->errors[i].status == TFM_OK));
                n_done += all->counts[i] > 0;
                n_refused += all->counts[i] == 0;
            }
            outputs_free(&all);
            cr_assert(tfm_free_sequences(f.session) == 128);
        }
        cr_assert(n_done > 200 && n_refused > 200, "%zu ran, %zu were refused", n_done, n_refused);
        REQUIRE_OK(outputs_generate(f.session, good, 5, &plain, &after, error));
        cr_assert(outputs_same(before, after));
        outputs_free(&before);
        outputs_free(&after);
        fixture_close(&f);
    }
}
