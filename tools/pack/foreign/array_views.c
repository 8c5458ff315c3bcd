/* array_views.c - arrays of a foreign file shown as tensors; see array_views.h. */
#include "array_views.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"

/* Whether what a view takes lies in an array of this shape. */
static bool fits(const tfm_array_view *v, tfm_array_shape shape) {
    const uint64_t n = v->transposed ? shape.k : shape.n, k = v->transposed ? shape.n : shape.k;
    return v->width == k && v->first <= n && v->rows <= n - v->first;
}

tfm_status tfm_array_views_add(tfm_array_views *views, const char *name, const tfm_array_view *view, tfm_error *error) {
    uint64_t rows, size;
    if (view->array != TFM_VIEW_NO_ARRAY) {
        const tfm_array_shape shape = views->shape(views->state, view->array);
        if (!fits(view, shape))
            return tfm_fail(error, TFM_ERROR_FORMAT,
                            "%s: what becomes '%s' has the shape (%" PRIu64 ", %" PRIu64 "), which does not fit",
                            views->checkpoint->path, name, shape.n, shape.k);
    }
    if (__builtin_add_overflow(view->rows, view->before, &rows) || __builtin_add_overflow(rows, view->after, &rows) ||
        __builtin_mul_overflow(rows, view->width, &size) || size > UINT64_MAX / sizeof(float))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: what becomes '%s' is too large", views->checkpoint->path, name);
    if (!tfm_grow(&views->list, &views->capacity, views->n, 1, sizeof *views->list))
        return tfm_no_memory(error, "%s", views->checkpoint->path);
    views->list[views->n] = *view;
    const uint64_t dims[2] = {rows, view->width};
    tfm_status status = tfm_checkpoint_add_decoded(views->checkpoint, name, view->dtype_name, view->is_vector ? 1 : 2,
                                                   dims, views->n, error);
    if (status == TFM_OK) views->n++;
    return status;
}

/* What a row of an array is read with. */
typedef struct array_rows {
    const tfm_array_views *views;
    uint32_t array;
} array_rows;

static tfm_status read_array_row(void *state, uint64_t row, float *values, tfm_error *error) {
    const array_rows *rows = state;
    return rows->views->read(rows->views->state, rows->array, row, 1, values, error);
}

/* Brings a whole array, columns as rows, into memory; several tensors may be parts of it. */
static tfm_status transpose(tfm_array_views *views, uint32_t array, tfm_error *error) {
    if (views->transposed && views->transposed_array == array) return TFM_OK;
    const tfm_array_shape shape = views->shape(views->state, array);
    array_rows rows = {views, array};
    free(views->transposed);
    views->transposed_array = array;
    return tfm_read_transposed(shape.n, shape.k, read_array_row, &rows, views->checkpoint->path, &views->transposed,
                               error);
}

/* Row r of a view that gathers heads: of head h first its query, then its key, then its value. */
static uint64_t row_of_head(const tfm_array_view *v, uint64_t r) {
    const uint64_t size = v->rows / (3 * v->heads); /* of a head */
    const uint64_t head = r / (3 * size), part = r / size % 3;
    return part * v->heads * size + head * size + r % size;
}

/* Rows of the array's part of a view. */
static tfm_status read_array(tfm_array_views *views, const tfm_array_view *v, uint64_t row0, uint64_t n_rows,
                             float *rows, tfm_error *error) {
    if (v->transposed) {
        tfm_status status = transpose(views, v->array, error);
        if (status == TFM_OK)
            memcpy(rows, views->transposed + (v->first + row0) * v->width, n_rows * v->width * sizeof *rows);
        return status;
    }
    if (!v->heads) return views->read(views->state, v->array, v->first + row0, n_rows, rows, error);
    tfm_status status = TFM_OK;
    for (uint64_t i = 0; status == TFM_OK && i < n_rows; i++)
        status =
            views->read(views->state, v->array, v->first + row_of_head(v, row0 + i), 1, rows + i * v->width, error);
    return status;
}

tfm_status tfm_array_views_read(tfm_array_views *views, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows,
                                tfm_error *error) {
    const tfm_array_view *v = &views->list[key];
    while (n_rows > 0) {
        uint64_t n = n_rows;
        const bool zeros = row0 < v->before || row0 >= v->before + v->rows;
        if (row0 < v->before) {
            n = v->before - row0 < n ? v->before - row0 : n;
        } else if (!zeros) {
            const uint64_t left = v->before + v->rows - row0;
            n = left < n ? left : n;
        }
        if (zeros || (v->array == TFM_VIEW_NO_ARRAY && !v->fill)) {
            memset(rows, 0, n * v->width * sizeof *rows);
        } else if (v->array == TFM_VIEW_NO_ARRAY) {
            v->fill(rows, v->first + row0 - v->before, n, v->width);
        } else {
            tfm_status status = read_array(views, v, row0 - v->before, n, rows, error);
            if (status != TFM_OK) return status;
        }
        rows += n * v->width;
        row0 += n;
        n_rows -= n;
    }
    return TFM_OK;
}

void tfm_array_views_free(tfm_array_views *views) {
    free(views->list);
    free(views->transposed);
    memset(views, 0, sizeof *views);
}
