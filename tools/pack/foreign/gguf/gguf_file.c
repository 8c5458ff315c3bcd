/* gguf_file.c - reads the header of a GGUF file; nothing in it is believed before it is checked. */
#include "gguf_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "gguf_blocks.h"

#define MAX_VALUES (1u << 16)
#define MAX_TENSORS (1u << 20)
#define MAX_KEY 1000
#define MAX_NAME 200
#define MAX_ALIGNMENT (1u << 20)

typedef struct reader {
    tfm_gguf *gguf;
    size_t at;
    tfm_error *error;
} reader;

static uint64_t number_at(const uint8_t *p, size_t bytes) {
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) number |= (uint64_t)p[i] << (8 * i);
    return number;
}

static size_t left(const reader *r) { return r->gguf->size - r->at; }

static tfm_status ends_early(const reader *r, const char *what) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: the file ends in %s: it is damaged or not complete", r->gguf->path,
                    what);
}

static tfm_status read_number(reader *r, size_t bytes, const char *what, uint64_t *number) {
    *number = 0;
    if (left(r) < bytes) return ends_early(r, what);
    *number = number_at(r->gguf->bytes + r->at, bytes);
    r->at += bytes;
    return TFM_OK;
}

/* A key or a tensor's name: printable, and no longer than `longest`. */
static tfm_status read_name(reader *r, const char *what, size_t longest, char **name) {
    uint64_t n = 0;
    *name = NULL;
    tfm_status status = read_number(r, 8, what, &n);
    if (status != TFM_OK) return status;
    if (n > left(r)) return ends_early(r, what);
    const uint8_t *text = r->gguf->bytes + r->at;
    bool good = n > 0 && n <= longest;
    for (uint64_t i = 0; good && i < n; i++) good = text[i] >= 0x20 && text[i] != 0x7f;
    if (!good) return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: %s is empty, too long or no text", r->gguf->path, what);
    *name = strndup((const char *)text, (size_t)n);
    r->at += (size_t)n;
    return *name ? TFM_OK : tfm_no_memory(r->error, "%s", r->gguf->path);
}

/* ---- metadata ---- */

/* Of an element; 0: varies. */
static const size_t value_bytes[TFM_GGUF_TYPES] = {
    [TFM_GGUF_U8] = 1,  [TFM_GGUF_I8] = 1,  [TFM_GGUF_BOOL] = 1, [TFM_GGUF_U16] = 2,
    [TFM_GGUF_I16] = 2, [TFM_GGUF_U32] = 4, [TFM_GGUF_I32] = 4,  [TFM_GGUF_F32] = 4,
    [TFM_GGUF_U64] = 8, [TFM_GGUF_I64] = 8, [TFM_GGUF_F64] = 8,
};

static tfm_status wrong_value(const reader *r, const char *key, const char *wrong) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: key '%s' %s", r->gguf->path, key, wrong);
}

/* Passes over the elements of a value. */
static tfm_status skip_elements(reader *r, const tfm_gguf_value *value) {
    size_t bytes = value_bytes[value->type];
    const char *beyond = "reaches beyond the end of the file";
    if (bytes > 0) {
        if (value->count > left(r) / bytes) return wrong_value(r, value->key, beyond);
        r->at += (size_t)value->count * bytes;
        return TFM_OK;
    }
    if (value->count > left(r) / 8) return wrong_value(r, value->key, beyond);
    for (uint64_t i = 0; i < value->count; i++) {
        if (left(r) < 8) return wrong_value(r, value->key, beyond);
        uint64_t n = number_at(r->gguf->bytes + r->at, 8);
        r->at += 8;
        if (n > left(r)) return wrong_value(r, value->key, beyond);
        r->at += (size_t)n;
    }
    return TFM_OK;
}

static tfm_status read_value(reader *r, tfm_gguf_value *value) {
    uint64_t type = 0, element = 0;
    tfm_status status = read_name(r, "a key of the metadata", MAX_KEY, &value->key);
    if (status == TFM_OK) status = read_number(r, 4, "the metadata", &type);
    if (status != TFM_OK) return status;
    value->count = 1;
    value->is_array = type == TFM_GGUF_ARRAY;
    if (value->is_array) {
        status = read_number(r, 4, "the metadata", &element);
        if (status == TFM_OK) status = read_number(r, 8, "the metadata", &value->count);
        if (status != TFM_OK) return status;
        if (element == TFM_GGUF_ARRAY)
            return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                            "%s: key '%s' is an array of arrays; nothing known has such", r->gguf->path, value->key);
        type = element;
    }
    if (type >= TFM_GGUF_TYPES) return wrong_value(r, value->key, "has a type that does not exist");
    value->type = (tfm_gguf_type)type;
    value->data = r->gguf->bytes + r->at;
    return skip_elements(r, value);
}

