/* harness.c - see harness.h. */
#include "harness.h"

#include <getopt.h>
#include <perf_commit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double perf_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- comparing ---- */

#define MAX_ROUNDS 101

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static size_t repetitions(const perf_candidate *c, double seconds) {
    c->run(c->arg);
    double start = perf_seconds();
    c->run(c->arg);
    double once = perf_seconds() - start;
    return once >= seconds ? 1 : (size_t)(seconds / (once > 1e-9 ? once : 1e-9)) + 1;
}

void perf_summarise(perf_candidate *c, double *times, int n) {
    qsort(times, (size_t)n, sizeof *times, by_value);
    c->minimum = times[0];
    c->lower = times[n / 4];
    c->median = n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
    c->upper = times[n - 1 - n / 4];
    c->maximum = times[n - 1];
}

static void pause_for(double seconds) {
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    if (seconds > 0) nanosleep(&t, NULL);
}

void perf_compare(perf_candidate *candidates, size_t n, int rounds, double seconds, double pause) {
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    double(*times)[MAX_ROUNDS] = calloc(n, sizeof *times);
    size_t *times_each = calloc(n, sizeof *times_each);
    if (!times || !times_each) abort();
    for (size_t c = 0; c < n; c++) times_each[c] = repetitions(&candidates[c], seconds);
    for (int round = 0; round < rounds; round++) {
        for (size_t c = 0; c < n; c++) {
            if (n > 1) pause_for(pause);
            if (n > 1 && pause > 0) candidates[c].run(candidates[c].arg);
            double start = perf_seconds();
            for (size_t i = 0; i < times_each[c]; i++) candidates[c].run(candidates[c].arg);
            times[c][round] = (perf_seconds() - start) / (double)times_each[c];
        }
    }
    for (size_t c = 0; c < n; c++) perf_summarise(&candidates[c], times[c], rounds);
    free(times);
    free(times_each);
}

void perf_time(perf_candidate *candidate, double budget) {
    enum { LEAST = 3, MOST = 15 };
    double times[MOST + 1], begin = perf_seconds(), now = begin;
    int n = 0;
    for (int run = 0; n < LEAST || (n < MOST && now - begin < budget); run++) {
        double start = perf_seconds();
        candidate->run(candidate->arg);
        now = perf_seconds();
        if (run > 0 || now - start > budget / 3) times[n++] = now - start;
    }
    perf_summarise(candidate, times, n);
}

/* ---- limits ---- */

static const perf_loops *const loops_of[TFM_ISA_COUNT] = {
#define ISA(id, suffix, label, machine) TFM_BUILT_FOR_##machine([id] = &perf_loops_##suffix, )
#include "simd/isa.def"
};

typedef struct limit_job {
    double (*operations)(size_t n);
    void (*read)(const float *data, size_t n_floats);
    tfm_pool *pool;
    const float *data;
    size_t floats_each, rounds;
} limit_job;

static void operations_part(void *arg, unsigned worker, unsigned n_workers) {
    (void)worker, (void)n_workers;
    const limit_job *job = arg;
    job->operations(job->rounds);
}

static void read_part(void *arg, unsigned worker, unsigned n_workers) {
    (void)n_workers;
    const limit_job *job = arg;
    for (size_t i = 0; i < job->rounds; i++) job->read(job->data + worker * job->floats_each, job->floats_each);
}

static void run_operations(void *arg) { tfm_pool_run(((limit_job *)arg)->pool, operations_part, arg); }
static void run_read(void *arg) { tfm_pool_run(((limit_job *)arg)->pool, read_part, arg); }

/* Operations a second, in 10^9. */
static double peak(limit_job *job, double (*operations)(size_t n), unsigned n_threads) {
    job->operations = operations;
    double each = operations(1) * (double)job->rounds * n_threads;
    perf_candidate c = {.name = "operations", .run = run_operations, .arg = job};
    perf_compare(&c, 1, 15, 0.01, 0);
    return each / c.minimum * 1e-9;
}

/* Bytes a second, in 10^9. */
static double bandwidth(limit_job *job, void (*read)(const float *, size_t), unsigned n_threads, double seconds) {
    job->read = read;
    perf_candidate c = {.name = "read", .run = run_read, .arg = job};
    perf_compare(&c, 1, 9, seconds, 0);
    return (double)n_threads * (double)job->floats_each * sizeof(float) * (double)job->rounds / c.minimum * 1e-9;
}

perf_machine perf_measure_machine(tfm_isa isa, unsigned n_threads) {
    enum { L2_FLOATS = 64 << 10, DRAM_FLOATS = 64 << 20 };
    const perf_loops *loops = loops_of[isa];
    limit_job job = {.rounds = 2000};
    if (tfm_pool_create(&job.pool, n_threads, NULL) != TFM_OK) abort();
    float *data = perf_alloc((size_t)n_threads * DRAM_FLOATS * sizeof(float));
    memset(data, 0, (size_t)n_threads * DRAM_FLOATS * sizeof(float));
    job.data = data;
    perf_machine machine = {.fma_gflops = peak(&job, loops->fma, n_threads),
                            .int8_gops = peak(&job, loops->int8, n_threads)};
    job.floats_each = L2_FLOATS;
    job.rounds = 100;
    machine.l2_gbytes = bandwidth(&job, loops->read_streams, n_threads, 0.01);
    job.floats_each = DRAM_FLOATS;
    job.rounds = 1;
    double one = bandwidth(&job, loops->read, n_threads, 0.02);
    double four = bandwidth(&job, loops->read_streams, n_threads, 0.02);
    machine.dram_gbytes = one > four ? one : four;
    free(data);
    tfm_pool_free(&job.pool);
    return machine;
}

