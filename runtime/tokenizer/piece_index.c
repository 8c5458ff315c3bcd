/* piece_index.c - a hash table of spellings, made by whichever thread asks first. */
#include "piece_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_spelled(const tfm_spellings *spellings, size_t id, const char *text, size_t n) {
    return spellings->offsets[id + 1] - spellings->offsets[id] == n &&
           memcmp(spellings->texts + spellings->offsets[id], text, n) == 0;
}

/* FNV-1a (Fowler, Noll and Vo). */
static uint64_t hash(const char *text, size_t n) {
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    return h ^ h >> 32;
}

/* A power of two, so that at most half of the slots are taken. */
static size_t count_slots(size_t n) {
    size_t slots = 16;
    while (slots < 2 * n) slots *= 2;
    return slots;
}

/* The slot of a spelling, or an empty one where it would be. */
static size_t find_slot(const uint32_t *slots, size_t n_slots, const tfm_spellings *spellings, const char *text,
                        size_t n) {
    size_t slot = (size_t)hash(text, n) & (n_slots - 1);
    while (slots[slot] != 0 && !is_spelled(spellings, slots[slot] - 1, text, n)) slot = (slot + 1) & (n_slots - 1);
    return slot;
}

static uint32_t *make(const tfm_spellings *spellings) {
    size_t n_slots = count_slots(spellings->n);
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    if (!slots) return NULL;
    for (size_t id = 0; id < spellings->n; id++) {
        const char *text = spellings->texts + spellings->offsets[id];
        size_t n = spellings->offsets[id + 1] - spellings->offsets[id];
        if (n == 0) continue;
        size_t slot = find_slot(slots, n_slots, spellings, text, n);
        if (slots[slot] == 0) slots[slot] = (uint32_t)id + 1;
    }
    return slots;
}

int32_t tfm_piece_index_find(tfm_piece_index *index, const tfm_spellings *spellings, const char *text, size_t n) {
    uint32_t *slots = atomic_load_explicit(&index->slots, memory_order_acquire);
    if (n == 0) return -1;
    if (!slots) {
        uint32_t *made = make(spellings), *other = NULL;
        slots = made;
        if (made && !atomic_compare_exchange_strong(&index->slots, &other, made)) {
            free(made); /* another thread was quicker */
            slots = other;
        }
    }
    if (slots) return (int32_t)slots[find_slot(slots, count_slots(spellings->n), spellings, text, n)] - 1;
    for (size_t id = 0; id < spellings->n; id++) { /* no memory for it: slowly */
        if (is_spelled(spellings, id, text, n)) return (int32_t)id;
    }
    return -1;
}

void tfm_piece_index_free(tfm_piece_index *index) {
    free(atomic_load(&index->slots));
    atomic_store(&index->slots, NULL);
}
