/* ngrams.c - counting the n-grams two sequences have in common, by sorting and merging. */
#include "ngrams.h"

#include <stdlib.h>

static uint32_t minimum(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Order of the n-grams that start at a and b; a sequence that ends early comes before those it is the beginning of. */
static int compare_at(const tfm_ngrams *x, uint32_t a, const tfm_ngrams *y, uint32_t b, unsigned order) {
    uint32_t n_a = minimum(x->n - a, order), n_b = minimum(y->n - b, order);
    uint32_t n = minimum(n_a, n_b);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t left = x->symbols[a + i], right = y->symbols[b + i];
        if (left != right) return left < right ? -1 : 1;
    }
    return (n_a > n_b) - (n_a < n_b);
}

static int compare_starts(const void *a, const void *b, void *ngrams) {
    const tfm_ngrams *x = ngrams;
    return compare_at(x, *(const uint32_t *)a, x, *(const uint32_t *)b, x->max_order);
}

bool tfm_ngrams_make(tfm_ngrams *ngrams, const uint32_t *symbols, size_t n, unsigned max_order) {
    *ngrams = (tfm_ngrams){.symbols = symbols, .max_order = max_order};
    if (n == 0) return true;
    if (n > UINT32_MAX) return false;
    ngrams->starts = malloc(n * sizeof *ngrams->starts);
    if (!ngrams->starts) return false;
    ngrams->n = (uint32_t)n;
    for (uint32_t i = 0; i < ngrams->n; i++) ngrams->starts[i] = i;
    qsort_r(ngrams->starts, n, sizeof *ngrams->starts, compare_starts, ngrams);
    return true;
}

void tfm_ngrams_free(tfm_ngrams *ngrams) {
    free(ngrams->starts);
    *ngrams = (tfm_ngrams){0};
}

uint64_t tfm_ngrams_count(const tfm_ngrams *ngrams, unsigned order) {
    return ngrams->n < order ? 0 : (uint64_t)ngrams->n - order + 1;
}

/*
 * Times the n-gram of x at position a occurs in y. Starts sorted by max_order symbols are sorted by fewer symbols too,
 * so one sorted list serves every order, and a cursor that only moves up serves n-grams that come in sorted order.
 */
static uint32_t occurrences(const tfm_ngrams *x, uint32_t a, tfm_ngrams *y, unsigned order) {
    while (y->cursor < y->n && compare_at(y, y->starts[y->cursor], x, a, order) < 0) y->cursor++;
    uint32_t first = y->cursor;
    while (y->cursor < y->n && compare_at(y, y->starts[y->cursor], x, a, order) == 0) y->cursor++;
    return y->cursor - first;
}

uint64_t tfm_ngrams_match(const tfm_ngrams *hypothesis, tfm_ngrams *references, size_t n_references, unsigned order) {
    for (size_t r = 0; r < n_references; r++) references[r].cursor = 0;
    uint64_t matches = 0;
    const uint32_t *starts = hypothesis->starts;
    for (uint32_t i = 0, end; i < hypothesis->n; i = end) {
        end = i + 1;
        if (hypothesis->n - starts[i] < order) continue;
        while (end < hypothesis->n && compare_at(hypothesis, starts[i], hypothesis, starts[end], order) == 0) end++;
        uint32_t most = 0;
        for (size_t r = 0; r < n_references; r++) {
            uint32_t times = occurrences(hypothesis, starts[i], &references[r], order);
            if (times > most) most = times;
        }
        matches += minimum(end - i, most);
    }
    return matches;
}
