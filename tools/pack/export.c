/* export.c - the way back: tensors of a model file under the checkpoint's names, as section origin has them. */
#include "pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/grow.h"
#include "tools/safetensors/st_dtype.h"

/* One tensor to write: rows [first, first + n) of a tensor of the file. */
typedef struct piece {
    const tfm_tensor *tensor;
    char name[256];
    uint64_t first, n;
    uint32_t rank;
    uint64_t shape[TFM_RANK_MAX];
} piece;

typedef struct pieces {
    piece *list;
    size_t n, capacity;
} pieces;

static tfm_status damaged(const tfm_file *file, const char *tensor, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section origin is not valid at tensor '%s'", tfm_file_path(file),
                    tensor);
}

/*
 * One string of an origin entry: "name", "name=rows" or "name=1xcolumns". *next is the row after those joined so far;
 * a name without "=rows" stands for the whole tensor.
 */
static tfm_status parse_entry(const tfm_file *file, const tfm_tensor *tensor, const char *entry, uint64_t *next,
                              piece *result, tfm_error *error) {
    if (*entry == '~')
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: tensor '%s' was rearranged when '%s' was packed; models of this family cannot be exported",
                        tfm_file_path(file), tensor->name, entry + 1);
    const char *equals = strrchr(entry, '=');
    size_t length = equals ? (size_t)(equals - entry) : strlen(entry);
    if (length == 0 || length >= sizeof result->name) return damaged(file, tensor->name, error);
    memset(result, 0, sizeof *result);
    memcpy(result->name, entry, length);
    result->tensor = tensor;
    result->rank = tensor->rank;
    result->n = tensor->shape[0];
    memcpy(result->shape, tensor->shape, sizeof result->shape);
    if (!equals) return TFM_OK;
    char *end;
    uint64_t number = strtoull(equals + 1, &end, 10);
    if (number == 1 && *end == 'x' && tensor->rank == 1) {
        result->rank = 2;
        result->shape[0] = 1;
        result->shape[1] = strtoull(end + 1, &end, 10);
        return *end == '\0' && result->shape[1] == tensor->shape[0] ? TFM_OK : damaged(file, tensor->name, error);
    }
    if (*end != '\0' || end == equals + 1 || *next > tensor->shape[0] || number > tensor->shape[0] - *next)
        return damaged(file, tensor->name, error);
    result->first = *next;
    result->n = result->shape[0] = number;
    *next += number;
    return TFM_OK;
}

static tfm_status collect(const tfm_file *file, const tfm_table *origin, pieces *all, tfm_error *error) {
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++) {
        const tfm_tensor *tensor = tfm_file_tensor_at(file, i);
        const tfm_value *value = tfm_table_find(origin, tensor->name);
        if (!value) continue;
        if (value->type != TFM_VALUE_STRINGS || tensor->rank < 1 || tensor->rank > 2)
            return damaged(file, tensor->name, error);
        const char *entry = value->data;
        uint64_t next = 0;
        for (size_t k = 0; k < value->n; k++, entry += strlen(entry) + 1) {
            if (!tfm_grow(&all->list, &all->capacity, all->n, 1, sizeof *all->list))
                return tfm_no_memory(error, "the list of tensors");
            tfm_status status = parse_entry(file, tensor, entry, &next, &all->list[all->n], error);
            if (status != TFM_OK) return status;
            all->n++;
        }
        if (next != 0 && next != tensor->shape[0]) return damaged(file, tensor->name, error);
    }
    if (all->n == 0)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: holds no tensors that came from a checkpoint",
                        tfm_file_path(file));
    return TFM_OK;
}

static int compare_pieces(const void *a, const void *b) {
    return strcmp(((const piece *)a)->name, ((const piece *)b)->name);
}

/* The type a tensor is exported in: its own, f32 if that is quantised. */
static tfm_dtype export_dtype(const tfm_tensor *tensor) {
    return tfm_dtype_quantized(tensor->dtype) ? TFM_F32 : tensor->dtype;
}

