/* checkpoint.c - opens a checkpoint folder: which container, which configuration, which names. */
#include "checkpoint_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/pack/tokenizer/tokenizer_pack.h"
#include "tools/safetensors/st_dtype.h"

#define JSON_MAX ((off_t)64 << 20)

typedef enum container { SAFETENSORS, SAFETENSORS_INDEX, PYTORCH, PYTORCH_INDEX, CONTAINERS } container;

static const char *const container_files[CONTAINERS] = {"model.safetensors", "model.safetensors.index.json",
                                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};

static tfm_status no_memory(const char *path, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
}

/* ---- tables ---- */

static bool grow(void *array, size_t n, size_t *capacity, size_t element) {
    if (n < *capacity) return true;
    size_t fresh = n < 64 ? 128 : 2 * n;
    void *old, *moved;
    memcpy(&old, array, sizeof old);
    if (n >= UINT32_MAX / 4 || !(moved = realloc(old, fresh * element))) return false;
    memcpy(array, &moved, sizeof moved);
    *capacity = fresh;
    return true;
}

tfm_status tfm_checkpoint_add_blob(tfm_checkpoint *checkpoint, tfm_blob blob, uint32_t *index, tfm_error *error) {
    if (!grow(&checkpoint->blobs, checkpoint->n_blobs, &checkpoint->blobs_size, sizeof *checkpoint->blobs))
        return no_memory(checkpoint->files[blob.file].path, error);
    checkpoint->blobs[checkpoint->n_blobs] = blob;
    *index = (uint32_t)checkpoint->n_blobs++;
    return TFM_OK;
}

/* Names go into messages and into the model file: no control characters, and not longer than a path. */
static bool good_name(const char *name) {
    size_t n = 0;
    for (; name[n]; n++)
        if ((unsigned char)name[n] < 0x20 || name[n] == 0x7f) return false;
    return n > 0 && n < 256;
}

/* The next entry, with name, rank and shape; strides are in elements, NULL: contiguous. */
static tfm_status add_entry(tfm_checkpoint *checkpoint, const char *path, const char *name, uint32_t rank,
                            const uint64_t *shape, const uint64_t *stride, tfm_stored_tensor **entry,
                            tfm_error *error) {
    if (!good_name(name)) return tfm_fail(error, TFM_ERROR_FORMAT, "%s: a tensor has an unusable name", path);
    if (rank > TFM_RANK_MAX)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: tensor '%s': %u dimensions; at most %d are supported", path,
                        name, rank, TFM_RANK_MAX);
    if (!grow(&checkpoint->tensors, checkpoint->n_tensors, &checkpoint->tensors_size, sizeof *checkpoint->tensors))
        return no_memory(path, error);
    tfm_stored_tensor *stored = &checkpoint->tensors[checkpoint->n_tensors];
    memset(stored, 0, sizeof *stored);
    stored->name = strdup(name);
    if (!stored->name) return no_memory(path, error);
    stored->tensor.index = checkpoint->n_tensors++;
    stored->tensor.name = stored->name;
    stored->tensor.rank = rank;
    uint64_t contiguous = 1;
    for (uint32_t i = TFM_RANK_MAX; i-- > 0;) {
        stored->tensor.shape[i] = i < rank ? shape[i] : 1;
        stored->stride[i] = i >= rank ? 0 : stride ? stride[i] : contiguous;
        if (i < rank && __builtin_mul_overflow(contiguous, shape[i] > 0 ? shape[i] : 1, &contiguous))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s': its shape is not valid", path, name);
    }
    *entry = stored;
    return TFM_OK;
}

tfm_status tfm_checkpoint_add_tensor(tfm_checkpoint *checkpoint, const char *name, tfm_st_dtype dtype, uint32_t rank,
                                     const uint64_t *shape, const uint64_t *stride, uint32_t file, uint32_t blob,
                                     uint64_t offset, tfm_error *error) {
    tfm_stored_tensor *stored;
    tfm_status status = add_entry(checkpoint, checkpoint->files[file].path, name, rank, shape, stride, &stored, error);
    if (status != TFM_OK) return status;
    stored->tensor.dtype = tfm_st_dtype_to_tfm(dtype);
    stored->tensor.dtype_name = tfm_st_dtype_name(dtype);
    stored->file = file;
    stored->blob = blob;
    stored->offset = offset;
    stored->element = tfm_st_dtype_size(dtype);
    return TFM_OK;
}

tfm_status tfm_checkpoint_add_provided(tfm_checkpoint *checkpoint, const char *name, const char *dtype_name,
                                       uint32_t rank, const uint64_t *shape, uint64_t key, tfm_error *error) {
    tfm_stored_tensor *stored;
    tfm_status status = add_entry(checkpoint, checkpoint->folder, name, rank, shape, NULL, &stored, error);
    if (status != TFM_OK) return status;
    stored->tensor.dtype = TFM_F32; /* what reading gives */
    stored->tensor.dtype_name = dtype_name;
    stored->offset = key;
    return TFM_OK;
}

