/*
 * importer.h - what a checkpoint family must provide to tfmpack, and what tfmpack provides to it.
 *
 * A checkpoint (checkpoint.h) opens a folder or file of any container format and shows its tensors by name; an importer
 * (one file a family, listed in importers.c) turns configuration and tensor names into the options and tensors of
 * docs/model-contents.md. Adding a family is one file with a table of names and options.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_IMPORTER_H
#define TFM_TOOLS_PACK_FAMILIES_IMPORTER_H

#include <jansson.h>

#include "format/model_file.h"
#include "tools/pack/checkpoint/checkpoint.h"

/* How far a matrix of the model file is from the checkpoint's. */
typedef struct tfm_rounding {
    const char *name; /* in the model file */
    tfm_dtype dtype;
    uint64_t n, k;
    double max_error;       /* largest absolute difference */
    double relative_error;  /* root of the sum of squared differences over that of squared values; 0 for zeros */
    uint64_t worst_row;     /* row with the largest relative error */
    double worst_row_error; /* its relative error */
} tfm_rounding;

typedef struct tfm_pack_options {
    tfm_dtype dtype; /* of weight matrices */
    /* Of embeddings and the vocabulary projection, if has_dtype_embed; else dtype, but int8 with int4. */
    tfm_dtype dtype_embed;
    bool has_dtype_embed;
    tfm_progress progress; /* bytes of tensors written; may be NULL */
    void *progress_user;
    /* Told what a person should know and the file does not say; may be NULL. */
    void (*note)(void *user, const char *text);
    void *note_user;
    /* Told of each matrix what rounding to its type cost; may be NULL (then it is not measured). */
    void (*rounded)(void *user, const tfm_rounding *rounding);
    void *rounded_user;
} tfm_pack_options;

/* The type embeddings and the vocabulary projection get. */
tfm_dtype tfm_pack_embed_dtype(const tfm_pack_options *options);

typedef struct tfm_importer {
    const char *family;      /* "marian" */
    const char *model_types; /* values of config.json's model_type it takes, separated by spaces */
    const char *what;        /* one line for --list */
    /* Writes sections architecture, generation, origin and all tensors. Refuses missing, extra, misshapen and
     * non-finite tensors by name. */
    tfm_status (*import)(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error);
} tfm_importer;

/* All importers, NULL-terminated. */
extern const tfm_importer *const tfm_importers[];

#endif
