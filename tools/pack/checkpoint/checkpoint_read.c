/* checkpoint_read.c - values of a checkpoint's tensors: bytes of files and zip entries, strides, element types. */
#include "checkpoint_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)1 << 16)

tfm_status tfm_checkpoint_add_safetensors(tfm_checkpoint *checkpoint, uint32_t file, tfm_error *error) {
    tfm_checkpoint_file *f = &checkpoint->files[file];
    tfm_status status = tfm_safetensors_open(&f->safetensors, f->path, error);
    if (status != TFM_OK) return status;
    f->fd = tfm_safetensors_fd(f->safetensors);
    for (size_t i = 0; i < tfm_safetensors_count(f->safetensors); i++) {
        const tfm_st_tensor *tensor = tfm_safetensors_at(f->safetensors, i);
        uint32_t blob;
        status =
            tfm_checkpoint_add_blob(checkpoint, (tfm_blob){file, false, tensor->offset, tensor->length}, &blob, error);
        if (status == TFM_OK)
            status = tfm_checkpoint_add_tensor(checkpoint, tensor->name, tensor->dtype, tensor->rank, tensor->shape,
                                               NULL, file, blob, 0, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* ---- bytes ---- */

/* Brings a whole zip entry into the cache: libzip checks its CRC only when it is read to its end. */
static tfm_status load_entry(tfm_checkpoint *checkpoint, uint32_t index, tfm_error *error) {
    const tfm_blob *blob = &checkpoint->blobs[index];
    const tfm_checkpoint_file *file = &checkpoint->files[blob->file];
    free(checkpoint->cache);
    checkpoint->cached_blob = UINT32_MAX;
    checkpoint->cache = malloc(blob->length > 0 ? (size_t)blob->length : 1);
    if (!checkpoint->cache)
        return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory for %" PRIu64 " bytes", file->path, blob->length);
    zip_file_t *entry = zip_fopen_index(file->zip, blob->offset, 0);
    if (!entry) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", file->path, zip_strerror(file->zip));
    uint64_t have = 0;
    zip_int64_t got = 1;
    while (have < blob->length && (got = zip_fread(entry, checkpoint->cache + have, blob->length - have)) > 0)
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
    if (status == TFM_OK) checkpoint->cached_blob = index;
    return status;
}

tfm_status tfm_checkpoint_bytes(tfm_checkpoint *checkpoint, uint32_t index, uint64_t offset, void *data, size_t n,
                                tfm_error *error) {
    const tfm_blob *blob = &checkpoint->blobs[index];
    const tfm_checkpoint_file *file = &checkpoint->files[blob->file];
    if (offset > blob->length || n > blob->length - offset)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: a tensor reaches outside its data", file->path);
    if (blob->zipped) {
        tfm_status status = checkpoint->cached_blob == index ? TFM_OK : load_entry(checkpoint, index, error);
        if (status == TFM_OK && n > 0) memcpy(data, checkpoint->cache + offset, n);
        return status;
    }
    return tfm_read_at(file->fd, file->path, blob->offset + offset, data, n, error);
}

/* ---- values ---- */

static bool all_finite(const float *values, size_t n) {
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], 4);
        bits &= 0x7fffffff;
        worst = bits > worst ? bits : worst;
    }
    return worst < 0x7f800000;
}

/* Widens n elements to f32; false if one of them is not finite. */
static bool widen(const void *data, tfm_dtype dtype, size_t n, float *values) {
    const unsigned char *in = data;
    if (dtype == TFM_F32) {
        memcpy(values, data, n * sizeof *values);
    } else {
        for (size_t i = 0; i < n; i++) {
            uint16_t half;
            memcpy(&half, in + 2 * i, 2);
            values[i] = dtype == TFM_F16 ? tfm_f16_to_f32(half) : tfm_bf16_to_f32(half);
        }
    }
    return all_finite(values, n);
}

static tfm_status not_finite(const char *path, const char *name, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_CORRUPT, "%s: tensor '%s' has values that are not finite (NaN or infinity)", path,
                    name);
}

static tfm_status read_run(tfm_checkpoint *checkpoint, const tfm_stored_tensor *stored, uint64_t element, uint64_t n,
                           float *values, tfm_error *error) {
    _Alignas(8) unsigned char buffer[4096];
    uint64_t first = (stored->offset + element) * stored->element;
    for (uint64_t done = 0; done < n;) {
        size_t count = sizeof buffer / stored->element;
        bool direct = stored->tensor.dtype == TFM_F32;
        if (direct) count = CHUNK_BYTES / stored->element;
        if (n - done < count) count = (size_t)(n - done);
        void *place = direct ? (void *)(values + done) : buffer;
        tfm_status status = tfm_checkpoint_bytes(checkpoint, stored->blob, first + done * stored->element, place,
                                                 count * stored->element, error);
        if (status != TFM_OK) return status;
        if (!widen(place, stored->tensor.dtype, count, values + done))
            return not_finite(checkpoint->files[stored->file].path, stored->name, error);
        done += count;
    }
    return TFM_OK;
}

