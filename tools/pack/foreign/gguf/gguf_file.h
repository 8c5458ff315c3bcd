/*
 * gguf_file.h - a GGUF file, mapped: its metadata and its tensors, every length and offset of them checked.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_FILE_H
#define TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_FILE_H

#include "format/model_file.h"

/* Types of metadata values as the file numbers them. */
typedef enum tfm_gguf_type {
    TFM_GGUF_U8,
    TFM_GGUF_I8,
    TFM_GGUF_U16,
    TFM_GGUF_I16,
    TFM_GGUF_U32,
    TFM_GGUF_I32,
    TFM_GGUF_F32,
    TFM_GGUF_BOOL,
    TFM_GGUF_STRING,
    TFM_GGUF_ARRAY,
    TFM_GGUF_U64,
    TFM_GGUF_I64,
    TFM_GGUF_F64,
    TFM_GGUF_TYPES
} tfm_gguf_type;

typedef struct tfm_gguf_value {
    char *key;
    tfm_gguf_type type; /* of the value, or of an array's elements; never TFM_GGUF_ARRAY */
    bool is_array;
    uint64_t count;      /* elements; 1 unless an array */
    const uint8_t *data; /* elements as they lie in the file */
} tfm_gguf_value;

typedef struct tfm_gguf_tensor {
    char *name;
    const struct tfm_gguf_block *block;
    uint32_t rank;                /* 1 .. TFM_RANK_MAX */
    uint64_t shape[TFM_RANK_MAX]; /* slowest dimension first; elements of the last one are a whole number of blocks */
    uint64_t count;               /* elements */
    const uint8_t *data;
    uint64_t bytes;
} tfm_gguf_tensor;

typedef struct tfm_gguf {
    char *path;
    const uint8_t *bytes; /* the whole file */
    size_t size;
    tfm_gguf_value *values;
    tfm_gguf_tensor *tensors;
    uint32_t n_values, n_tensors;
    uint32_t *values_by_key, *tensors_by_name;
} tfm_gguf;

/*
 * Opens a file of version 2 or 3, little-endian. Errors: TFM_ERROR_IO, _FORMAT, _LIMIT (over 65,536 keys or 1,048,576
 * tensors), _UNSUPPORTED (other versions, big-endian, types of tensors that are not known), _MEMORY; the message names
 * the file and the key or tensor.
 */
tfm_status tfm_gguf_open(tfm_gguf **gguf, const char *path, tfm_error *error);
void tfm_gguf_close(tfm_gguf **gguf);

/* Whether a file begins like one. */
bool tfm_gguf_is(const char *path);

/* By name; NULL if it is not there. */
const tfm_gguf_value *tfm_gguf_find(const tfm_gguf *gguf, const char *key);
const tfm_gguf_tensor *tfm_gguf_tensor_find(const tfm_gguf *gguf, const char *name);

/* Element i of a value of whole numbers; false if it has none or it is beyond an int64_t. */
bool tfm_gguf_integer(const tfm_gguf_value *value, uint64_t i, int64_t *number);
/* Element i of a value of numbers; an f32 gives the shortest decimal number that rounds to it. */
bool tfm_gguf_real(const tfm_gguf_value *value, uint64_t i, double *number);

/* Walks the strings of a value: start with at = value->data; each call gives one and moves on. */
const char *tfm_gguf_next_string(const uint8_t **at, size_t *n);

#endif
