/* checker.c - see checker.h. */
#include "checker.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATTERN = 0xa5 };

uint64_t check_next(check_case *c) {
    uint64_t z = c->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

size_t check_below(check_case *c, size_t n) { return (size_t)(check_next(c) % n); }

size_t check_between(check_case *c, size_t low, size_t high) { return low + check_below(c, high - low + 1); }

bool check_chance(check_case *c, unsigned percent) { return check_below(c, 100) < percent; }

float check_uniform(check_case *c, float low, float high) {
    return low + (high - low) * ((float)(check_next(c) >> 40) * 0x1p-24f);
}

size_t check_size(check_case *c, size_t most) {
    static const size_t edges[] = {0, 1, 15, 16, 17, 31, 32, 33};
    size_t n;
    switch (check_below(c, 4)) {
    case 0: n = edges[check_below(c, sizeof edges / sizeof edges[0])]; break;
    case 1: n = 16 * check_between(c, 1, most / 16 + 1); break;
    default: n = check_between(c, 1, most);
    }
    return n < most ? n : most;
}

static char *map(check_case *c, size_t n, size_t place) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (n + page - 1) / page * page + (n == 0) * page;
    cr_assert(c->n_maps < CHECK_BUFFERS_MAX, "too many buffers in one case");
    char *base = mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(base != MAP_FAILED, "mmap: %s", strerror(errno));
    c->maps[c->n_maps++] = (struct check_map){base, inner + 2 * page};
    memset(base + page, PATTERN, inner);
    mprotect(base, page, PROT_NONE);
    mprotect(base + page + inner, page, PROT_NONE);
    return place == 0 ? base + page : base + page + inner - n;
}

void *check_bytes(check_case *c, size_t n) { return map(c, n, check_below(c, 4)); }

float *check_floats(check_case *c, size_t n) { return check_bytes(c, n * sizeof(float)); }

void *check_aligned(check_case *c, size_t n) { return map(c, (n + 63) / 64 * 64, 1); }

size_t check_extent(size_t rows, size_t columns, size_t stride) {
    return rows == 0 ? 0 : (rows - 1) * stride + columns;
}

void check_fill_uniform(check_case *c, float *x, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++) x[i] = check_uniform(c, low, high);
}

void check_fill(check_case *c, float *x, size_t n) {
    size_t kind = check_below(c, 8);
    for (size_t i = 0; i < n; i++) {
        x[i] = check_uniform(c, -1, 1);
        if (kind == 0) x[i] = ldexpf(x[i], (int)check_below(c, 40) - 20);
        if (kind == 1 && check_chance(c, 30)) x[i] = check_chance(c, 50) ? 0.0f : -0.0f;
        if (kind == 2) x[i] = (float)((int)check_below(c, 5) - 2);
    }
}

float *check_vector(check_case *c, size_t n) {
    float *x = check_floats(c, n);
    check_fill(c, x, n);
    return x;
}

void check_spice(check_case *c, float *x, size_t n, bool nan) {
    static const float values[] = {INFINITY,   -INFINITY, 0x1.fffffep127f, -0x1.fffffep127f, 0x1p-149f,
                                   -0x1p-140f, 0.0f,      -0.0f,           88.75f,           -87.5f};
    for (size_t i = 0; i < n; i++)
        if (check_chance(c, 10)) x[i] = values[check_below(c, sizeof values / sizeof *values)];
    if (nan && n > 0) x[check_below(c, n)] = NAN;
}

void check_fail(check_case *c, const char *format, ...) {
    if (c->failed) return;
    c->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(c->why, sizeof c->why, format, args);
    va_end(args);
}

bool check_same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

void check_equal(check_case *c, const char *what, const float *got, const float *expected, size_t n) {
    for (size_t i = 0; i < n && !c->failed; i++)
        if (!check_same(got[i], expected[i]))
            check_fail(c, "%s: element %zu of %zu: got %a, expected the bits of %a", what, i, n, (double)got[i],
                       (double)expected[i]);
}

void check_near(check_case *c, const char *what, size_t index, float got, double expected, double bound) {
    if (isnan(got) && isnan(expected)) return;
    if (got == (float)expected) return;
    if (fabs(got - expected) <= bound) return;
    check_fail(c, "%s: element %zu: got %.9g, expected %.12g, error %.3g above the bound %.3g", what, index,
               (double)got, expected, fabs(got - expected), bound);
}

void check_untouched(check_case *c, const char *what, const float *x, size_t n,
                     bool (*may_change)(const void *context, size_t i), const void *context) {
    unsigned char pattern[sizeof(float)];
    memset(pattern, PATTERN, sizeof pattern);
    for (size_t i = 0; i < n; i++)
        if (!may_change(context, i) && memcmp(x + i, pattern, sizeof pattern) != 0)
            check_fail(c, "%s: element %zu of %zu, outside the range, was written: %a", what, i, n, (double)x[i]);
}

typedef struct rows {
    size_t columns, stride;
} rows;

static bool in_row(const void *context, size_t i) {
    const rows *r = context;
    return r->columns > 0 && i % r->stride < r->columns;
}

void check_padding(check_case *c, const char *what, const float *x, size_t n_rows, size_t columns, size_t stride) {
    const rows r = {columns, stride};
    check_untouched(c, what, x, check_extent(n_rows, columns, stride), in_row, &r);
}

bool check_run(check_fn *fn, const tfm_kernels *k, uint64_t seed, char *why) {
    check_case c = {.seed = seed, .state = seed};
    fn(&c, k);
    for (size_t i = 0; i < c.n_maps; i++) munmap(c.maps[i].base, c.maps[i].size);
    memcpy(why, c.why, sizeof c.why);
    return !c.failed;
}

/* meson.build names the emulated tables: EMULATED_TABLES is EMULATED(suffix) for each. */
#define EMULATED(suffix) extern const tfm_kernels tfm_kernels_##suffix##_emulated;
EMULATED_TABLES
#undef EMULATED
#define EMULATED(suffix) found[n++] = (check_table){#suffix " emulated", &tfm_kernels_##suffix##_emulated};

size_t check_tables(const check_table **tables) {
    static check_table found[2 * TFM_ISA_COUNT];
    size_t n = 0;
    for (tfm_isa isa = 0; isa < TFM_ISA_COUNT; isa++)
        if (tfm_isa_usable(isa)) found[n++] = (check_table){tfm_isa_name(isa), tfm_kernels_get(isa)};
    if (tfm_isa_usable(TFM_ISA_AVX2)) { /* what the emulations are made of */
        EMULATED_TABLES
    }
    *tables = found;
    return n;
}

const tfm_kernels *check_scalar(void) { return tfm_kernels_get(TFM_ISA_SCALAR); }

size_t check_scaled(size_t n) {
    const char *scale = getenv("TFM_TEST_SCALE");
    if (scale) n = n * strtoul(scale, NULL, 10) / 100;
    return n > 0 ? n : 1;
}

void check_all(const char *name, check_fn *fn, size_t n) {
    const check_table *tables;
    size_t n_tables = check_tables(&tables);
    cr_assert(n_tables > 0);
    n = check_scaled(n);
    for (size_t t = 0; t < n_tables; t++) {
        size_t run = 0;
        for (; run < n; run++) {
            char why[sizeof((check_case *)NULL)->why];
            uint64_t seed = 1 + run * 0x10001;
            bool passed = check_run(fn, tables[t].kernels, seed, why);
            cr_assert(passed, "%s on %s, seed %llu: %s", name, tables[t].name, (unsigned long long)seed, why);
        }
        cr_assert(run > 0, "%s: no case ran on %s", name, tables[t].name);
    }
}
