/*
 * trie_builder.c - first-fit construction of a double-array trie.
 *
 * Nodes are placed depth first. Free units form a ring; a node tries the free units as places for its first child and
 * takes the first base that no node has and where all its children fit. Blocks of 256 units that are 16 blocks old leave
 * the ring, so that a placement costs a bounded number of tries.
 */
#include "trie_builder.h"

#include <stdlib.h>
#include <string.h>

#include "../../../format/model_file.h"
#include "../../../runtime/tokenizer/trie.h"

#define BLOCK       256u
#define OPEN_BLOCKS 16u

typedef struct unit_state {
    uint32_t next, previous; /* ring of free units */
    bool is_free, is_base;
} unit_state;

typedef struct builder {
    const tfm_trie_key *keys;
    tfm_trie_unit *units;
    unit_state *states;
    uint32_t n, capacity;
    uint32_t head; /* first free unit, or 0 (never free) if there is none */
    bool full, no_memory;
} builder;

int tfm_trie_key_compare(const void *a, const void *b) {
    const tfm_trie_key *x = a, *y = b;
    uint32_t n = x->n < y->n ? x->n : y->n;
    int order = memcmp(x->text, y->text, n);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static void take(builder *b, uint32_t unit) {
    unit_state *s = &b->states[unit];
    s->is_free = false;
    if (s->next == unit) {
        b->head = 0;
    } else {
        b->states[s->previous].next = s->next;
        b->states[s->next].previous = s->previous;
        if (b->head == unit) b->head = s->next;
    }
}

static void give(builder *b, uint32_t unit) {
    unit_state *s = &b->states[unit];
    s->is_free = true;
    if (b->head == 0) {
        b->head = s->next = s->previous = unit;
        return;
    }
    uint32_t last = b->states[b->head].previous;
    *s = (unit_state){b->head, last, true, s->is_base};
    b->states[last].next = unit;
    b->states[b->head].previous = unit;
}

/* Appends a block; the first holds the root alone. */
static bool add_block(builder *b) {
    if (b->n >= TFM_TRIE_MAX_UNITS) {
        b->full = true;
        return false;
    }
    if (b->n == b->capacity) {
        uint32_t capacity = b->capacity == 0 ? 16 * BLOCK : 2 * b->capacity;
        tfm_trie_unit *units = realloc(b->units, capacity * sizeof(*units));
        if (units != NULL) b->units = units;
        unit_state *states = realloc(b->states, capacity * sizeof(*states));
        if (states != NULL) b->states = states;
        if (units == NULL || states == NULL) {
            b->no_memory = true;
            return false;
        }
        b->capacity = capacity;
    }
    uint32_t first = b->n;
    b->n += BLOCK;
    memset(b->units + first, 0, BLOCK * sizeof(*b->units));
    memset(b->states + first, 0, BLOCK * sizeof(*b->states));
    for (uint32_t i = first; first > 0 && i < b->n; i++) give(b, i);
    if (first >= OPEN_BLOCKS * BLOCK) {
        uint32_t old = first - OPEN_BLOCKS * BLOCK;
        for (uint32_t i = old; i < old + BLOCK; i++) {
            if (b->states[i].is_free) take(b, i);
        }
    }
    return true;
}

static bool fits(const builder *b, uint32_t base, const unsigned char *labels, size_t n) {
    if (base < BLOCK || b->states[base].is_base) return false;
    for (size_t i = 0; i < n; i++) {
        if (!b->states[base ^ labels[i]].is_free) return false;
    }
    return true;
}

/* A base for children with these labels, 0 when there is no room; the children are taken. */
static uint32_t place(builder *b, const unsigned char *labels, size_t n) {
    uint32_t base = 0;
    if (b->head != 0) {
        uint32_t unit = b->head;
        do {
            if (fits(b, unit ^ labels[0], labels, n)) base = unit ^ labels[0];
            unit = b->states[unit].next;
        } while (base == 0 && unit != b->head);
    }
    if (base == 0) {
        base = b->n;
        if (!add_block(b)) return 0;
    }
    b->states[base].is_base = true;
    for (size_t i = 0; i < n; i++) {
        take(b, base ^ labels[i]);
        b->units[base ^ labels[i]].link = TFM_TRIE_USED | labels[i];
    }
    return base;
}

static unsigned char label_of(const builder *b, size_t key, uint32_t depth) {
    return (unsigned char)b->keys[key].text[depth];
}

/* Makes the children of a node for the keys begin .. end, which are longer than depth; 0 when there is no room. */
static uint32_t place_children(builder *b, uint32_t node, size_t begin, size_t end, uint32_t depth) {
    unsigned char labels[256];
    size_t n = 0;
    for (size_t i = begin; i < end; i++) {
        unsigned char label = label_of(b, i, depth);
        if (n == 0 || labels[n - 1] != label) labels[n++] = label;
    }
    uint32_t base = place(b, labels, n);
    if (base != 0) b->units[node].link |= base << TFM_TRIE_BASE_SHIFT;
    return base;
}

/* Builds what lies under a node: keys begin .. end share their first depth bytes, which lead to it. */
static bool build_node(builder *b, uint32_t node, size_t begin, size_t end, uint32_t depth) {
    for (; begin < end && b->keys[begin].n == depth; begin++) b->units[node].value = b->keys[begin].value;
    if (begin == end) return true;
    uint32_t base = place_children(b, node, begin, end, depth);
    if (base == 0) return false;
    while (begin < end) {
        unsigned char label = label_of(b, begin, depth);
        size_t next = begin + 1;
        while (next < end && label_of(b, next, depth) == label) next++;
        if (!build_node(b, base ^ label, begin, next, depth + 1)) return false;
        begin = next;
    }
    return true;
}

tfm_status tfm_trie_build(tfm_trie_key *keys, size_t n, const char *what, uint32_t **words, size_t *n_words,
                          tfm_error *error) {
    builder b = {.keys = keys};
    qsort(keys, n, sizeof(*keys), tfm_trie_key_compare);
    bool ok = add_block(&b) && build_node(&b, 0, 0, n, 0);
    free(b.states);
    if (!ok) {
        free(b.units);
        return b.full ? tfm_fail(error, TFM_ERROR_LIMIT, "%s: the vocabulary is too large for its search structure", what)
                      : tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory for the search structure", what);
    }
    *words = (uint32_t *)(void *)b.units;
    *n_words = (size_t)b.n * 2;
    return TFM_OK;
}
