/* safetensors_writer.c - writer of the safetensors container: all or nothing at the path it is given. */
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tfm_safetensors_writer {
    char *path;
    char *temporary; /* its name while it has one: with O_TMPFILE only during the commit */
    int fd;
    bool begun; /* the header is written */
    json_t *header, *metadata;
    uint64_t declared, written; /* bytes of data */
    unsigned char *buffer;
    size_t buffered;
};

#define BUFFER_BYTES ((size_t)1 << 16)

static tfm_status no_memory(const tfm_safetensors_writer *writer, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", writer->path);
}

static tfm_status write_all(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error) {
    const char *p = data;
    while (n > 0) {
        ssize_t put = write(writer->fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot write: %s", writer->path, strerror(errno));
        p += put, n -= (size_t)put;
    }
    return TFM_OK;
}

static tfm_status flush(tfm_safetensors_writer *writer, tfm_error *error) {
    size_t n = writer->buffered;
    writer->buffered = 0;
    return write_all(writer, writer->buffer, n, error);
}

static tfm_status put(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error) {
    if (n >= BUFFER_BYTES - writer->buffered) {
        tfm_status status = flush(writer, error);
        if (status) return status;
        if (n >= BUFFER_BYTES) return write_all(writer, data, n, error);
    }
    if (n > 0) memcpy(writer->buffer + writer->buffered, data, n);
    writer->buffered += n;
    return TFM_OK;
}

/* A file without a name in path's folder; where the file system cannot, one with a temporary name. */
static int open_temporary(tfm_safetensors_writer *writer) {
    const char *slash = strrchr(writer->path, '/');
    char *folder =
        !slash ? strdup(".") : strndup(writer->path, slash == writer->path ? 1 : (size_t)(slash - writer->path));
    if (!folder) return -1;
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    free(folder);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)) return fd;
    if (asprintf(&writer->temporary, "%s.XXXXXX", writer->path) < 0) {
        writer->temporary = NULL;
        return -1;
    }
    fd = mkostemp(writer->temporary, O_CLOEXEC);
    if (fd < 0) {
        int reason = errno;
        free(writer->temporary);
        writer->temporary = NULL;
        errno = reason;
    } else {
        mode_t mask = umask(0);
        umask(mask);
        if (fchmod(fd, 0666 & ~mask) != 0) { /* the file keeps mkostemp's narrower rights */
        }
    }
    return fd;
}

tfm_status tfm_safetensors_writer_create(tfm_safetensors_writer **result, const char *path, tfm_error *error) {
    *result = NULL;
    tfm_safetensors_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
    writer->fd = -1;
    writer->path = strdup(path);
    writer->header = json_object();
    writer->metadata = json_object();
    writer->buffer = malloc(BUFFER_BYTES);
    tfm_status status = TFM_OK;
    if (!writer->path || !writer->header || !writer->metadata || !writer->buffer)
        status = tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
    if (!status && (writer->fd = open_temporary(writer)) < 0)
        status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
    if (status)
        tfm_safetensors_writer_abort(&writer);
    else
        *result = writer;
    return status;
}

tfm_status tfm_safetensors_writer_metadata(tfm_safetensors_writer *writer, const char *key, const char *value,
                                           tfm_error *error) {
    if (writer->begun) return tfm_fail(error, TFM_ERROR_STATE, "%s: metadata after the first data", writer->path);
    return json_object_set_new(writer->metadata, key, json_string(value)) == 0 ? TFM_OK : no_memory(writer, error);
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
    if (!entry) return no_memory(writer, error);
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
    if (!text) return no_memory(writer, error);
    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    tfm_status status = put(writer, prefix, sizeof prefix, error);
    if (!status) status = put(writer, text, length, error);
    if (!status) status = put(writer, "        ", padded - length, error);
    free(text);
    writer->begun = true;
    return status;
}

tfm_status tfm_safetensors_writer_write(tfm_safetensors_writer *writer, const void *data, size_t n, tfm_error *error) {
    tfm_status status = writer->begun ? TFM_OK : begin(writer, error);
    if (status) return status;
    if (n > writer->declared - writer->written)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: more data than declared", writer->path);
    writer->written += n;
    return put(writer, data, n, error);
}

/* Gives the unnamed file a temporary name, which rename then moves over path. */
static tfm_status give_name(tfm_safetensors_writer *writer, tfm_error *error) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", writer->fd);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        if (asprintf(&writer->temporary, "%s.%ld-%u.tmp", writer->path, (long)getpid(), attempt) < 0) {
            writer->temporary = NULL;
            return no_memory(writer, error);
        }
        if (linkat(AT_FDCWD, link, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW) == 0) return TFM_OK;
        int reason = errno;
        free(writer->temporary);
        writer->temporary = NULL;
        errno = reason;
        if (reason != EEXIST) break;
    }
    return tfm_fail(error, TFM_ERROR_IO, "%s: cannot create: %s", writer->path, strerror(errno));
}

tfm_status tfm_safetensors_writer_commit(tfm_safetensors_writer **handle, tfm_error *error) {
    tfm_safetensors_writer *writer = *handle;
    tfm_status status = writer->begun ? TFM_OK : begin(writer, error);
    if (!status && writer->written != writer->declared)
        status = tfm_fail(error, TFM_ERROR_STATE, "%s: %llu of %llu declared bytes written", writer->path,
                          (unsigned long long)writer->written, (unsigned long long)writer->declared);
    if (!status) status = flush(writer, error);
    if (!status && fsync(writer->fd) != 0 && errno != EINVAL && errno != EROFS)
        status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot write: %s", writer->path, strerror(errno));
    if (!status && !writer->temporary) status = give_name(writer, error);
    if (!status) {
        if (rename(writer->temporary, writer->path) != 0) {
            status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot create: %s", writer->path, strerror(errno));
        } else {
            free(writer->temporary);
            writer->temporary = NULL;
        }
    }
    tfm_safetensors_writer_abort(handle);
    return status;
}

void tfm_safetensors_writer_abort(tfm_safetensors_writer **handle) {
    tfm_safetensors_writer *writer = *handle;
    if (!writer) return;
    if (writer->temporary) unlink(writer->temporary);
    if (writer->fd >= 0) close(writer->fd);
    json_decref(writer->header);
    json_decref(writer->metadata);
    free(writer->temporary);
    free(writer->path);
    free(writer->buffer);
    free(writer);
    *handle = NULL;
}