/* Rows [first, end) of one panel, row-major in the type they are exported in. */
static void take_rows(const tfm_tensor *tensor, uint64_t first, uint64_t end, float *scratch, unsigned char *rows) {
    const size_t k = (size_t)tensor->shape[1], lane = (size_t)(first % TFM_PANEL), n = (size_t)(end - first);
    const unsigned char *from =
        (const unsigned char *)tensor->data + (size_t)(first / TFM_PANEL) * tfm_panel_bytes(tensor->dtype, k);
    if (tfm_dtype_quantized(tensor->dtype)) {
        tfm_panel_unpack(from, tensor->dtype, lane + n, k, scratch, k);
        memcpy(rows, scratch + lane * k, n * k * sizeof *scratch);
        return;
    }
    tfm_panel_rows(from, tensor->dtype, k, lane, n, rows);
}

/* Takes rows out of panels again, a panel at a time. */
static tfm_status write_panels(tfm_safetensors_writer *writer, const piece *p, tfm_error *error) {
    const size_t k = (size_t)p->shape[1], size = tfm_dtype_size(export_dtype(p->tensor));
    unsigned char *rows = malloc(TFM_PANEL * k * size);
    float *scratch = malloc(TFM_PANEL * k * sizeof(float));
    tfm_status status = TFM_OK;
    if (!rows || !scratch) status = tfm_no_memory(error, "a part of tensor '%s'", p->name);
    for (uint64_t row = p->first; status == TFM_OK && row < p->first + p->n;) {
        uint64_t end = (row / TFM_PANEL + 1) * TFM_PANEL;
        if (end > p->first + p->n) end = p->first + p->n;
        take_rows(p->tensor, row, end, scratch, rows);
        status = tfm_safetensors_writer_write(writer, rows, (size_t)(end - row) * k * size, error);
        row = end;
    }
    free(rows);
    free(scratch);
    return status;
}

static tfm_status write_piece(tfm_safetensors_writer *writer, const piece *p, tfm_error *error) {
    if (p->tensor->layout == TFM_LAYOUT_PANELS) return write_panels(writer, p, error);
    const size_t size = tfm_dtype_size(p->tensor->dtype);
    const size_t width = p->tensor->rank == 2 ? (size_t)p->tensor->shape[1] : 1;
    const unsigned char *data = p->tensor->data;
    return tfm_safetensors_writer_write(writer, data + (size_t)p->first * width * size, (size_t)p->n * width * size,
                                        error);
}

static tfm_status check_out(const char *out, bool force, tfm_error *error) {
    struct stat st;
    tfm_safetensors *old;
    if (force || stat(out, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) return TFM_OK;
    if (tfm_safetensors_open(&old, out, NULL) != TFM_OK)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: exists and is not a safetensors file; it is replaced only with --force", out);
    tfm_safetensors_close(&old);
    return TFM_OK;
}

tfm_status tfm_export(const tfm_file *file, const char *out, bool force, tfm_progress progress, void *progress_user,
                      tfm_error *error) {
    const tfm_table *origin = tfm_file_table(file, "origin");
    pieces all = {0};
    tfm_safetensors_writer *writer = NULL;
    uint64_t done = 0, total = 0;
    tfm_status status = check_out(out, force, error);
    if (status == TFM_OK) status = collect(file, origin, &all, error);
    if (status == TFM_OK) {
        qsort(all.list, all.n, sizeof *all.list, compare_pieces);
        status = tfm_safetensors_writer_create(&writer, out, error);
    }
    if (status == TFM_OK) status = tfm_safetensors_writer_metadata(writer, "format", "pt", error);
    for (size_t i = 0; status == TFM_OK && i < all.n; i++) {
        const piece *p = &all.list[i];
        status = tfm_safetensors_writer_declare(writer, p->name, tfm_st_dtype_from_tfm(export_dtype(p->tensor)),
                                                p->rank, p->shape, error);
        total += p->n * (p->tensor->rank == 2 ? p->tensor->shape[1] : 1);
    }
    for (size_t i = 0; status == TFM_OK && i < all.n; i++) {
        const piece *p = &all.list[i];
        status = write_piece(writer, p, error);
        done += p->n * (p->tensor->rank == 2 ? p->tensor->shape[1] : 1);
        if (status == TFM_OK && progress && progress(progress_user, done, total))
            status = tfm_fail(error, TFM_ERROR_CANCELLED, "interrupted");
    }
    if (status == TFM_OK)
        status = tfm_safetensors_writer_commit(&writer, error);
    else
        tfm_safetensors_writer_abort(&writer);
    free(all.list);
    return status;
}
