/* model_files.h - model files in memory for the tests of format/: made by the writer, tampered with, opened again. */
#ifndef TFM_TESTS_FORMAT_MODEL_FILES_H
#define TFM_TESTS_FORMAT_MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/disk.h"
#include "format/model_file.h"
#include "format/model_reader_internal.h"
#include "tests/support/scratch.h"

/* The bytes of a file. */
typedef struct image {
    unsigned char *data;
    size_t n;
} image;

/* folder/name, in memory the caller frees. */
char *scratch_path(const char *folder, const char *name);
/* Number of entries in a folder. */
size_t scratch_count(const char *folder);

/* For inner loops: Criterion reports every assertion to its parent, this only one that fails. */
#define MUST(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) cr_assert(false, __VA_ARGS__);                                                               \
    } while (0)

/* The sections and tensors all tests know: every value type, every dtype and layout, sizes around 64, 4096, 1 MiB. */
void add_sample_sections(tfm_writer *writer);
void add_sample_tensors(tfm_writer *writer);
/* The file of these: about 24 KiB. */
image sample_image(void);
/* The smallest file with both kinds of extent: the example of docs/format.md. */
image example_image(void);
/* sample_image and a tensor of 3 MiB + 7 elements. */
image large_image(void);

image image_read(const char *path);
void image_write(const image *im, const char *path);
image image_copy(const image *im);
void image_free(image *im);

tfm_disk_header *image_header(image *im);
/* Record i of the directory, by the header's directory_offset. */
tfm_disk_record *image_record(image *im, size_t i);
/* Index of the record of this name. */
size_t image_find(image *im, const char *name);

/* Makes all hashes right again, as far as what they cover lies in the image. */
void image_reseal(image *im);

/* A descriptor of an unnamed file with these bytes. */
int image_fd(const image *im);
/* Opens the bytes and, if all is set, verifies them. The file is closed again. */
tfm_status image_check(const image *im, bool all, tfm_error *error);

/* Runs tasks on four threads; for tfm_parallel.run. */
void run_on_threads(void *pool, size_t n, void (*task)(void *arg, size_t i), void *arg);

/* A small generator with a fixed seed (xorshift64*). */
typedef struct random_state {
    uint64_t s;
} random_state;
uint64_t random_next(random_state *random);

/* Whether building a table again from its values gives the very bytes it was read from. */
bool table_is_canonical(const tfm_table *table, const void *data, size_t n);

#endif
