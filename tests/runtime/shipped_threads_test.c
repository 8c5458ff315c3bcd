/*
 * shipped_threads_test.c - sessions of one model in several threads at once, and cancellation from another thread.
 *
 * usage: threads_main MODEL TEXT     (TEXT: one input a line). Prints TAP.
 *
 * A plain program, so that it also runs under ThreadSanitizer, where the test framework does not. TFM_TEST_SENTENCES
 * lowers the number of inputs, for emulators.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/tfm.h"

enum { MAX_INPUTS = 12, N_THREADS = 4, MAX_IDS = 512 };

/* What came out for one input. */
typedef struct output {
    int32_t ids[MAX_IDS];
    size_t n;
    double score;
} output;

typedef struct shared {
    tfm_model *model;
    tfm_pool *pool;
    tfm_ids ids[MAX_INPUTS];
    tfm_input inputs[MAX_INPUTS];
    size_t n_inputs;
    output expected[2][MAX_INPUTS]; /* greedy, beam 4 */
} shared;

typedef struct run {
    const shared *shared;
    tfm_session *session;
    output outputs[MAX_INPUTS];
    char problem[600]; /* empty: none */
    tfm_status status;
} run;

static int n_tests, n_failed;

static void report(bool ok, const char *name, const char *detail) {
    n_tests++;
    n_failed += !ok;
    printf("%s %d - %s\n", ok ? "ok" : "not ok", n_tests, name);
    if (!ok) printf("# %s\n", detail);
}

static int keep_result(void *user, size_t index, const tfm_result *result) {
    output *out = &((output *)user)[index];
    if (result->n < 1 || result->hypotheses[0]->n > MAX_IDS) return 1;
    const tfm_hypothesis *h = result->hypotheses[0];
    memcpy(out->ids, h->ids, h->n * sizeof *out->ids);
    out->n = h->n;
    out->score = h->score;
    return 0;
}

static tfm_status generate(tfm_session *session, const shared *s, unsigned beams, output *outputs, tfm_error *error) {
    tfm_generate_params params = tfm_generate_params_default(s->model);
    params.num_beams = beams;
    tfm_generate_callbacks callbacks = {.size = sizeof callbacks, .on_result = keep_result, .user = outputs};
    memset(outputs, 0, MAX_INPUTS * sizeof *outputs);
    return tfm_generate(session, s->inputs, s->n_inputs, &params, &callbacks, error);
}

static bool same(const output *a, const output *b) {
    for (size_t i = 0; i < MAX_INPUTS; i++)
        if (a[i].n != b[i].n || memcmp(a[i].ids, b[i].ids, a[i].n * sizeof *a[i].ids) != 0 ||
            memcmp(&a[i].score, &b[i].score, sizeof a[i].score) != 0)
            return false;
    return true;
}

/* A thread: a session of its own on the shared model and pool. */
static void *translate(void *arg) {
    run *r = arg;
    tfm_error error = {0};
    tfm_session *session = NULL;
    tfm_session_params params = tfm_session_params_default();
    params.pool = r->shared->pool;
    r->status = tfm_session_create(&session, r->shared->model, &params, &error);
    for (unsigned k = 0; k < 2 && r->status == TFM_OK && !r->problem[0]; k++) {
        r->status = generate(session, r->shared, k == 0 ? 1 : 4, r->outputs, &error);
        if (r->status == TFM_OK && !same(r->outputs, r->shared->expected[k]))
            snprintf(r->problem, sizeof r->problem, "other bits than alone, beams %d", k == 0 ? 1 : 4);
    }
    if (r->status != TFM_OK) snprintf(r->problem, sizeof r->problem, "%s", error.message);
    tfm_session_free(&session);
    return NULL;
}

static void test_sessions_at_once(const shared *s) {
    static run runs[N_THREADS];
    pthread_t threads[N_THREADS];
    size_t started = 0;
    const char *problem = "";
    for (size_t i = 0; i < N_THREADS; i++) {
        runs[i] = (run){.shared = s};
        if (pthread_create(&threads[i], NULL, translate, &runs[i]) != 0) break;
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (runs[i].problem[0]) problem = runs[i].problem;
    }
    report(started == N_THREADS && !problem[0], "sessions in four threads share a model and a pool", problem);
}

static void *translate_once(void *arg) {
    run *r = arg;
    tfm_error error = {0};
    r->status = generate(r->session, r->shared, 4, r->outputs, &error);
    return NULL;
}

