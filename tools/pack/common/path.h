/*
 * path.h - names of files beside each other, and looking for them.
 */
#ifndef TFM_TOOLS_PACK_COMMON_PATH_H
#define TFM_TOOLS_PACK_COMMON_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A path. One that is too long for the system is cut, but stays too long for it: to open it fails. */
typedef struct tfm_path {
    char text[PATH_MAX + 1];
} tfm_path;

tfm_path tfm_path_of(const char *path);
/* folder/name */
tfm_path tfm_path_in(const char *folder, const char *name);
/* The folder a file is in: "a" of "a/b", "." of "b", "/" of "/b". */
tfm_path tfm_path_folder(const char *path);

/*
 * Whether something is there that is no folder. It need not be possible to read it: a link to nothing, as a download
 * that was broken off leaves it, or a pipe is named by who then opens it, and not passed over as if it were not there.
 */
bool tfm_path_is_file(const char *path);
bool tfm_path_has(const char *folder, const char *name);

/* Whether a path from a stranger's file stays inside the folder it is looked for in: not from the root, no "..". */
bool tfm_path_is_inside(const char *path);

/* Whether a name has this end, and something before it. */
bool tfm_path_ends_with(const char *name, const char *end);

/* How many entries of a folder begin and end so; *found is one of them. 0 also for a folder that cannot be read. */
size_t tfm_path_search(const char *folder, const char *begin, const char *end, tfm_path *found);

#endif
