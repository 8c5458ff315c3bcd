/* pytorch.c - pytorch_model.bin: the zip form and the form PyTorch wrote before 1.6 (pickles, then raw storages). */
#include "pytorch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "unpickle.h"

#define PICKLE_MAX ((uint64_t)64 << 20)

/* ---- storages ---- */

static int compare_keys(const void *a, const void *b, void *storages) {
    const tfm_pk_storage *list = storages;
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = strcmp(list[x].key, list[y].key);
    return order ? order : (x > y) - (x < y);
}

/* Storages of one pickle: the order by key, the first of each key, and the blob of each. */
typedef struct storage_table {
    const tfm_pk_storage *list;
    size_t n;
    uint32_t *order; /* by key */
    uint32_t *blob;  /* of each, once known; UINT32_MAX before */
} storage_table;

static void storage_table_free(storage_table *table) {
    free(table->order);
    free(table->blob);
}

static tfm_status storage_table_sort(storage_table *table, const tfm_unpickler *unpickler, const tfm_weight_file *file,
                                     tfm_error *error) {
    table->n = tfm_unpickler_storages(unpickler, &table->list);
    table->order = malloc((table->n + 1) * sizeof *table->order);
    table->blob = malloc((table->n + 1) * sizeof *table->blob);
    if (!table->order || !table->blob) return tfm_no_memory(error, "%s", file->path);
    for (size_t i = 0; i < table->n; i++) {
        table->order[i] = (uint32_t)i;
        table->blob[i] = UINT32_MAX;
    }
    if (table->n > 0) qsort_r(table->order, table->n, sizeof *table->order, compare_keys, (void *)table->list);
    for (size_t i = 1; i < table->n; i++) {
        const tfm_pk_storage *a = &table->list[table->order[i - 1]], *b = &table->list[table->order[i]];
        if (strcmp(a->key, b->key) == 0 && (a->dtype != b->dtype || a->count != b->count))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: storage '%.32s' has two types or sizes", file->path, a->key);
    }
    return TFM_OK;
}

/* Gives all records of the key at order[i] their blob; returns the index after them. */
static size_t storage_table_assign(storage_table *table, size_t i, uint32_t blob) {
    const char *key = table->list[table->order[i]].key;
    for (; i < table->n && strcmp(table->list[table->order[i]].key, key) == 0; i++) table->blob[table->order[i]] = blob;
    return i;
}

static bool storage_bytes(const tfm_pk_storage *storage, uint64_t *bytes) {
    return !__builtin_mul_overflow(storage->count, (uint64_t)tfm_st_dtype_size(storage->dtype), bytes);
}

