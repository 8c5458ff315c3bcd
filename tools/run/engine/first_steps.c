/* first_steps.c - see first_steps.h. */
#include "first_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/tfm.h"
#include "tools/common/nearest_file.h"

/* ---- a MODEL that is none ---- */

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcasecmp(name + n - m, end) == 0;
}

static bool exists_in(const char *folder, const char *name) {
    tfm_text path = {0};
    bool there = tfm_text_print(&path, "%s/%s", folder, name) && access(path.data, F_OK) == 0;
    tfm_text_free(&path);
    return there;
}

/* Whether the file begins as texts do: there are bytes, and none of them is 0. */
static bool looks_like_text(const char *path) {
    char bytes[4096];
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) fclose(file);
    return n > 0 && !memchr(bytes, 0, n);
}

static void advise_on_folder(const char *folder) {
    if (exists_in(folder, "config.json"))
        tfm_note("pack it first: tfmpack %s model.bin; then tfmrun model.bin", folder);
    else
        tfm_note(
            "if it is a checkpoint, pack it first: tfmpack %s model.bin; if model files are in it, give one of them",
            folder);
}

/* A part of a checkpoint is packed with its folder; a file that is a checkpoint by itself is packed as it is. */
static void advise_on_file(const char *path) {
    const char *slash = strrchr(path, '/');
    tfm_text folder = {0};
    bool ok = slash ? tfm_text_append(&folder, path, (size_t)(slash - path) + 1) : tfm_text_append(&folder, ".", 1);
    if (ends_with(path, ".gguf") || ends_with(path, ".npz"))
        tfm_note("pack it first: tfmpack %s model.bin; then tfmrun model.bin", path);
    else if (ok && exists_in(folder.data, "config.json") && !ends_with(path, ".txt"))
        tfm_note("it lies in a checkpoint, which is packed whole: tfmpack %s model.bin; then tfmrun model.bin",
                 folder.data);
    else if (looks_like_text(path))
        tfm_note(
            "the model comes first: tfmrun MODEL < %s takes its lines, tfmrun MODEL --prompt-file %s all of it as one "
            "input",
            path, path);
    tfm_text_free(&folder);
}

/* A path that is not there: misspelt, or no path at all. */
static void advise_on_nothing(const char *path, size_t n_arguments) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    tfm_text folder = {0}, near = {0};
    bool ok = slash ? tfm_text_append(&folder, path, (size_t)(name - path)) : tfm_text_append(&folder, "./", 2);
    ok = ok && tfm_nearest_file(folder.data, name, &near);
    if (ok && near.size)
        tfm_note("there is %.*s%s", slash ? (int)folder.size : 0, folder.data, near.data);
    else if (ok && slash && access(folder.data, F_OK) != 0)
        tfm_note("there is no folder %s", folder.data);
    else if (ok && (strchr(path, ' ') || (n_arguments > 1 && !strpbrk(path, "./"))))
        tfm_note("the model comes first, and a text of several words stands in quotes: tfmrun MODEL \"TEXT\"");
    tfm_text_free(&folder);
    tfm_text_free(&near);
}

void tfm_first_steps(char *const *arguments, size_t n) {
    struct stat facts;
    if (stat(arguments[0], &facts) == 0) {
        if (S_ISDIR(facts.st_mode))
            advise_on_folder(arguments[0]);
        else if (S_ISREG(facts.st_mode) && facts.st_size)
            advise_on_file(arguments[0]);
        return;
    }
    for (size_t i = 1; i < n; i++)
        if (stat(arguments[i], &facts) == 0) {
            tfm_note("the model comes first: tfmrun %s TEXT", arguments[i]);
            return;
        }
    advise_on_nothing(arguments[0], n);
}

/* ---- texts ---- */

void tfm_first_texts(const tfm_settings *settings, char *const *texts, size_t n) {
    tfm_text all = {0};
    bool ok = n > 1 && isatty(STDERR_FILENO) && !settings->quiet && !settings->json_in;
    for (size_t i = 0; i < n && ok; i++)
        ok = texts[i][0] && !strpbrk(texts[i], " \t\n") && tfm_text_print(&all, "%s%s", i ? " " : "", texts[i]);
    if (ok) tfm_note("these are %zu inputs; quotes make one of them: tfmrun MODEL \"%.200s\"", n, all.data);
    tfm_text_free(&all);
}
