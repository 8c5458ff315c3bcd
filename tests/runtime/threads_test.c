/*
 * threads_test.c - sessions of one model in several threads over one pool, cancellation from another thread, and the
 * pool itself under stress.
 *
 * usage: threads_test [MODEL TEXT]     (a model that translates, and a text of one input a line)
 *
 * A model of random weights is made here; MODEL goes through the same. A plain program, so that it also runs under
 * ThreadSanitizer, where the test framework does not. TFM_TEST_SENTENCES lowers the number of inputs from TEXT, for
 * emulators.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/os/pool.h"
#include "tests/support/outputs.h"
#include "tests/support/tap.h"
#include "tests/support/tiny_model.h"

enum { N_THREADS = 4, MAX_INPUTS = 24, N_SENTENCES = 12, N_SEARCHES = 2 };
static const uint32_t num_beams[N_SEARCHES] = {1, 4};

typedef struct subject {
    const char *name, *path;
    tfm_input inputs[MAX_INPUTS];
    size_t n_inputs;
    uint64_t expected[N_SEARCHES]; /* hashes of outputs, of one thread alone */
} subject;

/* ---- sessions ---- */

typedef struct run {
    const subject *of;
    tfm_model *model;
    tfm_pool *pool;
    tfm_session *session;
    unsigned first, n_rounds; /* searches take turns */
    tfm_status status;
    bool same; /* as expected, in every round that was finished */
    tfm_error error;
} run;

static tfm_session *open_session(tfm_model *model, tfm_pool *pool) {
    tfm_session_params params = tfm_session_params_default();
    tfm_session *session;
    tfm_error error;
    params.pool = pool;
    if (tfm_session_create(&session, model, &params, &error) != TFM_OK) tap_bail_out("%s", error.message);
    return session;
}

static tfm_model *open_model(const subject *s, tfm_verify verify, tfm_pool *pool) {
    tfm_model_params params = tfm_model_params_default();
    tfm_model *model;
    tfm_error error;
    params.verify = verify;
    params.pool = pool;
    if (tfm_model_open(&model, s->path, &params, &error) != TFM_OK) tap_bail_out("%s", error.message);
    return model;
}

static tfm_pool *open_pool(unsigned n_threads) {
    tfm_pool *pool;
    tfm_error error;
    if (tfm_pool_create(&pool, n_threads, &error) != TFM_OK) tap_bail_out("%s", error.message);
    return pool;
}

static tfm_status search(const subject *s, tfm_session *session, tfm_model *model, unsigned which, uint64_t *hash,
                         tfm_error *error) {
    outputs *all = NULL;
    tfm_generate_params params = tfm_generate_params_default(model);
    params.num_beams = num_beams[which];
    tfm_status status = outputs_generate(session, s->inputs, s->n_inputs, &params, &all, error);
    if (status == TFM_OK) *hash = outputs_hash(all);
    outputs_free(&all);
    return status;
}

static void *run_rounds(void *arg) {
    run *r = arg;
    r->same = true;
    r->status = TFM_OK;
    for (unsigned i = 0; r->status == TFM_OK && i < r->n_rounds; i++) {
        uint64_t hash;
        unsigned which = (r->first + i) % N_SEARCHES;
        r->status = search(r->of, r->session, r->model, which, &hash, &r->error);
        if (r->status == TFM_OK) r->same &= hash == r->of->expected[which];
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), void *arg) {
    if (pthread_create(thread, NULL, body, arg) != 0) tap_bail_out("no threads");
}

/* The reference: an opening of its own, one session, no pool. */
static void compute_expected(subject *s) {
    tfm_model *model = open_model(s, TFM_VERIFY_ALL, NULL);
    tfm_session *session = open_session(model, NULL);
    tfm_error error;
    for (unsigned i = 0; i < N_SEARCHES; i++)
        if (search(s, session, model, i, &s->expected[i], &error) != TFM_OK) tap_bail_out("%s", error.message);
    tap_ok(s->expected[0] != s->expected[1], "%s: greedy search and beams give different outputs on one thread",
           s->name);
    tfm_session_free(&session);
    tfm_model_close(&model);
}

