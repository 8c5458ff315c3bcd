/* top_k_test.c - the k largest elements. */
#include "checker.h"

#include <stdlib.h>

typedef struct ranked {
    float value;
    uint32_t index;
} ranked;

static int by_rank(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

void check_top_k(check_case *c, const tfm_kernels *k) {
    size_t n = check_chance(c, 10) ? check_size(c, 5000) : check_size(c, 200);
    size_t wanted = check_chance(c, 50) ? check_below(c, 8) : check_size(c, n + 5);
    float *x = check_vector(c, n);
    if (check_chance(c, 30)) check_spice(c, x, n, true);
    if (check_chance(c, 20))
        for (size_t i = 0; i < n; i++) /* rising: every element displaces one */
            x[i] = (float)(i / 3);
    ranked *order = check_bytes(c, n * sizeof *order);
    size_t numbers = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) order[numbers++] = (ranked){x[i], (uint32_t)i};
    if (numbers > 0) qsort(order, numbers, sizeof *order, by_rank);
    float *values = check_floats(c, wanted);
    uint32_t *indices = check_bytes(c, wanted * sizeof *indices);
    size_t expected = numbers < wanted ? numbers : wanted, found = k->top_k(x, n, wanted, values, indices);
    if (found != expected) check_fail(c, "top_k: found %zu of %zu, expected %zu", found, n, expected);
    for (size_t i = 0; i < expected && !c->failed; i++)
        if (indices[i] != order[i].index || !check_same(values[i], order[i].value))
            check_fail(c, "top_k: rank %zu is %g at %u, expected %g at %u", i, (double)values[i], indices[i],
                       (double)order[i].value, order[i].index);
}