static int compare_keys(const void *a, const void *b, void *gguf) {
    const tfm_gguf *g = gguf;
    return strcmp(g->values[*(const uint32_t *)a].key, g->values[*(const uint32_t *)b].key);
}

static int compare_names(const void *a, const void *b, void *gguf) {
    const tfm_gguf *g = gguf;
    return strcmp(g->tensors[*(const uint32_t *)a].name, g->tensors[*(const uint32_t *)b].name);
}

/* Numbers 0 to n - 1 in order of what compare looks at; *twice is one whose neighbour is equal, or UINT32_MAX. */
static uint32_t *sorted(const reader *r, uint32_t n, int (*compare)(const void *, const void *, void *),
                        uint32_t *twice) {
    uint32_t *order = malloc(((size_t)n + 1) * sizeof *order);
    *twice = UINT32_MAX;
    if (!order) return NULL;
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    qsort_r(order, n, sizeof *order, compare, r->gguf);
    for (uint32_t i = 1; i < n; i++)
        if (compare(&order[i - 1], &order[i], r->gguf) == 0) *twice = order[i];
    return order;
}

static tfm_status read_values(reader *r, uint64_t n) {
    tfm_gguf *g = r->gguf;
    uint32_t twice;
    if (n > MAX_VALUES)
        return tfm_fail(r->error, TFM_ERROR_LIMIT, "%s: says it has %" PRIu64 " keys; at most %u are supported",
                        g->path, n, MAX_VALUES);
    if (n > left(r) / 13) return ends_early(r, "the metadata");
    g->values = calloc((size_t)n + 1, sizeof *g->values);
    if (!g->values) return tfm_no_memory(r->error, "%s", r->gguf->path);
    for (uint64_t i = 0; i < n; i++) {
        g->n_values++; /* so that the key of one that is broken is freed too */
        tfm_status status = read_value(r, &g->values[i]);
        if (status != TFM_OK) return status;
    }
    g->values_by_key = sorted(r, g->n_values, compare_keys, &twice);
    if (!g->values_by_key) return tfm_no_memory(r->error, "%s", r->gguf->path);
    return twice == UINT32_MAX ? TFM_OK : wrong_value(r, g->values[twice].key, "is there twice");
}

const tfm_gguf_value *tfm_gguf_find(const tfm_gguf *g, const char *key) {
    size_t low = 0, high = g->n_values;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tfm_gguf_value *value = &g->values[g->values_by_key[middle]];
        int order = strcmp(key, value->key);
        if (order == 0) return value;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool tfm_gguf_integer(const tfm_gguf_value *value, uint64_t i, int64_t *number) {
    size_t bytes = value_bytes[value->type];
    uint64_t bits;
    if (i >= value->count) return false;
    switch (value->type) {
    case TFM_GGUF_U8:
    case TFM_GGUF_U16:
    case TFM_GGUF_U32:
    case TFM_GGUF_U64:
        bits = number_at(value->data + i * bytes, bytes);
        *number = (int64_t)bits;
        return bits <= INT64_MAX;
    case TFM_GGUF_I8:
    case TFM_GGUF_I16:
    case TFM_GGUF_I32:
    case TFM_GGUF_I64:
        bits = number_at(value->data + i * bytes, bytes);
        if (bytes < 8 && bits >> (8 * bytes - 1)) bits |= ~UINT64_C(0) << (8 * bytes);
        *number = (int64_t)bits;
        return true;
    default: return false;
    }
}

/* What a person wrote before it was rounded to f32: 1e-05, not 9.99999974e-06. */
static double shortest(float number) {
    char text[40];
    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number) return strtod(text, NULL);
    }
    return (double)number;
}

bool tfm_gguf_real(const tfm_gguf_value *value, uint64_t i, double *number) {
    float single;
    int64_t whole;
    if (i >= value->count) return false;
    if (value->type == TFM_GGUF_F32) {
        memcpy(&single, value->data + 4 * i, sizeof single);
        *number = shortest(single);
        return true;
    }
    if (value->type == TFM_GGUF_F64) {
        memcpy(number, value->data + 8 * i, sizeof *number);
        return true;
    }
    if (!tfm_gguf_integer(value, i, &whole)) return false;
    *number = (double)whole;
    return true;
}

const char *tfm_gguf_next_string(const uint8_t **at, size_t *n) {
    const char *text = (const char *)*at + 8;
    *n = (size_t)number_at(*at, 8);
    *at += 8 + *n;
    return text;
}

