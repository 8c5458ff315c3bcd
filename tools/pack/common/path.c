/* path.c - see path.h. */
#include "path.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

tfm_path tfm_path_of(const char *path) {
    tfm_path copy;
    snprintf(copy.text, sizeof copy.text, "%s", path);
    return copy;
}

tfm_path tfm_path_in(const char *folder, const char *name) {
    tfm_path path;
    int n = snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    if (n < 0) path.text[0] = '\0';
    return path;
}

tfm_path tfm_path_folder(const char *path) {
    tfm_path folder;
    const char *slash = strrchr(path, '/');
    const int n = !slash ? 1 : slash == path ? 1 : slash - path < PATH_MAX ? (int)(slash - path) : PATH_MAX;
    snprintf(folder.text, sizeof folder.text, "%.*s", n, slash ? path : ".");
    return folder;
}

bool tfm_path_is_file(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0) return !S_ISDIR(st.st_mode);
    return lstat(path, &st) == 0;
}

bool tfm_path_has(const char *folder, const char *name) { return tfm_path_is_file(tfm_path_in(folder, name).text); }

bool tfm_path_is_inside(const char *path) { return path[0] != '/' && !strstr(path, ".."); }

bool tfm_path_ends_with(const char *name, const char *end) {
    const size_t n = strlen(name), n_end = strlen(end);
    return n > n_end && strcmp(name + n - n_end, end) == 0;
}

size_t tfm_path_search(const char *folder, const char *begin, const char *end, tfm_path *found) {
    size_t n = 0;
    DIR *entries = opendir(folder);
    if (!entries) return 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (strncmp(entry->d_name, begin, strlen(begin)) != 0 || !tfm_path_ends_with(entry->d_name, end)) continue;
        *found = tfm_path_in(folder, entry->d_name);
        n++;
    }
    closedir(entries);
    return n;
}
