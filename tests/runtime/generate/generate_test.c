/* generate_test.c - tfm_generate: callbacks, cancellation, prefixes, admission, what hypotheses hold, allocations. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/faults.h"
#include "tests/support/outputs.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

/* ---- inputs ---- */

#define N_INPUTS 40

typedef struct inputs {
    int32_t ids[N_INPUTS][12];
    tfm_input items[N_INPUTS];
} inputs;

static void make_inputs(inputs *in) {
    for (size_t i = 0; i < N_INPUTS; i++) {
        fixture_ids(in->ids[i], 12, 37, i + 7);
        in->items[i] = (tfm_input){.ids = in->ids[i], .n = 1 + i * 5 % 12};
    }
}

/* A token that this model likes: some outputs end with it at once, some later, some never. */
static const int32_t end_token[] = {13};

static tfm_generate_params params_of(const fixture *f, uint32_t num_beams) {
    tfm_generate_params p = tfm_generate_params_default(f->model);
    p.num_beams = num_beams;
    p.eos_token_ids = end_token;
    p.n_eos_token_ids = 1;
    return p;
}

/* ---- admission ---- */

/* However few places a session has, every input comes out once and as if it were alone. */
Test(generate, few_places_change_nothing) {
    inputs in;
    make_inputs(&in);
    for (uint32_t num_beams = 1; num_beams <= 3; num_beams += 2) {
        fixture f;
        fixture_open(&f, NULL, NULL);
        tfm_generate_params p = params_of(&f, num_beams);
        p.num_return_sequences = num_beams;
        outputs *singly, *together;
        REQUIRE_OK(outputs_generate_singly(f.session, in.items, N_INPUTS, &p, &singly, error));
        REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &together, error));
        cr_assert(outputs_same(singly, together), "%u beams, all at once", num_beams);
        outputs_free(&together);
        for (uint32_t places = 1; places < 8; places += 2) {
            tfm_session_params few = {.size = sizeof few,
                                      .pool = f.pool,
                                      .max_sources = places,
                                      .max_sequences = 7 * num_beams,
                                      .max_batch_tokens = 13,
                                      .max_source = 12,
                                      .max_target = 24};
            tfm_session *session;
            REQUIRE_OK(tfm_session_create(&session, f.model, &few, error));
            REQUIRE_OK(outputs_generate(session, in.items, N_INPUTS, &p, &together, error));
            cr_assert(outputs_same(singly, together), "%u beams, %u places", num_beams, places);
            outputs_free(&together);
            tfm_session_free(&session);
        }
        outputs_free(&singly);
        fixture_close(&f);
    }
}

Test(generate, outputs_differ_from_input_to_input) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1);
    outputs *all;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &all, error));
    size_t n_ended = 0, n_other = 0;
    for (size_t i = 0; i < N_INPUTS; i++) {
        const output *o = outputs_at(all, i, 0), *first = outputs_at(all, 0, 0);
        n_ended += o->ended;
        n_other += o->n != first->n || memcmp(o->ids, first->ids, o->n * sizeof *o->ids) != 0;
        cr_assert(o->n <= 23 && (o->ended ? o->ids[o->n - 1] == end_token[0] : o->n == 23));
    }
    cr_assert(n_other > N_INPUTS / 2 && n_ended > 0, "%zu outputs differ from the first, %zu end: too simple a model",
              n_other, n_ended);
    outputs_free(&all);
    fixture_close(&f);
}

/* ---- callbacks ---- */

typedef struct stream {
    int32_t ids[N_INPUTS][32];
    size_t n[N_INPUTS];
    bool done[N_INPUTS];
    size_t n_tokens, n_results;
    size_t stop_at_token, stop_at_result; /* 0: never */
    tfm_session *cancel_at_token_5;
    long allocations_before, allocations;
} stream;

static int on_token(void *user, size_t index, uint32_t number, int32_t id) {
    cr_assert(number == 0);
    stream *s = user;
    cr_assert(index < N_INPUTS && !s->done[index] && s->n[index] < 32);
    s->ids[index][s->n[index]++] = id;
    if (++s->n_tokens == 5 && s->cancel_at_token_5) tfm_session_cancel(s->cancel_at_token_5);
    if (s->n_tokens == 1) s->allocations_before = allocations_made();
    s->allocations = allocations_made() - s->allocations_before;
    return s->n_tokens == s->stop_at_token ? TFM_CANCEL : TFM_GO_ON;
}