/* ---- tensors ---- */

static tfm_status wrong_tensor(const reader *r, const char *name, const char *wrong) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: tensor '%s' %s", r->gguf->path, name, wrong);
}

static tfm_status unknown_type(const reader *r, const char *name, uint64_t number) {
    const tfm_gguf_block *type = number <= UINT32_MAX ? tfm_gguf_block_type((uint32_t)number) : NULL;
    char text[40], known[200] = "";
    snprintf(text, sizeof text, "type %" PRIu64, number);
    for (uint32_t i = 0; i < 64; i++) {
        const tfm_gguf_block *other = tfm_gguf_block_type(i);
        size_t used = strlen(known);
        if (other && other->decode) snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", other->name);
    }
    return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s' is %s; supported are %s", r->gguf->path, name,
                    type ? type->name : text, known);
}

/* Dimensions, fastest first in the file, and the bytes they take. */
static tfm_status read_shape(reader *r, tfm_gguf_tensor *t, const tfm_gguf_block **type) {
    uint64_t rank = 0, number = 0, row_bytes;
    tfm_status status = read_number(r, 4, "the list of tensors", &rank);
    if (status != TFM_OK) return status;
    if (rank == 0 || rank > TFM_RANK_MAX) return wrong_tensor(r, t->name, "has not 1 to 4 dimensions");
    t->rank = (uint32_t)rank;
    t->count = 1;
    for (uint32_t i = 0; i < TFM_RANK_MAX; i++) t->shape[i] = 1;
    for (uint32_t i = t->rank; i-- > 0;) {
        status = read_number(r, 8, "the list of tensors", &t->shape[i]);
        if (status != TFM_OK) return status;
        if (t->shape[i] == 0 || __builtin_mul_overflow(t->count, t->shape[i], &t->count))
            return wrong_tensor(r, t->name, "has an impossible shape");
    }
    status = read_number(r, 4, "the list of tensors", &number);
    if (status != TFM_OK) return status;
    *type = tfm_gguf_block_type((uint32_t)number);
    if (!*type || !(*type)->decode) return unknown_type(r, t->name, number);
    const uint64_t width = t->shape[t->rank - 1];
    if (width % (*type)->elements) return wrong_tensor(r, t->name, "has rows that are no whole number of blocks");
    if (__builtin_mul_overflow(width / (*type)->elements, (uint64_t)(*type)->bytes, &row_bytes) ||
        __builtin_mul_overflow(row_bytes, t->count / width, &t->bytes))
        return wrong_tensor(r, t->name, "has an impossible shape");
    return TFM_OK;
}

/* One entry of the list; *offset counts from where the values begin, which is not known yet. */
static tfm_status read_tensor(reader *r, tfm_gguf_tensor *t, uint64_t *offset) {
    tfm_status status = read_name(r, "the name of a tensor", MAX_NAME, &t->name);
    if (status == TFM_OK) status = read_shape(r, t, &t->block);
    if (status == TFM_OK) status = read_number(r, 8, "the list of tensors", offset);
    return status;
}

static tfm_status get_alignment(const reader *r, uint64_t *alignment) {
    const tfm_gguf_value *value = tfm_gguf_find(r->gguf, "general.alignment");
    int64_t number = 32;
    bool good = !value || (!value->is_array && tfm_gguf_integer(value, 0, &number));
    if (!good || number < 1 || number > MAX_ALIGNMENT || (number & (number - 1)) != 0)
        return wrong_value(r, "general.alignment", "is no power of two");
    *alignment = (uint64_t)number;
    return TFM_OK;
}

/* Where the values lie, once the end of the list is known. */
static tfm_status place_tensors(reader *r, const uint64_t *offsets) {
    tfm_gguf *g = r->gguf;
    uint64_t alignment = 32;
    tfm_status status = get_alignment(r, &alignment);
    if (status != TFM_OK) return status;
    uint64_t start = (r->at + alignment - 1) / alignment * alignment;
    if (g->n_tensors > 0 && start > g->size) return ends_early(r, "the list of tensors");
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        tfm_gguf_tensor *t = &g->tensors[i];
        if (offsets[i] % alignment) return wrong_tensor(r, t->name, "lies at an offset that is not aligned");
        if (offsets[i] > g->size - start || t->bytes > g->size - start - offsets[i])
            return wrong_tensor(r, t->name, "reaches beyond the end of the file: it is damaged or not complete");
        t->data = g->bytes + start + offsets[i];
    }
    return TFM_OK;
}

