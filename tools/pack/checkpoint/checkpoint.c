/* checkpoint.c - the tensors of a checkpoint by name, and their values through the reader of its format. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint_format.h"
#include "format/grow.h"
#include "hub_cache.h"

/* Floats that are compared at a time, if rows are not longer. */
#define COMPARED ((uint64_t)1 << 14)
#define MOST_ENTRIES (UINT32_MAX / 4)

/* ---- what a format adds ---- */

/* Names go into messages and into the model file: no control characters, and not longer than a path. */
static bool good_name(const char *name) {
    size_t n = 0;
    for (; name[n]; n++)
        if ((unsigned char)name[n] < 0x20 || name[n] == 0x7f) return false;
    return n > 0 && n < 256;
}

tfm_status tfm_checkpoint_add(tfm_checkpoint *checkpoint, const char *name, tfm_dtype dtype, const char *dtype_name,
                              uint32_t rank, const uint64_t *shape, const char *file, uint64_t key,
                              tfm_checkpoint_entry **entry, tfm_error *error) {
    if (!good_name(name)) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: a tensor has an unusable name", file);
    if (rank > TFM_RANK_MAX)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s': %u dimensions; at most %d are supported", file,
                        name, rank, TFM_RANK_MAX);
    if (checkpoint->n_entries >= MOST_ENTRIES || !tfm_grow(&checkpoint->entries, &checkpoint->entry_capacity,
                                                           checkpoint->n_entries, 1, sizeof *checkpoint->entries))
        return tfm_no_memory(error, "%s", file);
    char *copy = strdup(name);
    if (!copy) return tfm_no_memory(error, "%s", file);
    const size_t index = checkpoint->n_entries++;
    checkpoint->entries[index] = (tfm_checkpoint_entry){
        .tensor = {.name = copy,
                   .index = index,
                   .dtype = dtype,
                   .dtype_name = dtype_name,
                   .rank = rank,
                   .shape = {1, 1, 1, 1},
                   .storage = key},
        .name = copy,
        .file = file,
        .key = key,
        .contiguous = true,
    };
    uint64_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        checkpoint->entries[index].tensor.shape[i] = shape[i];
        if (__builtin_mul_overflow(count, shape[i] > 0 ? shape[i] : 1, &count))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s': its shape is not valid", file, name);
    }
    *entry = &checkpoint->entries[index];
    return TFM_OK;
}

tfm_status tfm_checkpoint_add_decoded(tfm_checkpoint *checkpoint, const char *name, const char *dtype_name,
                                      uint32_t rank, const uint64_t *shape, uint64_t key, tfm_error *error) {
    tfm_checkpoint_entry *entry;
    return tfm_checkpoint_add(checkpoint, name, TFM_F32, dtype_name, rank, shape, checkpoint->path, key, &entry, error);
}

static int compare_names(const void *a, const void *b, void *checkpoint) {
    const tfm_checkpoint_entry *entries = ((const tfm_checkpoint *)checkpoint)->entries;
    return strcmp(entries[*(const uint32_t *)a].name, entries[*(const uint32_t *)b].name);
}

tfm_status tfm_checkpoint_index(tfm_checkpoint *checkpoint, tfm_error *error) {
    const size_t n = checkpoint->n_entries;
    uint32_t *by_name = checkpoint->by_name = reallocarray(NULL, n + 1, sizeof *by_name);
    if (!by_name) return tfm_no_memory(error, "%s", checkpoint->path);
    for (size_t i = 0; i < n; i++) by_name[i] = (uint32_t)i;
    qsort_r(by_name, n, sizeof *by_name, compare_names, checkpoint);
    for (size_t i = 1; i < n; i++)
        if (compare_names(&by_name[i - 1], &by_name[i], checkpoint) == 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' is there twice", checkpoint->path,
                            checkpoint->entries[by_name[i]].name);
    return TFM_OK;
}

void tfm_checkpoint_close(tfm_checkpoint **handle) {
    tfm_checkpoint *checkpoint = *handle;
    if (!checkpoint) return;
    if (checkpoint->reader.close) checkpoint->reader.close(checkpoint->reader.state);
    for (size_t i = 0; i < checkpoint->n_entries; i++) free(checkpoint->entries[i].name);
    for (size_t i = 0; i < TFM_TOKEN_ROLES; i++) free(checkpoint->hints.special_tokens[i]);
    json_decref(checkpoint->config);
    json_decref(checkpoint->generation_config);
    json_decref(checkpoint->asked);
    json_decref(checkpoint->ignored);
    free(checkpoint->home);
    free(checkpoint->chat_template);
    free(checkpoint->entries);
    free(checkpoint->by_name);
    free(checkpoint->path);
    free(checkpoint->name);
    free(checkpoint->note);
    free(checkpoint);
    *handle = NULL;
}

/* ---- access ---- */

const char *tfm_checkpoint_home(const tfm_checkpoint *checkpoint) {
    return checkpoint->home ? checkpoint->home : checkpoint->path;
}