static int on_result(void *user, size_t index, const tfm_result *result) {
    stream *s = user;
    cr_assert(index < N_INPUTS && !s->done[index] && result->n == 1);
    const tfm_hypothesis *h = result->hypotheses[0];
    s->done[index] = true;
    cr_assert(h->n == s->n[index] && !memcmp(h->ids, s->ids[index], h->n * sizeof(int32_t)),
              "what was streamed for input %zu is not its result", index);
    return ++s->n_results == s->stop_at_result;
}

Test(generate, streamed_tokens_are_the_result) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1);
    stream s = {0};
    tfm_generate_callbacks callbacks = {
        .size = sizeof callbacks, .on_token = on_token, .on_result = on_result, .user = &s};
    REQUIRE_OK(tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error));
    cr_assert(s.n_results == N_INPUTS && s.n_tokens > N_INPUTS);
    REQUIRE_OK(tfm_generate(f.session, in.items, N_INPUTS, &p, NULL, error));
    REQUIRE_OK(tfm_generate(f.session, NULL, 0, NULL, &callbacks, error));
    fixture_close(&f);
}

Test(generate, callbacks_can_stop) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1);
    outputs *before, *after;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &before, error));
    for (size_t i = 1; i < 60; i += 7) {
        stream s = {.stop_at_token = i};
        tfm_generate_callbacks callbacks = {
            .size = sizeof callbacks, .on_token = on_token, .on_result = on_result, .user = &s};
        REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error),
                      "cancelled");
        cr_assert(s.n_tokens == i);
        stream r = {.stop_at_result = 1 + i / 7};
        callbacks.user = &r;
        REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error),
                      "cancelled");
        cr_assert(r.n_results == 1 + i / 7);
    }
    stream s = {.cancel_at_token_5 = f.session};
    tfm_generate_callbacks callbacks = {
        .size = sizeof callbacks, .on_token = on_token, .on_result = on_result, .user = &s};
    REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error), "cancelled");
    cr_assert(s.n_tokens < 5 + 128);
    /* All places were given back, and the request to stop is forgotten. */
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &after, error));
    cr_assert(outputs_same(before, after));
    outputs_free(&before);
    outputs_free(&after);
    fixture_close(&f);
}

typedef struct canceller {
    tfm_session *session;
    atomic_bool running, stop;
} canceller;

static void *cancel_often(void *arg) {
    canceller *c = arg;
    while (!atomic_load(&c->stop))
        if (atomic_load(&c->running)) tfm_session_cancel(c->session);
    return NULL;
}

Test(generate, another_thread_can_stop) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 4);
    p.max_length = 300;
    canceller c = {.session = f.session};
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, cancel_often, &c) == 0);
    atomic_store(&c.running, true);
    tfm_status status = TFM_OK;
    for (int i = 0; i < 1000 && status == TFM_OK; i++)
        status = tfm_generate(f.session, in.items, N_INPUTS, &p, NULL, NULL);
    cr_assert(status == TFM_ERROR_CANCELLED);
    atomic_store(&c.running, false);
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
    tfm_session_clear_cancel(f.session); /* those that came after the call */
    p.max_length = 10;
    REQUIRE_OK(tfm_generate(f.session, in.items, N_INPUTS, &p, NULL, error));
    fixture_close(&f);
}

/* ---- what a hypothesis holds ---- */

Test(generate, log_probabilities_sum_up) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    for (uint32_t num_beams = 1; num_beams <= 4; num_beams += 3) {
        tfm_generate_params p = params_of(&f, num_beams);
        p.num_return_sequences = num_beams;
        p.keep_log_probs = true;
        p.length_penalty = 0.7;
        outputs *all;
        REQUIRE_OK(outputs_generate(f.session, in.items, 12, &p, &all, error));
        for (size_t i = 0; i < 12; i++) {
            for (size_t j = 0; j < num_beams; j++) {
                const output *o = outputs_at(all, i, j);
                double sum = 0;
                for (size_t t = 0; t < o->n; t++) sum += (double)o->log_probs[t];
                cr_assert(fabs(sum - o->sum_log_prob) < 1e-9 * (double)o->n);
                cr_assert(fabs(o->score - sum / pow((double)o->n, 0.7)) < 1e-9 * (double)o->n);
                if (j > 0) cr_assert(o->score <= outputs_at(all, i, j - 1)->score, "best first");
                float scores[32], *out = scores;
                tfm_tokens input = {in.items[i].ids, in.items[i].n}, target = {o->ids, o->n};
                REQUIRE_OK(tfm_score(f.session, &input, &target, 1, &out, NULL, error));
                for (size_t t = 0; t < o->n; t++) cr_assert(fabsf(scores[t] - o->log_probs[t]) < 1e-5f);
            }
        }
        outputs_free(&all);
    }
    fixture_close(&f);
}

