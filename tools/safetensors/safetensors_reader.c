/* safetensors_reader.c - reader of the safetensors container. The header is checked completely before anything is
 * believed. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/model_file.h"
#include "format/regular_file.h"
#include "tools/common/bytes.h"

#define HEADER_MAX 100000000u

struct tfm_safetensors {
    char *path;
    int fd;
    size_t n;
    tfm_st_tensor *tensors; /* by offset */
    uint32_t *by_name;      /* indices of tensors, names ascending */
    char *names;            /* all names, NUL-terminated */
};

static const struct {
    const char *name;
    unsigned char size;
} dtypes[TFM_ST_DTYPE_COUNT] = {
    [TFM_ST_F32] = {"F32", 4},         [TFM_ST_F16] = {"F16", 2},         [TFM_ST_BF16] = {"BF16", 2},
    [TFM_ST_F64] = {"F64", 8},         [TFM_ST_I64] = {"I64", 8},         [TFM_ST_I32] = {"I32", 4},
    [TFM_ST_I16] = {"I16", 2},         [TFM_ST_I8] = {"I8", 1},           [TFM_ST_U64] = {"U64", 8},
    [TFM_ST_U32] = {"U32", 4},         [TFM_ST_U16] = {"U16", 2},         [TFM_ST_U8] = {"U8", 1},
    [TFM_ST_BOOL] = {"BOOL", 1},       [TFM_ST_F8_E4M3] = {"F8_E4M3", 1}, [TFM_ST_F8_E5M2] = {"F8_E5M2", 1},
    [TFM_ST_F8_E8M0] = {"F8_E8M0", 1}, [TFM_ST_C64] = {"C64", 8},
};

const char *tfm_st_dtype_name(tfm_st_dtype dtype) {
    return (unsigned)dtype < TFM_ST_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

tfm_st_dtype tfm_st_dtype_parse(const char *name) {
    for (unsigned i = 0; i < TFM_ST_DTYPE_COUNT; i++)
        if (strcmp(name, dtypes[i].name) == 0) return (tfm_st_dtype)i;
    return TFM_ST_DTYPE_COUNT;
}

size_t tfm_st_dtype_size(tfm_st_dtype dtype) { return (unsigned)dtype < TFM_ST_DTYPE_COUNT ? dtypes[dtype].size : 0; }

/* ---- opening ---- */

static uint64_t load_u64(const unsigned char *p) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

static bool get_u64(const json_t *value, uint64_t *result) {
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *result = (uint64_t)json_integer_value(value);
    return true;
}

/* Shape and dtype of one header entry; offsets relative to the data, checked against its length. */
static tfm_status parse_tensor(const char *path, const char *name, const json_t *entry, uint64_t data_length,
                               tfm_st_tensor *tensor, tfm_error *error) {
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s': its header entry lacks dtype, shape or data_offsets",
                        path, name);
    tensor->dtype = tfm_st_dtype_parse(json_string_value(dtype));
    if (tensor->dtype == TFM_ST_DTYPE_COUNT)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s': unknown dtype '%.32s'", path, name,
                        json_string_value(dtype));
    size_t rank = json_array_size(shape);
    if (rank > TFM_SAFETENSORS_RANK_MAX)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s': %zu dimensions; at most %d are supported", path,
                        name, rank, TFM_SAFETENSORS_RANK_MAX);
    tensor->rank = (uint32_t)rank;
    uint64_t count = 1, bytes, begin, end;
    for (size_t i = 0; i < TFM_SAFETENSORS_RANK_MAX; i++) {
        tensor->shape[i] = 1;
        if (i >= rank) continue;
        if (!get_u64(json_array_get(shape, i), &tensor->shape[i]) ||
            __builtin_mul_overflow(count, tensor->shape[i], &count))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s': its shape is not valid", path, name);
    }
    if (__builtin_mul_overflow(count, (uint64_t)dtypes[tensor->dtype].size, &bytes) ||
        !get_u64(json_array_get(offsets, 0), &begin) || !get_u64(json_array_get(offsets, 1), &end) || begin > end ||
        end > data_length)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s': its data lies outside the file (is it truncated?)",
                        path, name);
    if (end - begin != bytes)
        return tfm_fail(error, TFM_ERROR_FORMAT,
                        "%s: tensor '%s': %llu bytes of data, but its dtype and shape need %llu", path, name,
                        (unsigned long long)(end - begin), (unsigned long long)bytes);
    tensor->count = count;
    tensor->offset = begin;
    tensor->length = bytes;
    return TFM_OK;
}

static int compare_offset(const void *a, const void *b) {
    const tfm_st_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_name(const void *a, const void *b, void *tensors) {
    const tfm_st_tensor *t = tensors;
    return strcmp(t[*(const uint32_t *)a].name, t[*(const uint32_t *)b].name);
}

/* Room for as many tensors as the header names, and for their names. */
static tfm_status allocate_tensors(tfm_safetensors *file, const json_t *header, tfm_error *error) {
    size_t name_bytes = 1, n = 0;
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) continue;
        name_bytes += strlen(name) + 1;
        n++;
    }
    file->names = malloc(name_bytes);
    file->tensors = calloc(n + 1, sizeof *file->tensors);
    file->by_name = calloc(n + 1, sizeof *file->by_name);
    if (!file->names || !file->tensors || !file->by_name) return tfm_no_memory(error, "%s: %zu tensors", file->path, n);
    return TFM_OK;
}