static void read_cpu_name(char *name, size_t size) {
    snprintf(name, size, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 2);
        break;
    }
    if (file) fclose(file);
}

void perf_print_header(const char *what, tfm_isa isa, unsigned n_threads, const perf_machine *m, bool json) {
    char cpu[256];
    read_cpu_name(cpu, sizeof cpu);
    if (json)
        printf("{\"benchmark\": \"%s\", \"cpu\": \"%s\", \"compiler\": \"%s\", \"commit\": \"%s\", \"isa\": \"%s\", "
               "\"threads\": %u, "
               "\"fma_gflops\": %.1f, \"int8_gops\": %.1f, \"l2_gbytes\": %.1f, \"dram_gbytes\": %.2f}\n",
               what, cpu, PERF_COMPILER, PERF_COMMIT, tfm_isa_name(isa), n_threads, m->fma_gflops, m->int8_gops,
               m->l2_gbytes, m->dram_gbytes);
    else
        printf(
            "%s: %s, %s, commit %s\n%s, %u thread%s; limits measured now: %.1f GFLOP/s FMA, %.1f GOP/s int8, L2 %.1f "
            "GB/s, DRAM %.2f GB/s\n\n",
            what, cpu, PERF_COMPILER, PERF_COMMIT, tfm_isa_name(isa), n_threads, n_threads == 1 ? "" : "s",
            m->fma_gflops, m->int8_gops, m->l2_gbytes, m->dram_gbytes);
}

/* ---- odds and ends ---- */

void perf_fill(float *x, size_t n, uint64_t seed) {
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < n; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        x[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
    }
}

void *perf_alloc(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!memory) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return memory;
}

static tfm_isa choose_isa(const char *program, const char *name) {
    char sentence[TFM_ISA_SENTENCE];
    tfm_isa isa;
    if (tfm_isa_select(name, &isa, sentence) == TFM_ISA_CHOSEN) return isa;
    fprintf(stderr, "%s: %s\n", program, sentence);
    exit(2);
}

perf_options perf_parse(int argc, char **argv, const char *usage) {
    static const struct option long_options[] = {{.name = "threads", .has_arg = required_argument, .val = 't'},
                                                 {.name = "isa", .has_arg = required_argument, .val = 'i'},
                                                 {.name = "json", .val = 'j'},
                                                 {.name = "quick", .val = 'q'},
                                                 {.name = "help", .val = 'h'},
                                                 {.name = "kv-dtype", .has_arg = required_argument, .val = 'k'},
                                                 {.name = NULL}};
    perf_options options = {.n_threads = 1, .kv_dtype = "f32"};
    const char *isa = NULL;
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 't') options.n_threads = (unsigned)strtoul(optarg, NULL, 10);
        if (c == 'i') isa = optarg;
        if (c == 'k') options.kv_dtype = optarg;
        if (c == 'j') options.json = true;
        if (c == 'q') options.quick = true;
        if (c == '?' || c == 'h' || options.n_threads < 1 || options.n_threads > 256 ||
            !(strcmp(options.kv_dtype, "f32") == 0 || strcmp(options.kv_dtype, "f16") == 0 ||
              strcmp(options.kv_dtype, "int8") == 0)) {
            fprintf(c == 'h' ? stdout : stderr, "usage: %s %s\n", argv[0], usage);
            exit(c == 'h' ? 0 : 2);
        }
    }
    options.isa = choose_isa(argv[0], isa);
    options.rest = (const char *const *)argv + optind;
    options.n_rest = argc - optind;
    return options;
}

/* ---- benchmarks of kernels ---- */

perf_bench perf_bench_open(int argc, char **argv, const char *usage, const char *what) {
    perf_bench b = {.options = perf_parse(argc, argv, usage)};
    b.kernels = tfm_kernels_get(b.options.isa);
    if (tfm_pool_create(&b.pool, b.options.n_threads, NULL) != TFM_OK) {
        fprintf(stderr, "no %u threads\n", b.options.n_threads);
        exit(1);
    }
    b.machine = perf_measure_machine(b.options.isa, b.options.n_threads);
    perf_print_header(what, b.options.isa, b.options.n_threads, &b.machine, b.options.json);
    return b;
}

void perf_bench_close(perf_bench *b) { tfm_pool_free(&b->pool); }

int perf_bench_rounds(const perf_bench *b) { return b->options.quick ? 3 : 11; }

double perf_bench_seconds(const perf_bench *b) { return b->options.quick ? 0.005 : 0.03; }

void perf_bench_row(const perf_bench *b, const char *kernel, size_t n, void (*run)(void *arg), void *arg) {
    perf_candidate ours = {.name = "tfm", .run = run, .arg = arg};
    perf_compare(&ours, 1, perf_bench_rounds(b), 0.005, 0);
    if (b->options.json)
        printf("{\"kernel\": \"%s\", \"n\": %zu, \"us\": %.4f, \"min_us\": %.4f}\n", kernel, n, ours.median * 1e6,
               ours.minimum * 1e6);
    else
        printf("%-12s n %6zu %9.2f us %7.3f ns an element\n", kernel, n, ours.median * 1e6,
               ours.median * 1e9 / (double)n);
    fflush(stdout);
}
