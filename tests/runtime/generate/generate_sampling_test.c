/* generate_sampling_test.c - tfm_generate: drawn outputs, ending outputs, most probable tokens, biases, conversations.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/outputs.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

#define N_INPUTS 30
#define VOCAB 37

typedef struct inputs {
    int32_t ids[N_INPUTS][12];
    tfm_input items[N_INPUTS];
} inputs;

static void make_inputs(inputs *in) {
    for (size_t i = 0; i < N_INPUTS; i++) {
        fixture_ids(in->ids[i], 12, VOCAB, i + 7);
        in->items[i] = (tfm_input){.ids = in->ids[i], .n = 1 + i * 5 % 12};
    }
}

static const int32_t end_token[] = {13};

static tfm_generate_params params_of(const fixture *f) {
    tfm_generate_params p = tfm_generate_params_default(f->model);
    p.eos_token_ids = end_token;
    p.n_eos_token_ids = 1;
    p.do_sample = true;
    p.temperature = 0.9;
    p.top_k = 20;
    p.seed = 5;
    return p;
}

static void open_decoder(fixture *f, const tfm_session_params *params) {
    tiny_config c = tiny_config_default();
    c.kind = "decoder";
    fixture_open(f, &c, params);
}

static bool same_ids(const output *a, const output *b) {
    return a->n == b->n && !memcmp(a->ids, b->ids, a->n * sizeof *a->ids);
}

/* ---- drawn outputs ---- */

/* Alone, in any batch, in a session of few places, in small pieces: the same outputs. */
Test(sampled, places_and_batches_change_nothing) {
    static inputs in;
    make_inputs(&in);
    for (int decoder = 0; decoder < 2; decoder++) {
        fixture f;
        if (decoder)
            open_decoder(&f, NULL);
        else
            fixture_open(&f, NULL, NULL);
        tfm_generate_params p = params_of(&f);
        p.num_return_sequences = 3;
        p.max_length = 24;
        p.frequency_penalty = 0.1;
        outputs *singly, *together;
        REQUIRE_OK(outputs_generate_singly(f.session, in.items, N_INPUTS, &p, &singly, error));
        REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &together, error));
        cr_assert(outputs_same(singly, together), "all at once");
        outputs_free(&together);
        for (uint32_t places = 3; places < 17; places += 5) {
            tfm_session_params few = {.size = sizeof few,
                                      .pool = places == 8 ? NULL : f.pool,
                                      .max_sources = 1 + places / 3,
                                      .max_sequences = places,
                                      .max_batch_tokens = 5,
                                      .max_source = decoder ? 0 : 12,
                                      .max_target = 24};
            tfm_session *session;
            REQUIRE_OK(tfm_session_create(&session, f.model, &few, error));
            REQUIRE_OK(outputs_generate(session, in.items, N_INPUTS, &p, &together, error));
            cr_assert(outputs_same(singly, together), "%u places", places);
            outputs_free(&together);
            tfm_session_free(&session);
        }
        outputs_free(&singly);
        fixture_close(&f);
    }
}

