/*
 * safetensors.h - the safetensors container: a strict reader, and a writer that leaves nothing half done.
 *
 * A file is: header length (8 bytes, little-endian), header (JSON), data. Tensors lie without holes or overlap.
 */
#ifndef TFM_TOOLS_SAFETENSORS_SAFETENSORS_H
#define TFM_TOOLS_SAFETENSORS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/tfm.h"

#define TFM_SAFETENSORS_RANK_MAX 8

typedef enum tfm_st_dtype {
    TFM_ST_F32,
    TFM_ST_F16,
    TFM_ST_BF16,
    TFM_ST_F64,
    TFM_ST_I64,
    TFM_ST_I32,
    TFM_ST_I16,
    TFM_ST_I8,
    TFM_ST_U64,
    TFM_ST_U32,
    TFM_ST_U16,
    TFM_ST_U8,
    TFM_ST_BOOL,
    TFM_ST_F8_E4M3,
    TFM_ST_F8_E5M2,
    TFM_ST_F8_E8M0,
    TFM_ST_C64,
    TFM_ST_DTYPE_COUNT
} tfm_st_dtype;

/* "F32", "BF16", "I64", ...; TFM_ST_DTYPE_COUNT for an unknown name. */
const char *tfm_st_dtype_name(tfm_st_dtype dtype);
tfm_st_dtype tfm_st_dtype_parse(const char *name);
/* Bytes of an element. */
size_t tfm_st_dtype_size(tfm_st_dtype dtype);

/* ---- reader ---- */

typedef struct tfm_st_tensor {
    const char *name;
    tfm_st_dtype dtype;
    uint32_t rank;
    uint64_t shape[TFM_SAFETENSORS_RANK_MAX]; /* unused dimensions are 1 */
    uint64_t count;                           /* elements */
    uint64_t offset, length;                  /* bytes, offset from the start of the file */
} tfm_st_tensor;

typedef struct tfm_safetensors tfm_safetensors;

/*
 * Opens path and checks its header as the reference implementation does (length of the header at most 100 MB, no
 * duplicate names, every tensor inside the file, no overlap, no hole, length = dtype x shape). Tensors are in the order
 * of their data. Nothing of the data is read. Errors: TFM_ERROR_IO, _FORMAT, _MEMORY.
 */
tfm_status tfm_safetensors_open(tfm_safetensors **file, const char *path, tfm_error *error);
void tfm_safetensors_close(tfm_safetensors **file);
size_t tfm_safetensors_count(const tfm_safetensors *file);
const tfm_st_tensor *tfm_safetensors_at(const tfm_safetensors *file, size_t i);
/* NULL if there is none of that name. */
const tfm_st_tensor *tfm_safetensors_find(const tfm_safetensors *file, const char *name);
/* The file descriptor, for readers that keep their own table of tensors; it stays the file's. */
int tfm_safetensors_fd(const tfm_safetensors *file);

/* Reads bytes [offset, offset + n) of a tensor's data. Several threads may read at the same time. */
tfm_status tfm_safetensors_read(const tfm_safetensors *file, const tfm_st_tensor *tensor, uint64_t offset, void *data,
                                size_t n, tfm_error *error);

/* ---- writer ---- */

typedef struct tfm_safetensors_writer tfm_safetensors_writer;

/*
 * Declare all tensors, then write their data in the order they were declared, in pieces of any size; then commit. The
 * first write fixes the header; nothing can be declared after it. Nothing appears at path before the commit
 * (format/atomic_file.h).
 */
tfm_status tfm_safetensors_writer_create(tfm_safetensors_writer **writer, const char *path, tfm_error *error);
/* A string of the header's __metadata__. */
tfm_status tfm_safetensors_writer_metadata(tfm_safetensors_writer *writer, const char *key, const char *value,
                                           tfm_error *error);
tfm_status tfm_safetensors_writer_declare(tfm_safetensors_writer *writer, const char *name, tfm_st_dtype dtype,
                                          uint32_t rank, const uint64_t *shape, tfm_error *error);
tfm_status tfm_safetensors_writer_write(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error);
/* Refuses if not all declared bytes were written. Frees the writer and sets it to NULL, also on failure. */
tfm_status tfm_safetensors_writer_commit(tfm_safetensors_writer **writer, tfm_error *error);
/* Gives up: removes what was written. Accepts NULL. */
void tfm_safetensors_writer_abort(tfm_safetensors_writer **writer);

#endif
