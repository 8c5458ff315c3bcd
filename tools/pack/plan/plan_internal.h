/*
 * plan_internal.h - the data of a plan, shared by the part that checks and the part that writes.
 */
#ifndef TFM_TOOLS_PACK_PLAN_PLAN_INTERNAL_H
#define TFM_TOOLS_PACK_PLAN_PLAN_INTERNAL_H

#include "plan.h"

#define TFM_PLAN_ALIASES 4

typedef enum tfm_plan_kind { TFM_PLAN_MATRIX, TFM_PLAN_VECTOR, TFM_PLAN_ROWS } tfm_plan_kind;

typedef struct tfm_plan_part {
    char name[128];
    uint64_t rows;
    bool alias; /* another name of the whole, not a part of it */
    bool sliced;
    tfm_plan_slice slice; /* if sliced; its name is not used */
    const tfm_checkpoint_tensor *tensor;
} tfm_plan_part;

typedef struct tfm_plan_output {
    char name[TFM_NAME_MAX + 1];
    tfm_plan_kind kind;
    bool embedding;
    uint64_t n, k; /* rows, columns; k = 1 for vectors */
    tfm_row_fill *fill;
    bool stacked; /* row i is the vector named prefix, i, suffix; there are no parts */
    char prefix[128], suffix[32];
    size_t n_parts;
    tfm_plan_part parts[TFM_PLAN_PARTS + TFM_PLAN_ALIASES];
} tfm_plan_output;

struct tfm_plan {
    tfm_checkpoint *checkpoint;
    tfm_plan_output *outputs;
    size_t n_outputs, capacity;
    bool *used;      /* tensors of the checkpoint that have a place */
    bool has_origin; /* `origin` counts, and not the names of the parts */
    const tfm_table *origin;
    tfm_status status;
};

/* The part that is row i of a stacked output. */
tfm_plan_part tfm_plan_row(const tfm_plan *plan, const tfm_plan_output *output, uint64_t i);

#endif