/* Output k is drawn by its number, whatever others there are; seeds, numbers and places differ from each other. */
Test(sampled, outputs_depend_on_seed_and_number_alone) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    open_decoder(&f, NULL);
    tfm_generate_params p = params_of(&f);
    outputs *all, *some;
    p.num_return_sequences = 6;
    REQUIRE_OK(outputs_generate(f.session, in.items, 8, &p, &all, error));
    size_t n_equal = 0, n_repeats = 0;
    for (size_t i = 0; i < 8; i++) {
        cr_assert(all->counts[i] == 6);
        for (size_t j = 1; j < 6; j++) n_equal += same_ids(outputs_at(all, i, j), outputs_at(all, i, 0));
    }
    cr_assert(n_equal < 8, "%zu of 40 outputs are the first again", n_equal);
    for (p.num_return_sequences = 1; p.num_return_sequences < 6; p.num_return_sequences += 2) {
        REQUIRE_OK(outputs_generate(f.session, in.items, 8, &p, &some, error));
        for (size_t i = 0; i < 8; i++)
            for (size_t j = 0; j < p.num_return_sequences; j++) {
                const output *a = outputs_at(all, i, j), *b = outputs_at(some, i, j);
                cr_assert(same_ids(a, b) && a->score == b->score && a->ended == b->ended);
            }
        outputs_free(&some);
    }
    p.num_return_sequences = 1;
    p.seed++;
    REQUIRE_OK(outputs_generate(f.session, in.items, 8, &p, &some, error));
    for (size_t i = 0; i < 8; i++) n_repeats += same_ids(outputs_at(all, i, 0), outputs_at(some, i, 0));
    cr_assert(n_repeats < 3, "%zu of 8 outputs are those of another seed", n_repeats);
    outputs_free(&some);
    outputs_free(&all);
    fixture_close(&f);
}

/* The first tokens of many outputs, against the softmax of the logits. */
Test(sampled, frequencies_are_those_of_the_model) {
    enum { N_DRAWS = 128 * 40 };
    fixture f;
    open_decoder(&f, NULL);
    int32_t prompt[] = {3, 9, 30}, sequence = fixture_sequence(&f, -1);
    float logits[3 * VOCAB];
    fixture_feed(&f, sequence, prompt, 3, logits);
    tfm_generate_params p = params_of(&f);
    p.top_k = 0;
    p.temperature = 1.3;
    p.num_return_sequences = 127;
    p.max_new_tokens = 1;
    tfm_input input = {.ids = prompt, .n = 3};
    size_t counts[VOCAB] = {0}, n_draws = 0;
    for (p.seed = 0; n_draws < N_DRAWS; p.seed++) {
        outputs *all;
        REQUIRE_OK(outputs_generate(f.session, &input, 1, &p, &all, error));
        for (size_t j = 0; j < 127; j++, n_draws++) {
            cr_assert(outputs_at(all, 0, j)->n == 1);
            counts[outputs_at(all, 0, j)->ids[0]]++;
        }
        outputs_free(&all);
    }
    double sum = 0, chi_square = 0, rare_expected = 0, rare = 0;
    for (size_t v = 0; v < VOCAB; v++) sum += exp((double)logits[2 * VOCAB + v] / 1.3);
    size_t bins = 0;
    for (size_t v = 0; v < VOCAB; v++) {
        double expected = (double)n_draws * exp((double)logits[2 * VOCAB + v] / 1.3) / sum, count = (double)counts[v];
        if (expected < 8) {
            rare_expected += expected;
            rare += count;
            continue;
        }
        chi_square += (count - expected) * (count - expected) / expected;
        bins++;
    }
    if (rare_expected > 0) chi_square += (rare - rare_expected) * (rare - rare_expected) / fmax(rare_expected, 1);
    cr_assert(bins > 5 && chi_square < 68, "%g over %zu tokens; one in a thousand is above 68 with all 37", chi_square,
              bins);
    fixture_close(&f);
}

/* Log-probabilities are those of the model, whatever the temperature and the filters are. */
Test(sampled, log_probabilities_are_those_before_filters) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f);
    p.num_return_sequences = 2;
    p.keep_log_probs = true;
    p.temperature = 2;
    p.top_p = 0.8;
    p.max_length = 16;
    outputs *all;
    REQUIRE_OK(outputs_generate(f.session, in.items, 10, &p, &all, error));
    for (size_t i = 0; i < 10; i++)
        for (size_t j = 0; j < 2; j++) {
            const output *o = outputs_at(all, i, j);
            float scores[32], *out = scores;
            double sum = 0;
            tfm_tokens input = {in.items[i].ids, in.items[i].n}, target = {o->ids, o->n};
            REQUIRE_OK(tfm_score(f.session, &input, &target, 1, &out, NULL, error));
            for (size_t t = 0; t < o->n; t++) {
                cr_assert(fabsf(scores[t] - o->log_probs[t]) < 1e-5f);
                sum += (double)o->log_probs[t];
            }
            cr_assert(fabs(sum - o->sum_log_prob) < 1e-6 && fabs(o->score - sum / (double)o->n) < 1e-6);
        }
    outputs_free(&all);
    fixture_close(&f);
}

