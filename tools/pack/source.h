/*
 * source.h - a checkpoint as importers see it: a configuration and named tensors, whatever container they came in.
 */
#ifndef TFM_SOURCE_H
#define TFM_SOURCE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "../../format/model_file.h"

typedef struct tfm_source tfm_source;

typedef struct tfm_source_tensor {
    const char *name;
    tfm_dtype dtype;
    uint32_t rank; /* 0 .. TFM_RANK_MAX */
    uint64_t shape[TFM_RANK_MAX];
    uint64_t storage; /* equal for names that share one storage at one offset with one shape (tied weights) */
} tfm_source_tensor;

/*
 * Opens a checkpoint folder (config.json with model.safetensors, model.safetensors.index.json or pytorch_model.bin).
 * Bounds of all headers are checked here. Errors name the file.
 */
tfm_status tfm_source_open(tfm_source **source, const char *path, tfm_error *error);
void tfm_source_close(tfm_source **source);

const char *tfm_source_path(const tfm_source *source);
/* "safetensors", "safetensors (sharded)", "pytorch (zip)", "pytorch (legacy)" */
const char *tfm_source_format(const tfm_source *source);
/* config.json; generation_config.json or NULL */
const json_t *tfm_source_config(const tfm_source *source);
const json_t *tfm_source_generation_config(const tfm_source *source);

size_t tfm_source_count(const tfm_source *source);
const tfm_source_tensor *tfm_source_at(const tfm_source *source, size_t i);
const tfm_source_tensor *tfm_source_find(const tfm_source *source, const char *name);

/*
 * Reads rows [row0, row0 + n_rows) of a tensor as f32, row-major (a vector is n rows of one element; strides of the
 * file are resolved). Non-finite values are refused by name. Memory: what the rows take.
 */
tfm_status tfm_source_read(tfm_source *source, const tfm_source_tensor *tensor, uint64_t row0, uint64_t n_rows,
                           float *rows, tfm_error *error);

#endif
