/* checkpoint_open.c - opens a checkpoint of whatever format it is. */
#include "checkpoint_format.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hf_folder.h"

static const tfm_checkpoint_format *find_foreign(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return NULL;
    for (size_t i = 0; tfm_foreign_formats[i]; i++)
        if (tfm_foreign_formats[i]->matches(path, S_ISDIR(st.st_mode))) return tfm_foreign_formats[i];
    return NULL;
}

bool tfm_checkpoint_is_foreign(const char *path) { return find_foreign(path) != NULL; }

static tfm_status open_as(tfm_checkpoint *checkpoint, const tfm_checkpoint_format *format, const char *path,
                          tfm_error *error) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    checkpoint->path = strndup(path, n);
    checkpoint->format = format->name;
    if (!checkpoint->path) return tfm_no_memory(error, "%s", path);
    tfm_status status = format->open(checkpoint, checkpoint->path, error);
    return status == TFM_OK && !checkpoint->by_name ? tfm_checkpoint_index(checkpoint, error) : status;
}

tfm_status tfm_checkpoint_open(tfm_checkpoint **result, const char *path, tfm_error *error) {
    *result = NULL;
    tfm_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return tfm_no_memory(error, "%s", path);
    const tfm_checkpoint_format *foreign = find_foreign(path);
    tfm_status status = open_as(checkpoint, foreign ? foreign : &tfm_hf_folder_format, path, error);
    if (status != TFM_OK)
        tfm_checkpoint_close(&checkpoint);
    else
        *result = checkpoint;
    return status;
}