/* Given its own beginning as a prefix, an output ends as it did. */
Test(sampled, prefixes_are_part_of_the_output) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p = params_of(&f);
    outputs *free_run, *forced;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &free_run, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        in.items[i].prefix = outputs_at(free_run, i, 0)->ids;
        in.items[i].n_prefix = outputs_at(free_run, i, 0)->n / 2;
    }
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &forced, error));
    for (size_t i = 0; i < N_INPUTS; i++)
        cr_assert(same_ids(outputs_at(free_run, i, 0), outputs_at(forced, i, 0)), "input %zu", i);
    outputs_free(&free_run);
    outputs_free(&forced);
    fixture_close(&f);
}

/* With a mass of nothing only the most probable token is left: greedy search. */
Test(sampled, a_mass_of_nothing_is_greedy) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    open_decoder(&f, NULL);
    tfm_generate_params p = params_of(&f);
    outputs *greedy, *drawn;
    p.do_sample = false;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &greedy, error));
    p.do_sample = true;
    p.top_p = 0;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &drawn, error));
    cr_assert(outputs_same(greedy, drawn));
    outputs_free(&greedy);
    outputs_free(&drawn);
    fixture_close(&f);
}

/* ---- callbacks ---- */

#define N_EACH 4

typedef struct watcher {
    int32_t ids[N_INPUTS][N_EACH][32];
    size_t n[N_INPUTS][N_EACH];
    size_t end_after; /* outputs with odd numbers end after so many tokens; 0: never */
    size_t n_results, n_ended_early;
} watcher;

static int watch_token(void *user, size_t index, uint32_t number, int32_t id) {
    watcher *w = user;
    cr_assert(index < N_INPUTS && number < N_EACH && w->n[index][number] < 32);
    size_t n = ++w->n[index][number];
    w->ids[index][number][n - 1] = id;
    return number % 2 && w->end_after && n == w->end_after ? TFM_END_OUTPUT : TFM_GO_ON;
}

static int watch_result(void *user, size_t index, const tfm_result *result) {
    watcher *w = user;
    cr_assert(result->n == N_EACH);
    for (size_t j = 0; j < result->n; j++) {
        const tfm_hypothesis *h = result->hypotheses[j];
        cr_assert(h->n == w->n[index][j] && !memcmp(h->ids, w->ids[index][j], h->n * sizeof *h->ids),
                  "input %zu, output %zu: not what was streamed", index, j);
        bool stopped = w->end_after && j % 2 && h->n == w->end_after;
        cr_assert(!w->end_after || j % 2 == 0 || h->n <= w->end_after);
        cr_assert(h->ended == (stopped || h->ids[h->n - 1] == end_token[0]));
        w->n_ended_early += stopped;
    }
    w->n_results++;
    return 0;
}

Test(sampled, a_callback_ends_single_outputs) {
    static inputs in;
    static watcher all, some;
    make_inputs(&in);
    fixture f;
    open_decoder(&f, NULL);
    tfm_generate_params p = params_of(&f);
    p.num_return_sequences = N_EACH;
    tfm_generate_callbacks callbacks = {
        .size = sizeof callbacks, .on_token = watch_token, .on_result = watch_result, .user = &all};
    REQUIRE_OK(tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error));
    cr_assert(all.n_results == N_INPUTS && all.n_ended_early == 0);
    some.end_after = 3;
    callbacks.user = &some;
    REQUIRE_OK(tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error));
    cr_assert(some.n_results == N_INPUTS && some.n_ended_early > N_INPUTS);
    for (size_t i = 0; i < N_INPUTS; i++)
        for (size_t j = 0; j < N_EACH; j++) {
            size_t n = some.n[i][j];
            cr_assert(n <= all.n[i][j] && !memcmp(some.ids[i][j], all.ids[i][j], n * sizeof(int32_t)));
            cr_assert(j % 2 || n == all.n[i][j], "the others go on");
        }
    /* All places were given back. */
    int32_t sequences[128];
    for (size_t i = 0; i < 128; i++) sequences[i] = fixture_sequence(&f, -1);
    for (size_t i = 0; i < 128; i++) tfm_sequence_free(f.session, sequences[i]);
    fixture_close(&f);
}

