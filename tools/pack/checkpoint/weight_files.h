/*
 * weight_files.h - the files of a folder that hold a checkpoint's tensors, and reading values out of them.
 *
 * safetensors and PyTorch files give tensors as strided views into runs of bytes; what opens a file (hf_folder.c,
 * pytorch.c) adds these, and all values are then read in one way.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_WEIGHT_FILES_H
#define TFM_TOOLS_PACK_CHECKPOINT_WEIGHT_FILES_H

#include <zip.h>

#include "checkpoint_format.h"
#include "tools/safetensors/safetensors.h"

typedef struct tfm_weight_file {
    char *path;
    const char *name;             /* part of path after the folder */
    int fd;                       /* -1: not open, or read through zip */
    tfm_safetensors *safetensors; /* owns fd, if there */
    zip_t *zip;
} tfm_weight_file;

/* A run of bytes: part of a file, or an entry of a zip archive. */
typedef struct tfm_blob {
    uint32_t file;
    bool zipped;
    uint64_t offset; /* in the file, or number of the entry */
    uint64_t length;
} tfm_blob;

/* A tensor of the checkpoint with the same index, as it lies in a blob. */
typedef struct tfm_stored_tensor {
    uint32_t blob, rank;
    size_t element;  /* bytes */
    tfm_dtype dtype; /* TFM_DTYPE_COUNT: not to be read */
    uint64_t offset; /* elements in the blob */
    uint64_t shape[TFM_RANK_MAX];
    uint64_t stride[TFM_RANK_MAX]; /* elements; 0 behind the last dimension */
} tfm_stored_tensor;

/* State of the checkpoint's reader. */
typedef struct tfm_weight_files {
    tfm_checkpoint *checkpoint;
    tfm_weight_file *files;
    size_t n_files, file_capacity;
    tfm_blob *blobs;
    size_t n_blobs, blob_capacity;
    tfm_stored_tensor *tensors; /* by key */
    size_t n_tensors, tensor_capacity;
    /* The zip entry that was read last. */
    unsigned char *cache;
    uint32_t cached_blob; /* UINT32_MAX: none */
} tfm_weight_files;

/* Makes an empty set of files the reader of the checkpoint, which closes it. */
tfm_status tfm_weight_files_begin(tfm_weight_files **files, tfm_checkpoint *checkpoint, tfm_error *error);
/* Adds the file called `name` in the checkpoint's folder; nothing of it is opened. */
tfm_status tfm_weight_files_add(tfm_weight_files *files, const char *name, uint32_t *index, tfm_error *error);
/* NULL if none has this name. */
const tfm_weight_file *tfm_weight_files_find(const tfm_weight_files *files, const char *name);

tfm_status tfm_weight_files_add_blob(tfm_weight_files *files, tfm_blob blob, uint32_t *index, tfm_error *error);
/* stride NULL: contiguous. The caller has checked that the elements lie inside the blob; offset in elements. */
tfm_status tfm_weight_files_add_tensor(tfm_weight_files *files, const char *name, tfm_st_dtype dtype, uint32_t rank,
                                       const uint64_t *shape, const uint64_t *stride, uint32_t blob, uint64_t offset,
                                       tfm_error *error);
/* Gives names that stand for one place one storage, once all tensors are there. */
tfm_status tfm_weight_files_find_ties(tfm_weight_files *files, tfm_error *error);

#endif