/* Cross-attention of the newest token, mean over heads and then over layers, in this order. */
static int add_mean(void *user, const tfm_attention_event *event) {
    float *mean = user;
    const float n_layers = 2;
    for (size_t k = 0; k < event->n_keys; k++) {
        float sum = 0;
        for (size_t h = 0; h < event->n_heads; h++)
            sum += event->weights[((h + 1) * event->n_queries - 1) * event->n_keys + k];
        mean[k] = (event->layer == 0 ? 0 : mean[k]) + sum / (float)event->n_heads;
        if (event->layer == 1) mean[k] /= n_layers;
    }
    return 0;
}

Test(generate, attention_rows_sum_to_one) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    int32_t prefix[] = {9, 10};
    for (size_t i = 0; i < 10; i++) in.items[i].prefix = prefix, in.items[i].n_prefix = i % 3;
    for (uint32_t num_beams = 1; num_beams <= 3; num_beams += 2) {
        tfm_generate_params p = params_of(&f, num_beams);
        p.keep_attention = true;
        p.num_return_sequences = num_beams;
        outputs *all;
        REQUIRE_OK(outputs_generate(f.session, in.items, 10, &p, &all, error));
        for (size_t i = 0; i < 10; i++) {
            for (size_t j = 0; j < num_beams; j++) {
                const output *o = outputs_at(all, i, j);
                size_t n_source = in.items[i].n;
                /* The row of a token is the attention of the step that chose it: what feeding its past gives. */
                int32_t source = fixture_source(&f, in.items[i].ids, n_source), sequence = fixture_sequence(&f, source);
                float expected[12];
                tfm_attention_tap tap = tfm_attention_tap_default();
                tap.kinds = TFM_ATTENTION_CROSS;
                tap.on_attention = add_mean;
                tap.user = expected;
                REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
                for (size_t t = 0; t < o->n; t++) {
                    int32_t fed = t == 0 ? TINY_START : o->ids[t - 1];
                    fixture_feed(&f, sequence, &fed, 1, NULL);
                    double sum = 0;
                    for (size_t s = 0; s < n_source; s++) sum += (double)o->attention[t * n_source + s];
                    if (t < in.items[i].n_prefix) {
                        cr_assert(sum == 0, "given tokens have no attention");
                        continue;
                    }
                    cr_assert(fabs(sum - 1) < 1e-5, "input %zu, token %zu: %g", i, t, sum);
                    cr_assert(!memcmp(expected, o->attention + t * n_source, n_source * sizeof *expected),
                              "input %zu, hypothesis %zu, token %zu", i, j, t);
                }
                REQUIRE_OK(tfm_session_tap_attention(f.session, NULL, error));
                tfm_sequence_free(f.session, sequence);
                tfm_source_free(f.session, source);
            }
        }
        outputs_free(&all);
    }
    fixture_close(&f);
}

/* The sum over what is wanted, and how many heads that was. */
typedef struct head_sum {
    int32_t layer, head; /* head -1: all */
    float sum[12];
    size_t n;
} head_sum;

static int add_heads(void *user, const tfm_attention_event *event) {
    head_sum *want = user;
    for (uint32_t h = 0; h < event->n_heads; h++) {
        if ((int32_t)event->layer != want->layer || (want->head >= 0 && (int32_t)h != want->head)) continue;
        for (size_t k = 0; k < event->n_keys; k++)
            want->sum[k] += event->weights[((h + 1) * event->n_queries - 1) * event->n_keys + k];
        want->n++;
    }
    return 0;
}

/* Inputs of one batch choose layers and heads of their own; each gets the bits of a tap. */
Test(generate, attention_of_chosen_heads) {
    static const struct {
        tfm_attention_head list[2];
        size_t n;
        int32_t layer, head;
    } cases[] = {{{{0, 0}}, 1, 0, 0},
                 {{{-1, 1}}, 1, 1, 1},
                 {{{1, 1}, {-1, 1}}, 2, 1, 1}, /* twice the same counts once */
                 {{{1, -1}}, 1, 1, -1},
                 {{{-2, -1}, {0, 1}}, 2, 0, -1}};
    enum { N = sizeof cases / sizeof *cases };
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1), own[N];
    for (size_t i = 0; i < N; i++) {
        own[i] = p;
        own[i].keep_attention = true;
        own[i].attention_heads = cases[i].list;
        own[i].n_attention_heads = cases[i].n;
        in.items[i].params = &own[i];
    }
    outputs *all;
    REQUIRE_OK(outputs_generate(f.session, in.items, N, &p, &all, error));
    for (size_t i = 0; i < N; i++) {
        const output *o = outputs_at(all, i, 0);
        size_t n_source = in.items[i].n;
        int32_t source = fixture_source(&f, in.items[i].ids, n_source), sequence = fixture_sequence(&f, source);
        head_sum want = {.layer = cases[i].layer, .head = cases[i].head};
        tfm_attention_tap tap = tfm_attention_tap_default();
        tap.kinds = TFM_ATTENTION_CROSS;
        tap.on_attention = add_heads;
        tap.user = &want;
        REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
        for (size_t t = 0; t < o->n; t++) {
            int32_t fed = t == 0 ? TINY_START : o->ids[t - 1];
            memset(want.sum, 0, sizeof want.sum);
            want.n = 0;
            fixture_feed(&f, sequence, &fed, 1, NULL);
            for (size_t s = 0; s < n_source; s++)
                cr_assert(want.sum[s] / (float)want.n == o->attention[t * n_source + s], "case %zu, token %zu", i, t);
        }
        REQUIRE_OK(tfm_session_tap_attention(f.session, NULL, error));
        tfm_sequence_free(f.session, sequence);
        tfm_source_free(f.session, source);
    }
    outputs_free(&all);
    fixture_close(&f);
}

