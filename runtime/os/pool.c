/*
 * pool.c - worker threads: static partition, a short spin, then sleep.
 *
 * A parallel region costs two cache lines: the caller raises `generation`, each worker lowers `running`. Whoever finds
 * nothing to do spins (the next region of a decoding step comes within microseconds), for the longer part of a
 * millisecond offering its processor to others, and then sleeps on a condition variable: to wake a sleeper takes up to
 * 140 us on a virtual machine, as long as a product. Sleepers announce themselves before they look a last time, and
 * whoever changes a word looks for sleepers after it, both in sequentially consistent order, so no wake-up is lost.
 *
 * fork() copies the pool but not its workers. A child therefore runs its work on the calling thread, and touches none
 * of the pool's locks, which a worker may have held.
 */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield")
#else
#define cpu_relax() ((void)0)
#endif

#define MAX_THREADS 1024
#define SPINS 2000 /* first without a system call: about 30 us */
#define SPIN_NANOSECONDS 1000000

struct tfm_pool {
    _Alignas(64) atomic_uint generation; /* raised once for each region */
    tfm_task *task;
    void *arg;
    _Alignas(64) atomic_uint running; /* workers that have not finished the region */
    _Alignas(64) atomic_bool busy;    /* a caller uses the workers */
    atomic_bool stop;
    atomic_uint sleeping_workers;
    atomic_bool sleeping_caller;
    unsigned n_threads;
    unsigned n_forks; /* of the process that started the workers */
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    pthread_t *threads;     /* (n_threads - 1) */
    struct worker *workers; /* (n_threads) what each is told; 0 is the caller */
};

struct worker {
    tfm_pool *pool;
    unsigned index;
};

/* ---- forks ---- */

static atomic_uint n_forks; /* between the first process that made a pool and this one */
static pthread_once_t watch_forks_once = PTHREAD_ONCE_INIT;
static int watch_forks_failure;

static void count_fork(void) { atomic_fetch_add(&n_forks, 1); }
static void watch_forks(void) { watch_forks_failure = pthread_atfork(NULL, NULL, count_fork); }

/* Whether the workers stayed behind in a process that this one was forked from. */
static bool has_lost_workers(const tfm_pool *pool) {
    return pool->n_forks != atomic_load_explicit(&n_forks, memory_order_relaxed);
}

/* ---- waiting ---- */

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Spins while *word is (equal) or is not (!equal) value; false when that took too long. */
static bool spin_while(const atomic_uint *word, bool equal, unsigned value) {
    for (int i = 0; i < SPINS; i++) {
        if ((atomic_load_explicit(word, memory_order_acquire) == value) != equal) return true;
        cpu_relax();
    }
    for (int64_t start = nanoseconds(); nanoseconds() - start < SPIN_NANOSECONDS; sched_yield())
        if ((atomic_load_explicit(word, memory_order_acquire) == value) != equal) return true;
    return false;
}

/* Waits until the generation is another than the one seen; returns the new one. */
static unsigned next_generation(tfm_pool *pool, unsigned seen) {
    if (spin_while(&pool->generation, true, seen)) return atomic_load(&pool->generation);
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleeping_workers, 1);
    unsigned now;
    while ((now = atomic_load(&pool->generation)) == seen) pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&pool->sleeping_workers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return now;
}

static void *work(void *arg) {
    struct worker *self = arg;
    tfm_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        seen = next_generation(pool, seen);
        if (atomic_load(&pool->stop)) return NULL;
        pool->task(pool->arg, self->index, pool->n_threads);
        if (atomic_fetch_sub(&pool->running, 1) == 1 && atomic_load(&pool->sleeping_caller)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static void raise_generation(tfm_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleeping_workers) > 0) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void wait_for_workers(tfm_pool *pool) {
    if (spin_while(&pool->running, false, 0)) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->sleeping_caller, true);
    while (atomic_load(&pool->running) != 0) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->sleeping_caller, false);
    pthread_mutex_unlock(&pool->mutex);
}

