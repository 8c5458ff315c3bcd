/* scratch.c - see scratch.h. */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void need(int good, const char *what, const char *path) {
    if (good) return;
    fprintf(stderr, "scratch: %s: %s\n", what, path);
    abort();
}

char *scratch_make(void) {
    const char *parent = getenv("TMPDIR");
    char *folder;
    need(asprintf(&folder, "%s/tfm-test-XXXXXX", parent && *parent ? parent : "/tmp") > 0, "memory", "");
    need(mkdtemp(folder) != NULL, "cannot be made", folder);
    return folder;
}

void scratch_remove(char **folder) {
    DIR *dir = opendir(*folder);
    need(dir != NULL, "cannot be opened", *folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && unlinkat(dirfd(dir), name, 0) != 0)
            need(unlinkat(dirfd(dir), name, AT_REMOVEDIR) == 0, "cannot be emptied", *folder);
    }
    closedir(dir);
    need(rmdir(*folder) == 0, "cannot be removed", *folder);
    free(*folder);
    *folder = NULL;
}