Test(generate, heads_that_are_not_there) {
    static const struct {
        tfm_attention_head head;
        const char *message;
    } cases[] = {{{2, 0}, "there is no layer 2; the decoder has layers 0 to 1 (-1: the last)"},
                 {{-3, 0}, "there is no layer -3"},
                 {{0, 99}, "there is no head 99; each layer has heads 0 to"},
                 {{0, -2}, "there is no head -2"},
                 {{INT32_MIN, INT32_MIN}, "there is no layer"}};
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1);
    p.keep_attention = true;
    p.n_attention_heads = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_error error = {0};
        p.attention_heads = &cases[i].head;
        cr_expect_eq(tfm_generate(f.session, in.items, 1, &p, NULL, &error), TFM_ERROR_ARGUMENT);
        cr_expect(strstr(error.message, cases[i].message), "%s", error.message);
    }
    tfm_error error = {0};
    p.attention_heads = NULL;
    cr_expect_eq(tfm_generate(f.session, in.items, 1, &p, NULL, &error), TFM_ERROR_ARGUMENT);
    p.attention_heads = &cases[0].head;
    p.n_attention_heads = 1000;
    cr_expect_eq(tfm_generate(f.session, in.items, 1, &p, NULL, &error), TFM_ERROR_ARGUMENT);
    cr_expect(strstr(error.message, "there are 1000"), "%s", error.message);
    fixture_close(&f);
}

/* Outputs begin with the prefix; the prefix a search chose itself changes nothing more. */
Test(generate, prefixes_are_forced) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1);
    outputs *free_run, *forced;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &free_run, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        const output *o = outputs_at(free_run, i, 0);
        in.items[i].prefix = o->ids;
        in.items[i].n_prefix = o->n / 2;
    }
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &forced, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        const output *a = outputs_at(free_run, i, 0), *b = outputs_at(forced, i, 0);
        cr_assert(a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids) && a->ended == b->ended, "input %zu",
                  i);
        if (in.items[i].n_prefix) cr_assert(b->sum_log_prob > a->sum_log_prob, "the prefix is not scored");
    }
    outputs_free(&forced);
    static const int32_t odd[] = {30, 31, 32};
    for (size_t i = 0; i < N_INPUTS; i++) in.items[i].prefix = odd, in.items[i].n_prefix = 3;
    p.num_beams = 3;
    p.max_new_tokens = 4; /* after the prefix */
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &forced, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        const output *o = outputs_at(forced, i, 0);
        cr_assert(o->n > 3 && o->n <= 7 && !memcmp(o->ids, odd, sizeof odd), "input %zu", i);
    }
    outputs_free(&forced);
    outputs_free(&free_run);
    fixture_close(&f);
}

/* The best of k hypotheses do not depend on how many are asked for. */
Test(generate, num_return_sequences) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 5);
    outputs *all, *some;
    p.num_return_sequences = 5;
    REQUIRE_OK(outputs_generate(f.session, in.items, 8, &p, &all, error));
    for (p.num_return_sequences = 1; p.num_return_sequences < 5; p.num_return_sequences++) {
        REQUIRE_OK(outputs_generate(f.session, in.items, 8, &p, &some, error));
        for (size_t i = 0; i < 8; i++) {
            cr_assert(some->counts[i] == p.num_return_sequences && all->counts[i] == 5);
            for (size_t j = 0; j < p.num_return_sequences; j++) {
                const output *a = outputs_at(all, i, j), *b = outputs_at(some, i, j);
                cr_assert(a->n == b->n && a->score == b->score && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids));
            }
        }
        outputs_free(&some);
    }
    outputs_free(&all);
    fixture_close(&f);
}

