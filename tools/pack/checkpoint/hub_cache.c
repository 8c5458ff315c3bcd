/* hub_cache.c - see hub_cache.h. */
#include "hub_cache.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/tfm.h"
#include "tools/pack/common/source_file.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define FOLDER_START "models--"

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- names ---- */

bool tfm_hub_is_name(const char *text) {
    const size_t organisation = strspn(text, NAME_CHARACTERS);
    if (organisation == 0 || text[organisation] != '/' || text[0] == '.') return false;
    const char *name = text + organisation + 1;
    const size_t n = strspn(name, NAME_CHARACTERS);
    return n > 0 && name[n] == '\0' && name[0] != '.' && organisation + n < 150;
}

/* "org/name" of ".../models--org--name", or "name" of ".../models--name"; "" of another. */
static void name_of_folder(const char *folder, char *name, size_t size) {
    const char *slash = strrchr(folder, '/'), *text = slash ? slash + 1 : folder;
    name[0] = '\0';
    if (strncmp(text, FOLDER_START, strlen(FOLDER_START)) != 0) return;
    text += strlen(FOLDER_START);
    const char *between = strstr(text, "--");
    if (strlen(text) != strspn(text, NAME_CHARACTERS)) return;
    if (between)
        snprintf(name, size, "%.*s/%s", (int)(between - text), text, between + 2);
    else
        snprintf(name, size, "%s", text);
}

/* Of a snapshot: .../models--org--name/snapshots/COMMIT, wherever links to it lie. */
static void name_of_snapshot(const char *path, char *name, size_t size) {
    char *real = realpath(path, NULL);
    char *slash = real ? strrchr(real, '/') : NULL;
    name[0] = '\0';
    if (slash && is_folder(path)) {
        *slash = '\0';
        slash = strrchr(real, '/');
        if (slash && strcmp(slash, "/snapshots") == 0) {
            *slash = '\0';
            name_of_folder(real, name, size);
        }
    }
    free(real);
}

/* ---- snapshots ---- */

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* The only snapshot, or an error that lists them. */
static tfm_status choose_snapshot(const char *folder, tfm_path *path, tfm_error *error) {
    enum { LISTED = 5 };
    const tfm_path snapshots = tfm_path_in(folder, "snapshots");
    char names[LISTED][80], list[LISTED * 82] = "";
    size_t n = 0;
    DIR *entries = opendir(snapshots.text);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.' || !is_folder(tfm_path_in(snapshots.text, entry->d_name).text)) continue;
        if (n == 0) *path = tfm_path_in(snapshots.text, entry->d_name);
        if (n < LISTED) snprintf(names[n], sizeof names[n], "%.79s", entry->d_name);
        n++;
    }
    if (entries) closedir(entries);
    if (n == 1) return TFM_OK;
    if (n == 0)
        return tfm_fail(error, TFM_ERROR_IO,
                        "%s: a cache of the Hugging Face hub without a snapshot: download the model again", folder);
    const size_t n_listed = n < LISTED ? n : LISTED;
    qsort(names, n_listed, sizeof *names, by_name);
    for (size_t i = 0, used = 0; i < n_listed; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    return tfm_fail(error, TFM_ERROR_IO,
                    "%s: has %zu snapshots, and no refs/main that names one; give one of %s/: %s%s", folder, n,
                    snapshots.text, list, n > LISTED ? ", ..." : "");
}

/* The snapshot of models--ORG--NAME that is meant. */
static tfm_status enter_cache(const char *folder, tfm_path *path, tfm_error *error) {
    const tfm_path reference = tfm_path_in(folder, "refs/main");
    tfm_text commit = {0};
    if (!tfm_path_is_file(reference.text)) return choose_snapshot(folder, path, error);
    tfm_status status = tfm_read_source(reference.text, 1000, &commit, error);
    if (status == TFM_OK) {
        commit.data[strcspn(commit.data, "\r\n")] = '\0';
        const size_t n = strlen(commit.data);
        if (n == 0 || n > 100 || commit.data[0] == '.' || strspn(commit.data, NAME_CHARACTERS) != n)
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: does not name a snapshot", reference.text);
        else
            *path = tfm_path_in(tfm_path_in(folder, "snapshots").text, commit.data);
    }
    if (status == TFM_OK && !is_folder(path->text))
        status = tfm_fail(error, TFM_ERROR_IO, "%s: is not there, though %s names it: download the model again",
                          path->text, reference.text);
    tfm_text_free(&commit);
    return status;
}

/* ---- the cache ---- */

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* Where huggingface_hub looks. */
static tfm_path cache_folder(void) {
    const char *cache = variable("HF_HUB_CACHE"), *home = variable("HF_HOME"), *base = variable("XDG_CACHE_HOME");
    if (!cache) cache = variable("HUGGINGFACE_HUB_CACHE");
    if (cache) return tfm_path_of(cache);
    if (home) return tfm_path_in(home, "hub");
    if (base) return tfm_path_in(base, "huggingface/hub");
    return tfm_path_in(variable("HOME") ? variable("HOME") : "/", ".cache/huggingface/hub");
}

static tfm_status find_by_name(const char *name, tfm_hub_source *found, tfm_error *error) {
    const tfm_path cache = cache_folder();
    char folder[200];
    const char *slash = strchr(name, '/');
    snprintf(folder, sizeof folder, FOLDER_START "%.*s--%s", (int)(slash - name), name, slash + 1);
    const tfm_path path = tfm_path_in(cache.text, folder);
    if (!is_folder(path.text) && is_folder(tfm_path_folder(name).text)) return TFM_OK; /* a path that is misspelt */
    if (!is_folder(path.text))
        return tfm_fail(
            error, TFM_ERROR_IO,
            "%s: there is no such file or folder, and no such model in %s, where the tools of the Hugging Face "
            "hub keep them; if it is a model of the hub, download it first: hf download %s",
            name, cache.text, name);
    snprintf(found->name, sizeof found->name, "%s", name);
    return enter_cache(path.text, &found->path, error);
}

tfm_status tfm_hub_find(const char *source, tfm_hub_source *found, tfm_error *error) {
    struct stat info;
    *found = (tfm_hub_source){.path = tfm_path_of(source)};
    if (lstat(source, &info) != 0)
        return errno == ENOENT && tfm_hub_is_name(source) ? find_by_name(source, found, error) : TFM_OK;
    if (!is_folder(tfm_path_in(source, "snapshots").text) || tfm_path_has(source, "config.json")) {
        name_of_snapshot(source, found->name, sizeof found->name);
        return TFM_OK;
    }
    char *real = realpath(source, NULL);
    if (!real) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", source, strerror(errno));
    name_of_folder(real, found->name, sizeof found->name);
    free(real);
    size_t n = strlen(source);
    while (n > 1 && source[n - 1] == '/') n--;
    tfm_path folder = tfm_path_of(source);
    if (n < sizeof folder.text) folder.text[n] = '\0';
    return enter_cache(folder.text, &found->path, error);
}