/* ---- most probable tokens ---- */

typedef struct tops {
    size_t n_prefix, n_top, n_tokens;
    bool beams;
} tops;

static int check_tops(void *user, size_t index, const tfm_result *result) {
    tops *t = user;
    (void)index;
    for (size_t j = 0; j < result->n; j++) {
        const tfm_hypothesis *h = result->hypotheses[j];
        for (size_t at = 0; at < h->n; at++) {
            const int32_t *ids = h->top_ids + at * t->n_top;
            const float *log_probs = h->top_log_probs + at * t->n_top;
            bool found = false;
            for (size_t i = 0; i < t->n_top; i++) {
                if (at < t->n_prefix || i >= VOCAB - 1) { /* given; or one of the 37 is banned */
                    cr_assert(ids[i] == -1 && log_probs[i] == -INFINITY);
                    continue;
                }
                cr_assert(ids[i] >= 0 && ids[i] < VOCAB && ids[i] != 7 && (i == 0 || log_probs[i] <= log_probs[i - 1]));
                found |= ids[i] == h->ids[at] && log_probs[i] == h->log_probs[at];
            }
            if (at < t->n_prefix) continue;
            t->n_tokens++;
            cr_assert(found || t->n_top < 30 || t->beams, "token %zu is not among the most probable", at);
            if (t->n_top < 30) continue;
            double sum = 0;
            for (size_t i = 0; i < t->n_top; i++) sum += exp((double)log_probs[i]);
            cr_assert(sum < 1.00001 && (t->n_top < VOCAB || t->beams || sum > 0.99999));
        }
    }
    return 0;
}

Test(sampled, most_probable_tokens_of_each_place) {
    static inputs in;
    static const int32_t prefix[] = {4, 5};
    static const tfm_logit_bias never[] = {{7, -INFINITY}};
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    for (size_t i = 0; i < N_INPUTS; i++) in.items[i].prefix = prefix, in.items[i].n_prefix = 2;
    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t n_top = 1; n_top <= 64; n_top += 21) {
            tfm_generate_params p = params_of(&f);
            p.n_top_log_probs = n_top;
            p.keep_log_probs = true;
            p.logit_bias = never;
            p.n_logit_bias = 1;
            p.do_sample = kind == 1;
            p.num_beams = kind == 2 ? 3 : 1;
            p.num_return_sequences = kind + 1;
            tops t = {.n_prefix = 2, .n_top = n_top, .beams = kind == 2};
            tfm_generate_callbacks callbacks = {.size = sizeof callbacks, .on_result = check_tops, .user = &t};
            REQUIRE_OK(tfm_generate(f.session, in.items, N_INPUTS, &p, &callbacks, error));
            cr_assert(t.n_tokens > N_INPUTS);
        }
    }
    fixture_close(&f);
}

/* ---- biases and penalties ---- */

