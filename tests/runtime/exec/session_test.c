/* session_test.c - making sessions, and cancelling what runs on them. */
#include <pthread.h>
#include <stdatomic.h>

#include "runtime/exec/session.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

static const int32_t source_ids[] = {3, 4, 5, 6, 7};

Test(session, parameters_are_checked) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_session *session = (tfm_session *)&session;
    tfm_session_params p = tfm_session_params_default();
    cr_assert(p.max_sources == 32 && p.max_sequences == 128 && p.max_batch_tokens == 4096 && !p.pool);
    p.max_source = 321;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "321", "320");
    cr_assert_null(session);
    p.max_source = 0;
    p.max_target = 1000;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "1000");
    p.max_target = 0;
    uint32_t *const sizes[] = {&p.max_sources, &p.max_sequences, &p.max_batch_tokens};
    for (size_t i = 0; i < 3; i++) {
        uint32_t before = *sizes[i];
        *sizes[i] = 0;
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "at least 1");
        *sizes[i] = UINT32_MAX;
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_create(&session, f.model, &p, error), "4294967295");
        *sizes[i] = before;
    }
    tfm_session_free(&session);
    tfm_session_free(&session); /* NULL */
    fixture_close(&f);
}

/* ---- cancelling ---- */

/* A call of every kind that runs something. */
static tfm_status encode(fixture *f) {
    int32_t source;
    tfm_tokens input = {source_ids, 5};
    tfm_status status = tfm_encode(f->session, &input, 1, &source, NULL, NULL);
    if (status == TFM_OK) tfm_source_free(f->session, source);
    return status;
}

static tfm_status generate(fixture *f) {
    tfm_input input = {.ids = source_ids, .n = 5};
    return tfm_generate(f->session, &input, 1, NULL, NULL, NULL);
}

static tfm_status score(fixture *f) {
    float scores[5], *out = scores;
    tfm_tokens input = {source_ids, 5};
    return tfm_score(f->session, &input, &input, 1, &out, NULL, NULL);
}

static tfm_status decode(fixture *f) {
    int32_t source, sequence;
    tfm_tokens input = {source_ids, 5};
    tfm_span span = {.ids = source_ids, .n = 5};
    bool requested = atomic_exchange(&f->session->cancel_requested, false); /* only the decoder is to hear of it */
    tfm_status status = tfm_encode(f->session, &input, 1, &source, NULL, NULL);
    if (status == TFM_OK) status = tfm_sequence_new(f->session, source, &sequence, NULL);
    if (status != TFM_OK) return status;
    span.sequence = sequence;
    if (requested) tfm_session_cancel(f->session);
    status = tfm_decode(f->session, &span, 1, NULL);
    tfm_sequence_free(f->session, sequence);
    tfm_source_free(f->session, source);
    return status;
}

/* A request that comes before a call stops it, and that call alone; one that was withdrawn stops none. */
Test(session, a_request_to_cancel_waits_for_the_next_call) {
    tfm_status (*const calls[])(fixture * f) = {encode, decode, generate, score};
    for (uint32_t n_layers = 0; n_layers <= 2; n_layers++) {
        fixture f;
        tiny_config c = tiny_config_default();
        c.encoder.n_layers = c.decoder.n_layers = n_layers;
        fixture_open(&f, &c, NULL);
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
            cr_assert(calls[i](&f) == TFM_OK, "call %zu, %u layers", i, n_layers);
            tfm_session_cancel(f.session);
            tfm_session_cancel(f.session); /* twice is once */
            cr_assert(calls[i](&f) == TFM_ERROR_CANCELLED, "call %zu, %u layers", i, n_layers);
            cr_assert(calls[i](&f) == TFM_OK, "call %zu, %u layers", i, n_layers);
            tfm_session_cancel(f.session);
            tfm_session_clear_cancel(f.session);
            cr_assert(calls[i](&f) == TFM_OK, "call %zu, %u layers", i, n_layers);
        }
        fixture_close(&f);
    }
}

/* A call that runs nothing leaves the request for the next one. */
Test(session, a_call_that_runs_nothing_takes_no_request) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_session_cancel(f.session);
    static const int32_t bad = 99;
    int32_t source;
    tfm_tokens input = {&bad, 1};
    REQUIRE_OK(tfm_generate(f.session, NULL, 0, NULL, NULL, error));
    REQUIRE_OK(tfm_score(f.session, NULL, NULL, 0, NULL, NULL, error));
    REQUIRE_OK(tfm_encode(f.session, NULL, 0, NULL, NULL, error));
    REQUIRE_OK(tfm_decode(f.session, NULL, 0, error));
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_encode(f.session, &input, 1, &source, NULL, error), "99");
    cr_assert(encode(&f) == TFM_ERROR_CANCELLED);
    cr_assert(encode(&f) == TFM_OK);
    fixture_close(&f);
}

typedef struct canceller {
    tfm_session *session;
    atomic_uint n_wanted, n_asked;
} canceller;

/* Asks once each time it is told to, at whatever moment that comes. */
static void *ask(void *arg) {
    canceller *c = arg;
    for (;;) {
        unsigned wanted = atomic_load(&c->n_wanted), asked = atomic_load(&c->n_asked);
        if (wanted == UINT32_MAX) return NULL;
        if (asked == wanted) continue;
        tfm_session_cancel(c->session);
        atomic_store(&c->n_asked, asked + 1);
    }
}

/* Of requests from another thread none is lost: each ends exactly one call, this or the next. */
Test(session, no_request_to_cancel_is_lost) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    canceller c = {.session = f.session};
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, ask, &c) == 0);
    for (unsigned i = 1; i <= 300; i++) {
        unsigned n_cancelled = 0;
        atomic_store(&c.n_wanted, i);
        bool asked;
        do { /* calls until one began after the request */
            asked = atomic_load(&c.n_asked) == i;
            n_cancelled += encode(&f) == TFM_ERROR_CANCELLED;
        } while (!asked);
        cr_assert(n_cancelled == 1, "request %u ended %u calls", i, n_cancelled);
    }
    atomic_store(&c.n_wanted, UINT32_MAX);
    pthread_join(thread, NULL);
    fixture_close(&f);
}
