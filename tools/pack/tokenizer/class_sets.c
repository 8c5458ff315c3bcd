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

tfm_status tfm_put_classes(tfm_table_builder *table, const char *name, const uint8_t *classes, tfm_error *error) {
    uint32_t *index = calloc(PAGES, sizeof *index);
    uint8_t *pages = malloc(TFM_UNICODE_CODES);
    if (!index || !pages) {
        free(index);
        free(pages);
        return tfm_no_memory(error, "classes of characters");
    }
    uint32_t n = 0;
    for (size_t i = 0; i < PAGES; i++) {
        const uint8_t *page = classes + 256 * i;
        uint32_t k = 0;
        while (k < n && memcmp(pages + 256 * (size_t)k, page, 256) != 0) k++;
        if (k == n) memcpy(pages + 256 * (size_t)n++, page, 256);
        index[i] = k;
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
