/*
 * top_k.c - the k largest elements; compiled once per instruction set.
 *
 * The best so far stand in a heap whose root is the worst of them; the largest of 64 elements at a time is compared
 * with the root, and once that has settled almost none passes. Indices rise during the scan, so an element equal to the
 * root is always the later one and loses the tie.
 */
#include "isa_kernels.h"

typedef struct heap {
    float *values;
    uint32_t *indices;
    size_t n;
} heap;

/* Whether a ranks behind b: smaller, or equal and later. */
static bool worse(const heap *h, size_t a, size_t b) {
    if (h->values[a] != h->values[b]) return h->values[a] < h->values[b];
    return h->indices[a] > h->indices[b];
}

static void swap(heap *h, size_t a, size_t b) {
    float value = h->values[a];
    uint32_t index = h->indices[a];
    h->values[a] = h->values[b];
    h->indices[a] = h->indices[b];
    h->values[b] = value;
    h->indices[b] = index;
}

static void sift_down(heap *h, size_t at) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->n) return;
        if (child + 1 < h->n && worse(h, child + 1, child)) child++;
        if (!worse(h, child, at)) return;
        swap(h, child, at);
        at = child;
    }
}

/* Takes the first k elements that are numbers; returns where the scan goes on. */
static size_t fill(heap *h, const float *x, size_t n, size_t k) {
    size_t i = 0;
    for (; i < n && h->n < k; i++) {
        if (isnan(x[i])) continue;
        h->values[h->n] = x[i];
        h->indices[h->n++] = (uint32_t)i;
    }
    for (size_t at = h->n / 2; at-- > 0;) sift_down(h, at);
    return i;
}

static void offer(heap *h, float value, size_t index) {
    if (!(value > h->values[0])) return;
    h->values[0] = value;
    h->indices[0] = (uint32_t)index;
    sift_down(h, 0);
}

/* Taking the root away again and again leaves the best first. */
static void sort(heap *h) {
    size_t n = h->n;
    while (h->n > 1) {
        h->n--;
        swap(h, 0, h->n);
        sift_down(h, 0);
    }
    h->n = n;
}

/* Offers those of the 16 elements from i on that are above the root. */
static void offer_16(heap *h, const float *x, size_t i) {
    uint32_t above = v16_gt_mask(v16_load(x + i), v16_set(h->values[0]));
    for (; above; above &= above - 1) {
        size_t at = i + (size_t)__builtin_ctz(above);
        offer(h, x[at], at);
    }
}

/* Whether one of the 64 elements at x is above root. A NaN gives way to what v16_max has as its second argument. */
V16_INLINE bool any_above(const float *x, v16 root) {
    v16 m = v16_max(v16_load(x + 16), v16_max(v16_load(x), root));
    v16 l = v16_max(v16_load(x + 48), v16_max(v16_load(x + 32), root));
    return v16_gt_mask(v16_max(l, m), root) != 0;
}

size_t V16_NAME(tfm_top_k)(const float *x, size_t n, size_t k, float *values, uint32_t *indices) {
    heap h = {values, indices, 0};
    if (k == 0) return 0;
    size_t i = fill(&h, x, n, k);
    v16 root = v16_set(h.n > 0 ? values[0] : 0.0f);
    for (; i + 64 <= n; i += 64) {
        if (!any_above(x + i, root)) continue;
        for (size_t j = 0; j < 64; j += 16) offer_16(&h, x, i + j);
        root = v16_set(values[0]);
    }
    for (; i + 16 <= n; i += 16) offer_16(&h, x, i);
    for (; i < n; i++) offer(&h, x[i], i);
    sort(&h);
    return h.n;
}