static int compare_names(const void *a, const void *b, void *checkpoint) {
    const tfm_checkpoint *s = checkpoint;
    return strcmp(s->tensors[*(const uint32_t *)a].name, s->tensors[*(const uint32_t *)b].name);
}

static int compare_places(const void *a, const void *b, void *checkpoint) {
    const tfm_checkpoint *s = checkpoint;
    const tfm_stored_tensor *x = &s->tensors[*(const uint32_t *)a], *y = &s->tensors[*(const uint32_t *)b];
    if (x->blob != y->blob) return x->blob < y->blob ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->tensor.rank != y->tensor.rank) return x->tensor.rank < y->tensor.rank ? -1 : 1;
    int order = memcmp(x->tensor.shape, y->tensor.shape, sizeof x->tensor.shape);
    return order ? order : memcmp(x->stride, y->stride, sizeof x->stride);
}

/* Sorts names, refuses duplicates, and numbers the places so that names of one place have one number. */
static tfm_status index_tensors(tfm_checkpoint *checkpoint, tfm_error *error) {
    size_t n = checkpoint->n_tensors;
    checkpoint->by_name = malloc((n + 1) * sizeof *checkpoint->by_name);
    if (!checkpoint->by_name) return no_memory(checkpoint->folder, error);
    for (size_t i = 0; i < n; i++) checkpoint->by_name[i] = (uint32_t)i;
    qsort_r(checkpoint->by_name, n, sizeof *checkpoint->by_name, compare_places, checkpoint);
    for (size_t i = 0, place = 0; i < n; i++) {
        if (i > 0 && compare_places(&checkpoint->by_name[i - 1], &checkpoint->by_name[i], checkpoint) != 0) place++;
        checkpoint->tensors[checkpoint->by_name[i]].tensor.storage = place;
    }
    qsort_r(checkpoint->by_name, n, sizeof *checkpoint->by_name, compare_names, checkpoint);
    for (size_t i = 1; i < n; i++)
        if (compare_names(&checkpoint->by_name[i - 1], &checkpoint->by_name[i], checkpoint) == 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' is there twice", checkpoint->folder,
                            checkpoint->tensors[checkpoint->by_name[i]].name);
    return TFM_OK;
}

/* ---- files ---- */

static char *join(const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool exists(const char *folder, const char *name) {
    char *path = join(folder, name);
    bool found = path && access(path, F_OK) == 0;
    free(path);
    return found;
}

/* A JSON object from a file of the folder; *object is NULL if it is not there and not required. */
static tfm_status load_json(const char *folder, const char *name, bool required, json_t **object, tfm_error *error) {
    *object = NULL;
    char *path = join(folder, name);
    if (!path) return no_memory(folder, error);
    struct stat st;
    json_error_t problem;
    tfm_status status = TFM_OK;
    if (stat(path, &st) != 0) {
        if (required || errno != ENOENT)
            status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    } else if (st.st_size > JSON_MAX) {
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: too large (over 64 MiB)", path);
    } else {
        *object = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
        if (!*object)
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %d: %s", path, problem.line, problem.text);
        else if (!json_is_object(*object))
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a JSON object", path);
    }
    free(path);
    return status;
}

static tfm_status add_file(tfm_checkpoint *checkpoint, const char *name, bool safetensors, tfm_error *error) {
    tfm_checkpoint_file *files = realloc(checkpoint->files, (checkpoint->n_files + 1) * sizeof *files);
    if (!files) return no_memory(checkpoint->folder, error);
    checkpoint->files = files;
    tfm_checkpoint_file *file = &files[checkpoint->n_files];
    memset(file, 0, sizeof *file);
    file->fd = -1;
    file->path = join(checkpoint->folder, name);
    if (!file->path) return no_memory(checkpoint->folder, error);
    file->name = file->path + strlen(checkpoint->folder) + 1;
    uint32_t index = (uint32_t)checkpoint->n_files++;
    return safetensors ? tfm_checkpoint_add_safetensors(checkpoint, index, error)
                       : tfm_checkpoint_add_pytorch(checkpoint, index, error);
}

/* ---- shards ---- */

static const tfm_checkpoint_file *find_file(const tfm_checkpoint *checkpoint, const char *name) {
    for (size_t i = 0; i < checkpoint->n_files; i++)
        if (strcmp(checkpoint->files[i].name, name) == 0) return &checkpoint->files[i];
    return NULL;
}

/* Every tensor must be where the index says, and the index must name every tensor. */
static tfm_status check_map(const tfm_checkpoint *checkpoint, const json_t *map, const char *index, tfm_error *error) {
    const char *name;
    json_t *file;
    json_object_foreach((json_t *)map, name, file) {
        const tfm_checkpoint_tensor *tensor = tfm_checkpoint_find(checkpoint, name);
        if (!tensor || find_file(checkpoint, json_string_value(file)) !=
                           &checkpoint->files[((const tfm_stored_tensor *)tensor)->file])
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s/%s: tensor '%s' is not in %s, where the index has it",
                            checkpoint->folder, index, name, json_string_value(file));
    }
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        if (!json_object_get(map, checkpoint->tensors[i].name))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' is not in %s/%s",
                            checkpoint->files[checkpoint->tensors[i].file].path, checkpoint->tensors[i].name,
                            checkpoint->folder, index);
    return TFM_OK;
}

