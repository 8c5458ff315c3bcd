/* weight_files.c - tensors in files and zip entries: strides, element types, values; see weight_files.h. */
#include "weight_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/grow.h"
#include "tools/common/bytes.h"
#include "tools/pack/tokenizer/tokenizer_pack.h"
#include "tools/safetensors/st_dtype.h"

#define CHUNK_BYTES ((size_t)1 << 16)
#define MOST_ENTRIES (UINT32_MAX / 4) /* of a table */

/* ---- tables ---- */

tfm_status tfm_weight_files_add(tfm_weight_files *files, const char *name, uint32_t *index, tfm_error *error) {
    const char *folder = files->checkpoint->path;
    if (!tfm_grow(&files->files, &files->file_capacity, files->n_files, 1, sizeof *files->files))
        return tfm_no_memory(error, "%s", folder);
    tfm_weight_file *file = &files->files[files->n_files];
    *file = (tfm_weight_file){.fd = -1};
    if (asprintf(&file->path, "%s/%s", folder, name) < 0) return tfm_no_memory(error, "%s", folder);
    file->name = file->path + strlen(folder) + 1;
    *index = (uint32_t)files->n_files++;
    return TFM_OK;
}

const tfm_weight_file *tfm_weight_files_find(const tfm_weight_files *files, const char *name) {
    for (size_t i = 0; i < files->n_files; i++)
        if (strcmp(files->files[i].name, name) == 0) return &files->files[i];
    return NULL;
}

tfm_status tfm_weight_files_add_blob(tfm_weight_files *files, tfm_blob blob, uint32_t *index, tfm_error *error) {
    if (files->n_blobs >= MOST_ENTRIES ||
        !tfm_grow(&files->blobs, &files->blob_capacity, files->n_blobs, 1, sizeof *files->blobs))
        return tfm_no_memory(error, "%s", files->files[blob.file].path);
    files->blobs[files->n_blobs] = blob;
    *index = (uint32_t)files->n_blobs++;
    return TFM_OK;
}

static bool is_contiguous(const tfm_stored_tensor *stored) {
    uint64_t expected = 1;
    for (uint32_t i = stored->rank; i-- > 0;) {
        if (stored->shape[i] != 1 && stored->stride[i] != expected) return false;
        expected *= stored->shape[i];
    }
    return true;
}

tfm_status tfm_weight_files_add_tensor(tfm_weight_files *files, const char *name, tfm_st_dtype dtype, uint32_t rank,
                                       const uint64_t *shape, const uint64_t *stride, uint32_t blob, uint64_t offset,
                                       tfm_error *error) {
    const char *path = files->files[files->blobs[blob].file].path;
    tfm_checkpoint_entry *entry;
    tfm_status status =
        tfm_checkpoint_add(files->checkpoint, name, tfm_st_dtype_to_tfm(dtype), tfm_st_dtype_name(dtype), rank, shape,
                           path, files->n_tensors, &entry, error);
    if (status != TFM_OK) return status;
    if (files->n_tensors >= MOST_ENTRIES ||
        !tfm_grow(&files->tensors, &files->tensor_capacity, files->n_tensors, 1, sizeof *files->tensors))
        return tfm_no_memory(error, "%s", path);
    tfm_stored_tensor *stored = &files->tensors[files->n_tensors++];
    *stored = (tfm_stored_tensor){.blob = blob,
                                  .rank = rank,
                                  .element = tfm_st_dtype_size(dtype),
                                  .dtype = entry->tensor.dtype,
                                  .offset = offset};
    memcpy(stored->shape, entry->tensor.shape, sizeof stored->shape);
    uint64_t step = 1; /* products of dimensions do not overflow: tfm_checkpoint_add has looked */
    for (uint32_t i = rank; i-- > 0; step *= shape[i] > 0 ? shape[i] : 1) stored->stride[i] = stride ? stride[i] : step;
    entry->contiguous = is_contiguous(stored);
    return TFM_OK;
}

