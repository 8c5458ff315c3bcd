/* ct2_file.c - the variables of CTranslate2's model.bin; see ct2_file.h. */
#include "ct2_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "format/utf8.h"
#include "tools/common/bytes.h"

#define VERSION_MIN 2
#define VERSION_MAX 6
/* A variable takes this many bytes at least, an alias that many: what bounds their numbers. */
#define VARIABLE_BYTES 9
#define ALIAS_BYTES 6

static const uint8_t type_sizes[TFM_CT2_TYPES] = {4, 1, 2, 4, 2, 2};

/* ---- bytes ---- */

static tfm_status read_at(const tfm_ct2_file *file, uint64_t offset, void *data, size_t n, tfm_error *error) {
    return tfm_read_at(file->fd, file->path, offset, data, n, error);
}

/* Reads the header from front to end; the first failure stays in status. */
typedef struct cursor {
    const tfm_ct2_file *file;
    uint64_t offset;
    tfm_status status;
    tfm_error *error;
    unsigned char buffer[1 << 14];
    uint64_t start;
    size_t filled; /* bytes of the file from start on */
} cursor;

static uint64_t remaining(const cursor *c) { return c->file->size - c->offset; }

static void take(cursor *c, void *data, size_t n) {
    memset(data, 0, n);
    if (c->status != TFM_OK) return;
    if (remaining(c) < n) {
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: ends early: at byte %" PRIu64 " it is cut off",
                             c->file->path, c->offset);
        return;
    }
    if (c->offset < c->start || c->offset - c->start > c->filled || c->filled - (size_t)(c->offset - c->start) < n) {
        const uint64_t left = remaining(c);
        c->start = c->offset;
        c->filled = left < sizeof c->buffer ? (size_t)left : sizeof c->buffer;
        c->status = read_at(c->file, c->start, c->buffer, c->filled, c->error);
        if (c->status != TFM_OK) return;
    }
    memcpy(data, c->buffer + (c->offset - c->start), n);
    c->offset += n;
}

static uint32_t take_number(cursor *c, size_t bytes) {
    unsigned char b[4] = {0};
    take(c, b, bytes);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Names are printed and compared: no NUL inside, no control characters. */
static void take_name(cursor *c, char name[TFM_CT2_NAME_MAX]) {
    const uint32_t n = take_number(c, 2);
    name[0] = '\0';
    if (c->status != TFM_OK) return;
    if (n < 2 || n > TFM_CT2_NAME_MAX) {
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: damaged: a name of %u bytes at byte %" PRIu64,
                             c->file->path, n, c->offset - 2);
        return;
    }
    take(c, name, n);
    bool good = c->status == TFM_OK && name[n - 1] == '\0';
    for (uint32_t i = 0; good && i + 1 < n; i++) good = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    if (c->status == TFM_OK && !good)
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: damaged: an unusable name at byte %" PRIu64,
                             c->file->path, c->offset - n);
    if (c->status != TFM_OK) name[0] = '\0';
}

/* ---- header ---- */

/* Before version 4 the file has the size of an element only. */
static tfm_ct2_type type_of_size(uint32_t size) {
    return size == 4 ? TFM_CT2_F32 : size == 2 ? TFM_CT2_I16 : size == 1 ? TFM_CT2_I8 : TFM_CT2_TYPES;
}

static void take_variable(cursor *c, tfm_ct2_variable *v) {
    char name[TFM_CT2_NAME_MAX];
    take_name(c, name);
    v->scale = TFM_CT2_NONE;
    v->rank = take_number(c, 1);
    if (c->status == TFM_OK && v->rank > TFM_RANK_MAX)
        c->status =
            tfm_fail(c->error, TFM_ERROR_UNSUPPORTED, "%s: variable '%s': %u dimensions; at most %d are supported",
                     c->file->path, name, v->rank, TFM_RANK_MAX);
    bool overflow = false;
    v->count = 1;
    for (uint32_t i = 0; i < TFM_RANK_MAX; i++) {
        v->shape[i] = i < v->rank && c->status == TFM_OK ? take_number(c, 4) : 1;
        overflow |= __builtin_mul_overflow(v->count, v->shape[i], &v->count);
    }
    const uint32_t type = take_number(c, 1);
    uint64_t length = take_number(c, 4), expected;
    v->type = c->file->version >= 4 ? (type < TFM_CT2_TYPES ? (tfm_ct2_type)type : TFM_CT2_TYPES) : type_of_size(type);
    if (c->status == TFM_OK && v->type == TFM_CT2_TYPES)
        c->status = tfm_fail(c->error, TFM_ERROR_UNSUPPORTED, "%s: variable '%s': its type %u is not known",
                             c->file->path, name, type);
    if (c->status != TFM_OK) return;
    const uint64_t size = type_sizes[v->type];
    if (c->file->version < 4) length *= size;
    if (overflow || __builtin_mul_overflow(v->count, size, &expected) || length != expected)
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: variable '%s': its length is not that of its shape",
                             c->file->path, name);
    else if (length > remaining(c))
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: variable '%s' reaches beyond the end of the file",
                             c->file->path, name);
    else if (!(v->name = strdup(name)))
        c->status = tfm_no_memory(c->error, "%s", c->file->path);
    if (c->status != TFM_OK) return;
    v->offset = c->offset;
    c->offset += length;
}