/* With tensors verified at first use, they are verified while sessions run. */
static void check_sessions(const subject *s, tfm_verify verify) {
    tfm_pool *pool = open_pool(3);
    tfm_model *model = open_model(s, verify, pool);
    run runs[N_THREADS];
    pthread_t threads[N_THREADS];
    bool ok = true;
    for (unsigned i = 0; i < N_THREADS; i++) {
        runs[i] = (run){.of = s, .model = model, .first = i, .n_rounds = 3, .session = open_session(model, pool)};
        start(&threads[i], run_rounds, &runs[i]);
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (runs[i].status != TFM_OK) tap_note("%s", runs[i].error.message);
        ok &= runs[i].status == TFM_OK && runs[i].same;
        tfm_session_free(&runs[i].session);
    }
    tap_ok(ok, "%s: %d sessions share a model and a pool, tensors verified %s", s->name, N_THREADS,
           verify == TFM_VERIFY_ALL ? "at once" : "at first use");
    tfm_model_close(&model);
    tfm_pool_free(&pool);
}

/* Whenever the request comes, the call ends well or cancelled, and the session then works as before. */
static void check_cancel(const subject *s) {
    tfm_pool *pool = open_pool(3);
    tfm_model *model = open_model(s, TFM_VERIFY_LAZY, NULL);
    run r = {.of = s, .model = model, .first = 1, .n_rounds = 1, .session = open_session(model, pool)};
    bool ok = true;
    for (int round = 0; round < 4 && ok; round++) {
        pthread_t thread;
        start(&thread, run_rounds, &r);
        nanosleep(&(struct timespec){.tv_nsec = round * 3000000L}, NULL);
        tfm_session_cancel(r.session);
        pthread_join(thread, NULL);
        tfm_session_clear_cancel(r.session); /* it may have come too late */
        ok = r.status == TFM_ERROR_CANCELLED || (r.status == TFM_OK && r.same);
        if (!ok) tap_note("round %d: status %d", round, (int)r.status);
    }
    run_rounds(&r);
    tap_ok(ok && r.status == TFM_OK && r.same,
           "%s: cancelled from another thread, a session goes on to give the same bits", s->name);
    tfm_session_free(&r.session);
    tfm_model_close(&model);
    tfm_pool_free(&pool);
}

static void check_pools(const subject *s) {
    tfm_model *model = open_model(s, TFM_VERIFY_ALL, NULL);
    bool ok = true;
    for (unsigned n = 1; n <= 8; n *= 2) {
        tfm_pool *pool = open_pool(n);
        run r = {.of = s, .model = model, .n_rounds = 1, .session = open_session(model, pool)};
        run_rounds(&r);
        ok &= r.status == TFM_OK && r.same;
        tfm_session_free(&r.session);
        tfm_pool_free(&pool);
    }
    tap_ok(ok, "%s: pools of one to eight threads come and go and give the same bits", s->name);
    tfm_model_close(&model);
}

static void check_subject(subject *s) {
    compute_expected(s);
    check_sessions(s, TFM_VERIFY_ALL);
    check_sessions(s, TFM_VERIFY_LAZY);
    check_cancel(s);
    check_pools(s);
}

/* ---- the pool ---- */

#define N_ITEMS 1000

typedef struct region {
    unsigned counts[N_ITEMS]; /* plain: no two workers may touch one */
    unsigned seen[16];
    unsigned n_workers;
} region;

static void count(void *arg, unsigned worker, unsigned n_workers) {
    region *r = arg;
    size_t begin, end;
    tfm_partition(N_ITEMS, 7, worker, n_workers, &begin, &end);
    for (size_t i = begin; i < end; i++) r->counts[i]++;
    r->seen[worker]++;
    if (worker == 0) r->n_workers = n_workers;
}

static bool run_regions(tfm_pool *pool, unsigned n_regions, bool pause) {
    static _Thread_local region r;
    memset(&r, 0, sizeof r);
    for (unsigned i = 0; i < n_regions; i++) {
        tfm_pool_run(pool, count, &r);
        if (pause && i % 16 == 0) usleep(300); /* workers go to sleep */
    }
    for (size_t i = 0; i < N_ITEMS; i++)
        if (r.counts[i] != n_regions) return false;
    return r.seen[0] == n_regions;
}

