/*
 * files.h - folders and files of the tests, and a buffer to put files together.
 */
#ifndef TFM_TESTS_TOOLS_PACK_FILES_H
#define TFM_TESTS_TOOLS_PACK_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "tests/support/require.h"
#include "tests/support/scratch.h"

/* ---- folders and files ---- */

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
uint32_t random_u32(uint64_t *state);

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
