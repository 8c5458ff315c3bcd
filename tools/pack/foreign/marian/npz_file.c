/* npz_file.c - arrays of a .npz file; see npz_file.h. */
#include "npz_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/regular_file.h"

#define HEADER_MAX 4096
/* Deflate cannot make more than this of a byte. */
#define EXPANSION_MAX 1100

/* ---- headers of .npy ---- */

static bool skip(const char **text, const char *word) {
    while (**text == ' ') (*text)++;
    const size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0) return false;
    *text += n;
    return true;
}

static bool parse_shape(const char **text, tfm_npz_array *a) {
    if (!skip(text, "(")) return false;
    a->count = 1;
    while (!skip(text, ")")) {
        uint64_t dim = 0;
        while (**text == ' ') (*text)++;
        if (**text < '0' || **text > '9' || a->rank == TFM_RANK_MAX) return false;
        for (; **text >= '0' && **text <= '9'; (*text)++)
            if (__builtin_mul_overflow(dim, (uint64_t)10, &dim) ||
                __builtin_add_overflow(dim, (uint64_t)(**text - '0'), &dim))
                return false;
        a->shape[a->rank++] = dim;
        if (__builtin_mul_overflow(a->count, dim, &a->count)) return false;
        if (!skip(text, ",") && (skip(text, " "), **text != ')')) return false;
    }
    return true;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } in any order. */
static bool parse_header(const char *text, tfm_npz_array *a) {
    bool has_order = false, has_shape = false;
    if (!skip(&text, "{")) return false;
    while (!skip(&text, "}")) {
        if (skip(&text, "'descr'")) {
            if (a->type || !skip(&text, ":") || !skip(&text, "'")) return false;
            a->type = !strncmp(text, "<f4'", 4)   ? 'f'
                      : !strncmp(text, "<f2'", 4) ? 'e'
                      : !strncmp(text, "|i1'", 4) ? 'b'
                                                  : 0;
            if (!a->type) return false;
            text += 4;
        } else if (skip(&text, "'fortran_order'")) {
            if (has_order || !skip(&text, ":") || !skip(&text, "False")) return false;
            has_order = true;
        } else if (skip(&text, "'shape'")) {
            if (has_shape || !skip(&text, ":") || !parse_shape(&text, a)) return false;
            has_shape = true;
        } else {
            return false;
        }
        if (!skip(&text, ",") && (skip(&text, " "), *text != '}')) return false;
    }
    while (*text == ' ' || *text == '\n') text++;
    return *text == '\0' && a->type && has_order && has_shape;
}

static uint64_t element_size(const tfm_npz_array *a) { return a->type == 'f' ? 4 : a->type == 'e' ? 2 : 1; }

static tfm_status read_header(tfm_npz_file *file, tfm_npz_array *a, tfm_error *error) {
    unsigned char start[12] = {0};
    char text[HEADER_MAX + 1];
    zip_file_t *entry = zip_fopen_index(file->zip, a->entry, 0);
    if (!entry) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", file->path, zip_strerror(file->zip));
    bool good = zip_fread(entry, start, 10) == 10 && memcmp(start, "\x93NUMPY", 6) == 0 && start[7] == 0;
    uint64_t n = (uint64_t)start[8] | (uint64_t)start[9] << 8;
    a->header = 10;
    if (good && start[6] == 2) {
        good = zip_fread(entry, start + 10, 2) == 2;
        n |= (uint64_t)start[10] << 16 | (uint64_t)start[11] << 24;
        a->header = 12;
    } else {
        good &= start[6] == 1;
    }
    good = good && n > 0 && n <= HEADER_MAX && zip_fread(entry, text, n) == (zip_int64_t)n && !memchr(text, 0, n);
    zip_fclose(entry);
    a->header += n;
    if (good) text[n] = '\0';
    if (!good || !parse_header(text, a))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: array '%s': not an .npy of version 1 or 2 with <f4, <f2 or |i1 elements in rows",
                        file->path, a->name);
    uint64_t bytes;
    if (__builtin_mul_overflow(a->count, element_size(a), &bytes) || __builtin_add_overflow(bytes, a->header, &bytes) ||
        bytes != a->length)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: array '%s': its length is not that of its shape", file->path,
                        a->name);
    return TFM_OK;
}

/* ---- opening ---- */

static tfm_status open_zip(const char *path, zip_t **zip, tfm_error *error) {
    int code, fd;
    *zip = NULL;
    tfm_status status = tfm_open_regular(path, "an .npz", &fd, NULL, error);
    if (status != TFM_OK) return status;
    *zip = zip_fdopen(fd, 0, &code); /* the descriptor is the archive's then */
    if (*zip) return TFM_OK;
    close(fd);
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: cannot be opened as a zip", path);
}

bool tfm_npz_file_is(const char *path) {
    zip_t *zip;
    if (open_zip(path, &zip, NULL) != TFM_OK) return false;
    const bool found = zip_name_locate(zip, "special:model.yml.npy", 0) >= 0;
    zip_discard(zip);
    return found;
}

static int compare_arrays(const void *a, const void *b) {
    return strcmp(((const tfm_npz_array *)a)->name, ((const tfm_npz_array *)b)->name);
}

