/* model_reader_internal.h - an open model file from inside: model_reader.c makes it, verify.c looks at its bytes. */
#ifndef TFM_FORMAT_MODEL_READER_INTERNAL_H
#define TFM_FORMAT_MODEL_READER_INTERNAL_H

#include <stdatomic.h>

#include "hash.h"
#include "model_file.h"

typedef struct tfm_open_section {
    tfm_section section;
    tfm_table *table; /* NULL for an extension */
} tfm_open_section;

struct tfm_file {
    int fd;
    char *path;
    const unsigned char *base; /* of the mapping; NULL before it is made */
    uint64_t length;
    uint64_t header_hash;
    uint64_t directory_offset;
    tfm_map_guard guard;
    tfm_hash_function *hash;

    tfm_open_section *sections;
    size_t n_sections;
    tfm_tensor *tensors; /* in file order */
    size_t n_tensors;
    const tfm_tensor **by_name;      /* the tensors sorted by name */
    _Atomic unsigned char *verified; /* 1: the tensor's hash was found right */
};

/* tfm_file_open_with on a descriptor, which is the reader's from now on, also on failure. path: for messages. */
tfm_status tfm_file_open_fd(tfm_file **file, int fd, const char *path, const tfm_map_guard *guard, tfm_error *error);

/*
 * Whether a hash found in the file is the right one. The fuzz target compiles the reader with
 * TFM_FUZZ_IGNORE_HASHES, because no fuzzer guesses a hash and the structure behind it is what it should reach.
 */
static inline bool tfm_hash_matches(uint64_t stored, uint64_t computed) {
#ifdef TFM_FUZZ_IGNORE_HASHES
    (void)stored, (void)computed;
    return true;
#else
    return stored == computed;
#endif
}

/* One fstat: TFM_ERROR_CHANGED if the file no longer has the length it was opened with. */
tfm_status tfm_file_check_size(const tfm_file *file, tfm_error *error);
/* A damaged file may also be one that shrank meanwhile: CHANGED if so, else CORRUPT with what is damaged. */
tfm_status tfm_file_damaged(const tfm_file *file, tfm_error *error, const char *kind, const char *name);

#endif