/* A decoder alone continues its input; greedy search is the argmax of the logits, step by step. */
Test(generate, decoder_only_is_greedy) {
    inputs in;
    make_inputs(&in);
    tiny_config c = tiny_config_default();
    c.kind = "decoder";
    fixture f;
    fixture_open(&f, &c, NULL);
    tfm_generate_params p = params_of(&f, 1);
    outputs *all;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &all, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        const output *o = outputs_at(all, i, 0);
        int32_t sequence = fixture_sequence(&f, -1);
        float logits[12 * 37];
        fixture_feed(&f, sequence, in.items[i].ids, in.items[i].n, logits);
        const float *row = logits + (in.items[i].n - 1) * f.vocab;
        cr_assert(o->n >= 1 && o->n + in.items[i].n <= 24);
        for (size_t t = 0; t < o->n; t++) {
            int32_t best = 0;
            for (int32_t v = 1; v < 37; v++)
                if (row[v] > row[best]) best = v;
            cr_assert(o->ids[t] == best, "input %zu, token %zu", i, t);
            fixture_feed(&f, sequence, &best, 1, logits);
            row = logits;
        }
        tfm_sequence_free(f.session, sequence);
    }
    outputs_free(&all);
    fixture_close(&f);
}

/* ---- bad arguments ---- */

Test(generate, arguments_are_checked) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    static const int32_t bad[] = {37};
    tfm_input input = in.items[3];
    tfm_generate_params p, good = params_of(&f, 1);
#define REFUSED(status, change, ...)                                                                                   \
    do {                                                                                                               \
        p = good;                                                                                                      \
        input = in.items[3];                                                                                           \
        change;                                                                                                        \
        REQUIRE_ERROR(status, tfm_generate(f.session, &input, 1, &p, NULL, error), __VA_ARGS__);                       \
    } while (0)
    REFUSED(TFM_ERROR_ARGUMENT, p.num_beams = 0, "num_beams");
    REFUSED(TFM_ERROR_ARGUMENT, p.num_beams = 129, "num_beams", "128");
    REFUSED(TFM_ERROR_ARGUMENT, p.num_return_sequences = 0, "num_return_sequences");
    REFUSED(TFM_ERROR_ARGUMENT, p.num_return_sequences = 2, "num_return_sequences");
    REFUSED(TFM_ERROR_ARGUMENT, p.repetition_penalty = 0, "repetition_penalty");
    REFUSED(TFM_ERROR_ARGUMENT, p.repetition_penalty = (double)NAN, "repetition_penalty");
    REFUSED(TFM_ERROR_ARGUMENT, p.length_penalty = (double)NAN, "length_penalty");
    REFUSED(TFM_ERROR_ARGUMENT, p.decoder_start_token_id = -1, "decoder_start_token_id");
    REFUSED(TFM_ERROR_ARGUMENT, p.decoder_start_token_id = 37, "decoder_start_token_id");
    REFUSED(TFM_ERROR_ARGUMENT, p.forced_bos_token_id = 37, "forced_bos_token_id 37", "36");
    REFUSED(TFM_ERROR_ARGUMENT, p.forced_eos_token_id = INT32_MAX, "forced_eos_token_id 2147483647");
    REFUSED(TFM_ERROR_ARGUMENT, p.min_length = 25, "min_length 25", "24");
    REFUSED(TFM_ERROR_ARGUMENT, p.min_new_tokens = 25, "min_new_tokens 25", "24");
    REFUSED(TFM_ERROR_ARGUMENT, (p.max_new_tokens = 4, p.min_new_tokens = 5), "min_new_tokens 5", "4");
    REFUSED(TFM_ERROR_ARGUMENT, p.min_new_tokens = 24, "input 0", "min_new_tokens 24", "23");
    REFUSED(TFM_ERROR_ARGUMENT, (p.max_new_tokens = 4, p.min_length = 6), "input 0", "min_length 6", "5");
    REFUSED(TFM_ERROR_ARGUMENT, p.prefix_bias_beta = 1, "prefix_bias_beta is 1");
    REFUSED(TFM_ERROR_ARGUMENT, p.prefix_bias_beta = -0.5, "prefix_bias_beta is -0.5");
    REFUSED(TFM_ERROR_ARGUMENT, (p.prefix_bias_beta = 0.5, p.do_sample = true), "prefix_bias_beta", "do_sample");
    REFUSED(TFM_ERROR_ARGUMENT, (p.prefix_bias_beta = 0.5, p.return_alternatives = true), "return_alternatives");
    REFUSED(TFM_ERROR_ARGUMENT, p.patience = 0, "patience is 0");
    REFUSED(TFM_ERROR_ARGUMENT, p.patience = (double)NAN, "patience");
    REFUSED(TFM_ERROR_ARGUMENT, p.patience = 1001, "patience is 1001", "1000");
    REFUSED(TFM_ERROR_ARGUMENT, (p.num_beams = 4, p.num_return_sequences = 3, p.patience = 0.5), "3", "0.5", "2 hyp");
    REFUSED(TFM_ERROR_ARGUMENT, p.min_alternative_expansion_prob = 1.5, "min_alternative_expansion_prob is 1.5");
    REFUSED(TFM_ERROR_ARGUMENT, (p.return_alternatives = true, p.num_beams = 2), "return_alternatives", "num_beams 2");
    REFUSED(TFM_ERROR_ARGUMENT, (p.return_alternatives = true, p.num_return_sequences = 38), "38 alternatives", "37");
    REFUSED(TFM_ERROR_ARGUMENT, p.early_stopping = (tfm_early_stopping)3, "early_stopping is 3");
    REFUSED(TFM_ERROR_ARGUMENT, (input.ids = bad, input.n = 1), "input 0", "37");
    REFUSED(TFM_ERROR_ARGUMENT, (input.prefix = bad, input.n_prefix = 1), "prefix", "37");
    REFUSED(TFM_ERROR_LIMIT, input.n = 0, "input 0", "0 tokens");
    REFUSED(TFM_ERROR_LIMIT, input.n = 321, "321", "320");
    REFUSED(TFM_ERROR_LIMIT, p.max_length = 1, "max_length");
    REFUSED(TFM_ERROR_LIMIT, p.max_length = 322, "322", "321");
    REFUSED(TFM_ERROR_LIMIT, p.max_new_tokens = 321, "322");