/* A count of things of at least so many bytes, and memory for them. */
static void *take_list(cursor *c, uint32_t bytes, size_t element, const char *what, uint32_t *n) {
    *n = take_number(c, 4);
    if (c->status == TFM_OK && *n > remaining(c) / bytes)
        c->status =
            tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: damaged: %u %s do not fit in the file", c->file->path, *n, what);
    void *list = c->status != TFM_OK ? NULL : calloc((size_t)*n + 1, element);
    if (c->status == TFM_OK && !list) c->status = tfm_no_memory(c->error, "%s", c->file->path);
    if (!list) *n = 0;
    return list;
}

static int compare_variables(const void *a, const void *b) {
    return strcmp(((const tfm_ct2_variable *)a)->name, ((const tfm_ct2_variable *)b)->name);
}

static int compare_aliases(const void *a, const void *b) {
    return strcmp(((const tfm_ct2_alias *)a)->name, ((const tfm_ct2_alias *)b)->name);
}

static uint32_t find_variable(const tfm_ct2_file *file, const char *name) {
    uint32_t low = 0, high = file->n_variables;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = strcmp(name, file->variables[middle].name);
        if (order == 0) return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return TFM_CT2_NONE;
}

static void take_variables(cursor *c, tfm_ct2_file *file) {
    uint32_t n;
    file->variables = take_list(c, VARIABLE_BYTES, sizeof *file->variables, "variables", &n);
    for (uint32_t i = 0; i < n && c->status == TFM_OK; i++) {
        take_variable(c, &file->variables[i]);
        if (c->status == TFM_OK) file->n_variables++;
    }
    if (c->status != TFM_OK) return;
    qsort(file->variables, n, sizeof *file->variables, compare_variables);
    for (uint32_t i = 1; i < n && c->status == TFM_OK; i++)
        if (compare_variables(&file->variables[i - 1], &file->variables[i]) == 0)
            c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: variable '%s' is there twice", file->path,
                                 file->variables[i].name);
}

static void take_alias(cursor *c, tfm_ct2_file *file, tfm_ct2_alias *alias) {
    char name[TFM_CT2_NAME_MAX], target[TFM_CT2_NAME_MAX];
    take_name(c, name);
    take_name(c, target);
    if (c->status != TFM_OK) return;
    alias->variable = find_variable(file, target);
    if (alias->variable == TFM_CT2_NONE)
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: '%s' stands for '%s', which is not there", file->path,
                             name, target);
    else if (find_variable(file, name) != TFM_CT2_NONE)
        c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: variable '%s' is there twice", file->path, name);
    else if (!(alias->name = strdup(name)))
        c->status = tfm_no_memory(c->error, "%s", file->path);
    else
        file->n_aliases++;
}

static void take_aliases(cursor *c, tfm_ct2_file *file) {
    uint32_t n;
    file->aliases = take_list(c, ALIAS_BYTES, sizeof *file->aliases, "aliases", &n);
    for (uint32_t i = 0; i < n && c->status == TFM_OK; i++) take_alias(c, file, &file->aliases[i]);
    if (c->status != TFM_OK) return;
    qsort(file->aliases, n, sizeof *file->aliases, compare_aliases);
    for (uint32_t i = 1; i < n && c->status == TFM_OK; i++)
        if (compare_aliases(&file->aliases[i - 1], &file->aliases[i]) == 0)
            c->status = tfm_fail(c->error, TFM_ERROR_FORMAT, "%s: variable '%s' is there twice", file->path,
                                 file->aliases[i].name);
}

/* ---- opening ---- */

