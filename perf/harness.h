/* harness.h - timing: alternating candidates, medians, and what this machine can do at most. */
#ifndef TFM_PERF_HARNESS_H
#define TFM_PERF_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/os/pool.h"
#include "simd/kernels.h"

double perf_seconds(void);

/* One way of doing the work that is measured. */
typedef struct perf_candidate {
    const char *name;
    void (*run)(void *arg);
    void *arg;
    double median, minimum, maximum; /* seconds of one run */
    double lower, upper;             /* quartiles */
} perf_candidate;

/*
 * Runs the candidates in turn, A B C A B C ..., `rounds` times after one warm-up each; a round repeats a candidate
 * until at least `seconds` have passed. With several candidates it waits for `pause` seconds before each, then runs it
 * once unclocked. Fills in the figures.
 */
void perf_compare(perf_candidate *candidates, size_t n, int rounds, double seconds, double pause);

/* Threads of OpenMP and OpenBLAS spin for so many seconds after their work and would take a core from who is next. */
#define PERF_OTHERS_SPIN 0.03

/*
 * For work that takes long: one warm-up (a run as well if it takes over a third of the budget), then at least 3 and at
 * most 15 runs while `budget` seconds are not spent.
 */
void perf_time(perf_candidate *candidate, double budget);

/* Sorts n times and fills in the figures from them. */
void perf_summarise(perf_candidate *candidate, double *times, int n);

/* Limits measured in this run, on the number of threads asked for. */
typedef struct perf_machine {
    double fma_gflops;  /* fused multiply-adds count two */
    double int8_gops;   /* int8 multiply-adds into int32, with the best instructions the instruction set has for them */
    double l2_gbytes;   /* reading 256 KiB a thread, over and over */
    double dram_gbytes; /* reading 256 MiB a thread, in one stream or four, whichever is faster */
} perf_machine;

perf_machine perf_measure_machine(tfm_isa isa, unsigned n_threads);

/* "AMD EPYC ..., 2 cores", from /proc/cpuinfo. */
void perf_print_header(const char *what, tfm_isa isa, unsigned n_threads, const perf_machine *machine, bool json);

/* Pseudo-random floats in [-1, 1), the same every time. */
void perf_fill(float *x, size_t n, uint64_t seed);

/* 64-byte aligned memory; ends the program with a message if there is none. */
void *perf_alloc(size_t bytes);

/* Common options of the benchmarks: --threads N --isa NAME --kv-dtype NAME --json --quick; ends the program on others.
 */
typedef struct perf_options {
    unsigned n_threads;
    tfm_isa isa;
    const char *kv_dtype; /* "f32", "f16", "int8" */
    bool json, quick;
    const char *const *rest; /* arguments that are no options */
    int n_rest;
} perf_options;
perf_options perf_parse(int argc, char **argv, const char *usage);

/* What a benchmark of kernels works with. */
typedef struct perf_bench {
    perf_options options;
    const tfm_kernels *kernels; /* of options.isa */
    tfm_pool *pool;             /* of options.n_threads */
    perf_machine machine;
} perf_bench;

/* Options from the command line; measures the machine, and says under the name `what` what is going to be measured. */
perf_bench perf_bench_open(int argc, char **argv, const char *usage, const char *what);
void perf_bench_close(perf_bench *bench);
/* Rounds of perf_compare, and seconds of each: fewer with --quick. */
int perf_bench_rounds(const perf_bench *bench);
double perf_bench_seconds(const perf_bench *bench);
/* Times one way of running a kernel over a row of n elements, and prints a line of it. */
void perf_bench_row(const perf_bench *bench, const char *kernel, size_t n, void (*run)(void *arg), void *arg);

/* The inner loops of perf_measure_machine, for one instruction set (limits.c, compiled for each). */
typedef struct perf_loops {
    double (*fma)(size_t n);  /* n rounds; returns floating-point operations done */
    double (*int8)(size_t n); /* likewise of int8 multiply-adds into int32 */
    void (*read)(const float *data, size_t n_floats);
    void (*read_streams)(const float *data, size_t n_floats); /* four quarters at the same time */
} perf_loops;
#define ISA(id, suffix, label, machine) extern const perf_loops perf_loops_##suffix;
#include "simd/isa.def"

#endif
