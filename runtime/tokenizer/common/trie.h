/*
 * trie.h - a double-array trie over bytes, searched where it lies in the model file.
 *
 * After Aoe, "An efficient digital search algorithm by using a double-array structure" (1989), with children addressed
 * by exclusive or. A unit is two u32: `link` holds the base of the children in bits 9..31, a used mark in bit 8 and the
 * label of the edge that leads here in bits 0..7; `value` is 0 for none. The child of a node by byte b is the unit
 * base ^ b, if that unit is used and labelled b. Nodes share a base only if their children are the same in everything,
 * so the label alone proves the parent. Base 0 belongs to nodes without children: of the units 0..255 only the root,
 * unit 0, is in use.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_TRIE_H
#define TFM_RUNTIME_TOKENIZER_COMMON_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFM_TRIE_MAX_UNITS (1u << 23)
#define TFM_TRIE_MAX_KEY 1023u /* bytes of a key; no search goes deeper */
#define TFM_TRIE_USED 0x100u
#define TFM_TRIE_BASE_SHIFT 9

typedef struct tfm_trie_unit {
    uint32_t link, value;
} tfm_trie_unit;

typedef struct tfm_trie {
    const tfm_trie_unit *units; /* NULL: a trie without keys */
    size_t n;
} tfm_trie;

/* Moves *node (0 is the root) along a byte; false if there is no such edge. */
static inline bool tfm_trie_step(const tfm_trie *trie, uint32_t *node, unsigned char byte) {
    uint32_t child = (trie->units[*node].link >> TFM_TRIE_BASE_SHIFT) ^ byte;
    if ((trie->units[child].link & 0x1FFu) != (TFM_TRIE_USED | byte)) return false;
    *node = child;
    return true;
}

/* Moves *node along n bytes. */
static inline bool tfm_trie_walk(const tfm_trie *trie, uint32_t *node, const char *key, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!tfm_trie_step(trie, node, (unsigned char)key[i])) return false;
    }
    return true;
}

/* The value of exactly this key, or 0. */
static inline uint32_t tfm_trie_find(const tfm_trie *trie, const char *key, size_t n) {
    uint32_t node = 0;
    if (!trie->units || n > TFM_TRIE_MAX_KEY || !tfm_trie_walk(trie, &node, key, n)) return 0;
    return trie->units[node].value;
}

/* The longest key that text begins with: its length in *length and its value, or 0. */
static inline uint32_t tfm_trie_longest(const tfm_trie *trie, const char *text, size_t n, size_t *length) {
    uint32_t node = 0, value = 0;
    if (n > TFM_TRIE_MAX_KEY) n = TFM_TRIE_MAX_KEY;
    for (size_t i = 0; i < n && tfm_trie_step(trie, &node, (unsigned char)text[i]); i++) {
        if (trie->units[node].value != 0) {
            value = trie->units[node].value;
            *length = i + 1;
        }
    }
    return value;
}

/*
 * Makes a trie of n_words u32; false if a base leads outside or a value, less the bits of flags, is over n_values.
 * After that no search can leave the array.
 */
bool tfm_trie_open(tfm_trie *trie, const uint32_t *words, size_t n_words, uint32_t flags, size_t n_values);

#endif