bool tfm_ct2_file_is(const char *path) {
    unsigned char start[6 + 65];
    int fd;
    if (tfm_open_regular(path, "a model.bin", &fd, NULL, NULL) != TFM_OK) return false;
    const ssize_t got = read(fd, start, sizeof start);
    close(fd);
    if (got < 8) return false;
    /* A small version, then a name such as TransformerSpec; a later version is recognised, and refused by number. */
    const size_t n = (size_t)start[4] | (size_t)start[5] << 8;
    if (start[0] < 2 || start[1] || start[2] || start[3] || n < 5 || 6 + n > (size_t)got) return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (start[6 + i] < '0' || start[6 + i] > 'z') return false;
    if (start[6 + n - 1] != 0) return false;
    const char *name = (const char *)start + 6;
    return memcmp(name + n - 5, "Spec", 4) == 0 || !strcmp(name, "TransformerBase") || !strcmp(name, "TransformerBig");
}

static tfm_status read_header(tfm_ct2_file *file, tfm_error *error) {
    cursor *c = calloc(1, sizeof *c);
    if (!c) return tfm_no_memory(error, "%s", file->path);
    c->file = file;
    c->error = error;
    file->version = take_number(c, 4);
    if (c->status == TFM_OK && (file->version < VERSION_MIN || file->version > VERSION_MAX))
        c->status = tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                             "%s: version %u of CTranslate2's format is not supported; versions %d to %d are",
                             file->path, file->version, VERSION_MIN, VERSION_MAX);
    take_name(c, file->spec);
    file->revision = take_number(c, 4);
    if (c->status == TFM_OK) take_variables(c, file);
    if (c->status == TFM_OK && file->version >= 3) take_aliases(c, file);
    if (c->status == TFM_OK && remaining(c) > 0)
        c->status =
            tfm_fail(error, TFM_ERROR_FORMAT, "%s: damaged: %" PRIu64 " bytes after its end", file->path, remaining(c));
    tfm_status status = c->status;
    free(c);
    return status;
}

tfm_status tfm_ct2_file_open(tfm_ct2_file *file, const char *path, tfm_error *error) {
    memset(file, 0, sizeof *file);
    file->scales_of = TFM_CT2_NONE;
    file->path = strdup(path);
    file->fd = -1;
    if (!file->path) return tfm_no_memory(error, "%s", path);
    tfm_status status = tfm_open_regular(path, "a model.bin of CTranslate2", &file->fd, &file->size, error);
    return status == TFM_OK ? read_header(file, error) : status;
}

void tfm_ct2_file_close(tfm_ct2_file *file) {
    for (uint32_t i = 0; i < file->n_variables; i++) free(file->variables[i].name);
    for (uint32_t i = 0; i < file->n_aliases; i++) free(file->aliases[i].name);
    if (file->path && file->fd >= 0) close(file->fd);
    free(file->variables);
    free(file->aliases);
    free(file->scales);
    free(file->path);
    memset(file, 0, sizeof *file);
}

/* ---- access ---- */

uint32_t tfm_ct2_file_find(tfm_ct2_file *file, const char *name) {
    const uint32_t variable = find_variable(file, name);
    if (variable != TFM_CT2_NONE || file->n_aliases == 0) return variable;
    const tfm_ct2_alias key = {.name = (char *)name};
    tfm_ct2_alias *alias = bsearch(&key, file->aliases, file->n_aliases, sizeof key, compare_aliases);
    if (!alias) return TFM_CT2_NONE;
    alias->used = true;
    return alias->variable;
}

tfm_status tfm_ct2_file_scale(tfm_ct2_file *file, uint32_t variable, const char *name, tfm_error *error) {
    tfm_ct2_variable *v = &file->variables[variable];
    if (v->type != TFM_CT2_I8 && v->type != TFM_CT2_I16) return TFM_OK;
    char full[TFM_CT2_NAME_MAX + 8];
    snprintf(full, sizeof full, "%s_scale", name); /* its alias need not be listed, but is then used */
    uint32_t scale = tfm_ct2_file_find(file, full);
    snprintf(full, sizeof full, "%s_scale", v->name);
    if (scale == TFM_CT2_NONE) scale = tfm_ct2_file_find(file, full);
    if (scale == TFM_CT2_NONE && v->type == TFM_CT2_I16) return TFM_OK;
    if (scale == TFM_CT2_NONE)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: variable '%s' is missing", file->path, full);
    tfm_ct2_variable *scales = &file->variables[scale];
    if (scales->type != TFM_CT2_F32 || scales->rank > 1 || (scales->count != 1 && scales->count != v->shape[0]) ||
        v->rank == 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: variable '%s' is no scale of '%s'", file->path, scales->name,
                        v->name);
    scales->used = true;
    v->scale = scale;
    return TFM_OK;
}