Test(sampled, biases_forbid_and_demand) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    open_decoder(&f, NULL);
    tfm_generate_params p = params_of(&f);
    p.top_k = 0;
    p.temperature = 3;
    tfm_logit_bias never[20], always[] = {{21, 1000}};
    for (int32_t i = 0; i < 20; i++) never[i] = (tfm_logit_bias){2 * i % 37, -INFINITY};
    outputs *all;
    p.logit_bias = never;
    p.n_logit_bias = 20;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &all, error));
    for (size_t i = 0; i < N_INPUTS; i++)
        for (size_t t = 0; t < outputs_at(all, i, 0)->n; t++)
            for (size_t b = 0; b < 20; b++) cr_assert(outputs_at(all, i, 0)->ids[t] != never[b].id);
    outputs_free(&all);
    p.logit_bias = always;
    p.n_logit_bias = 1;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &all, error));
    for (size_t i = 0; i < N_INPUTS; i++)
        for (size_t t = 0; t < outputs_at(all, i, 0)->n; t++) cr_assert(outputs_at(all, i, 0)->ids[t] == 21);
    outputs_free(&all);
    fixture_close(&f);
}

/* So large a penalty lets no token come twice; those of the prompt may come. */
Test(sampled, presence_penalty_is_of_new_tokens) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    open_decoder(&f, NULL);
    tfm_generate_params p = params_of(&f);
    p.n_eos_token_ids = 0;
    p.max_new_tokens = VOCAB;
    p.top_k = 0;
    p.presence_penalty = 1000;
    outputs *all;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &all, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        bool seen[VOCAB] = {false};
        const output *o = outputs_at(all, i, 0);
        for (size_t t = 0; t < o->n; t++) {
            cr_assert(!seen[o->ids[t]], "input %zu has token %d twice", i, o->ids[t]);
            seen[o->ids[t]] = true;
        }
    }
    outputs_free(&all);
    fixture_close(&f);
}

/* ---- bad arguments ---- */

Test(sampled, arguments_are_checked) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params p, good = params_of(&f);
    tfm_logit_bias bias = {37, 1};
#define REFUSED(change, ...)                                                                                           \
    do {                                                                                                               \
        p = good;                                                                                                      \
        change;                                                                                                        \
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, in.items, 1, &p, NULL, error), __VA_ARGS__);         \
    } while (0)
    REFUSED(p.num_beams = 2, "do_sample", "num_beams");
    REFUSED(p.num_return_sequences = 0, "num_return_sequences");
    REFUSED(p.num_return_sequences = 129, "num_return_sequences", "128");
    REFUSED(p.num_return_sequences = UINT32_MAX, "num_return_sequences");
    REFUSED(p.temperature = 0, "temperature");
    REFUSED(p.temperature = -1, "temperature");
    REFUSED(p.temperature = (double)NAN, "temperature");
    REFUSED(p.temperature = (double)INFINITY, "temperature");
    REFUSED(p.top_p = -0.1, "top_p");
    REFUSED(p.top_p = 1.1, "top_p");
    REFUSED(p.top_p = (double)NAN, "top_p");
    REFUSED(p.min_p = 2, "min_p");
    REFUSED(p.min_p = (double)NAN, "min_p");
    REFUSED(p.typical_p = -1, "typical_p");
    REFUSED(p.typical_p = (double)NAN, "typical_p");
    REFUSED(p.presence_penalty = (double)NAN, "presence_penalty");
    REFUSED(p.frequency_penalty = (double)INFINITY, "frequency_penalty");
    REFUSED(p.n_top_log_probs = 65, "n_top_log_probs", "64");
    REFUSED((p.logit_bias = &bias, p.n_logit_bias = 1), "logit_bias", "37");
    bias = (tfm_logit_bias){-1, 1};
    REFUSED((p.logit_bias = &bias, p.n_logit_bias = 1), "logit_bias", "-1");
    bias = (tfm_logit_bias){3, NAN};
    REFUSED((p.logit_bias = &bias, p.n_logit_bias = 1), "logit_bias", "3");
    bias = (tfm_logit_bias){3, INFINITY};
    REFUSED((p.logit_bias = &bias, p.n_logit_bias = 1), "logit_bias", "3");