#undef REFUSED
    p = good;
    p.decoder_start_token_id = -1; /* then it is the begin token */
    p.bos_token_id = TINY_START;
    REQUIRE_OK(tfm_generate(f.session, &in.items[3], 1, &p, NULL, error));
    p = good;
    p.max_length = 321; /* the last token is chosen, not fed */
    REQUIRE_OK(tfm_generate(f.session, &in.items[3], 1, &p, NULL, error));
    fixture_close(&f);
}

/* ---- what CTranslate2 has ---- */

/* log of the probabilities that logits stand for, drawn to a token (-1: none), in double precision. */
static void drawn_log_probs(const float *logits, size_t n, double beta, int32_t token, double *out) {
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) largest = (double)logits[i] > largest ? (double)logits[i] : largest;
    for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - largest);
    for (size_t i = 0; i < n; i++) {
        double p = exp((double)logits[i] - largest) / sum;
        out[i] = log(token < 0 ? p : (1 - beta) * p + ((int32_t)i == token ? beta : 0));
    }
}

/* Greedy outputs, from the logits of the decoder step by step: each token the most probable one, scores in double. */
Test(generate, outputs_are_drawn_to_a_prefix) {
    static const int32_t prefix[] = {5, 9, 5, 20};
    static const double betas[] = {0.05, 0.4, 0.97};
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    size_t n_on = 0, n_off = 0;
    for (size_t i = 0; i < 12; i++) {
        tfm_generate_params p = params_of(&f, 1);
        p.prefix_bias_beta = betas[i % 3];
        tfm_input input = in.items[i];
        input.prefix = prefix;
        input.n_prefix = 4;
        outputs *all;
        REQUIRE_OK(outputs_generate(f.session, &input, 1, &p, &all, error));
        const output *o = outputs_at(all, 0, 0);
        int32_t sequence = fixture_sequence(&f, fixture_source(&f, input.ids, input.n)), last = TINY_START;
        double sum = 0;
        bool on_prefix = true;
        for (size_t t = 0; t < o->n; t++) {
            float logits[64];
            double log_probs[64];
            fixture_feed(&f, sequence, &last, 1, logits);
            bool drawn = on_prefix && t < 4;
            drawn_log_probs(logits, f.vocab, p.prefix_bias_beta, drawn ? prefix[t] : -1, log_probs);
            last = o->ids[t];
            for (size_t v = 0; v < f.vocab; v++) cr_assert(log_probs[v] <= log_probs[last] + 1e-5);
            sum += log_probs[last];
            on_prefix = drawn && last == prefix[t];
            if (drawn) on_prefix ? n_on++ : n_off++;
        }
        cr_assert_float_eq(o->sum_log_prob, sum, 1e-4, "input %zu", i);
        outputs_free(&all);
        tfm_sequence_free(f.session, sequence);
    }
    cr_assert(n_on > 12 && n_off > 3, "%zu tokens of the prefix, left %zu times", n_on, n_off);
    fixture_close(&f);
}

