/*
 * bench_pool.c - what the thread pool costs: an empty parallel region in a busy row of them, one after a pause in which
 * the workers fell asleep, and the processor time that idle workers use. usage: bench_pool [--threads N] [--json]
 * [--quick]
 */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "harness.h"
#include "runtime/os/pool.h"

enum { REGIONS = 1000, PAUSES = 15 };

typedef struct bench {
    perf_options options;
    tfm_pool *pool;
} bench;

static void nothing(void *arg, unsigned worker, unsigned n_workers) { (void)arg, (void)worker, (void)n_workers; }

static void run_regions(void *arg) {
    for (int i = 0; i < REGIONS; i++) tfm_pool_run(((bench *)arg)->pool, nothing, NULL);
}

static void rest(double seconds) {
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void print(const bench *b, const char *what, double value, const char *unit, const perf_candidate *c) {
    if (!b->options.json) {
        printf("%-32s %2u threads %9.3f %s\n", what, b->options.n_threads, value, unit);
        return;
    }
    printf("{\"name\": \"pool: %s\", \"threads\": %u, \"value\": %.4g, \"unit\": \"%s\"", what, b->options.n_threads,
           value, unit);
    if (c)
        printf(", \"median_s\": %.4g, \"min_s\": %.4g, \"max_s\": %.4g, \"lower_s\": %.4g, \"upper_s\": %.4g",
               c->median, c->minimum, c->maximum, c->lower, c->upper);
    printf("}\n");
}

int main(int argc, char **argv) {
    bench b = {.options = perf_parse(argc, argv, "[--threads N] [--json] [--quick]")};
    if (tfm_pool_create(&b.pool, b.options.n_threads, NULL) != TFM_OK) return 1;
    perf_candidate c = {.name = "tfm", .run = run_regions, .arg = &b};
    perf_compare(&c, 1, b.options.quick ? 5 : 31, 0.005, 0);
    print(&b, "a thousand parallel regions", c.median * 1e6, "us", &c);

    double times[PAUSES];
    for (int i = 0; i < PAUSES; i++) {
        rest(0.01);
        double start = perf_seconds();
        tfm_pool_run(b.pool, nothing, NULL);
        times[i] = perf_seconds() - start;
    }
    perf_summarise(&c, times, PAUSES);
    print(&b, "parallel region after a pause", c.median * 1e6, "us", &c);

    rest(0.01); /* they may spin shortly */
    double before = cpu_seconds(), seconds = b.options.quick ? 0.05 : 0.5;
    rest(seconds);
    double used = cpu_seconds() - before;
    print(&b, "processor time of idle workers", used / seconds * 100, "%", NULL);
    tfm_pool_free(&b.pool);
    return 0;
}
