/*
 * class_sets.h - sets of characters, and the tables of classes that model files have in their place.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_CLASS_SETS_H
#define TFM_TOOLS_PACK_TOKENIZER_CLASS_SETS_H

#include "format/table.h"
#include "unicode.h"

typedef struct tfm_char_set {
    uint64_t bits[TFM_UNICODE_CODES / 64];
} tfm_char_set;

static inline bool tfm_char_set_has(const tfm_char_set *set, uint32_t code) {
    return (set->bits[code / 64] >> (code % 64) & 1) != 0;
}

static inline void tfm_char_set_add(tfm_char_set *set, uint32_t code) {
    set->bits[code / 64] |= (uint64_t)1 << code % 64;
}

/* A hash of n bytes, a multiple of eight, to find equal sets and pages by. */
uint64_t tfm_bytes_hash(const void *data, size_t n);

/* What byte-level tokenizers write for a byte. */
uint32_t tfm_byte_character(unsigned char byte);
/* The byte that a character stands for there, or -1. */
int tfm_character_byte(uint32_t code);

/*
 * Puts classes[code] of all code points into a table as NAME.index and NAME.pages (docs/tokenizers.md).
 * Errors: TFM_ERROR_MEMORY.
 */
tfm_status tfm_put_classes(tfm_table_builder *table, const char *name, const uint8_t *classes, tfm_error *error);

#endif
