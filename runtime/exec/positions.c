/*
 * positions.c - see positions.h.
 */
#include "positions.h"

#include <math.h>

#include "simd/log.h"
#include "simd/position_table.h"

/* ---- rotary position embeddings ---- */

typedef struct fill_job {
    tfm_rope_cache *cache;
    size_t first, n;
    const tfm_stack_options *options;
} fill_job;

static void fill_part(void *arg, unsigned worker, unsigned n_workers) {
    const fill_job *job = arg;
    size_t begin, end, dim = job->options->rope_dim;
    tfm_partition(job->n, 1, worker, n_workers, &begin, &end);
    if (begin < end)
        tfm_rope_table(job->cache->table + (job->first + begin) * dim, end - begin, job->first + begin, dim,
                       job->options->rope_frequencies, job->options->rope_factor);
}

void tfm_rope_cache_extend(tfm_rope_cache *cache, const tfm_stack_options *options, size_t n, tfm_pool *pool) {
    /* Positions filled beyond what is asked; what an angle's cosine and sine cost, in multiply-adds. */
    enum { AHEAD = 32, ANGLE_WORK = 32 };
    if (n <= cache->n_filled) return;
    size_t to = n + AHEAD < options->max_positions ? n + AHEAD : options->max_positions;
    if (to < n) to = n;
    if (to > cache->n_max) to = cache->n_max;
    fill_job job = {cache, cache->n_filled, to - cache->n_filled, options};
    tfm_pool_run_sized(pool, job.n * (options->rope_dim / 2) * ANGLE_WORK, fill_part, &job);
    cache->n_filled = to;
}

/* ---- biases of scores ---- */

/* Of n buckets for one direction, half are distances, the others logarithms of distances. */
static size_t bucket_of(size_t distance, size_t n, size_t max_distance) {
    size_t exact = n / 2;
    if (distance < exact) return distance;
    if (distance >= max_distance) return n - 1;
    double part = tfm_log((double)distance / (double)exact) / tfm_log((double)max_distance / (double)exact);
    /* Where the quotient is a whole number but for rounding, it is that number. */
    size_t bucket = exact + (size_t)(part * (double)(n - exact) + 1e-9);
    return bucket < n ? bucket : n - 1;
}

/* The row of a table of biases for a key `offset` positions after the query. */
static size_t row_of(const tfm_stack_options *o, ptrdiff_t offset, bool both_ways) {
    size_t n = o->relative_buckets, first = 0, distance = offset < 0 ? (size_t)-offset : (size_t)offset;
    if (both_ways) {
        n /= 2;
        if (offset > 0) first = n;
    } else if (offset > 0) {
        distance = 0;
    }
    return first + bucket_of(distance, n, o->relative_max_distance);
}

void tfm_position_bias_fill(tfm_position_bias *bias, const tfm_stack *stack) {
    const tfm_stack_options *o = stack->options;
    bool both_ways = bias->width > bias->centre + 1;
    for (size_t i = 0; i < bias->width; i++) {
        ptrdiff_t offset = (ptrdiff_t)i - (ptrdiff_t)bias->centre;
        if (o->position == TFM_POSITION_ALIBI) {
            for (size_t h = 0; h < o->n_heads; h++)
                bias->values[h * bias->width + i] = o->alibi_slopes[h] * (float)offset;
        } else {
            const float *row = stack->relative + row_of(o, offset, both_ways) * o->n_heads;
            for (size_t h = 0; h < o->n_heads; h++) bias->values[h * bias->width + i] = row[h];
        }
    }
}
