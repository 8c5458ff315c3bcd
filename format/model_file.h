/*
 * model_file.h - model.bin: its reader and its writer. docs/format.md is the specification, disk.h has the structures.
 *
 * A file is: header (128 bytes), extents (sections and tensors, each aligned), directory. Everything little-endian.
 * A section is a table of typed values (table.h): "architecture", "generation", "tokenizer", "tokenizer.target",
 * "chat", "shortlist", "metadata", "origin". A tensor is a matrix or vector in the layout the kernels read.
 */
#ifndef TFM_FORMAT_MODEL_FILE_H
#define TFM_FORMAT_MODEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/panels.h"
#include "table.h"
#include "tfm_error.h"

#define TFM_NAME_MAX 63 /* bytes of a section's or tensor's name */
#define TFM_RANK_MAX 4

typedef enum tfm_layout {
    TFM_LAYOUT_ROWS = 0,   /* row-major; float types only */
    TFM_LAYOUT_PANELS = 1, /* rank 2, panels.h */
    TFM_LAYOUT_COUNT
} tfm_layout;

/* Bytes a tensor takes; false if the product overflows or the combination is not allowed. */
bool tfm_tensor_bytes(tfm_dtype dtype, tfm_layout layout, uint32_t rank, const uint64_t *shape, uint64_t *bytes);

/* A tensor as the reader gives it: checked against the file's length; data points into the mapping. */
typedef struct tfm_tensor {
    char name[TFM_NAME_MAX + 1];
    tfm_dtype dtype;
    tfm_layout layout;
    uint32_t rank;
    uint64_t shape[TFM_RANK_MAX]; /* logical; unused dimensions are 1 */
    uint64_t offset, length;      /* bytes */
    uint64_t hash;
    const void *data;
} tfm_tensor;

typedef struct tfm_section {
    char name[TFM_NAME_MAX + 1];
    uint64_t offset, length, hash;
    const void *data;
} tfm_section; /* in the order of the file, as are tensors */

/* ---- reader ---- */

typedef struct tfm_file tfm_file;

/*
 * Maps path read-only, checks header, directory and every section (structure, bounds, hashes). The tensors' bounds are
 * checked, their hashes not: see tfm_file_verify. Errors: TFM_ERROR_IO, _FORMAT, _CORRUPT, _UNSUPPORTED, _MEMORY.
 */
tfm_status tfm_file_open(tfm_file **file, const char *path, tfm_error *error);

/*
 * Told of the mapping before its first byte is read and before it is unmapped (also when opening fails), so that the
 * runtime can answer SIGBUS there. Either function may be NULL.
 */
typedef struct tfm_map_guard {
    void (*mapped)(void *user, const void *base, uint64_t length);
    void (*unmapping)(void *user, const void *base, uint64_t length);
    void *user;
} tfm_map_guard;

/* tfm_file_open with a guard (copied; NULL means none). If the file shrinks meanwhile: TFM_ERROR_CHANGED. */
tfm_status tfm_file_open_with(tfm_file **file, const char *path, const tfm_map_guard *guard, tfm_error *error);
void tfm_file_close(tfm_file **file);

const char *tfm_file_path(const tfm_file *file);
uint64_t tfm_file_length(const tfm_file *file);
/* The hash of the header, under which every byte of the file lies: files with the same hash are the same. */
uint64_t tfm_file_hash(const tfm_file *file);

size_t tfm_file_tensor_count(const tfm_file *file);
const tfm_tensor *tfm_file_tensor_at(const tfm_file *file, size_t i);
/* NULL if there is none of that name. */
const tfm_tensor *tfm_file_tensor(const tfm_file *file, const char *name);

size_t tfm_file_section_count(const tfm_file *file);
const tfm_section *tfm_file_section_at(const tfm_file *file, size_t i);
/* The table of a section, or NULL if there is none of that name. */
const tfm_table *tfm_file_table(const tfm_file *file, const char *name);

/*
 * Runs task(arg, i) for i = 0 .. n - 1, in any order, perhaps on several threads; returns when all are done. The reader
 * verifies through it, so that this layer needs no threads of its own. NULL means a plain loop.
 */
typedef struct tfm_parallel {
    void (*run)(void *pool, size_t n, void (*task)(void *arg, size_t i), void *arg);
    void *pool;
} tfm_parallel;

/*
 * Hashes every byte not hashed by tfm_file_open (tensors, padding) and names the first damaged part in file order,
 * whatever the threads. progress is called on this thread, about a hundred times. Errors: TFM_ERROR_CORRUPT,
 * _CANCELLED, _CHANGED.
 */
tfm_status tfm_file_verify(tfm_file *file, const tfm_parallel *parallel, tfm_progress progress, void *progress_user,
                           tfm_error *error);
/* Hashes one tensor unless it was hashed before; several threads may ask for the same one. */
tfm_status tfm_file_verify_tensor(tfm_file *file, const tfm_tensor *tensor, const tfm_parallel *parallel,
                                  tfm_error *error);

/* ---- writer ---- */

typedef struct tfm_writer tfm_writer;

/*
 * Starts path's temporary neighbour. Nothing appears at path before tfm_writer_commit; an aborted or killed run leaves
 * no file there (a killed one may leave nothing at all: O_TMPFILE where the file system has it).
 */
tfm_status tfm_writer_create(tfm_writer **writer, const char *path, tfm_error *error);
/*
 * Sections may be added at any time before commit, under the names of docs/format.md or "x-..."; they lie behind the
 * tensors. The builder stays the caller's.
 */
tfm_status tfm_writer_section(tfm_writer *writer, const char *name, const tfm_table_builder *table, tfm_error *error);
/* The bytes of a section that was added (aligned as malloc does it; valid until the writer ends), or NULL. */
const void *tfm_writer_section_data(const tfm_writer *writer, const char *name, size_t *n);
/*
 * Begins a tensor; then its bytes follow in order, in pieces of any size, exactly as many as dtype, layout and shape
 * need. The next begin or the commit ends it. Bytes are hashed as they pass.
 */
tfm_status tfm_writer_tensor(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout, uint32_t rank,
                             const uint64_t *shape, tfm_error *error);
tfm_status tfm_writer_write(tfm_writer *writer, const void *data, size_t n, tfm_error *error);
/*
 * Writes the sections, the directory and the header, syncs, gives the file its name, replacing a regular file there at
 * once. Frees the writer and sets it to NULL, also on failure.
 */
tfm_status tfm_writer_commit(tfm_writer **writer, tfm_error *error);
/* Gives up: removes what was written. Accepts NULL. */
void tfm_writer_abort(tfm_writer **writer);

/*
 * A writer that only keeps what it is told, to know what a file would be: sections, and tensors without their bytes,
 * which are not to be given. what names it in messages. It ends with tfm_writer_abort.
 */
tfm_status tfm_writer_create_outline(tfm_writer **writer, const char *what, tfm_error *error);
bool tfm_writer_is_outline(const tfm_writer *writer);
/* Nothing more is added: gives the length that the file would have. Then tensors and sections can be asked for. */
tfm_status tfm_writer_end_outline(tfm_writer *writer, uint64_t *length, tfm_error *error);
size_t tfm_writer_tensor_count(const tfm_writer *writer);
size_t tfm_writer_section_count(const tfm_writer *writer);
/* i below the count; without hash and data. */
tfm_tensor tfm_writer_tensor_at(const tfm_writer *writer, size_t i);
/* i below the count; its data is the writer's. */
tfm_section tfm_writer_section_at(const tfm_writer *writer, size_t i);

#endif
