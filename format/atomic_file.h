/* atomic_file.h - a new file that gets its name only when all of it is on disk. */
#ifndef TFM_FORMAT_ATOMIC_FILE_H
#define TFM_FORMAT_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tfm_error.h"

typedef struct tfm_output tfm_output;

/*
 * Begins a file that is to be called path. Links are followed to their end; one of /proc, which leads to what a process
 * has open (as /dev/stdout does), is refused. What is there must be a regular file, and stays until the commit.
 */
tfm_status tfm_output_create(tfm_output **output, const char *path, tfm_error *error);
/* The path given to create; "" for NULL. */
const char *tfm_output_path(const tfm_output *output);
tfm_status tfm_output_write(tfm_output *output, const void *data, size_t n, uint64_t offset, tfm_error *error);
/* Syncs the file and gives it its name. Frees the output and sets it to NULL, also on failure. */
tfm_status tfm_output_commit(tfm_output **output, tfm_error *error);
/* Removes what was written. Accepts NULL. */
void tfm_output_abort(tfm_output **output);

#endif