/* The tensors of a state dict, once all storages have their blobs. */
static tfm_status add_state(tfm_weight_files *files, uint32_t index, const tfm_unpickler *unpickler,
                            const tfm_pk_value *state, const storage_table *table, tfm_error *error) {
    const char *path = files->files[index].path;
    if (state->kind != TFM_PK_DICT)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: not a state dict (a dictionary from names to tensors)",
                        path);
    for (size_t i = 0; i < state->n; i += 2) {
        const tfm_pk_value *key = state->items[i], *value = state->items[i + 1];
        if (key->kind != TFM_PK_STRING || strlen(key->text) != key->n)
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: not a state dict: a key is not a name", path);
        for (size_t k = 0; k < key->n; k++)
            if ((unsigned char)key->text[k] < 0x20 || (unsigned char)key->text[k] > 0x7e)
                return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: a tensor has an unusable name", path);
        if (value->kind != TFM_PK_TENSOR)
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                            "%s: entry '%.100s' is not a tensor; tfmpack needs the bare state dict of a model", path,
                            key->text);
        const tfm_pk_tensor *tensor = tfm_unpickler_tensor(unpickler, value->index);
        tfm_status status =
            tfm_weight_files_add_tensor(files, key->text, tensor->dtype, tensor->rank, tensor->shape, tensor->stride,
                                        table->blob[tensor->storage], tensor->offset, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* ---- zip ---- */

/* A small entry as a NUL-terminated text; *data stays NULL if there is none of that name. */
static tfm_status read_entry(const tfm_weight_file *file, const char *name, uint64_t limit, char **data, size_t *n,
                             tfm_error *error) {
    zip_stat_t st;
    *data = NULL;
    if (zip_stat(file->zip, name, 0, &st) != 0) return TFM_OK;
    if (!(st.valid & ZIP_STAT_SIZE) || st.size > limit)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: entry %.100s is too large", file->path, name);
    zip_file_t *entry = zip_fopen_index(file->zip, st.index, 0);
    if (!entry) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", file->path, zip_strerror(file->zip));
    *data = malloc((size_t)st.size + 1);
    *n = (size_t)st.size;
    tfm_status status = *data ? TFM_OK : tfm_no_memory(error, "%s", file->path);
    char more;
    if (status == TFM_OK &&
        (zip_fread(entry, *data, st.size) != (zip_int64_t)st.size || zip_fread(entry, &more, 1) != 0))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: entry %.100s is damaged", file->path, name);
    if (status == TFM_OK) (*data)[st.size] = '\0';
    zip_fclose(entry);
    return status;
}

/* The folder inside the archive: what stands before "data.pkl", slash included. The caller frees it, also on failure.
 */
static tfm_status find_prefix(const tfm_weight_file *file, char **prefix, tfm_error *error) {
    *prefix = NULL;
    for (zip_int64_t i = 0; i < zip_get_num_entries(file->zip, 0); i++) {
        const char *name = zip_get_name(file->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        size_t n = name ? strlen(name) : 0;
        if (n < 9 || strcmp(name + n - 9, "/data.pkl") != 0) continue;
        if (*prefix) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: has two entries data.pkl", file->path);
        *prefix = strndup(name, n - 8);
        if (!*prefix) return tfm_no_memory(error, "%s", file->path);
    }
    if (!*prefix)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: a zip file, but not one of torch.save: it has no data.pkl",
                        file->path);
    return TFM_OK;
}

static tfm_status check_byte_order(const tfm_weight_file *file, const char *prefix, tfm_error *error) {
    char *name, *order;
    size_t n = 0;
    if (asprintf(&name, "%sbyteorder", prefix) < 0) return tfm_no_memory(error, "%s", file->path);
    tfm_status status = read_entry(file, name, 64, &order, &n, error);
    if (status == TFM_OK && order && strcmp(order, "little") != 0)
        status = tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: its byte order is not little-endian", file->path);
    free(order);
    free(name);
    return status;
}

/* Finds the archive's entry of every storage and checks its size. */
static tfm_status locate_entries(tfm_weight_files *files, uint32_t index, const char *prefix, storage_table *table,
                                 tfm_error *error) {
    const tfm_weight_file *file = &files->files[index];
    for (size_t i = 0; i < table->n;) {
        const tfm_pk_storage *storage = &table->list[table->order[i]];
        uint64_t bytes;
        uint32_t blob;
        zip_stat_t st;
        char *name;
        if (asprintf(&name, "%sdata/%s", prefix, storage->key) < 0) return tfm_no_memory(error, "%s", file->path);
        int found = zip_stat(file->zip, name, 0, &st);
        free(name);
        if (found != 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: storage '%.32s' is missing", file->path, storage->key);
        if (!(st.valid & ZIP_STAT_SIZE) || !storage_bytes(storage, &bytes) || st.size != bytes)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: storage '%.32s' has not the size its tensors need",
                            file->path, storage->key);
        tfm_status status = tfm_weight_files_add_blob(files, (tfm_blob){index, true, st.index, bytes}, &blob, error);
        if (status != TFM_OK) return status;
        i = storage_table_assign(table, i, blob);
    }
    return TFM_OK;
}

static tfm_status open_zip(tfm_weight_files *files, uint32_t index, tfm_error *error) {
    tfm_weight_file *file = &files->files[index];
    int code = 0;
    file->zip = zip_fdopen(file->fd, 0, &code);
    if (file->zip) {
        file->fd = -1; /* it is the archive's now */
    } else {
        zip_error_t reason;
        zip_error_init_with_code(&reason, code);
        tfm_status status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a usable zip file (is it truncated?): %s",
                                     file->path, zip_error_strerror(&reason));
        zip_error_fini(&reason);
        return status;
    }
    char *prefix = NULL, *name = NULL, *pickle = NULL;
    size_t n = 0;
    tfm_unpickler *unpickler = NULL;
    const tfm_pk_value *state = NULL;
    storage_table table = {0};
    tfm_status status = find_prefix(file, &prefix, error);
    if (status == TFM_OK) status = check_byte_order(file, prefix, error);
    if (status == TFM_OK && asprintf(&name, "%sdata.pkl", prefix) < 0) {
        name = NULL;
        status = tfm_no_memory(error, "%s", file->path);
    }
    if (status == TFM_OK) status = read_entry(file, name, PICKLE_MAX, &pickle, &n, error);
    if (status == TFM_OK && !(pickle && (unpickler = tfm_unpickler_memory(file->path, pickle, n))))
        status = tfm_no_memory(error, "%s", file->path);
    if (status == TFM_OK) status = tfm_unpickle(unpickler, &state, error);
    if (status == TFM_OK) status = storage_table_sort(&table, unpickler, file, error);
    if (status == TFM_OK) status = locate_entries(files, index, prefix, &table, error);
    if (status == TFM_OK) status = add_state(files, index, unpickler, state, &table, error);
    storage_table_free(&table);
    tfm_unpickler_free(&unpickler);
    free(pickle);
    free(name);
    free(prefix);
    return status;
}

/* ---- legacy ---- */

static const unsigned char legacy_magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

static const tfm_pk_value *dict_get(const tfm_pk_value *dict, const char *key) {
    for (size_t i = 0; dict->kind == TFM_PK_DICT && i + 1 < dict->n; i += 2)
        if (dict->items[i]->kind == TFM_PK_STRING && strcmp(dict->items[i]->text, key) == 0) return dict->items[i + 1];
    return NULL;
}

