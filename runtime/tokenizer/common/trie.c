/* trie.c - checks a double-array trie of a file before it is searched. */
#include "trie.h"

bool tfm_trie_open(tfm_trie *trie, const uint32_t *words, size_t n_words, uint32_t flags, size_t n_values) {
    size_t n = n_words / 2;
    if (n_words % 2 != 0 || n % 256 != 0 || n == 0 || n > TFM_TRIE_MAX_UNITS) return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t link = words[2 * i], value = words[2 * i + 1];
        if (link >> TFM_TRIE_BASE_SHIFT >= n || (value & ~flags) > n_values) return false;
        if ((value & flags) != 0 && (value & ~flags) == 0) return false;
    }
    trie->units = (const tfm_trie_unit *)(const void *)words;
    trie->n = n;
    return true;
}