const char *tfm_checkpoint_path(const tfm_checkpoint *checkpoint) { return checkpoint->path; }
const char *tfm_checkpoint_container(const tfm_checkpoint *checkpoint) { return checkpoint->format; }
const char *tfm_checkpoint_name(const tfm_checkpoint *checkpoint) {
    const char *path = json_string_value(json_object_get(checkpoint->config, "_name_or_path"));
    if (checkpoint->name) return checkpoint->name;
    return path && tfm_hub_is_name(path) ? path : NULL;
}
const char *tfm_checkpoint_note(const tfm_checkpoint *checkpoint) { return checkpoint->note; }
const json_t *tfm_checkpoint_ignored(const tfm_checkpoint *checkpoint) { return checkpoint->ignored; }
const json_t *tfm_checkpoint_config(const tfm_checkpoint *checkpoint) { return checkpoint->config; }
const json_t *tfm_checkpoint_generation_config(const tfm_checkpoint *checkpoint) {
    return checkpoint->generation_config;
}
tfm_config tfm_checkpoint_read_config(const tfm_checkpoint *checkpoint, tfm_error *error) {
    return (tfm_config){.folder = checkpoint->path,
                        .file = "config.json",
                        .object = checkpoint->config,
                        .scope = json_string_value(json_object_get(checkpoint->config, "model_type")),
                        .asked = checkpoint->asked,
                        .error = error};
}

const tfm_checkpoint_hints *tfm_checkpoint_get_hints(const tfm_checkpoint *checkpoint) { return &checkpoint->hints; }
const char *tfm_checkpoint_chat_template(const tfm_checkpoint *checkpoint) { return checkpoint->chat_template; }

tfm_status tfm_checkpoint_write_tokenizers(tfm_checkpoint *checkpoint, tfm_writer *writer,
                                           const tfm_pack_options *options, tfm_error *error) {
    const tfm_checkpoint_reader *reader = &checkpoint->reader;
    return reader->write_tokenizers ? reader->write_tokenizers(reader->state, writer, options, error) : TFM_OK;
}

size_t tfm_checkpoint_count(const tfm_checkpoint *checkpoint) { return checkpoint->n_entries; }

const tfm_checkpoint_tensor *tfm_checkpoint_at(const tfm_checkpoint *checkpoint, size_t i) {
    return i < checkpoint->n_entries ? &checkpoint->entries[i].tensor : NULL;
}

const tfm_checkpoint_tensor *tfm_checkpoint_find(const tfm_checkpoint *checkpoint, const char *name) {
    size_t low = 0, high = checkpoint->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tfm_checkpoint_entry *entry = &checkpoint->entries[checkpoint->by_name[middle]];
        int order = strcmp(name, entry->name);
        if (order == 0) return &entry->tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
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

/* Elements of a row. */
static uint64_t width_of(const tfm_checkpoint_tensor *tensor) {
    return tensor->shape[1] * tensor->shape[2] * tensor->shape[3];
}

tfm_status tfm_checkpoint_read(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *tensor, uint64_t row0,
                               uint64_t n_rows, float *rows, tfm_error *error) {
    const tfm_checkpoint_entry *entry = &checkpoint->entries[tensor->index];
    const uint64_t width = width_of(tensor);
    if (tensor->dtype == TFM_DTYPE_COUNT)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s' is %s; weights must be F32, F16 or BF16",
                        entry->file, tensor->name, tensor->dtype_name);
    if (row0 > tensor->shape[0] || n_rows > tensor->shape[0] - row0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s': rows outside it", entry->file, tensor->name);
    if (width == 0) return TFM_OK;
    const tfm_checkpoint_reader *reader = &checkpoint->reader;
    tfm_status status = reader->read(reader->state, entry->key, row0, n_rows, rows, error);
    if (status == TFM_OK && !all_finite(rows, (size_t)(n_rows * width)))
        status = tfm_fail(error, TFM_ERROR_CORRUPT, "%s: tensor '%s' has values that are not finite (NaN or infinity)",
                          entry->file, tensor->name);
    return status;
}

/* x and y have room for `step` rows. Tensors with values that are not finite are not equal. */
static tfm_status compare(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *a, const tfm_checkpoint_tensor *b,
                          uint64_t step, float *x, float *y, bool *equal, tfm_error *error) {
    for (uint64_t row = 0; *equal && row < a->shape[0]; row += step) {
        const uint64_t n = a->shape[0] - row < step ? a->shape[0] - row : step;
        tfm_status status = tfm_checkpoint_read(checkpoint, a, row, n, x, error);
        if (status == TFM_OK) status = tfm_checkpoint_read(checkpoint, b, row, n, y, error);
        if (status != TFM_OK && status != TFM_ERROR_CORRUPT) return status;
        *equal = status == TFM_OK && memcmp(x, y, (size_t)(n * width_of(a)) * sizeof *x) == 0;
    }
    return TFM_OK;
}

tfm_status tfm_checkpoint_equal(tfm_checkpoint *checkpoint, const tfm_checkpoint_tensor *a,
                                const tfm_checkpoint_tensor *b, bool *equal, tfm_error *error) {
    const uint64_t width = width_of(a), step = width >= COMPARED || width == 0 ? 1 : COMPARED / width;
    uint64_t bytes;
    *equal = a->dtype == b->dtype && a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
    if (!*equal || a->storage == b->storage || a->dtype == TFM_DTYPE_COUNT || width == 0) return TFM_OK;
    /* Copies with strides are not worth a look: the answer only decides whether a name is remembered. */
    *equal = checkpoint->entries[a->index].contiguous && checkpoint->entries[b->index].contiguous;
    if (!*equal) return TFM_OK;
    bool sized = !__builtin_mul_overflow(step * width, 2 * sizeof(float), &bytes) && bytes <= SIZE_MAX;
    float *x = sized ? malloc((size_t)bytes) : NULL;
    if (!x) return tfm_no_memory(error, "%s: a row", checkpoint->path);
    tfm_status status = compare(checkpoint, a, b, step, x, x + step * width, equal, error);
    free(x);
    return status;
}