#undef REFUSED
    p = good;
    p.do_sample = false; /* what is not used is not looked at */
    p.temperature = 0;
    REQUIRE_OK(tfm_generate(f.session, in.items, 1, &p, NULL, error));
    p = good;
    p.top_k = UINT32_MAX;
    p.seed = UINT64_MAX;
    p.num_return_sequences = 128;
    REQUIRE_OK(tfm_generate(f.session, in.items, 1, &p, NULL, error));
    tfm_logit_bias nothing[VOCAB];
    for (int32_t i = 0; i < VOCAB; i++) nothing[i] = (tfm_logit_bias){i, -INFINITY};
    p.logit_bias = nothing;
    p.n_logit_bias = VOCAB;
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_generate(f.session, in.items, 1, &p, NULL, error), "no usable scores");
    fixture_close(&f);
}

/* ---- conversations ---- */

enum { TURNS = 4, NEW = 9 };

/* What the last turn gave: its tokens and the log-probabilities it chose among. */
typedef struct turn {
    int32_t ids[NEW];
    float log_probs[NEW], top[NEW][VOCAB];
    size_t n;
    size_t cancel_at; /* 0: never */
} turn;

static int keep_turn(void *user, size_t index, const tfm_result *result) {
    turn *t = user;
    const tfm_hypothesis *h = result->hypotheses[0];
    cr_assert(index == 0 && result->n == 1 && h->n <= NEW);
    t->n = h->n;
    memcpy(t->ids, h->ids, h->n * sizeof *h->ids);
    memcpy(t->log_probs, h->log_probs, h->n * sizeof *h->log_probs);
    memcpy(t->top, h->top_log_probs, h->n * sizeof t->top[0]);
    return 0;
}

static int cancel_turn(void *user, size_t index, uint32_t number, int32_t id) {
    (void)index, (void)number, (void)id;
    turn *t = user;
    return t->cancel_at > 0 && --t->cancel_at == 0 ? TFM_CANCEL : TFM_GO_ON;
}

Test(sampled, a_conversation_goes_on_as_if_it_began_anew) {
    for (tfm_kv_type type = TFM_KV_F32; type <= TFM_KV_INT8; type++) {
        fixture f;
        tfm_session_params params = tfm_session_params_default();
        params.kv_type = type;
        params.max_batch_tokens = 7;
        params.max_sequences = 3;
        open_decoder(&f, &params);
        tfm_generate_params p = params_of(&f);
        p.max_new_tokens = NEW;
        p.keep_log_probs = true;
        p.n_top_log_probs = VOCAB;
        p.repetition_penalty = 1.1; /* sees the whole prompt */
        int32_t text[200], sequence = -1;
        size_t n = 0;
        for (size_t t = 0; t < TURNS; t++) {
            size_t more = t == 1 ? 1 : 2 + 11 * t;
            fixture_ids(text + n, more, VOCAB, t + 100 * type);
            n += more;
            static turn kept, fresh;
            tfm_input input = {.ids = text, .n = n, .sequence = &sequence};
            tfm_generate_callbacks callbacks = {
                .size = sizeof callbacks, .on_token = cancel_turn, .on_result = keep_turn, .user = &kept};
            p.do_sample = t % 2;
            kept.cancel_at = t == 2 ? 4 : 0;
            if (t == 2) { /* a turn that is broken off can be tried again */
                REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_generate(f.session, &input, 1, &p, &callbacks, error), "");
                cr_assert(sequence >= 0 && tfm_sequence_length(f.session, sequence) <= n);
                tfm_sequence_truncate(f.session, sequence, n - 1);
            }
            REQUIRE_OK(tfm_generate(f.session, &input, 1, &p, &callbacks, error));
            cr_assert(sequence >= 0 && tfm_sequence_length(f.session, sequence) == n + kept.n - 1);
            input.sequence = NULL;
            callbacks.user = &fresh;
            REQUIRE_OK(tfm_generate(f.session, &input, 1, &p, &callbacks, error));
            cr_assert(kept.n == fresh.n && kept.n > 0 && !memcmp(kept.ids, fresh.ids, kept.n * sizeof *kept.ids),
                      "turn %zu: other tokens", t);
            cr_assert(!memcmp(kept.log_probs, fresh.log_probs, kept.n * sizeof *kept.log_probs));
            cr_assert(!memcmp(kept.top, fresh.top, kept.n * sizeof kept.top[0]), "turn %zu: other bits", t);
            memcpy(text + n, kept.ids, kept.n * sizeof *kept.ids);
            n += kept.n;
        }
        tfm_sequence_free(f.session, sequence);
        fixture_close(&f);
    }
}

