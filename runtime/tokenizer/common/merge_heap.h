/*
 * merge_heap.h - candidates for merging two neighbouring symbols, the best first: a binary heap in an array that the
 * caller grows.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_MERGE_HEAP_H
#define TFM_RUNTIME_TOKENIZER_COMMON_MERGE_HEAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct tfm_merge_candidate {
    uint64_t order;       /* the lowest first: tfm_merge_order */
    uint32_t left, right; /* by which it shows, when it comes up, whether another merge was quicker */
} tfm_merge_candidate;

/* The lowest rank first, among equals the leftmost symbol. */
static inline uint64_t tfm_merge_order(uint32_t rank, uint32_t place) { return (uint64_t)rank << 32 | place; }
/* Place of the left symbol. */
static inline uint32_t tfm_merge_place(const tfm_merge_candidate *candidate) { return (uint32_t)candidate->order; }

/* heap has room for n + 1. */
static inline void tfm_merge_heap_push(tfm_merge_candidate *heap, size_t n, tfm_merge_candidate candidate) {
    size_t i = n;
    for (; i > 0 && candidate.order < heap[(i - 1) / 2].order; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = candidate;
}

/* Takes the first of n >= 1. */
static inline tfm_merge_candidate tfm_merge_heap_pop(tfm_merge_candidate *heap, size_t n) {
    tfm_merge_candidate top = heap[0], last = heap[--n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1].order < heap[child].order) child++;
        if (heap[child].order >= last.order) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

#endif
