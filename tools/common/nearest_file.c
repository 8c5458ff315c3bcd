/* nearest_file.c - see nearest_file.h. */
#include "nearest_file.h"

#include <dirent.h>
#include <string.h>

#include "options.h"

bool tfm_nearest_file(const char *folder, const char *name, tfm_text *out) {
    enum { NAMES = 10000 };                     /* looked at */
    size_t n = strlen(name), least = n / 3 + 1; /* about one slip in three letters */
    bool ok = true;
    DIR *dir = opendir(folder);
    if (!dir) return true;
    const struct dirent *entry;
    for (size_t i = 0; ok && i < NAMES && (entry = readdir(dir)); i++) {
        size_t d = tfm_name_distance(name, n, entry->d_name, strlen(entry->d_name));
        if (entry->d_name[0] == '.' || d >= least) continue;
        least = d;
        out->size = 0;
        ok = tfm_text_append(out, entry->d_name, strlen(entry->d_name));
    }
    closedir(dir);
    return ok;
}
