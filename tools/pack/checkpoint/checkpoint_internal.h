/*
 * checkpoint_internal.h - what the container readers (safetensors, PyTorch, and the forms of source_forms.c) fill in
 * for checkpoint.c.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_INTERNAL_H
#define TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_INTERNAL_H

#include <zip.h>

#include "checkpoint.h"
#include "tools/common/bytes.h"
#include "tools/safetensors/safetensors.h"

/* A run of bytes: part of a file, or an entry of a zip archive. */
typedef struct tfm_blob {
    uint32_t file;
    bool zipped;
    uint64_t offset; /* in the file, or number of the entry */
    uint64_t length;
} tfm_blob;

typedef struct tfm_stored_tensor {
    tfm_checkpoint_tensor tensor;
    char *name; /* tensor.name */
    uint32_t file;
    uint32_t blob;
    uint64_t offset;               /* elements in the blob */
    uint64_t stride[TFM_RANK_MAX]; /* elements */
    size_t element;                /* bytes */
} tfm_stored_tensor;

typedef struct tfm_checkpoint_file {
    char *path;
    const char *name; /* part of path after the folder */
    int fd;           /* -1 if zipped */
    tfm_safetensors *safetensors;
    zip_t *zip;
} tfm_checkpoint_file;

/*
 * How a checkpoint that is no Hugging Face folder gives its values and its tokenizer. Such a form makes config (and
 * generation_config, chat_template where it has them) itself and adds its tensors, under the names a Hugging Face
 * folder would have for them, with tfm_checkpoint_add_provided.
 */
typedef struct tfm_provider {
    void *state;
    /* Rows [row0, row0 + n_rows) of the tensor that was added with this key, as tfm_checkpoint_read wants them; rows
     * are within the tensor. Values that are not finite are found by the caller. */
    tfm_status (*read)(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows, tfm_error *error);
    /* NULL: no tokenizer. */
    tfm_status (*write_tokenizers)(void *state, tfm_writer *writer, tfm_error *error);
    void (*close)(void *state);
} tfm_provider;

/*
 * A form of checkpoint that is no Hugging Face folder. `is` looks at a path (any file or folder) and says whether it is
 * of this form; cheap, never fails. `open` fills in format, config and tensors and sets checkpoint->provider at once,
 * so that close runs on every path.
 */
typedef struct tfm_checkpoint_format {
    const char *name, *what; /* "gguf", one line for --list */
    bool (*is)(const char *path, bool is_folder);
    tfm_status (*open)(tfm_checkpoint *checkpoint, const char *path, tfm_error *error);
} tfm_checkpoint_format;

/* All forms, NULL-terminated. */
extern const tfm_checkpoint_format *const tfm_checkpoint_formats[];

struct tfm_checkpoint {
    char *folder; /* of a form of one file: that file */
    char *note;
    const char *format;
    json_t *config, *generation_config;
    char *chat_template;
    tfm_provider provider; /* state NULL: none */
    tfm_checkpoint_file *files;
    size_t n_files;
    tfm_blob *blobs;
    size_t n_blobs, blobs_size;
    tfm_stored_tensor *tensors;
    size_t n_tensors, tensors_size;
    uint32_t *by_name;
    /* The zip entry that was read last. */
    unsigned char *cache;
    uint32_t cached_blob; /* UINT32_MAX: none */
};

tfm_status tfm_checkpoint_add_blob(tfm_checkpoint *checkpoint, tfm_blob blob, uint32_t *index, tfm_error *error);
/* stride NULL: contiguous. The caller has checked that the elements lie inside the blob. */
tfm_status tfm_checkpoint_add_tensor(tfm_checkpoint *checkpoint, const char *name, tfm_st_dtype dtype, uint32_t rank,
                                     const uint64_t *shape, const uint64_t *stride, uint32_t file, uint32_t blob,
                                     uint64_t offset, tfm_error *error);

/* A tensor of a provider, contiguous; dtype_name is a string that lives as long as the program ("Q4_K"). key: also its
 * storage: tensors with one key are one. */
tfm_status tfm_checkpoint_add_provided(tfm_checkpoint *checkpoint, const char *name, const char *dtype_name,
                                       uint32_t rank, const uint64_t *shape, uint64_t key, tfm_error *error);

/* Add all tensors of files[file]. */
tfm_status tfm_checkpoint_add_safetensors(tfm_checkpoint *checkpoint, uint32_t file, tfm_error *error);
tfm_status tfm_checkpoint_add_pytorch(tfm_checkpoint *checkpoint, uint32_t file, tfm_error *error);

/* Bytes [offset, offset + n) of a blob. */
tfm_status tfm_checkpoint_bytes(tfm_checkpoint *checkpoint, uint32_t blob, uint64_t offset, void *data, size_t n,
                                tfm_error *error);

#endif
