/*
 * unpickle.h - a strict reader of the pickles that PyTorch writes for a state dict: names, tensors, nothing else.
 *
 * It is a small stack machine over plain values. It knows a handful of globals by name and refuses every other one
 * before anything could happen; it has no way to call, import or construct. Work and memory are bounded by the length
 * of the input.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_UNPICKLE_H
#define TFM_TOOLS_PACK_CHECKPOINT_UNPICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/model_file.h"
#include "tools/safetensors/safetensors.h"

typedef enum tfm_pk_kind {
    TFM_PK_NONE,
    TFM_PK_BOOL,
    TFM_PK_INT,
    TFM_PK_BIG,   /* an integer over 64 bits, raw */
    TFM_PK_FLOAT, /* its value is not kept */
    TFM_PK_STRING,
    TFM_PK_TUPLE,
    TFM_PK_LIST,
    TFM_PK_DICT, /* also OrderedDict; items are key, value, key, value, ... */
    TFM_PK_GLOBAL,
    TFM_PK_STORAGE,
    TFM_PK_TENSOR,
    TFM_PK_MARK
} tfm_pk_kind;

typedef struct tfm_pk_value tfm_pk_value;
struct tfm_pk_value {
    tfm_pk_kind kind;
    uint32_t index; /* of a global, storage or tensor */
    int64_t integer;
    const char *text; /* NUL-terminated; raw bytes of a BIG */
    tfm_pk_value **items;
    size_t n, capacity; /* items, or bytes of text */
};

/* A storage as persistent ids name it. */
typedef struct tfm_pk_storage {
    const char *key;
    tfm_st_dtype dtype;
    uint64_t count; /* elements */
} tfm_pk_storage;

typedef struct tfm_pk_tensor {
    tfm_st_dtype dtype;
    uint32_t storage, rank;
    uint64_t offset; /* elements */
    uint64_t shape[TFM_RANK_MAX], stride[TFM_RANK_MAX];
} tfm_pk_tensor;

typedef struct tfm_unpickler tfm_unpickler;

/* Reads from memory, which must stay. what names the file in errors. NULL when there is no memory. */
tfm_unpickler *tfm_unpickler_memory(const char *what, const void *data, size_t n);
/* Reads from the start of a file, which stays the caller's. */
tfm_unpickler *tfm_unpickler_fd(const char *what, int fd);
void tfm_unpickler_free(tfm_unpickler **unpickler);

/*
 * Reads one pickle and gives its value, which lives as long as the unpickler. Storages and tensors of all pickles read
 * so far add up. Errors: TFM_ERROR_FORMAT, TFM_ERROR_UNSUPPORTED (something that is not a tensor, by its name),
 * TFM_ERROR_IO, TFM_ERROR_MEMORY.
 */
tfm_status tfm_unpickle(tfm_unpickler *unpickler, const tfm_pk_value **value, tfm_error *error);

/* Bytes of the input taken so far. */
uint64_t tfm_unpickler_position(const tfm_unpickler *unpickler);
size_t tfm_unpickler_storages(const tfm_unpickler *unpickler, const tfm_pk_storage **storages);
const tfm_pk_tensor *tfm_unpickler_tensor(const tfm_unpickler *unpickler, uint32_t index);

/*
 * What unpickle.c leaves to torch_objects.c: globals, persistent ids and calls of the few functions known.
 */
typedef enum tfm_pk_global {
    TFM_PK_ORDERED_DICT,
    TFM_PK_REBUILD_TENSOR,
    TFM_PK_REBUILD_TENSOR_V2,
    TFM_PK_REBUILD_PARAMETER,
    TFM_PK_FIRST_STORAGE /* + tfm_st_dtype */
} tfm_pk_global;

/* State of a run; only unpickle.c and torch_objects.c look inside. */
struct tfm_unpickler {
    const char *what;
    const unsigned char *data; /* input at hand */
    size_t n, position;
    int fd;                /* -1 for memory */
    uint64_t base;         /* offset in the file of data[0] */
    unsigned char *buffer; /* data, when it comes from fd */
    size_t buffer_size;
    bool at_end;
    struct tfm_pk_chunk *chunks; /* all values and texts */
    size_t n_objects, n_items;   /* n_items: of all lists, tuples and dictionaries together */
    tfm_pk_value **stack, **memo;
    size_t depth, stack_size, memo_n, memo_size; /* memo_n: one more than the highest number set */
    tfm_pk_storage *storages;
    tfm_pk_tensor *tensors;
    size_t n_storages, storages_size, n_tensors, tensors_size;
};

/* Index of the global, or a refusal that names it. */
tfm_status tfm_pk_find_global(tfm_unpickler *u, const char *module, const char *name, uint32_t *index,
                              tfm_error *error);
tfm_status tfm_pk_persistent_id(tfm_unpickler *u, const tfm_pk_value *id, tfm_pk_value **value, tfm_error *error);
tfm_status tfm_pk_call(tfm_unpickler *u, const tfm_pk_value *function, const tfm_pk_value *arguments,
                       tfm_pk_value **value, tfm_error *error);

/* A new value in *value. */
tfm_status tfm_pk_new(tfm_unpickler *u, tfm_pk_kind kind, tfm_pk_value **value, tfm_error *error);
tfm_status tfm_pk_append(tfm_unpickler *u, tfm_pk_value *list, tfm_pk_value *item, tfm_error *error);
/* Room for one more element of an array that holds n of `size` now. */
tfm_status tfm_pk_grow(tfm_unpickler *u, void *array, size_t n, size_t *capacity, size_t element, tfm_error *error);

#endif
