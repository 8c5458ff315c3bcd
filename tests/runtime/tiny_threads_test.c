/*
 * tiny_threads_test.c - sessions in several threads over one model and one pool; the pool itself under stress. A plain
 * program, so that it also runs under ThreadSanitizer, with a model made here.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/os/pool.h"
#include "tests/support/outputs.h"
#include "tests/support/tap.h"
#include "tests/support/tiny_model.h"

#define N_THREADS 4
#define N_INPUTS 24

/* ---- sessions ---- */

typedef struct work {
    tfm_model *model;
    tfm_pool *pool;
    const tfm_input *inputs;
    uint32_t num_beams;
    unsigned n_rounds;
    uint64_t hash; /* of the first round */
    bool ok;
    tfm_error error;
} work;

static void *generate(void *arg) {
    work *w = arg;
    tfm_session_params params = tfm_session_params_default();
    params.pool = w->pool;
    params.max_sequences = 16;
    tfm_session *session;
    w->ok = tfm_session_create(&session, w->model, &params, &w->error) == TFM_OK;
    tfm_generate_params p = tfm_generate_params_default(w->model);
    p.num_beams = w->num_beams;
    for (unsigned i = 0; w->ok && i < w->n_rounds; i++) {
        outputs *all;
        w->ok = outputs_generate(session, w->inputs, N_INPUTS, &p, &all, &w->error) == TFM_OK;
        if (!w->ok) break;
        uint64_t hash = outputs_hash(all);
        if (i == 0) w->hash = hash;
        w->ok = hash == w->hash;
        outputs_free(&all);
    }
    tfm_session_free(&session);
    return NULL;
}

static void check_sessions(tfm_verify verify, const char *path, const tfm_input *inputs) {
    work alone[2], together[N_THREADS];
    pthread_t threads[N_THREADS];
    tfm_error error;
    tfm_model_params params = {.size = sizeof params, .verify = verify};
    tfm_model *model, *other;
    tfm_pool *pool;
    if (tfm_model_open(&model, path, &params, &error) || tfm_model_open(&other, path, NULL, &error) ||
        tfm_pool_create(&pool, 3, &error))
        tap_bail_out("%s", error.message);
    for (uint32_t i = 0; i < 2; i++) {
        alone[i] = (work){.model = other, .inputs = inputs, .num_beams = 1 + 2 * i, .n_rounds = 1};
        generate(&alone[i]);
    }
    for (uint32_t i = 0; i < N_THREADS; i++) {
        together[i] =
            (work){.model = model, .pool = pool, .inputs = inputs, .num_beams = 1 + 2 * (i % 2), .n_rounds = 3};
        if (pthread_create(&threads[i], NULL, generate, &together[i])) tap_bail_out("no threads");
    }
    bool ok = alone[0].ok && alone[1].ok && alone[0].hash != alone[1].hash;
    for (uint32_t i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        ok &= together[i].ok && together[i].hash == alone[i % 2].hash;
    }
    tap_ok(ok, "%d sessions share a model and a pool, tensors verified %s", N_THREADS,
           verify == TFM_VERIFY_ALL ? "at once" : "at first use");
    tfm_pool_free(&pool);
    tfm_model_close(&model);
    tfm_model_close(&other);
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
    if (tfm_pool_create(&pool, n_threads, &error)) tap_bail_out("%s", error.message);
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
        if (tfm_pool_create(&pool, 1 + i % 6, &error)) tap_bail_out("%s", error.message);
        if (i % 3) ok &= run_regions(pool, i % 3, false);
        tfm_pool_free(&pool);
        ok &= pool == NULL;
    }
    tap_ok(ok, "60 pools begin and end");
}

int main(void) {
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

    static int32_t ids[N_INPUTS][16];
    tfm_input inputs[N_INPUTS];
    uint64_t random = 99;
    for (size_t i = 0; i < N_INPUTS; i++) {
        for (size_t j = 0; j < 16; j++) ids[i][j] = (int32_t)(tiny_random(&random) % config.encoder.vocab_size);
        inputs[i] = (tfm_input){.ids = ids[i], .n = 1 + i % 16};
    }
    check_sessions(TFM_VERIFY_ALL, path, inputs);
    check_sessions(TFM_VERIFY_LAZY, path, inputs);
    unlink(path);
    for (unsigned n = 1; n <= 9; n++) check_pool(n);
    check_creation();
    return tap_done();
}
