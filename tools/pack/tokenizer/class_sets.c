/* class_sets.c - classes of characters as pages of 256 code points, equal pages once. */
#include "class_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES (TFM_UNICODE_CODES / 256)

uint32_t tfm_byte_character(unsigned char byte) {
    if ((byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE) return byte;
    /* The others follow U+0100 in order: 0 to 0x20, 0x7F to 0xA0, 0xAD. */
    return byte <= 0x20 ? 0x100u + byte : byte <= 0xA0 ? 0x121u + (byte - 0x7Fu) : 0x143u;
}

int tfm_character_byte(uint32_t code) {
    if (code < 256) return tfm_byte_character((unsigned char)code) == code ? (int)code : -1;
    if (code > 0x143) return -1;
    return code <= 0x120 ? (int)code - 0x100 : code < 0x143 ? (int)code - 0x121 + 0x7F : 0xAD;
}

uint64_t tfm_bytes_hash(const void *data, size_t n) {
    const unsigned char *at = data;
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

#define SLOTS (2 * 8192u) /* a power of two, and more than twice the pages there can be */

/* Number of a page among the n that are kept; n if it is new. slots: numbers + 1 by hash. */
static uint32_t find_page(const uint8_t *page, const uint8_t *kept, uint32_t n, uint32_t slots[SLOTS]) {
    uint32_t slot = (uint32_t)tfm_bytes_hash(page, 256) % SLOTS;
    while (slots[slot] != 0 && memcmp(kept + 256 * (size_t)(slots[slot] - 1), page, 256) != 0)
        slot = (slot + 1) % SLOTS;
    if (slots[slot] == 0) slots[slot] = n + 1;
    return slots[slot] - 1;
}

tfm_status tfm_put_classes(tfm_table_builder *table, const char *name, const uint8_t *classes, tfm_error *error) {
    uint32_t *index = calloc(PAGES + SLOTS, sizeof *index);
    uint8_t *pages = malloc(TFM_UNICODE_CODES);
    if (!index || !pages) {
        free(index);
        free(pages);
        return tfm_no_memory(error, "classes of characters");
    }
    uint32_t n = 0;
    for (size_t i = 0; i < PAGES; i++) {
        const uint8_t *page = classes + 256 * i;
        index[i] = find_page(page, pages, n, index + PAGES);
        if (index[i] == n) memcpy(pages + 256 * (size_t)n++, page, 256);
    }
    char key[96];
    snprintf(key, sizeof key, "%s.index", name);
    tfm_table_set_array(table, key, TFM_VALUE_U32S, index, PAGES);
    snprintf(key, sizeof key, "%s.pages", name);
    tfm_table_set_array(table, key, TFM_VALUE_U8S, pages, 256 * (size_t)n);
    free(index);
    free(pages);
    return TFM_OK;
}