static int compare_places(const void *a, const void *b, void *tensors) {
    const tfm_stored_tensor *list = tensors, *x = &list[*(const uint32_t *)a], *y = &list[*(const uint32_t *)b];
    if (x->blob != y->blob) return x->blob < y->blob ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    int order = memcmp(x->shape, y->shape, sizeof x->shape);
    return order ? order : memcmp(x->stride, y->stride, sizeof x->stride);
}

tfm_status tfm_weight_files_find_ties(tfm_weight_files *files, tfm_error *error) {
    const size_t n = files->n_tensors;
    uint32_t *order = reallocarray(NULL, n + 1, sizeof *order);
    if (!order) return tfm_no_memory(error, "%s", files->checkpoint->path);
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    if (n > 0) qsort_r(order, n, sizeof *order, compare_places, files->tensors);
    for (size_t i = 0, place = 0; i < n; i++) {
        if (i > 0 && compare_places(&order[i - 1], &order[i], files->tensors) != 0) place++;
        files->checkpoint->entries[order[i]].tensor.storage = place;
    }
    free(order);
    return TFM_OK;
}

/* ---- bytes ---- */

/* Brings a whole zip entry into the cache: libzip checks its CRC only when it is read to its end. */
static tfm_status load_entry(tfm_weight_files *files, uint32_t index, tfm_error *error) {
    const tfm_blob *blob = &files->blobs[index];
    const tfm_weight_file *file = &files->files[blob->file];
    free(files->cache);
    files->cached_blob = UINT32_MAX;
    files->cache = malloc(blob->length > 0 ? (size_t)blob->length : 1);
    if (!files->cache) return tfm_no_memory(error, "%s: an entry of %" PRIu64 " bytes", file->path, blob->length);
    zip_file_t *entry = zip_fopen_index(file->zip, blob->offset, 0);
    if (!entry) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", file->path, zip_strerror(file->zip));
    uint64_t have = 0;
    zip_int64_t got = 1;
    while (have < blob->length && (got = zip_fread(entry, files->cache + have, blob->length - have)) > 0)
        have += (uint64_t)got;
    char more;
    if (got > 0 || blob->length == 0) got = zip_fread(entry, &more, 1);
    tfm_status status = TFM_OK;
    if (got < 0)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: entry %s is damaged: %s", file->path,
                          zip_get_name(file->zip, blob->offset, ZIP_FL_ENC_RAW), zip_file_strerror(entry));
    else if (have != blob->length || got > 0)
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: entry %s is damaged: its length is wrong", file->path,
                          zip_get_name(file->zip, blob->offset, ZIP_FL_ENC_RAW));
    zip_fclose(entry);
    if (status == TFM_OK) files->cached_blob = index;
    return status;
}

/* Bytes [offset, offset + n) of a blob. */
static tfm_status read_bytes(tfm_weight_files *files, uint32_t index, uint64_t offset, void *data, size_t n,
                             tfm_error *error) {
    const tfm_blob *blob = &files->blobs[index];
    const tfm_weight_file *file = &files->files[blob->file];
    if (offset > blob->length || n > blob->length - offset)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: a tensor reaches outside its data", file->path);
    if (blob->zipped) {
        tfm_status status = files->cached_blob == index ? TFM_OK : load_entry(files, index, error);
        if (status == TFM_OK && n > 0) memcpy(data, files->cache + offset, n);
        return status;
    }
    return tfm_read_at(file->fd, file->path, blob->offset + offset, data, n, error);
}

/* ---- values ---- */

/* Widens n elements to f32. */
static void widen(const void *data, tfm_dtype dtype, size_t n, float *values) {
    const unsigned char *in = data;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, in + 2 * i, 2);
        values[i] = dtype == TFM_F16 ? tfm_f16_to_f32(half) : tfm_bf16_to_f32(half);
    }
}