/* The three pickles before the state dict: a magic number, the protocol's version, facts of the machine. */
static tfm_status legacy_prologue(tfm_unpickler *unpickler, const char *path, tfm_error *error) {
    const tfm_pk_value *value;
    tfm_status status = tfm_unpickle(unpickler, &value, error);
    if (status != TFM_OK) return status;
    if (value->kind != TFM_PK_BIG || value->n != sizeof legacy_magic ||
        memcmp(value->text, legacy_magic, sizeof legacy_magic) != 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a file of torch.save", path);
    status = tfm_unpickle(unpickler, &value, error);
    if (status != TFM_OK) return status;
    if (value->kind != TFM_PK_INT || value->integer != 1001)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: an unknown version of PyTorch's old format", path);
    status = tfm_unpickle(unpickler, &value, error);
    if (status != TFM_OK) return status;
    const tfm_pk_value *little = dict_get(value, "little_endian");
    if (!little || little->kind != TFM_PK_BOOL || little->integer != 1)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: its byte order is not little-endian", path);
    return TFM_OK;
}

static size_t find_key(const storage_table *table, const char *key) {
    size_t low = 0, high = table->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(table->list[table->order[middle]].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->n && strcmp(table->list[table->order[low]].key, key) == 0 ? low : SIZE_MAX;
}

/* After the list of keys: for each its number of elements (8 bytes), then its elements. */
static tfm_status locate_storages(tfm_weight_files *files, uint32_t index, const tfm_pk_value *keys, uint64_t position,
                                  storage_table *table, tfm_error *error) {
    const tfm_weight_file *file = &files->files[index];
    struct stat st;
    if (fstat(file->fd, &st) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: %s", file->path, strerror(errno));
    uint64_t length = (uint64_t)st.st_size;
    if (keys->kind != TFM_PK_LIST)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: its storages have no keys", file->path);
    for (size_t i = 0; i < keys->n; i++) {
        const tfm_pk_value *key = keys->items[i];
        size_t place = key->kind == TFM_PK_STRING ? find_key(table, key->text) : SIZE_MAX;
        if (place == SIZE_MAX || table->blob[table->order[place]] != UINT32_MAX)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: its list of storages is not valid", file->path);
        const tfm_pk_storage *storage = &table->list[table->order[place]];
        unsigned char raw[8];
        uint64_t count = 0, bytes;
        if (length - position < 8 || pread(file->fd, raw, 8, (off_t)position) != 8)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: truncated at storage '%.32s'", file->path, storage->key);
        for (int k = 7; k >= 0; k--) count = count << 8 | raw[k];
        position += 8;
        if (count != storage->count || !storage_bytes(storage, &bytes))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: storage '%.32s' has not the size its tensors need",
                            file->path, storage->key);
        if (bytes > length - position)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: truncated in storage '%.32s'", file->path, storage->key);
        uint32_t blob;
        tfm_status status = tfm_weight_files_add_blob(files, (tfm_blob){index, false, position, bytes}, &blob, error);
        if (status != TFM_OK) return status;
        storage_table_assign(table, place, blob);
        position += bytes;
    }
    for (size_t i = 0; i < table->n; i++)
        if (table->blob[i] == UINT32_MAX)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: storage '%.32s' is missing", file->path, table->list[i].key);
    return TFM_OK;
}

static tfm_status open_legacy(tfm_weight_files *files, uint32_t index, tfm_error *error) {
    const tfm_weight_file *file = &files->files[index];
    const tfm_pk_value *state = NULL, *keys = NULL;
    storage_table table = {0};
    tfm_unpickler *unpickler = tfm_unpickler_fd(file->path, file->fd);
    if (!unpickler) return tfm_no_memory(error, "%s", file->path);
    tfm_status status = legacy_prologue(unpickler, file->path, error);
    if (status == TFM_OK) status = tfm_unpickle(unpickler, &state, error);
    if (status == TFM_OK) status = tfm_unpickle(unpickler, &keys, error);
    if (status == TFM_OK) status = storage_table_sort(&table, unpickler, file, error);
    if (status == TFM_OK)
        status = locate_storages(files, index, keys, tfm_unpickler_position(unpickler), &table, error);
    if (status == TFM_OK) status = add_state(files, index, unpickler, state, &table, error);
    storage_table_free(&table);
    tfm_unpickler_free(&unpickler);
    return status;
}

tfm_status tfm_pytorch_add(tfm_weight_files *files, uint32_t index, const char **container, tfm_error *error) {
    tfm_weight_file *file = &files->files[index];
    unsigned char start[4] = {0};
    tfm_status status = tfm_open_regular(file->path, "a file of torch.save", &file->fd, NULL, error);
    if (status != TFM_OK) return status;
    ssize_t got = pread(file->fd, start, sizeof start, 0);
    if (got < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", file->path, strerror(errno));
    if (got >= 2 && start[0] == 'P' && start[1] == 'K') {
        *container = "pytorch (zip)";
        return open_zip(files, index, error);
    }
    if (got >= 2 && start[0] == 0x80) {
        *container = "pytorch (legacy)";
        return open_legacy(files, index, error);
    }
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a file of torch.save (neither zip nor pickle)", file->path);
}
