/*
 * checker.h - what the kernel tests share: random cases from printed seeds, buffers that end at a page nobody may
 * touch, comparison with the scalar table bit for bit and with a double-precision reference within a bound.
 *
 * A check is a function that makes one case from a seed, runs it on a table and says what is wrong with the result.
 * It asserts nothing itself, so that the tests can also show that it notices a wrong kernel.
 */
#ifndef TFM_TESTS_SIMD_CHECKER_H
#define TFM_TESTS_SIMD_CHECKER_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.h"

/* Half a unit in the last place of 1.0f: the bound of one rounding. */
#define CHECK_U 0x1p-24

typedef struct check_case check_case;

/* One case: fails by calling check_fail, at most once; the rest of the case may be skipped then. */
typedef void check_fn(check_case *c, const tfm_kernels *k);

enum { CHECK_BUFFERS_MAX = 32 };

struct check_case {
    uint64_t seed, state;
    bool failed;
    char why[1024];
    size_t n_maps;
    struct check_map {
        void *base;
        size_t size;
    } maps[CHECK_BUFFERS_MAX];
};

/* Random numbers of the case (splitmix64). */
uint64_t check_next(check_case *c);
size_t check_below(check_case *c, size_t n);                  /* 0 .. n - 1 */
size_t check_between(check_case *c, size_t low, size_t high); /* both included */
bool check_chance(check_case *c, unsigned percent);
float check_uniform(check_case *c, float low, float high);
/* One of 0, 1, 15, 16, 17, 31, 32, 33, a multiple of 16, or anything, at most `most`. */
size_t check_size(check_case *c, size_t most);

/*
 * n floats (or bytes) that lie against a PROT_NONE page, at their end or (one time in four) at their start, filled
 * with a byte pattern; freed with the case. Alignment is that of n: no more than the element's.
 */
float *check_floats(check_case *c, size_t n);
void *check_bytes(check_case *c, size_t n);
/* 64-aligned, n rounded up to 64; ends at the page. */
void *check_aligned(check_case *c, size_t n);
/* Elements of a matrix whose last row has no padding behind it. */
size_t check_extent(size_t rows, size_t columns, size_t stride);

/* Fills: ordinary numbers, or now and then magnitudes from tiny to huge, zeros of both signs, repeated values. */
void check_fill(check_case *c, float *x, size_t n);
void check_fill_uniform(check_case *c, float *x, size_t n, float low, float high);

/* n floats of check_floats, filled. */
float *check_vector(check_case *c, size_t n);
/* Overwrites some elements with values at the edges of what a float holds; with `nan`, one with NaN. */
void check_spice(check_case *c, float *x, size_t n, bool nan);

void check_fail(check_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Equal bits, or both NaN. */
bool check_same(float a, float b);
/* Fails unless the n floats are the same. */
void check_equal(check_case *c, const char *what, const float *got, const float *expected, size_t n);
/* Fails unless |got - expected| <= bound (or both NaN, or the same infinity). */
void check_near(check_case *c, const char *what, size_t index, float got, double expected, double bound);
/* Fails if a float that still should hold the pattern of check_floats does not; keep(context, i): i may change. */
void check_untouched(check_case *c, const char *what, const float *x, size_t n,
                     bool (*may_change)(const void *context, size_t i), const void *context);

/* Likewise for a matrix (rows, columns) whose rows are `stride` apart: nothing between them may change. */
void check_padding(check_case *c, const char *what, const float *x, size_t rows, size_t columns, size_t stride);

/* One case; true if the kernel passed. why (1024 bytes) gets the reason if not. */
bool check_run(check_fn *fn, const tfm_kernels *k, uint64_t seed, char *why);

typedef struct check_table {
    const char *name;
    const tfm_kernels *kernels;
} check_table;

/* Every table this machine can run, scalar first, the emulated ones last where they are built; at least one. */
size_t check_tables(const check_table **tables);
const tfm_kernels *check_scalar(void);

/* Runs n cases (times TFM_TEST_SCALE, if set, a percentage) on every table; asserts that all pass and some ran. */
void check_all(const char *name, check_fn *fn, size_t n);
size_t check_scaled(size_t n);

/* The checks; checks.def lists them. */
#define CHECK(name, n) check_fn check_##name;
#include "checks.def"

/* Double-precision activation, and a bound on the kernel's error at x (docs/kernels.md). */
double reference_activation(double x, tfm_activation act);
double reference_activation_bound(double x, tfm_activation act);

#endif
