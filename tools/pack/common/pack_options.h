/*
 * pack_options.h - what a person asked for, and who is told what a person should know.
 */
#ifndef TFM_TOOLS_PACK_COMMON_PACK_OPTIONS_H
#define TFM_TOOLS_PACK_COMMON_PACK_OPTIONS_H

#include <jansson.h>

#include "format/model_file.h"

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
    /* A list that is given a line for each key of a configuration file that had no effect; may be NULL. */
    json_t *ignored;
    /* Told of each matrix what rounding to its type cost; may be NULL (then it is not measured). */
    void (*rounded)(void *user, const tfm_rounding *rounding);
    void *rounded_user;
} tfm_pack_options;

/* The type embeddings and the vocabulary projection get. */
tfm_dtype tfm_pack_embed_dtype(const tfm_pack_options *options);

/* Tells options->note, if there is one; a note has at most 1,200 bytes. */
__attribute__((format(printf, 2, 3))) void tfm_pack_note(const tfm_pack_options *options, const char *format, ...);

#endif