/* Several conversations at once, more than a batch of tokens. */
Test(sampled, conversations_run_together) {
    static inputs in;
    make_inputs(&in);
    fixture f;
    open_decoder(&f, NULL);
    tfm_generate_params p = params_of(&f);
    int32_t sequences[N_INPUTS];
    outputs *fresh, *kept;
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &fresh, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        sequences[i] = i % 3 ? -1 : fixture_sequence(&f, -1);
        if (i % 3 == 0 && in.items[i].n > 1) fixture_feed(&f, sequences[i], in.ids[i], in.items[i].n - 1, NULL);
        in.items[i].sequence = &sequences[i];
    }
    REQUIRE_OK(outputs_generate(f.session, in.items, N_INPUTS, &p, &kept, error));
    cr_assert(outputs_same(fresh, kept));
    for (size_t i = 0; i < N_INPUTS; i++)
        cr_assert(tfm_sequence_length(f.session, sequences[i]) == in.items[i].n + outputs_at(kept, i, 0)->n - 1);
    outputs_free(&fresh);
    outputs_free(&kept);
    fixture_close(&f);
}

Test(sampled, conversations_are_checked) {
    fixture f;
    tfm_session_params few = tfm_session_params_default();
    few.max_sequences = 2;
    open_decoder(&f, &few);
    tfm_generate_params p = params_of(&f);
    int32_t ids[] = {1, 2, 3, 4}, sequence = fixture_sequence(&f, -1), none = -1, other = -1, wrong = 1, negative = -2,
            far = 99;
    tfm_input one = {.ids = ids, .n = 4, .sequence = &sequence}, two[] = {one, one};
    fixture_feed(&f, sequence, ids, 4, NULL);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, &one, 1, &p, NULL, error), "truncate", "4");
    tfm_sequence_truncate(f.session, sequence, 2);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, two, 2, &p, NULL, error), "input 1");
    two[1].sequence = NULL; /* beside a conversation */
    tfm_sequence_truncate(f.session, sequence, 2);
    REQUIRE_OK(tfm_generate(f.session, two, 2, &p, NULL, error));
    cr_assert(tfm_sequence_length(f.session, sequence) > 3);
    int32_t *const bad[] = {&wrong, &negative, &far};
    for (size_t i = 0; i < 3; i++) {
        one.sequence = bad[i];
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, &one, 1, &p, NULL, error), "no sequence");
    }
    two[0].sequence = &none;
    two[1].sequence = &other; /* there is room for one of them */
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_generate(f.session, two, 2, &p, NULL, error), "input 1", "free");
    cr_assert(none >= 0 && other == -1);
    tfm_sequence_free(f.session, sequence);
    tfm_sequence_free(f.session, none);
    none = -1;
    two[1].sequence = &none; /* one place for two numbers */
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, two, 2, &p, NULL, error), "input 1", "its place");
    tfm_sequence_free(f.session, none);
    none = -1;
    one.sequence = &none;
    p.num_return_sequences = 2;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, &one, 1, &p, NULL, error), "one output");
    p.num_return_sequences = 1;
    REQUIRE_OK(tfm_generate(f.session, &one, 1, &p, NULL, error));
    fixture_close(&f);
    fixture_open(&f, NULL, NULL);
    none = -1;
    p = params_of(&f);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(f.session, &one, 1, &p, NULL, error), "decoder-only");
    fixture_close(&f);
}
