/* ragged_batch_test.c - runs are laid one after the other, and a batch begins anew. */
#include <string.h>

#include "runtime/exec/ragged_batch.h"
#include "tests/support/tiny_session.h"

Test(ragged_batch, runs_follow_each_other) {
    static const int32_t first[] = {7, 8, 9}, second[] = {1}, both[] = {7, 8, 9, 1};
    tfm_run runs[2];
    int32_t ids[4];
    uint32_t types[4], positions[4];
    tfm_ragged_batch batch = {.runs = runs, .ids = ids, .token_types = types, .positions = positions};
    for (int round = 0; round < 2; round++) {
        memset(types, 0xff, sizeof types);
        tfm_ragged_batch_clear(&batch);
        cr_assert(batch.n_runs == 0 && batch.n_tokens == 0);
        const tfm_run *a = tfm_ragged_batch_append(&batch, first, 3, 0);
        const tfm_run *b = tfm_ragged_batch_append(&batch, second, 1, 12);
        cr_assert(a == &runs[0] && b == &runs[1] && batch.n_runs == 2 && batch.n_tokens == 4);
        cr_assert(a->row == 0 && a->n == 3 && a->past == 0 && b->row == 3 && b->n == 1 && b->past == 12);
        cr_assert(!a->pages && !a->cross_pages && a->sequence == -1 && a->n_source == 0);
        cr_assert(!memcmp(ids, both, sizeof both));
        for (size_t i = 0; i < 4; i++) cr_assert(types[i] == 0);
        runs[0].sequence = 5; /* what a caller filled in is gone in the next round */
    }
    batch.token_types = NULL;
    tfm_ragged_batch_clear(&batch);
    cr_assert(tfm_ragged_batch_append(&batch, second, 1, 0)->n == 1);
}
