/*
 * checkpoint_format.h - what a checkpoint format must provide, and the checkpoint that it fills in.
 *
 * A format is the Hugging Face folder (hf_folder.h) or one of foreign/. It recognises a path, puts configuration, hints
 * and tensors into an empty checkpoint, and hands over a reader of their values.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_FORMAT_H
#define TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_FORMAT_H

#include "checkpoint.h"

/* How an open checkpoint gives its values and its tokenizer. */
typedef struct tfm_checkpoint_reader {
    void *state;
    /* Rows [row0, row0 + n_rows) of the tensor that was added with this key, as tfm_checkpoint_read wants them; rows
     * are within the tensor. Values that are not finite are found by the caller. */
    tfm_status (*read)(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows, tfm_error *error);
    /* NULL: no tokenizer. */
    tfm_status (*write_tokenizers)(void *state, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error);
    void (*close)(void *state); /* NULL: nothing to close */
} tfm_checkpoint_reader;

/* A tensor as the format added it; entries[i].tensor.index is i. */
typedef struct tfm_checkpoint_entry {
    tfm_checkpoint_tensor tensor;
    char *name;       /* tensor.name */
    const char *file; /* that it lies in, for messages; lives as long as the reader */
    uint64_t key;     /* what the reader calls it */
    bool contiguous;  /* its elements lie there in their order, each once */
} tfm_checkpoint_entry;

struct tfm_checkpoint {
    char *path; /* a folder, or the file of a format of one file */
    char *home; /* a folder around it that was opened, or NULL */
    const char *format;
    char *name; /* the model's own, where the format has one, or NULL */
    char *note;
    json_t *config, *generation_config;
    json_t *ignored; /* a line for each key of a foreign format that had no effect; NULL: none */
    json_t *asked;   /* keys of config that an importer asked for; NULL: nobody wants to know */
    tfm_checkpoint_hints hints;
    char *chat_template;
    tfm_checkpoint_reader reader;
    tfm_checkpoint_entry *entries;
    size_t n_entries, entry_capacity;
    uint32_t *by_name; /* set by tfm_checkpoint_index */
};

/*
 * A format. `matches` looks at a path (any file or folder) and says whether it is of this format; cheap, never fails.
 * `open` fills in an empty checkpoint, in which only path (without a slash at its end) and format are set. It sets
 * checkpoint->reader first of all, so that close runs on every path.
 */
typedef struct tfm_checkpoint_format {
    const char *name, *what; /* "gguf", one line for --list */
    bool (*matches)(const char *path, bool is_folder);
    tfm_status (*open)(tfm_checkpoint *checkpoint, const char *path, tfm_error *error);
} tfm_checkpoint_format;

/* All but the Hugging Face folder, NULL-terminated (foreign/foreign_formats.c). */
extern const tfm_checkpoint_format *const tfm_foreign_formats[];

/*
 * Adds a tensor under the name a Hugging Face folder has for it. dtype: what reading gives, or TFM_DTYPE_COUNT;
 * dtype_name lives as long as the program. file: in which it lies, for messages. key: also its storage. *entry stays
 * there until the next one is added.
 */
tfm_status tfm_checkpoint_add(tfm_checkpoint *checkpoint, const char *name, tfm_dtype dtype, const char *dtype_name,
                              uint32_t rank, const uint64_t *shape, const char *file, uint64_t key,
                              tfm_checkpoint_entry **entry, tfm_error *error);
/* The same where the reader makes floats of whatever there is ("Q4_K"). */
tfm_status tfm_checkpoint_add_decoded(tfm_checkpoint *checkpoint, const char *name, const char *dtype_name,
                                      uint32_t rank, const uint64_t *shape, uint64_t key, tfm_error *error);

/* Makes names findable, once all tensors are there; two of one name are refused. */
tfm_status tfm_checkpoint_index(tfm_checkpoint *checkpoint, tfm_error *error);

#endif
