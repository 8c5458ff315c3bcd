/* hf_folder.c - opens a checkpoint folder: which container, which configuration, which shards. */
#include "hf_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "first_look.h"
#include "format/regular_file.h"
#include "pytorch.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"
#include "weight_files.h"

/* In order of preference. */
typedef enum container { SAFETENSORS, SAFETENSORS_INDEX, PYTORCH, PYTORCH_INDEX, CONTAINERS } container;

static const char *const container_files[CONTAINERS] = {
    [SAFETENSORS] = "model.safetensors",
    [SAFETENSORS_INDEX] = "model.safetensors.index.json",
    [PYTORCH] = "pytorch_model.bin",
    [PYTORCH_INDEX] = "pytorch_model.bin.index.json",
};

const char *const tfm_hf_containers[] = {"safetensors",      "safetensors (sharded)", "pytorch (zip)",
                                         "pytorch (legacy)", "pytorch (sharded)",     NULL};

/* ---- files ---- */

static tfm_status add_safetensors(tfm_weight_files *files, uint32_t index, tfm_error *error) {
    tfm_weight_file *file = &files->files[index];
    tfm_status status = tfm_safetensors_open(&file->safetensors, file->path, error);
    if (status != TFM_OK) return status;
    file->fd = tfm_safetensors_fd(file->safetensors);
    for (size_t i = 0; i < tfm_safetensors_count(file->safetensors); i++) {
        const tfm_st_tensor *tensor = tfm_safetensors_at(file->safetensors, i);
        const tfm_blob data = {.file = index, .offset = tensor->offset, .length = tensor->length};
        uint32_t blob;
        status = tfm_weight_files_add_blob(files, data, &blob, error);
        if (status == TFM_OK)
            status = tfm_weight_files_add_tensor(files, tensor->name, tensor->dtype, tensor->rank, tensor->shape, NULL,
                                                 blob, 0, error);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

static tfm_status add_file(tfm_weight_files *files, const char *name, bool safetensors, tfm_error *error) {
    uint32_t index;
    tfm_status status = tfm_weight_files_add(files, name, &index, error);
    if (status != TFM_OK) return status;
    if (!safetensors) return tfm_pytorch_add(files, index, &files->checkpoint->format, error);
    files->checkpoint->format = "safetensors";
    return add_safetensors(files, index, error);
}

/* ---- shards ---- */

/* Every tensor must be where the index says, and the index must name every tensor. */
static tfm_status check_map(const tfm_weight_files *files, const json_t *map, const char *index, tfm_error *error) {
    const tfm_checkpoint *checkpoint = files->checkpoint;
    const char *name;
    json_t *shard;
    json_object_foreach((json_t *)(uintptr_t)map, name, shard) {
        const tfm_checkpoint_tensor *tensor = tfm_checkpoint_find(checkpoint, name);
        const tfm_weight_file *file = tfm_weight_files_find(files, json_string_value(shard));
        if (!tensor || !file || strcmp(checkpoint->entries[tensor->index].file, file->path) != 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s/%s: tensor '%s' is not in %s, where the index has it",
                            checkpoint->path, index, name, json_string_value(shard));
    }
    for (size_t i = 0; i < checkpoint->n_entries; i++)
        if (!json_object_get(map, checkpoint->entries[i].name))
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' is not in %s/%s", checkpoint->entries[i].file,
                            checkpoint->entries[i].name, checkpoint->path, index);
    return TFM_OK;
}

/* A shard is a file of the same folder, whatever the index would like. */
static tfm_status add_shard(tfm_weight_files *files, const char *index, const char *tensor, const json_t *value,
                            const char *suffix, tfm_error *error) {
    const char *shard = json_string_value(value);
    if (!shard || !tfm_path_ends_with(shard, suffix) || strchr(shard, '/') || shard[0] == '.')
        return tfm_fail(error, TFM_ERROR_FORMAT,
                        "%s/%s: refused: tensor '%s' is said to be in '%s'; a shard must be a %s file of the same "
                        "folder",
                        files->checkpoint->path, index, tensor, shard ? shard : "(not a string)", suffix);
    if (tfm_weight_files_find(files, shard)) return TFM_OK;
    return add_file(files, shard, strcmp(suffix, ".safetensors") == 0, error);
}

static tfm_status open_shards(tfm_weight_files *files, const char *index, const char *suffix, tfm_error *error) {
    tfm_checkpoint *checkpoint = files->checkpoint;
    json_t *object, *shard;
    const char *name;
    tfm_status status = tfm_json_load(tfm_path_in(checkpoint->path, index).text, TFM_JSON_OBJECT, &object, error);
    json_t *map = json_object_get(object, "weight_map");
    if (status == TFM_OK && !json_is_object(map))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s/%s: has no weight_map", checkpoint->path, index);
    if (status == TFM_OK) {
        json_object_foreach(map, name, shard) {
            status = add_shard(files, index, name, shard, suffix, error);
            if (status != TFM_OK) break;
        }
    }
    if (status == TFM_OK) status = tfm_checkpoint_index(checkpoint, error);
    if (status == TFM_OK) status = check_map(files, map, index, error);
    json_decref(object);
    return status;
}

/* ---- opening ---- */

static tfm_status open_container(tfm_weight_files *files, container which, tfm_error *error) {
    const char *name = container_files[which];
    tfm_status status;
    switch (which) {
    case SAFETENSORS_INDEX:
        status = open_shards(files, name, ".safetensors", error);
        files->checkpoint->format = "safetensors (sharded)";
        break;
    case PYTORCH_INDEX:
        status = open_shards(files, name, ".bin", error);
        files->checkpoint->format = "pytorch (sharded)";
        break;
    default: status = add_file(files, name, which == SAFETENSORS, error);
    }
    return status == TFM_OK ? tfm_weight_files_find_ties(files, error) : status;
}

bool tfm_hf_folder_has_weights(const char *folder) {
    for (int i = 0; i < CONTAINERS; i++)
        if (tfm_path_has(folder, container_files[i])) return true;
    return false;
}

/* Why a file of no known format is none, where that can be seen: it is a pipe, or a pointer of Git LFS. */
static tfm_status look_at(const char *path, tfm_error *error) {
    int fd;
    tfm_status status = tfm_open_regular(path, "a checkpoint", &fd, NULL, error);
    if (status == TFM_OK) close(fd);
    return status;
}

/* The user named the file of a container: the folder it is in becomes the checkpoint's path. */
static tfm_status choose_named(tfm_checkpoint *checkpoint, container *which, tfm_error *error) {
    const char *slash = strrchr(checkpoint->path, '/'), *name = slash ? slash + 1 : checkpoint->path;
    for (int i = 0; i < CONTAINERS; i++)
        if (strcmp(name, container_files[i]) == 0) *which = (container)i;
    if (*which == CONTAINERS) return tfm_no_checkpoint_file(checkpoint->path, error);
    char *folder = strdup(tfm_path_folder(checkpoint->path).text);
    if (!folder) return tfm_no_memory(error, "%s", checkpoint->path);
    free(checkpoint->path);
    checkpoint->path = folder;
    return TFM_OK;
}

/* The best container of the folder; a note says that there is another. */
static tfm_status choose(tfm_checkpoint *checkpoint, container *which, tfm_error *error) {
    const char *folder = checkpoint->path;
    for (int i = 0; i < CONTAINERS; i++) {
        if (!tfm_path_has(folder, container_files[i])) continue;
        if (*which == CONTAINERS) {
            *which = (container)i;
        } else {
            if (asprintf(&checkpoint->note, "%s is used, %s is not read", container_files[*which], container_files[i]) <
                0)
                checkpoint->note = NULL;
            return TFM_OK;
        }
    }
    if (*which != CONTAINERS) return TFM_OK;
    if (tfm_path_has(folder, "model.bin")) { /* not CTranslate2's, or this would not be asked */
        tfm_status status = look_at(tfm_path_in(folder, "model.bin").text, error);
        if (status != TFM_OK) return status;
    }
    return tfm_no_weights(folder, error);
}

/*
 * sentence-transformers before its version 1 has the model in a folder of its own, which modules.json names first:
 * that folder becomes the checkpoint's path.
 */
static tfm_status enter_module(tfm_checkpoint *checkpoint, tfm_error *error) {
    json_t *modules;
    if (tfm_hf_folder_has_weights(checkpoint->path)) return TFM_OK;
    const tfm_path file = tfm_path_in(checkpoint->path, "modules.json");
    tfm_status status = tfm_json_load(file.text, TFM_JSON_OPTIONAL, &modules, error);
    const char *name = json_string_value(json_object_get(json_array_get(modules, 0), "path"));
    if (status == TFM_OK && name && name[0]) {
        char *inner = tfm_path_is_inside(name) ? strdup(tfm_path_in(checkpoint->path, name).text) : NULL;
        if (!tfm_path_is_inside(name))
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: path %.200s leaves the folder", file.text, name);
        else if (!inner)
            status = tfm_no_memory(error, "%s", checkpoint->path);
        else
            checkpoint->home = checkpoint->path, checkpoint->path = inner;
    }
    json_decref(modules);
    return status;
}

static tfm_status open_folder(tfm_checkpoint *checkpoint, const char *path, tfm_error *error) {
    struct stat st;
    container which = CONTAINERS;
    tfm_weight_files *files;
    tfm_status status = tfm_weight_files_begin(&files, checkpoint, error);
    if (status != TFM_OK) return status;
    if (stat(path, &st) != 0) return tfm_no_path(path, errno, error);
    status = S_ISDIR(st.st_mode) ? enter_module(checkpoint, error) : look_at(path, error);
    if (status == TFM_OK)
        status = S_ISDIR(st.st_mode) ? choose(checkpoint, &which, error) : choose_named(checkpoint, &which, error);
    if (status == TFM_OK)
        status = tfm_json_load(tfm_path_in(checkpoint->path, "config.json").text, TFM_JSON_OBJECT, &checkpoint->config,
                               error);
    if (status == TFM_OK)
        status = tfm_json_load(tfm_path_in(checkpoint->path, "generation_config.json").text,
                               TFM_JSON_OPTIONAL | TFM_JSON_OBJECT, &checkpoint->generation_config, error);
    if (status == TFM_OK && !(checkpoint->asked = json_object())) status = tfm_no_memory(error, "%s", path);
    return status == TFM_OK ? open_container(files, which, error) : status;
}

static bool is_folder_path(const char *path, bool is_folder) { return (void)path, is_folder; }

const tfm_checkpoint_format tfm_hf_folder_format = {
    .name = "folder",
    .what = "folder of Hugging Face transformers",
    .matches = is_folder_path,
    .open = open_folder,
};
