/* ragged_batch.c - see ragged_batch.h. */
#include "ragged_batch.h"

#include <string.h>

tfm_run *tfm_ragged_batch_append(tfm_ragged_batch *batch, const int32_t *ids, size_t n, size_t past) {
    tfm_run *run = &batch->runs[batch->n_runs++];
    *run = (tfm_run){.row = batch->n_tokens, .n = n, .past = past, .sequence = -1};
    memcpy(batch->ids + run->row, ids, n * sizeof *ids);
    if (batch->token_types) memset(batch->token_types + run->row, 0, n * sizeof *batch->token_types);
    batch->n_tokens += n;
    return run;
}
