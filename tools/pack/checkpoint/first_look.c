/* first_look.c - see first_look.h. */
#include "first_look.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/common/nearest_file.h"
#include "tools/pack/common/path.h"

/* Weights of programs that are known, and not read. */
static const struct {
    const char *begin, *end, *what;
} foreign[] = {
    {"adapter_model", ".safetensors",
     "an adapter (LoRA): merge it into its base model first (merge_and_unload of peft)"},
    {"adapter_model", ".bin", "an adapter (LoRA): merge it into its base model first (merge_and_unload of peft)"},
    {"tf_model", ".h5", "weights of TensorFlow: save the model as safetensors (save_pretrained of transformers)"},
    {"flax_model", ".msgpack", "weights of Flax: save the model as safetensors (save_pretrained of transformers)"},
    {"consolidated", ".pth", "weights as Meta publishes them: convert them to a folder of transformers"},
    {"", ".onnx", "ONNX, which is not read: take the model it was exported from"},
    {"openvino", ".xml", "OpenVINO, which is not read: take the model it was exported from"},
};

typedef struct contents {
    size_t n_entries, n_inner, n_files;
    char inner[300], files[300]; /* folders with a checkpoint; files that are one */
    bool is_git;
} contents;

static void list(char *text, size_t size, size_t n, const char *folder, const char *name) {
    const size_t used = strlen(text);
    if (n < 4 && used + 2 < size) snprintf(text + used, size - used, "%s%s/%s", n ? ", " : "", folder, name);
}

static bool is_checkpoint_folder(const char *path) {
    return tfm_path_has(path, "config.json") || tfm_path_has(path, "model.safetensors") ||
           tfm_path_has(path, "pytorch_model.bin") || tfm_path_has(path, "model.bin");
}

/* By its name; tok*.bin is a tokenizer of llama2.c, and a model.bin here is none of CTranslate2's, which open as
 * folders. */
static bool is_checkpoint_file(const char *name) {
    return tfm_path_ends_with(name, ".gguf") || tfm_path_ends_with(name, ".npz") ||
           (tfm_path_ends_with(name, ".bin") && strncmp(name, "tok", 3) != 0 && strcmp(name, "model.bin") != 0);
}

static void look(const char *folder, contents *found) {
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *name = entry->d_name;
        const tfm_path path = tfm_path_in(folder, name);
        if (strcmp(name, ".git") == 0) found->is_git = true;
        if (name[0] == '.') continue;
        found->n_entries++;
        if (tfm_path_is_file(path.text) && is_checkpoint_file(name))
            list(found->files, sizeof found->files, found->n_files++, folder, name);
        else if (!tfm_path_is_file(path.text) && is_checkpoint_folder(path.text))
            list(found->inner, sizeof found->inner, found->n_inner++, folder, name);
    }
    if (entries) closedir(entries);
}

tfm_status tfm_no_weights(const char *folder, tfm_error *error) {
    contents found = {0};
    tfm_path other;
    look(folder, &found);
    if (found.n_entries == 0)
        return tfm_fail(error, TFM_ERROR_IO, "%s: is an empty folder%s", folder,
                        found.is_git ? ", but for .git: check the files out (git checkout), with git lfs installed"
                                     : ": download the checkpoint into it first, or name the folder that has it");
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (tfm_path_search(folder, foreign[i].begin, foreign[i].end, &other) > 0)
            return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: is of %s", other.text, foreign[i].what);
    if (found.n_files > 0)
        return tfm_fail(error, TFM_ERROR_IO, "%s: is no checkpoint itself; name the file: %s%s", folder, found.files,
                        found.n_files > 4 ? ", ..." : "");
    if (found.n_inner > 0)
        return tfm_fail(error, TFM_ERROR_IO,
                        "%s: has no weights itself, but checkpoints below it; give one of them: %s%s", folder,
                        found.inner, found.n_inner > 4 ? ", ..." : "");
    return tfm_fail(error, TFM_ERROR_IO,
                    "%s: has none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, "
                    "pytorch_model.bin.index.json%s",
                    folder,
                    found.is_git ? "; if the repository keeps them with git lfs, get them with 'git lfs pull'" : "");
}

tfm_status tfm_no_checkpoint_file(const char *path, tfm_error *error) {
    const tfm_path folder = tfm_path_folder(path);
    if (is_checkpoint_folder(folder.text))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: not a checkpoint folder; give the folder that has config.json and model.safetensors or "
                        "pytorch_model.bin: %s",
                        path, folder.text);
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                    "%s: not a checkpoint folder; give the folder that has config.json and model.safetensors or "
                    "pytorch_model.bin",
                    path);
}

tfm_status tfm_no_path(const char *path, int number, tfm_error *error) {
    const tfm_path folder = tfm_path_folder(path);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    tfm_text nearest = {0};
    if (number == ENOENT && tfm_nearest_file(folder.text, name, &nearest) && nearest.size)
        tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s; did you mean %s%s%s?", path, strerror(number),
                 slash ? folder.text : "", slash ? "/" : "", nearest.data);
    else
        tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(number));
    tfm_text_free(&nearest);
    return TFM_ERROR_IO;
}