static tfm_status open_shards(tfm_checkpoint *checkpoint, const char *index, const char *suffix, tfm_error *error) {
    json_t *object, *file;
    const char *name;
    tfm_status status = load_json(checkpoint->folder, index, true, &object, error);
    const json_t *map = json_object_get(object, "weight_map");
    if (status == TFM_OK && !json_is_object(map))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s/%s: has no weight_map", checkpoint->folder, index);
    if (status == TFM_OK) {
        json_object_foreach((json_t *)map, name, file) {
            const char *shard = json_string_value(file);
            size_t n = shard ? strlen(shard) : 0, tail = strlen(suffix);
            if (n <= tail || strcmp(shard + n - tail, suffix) != 0 || strchr(shard, '/') || shard[0] == '.')
                status = tfm_fail(error, TFM_ERROR_FORMAT,
                                  "%s/%s: refused: tensor '%s' is said to be in '%s'; a shard must be a %s file of the "
                                  "same folder",
                                  checkpoint->folder, index, name, shard ? shard : "(not a string)", suffix);
            else if (!find_file(checkpoint, shard))
                status = add_file(checkpoint, shard, strcmp(suffix, ".safetensors") == 0, error);
            if (status != TFM_OK) break;
        }
    }
    if (status == TFM_OK) status = index_tensors(checkpoint, error);
    if (status == TFM_OK) status = check_map(checkpoint, map, index, error);
    json_decref(object);
    return status;
}

/* ---- opening ---- */

static tfm_status open_container(tfm_checkpoint *checkpoint, container which, tfm_error *error) {
    tfm_status status;
    switch (which) {
    case SAFETENSORS_INDEX:
        checkpoint->format = "safetensors (sharded)";
        return open_shards(checkpoint, container_files[which], ".safetensors", error);
    case PYTORCH_INDEX:
        status = open_shards(checkpoint, container_files[which], ".bin", error);
        checkpoint->format = "pytorch (sharded)";
        return status;
    case SAFETENSORS: checkpoint->format = "safetensors"; break;
    default: break; /* add_file tells the two forms of PyTorch apart */
    }
    status = add_file(checkpoint, container_files[which], which == SAFETENSORS, error);
    return status == TFM_OK ? index_tensors(checkpoint, error) : status;
}

/* Folder and container of what the user named. */
static tfm_status choose(tfm_checkpoint *checkpoint, const char *path, container *which, tfm_error *error) {
    struct stat st;
    if (stat(path, &st) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    *which = CONTAINERS;
    if (!S_ISDIR(st.st_mode)) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        for (int i = 0; i < CONTAINERS; i++)
            if (strcmp(name, container_files[i]) == 0) *which = (container)i;
        if (*which == CONTAINERS)
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                            "%s: not a checkpoint folder; give the folder that has config.json and model.safetensors "
                            "or pytorch_model.bin",
                            path);
        checkpoint->folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
        return checkpoint->folder ? TFM_OK : no_memory(path, error);
    }
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    checkpoint->folder = strndup(path, n);
    if (!checkpoint->folder) return no_memory(path, error);
    for (int i = 0; i < CONTAINERS && *which == CONTAINERS; i++)
        if (exists(checkpoint->folder, container_files[i])) *which = (container)i;
    if (*which == CONTAINERS)
        return tfm_fail(error, TFM_ERROR_IO,
                        "%s: has none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, "
                        "pytorch_model.bin.index.json",
                        path);
    for (int i = *which + 1; i < CONTAINERS; i++)
        if (exists(checkpoint->folder, container_files[i])) {
            if (asprintf(&checkpoint->note, "%s is used, %s is not read", container_files[*which], container_files[i]) <
                0)
                checkpoint->note = NULL;
            break;
        }
    return TFM_OK;
}

