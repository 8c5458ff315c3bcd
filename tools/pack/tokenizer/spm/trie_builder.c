/*
 * trie_builder.c - first-fit construction of a double-array trie with shared ends.
 *
 * Children are placed after what lies under them, so that nodes with equal children (labels, values and bases) can
 * share one base: rules for Hangul syllables alone would else need six times the units. Free units form a ring; a set
 * of children tries the free units as places for its first and takes the first base that no other set has and where all
 * fit. Blocks of 256 units that are 16 blocks old leave the ring, so that a placement costs a bounded number of tries.
 */
#include "trie_builder.h"

#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/tfm_error.h"
#include "runtime/tokenizer/common/trie.h"

#define BLOCK 256u
#define OPEN_BLOCKS 16u

typedef struct unit_state {
    uint32_t next, previous; /* ring of free units */
    bool is_free, is_base;
} unit_state;

typedef struct child {
    uint32_t link, value; /* as in its unit */
} child;

typedef struct known_set {
    uint32_t hash, base; /* base 0: an empty slot */
    uint32_t n;
} known_set;

typedef struct builder {
    const tfm_trie_key *keys;
    child *children; /* a stack of the sets that are being built */
    size_t n_children, children_capacity;
    known_set *sets; /* open addressing; a power of two */
    size_t n_sets, sets_capacity;
    tfm_trie_unit *units;
    unit_state *states;
    uint32_t n;
    size_t unit_capacity, state_capacity;
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
    unit_state *state = &b->states[unit];
    state->is_free = false;
    if (state->next == unit) {
        b->head = 0;
    } else {
        b->states[state->previous].next = state->next;
        b->states[state->next].previous = state->previous;
        if (b->head == unit) b->head = state->next;
    }
}

static void give(builder *b, uint32_t unit) {
    unit_state *state = &b->states[unit];
    state->is_free = true;
    if (b->head == 0) {
        b->head = state->next = state->previous = unit;
        return;
    }
    uint32_t last = b->states[b->head].previous;
    *state = (unit_state){b->head, last, true, state->is_base};
    b->states[last].next = unit;
    b->states[b->head].previous = unit;
}

/* Appends a block; the first holds the root alone. */
static bool add_block(builder *b) {
    if (b->n >= TFM_TRIE_MAX_UNITS) {
        b->full = true;
        return false;
    }
    if (!tfm_grow(&b->units, &b->unit_capacity, b->n, BLOCK, sizeof *b->units) ||
        !tfm_grow(&b->states, &b->state_capacity, b->n, BLOCK, sizeof *b->states)) {
        b->no_memory = true;
        return false;
    }
    uint32_t first = b->n;
    b->n += BLOCK;
    memset(b->units + first, 0, BLOCK * sizeof *b->units);
    memset(b->states + first, 0, BLOCK * sizeof *b->states);
    for (uint32_t i = first; first > 0 && i < b->n; i++) give(b, i);
    if (first >= OPEN_BLOCKS * BLOCK) {
        uint32_t old = first - OPEN_BLOCKS * BLOCK;
        for (uint32_t i = old; i < old + BLOCK; i++) {
            if (b->states[i].is_free) take(b, i);
        }
    }
    return true;
}

static unsigned char label_of(child c) { return (unsigned char)c.link; }

static bool fits(const builder *b, uint32_t base, const child *set, size_t n) {
    if (base < BLOCK || b->states[base].is_base) return false;
    for (size_t i = 0; i < n; i++) {
        if (!b->states[base ^ label_of(set[i])].is_free) return false;
    }
    return true;
}

/* A base where the set of children lies from now on; 0 when there is no room. */
static uint32_t place(builder *b, const child *set, size_t n) {
    uint32_t base = 0;
    if (b->head != 0) {
        uint32_t unit = b->head;
        do {
            if (fits(b, unit ^ label_of(set[0]), set, n)) base = unit ^ label_of(set[0]);
            unit = b->states[unit].next;
        } while (base == 0 && unit != b->head);
    }
    if (base == 0) {
        base = b->n;
        if (!add_block(b)) return 0;
    }
    b->states[base].is_base = true;
    for (size_t i = 0; i < n; i++) {
        uint32_t unit = base ^ label_of(set[i]);
        take(b, unit);
        b->units[unit] = (tfm_trie_unit){set[i].link, set[i].value};
    }
    return base;
}

static uint32_t hash_of(const child *set, size_t n) {
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ set[i].link) * 0x9E3779B97F4A7C15u;
        hash = (hash ^ hash >> 29 ^ set[i].value) * 0xBF58476D1CE4E5B9u;
    }
    return (uint32_t)(hash >> 32);
}