/* Elements of one row after the first dimension, by strides; trailing dimensions that lie contiguous in one run. */
static tfm_status read_row(tfm_checkpoint *checkpoint, const tfm_stored_tensor *stored, uint64_t row, float *values,
                           tfm_error *error) {
    const tfm_checkpoint_tensor *t = &stored->tensor;
    uint64_t run = 1;
    uint32_t inner = t->rank;
    while (inner > 1 && (stored->stride[inner - 1] == run || t->shape[inner - 1] == 1)) {
        run *= t->shape[inner - 1];
        inner--;
    }
    uint64_t counter[TFM_RANK_MAX] = {0}, position = row * stored->stride[0];
    for (;;) {
        tfm_status status = read_run(checkpoint, stored, position, run, values, error);
        if (status != TFM_OK) return status;
        values += run;
        uint32_t d = inner;
        while (d > 1) {
            d--;
            position += stored->stride[d];
            if (++counter[d] < t->shape[d]) break;
            position -= counter[d] * stored->stride[d];
            counter[d] = 0;
            if (d == 1) return TFM_OK;
        }
        if (inner <= 1) return TFM_OK;
    }
}

static bool contiguous(const tfm_stored_tensor *stored) {
    uint64_t expected = 1;
    for (uint32_t i = stored->tensor.rank; i-- > 0;) {
        if (stored->tensor.shape[i] != 1 && stored->stride[i] != expected) return false;
        expected *= stored->tensor.shape[i];
    }
    return true;
}

/* Rows of a tensor that a provider has. */
static tfm_status read_provided(tfm_checkpoint *checkpoint, const tfm_stored_tensor *stored, uint64_t row0,
                                uint64_t n_rows, float *rows, tfm_error *error) {
    const tfm_checkpoint_tensor *t = &stored->tensor;
    const tfm_provider *provider = &checkpoint->provider;
    tfm_status status = provider->read(provider->state, stored->offset, row0, n_rows, rows, error);
    if (status == TFM_OK && !all_finite(rows, (size_t)(n_rows * t->shape[1] * t->shape[2] * t->shape[3])))
        status = not_finite(checkpoint->folder, stored->name, error);
    return status;
}

tfm_status tfm_checkpoint_read(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *tensor, uint64_t row0,
                               uint64_t n_rows, float *rows, tfm_error *error) {
    const tfm_stored_tensor *stored = (const tfm_stored_tensor *)tensor;
    bool provided = checkpoint->provider.read != NULL;
    const char *path = provided ? checkpoint->folder : checkpoint->files[stored->file].path;
    if (tensor->dtype == TFM_DTYPE_COUNT)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s' is %s; weights must be F32, F16 or BF16", path,
                        tensor->name, tensor->dtype_name);
    if (row0 > tensor->shape[0] || n_rows > tensor->shape[0] - row0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s': rows outside it", path, tensor->name);
    uint64_t width = tensor->shape[1] * tensor->shape[2] * tensor->shape[3];
    if (width == 0) return TFM_OK;
    if (provided) return read_provided(checkpoint, stored, row0, n_rows, rows, error);
    if (contiguous(stored)) return read_run(checkpoint, stored, row0 * width, n_rows * width, rows, error);
    for (uint64_t i = 0; i < n_rows; i++) {
        tfm_status status = read_row(checkpoint, stored, row0 + i, rows + i * width, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

static tfm_status equal_rows(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *a, const tfm_checkpoint_tensor *b,
                             bool *equal, tfm_error *error) {
    uint64_t width = a->shape[1] * a->shape[2] * a->shape[3];
    float *x = malloc((size_t)(2 * width + 1) * sizeof *x);
    tfm_status status = TFM_OK;
    if (!x) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory for a row", checkpoint->folder);
    for (uint64_t i = 0; status == TFM_OK && *equal && i < a->shape[0]; i++) {
        status = tfm_checkpoint_read(checkpoint, a, i, 1, x, error);
        if (status == TFM_OK) status = tfm_checkpoint_read(checkpoint, b, i, 1, x + width, error);
        *equal = status == TFM_OK && memcmp(x, x + width, (size_t)width * sizeof *x) == 0;
    }
    free(x);
    return status == TFM_ERROR_CORRUPT ? TFM_OK : status;
}

tfm_status tfm_checkpoint_equal(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *a,
                                const tfm_checkpoint_tensor *b, bool *equal, tfm_error *error) {
    float x[1024], y[1024];
    *equal = a->dtype == b->dtype && a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
    if (!*equal || a->storage == b->storage || a->dtype == TFM_DTYPE_COUNT) return TFM_OK;
    /* Copies with strides are not worth a look: the answer only decides whether a name is remembered. */
    const tfm_stored_tensor *p = (const tfm_stored_tensor *)a, *q = (const tfm_stored_tensor *)b;
    if (checkpoint->provider.read) return equal_rows(checkpoint, a, b, equal, error);
    *equal = contiguous(p) && contiguous(q);
    uint64_t n = a->shape[0] * a->shape[1] * a->shape[2] * a->shape[3];
    for (uint64_t i = 0; *equal && i < n; i += 1024) {
        uint64_t count = n - i < 1024 ? n - i : 1024;
        tfm_status status = read_run(checkpoint, p, i, count, x, error);
        if (status == TFM_OK) status = read_run(checkpoint, q, i, count, y, error);
        if (status != TFM_OK && status != TFM_ERROR_CORRUPT) return status;
        *equal = status == TFM_OK && memcmp(x, y, (size_t)count * sizeof *x) == 0;
    }
    return TFM_OK;
}
