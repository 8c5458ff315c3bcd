/* pool_test.c - the thread pool: partitions, regions, sizes. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/os/pool.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

/* ---- partition ---- */

Test(pool, partition_covers_everything_once) {
    for (size_t n = 0; n < 70; n++) {
        for (size_t grain = 1; grain < 20; grain += 6) {
            for (unsigned workers = 1; workers < 12; workers++) {
                size_t at = 0, begin, end, least = SIZE_MAX, most = 0;
                for (unsigned w = 0; w < workers; w++) {
                    tfm_partition(n, grain, w, workers, &begin, &end);
                    cr_assert(begin == at && end >= begin && end <= n, "n %zu, grain %zu, worker %u of %u", n, grain, w,
                              workers);
                    cr_assert(begin % grain == 0 || begin == n);
                    size_t units = (end - begin + grain - 1) / grain;
                    least = units < least ? units : least;
                    most = units > most ? units : most;
                    at = end;
                }
                cr_assert(at == n && most - least <= 1, "n %zu, grain %zu, %u workers", n, grain, workers);
            }
        }
    }
}

/* ---- regions ---- */

typedef struct visits {
    unsigned counts[32];
    unsigned n_workers;
} visits;

static void visit(void *arg, unsigned worker, unsigned n_workers) {
    visits *v = arg;
    v->counts[worker]++;
    if (worker == 0) v->n_workers = n_workers;
}

Test(pool, every_worker_runs_once) {
    for (unsigned n = 1; n <= 9; n++) {
        tfm_pool *pool;
        REQUIRE_OK(tfm_pool_create(&pool, n, error));
        cr_assert(tfm_pool_threads(pool) == n);
        visits v = {0};
        for (int i = 0; i < 200; i++) tfm_pool_run(pool, visit, &v);
        for (unsigned w = 0; w < 32; w++) cr_assert(v.counts[w] == (w < n ? 200 : 0), "worker %u of %u", w, n);
        cr_assert(v.n_workers == n);
        tfm_pool_free(&pool);
        cr_assert_null(pool);
    }
}

typedef struct nested {
    tfm_pool *pool;
    visits inner[32];
} nested;

static void run_inside(void *arg, unsigned worker, unsigned n_workers) {
    (void)n_workers;
    nested *n = arg;
    tfm_pool_run(n->pool, visit, &n->inner[worker]);
}

Test(pool, a_task_inside_a_task_runs_on_its_thread) {
    nested n = {0};
    REQUIRE_OK(tfm_pool_create(&n.pool, 4, error));
    tfm_pool_run(n.pool, run_inside, &n);
    for (unsigned w = 0; w < 4; w++) cr_assert(n.inner[w].counts[0] == 1 && n.inner[w].n_workers == 1);
    visits v = {0};
    tfm_pool_run(NULL, visit, &v);
    cr_assert(v.counts[0] == 1 && v.n_workers == 1);
    tfm_pool_free(&n.pool);
}

/* ---- forks ---- */

/* What a child does with the pool of its parent, and with one of its own; the number of the first thing that is wrong.
 */
static int use_in_child(tfm_pool *pool) {
    visits v = {0};
    alarm(20); /* instead of waiting for workers that never come */
    tfm_pool_run(pool, visit, &v);
    if (v.counts[0] != 1 || v.n_workers != 1) return 1;
    tfm_pool *own;
    if (tfm_pool_create(&own, 3, NULL) != TFM_OK) return 2;
    v = (visits){0};
    tfm_pool_run(own, visit, &v);
    if (v.counts[1] != 1 || v.counts[2] != 1 || v.n_workers != 3) return 3;
    tfm_pool_free(&own);
    tfm_pool_free(&pool);
    return pool ? 4 : 0;
}

/* In a child of its child, too; the parent's workers go on. */
Test(pool, of_a_process_that_is_forked) {
    tfm_pool *pool;
    visits v = {0};
    REQUIRE_OK(tfm_pool_create(&pool, 4, error));
    tfm_pool_run(pool, visit, &v);
    for (int generation = 1; generation <= 2; generation++) {
        pid_t child = fork();
        if (child == 0) {
            if (generation == 1) _exit(use_in_child(pool));
            pid_t grandchild = fork();
            if (grandchild == 0) _exit(use_in_child(pool));
            int status = -1;
            waitpid(grandchild, &status, 0);
            _exit(status == 0 ? 0 : 100);
        }
        int status = -1;
        cr_assert(child > 0 && waitpid(child, &status, 0) == child && status == 0, "generation %d: status %x",
                  generation, (unsigned)status);
    }
    tfm_pool_run(pool, visit, &v);
    for (unsigned w = 0; w < 4; w++) cr_assert(v.counts[w] == 2);
    tfm_pool_free(&pool);
}

static void mark(void *arg, size_t i) { atomic_fetch_add(&((atomic_uint *)arg)[i], 1); }

Test(pool, parallel_of_the_format_layer) {
    tfm_pool *pool;
    REQUIRE_OK(tfm_pool_create(&pool, 3, error));
    for (size_t n = 0; n < 100; n += 9) {
        atomic_uint *marks = calloc(n + 1, sizeof *marks);
        tfm_parallel parallel = tfm_pool_parallel(pool);
        parallel.run(parallel.pool, n, mark, marks);
        for (size_t i = 0; i <= n; i++) cr_assert(marks[i] == (i < n), "item %zu of %zu", i, n);
        free(marks);
    }
    tfm_pool_free(&pool);
}

Test(pool, bad_sizes) {
    tfm_pool *pool = (tfm_pool *)&pool;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_pool_create(&pool, 1025, error), "1025", "1024");
    cr_assert_null(pool);
    REQUIRE_OK(tfm_pool_create(&pool, 0, error));
    cr_assert(tfm_pool_threads(pool) == tfm_cpu_count());
    tfm_pool_free(&pool);
    tfm_pool_free(&pool);
}