/* Alternatives, patience and drawn prefixes share batches, and none changes another by a bit. */
Test(generate, options_of_ctranslate2_share_batches) {
    static const int32_t prefix[] = {5, 9, 5, 20};
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p[N_INPUTS];
    for (size_t i = 0; i < N_INPUTS; i++) {
        p[i] = params_of(&f, i % 4 < 2 ? 1 : 3);
        if (i % 4 == 0) p[i].return_alternatives = true;
        if (i % 4 == 0) p[i].num_return_sequences = 3;
        if (i % 4 == 0) p[i].min_alternative_expansion_prob = i % 8 ? 0.1 : 0;
        if (i % 4 == 1 || i % 4 == 3) p[i].prefix_bias_beta = 0.3;
        if (i % 4 >= 2) p[i].patience = i % 8 < 4 ? 2 : 0.5;
        in.items[i].params = &p[i];
        in.items[i].prefix = prefix;
        in.items[i].n_prefix = i % 5;
    }
    outputs *singly, *together;
    REQUIRE_OK(outputs_generate_singly(f.session, in.items, N_INPUTS, NULL, &singly, error));
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, NULL, &together, error));
    cr_assert(outputs_same(singly, together), "3 threads, all at once");
    for (size_t i = 0; i < N_INPUTS; i += 8) {
        cr_assert_eq(together->counts[i], 3);
        for (size_t k = 0; k < 3; k++)
            cr_assert(outputs_at(together, i, k)->ids[i % 5] != end_token[0] &&
                      !memcmp(outputs_at(together, i, k)->ids, prefix, i % 5 * sizeof *prefix));
    }
    outputs_free(&together);
    tfm_session_params few = {
        .size = sizeof few, .max_sources = 2, .max_sequences = 5, .max_batch_tokens = 13, .max_source = 12};
    tfm_session *session;
    REQUIRE_OK(tfm_session_create(&session, f.model, &few, error));
    REQUIRE_OK(outputs_generate(session, in.items, N_INPUTS, NULL, &together, error));
    cr_assert(outputs_same(singly, together), "one thread, few places");
    outputs_free(&together);
    outputs_free(&singly);
    tfm_session_free(&session);
    fixture_close(&f);
}

/* ---- end tokens that are none ---- */

static bool same_outputs(fixture *f, const inputs *in, const tfm_generate_params *a, const tfm_generate_params *b) {
    outputs *of_a, *of_b;
    REQUIRE_OK(outputs_generate(f->session, in->items, N_INPUTS, a, &of_a, error));
    REQUIRE_OK(outputs_generate(f->session, in->items, N_INPUTS, b, &of_b, error));
    bool same = outputs_same(of_a, of_b);
    outputs_free(&of_a);
    outputs_free(&of_b);
    return same;
}

/* An end token outside the vocabulary never comes; beside others it changes nothing, wherever it stands. */
Test(generate, end_tokens_outside_the_vocabulary_never_come) {
    static const int32_t outside[] = {50256, -1, INT32_MIN, INT32_MAX, 37}, mixed[] = {50256, 13, -1};
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    for (uint32_t num_beams = 1; num_beams <= 3; num_beams += 2) {
        tfm_generate_params none = params_of(&f, num_beams), p = none, ends = none;
        none.n_eos_token_ids = 0;
        p.eos_token_ids = outside;
        p.n_eos_token_ids = 5;
        none.min_length = p.min_length = ends.min_length = 4;
        cr_assert(same_outputs(&f, &in, &none, &p), "%u beams", num_beams);
        p.eos_token_ids = mixed;
        p.n_eos_token_ids = 3;
        cr_assert(same_outputs(&f, &in, &ends, &p), "%u beams", num_beams);
        cr_assert(!same_outputs(&f, &in, &none, &p), "%u beams: no output ends", num_beams);
    }
    fixture_close(&f);
}

/* A minimum that the model file itself has is no mistake of the request: its outputs end at their longest. */
static void add_minimum(tfm_table_builder *table) { tfm_table_set_u64(table, "min_length", 12); }

Test(generate, a_models_own_minimum_length_gives_way) {
    inputs in;
    make_inputs(&in);
    tiny_config c = tiny_config_default();
    c.generation = add_minimum;
    fixture f;
    fixture_open(&f, &c, NULL);
    tfm_generate_params p = params_of(&f, 1);
    p.max_length = 8;
    outputs *all;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &all, error));
    for (size_t i = 0; i < N_INPUTS; i++) cr_assert(outputs_at(all, i, 0)->n == 7 && !outputs_at(all, i, 0)->ended);
    outputs_free(&all);
    p.min_length = 13;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, in.items, 1, &p, NULL, error), "min_length 13", "8");
    fixture_close(&f);
}