static void *run_regions_in_thread(void *pool) { return run_regions(pool, 500, false) ? pool : NULL; }

static void check_pool(unsigned n_threads) {
    tfm_pool *pool;
    tfm_error error;
    if (tfm_pool_create(&pool, n_threads, &error) != TFM_OK) tap_bail_out("%s", error.message);
    tap_ok(tfm_pool_threads(pool) == n_threads && run_regions(pool, 1000, false), "1000 regions on %u threads",
           n_threads);
    tap_ok(run_regions(pool, 100, true), "regions with pauses on %u threads", n_threads);
    pthread_t threads[2];
    void *results[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, run_regions_in_thread, pool)) tap_bail_out("no threads");
    for (int i = 0; i < 2; i++) pthread_join(threads[i], &results[i]);
    tap_ok(results[0] && results[1], "two callers share %u threads", n_threads);
    tfm_pool_free(&pool);
}

static void check_creation(void) {
    tfm_error error;
    bool ok = true;
    for (unsigned i = 0; i < 60; i++) {
        tfm_pool *pool;
        if (tfm_pool_create(&pool, 1 + i % 6, &error) != TFM_OK) tap_bail_out("%s", error.message);
        if (i % 3) ok &= run_regions(pool, i % 3, false);
        tfm_pool_free(&pool);
        ok &= !pool;
    }
    tap_ok(ok, "60 pools begin and end");
}

/* ---- what is run ---- */

static void check_tiny(void) {
    static int32_t ids[MAX_INPUTS][16];
    static subject s = {.name = "random model", .n_inputs = MAX_INPUTS};
    char path[4096];
    const char *scratch = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/tfm-threads-XXXXXX.bin", scratch ? scratch : "/tmp");
    int fd = mkstemps(path, 4);
    if (fd < 0) tap_bail_out("cannot make %s", path);
    close(fd);
    tiny_config config = tiny_config_default();
    config.d_model = 48; /* large enough for the pool to be used */
    config.encoder.d_ff = config.decoder.d_ff = 100;
    tiny_model *tiny = tiny_model_make(&config);
    tiny_model_write(tiny, path);
    tiny_model_free(&tiny);
    uint64_t random = 99;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        for (size_t j = 0; j < 16; j++) ids[i][j] = (int32_t)(tiny_random(&random) % config.encoder.vocab_size);
        s.inputs[i] = (tfm_input){.ids = ids[i], .n = 1 + i % 16};
    }
    s.path = path;
    check_subject(&s);
    unlink(path);
}

static void check_shipped(const char *path, const char *text_path) {
    static subject s = {.name = "shipped model"};
    tfm_ids ids[N_SENTENCES] = {0};
    char line[4096];
    tfm_error error;
    s.path = path;
    tfm_model *model = open_model(&s, TFM_VERIFY_LAZY, NULL);
    FILE *text = fopen(text_path, "r");
    const char *limit = getenv("TFM_TEST_SENTENCES");
    size_t wanted = limit ? strtoul(limit, NULL, 10) / 8 : N_SENTENCES;
    wanted = wanted < 1 ? 1 : wanted > N_SENTENCES ? N_SENTENCES : wanted;
    for (; text && s.n_inputs < wanted && fgets(line, sizeof line, text); s.n_inputs++) {
        tfm_ids *at = &ids[s.n_inputs];
        line[strcspn(line, "\n")] = '\0';
        if (tfm_tokenize(model, TFM_SOURCE, line, strlen(line), true, at, &error) != TFM_OK)
            tap_bail_out("%s", error.message);
        s.inputs[s.n_inputs] = (tfm_input){.ids = at->data, .n = at->size};
    }
    if (s.n_inputs < wanted) tap_bail_out("%s: too few lines of text", text_path);
    fclose(text);
    tfm_model_close(&model);
    check_subject(&s);
    for (size_t i = 0; i < N_SENTENCES; i++) tfm_ids_free(&ids[i]);
}

int main(int argc, char **argv) {
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "usage: %s [MODEL TEXT]\n", argv[0]);
        return 2;
    }
    check_tiny();
    if (argc == 3) check_shipped(argv[1], argv[2]);
    for (unsigned n = 1; n <= 9; n++) check_pool(n);
    check_creation();
    return tap_done();
}