static tfm_status add_entry(tfm_npz_file *file, uint64_t index, tfm_error *error) {
    zip_stat_t st;
    tfm_npz_array *a = &file->arrays[file->n];
    if (zip_stat_index(file->zip, index, 0, &st) != 0 || !(st.valid & ZIP_STAT_NAME) || !(st.valid & ZIP_STAT_SIZE) ||
        !(st.valid & ZIP_STAT_COMP_SIZE))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: damaged: an entry without name or size", file->path);
    const size_t n = strlen(st.name);
    bool good = n > 4 && n < 200 && strcmp(st.name + n - 4, ".npy") == 0;
    for (size_t i = 0; i < n; i++) good &= (unsigned char)st.name[i] >= 0x20 && st.name[i] != 0x7f;
    if (!good) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: entry %" PRIu64 " is not an .npy", file->path, index);
    if (st.size / EXPANSION_MAX > st.comp_size)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: entry %s is damaged: its length is wrong", file->path, st.name);
    a->name = strndup(st.name, n - 4);
    if (!a->name) return tfm_no_memory(error, "%s", file->path);
    file->n++;
    a->entry = index;
    a->length = st.size;
    return read_header(file, a, error);
}

tfm_status tfm_npz_file_open(tfm_npz_file *file, const char *path, tfm_error *error) {
    memset(file, 0, sizeof *file);
    file->cached = TFM_NPZ_NONE;
    file->path = strdup(path);
    if (!file->path) return tfm_no_memory(error, "%s", path);
    tfm_status status = open_zip(path, &file->zip, error);
    if (status != TFM_OK) return status;
    const zip_int64_t n = zip_get_num_entries(file->zip, 0);
    if (n < 1 || n > 1 << 16)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: damaged: %" PRId64 " entries", path, (int64_t)n);
    file->arrays = calloc((size_t)n, sizeof *file->arrays);
    if (!file->arrays) return tfm_no_memory(error, "%s", file->path);
    for (zip_int64_t i = 0; i < n; i++) {
        status = add_entry(file, (uint64_t)i, error);
        if (status != TFM_OK) return status;
    }
    qsort(file->arrays, file->n, sizeof *file->arrays, compare_arrays);
    for (uint32_t i = 1; i < file->n; i++)
        if (compare_arrays(&file->arrays[i - 1], &file->arrays[i]) == 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: array '%s' is there twice", path, file->arrays[i].name);
    return TFM_OK;
}

void tfm_npz_file_close(tfm_npz_file *file) {
    for (uint32_t i = 0; i < file->n; i++) free(file->arrays[i].name);
    if (file->zip) zip_discard(file->zip);
    free(file->arrays);
    free(file->cache);
    free(file->path);
    memset(file, 0, sizeof *file);
}

/* ---- access ---- */

uint32_t tfm_npz_file_find(const tfm_npz_file *file, const char *name) {
    const tfm_npz_array key = {.name = (char *)name};
    const tfm_npz_array *a = bsearch(&key, file->arrays, file->n, sizeof key, compare_arrays);
    return a ? (uint32_t)(a - file->arrays) : TFM_NPZ_NONE;
}

static tfm_status load(tfm_npz_file *file, uint32_t array, tfm_error *error) {
    const tfm_npz_array *a = &file->arrays[array];
    if (file->cached == array) return TFM_OK;
    file->cached = TFM_NPZ_NONE;
    free(file->cache);
    file->cache = malloc((size_t)a->length + 1);
    if (!file->cache) return tfm_no_memory(error, "%s", file->path);
    zip_file_t *entry = zip_fopen_index(file->zip, a->entry, 0);
    if (!entry) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", file->path, zip_strerror(file->zip));
    uint64_t have = 0;
    zip_int64_t got = 1;
    while (have < a->length && (got = zip_fread(entry, file->cache + have, a->length - have)) > 0)
        have += (uint64_t)got;
    char more;
    if (have == a->length) got = zip_fread(entry, &more, 1);
    zip_fclose(entry);
    if (have != a->length || got != 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: array '%s' is damaged", file->path, a->name);
    file->cached = array;
    return TFM_OK;
}

tfm_status tfm_npz_file_read(tfm_npz_file *file, uint32_t array, uint64_t first, uint64_t n, float *values,
                             tfm_error *error) {
    const tfm_npz_array *a = &file->arrays[array];
    tfm_status status = load(file, array, error);
    if (status != TFM_OK) return status;
    const unsigned char *data = file->cache + a->header + first * element_size(a);
    if (a->type == 'f') {
        memcpy(values, data, n * sizeof *values);
        return TFM_OK;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, data + 2 * i, 2);
        values[i] = tfm_f16_to_f32(half);
    }
    return TFM_OK;
}

tfm_status tfm_npz_file_bytes(tfm_npz_file *file, uint32_t array, const char **bytes, size_t *n, tfm_error *error) {
    const tfm_npz_array *a = &file->arrays[array];
    if (a->type != 'b') return tfm_fail(error, TFM_ERROR_FORMAT, "%s: array '%s' is not of bytes", file->path, a->name);
    tfm_status status = load(file, array, error);
    *bytes = (const char *)file->cache + a->header;
    *n = (size_t)a->count;
    return status;
}