/* Whenever the request comes, the call ends well or cancelled, and the session then works as before. */
static void test_cancel(const shared *s) {
    static run r;
    tfm_error error = {0};
    tfm_session_params params = tfm_session_params_default();
    params.pool = s->pool;
    r = (run){.shared = s};
    bool ok = tfm_session_create(&r.session, s->model, &params, &error) == TFM_OK;
    for (int round = 0; round < 4 && ok; round++) {
        pthread_t thread;
        ok = pthread_create(&thread, NULL, translate_once, &r) == 0;
        if (!ok) break;
        nanosleep(&(struct timespec){.tv_nsec = round * 3000000L}, NULL);
        tfm_session_cancel(r.session);
        pthread_join(thread, NULL);
        tfm_session_clear_cancel(r.session); /* it may have come too late */
        ok = r.status == TFM_ERROR_CANCELLED || (r.status == TFM_OK && same(r.outputs, s->expected[1]));
        if (!ok) snprintf(error.message, sizeof error.message, "round %d: status %d", round, (int)r.status);
    }
    if (ok) ok = generate(r.session, s, 4, r.outputs, &error) == TFM_OK && same(r.outputs, s->expected[1]);
    report(ok, "cancelled from another thread, a session goes on to give the same bits", error.message);
    tfm_session_free(&r.session);
}

static void test_pools(const shared *s) {
    tfm_error error = {0};
    bool ok = true;
    for (unsigned n = 1; n <= 8 && ok; n *= 2) {
        static output outputs[MAX_INPUTS];
        tfm_pool *pool = NULL;
        tfm_session *session = NULL;
        tfm_session_params params = tfm_session_params_default();
        ok = tfm_pool_create(&pool, n, &error) == TFM_OK;
        params.pool = pool;
        ok = ok && tfm_session_create(&session, s->model, &params, &error) == TFM_OK &&
             generate(session, s, 1, outputs, &error) == TFM_OK && same(outputs, s->expected[0]);
        tfm_session_free(&session);
        tfm_pool_free(&pool);
    }
    report(ok, "pools of one to eight threads come and go and give the same bits", error.message);
}

static bool prepare(shared *s, const char *model_path, const char *text_path, tfm_error *error) {
    tfm_model_params params = tfm_model_params_default();
    if (tfm_pool_create(&s->pool, 3, error) != TFM_OK) return false;
    params.pool = s->pool;
    params.verify = TFM_VERIFY_LAZY; /* so that tensors are verified while sessions run */
    if (tfm_model_open(&s->model, model_path, &params, error) != TFM_OK) return false;
    FILE *text = fopen(text_path, "r");
    char line[4096];
    const char *limit = getenv("TFM_TEST_SENTENCES");
    size_t n = 0, wanted = limit ? strtoul(limit, NULL, 10) / 8 : MAX_INPUTS;
    wanted = wanted < 1 ? 1 : wanted > MAX_INPUTS ? MAX_INPUTS : wanted;
    while (text && n < wanted && fgets(line, sizeof line, text)) {
        line[strcspn(line, "\n")] = '\0';
        if (tfm_tokenize(s->model, TFM_SOURCE, line, strlen(line), true, &s->ids[n], error) != TFM_OK) break;
        s->inputs[n] = (tfm_input){.ids = s->ids[n].data, .n = s->ids[n].size};
        n++;
    }
    if (text) fclose(text);
    s->n_inputs = n;
    if (n < wanted && !error->message[0]) snprintf(error->message, sizeof error->message, "too few lines of text");
    return n == wanted;
}

/* The reference: another opening of the model, one session, no pool. */
static bool compute_expected(shared *s, const char *model_path, tfm_error *error) {
    shared alone = *s;
    tfm_session *session = NULL;
    alone.model = NULL;
    bool ok = tfm_model_open(&alone.model, model_path, NULL, error) == TFM_OK &&
              tfm_session_create(&session, alone.model, NULL, error) == TFM_OK &&
              generate(session, &alone, 1, s->expected[0], error) == TFM_OK &&
              generate(session, &alone, 4, s->expected[1], error) == TFM_OK;
    tfm_session_free(&session);
    tfm_model_close(&alone.model);
    return ok;
}

int main(int argc, char **argv) {
    static shared s;
    tfm_error error = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: threads_main MODEL TEXT\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..4\n");
    bool ready = prepare(&s, argv[1], argv[2], &error) && compute_expected(&s, argv[1], &error);
    report(ready, "a model opened, a reference computed on one thread", error.message);
    if (ready) {
        test_sessions_at_once(&s);
        test_cancel(&s);
        test_pools(&s);
    }
    for (size_t i = 0; i < MAX_INPUTS; i++) tfm_ids_free(&s.ids[i]);
    tfm_model_close(&s.model);
    tfm_pool_free(&s.pool);
    return n_failed > 0;
}