/* n elements from `element` on, one after the other. */
static tfm_status read_run(tfm_weight_files *files, const tfm_stored_tensor *stored, uint64_t element, uint64_t n,
                           float *values, tfm_error *error) {
    _Alignas(8) unsigned char buffer[4096];
    const bool direct = stored->dtype == TFM_F32;
    const uint64_t first = (stored->offset + element) * stored->element;
    for (uint64_t done = 0; done < n;) {
        size_t count = (direct ? CHUNK_BYTES : sizeof buffer) / stored->element;
        if (n - done < count) count = (size_t)(n - done);
        void *place = direct ? (void *)(values + done) : buffer;
        tfm_status status =
            read_bytes(files, stored->blob, first + done * stored->element, place, count * stored->element, error);
        if (status != TFM_OK) return status;
        if (!direct) widen(buffer, stored->dtype, count, values + done);
        done += count;
    }
    return TFM_OK;
}

/* Elements of one row after the first dimension, by strides; trailing dimensions that lie contiguous in one run. */
static tfm_status read_row(tfm_weight_files *files, const tfm_stored_tensor *stored, uint64_t row, float *values,
                           tfm_error *error) {
    uint64_t run = 1;
    uint32_t inner = stored->rank;
    while (inner > 1 && (stored->stride[inner - 1] == run || stored->shape[inner - 1] == 1)) {
        run *= stored->shape[inner - 1];
        inner--;
    }
    uint64_t counter[TFM_RANK_MAX] = {0}, position = row * stored->stride[0];
    for (;;) {
        tfm_status status = read_run(files, stored, position, run, values, error);
        if (status != TFM_OK) return status;
        values += run;
        uint32_t d = inner;
        while (d > 1) {
            d--;
            position += stored->stride[d];
            if (++counter[d] < stored->shape[d]) break;
            position -= counter[d] * stored->stride[d];
            counter[d] = 0;
            if (d == 1) return TFM_OK;
        }
        if (inner <= 1) return TFM_OK;
    }
}

/* tfm_checkpoint_reader.read */
static tfm_status read_values(void *state, uint64_t key, uint64_t row0, uint64_t n_rows, float *rows,
                              tfm_error *error) {
    tfm_weight_files *files = state;
    const tfm_stored_tensor *stored = &files->tensors[key];
    const uint64_t width = stored->shape[1] * stored->shape[2] * stored->shape[3];
    if (is_contiguous(stored)) return read_run(files, stored, row0 * width, n_rows * width, rows, error);
    for (uint64_t i = 0; i < n_rows; i++) {
        tfm_status status = read_row(files, stored, row0 + i, rows + i * width, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* ---- the reader ---- */

static tfm_status write_tokenizers(void *state, tfm_writer *writer, const tfm_pack_options *options, tfm_error *error) {
    const tfm_weight_files *files = state;
    return tfm_pack_tokenizers(files->checkpoint->path, writer, false, options, error);
}

static void close_files(void *state) {
    tfm_weight_files *files = state;
    for (size_t i = 0; i < files->n_files; i++) {
        tfm_weight_file *file = &files->files[i];
        if (file->safetensors)
            tfm_safetensors_close(&file->safetensors);
        else if (file->fd >= 0)
            close(file->fd);
        if (file->zip) zip_discard(file->zip);
        free(file->path);
    }
    free(files->files);
    free(files->blobs);
    free(files->tensors);
    free(files->cache);
    free(files);
}

tfm_status tfm_weight_files_begin(tfm_weight_files **result, tfm_checkpoint *checkpoint, tfm_error *error) {
    tfm_weight_files *files = *result = calloc(1, sizeof *files);
    if (!files) return tfm_no_memory(error, "%s", checkpoint->path);
    files->checkpoint = checkpoint;
    files->cached_blob = UINT32_MAX;
    checkpoint->reader = (tfm_checkpoint_reader){files, read_values, write_tokenizers, close_files};
    return TFM_OK;
}