static tfm_status parse_header(tfm_safetensors *file, const json_t *header, uint64_t data_start, uint64_t data_length,
                               tfm_error *error) {
    tfm_status status = allocate_tensors(file, header, error);
    char *names = file->names;
    const char *name;
    json_t *entry;
    if (status != TFM_OK) return status;
    json_object_foreach((json_t *)header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) continue;
        tfm_st_tensor *tensor = &file->tensors[file->n];
        size_t length = strlen(name) + 1;
        tensor->name = memcpy(names, name, length);
        names += length;
        status = parse_tensor(file->path, name, entry, data_length, tensor, error);
        if (status != TFM_OK) return status;
        file->n++;
    }
    qsort(file->tensors, file->n, sizeof *file->tensors, compare_offset);
    uint64_t position = 0;
    for (size_t i = 0; i < file->n; i++) {
        tfm_st_tensor *tensor = &file->tensors[i];
        if (tensor->offset != position)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s': its data %s", file->path, tensor->name,
                            tensor->offset < position ? "overlaps another tensor's" : "leaves a hole before it");
        position += tensor->length;
        tensor->offset += data_start;
        file->by_name[i] = (uint32_t)i;
    }
    if (position != data_length)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: %llu bytes of data belong to no tensor", file->path,
                        (unsigned long long)(data_length - position));
    qsort_r(file->by_name, file->n, sizeof *file->by_name, compare_name, file->tensors);
    return TFM_OK;
}

static tfm_status load_header(tfm_safetensors *file, uint64_t size, tfm_error *error) {
    unsigned char prefix[8];
    if (size < 8) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: too short for a safetensors file", file->path);
    tfm_status status = tfm_read_at(file->fd, file->path, 0, prefix, sizeof prefix, error);
    if (status != TFM_OK) return status;
    uint64_t length = load_u64(prefix);
    if (length > HEADER_MAX || length > size - 8)
        return tfm_fail(error, TFM_ERROR_FORMAT,
                        "%s: not a safetensors file, or truncated: a header of %llu bytes in a file of %llu",
                        file->path, (unsigned long long)length, (unsigned long long)size);
    char *text = malloc((size_t)length + 1);
    if (!text) return tfm_no_memory(error, "%s: its header", file->path);
    status = tfm_read_at(file->fd, file->path, 8, text, (size_t)length, error);
    if (status == TFM_OK && (length == 0 || text[0] != '{'))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a safetensors file: its header is not JSON", file->path);
    if (status == TFM_OK) {
        json_error_t problem;
        json_t *header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(header))
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: its header is not valid: %s", file->path, problem.text);
        else
            status = parse_header(file, header, 8 + length, size - 8 - length, error);
        json_decref(header);
    }
    free(text);
    return status;
}

tfm_status tfm_safetensors_open(tfm_safetensors **result, const char *path, tfm_error *error) {
    *result = NULL;
    tfm_safetensors *file = calloc(1, sizeof *file);
    if (!file) return tfm_no_memory(error, "%s", path);
    uint64_t size = 0;
    file->fd = -1;
    file->path = strdup(path);
    tfm_status status = TFM_OK;
    if (!file->path) status = tfm_no_memory(error, "%s", path);
    if (status == TFM_OK) status = tfm_open_regular(path, "a safetensors file", &file->fd, &size, error);
    if (status == TFM_OK) status = load_header(file, size, error);
    if (status != TFM_OK)
        tfm_safetensors_close(&file);
    else
        *result = file;
    return status;
}

void tfm_safetensors_close(tfm_safetensors **handle) {
    tfm_safetensors *file = *handle;
    if (!file) return;
    if (file->fd >= 0) close(file->fd);
    free(file->path);
    free(file->names);
    free(file->tensors);
    free(file->by_name);
    free(file);
    *handle = NULL;
}

/* ---- access ---- */

size_t tfm_safetensors_count(const tfm_safetensors *file) { return file->n; }

const tfm_st_tensor *tfm_safetensors_at(const tfm_safetensors *file, size_t i) {
    return i < file->n ? &file->tensors[i] : NULL;
}

int tfm_safetensors_fd(const tfm_safetensors *file) { return file->fd; }

const tfm_st_tensor *tfm_safetensors_find(const tfm_safetensors *file, const char *name) {
    size_t low = 0, high = file->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tfm_st_tensor *tensor = &file->tensors[file->by_name[middle]];
        int order = strcmp(name, tensor->name);
        if (order == 0) return tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

tfm_status tfm_safetensors_read(const tfm_safetensors *file, const tfm_st_tensor *tensor, uint64_t offset, void *data,
                                size_t n, tfm_error *error) {
    if (offset > tensor->length || n > tensor->length - offset)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s': read past its end", file->path, tensor->name);
    return tfm_read_at(file->fd, file->path, tensor->offset + offset, data, n, error);
}
