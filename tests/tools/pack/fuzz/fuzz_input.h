/*
 * fuzz_input.h - an input as a file, and what the fuzz targets do with a checkpoint that is accepted.
 */
#ifndef TFM_TESTS_TOOLS_PACK_FUZZ_FUZZ_INPUT_H
#define TFM_TESTS_TOOLS_PACK_FUZZ_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "tools/pack/checkpoint/checkpoint.h"

/* Aborts unless it is true. */
void tfm_fuzz_require(int truth);

/* A file in memory, for parsers of one file. */
typedef struct tfm_fuzz_file {
    int fd;
    char path[64];
} tfm_fuzz_file;
tfm_fuzz_file tfm_fuzz_file_make(const uint8_t *data, size_t n);
void tfm_fuzz_file_close(tfm_fuzz_file *file);

/* The path of a name in a folder that is removed, with the files of up to 8 names, when the program ends. */
const char *tfm_fuzz_path(const char *name);
/* The folder itself. */
const char *tfm_fuzz_folder(void);
/* Writes a file of it anew, and gives its path. */
const char *tfm_fuzz_write(const char *name, const void *data, size_t n);

/* Removes it, if it is there. */
void tfm_fuzz_remove(const char *name);

/* Opens a checkpoint and reads the first and the last row of its tensors. Whether it was accepted. */
int tfm_fuzz_open(const char *path);

#endif
