/* positions_test.c - tables of RoPE that grow, and the biases of scores by their definitions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/positions.h"
#include "simd/position_table.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

enum { DIM = 6, N_MAX = 200, MAX_POSITIONS = 180 };

/* However the table is extended, a row that is valid has the bits of a table made at once, and no row is made too far.
 */
Test(positions, rope_tables_grow_as_they_are_needed) {
    static const float frequencies[DIM] = {1, 0.3f, 0.01f, 1e-9f, 1e-10f, 0};
    const tfm_stack_options options = {
        .rope_dim = DIM, .rope_factor = 1.5f, .rope_frequencies = frequencies, .max_positions = MAX_POSITIONS};
    static float whole[N_MAX * DIM];
    tfm_rope_table(whole, N_MAX, 0, DIM, frequencies, 1.5f);
    tfm_pool *pool;
    REQUIRE_OK(tfm_pool_create(&pool, 3, error));
    for (size_t step = 1; step < 90; step += 11) {
        float *table = malloc(N_MAX * DIM * sizeof *table);
        cr_assert(table);
        memset(table, 0xff, N_MAX * DIM * sizeof *table);
        tfm_rope_cache cache = {.table = table, .n_max = N_MAX};
        for (size_t n = 1; n <= MAX_POSITIONS; n += step) {
            tfm_rope_cache_extend(&cache, &options, n, step % 2 ? pool : NULL);
            cr_assert(cache.n_filled >= n && cache.n_filled <= MAX_POSITIONS, "%zu of %zu", cache.n_filled, n);
            cr_assert(!memcmp(table, whole, cache.n_filled * DIM * sizeof *table), "%zu rows, by %zu", n, step);
            for (size_t i = cache.n_filled * DIM; i < N_MAX * DIM; i++) cr_assert(isnan(table[i]));
        }
        size_t before = cache.n_filled;
        tfm_rope_cache_extend(&cache, &options, 1, pool);
        cr_assert(cache.n_filled == before);
        free(table);
    }
    tfm_pool_free(&pool);
}

Test(positions, alibi_is_a_slope_by_distance) {
    static const float slopes[3] = {0.5f, -0.25f, 3};
    const tfm_stack_options options = {.position = TFM_POSITION_ALIBI, .n_heads = 3, .alibi_slopes = slopes};
    const tfm_stack stack = {.options = &options};
    static float values[3 * 19];
    for (size_t width = 10; width <= 19; width += 9) { /* keys up to the query, and on both sides of it */
        tfm_position_bias bias = {.values = values, .width = width, .centre = 9};
        tfm_position_bias_fill(&bias, &stack);
        for (size_t h = 0; h < 3; h++)
            for (size_t i = 0; i < width; i++)
                cr_assert(values[h * width + i] == slopes[h] * ((float)i - 9), "head %zu, offset %zu", h, i);
    }
}

/* T5's buckets, as its paper and code define them. offset: of the key, from the query. */
static size_t t5_bucket(ptrdiff_t offset, size_t n, size_t max_distance, bool both_ways) {
    size_t first = 0, distance = (size_t)(offset < 0 ? -offset : offset);
    if (both_ways) {
        n /= 2;
        if (offset > 0) first = n;
    } else if (offset > 0) {
        distance = 0;
    }
    if (distance < n / 2) return first + distance;
    double part = log((double)distance / (double)(n / 2)) / log((double)max_distance / (double)(n / 2));
    size_t bucket = n / 2 + (size_t)(part * (double)(n - n / 2) + 1e-12);
    return first + (bucket < n ? bucket : n - 1);
}

Test(positions, relative_biases_are_those_of_buckets) {
    enum { HEADS = 2, CENTRE = 299 };
    static const struct { uint32_t n_buckets, max_distance; } cases[] = {{32, 128}, {8, 19}, {7, 20}, {64, 256}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint32_t n = cases[c].n_buckets;
        float *relative = malloc(n * HEADS * sizeof *relative);
        float *values = malloc((2 * CENTRE + 1) * HEADS * sizeof *values);
        cr_assert(relative && values);
        for (uint32_t i = 0; i < n * HEADS; i++) relative[i] = (float)i;
        const tfm_stack_options options = {.position = TFM_POSITION_RELATIVE,
                                           .n_heads = HEADS,
                                           .relative_buckets = n,
                                           .relative_max_distance = cases[c].max_distance};
        const tfm_stack stack = {.options = &options, .relative = relative};
        for (int both_ways = 0; both_ways < 2; both_ways++) {
            size_t width = both_ways ? 2 * CENTRE + 1 : CENTRE + 1;
            tfm_position_bias bias = {.values = values, .width = width, .centre = CENTRE};
            tfm_position_bias_fill(&bias, &stack);
            for (size_t i = 0; i < width; i++) {
                size_t bucket = t5_bucket((ptrdiff_t)i - CENTRE, n, cases[c].max_distance, both_ways);
                for (size_t h = 0; h < HEADS; h++)
                    cr_assert(values[h * width + i] == relative[bucket * HEADS + h],
                              "%u buckets, offset %td: %g, expected bucket %zu", n, (ptrdiff_t)i - CENTRE,
                              (double)values[h * width + i], bucket);
            }
        }
        free(relative);
        free(values);
    }
}