static tfm_status read_tensors(reader *r, uint64_t n) {
    tfm_gguf *g = r->gguf;
    uint32_t twice;
    if (n > MAX_TENSORS)
        return tfm_fail(r->error, TFM_ERROR_LIMIT, "%s: says it has %" PRIu64 " tensors; at most %u are supported",
                        g->path, n, MAX_TENSORS);
    if (n > left(r) / 33) return ends_early(r, "the list of tensors");
    uint64_t *offsets = calloc((size_t)n + 1, sizeof *offsets);
    g->tensors = calloc((size_t)n + 1, sizeof *g->tensors);
    tfm_status status = offsets && g->tensors ? TFM_OK : tfm_no_memory(r->error, "%s", r->gguf->path);
    for (uint64_t i = 0; status == TFM_OK && i < n; i++) {
        g->n_tensors++;
        status = read_tensor(r, &g->tensors[i], &offsets[i]);
    }
    if (status == TFM_OK) status = place_tensors(r, offsets);
    free(offsets);
    if (status != TFM_OK) return status;
    g->tensors_by_name = sorted(r, g->n_tensors, compare_names, &twice);
    if (!g->tensors_by_name) return tfm_no_memory(r->error, "%s", r->gguf->path);
    return twice == UINT32_MAX ? TFM_OK : wrong_tensor(r, g->tensors[twice].name, "is there twice");
}

const tfm_gguf_tensor *tfm_gguf_tensor_find(const tfm_gguf *g, const char *name) {
    size_t low = 0, high = g->n_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tfm_gguf_tensor *t = &g->tensors[g->tensors_by_name[middle]];
        int order = strcmp(name, t->name);
        if (order == 0) return t;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- files ---- */

bool tfm_gguf_is(const char *path) {
    char magic[4];
    int fd;
    if (tfm_open_regular(path, "a GGUF file", &fd, NULL, NULL) != TFM_OK) return false;
    ssize_t got = read(fd, magic, sizeof magic);
    close(fd);
    return got == sizeof magic && memcmp(magic, "GGUF", sizeof magic) == 0;
}

static tfm_status map_file(tfm_gguf *g, tfm_error *error) {
    int fd;
    uint64_t size;
    tfm_status status = tfm_open_regular(g->path, "a GGUF file", &fd, &size, error);
    if (status != TFM_OK) return status;
    if (size > 0) {
        void *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot be mapped: %s", g->path, strerror(errno));
        } else {
            g->bytes = bytes;
            g->size = (size_t)size;
        }
    }
    close(fd);
    return status;
}

static tfm_status read_version(reader *r) {
    const char *path = r->gguf->path;
    uint64_t magic = 0, version = 0;
    tfm_status status = read_number(r, 4, "its header", &magic);
    if (status == TFM_OK) status = read_number(r, 4, "its header", &version);
    if (status != TFM_OK) return status;
    if (magic != 0x46554747) return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: is not a GGUF file", path);
    if (version == 2 || version == 3) return TFM_OK;
    if (version != 0 && (version & 0xffff) == 0)
        return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                        "%s: is a big-endian GGUF file; only little-endian is supported", path);
    return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                    "%s: is a GGUF file of version %" PRIu64 "; versions 2 and 3 are supported", path, version);
}

tfm_status tfm_gguf_open(tfm_gguf **result, const char *path, tfm_error *error) {
    uint64_t n_tensors = 0, n_values = 0;
    *result = NULL;
    tfm_gguf *g = calloc(1, sizeof *g);
    if (!g || !(g->path = strdup(path))) {
        free(g);
        return tfm_no_memory(error, "%s", path);
    }
    reader r = {.gguf = g, .error = error};
    tfm_status status = map_file(g, error);
    if (status == TFM_OK) status = read_version(&r);
    if (status == TFM_OK) status = read_number(&r, 8, "its header", &n_tensors);
    if (status == TFM_OK) status = read_number(&r, 8, "its header", &n_values);
    if (status == TFM_OK) status = read_values(&r, n_values);
    if (status == TFM_OK) status = read_tensors(&r, n_tensors);
    if (status != TFM_OK)
        tfm_gguf_close(&g);
    else
        *result = g;
    return status;
}

void tfm_gguf_close(tfm_gguf **gguf) {
    tfm_gguf *g = *gguf;
    if (!g) return;
    for (uint32_t i = 0; i < g->n_values; i++) free(g->values[i].key);
    for (uint32_t i = 0; i < g->n_tensors; i++) free(g->tensors[i].name);
    if (g->bytes) munmap((void *)(uintptr_t)g->bytes, g->size);
    free(g->values);
    free(g->tensors);
    free(g->values_by_key);
    free(g->tensors_by_name);
    free(g->path);
    free(g);
    *gguf = NULL;
}
