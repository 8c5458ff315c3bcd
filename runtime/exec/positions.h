/*
 * positions.h - what depends on positions alone and serves all layers: the tables of RoPE and the biases of scores.
 */
#ifndef TFM_RUNTIME_EXEC_POSITIONS_H
#define TFM_RUNTIME_EXEC_POSITIONS_H

#include "runtime/model/model.h"
#include "runtime/os/pool.h"

/* Cosines and sines of rotary position embeddings, filled as far as positions have been reached. */
typedef struct tfm_rope_cache {
    float *table; /* (n_max, rope_dim) */
    size_t n_max, n_filled;
} tfm_rope_cache;

/* Makes rows 0 .. n - 1 of the table valid; n <= n_max. */
void tfm_rope_cache_extend(tfm_rope_cache *cache, const tfm_stack_options *options, size_t n, tfm_pool *pool);

/* values[h * width + centre + (k - q)]: what the score of head h gets for a query at q and a key at k. */
typedef struct tfm_position_bias {
    float *values; /* (n_heads, width), or NULL: the stack has none */
    size_t width, centre;
} tfm_position_bias;

/*
 * Fills in the values of a stack with position alibi or relative. Keys after the query are reached if
 * width > centre + 1.
 */
void tfm_position_bias_fill(tfm_position_bias *bias, const tfm_stack *stack);

#endif
