/*
 * plan.h - what an importer wants written: each tensor of the model file, and which tensors of the checkpoint make it.
 *
 * An importer fills a plan; tfm_plan_run first holds it against the checkpoint (everything there, nothing else, all
 * shapes and types right: all problems in one message) and then streams the values, a panel at a time.
 */
#ifndef TFM_TOOLS_PACK_PLAN_PLAN_H
#define TFM_TOOLS_PACK_PLAN_PLAN_H

#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/checkpoint/matrix_rows.h"
#include "tools/pack/common/pack_options.h"

#define TFM_PLAN_PARTS 3

typedef struct tfm_plan tfm_plan;

/* NULL when there is no memory. */
tfm_plan *tfm_plan_new(tfm_checkpoint *checkpoint);
void tfm_plan_free(tfm_plan **plan);

/*
 * Adds the matrix `name` (sum of rows, k), its parts joined along rows; each part is a checkpoint tensor (rows[i], k).
 * Failures (memory, a name too long) are kept and reported by tfm_plan_run, so that importers can add without checking.
 */
void tfm_plan_matrix(tfm_plan *plan, const char *name, size_t n_parts, const char *const *parts, const uint64_t *rows,
                     uint64_t k);
/* A matrix of one part that is an embedding or the vocabulary projection: its type is chosen apart. */
void tfm_plan_embedding(tfm_plan *plan, const char *name, const char *part, uint64_t rows, uint64_t k);
/* The same for a vector; a part may also have the shape (1, rows). */
void tfm_plan_vector(tfm_plan *plan, const char *name, size_t n_parts, const char *const *parts, const uint64_t *rows);
/*
 * A part that is not a whole tensor in its own order. The part's row r is row first + r / block * stride + r % block of
 * a tensor with `total` rows (block 0: row first + r); `plus` is added to every element, which is then divided by
 * `over` unless that is 0. transposed: the tensor is (k, total), read whole into memory.
 */
typedef struct tfm_plan_slice {
    const char *name;
    uint64_t rows, total, first, block, stride;
    bool transposed;
    float plus, over;
} tfm_plan_slice;
/* As tfm_plan_matrix and tfm_plan_vector. What is rearranged in this way cannot be exported. */
void tfm_plan_matrix_slices(tfm_plan *plan, const char *name, size_t n_parts, const tfm_plan_slice *parts, uint64_t k);
void tfm_plan_vector_slices(tfm_plan *plan, const char *name, size_t n_parts, const tfm_plan_slice *parts);
/* A table of f32 rows (n, d) from the checkpoint. */
void tfm_plan_rows(tfm_plan *plan, const char *name, const char *part, uint64_t n, uint64_t d);
/* The same where each row i is a vector of its own, called `prefix`i`suffix`; it cannot be exported. */
void tfm_plan_stacked(tfm_plan *plan, const char *name, const char *prefix, const char *suffix, uint64_t n, uint64_t d);
/* A table of f32 rows (n, d) that fill computes. */
void tfm_plan_computed(tfm_plan *plan, const char *name, uint64_t n, uint64_t d, tfm_row_fill *fill);

/* Another name the checkpoint has for the whole of the tensor added last: checked like it, and exported again. */
void tfm_plan_alias(tfm_plan *plan, const char *name);
/* A tensor of the checkpoint that is not used, though it may be there. */
void tfm_plan_ignore(tfm_plan *plan, const char *name);

/* The section origin as it is to be written, for tensors whose names here are not the checkpoint's; NULL: none. */
void tfm_plan_set_origin(tfm_plan *plan, const tfm_table *origin);

/* Everything there, of the right shape and type, and nothing else. */
tfm_status tfm_plan_check(tfm_plan *plan, tfm_error *error);
/* Checks, writes all tensors in the order they were added, and the section origin. */
tfm_status tfm_plan_run(tfm_plan *plan, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error);

#endif
