/*
 * word_list.h - lists of words in one string, separated by spaces.
 */
#ifndef TFM_TOOLS_PACK_COMMON_WORD_LIST_H
#define TFM_TOOLS_PACK_COMMON_WORD_LIST_H

#include <stdbool.h>
#include <string.h>

static inline bool tfm_word_list_has(const char *list, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = list; *at; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        if (length == n && n > 0 && memcmp(at, word, n) == 0) return true;
        at += length;
    }
    return false;
}

#endif
