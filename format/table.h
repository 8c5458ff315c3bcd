/*
 * table.h - the table of typed values that every section of model.bin is: options, tokenizer data, metadata.
 *
 * Keys are unique, 1 to 127 bytes of [A-Za-z0-9._:%/-], sorted by byte. Arrays are aligned to 64 bytes of the file
 * and used where they lie.
 */
#ifndef TFM_FORMAT_TABLE_H
#define TFM_FORMAT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tfm_error.h"

typedef enum tfm_value_type {
    TFM_VALUE_U64 = 1,
    TFM_VALUE_F64 = 2,
    TFM_VALUE_STRING = 3, /* UTF-8, no NUL inside, NUL after it */
    TFM_VALUE_U8S = 4,    /* arrays */
    TFM_VALUE_U32S = 5,
    TFM_VALUE_F32S = 6,
    TFM_VALUE_STRINGS = 7 /* each NUL-terminated, one after the other */
} tfm_value_type;

typedef struct tfm_value {
    const char *key; /* NUL-terminated */
    tfm_value_type type;
    uint64_t u64;
    double f64;
    const void *data; /* strings and arrays */
    size_t n;         /* bytes of a string, elements of an array, strings of a list */
} tfm_value;

typedef struct tfm_table tfm_table;

/*
 * Checks n bytes at data (which must stay, 4-aligned at least) and makes a table of them. what names them in errors
 * ("model.bin: section 'tokenizer'"). Errors: TFM_ERROR_FORMAT, _UNSUPPORTED (an unknown type), _MEMORY.
 */
tfm_status tfm_table_open(tfm_table **table, const void *data, size_t n, const char *what, tfm_error *error);
void tfm_table_close(tfm_table **table);

size_t tfm_table_count(const tfm_table *table);
const tfm_value *tfm_table_at(const tfm_table *table, size_t i);
/* NULL if there is no such key. */
const tfm_value *tfm_table_find(const tfm_table *table, const char *key);

/* The value if the key is there with the right type, else the fallback. Like tfm_table_find these accept NULL as table.
 */
uint64_t tfm_table_u64(const tfm_table *table, const char *key, uint64_t fallback);
double tfm_table_f64(const tfm_table *table, const char *key, double fallback);
const char *tfm_table_string(const tfm_table *table, const char *key, const char *fallback);

typedef struct tfm_table_builder tfm_table_builder;

/* NULL when there is no memory. */
tfm_table_builder *tfm_table_builder_new(void);
void tfm_table_builder_free(tfm_table_builder **builder);
/* Setting a key again replaces its value. A failure (memory, a bad key or string) is kept and reported by _build. */
void tfm_table_set_u64(tfm_table_builder *builder, const char *key, uint64_t value);
void tfm_table_set_f64(tfm_table_builder *builder, const char *key, double value);
void tfm_table_set_string(tfm_table_builder *builder, const char *key, const char *value);
void tfm_table_set_array(tfm_table_builder *builder, const char *key, tfm_value_type type, const void *data, size_t n);
void tfm_table_set_strings(tfm_table_builder *builder, const char *key, const char *const *strings, size_t n);
/* Sets all values of a table (NULL: none). */
void tfm_table_set_all(tfm_table_builder *builder, const tfm_table *table);
/* The bytes of the table, in memory the caller frees; the same values give the same bytes. */
tfm_status tfm_table_build(const tfm_table_builder *builder, void **data, size_t *n, tfm_error *error);

#endif
