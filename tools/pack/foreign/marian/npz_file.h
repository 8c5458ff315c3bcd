/*
 * npz_file.h - arrays of a .npz file (a zip of .npy entries): names, shapes, values as floats; and flat YAML.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_MARIAN_NPZ_FILE_H
#define TFM_TOOLS_PACK_FOREIGN_MARIAN_NPZ_FILE_H

#include <jansson.h>
#include <zip.h>

#include "format/model_file.h"

#define TFM_NPZ_NONE UINT32_MAX

typedef struct tfm_npz_array {
    char *name; /* of the entry, without ".npy" */
    char type;  /* 'f': f32, 'e': f16, 'b': bytes */
    uint32_t rank;
    uint64_t shape[TFM_RANK_MAX], count;
    uint64_t entry, header, length; /* number in the zip, bytes before the values, bytes of all */
    bool used;
} tfm_npz_array;

typedef struct tfm_npz_file {
    char *path;
    zip_t *zip;
    tfm_npz_array *arrays; /* sorted by name */
    uint32_t n;
    unsigned char *cache; /* the entry that was read last, whole: its check sum is then known */
    uint32_t cached;
} tfm_npz_file;

/* Whether a zip with entries "special:model.yml.npy" is there. */
bool tfm_npz_file_is(const char *path);
/*
 * Reads all headers: version 1 or 2 of .npy, element types <f4, <f2 and |i1, rows after rows. *file is valid, perhaps
 * empty, in any case; free it with tfm_npz_file_close.
 */
tfm_status tfm_npz_file_open(tfm_npz_file *file, const char *path, tfm_error *error);
void tfm_npz_file_close(tfm_npz_file *file);

uint32_t tfm_npz_file_find(const tfm_npz_file *file, const char *name);
/* Elements [first, first + n) as floats. */
tfm_status tfm_npz_file_read(tfm_npz_file *file, uint32_t array, uint64_t first, uint64_t n, float *values,
                             tfm_error *error);
/* The bytes of an array of bytes; they live until another array is read. */
tfm_status tfm_npz_file_bytes(tfm_npz_file *file, uint32_t array, const char **bytes, size_t *n, tfm_error *error);

/*
 * A YAML mapping of scalars as an object of strings, the caller's to decref; of a list its items, joined by spaces.
 * *object is NULL after an error. Nested mappings, aliases and several documents are refused. what: for messages.
 */
tfm_status tfm_npz_yaml(const char *text, size_t n, const char *what, json_t **object, tfm_error *error);

#endif
