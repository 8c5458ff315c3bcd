/*
 * files.h - folders and files of the tests, and a buffer to put files together.
 */
#ifndef TFM_TESTS_TOOLS_PACK_FILES_H
#define TFM_TESTS_TOOLS_PACK_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "require.h"

/* ---- folders and files ---- */

/* A fresh folder; its path lives until scratch_remove, which deletes it with all files in it. */
char *scratch_make(void);
void scratch_remove(char **folder);
/* folder/name in one of a few static buffers. */
const char *in(const char *folder, const char *name);
void write_file(const char *path, const void *data, size_t n);
/* Text as the file folder/name. */
void write_text_in(const char *folder, const char *name, const char *text);
void copy_file(const char *from_folder, const char *to_folder, const char *name);
/* All bytes of a file, NUL-terminated; the caller frees. */
char *read_file(const char *path, size_t *n);
/* Entries of a folder. */
size_t count_files(const char *folder);

/* xorshift; the tests print their seeds. */
uint32_t random_next(uint64_t *state);

/* ---- a buffer to put files together ---- */

typedef struct buffer {
    unsigned char *data;
    size_t n, capacity;
} buffer;
void put(buffer *b, const void *data, size_t n);
void put_text(buffer *b, const char *text);
void put_byte(buffer *b, unsigned char byte);
void put_number(buffer *b, uint64_t number, size_t bytes);
void buffer_free(buffer *b);

#endif