/* ---- memory ---- */

Test(generate, nothing_is_allocated_per_token) {
    inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f, 1);
    p.eos_token_ids = NULL; /* all outputs are as long as allowed */
    p.n_eos_token_ids = 0;
    stream s = {0};
    tfm_generate_callbacks callbacks = {
        .size = sizeof callbacks, .on_token = on_token, .on_result = on_result, .user = &s};
    REQUIRE_OK(tfm_generate(f.session, in.items, 8, &p, &callbacks, error));
    cr_assert(s.n_tokens == 8 * 23 && s.allocations == 0, "%ld allocations in %zu tokens", s.allocations, s.n_tokens);
    /* Beams call back at the end only: a run of 20 tokens must not allocate more often than one of 3. */
    long counts[2];
    p.num_beams = 4;
    p.repetition_penalty = 1.2;
    p.no_repeat_ngram_size = 3;
    for (int i = 0; i < 2; i++) {
        p.max_length = i ? 21 : 4;
        long before = allocations_made();
        REQUIRE_OK(tfm_generate(f.session, in.items, 8, &p, NULL, error));
        counts[i] = allocations_made() - before;
    }
    cr_assert(counts[0] == counts[1] && counts[0] > 0, "%ld and %ld allocations", counts[0], counts[1]);
    /* Drawing neither, with everything that can be kept. */
    p.num_beams = 1;
    p.do_sample = true;
    p.temperature = 1.5;
    p.top_p = 0.9;
    p.typical_p = 0.9;
    p.min_p = 0.01;
    p.num_return_sequences = 5;
    p.frequency_penalty = 0.3;
    p.n_top_log_probs = 8;
    p.keep_log_probs = true;
    for (int i = 0; i < 2; i++) {
        p.max_length = i ? 21 : 4;
        long before = allocations_made();
        REQUIRE_OK(tfm_generate(f.session, in.items, 8, &p, NULL, error));
        counts[i] = allocations_made() - before;
    }
    cr_assert(counts[0] == counts[1] && counts[0] > 0, "%ld and %ld allocations", counts[0], counts[1]);
    int32_t source = fixture_source(&f, in.ids[0], 5), sequence = fixture_sequence(&f, source);
    long before = allocations_made();
    for (int i = 0; i < 50; i++) fixture_feed(&f, sequence, in.ids[1], 3, NULL);
    cr_assert(allocations_made() == before, "tfm_decode allocates");
    fixture_close(&f);
}

typedef struct request {
    tfm_session *session;
    const tfm_input *inputs;
    const tfm_generate_params *params;
} request;

static tfm_status generate_again(void *arg, tfm_error *error) {
    const request *r = arg;
    return tfm_generate(r->session, r->inputs, 5, r->params, NULL, error);
}

/* After every failure no place is lost, and the next call gives what it always gives. */
Test(generate, allocations_may_fail) {
    inputs in;
    make_inputs(&in);
    for (int kind = 0; kind < 3; kind++) {
        tiny_config c = tiny_config_default();
        if (kind == 2) c.kind = "decoder";
        fixture f;
        fixture_open(&f, &c, NULL);
        tfm_generate_params p = params_of(&f, kind == 0 ? 3 : 1);
        p.num_return_sequences = kind == 2 ? 1 : 3;
        p.do_sample = kind > 0;
        p.n_top_log_probs = 3;
        p.keep_attention = kind < 2;
        int32_t sequences[5] = {-1, -1, -1, -1, -1};
        outputs *before, *after;
        REQUIRE_OK(outputs_generate(f.session, in.items, 5, &p, &before, error));
        for (size_t i = 0; i < 5 && kind == 2; i++) in.items[i].sequence = &sequences[i];
        request r = {f.session, in.items, &p};
        cr_assert_gt(fail_each_allocation(generate_again, &r), 1);
        for (size_t i = 0; i < 5; i++) {
            in.items[i].sequence = NULL;
            if (kind == 2) tfm_sequence_free(f.session, sequences[i]);
        }
        REQUIRE_OK(outputs_generate(f.session, in.items, 5, &p, &after, error));
        cr_assert(outputs_same(before, after));
        outputs_free(&before);
        outputs_free(&after);
        if (kind == 2)
            for (size_t i = 0; i < 128; i++) sequences[i % 5] = fixture_sequence(&f, -1);
        fixture_close(&f);
    }
}
