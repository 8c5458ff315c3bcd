/* safetensors_writer.c - writer of the safetensors container: all or nothing at the path it is given. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "format/atomic_file.h"
#include "format/model_file.h"

struct tfm_safetensors_writer {
    tfm_output *file;
    const char *path; /* the file's */
    bool begun;       /* the header is written */
    json_t *header, *metadata;
    uint64_t declared, written; /* bytes of data */
    uint64_t flushed;           /* bytes of the file */
    unsigned char *buffer;
    size_t buffered;
};

#define BUFFER_BYTES ((size_t)1 << 16)

static tfm_status write_all(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error) {
    tfm_status status = tfm_output_write(writer->file, data, n, writer->flushed, error);
    writer->flushed += n;
    return status;
}

static tfm_status flush(tfm_safetensors_writer *writer, tfm_error *error) {
    size_t n = writer->buffered;
    writer->buffered = 0;
    return write_all(writer, writer->buffer, n, error);
}

static tfm_status put(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error) {
    if (n >= BUFFER_BYTES - writer->buffered) {
        tfm_status status = flush(writer, error);
        if (status != TFM_OK) return status;
        if (n >= BUFFER_BYTES) return write_all(writer, data, n, error);
    }
    if (n > 0) memcpy(writer->buffer + writer->buffered, data, n);
    writer->buffered += n;
    return TFM_OK;
}

tfm_status tfm_safetensors_writer_create(tfm_safetensors_writer **result, const char *path, tfm_error *error) {
    *result = NULL;
    tfm_safetensors_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return tfm_no_memory(error, "%s", path);
    tfm_status status = tfm_output_create(&writer->file, path, error);
    writer->path = tfm_output_path(writer->file);
    writer->header = json_object();
    writer->metadata = json_object();
    writer->buffer = malloc(BUFFER_BYTES);
    if (status == TFM_OK && (!writer->header || !writer->metadata || !writer->buffer))
        status = tfm_no_memory(error, "%s", writer->path);
    if (status != TFM_OK)
        tfm_safetensors_writer_abort(&writer);
    else
        *result = writer;
    return status;
}

tfm_status tfm_safetensors_writer_metadata(tfm_safetensors_writer *writer, const char *key, const char *value,
                                           tfm_error *error) {
    if (writer->begun) return tfm_fail(error, TFM_ERROR_STATE, "%s: metadata after the first data", writer->path);
    return json_object_set_new(writer->metadata, key, json_string(value)) == 0
               ? TFM_OK
               : tfm_no_memory(error, "%s", writer->path);
}

tfm_status tfm_safetensors_writer_declare(tfm_safetensors_writer *writer, const char *name, tfm_st_dtype dtype,
                                          uint32_t rank, const uint64_t *shape, tfm_error *error) {
    uint64_t bytes = tfm_st_dtype_size(dtype), end;
    if (writer->begun)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: tensor '%s' declared after the first data", writer->path, name);
    if (bytes == 0 || rank > TFM_SAFETENSORS_RANK_MAX || strcmp(name, "__metadata__") == 0 ||
        json_object_get(writer->header, name))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s': declared twice, or with a bad name, dtype or rank",
                        writer->path, name);
    json_t *dimensions = json_array();
    bool ok = dimensions != NULL;
    for (uint32_t i = 0; ok && i < rank; i++) {
        if (shape[i] > INT64_MAX || __builtin_mul_overflow(bytes, shape[i], &bytes)) {
            json_decref(dimensions);
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s' is too large", writer->path, name);
        }
        ok = json_array_append_new(dimensions, json_integer((json_int_t)shape[i])) == 0;
    }
    if (__builtin_add_overflow(writer->declared, bytes, &end) || end > INT64_MAX) {
        json_decref(dimensions);
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s' is too large", writer->path, name);
    }
    json_t *entry = ok ? json_pack("{s:s, s:o, s:[I, I]}", "dtype", tfm_st_dtype_name(dtype), "shape", dimensions,
                                   "data_offsets", (json_int_t)writer->declared, (json_int_t)end)
                       : NULL;
    if (!ok) json_decref(dimensions);
    if (!entry) return tfm_no_memory(error, "%s", writer->path);
    /* The only other reason for a failure is a name that is not UTF-8. */
    if (json_object_set_new(writer->header, name, entry) != 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor name is not UTF-8, or no memory", writer->path);
    writer->declared = end;
    return TFM_OK;
}

/* Writes the header, padded with spaces so that the data starts at a multiple of 8 bytes. */
static tfm_status begin(tfm_safetensors_writer *writer, tfm_error *error) {
    json_t *whole = json_object();
    bool ok = whole != NULL;
    if (json_object_size(writer->metadata) > 0)
        ok = ok && json_object_set(whole, "__metadata__", writer->metadata) == 0;
    ok = ok && json_object_update(whole, writer->header) == 0;
    char *text = ok ? json_dumps(whole, JSON_COMPACT) : NULL;
    json_decref(whole);
    if (!text) return tfm_no_memory(error, "%s", writer->path);
    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    tfm_status status = put(writer, prefix, sizeof prefix, error);
    if (status == TFM_OK) status = put(writer, text, length, error);
    if (status == TFM_OK) status = put(writer, "        ", padded - length, error);
    free(text);
    writer->begun = true;
    return status;
}

tfm_status tfm_safetensors_writer_write(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error) {
    tfm_status status = writer->begun ? TFM_OK : begin(writer, error);
    if (status != TFM_OK) return status;
    if (n > writer->declared - writer->written)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: more data than declared", writer->path);
    writer->written += n;
    return put(writer, data, n, error);
}

tfm_status tfm_safetensors_writer_commit(tfm_safetensors_writer **handle, tfm_error *error) {
    tfm_safetensors_writer *writer = *handle;
    tfm_status status = writer->begun ? TFM_OK : begin(writer, error);
    if (status == TFM_OK && writer->written != writer->declared)
        status = tfm_fail(error, TFM_ERROR_STATE, "%s: %llu of %llu declared bytes written", writer->path,
                          (unsigned long long)writer->written, (unsigned long long)writer->declared);
    if (status == TFM_OK) status = flush(writer, error);
    if (status == TFM_OK) status = tfm_output_commit(&writer->file, error);
    tfm_safetensors_writer_abort(handle);
    return status;
}

void tfm_safetensors_writer_abort(tfm_safetensors_writer **handle) {
    tfm_safetensors_writer *writer = *handle;
    if (!writer) return;
    tfm_output_abort(&writer->file);
    json_decref(writer->header);
    json_decref(writer->metadata);
    free(writer->buffer);
    free(writer);
    *handle = NULL;
}
