/*
 * array_views.h - arrays of a foreign file shown as the tensors of a Hugging Face folder: parts of their rows, rows
 * exchanged with columns, rows added. For formats whose files join or transpose what that folder keeps apart.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_ARRAY_VIEWS_H
#define TFM_TOOLS_PACK_FOREIGN_ARRAY_VIEWS_H

#include "tools/pack/checkpoint/checkpoint_format.h"
#include "tools/pack/checkpoint/matrix_rows.h"

#define TFM_VIEW_NO_ARRAY UINT32_MAX

/* A tensor: rows of zeros, rows of an array (or computed ones), rows of zeros. */
typedef struct tfm_array_view {
    const char *dtype_name;
    uint32_t array;  /* TFM_VIEW_NO_ARRAY: rows are what fill computes, or zeros */
    bool is_vector;  /* rank 1; width is 1 */
    bool transposed; /* `rows` columns of the array, from column `first` on */
    uint64_t width, first, rows;
    uint64_t before, after; /* rows of zeros */
    uint64_t heads;         /* not 0: rows of query, key and value become those of each head together */
    tfm_row_fill *fill;
} tfm_array_view;

/* Arrays have rows (n, k); a vector is n rows of one element. */
typedef struct tfm_array_shape {
    uint64_t n, k;
} tfm_array_shape;

/* All views of a checkpoint; a tensor's key is the number of its view. */
typedef struct tfm_array_views {
    tfm_checkpoint *checkpoint;
    tfm_array_view *list;
    size_t n, capacity;
    void *state; /* of what follows */
    tfm_array_shape (*shape)(void *state, uint32_t array);
    /* Rows of an array as floats; they are within it. */
    tfm_status (*read)(void *state, uint32_t array, uint64_t row0, uint64_t n_rows, float *rows, tfm_error *error);
    float *transposed; /* the array that was transposed last */
    uint32_t transposed_array;
} tfm_array_views;

/* Adds a tensor. What the view takes must be in its array: else TFM_ERROR_FORMAT, by name. */
tfm_status tfm_array_views_add(tfm_array_views *views, const char *name, const tfm_array_view *view, tfm_error *error);
/* Rows of the tensor with this key, for tfm_checkpoint_reader.read. */
tfm_status tfm_array_views_read(tfm_array_views *views, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows,
                                tfm_error *error);
void tfm_array_views_free(tfm_array_views *views);

#endif