void tfm_pool_run(tfm_pool *pool, tfm_task *task, void *arg) {
    if (!pool || pool->n_threads == 1 || has_lost_workers(pool) || atomic_exchange(&pool->busy, true)) {
        task(arg, 0, 1);
        return;
    }
    pool->task = task;
    pool->arg = arg;
    atomic_store(&pool->running, pool->n_threads - 1);
    raise_generation(pool);
    task(arg, 0, pool->n_threads);
    wait_for_workers(pool);
    atomic_store(&pool->busy, false);
}

void tfm_partition(size_t n, size_t grain, unsigned worker, unsigned n_workers, size_t *begin, size_t *end) {
    size_t units = n / grain + (n % grain != 0);
    size_t each = units / n_workers, more = units % n_workers;
    size_t first = worker * each + (worker < more ? worker : more);
    size_t last = first + each + (worker < more);
    *begin = first * grain < n ? first * grain : n;
    *end = last * grain < n ? last * grain : n;
}

struct items {
    void (*task)(void *arg, size_t i);
    void *arg;
    size_t n;
};

static void run_items(void *arg, unsigned worker, unsigned n_workers) {
    struct items *items = arg;
    size_t begin, end;
    tfm_partition(items->n, 1, worker, n_workers, &begin, &end);
    for (size_t i = begin; i < end; i++) items->task(items->arg, i);
}

static void parallel_run(void *pool, size_t n, void (*task)(void *arg, size_t i), void *arg) {
    struct items items = {task, arg, n};
    tfm_pool_run(pool, run_items, &items);
}

tfm_parallel tfm_pool_parallel(tfm_pool *pool) { return (tfm_parallel){parallel_run, pool}; }

static void end_workers(tfm_pool *pool, unsigned n_workers) {
    atomic_store(&pool->stop, true);
    raise_generation(pool);
    for (unsigned i = 0; i < n_workers; i++) pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
}

/* Ends the workers that were started (n of them) and gives all memory back. */
static void destroy(tfm_pool *pool, unsigned n_workers) {
    if (!has_lost_workers(pool)) end_workers(pool, n_workers);
    free(pool->threads);
    free(pool->workers);
    free(pool);
}

tfm_status tfm_pool_create(tfm_pool **out, unsigned n_threads, tfm_error *error) {
    *out = NULL;
    if (n_threads > MAX_THREADS)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%u threads are too many: at most %d", n_threads, MAX_THREADS);
    if (n_threads == 0) n_threads = tfm_cpu_count();
    pthread_once(&watch_forks_once, watch_forks);
    tfm_pool *pool = watch_forks_failure ? NULL : aligned_alloc(_Alignof(tfm_pool), sizeof *pool);
    if (!pool) return tfm_no_memory(error, "a pool of %u threads", n_threads);
    *pool = (tfm_pool){.n_threads = n_threads, .n_forks = atomic_load(&n_forks)};
    pool->threads = calloc(n_threads, sizeof *pool->threads);
    pool->workers = calloc(n_threads, sizeof *pool->workers);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    if (!pool->threads || !pool->workers) {
        destroy(pool, 0);
        return tfm_no_memory(error, "a pool of %u threads", n_threads);
    }
    for (unsigned i = 1; i < n_threads; i++) {
        pool->workers[i] = (struct worker){pool, i};
        if (pthread_create(&pool->threads[i - 1], NULL, work, &pool->workers[i]) != 0) {
            destroy(pool, i - 1);
            return tfm_fail(error, TFM_ERROR_MEMORY, "cannot start %u threads: the system refused number %u", n_threads,
                            i + 1);
        }
    }
    *out = pool;
    return TFM_OK;
}

unsigned tfm_pool_threads(const tfm_pool *pool) { return pool ? pool->n_threads : 1; }

void tfm_pool_free(tfm_pool **pool) {
    if (!pool || !*pool) return;
    destroy(*pool, (*pool)->n_threads - 1);
    *pool = NULL;
}