static tfm_status open_folder(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    container which = CONTAINERS;
    tfm_status status = choose(checkpoint, path, &which, error);
    if (status == TFM_OK) status = load_json(checkpoint->folder, "config.json", true, &checkpoint->config, error);
    if (status == TFM_OK)
        status = load_json(checkpoint->folder, "generation_config.json", false, &checkpoint->generation_config, error);
    if (status == TFM_OK) status = open_container(checkpoint, which, error);
    return status;
}

static const tfm_checkpoint_format *find_form(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return NULL;
    for (size_t i = 0; tfm_checkpoint_formats[i]; i++)
        if (tfm_checkpoint_formats[i]->is(path, S_ISDIR(st.st_mode))) return tfm_checkpoint_formats[i];
    return NULL;
}

bool tfm_checkpoint_has_format(const char *path) { return find_form(path) != NULL; }

static tfm_status open_form(tfm_checkpoint *checkpoint, const tfm_checkpoint_format *form, const char *path,
                            tfm_error *error) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    checkpoint->folder = strndup(path, n);
    checkpoint->format = form->name;
    if (!checkpoint->folder) return no_memory(path, error);
    tfm_status status = form->open(checkpoint, checkpoint->folder, error);
    return status == TFM_OK ? index_tensors(checkpoint, error) : status;
}

tfm_status tfm_checkpoint_open(tfm_checkpoint **result, const char *path, tfm_error *error) {
    *result = NULL;
    tfm_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return no_memory(path, error);
    checkpoint->cached_blob = UINT32_MAX;
    const tfm_checkpoint_format *form = find_form(path);
    tfm_status status = form ? open_form(checkpoint, form, path, error) : open_folder(checkpoint, path, error);
    if (status != TFM_OK)
        tfm_checkpoint_close(&checkpoint);
    else
        *result = checkpoint;
    return status;
}

void tfm_checkpoint_close(tfm_checkpoint **handle) {
    tfm_checkpoint *checkpoint = *handle;
    if (!checkpoint) return;
    for (size_t i = 0; i < checkpoint->n_tensors; i++) free(checkpoint->tensors[i].name);
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        tfm_checkpoint_file *file = &checkpoint->files[i];
        if (file->safetensors)
            tfm_safetensors_close(&file->safetensors);
        else if (file->fd >= 0)
            close(file->fd);
        if (file->zip) zip_discard(file->zip);
        free(file->path);
    }
    if (checkpoint->provider.close) checkpoint->provider.close(checkpoint->provider.state);
    json_decref(checkpoint->config);
    json_decref(checkpoint->generation_config);
    free(checkpoint->chat_template);
    free(checkpoint->files);
    free(checkpoint->blobs);
    free(checkpoint->tensors);
    free(checkpoint->by_name);
    free(checkpoint->cache);
    free(checkpoint->folder);
    free(checkpoint->note);
    free(checkpoint);
    *handle = NULL;
}

/* ---- access ---- */

const char *tfm_checkpoint_path(const tfm_checkpoint *checkpoint) { return checkpoint->folder; }
const char *tfm_checkpoint_container(const tfm_checkpoint *checkpoint) { return checkpoint->format; }
const char *tfm_checkpoint_note(const tfm_checkpoint *checkpoint) { return checkpoint->note; }
const json_t *tfm_checkpoint_config(const tfm_checkpoint *checkpoint) { return checkpoint->config; }
const json_t *tfm_checkpoint_generation_config(const tfm_checkpoint *checkpoint) {
    return checkpoint->generation_config;
}
const char *tfm_checkpoint_chat_template(const tfm_checkpoint *checkpoint) { return checkpoint->chat_template; }

tfm_status tfm_checkpoint_write_tokenizers(tfm_checkpoint *checkpoint, tfm_writer *writer, tfm_error *error) {
    const tfm_provider *p = &checkpoint->provider;
    if (!p->read) return tfm_pack_tokenizers(checkpoint->folder, writer, false, error);
    return p->write_tokenizers ? p->write_tokenizers(p->state, writer, error) : TFM_OK;
}

size_t tfm_checkpoint_count(const tfm_checkpoint *checkpoint) { return checkpoint->n_tensors; }

const tfm_checkpoint_tensor *tfm_checkpoint_at(const tfm_checkpoint *checkpoint, size_t i) {
    return i < checkpoint->n_tensors ? &checkpoint->tensors[i].tensor : NULL;
}

const tfm_checkpoint_tensor *tfm_checkpoint_find(const tfm_checkpoint *checkpoint, const char *name) {
    size_t low = 0, high = checkpoint->n_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tfm_stored_tensor *stored = &checkpoint->tensors[checkpoint->by_name[middle]];
        int order = strcmp(name, stored->name);
        if (order == 0) return &stored->tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