static bool lies_at(const builder *b, const known_set *known, const child *set, size_t n) {
    if (known->n != n) return false;
    for (size_t i = 0; i < n; i++) {
        const tfm_trie_unit *unit = &b->units[known->base ^ label_of(set[i])];
        if (unit->link != set[i].link || unit->value != set[i].value) return false;
    }
    return true;
}

static bool grow_sets(builder *b) {
    size_t capacity = b->sets_capacity == 0 ? 1024 : 2 * b->sets_capacity;
    known_set *sets = calloc(capacity, sizeof *sets);
    if (!sets) {
        b->no_memory = true;
        return false;
    }
    for (size_t i = 0; i < b->sets_capacity; i++) {
        if (b->sets[i].base == 0) continue;
        size_t slot = b->sets[i].hash & (capacity - 1);
        while (sets[slot].base != 0) slot = (slot + 1) & (capacity - 1);
        sets[slot] = b->sets[i];
    }
    free(b->sets);
    b->sets = sets;
    b->sets_capacity = capacity;
    return true;
}

/* The base of a set of children: where an equal set lies already, else a new place; 0 when there is no room. */
static uint32_t base_of(builder *b, const child *set, size_t n) {
    if (b->n_sets * 2 >= b->sets_capacity && !grow_sets(b)) return 0;
    uint32_t hash = hash_of(set, n);
    size_t slot = hash & (b->sets_capacity - 1);
    for (; b->sets[slot].base != 0; slot = (slot + 1) & (b->sets_capacity - 1)) {
        if (b->sets[slot].hash == hash && lies_at(b, &b->sets[slot], set, n)) return b->sets[slot].base;
    }
    uint32_t base = place(b, set, n);
    if (base == 0) return 0;
    b->sets[slot] = (known_set){hash, base, (uint32_t)n};
    b->n_sets++;
    return base;
}

/* Makes room for n children on the stack; their index, or SIZE_MAX. */
static size_t push_children(builder *b, size_t n) {
    if (!tfm_grow(&b->children, &b->children_capacity, b->n_children, n, sizeof *b->children)) {
        b->no_memory = true;
        return SIZE_MAX;
    }
    b->n_children += n;
    return b->n_children - n;
}

/* First key from i on, before end, whose byte at depth is another than that of key i. */
static size_t next_label(const builder *b, size_t i, size_t end, uint32_t depth) {
    char label = b->keys[i].text[depth];
    while (i < end && b->keys[i].text[depth] == label) i++;
    return i;
}

/* Builds what lies under a node and completes its value and link. Keys begin .. end share the depth bytes up to it. */
static bool build_node(builder *b, child *node, size_t begin, size_t end, uint32_t depth) {
    for (; begin < end && b->keys[begin].n == depth; begin++) node->value = b->keys[begin].value;
    if (begin == end) return true;
    size_t n = 0;
    for (size_t i = begin; i < end; i = next_label(b, i, end, depth)) n++;
    size_t first = push_children(b, n);
    if (first == SIZE_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        size_t next = next_label(b, begin, end, depth);
        child c = {TFM_TRIE_USED | (unsigned char)b->keys[begin].text[depth], 0};
        if (!build_node(b, &c, begin, next, depth + 1)) return false;
        b->children[first + i] = c; /* the stack may have moved */
        begin = next;
    }
    uint32_t base = base_of(b, b->children + first, n);
    b->n_children = first;
    node->link |= base << TFM_TRIE_BASE_SHIFT;
    return base != 0;
}

tfm_status tfm_trie_build(tfm_trie_key *keys, size_t n, const char *what, uint32_t **words, size_t *n_words,
                          tfm_error *error) {
    builder b = {.keys = keys};
    qsort(keys, n, sizeof *keys, tfm_trie_key_compare);
    child root = {0};
    bool ok = add_block(&b) && build_node(&b, &root, 0, n, 0);
    if (ok) b.units[0] = (tfm_trie_unit){root.link, root.value};
    free(b.states);
    free(b.children);
    free(b.sets);
    if (!ok) {
        free(b.units);
        return b.full
                   ? tfm_fail(error, TFM_ERROR_LIMIT, "%s: the vocabulary is too large for its search structure", what)
                   : tfm_no_memory(error, "%s: the search structure", what);
    }
    *words = (uint32_t *)(void *)b.units;
    *n_words = (size_t)b.n * 2;
    return TFM_OK;
}

tfm_status tfm_trie_put(tfm_table_builder *table, const char *key, tfm_trie_key *keys, size_t n, const char *what,
                        tfm_error *error) {
    uint32_t *words;
    size_t n_words;
    tfm_status status = tfm_trie_build(keys, n, what, &words, &n_words, error);
    if (status != TFM_OK) return status;
    tfm_table_set_array(table, key, TFM_VALUE_U32S, words, n_words);
    free(words);
    return TFM_OK;
}