/* Scales are positive numbers; they are kept, since rows are asked for one after the other. */
static tfm_status load_scales(tfm_ct2_file *file, uint32_t variable, tfm_error *error) {
    const tfm_ct2_variable *scales = &file->variables[variable];
    if (file->scales_of == variable) return TFM_OK;
    file->scales_of = TFM_CT2_NONE;
    free(file->scales);
    file->scales = malloc((size_t)scales->count * sizeof *file->scales + 1);
    if (!file->scales) return tfm_no_memory(error, "%s", file->path);
    tfm_status status =
        read_at(file, scales->offset, file->scales, (size_t)scales->count * sizeof *file->scales, error);
    for (uint64_t i = 0; status == TFM_OK && i < scales->count; i++)
        if (!(file->scales[i] > 0 && file->scales[i] <= 3.4e38f))
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: variable '%s' has a scale that is not positive", file->path,
                              scales->name);
    if (status == TFM_OK) file->scales_of = variable;
    return status;
}

/* n values of one scale. */
static void widen(tfm_ct2_type type, const unsigned char *data, size_t n, float scale, float *values) {
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        int32_t whole;
        switch (type) {
        case TFM_CT2_I8: values[i] = (float)(int8_t)data[i] / scale; break;
        case TFM_CT2_I32: memcpy(&whole, data + 4 * i, 4), values[i] = (float)whole; break;
        case TFM_CT2_I16: memcpy(&half, data + 2 * i, 2), values[i] = (float)(int16_t)half / scale; break;
        case TFM_CT2_F16: memcpy(&half, data + 2 * i, 2), values[i] = tfm_f16_to_f32(half); break;
        case TFM_CT2_BF16: memcpy(&half, data + 2 * i, 2), values[i] = tfm_bf16_to_f32(half); break;
        default: memcpy(&values[i], data + 4 * i, 4); break;
        }
    }
}

tfm_status tfm_ct2_file_read(tfm_ct2_file *file, uint32_t variable, uint64_t row0, uint64_t n_rows, float *rows,
                             tfm_error *error) {
    const tfm_ct2_variable *v = &file->variables[variable];
    const uint64_t width = v->shape[1] * v->shape[2] * v->shape[3], size = type_sizes[v->type];
    const uint64_t n = n_rows * width, first = row0 * width;
    unsigned char buffer[1 << 14];
    if (v->type == TFM_CT2_F32) return read_at(file, v->offset + first * size, rows, n * sizeof *rows, error);
    tfm_status status = v->scale != TFM_CT2_NONE ? load_scales(file, v->scale, error) : TFM_OK;
    const bool by_row = v->scale != TFM_CT2_NONE && file->variables[v->scale].count > 1;
    for (uint64_t done = 0; status == TFM_OK && done < n;) {
        uint64_t count = sizeof buffer / size, row = (first + done) / width;
        const uint64_t row_end = (row + 1) * width - first; /* in n */
        if (by_row && count > row_end - done) count = row_end - done;
        if (count > n - done) count = n - done;
        status = read_at(file, v->offset + (first + done) * size, buffer, (size_t)(count * size), error);
        const float scale = v->scale == TFM_CT2_NONE ? 1000.0f : file->scales[by_row ? row : 0];
        if (status == TFM_OK) widen(v->type, buffer, (size_t)count, scale, rows + done);
        done += count;
    }
    return status;
}

tfm_status tfm_ct2_file_number(tfm_ct2_file *file, uint32_t variable, double *number, tfm_error *error) {
    const tfm_ct2_variable *v = &file->variables[variable];
    unsigned char data[4];
    float value;
    if (v->rank != 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: variable '%s' is not a single number", file->path, v->name);
    tfm_status status = read_at(file, v->offset, data, type_sizes[v->type], error);
    if (status != TFM_OK) return status;
    widen(v->type, data, 1, 1.0f, &value);
    *number = value;
    return TFM_OK;
}

tfm_status tfm_ct2_file_text(tfm_ct2_file *file, uint32_t variable, char *text, size_t size, tfm_error *error) {
    const tfm_ct2_variable *v = &file->variables[variable];
    bool good = v->type == TFM_CT2_I8 && v->rank == 1 && v->count < size;
    tfm_status status = good ? read_at(file, v->offset, text, (size_t)v->count, error) : TFM_OK;
    if (status != TFM_OK) return status;
    if (good) text[v->count] = '\0';
    if (!good || memchr(text, 0, (size_t)v->count) || tfm_utf8_valid_prefix(text, (size_t)v->count) != v->count)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: variable '%s' is not a short text", file->path, v->name);
    return TFM_OK;
}
