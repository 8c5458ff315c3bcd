/*
 * model_writer.c - writing a model file as a stream: nothing bears the target's name before all of it is safely on
 * disk.
 *
 * The file has no name while it grows (O_TMPFILE), so that a killed run leaves nothing; where the file system cannot
 * do that it has a temporary name beside the target. Bytes pass through a buffer of one chunk, which is hashed and
 * written when full.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "disk.h"
#include "grow.h"
#include "hash.h"
#include "model_file.h"
#include "names.h"
#include "simd/panels.h"

#define ULL(x) ((unsigned long long)(x))

typedef struct pending {
    void *data; /* a built table */
    size_t n;
} pending;

struct tfm_writer {
    tfm_hash_join join; /* of the extent being written */
    tfm_output *output; /* NULL: an outline */
    char *outline_of;   /* what an outline is called in messages */
    tfm_hash_function *hash;
    uint64_t offset;       /* end of what was given to the output */
    unsigned char *buffer; /* a chunk of the extent being written */
    size_t n_buffered;
    uint64_t missing; /* bytes the tensor being written still needs */
    bool in_extent;
    tfm_status broken; /* the first failure: the writer accepts nothing more */

    tfm_disk_record *records;
    size_t n_records, capacity;
    uint32_t n_sections, n_tensors;
    void *tensor_names; /* search tree of copies of names */
    pending sections[TFM_DISK_MAX_SECTIONS];
    char section_names[TFM_DISK_MAX_SECTIONS][TFM_NAME_MAX + 1];
};

static const char *path_of(const tfm_writer *writer) {
    return writer->outline_of ? writer->outline_of : tfm_output_path(writer->output);
}

/* After a failure in the middle of an extent nothing sensible can follow. */
static tfm_status break_writer(tfm_writer *writer, tfm_status status) {
    if (writer->broken == TFM_OK) writer->broken = status;
    return status;
}

static tfm_status check_usable(const tfm_writer *writer, tfm_error *error) {
    return writer->broken == TFM_OK
               ? TFM_OK
               : tfm_fail(error, writer->broken, "%s: cannot be finished after an earlier error", path_of(writer));
}

static tfm_status make_writer(tfm_writer **writer, const char *path, tfm_error *error) {
    *writer = NULL;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: model files can be made on little-endian machines only",
                        path);
    tfm_writer *made = aligned_alloc(_Alignof(tfm_writer), sizeof *made);
    unsigned char *buffer = malloc(TFM_DISK_CHUNK);
    if (!made || !buffer) {
        free(made);
        free(buffer);
        return tfm_no_memory(error, "%s", path);
    }
    memset(made, 0, sizeof *made);
    made->buffer = buffer;
    made->hash = tfm_hash_select();
    made->offset = TFM_DISK_HEADER;
    *writer = made;
    return TFM_OK;
}

tfm_status tfm_writer_create(tfm_writer **writer, const char *path, tfm_error *error) {
    tfm_status status = make_writer(writer, path, error);
    if (status == TFM_OK) status = tfm_output_create(&(*writer)->output, path, error);
    if (status != TFM_OK) tfm_writer_abort(writer);
    return status;
}

tfm_status tfm_writer_create_outline(tfm_writer **writer, const char *what, tfm_error *error) {
    tfm_status status = make_writer(writer, what, error);
    if (status == TFM_OK && !((*writer)->outline_of = strdup(what))) status = tfm_no_memory(error, "%s", what);
    if (status != TFM_OK) tfm_writer_abort(writer);
    return status;
}

bool tfm_writer_is_outline(const tfm_writer *writer) { return writer->outline_of != NULL; }

void tfm_writer_abort(tfm_writer **writer) {
    if (!writer || !*writer) return;
    tfm_writer *w = *writer;
    tfm_output_abort(&w->output);
    tdestroy(w->tensor_names, free);
    for (uint32_t i = 0; i < w->n_sections; i++) free(w->sections[i].data);
    free(w->records);
    free(w->outline_of);
    free(w->buffer);
    free(w);
    *writer = NULL;
}

/* ---- extents ---- */

static tfm_status put(tfm_writer *writer, const void *data, size_t n, tfm_error *error) {
    tfm_status status = writer->outline_of ? TFM_OK : tfm_output_write(writer->output, data, n, writer->offset, error);
    if (status != TFM_OK) return break_writer(writer, status);
    writer->offset += n;
    return TFM_OK;
}

static tfm_status flush_chunk(tfm_writer *writer, tfm_error *error) {
    if (writer->n_buffered == 0) return TFM_OK;
    tfm_hash_join_add(&writer->join, writer->hash(writer->buffer, writer->n_buffered));
    tfm_status status = put(writer, writer->buffer, writer->n_buffered, error);
    writer->n_buffered = 0;
    return status;
}

static tfm_status append(tfm_writer *writer, const void *data, size_t n, tfm_error *error) {
    const unsigned char *bytes = data;
    while (n > 0) {
        size_t room = TFM_DISK_CHUNK - writer->n_buffered;
        size_t take = n < room ? n : room;
        memcpy(writer->buffer + writer->n_buffered, bytes, take);
        writer->n_buffered += take;
        bytes += take;
        n -= take;
        tfm_status status = writer->n_buffered == TFM_DISK_CHUNK ? flush_chunk(writer, error) : TFM_OK;
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

static tfm_status pad_to(tfm_writer *writer, uint64_t offset, tfm_error *error) {
    static const unsigned char zeros[TFM_DISK_PAGE];
    return put(writer, zeros, (size_t)(offset - writer->offset), error);
}

/* Ends the extent being written, if there is one: all its bytes must have come. */
static tfm_status end_extent(tfm_writer *writer, tfm_error *error) {
    if (!writer->in_extent) return TFM_OK;
    tfm_disk_record *record = &writer->records[writer->n_records - 1];
    if (writer->missing != 0)
        return break_writer(writer, tfm_fail(error, TFM_ERROR_STATE, "%s: tensor '%s' lacks %llu of its %llu bytes",
                                             path_of(writer), record->name, ULL(writer->missing), ULL(record->length)));
    tfm_status status = flush_chunk(writer, error);
    record->hash = tfm_hash_join_end(&writer->join);
    writer->in_extent = false;
    return status;
}

static tfm_status begin_extent(tfm_writer *writer, const tfm_disk_record *record, tfm_error *error) {
    if (!tfm_grow(&writer->records, &writer->capacity, writer->n_records, 1, sizeof *writer->records))
        return break_writer(writer, tfm_no_memory(error, "%s: directory", path_of(writer)));
    uint64_t begin = tfm_disk_begin(writer->offset, record->kind, record->length);
    if (record->length > TFM_DISK_MAX_LENGTH || begin > TFM_DISK_MAX_LENGTH - record->length)
        return break_writer(writer, tfm_fail(error, TFM_ERROR_LIMIT, "%s: would become too long with '%s'",
                                             path_of(writer), record->name));
    tfm_status status = pad_to(writer, begin, error);
    if (status != TFM_OK) return status;
    writer->records[writer->n_records] = *record;
    writer->records[writer->n_records++].offset = begin;
    tfm_hash_join_begin(&writer->join);
    writer->in_extent = true;
    writer->missing = record->length;
    return TFM_OK;
}

/* ---- names ---- */

static tfm_status check_name(const tfm_writer *writer, const char *name, tfm_error *error) {
    size_t n = name ? strnlen(name, TFM_NAME_MAX + 1) : 0;
    if (n >= 1 && n <= TFM_NAME_MAX && tfm_name_chars(name, n)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_ARGUMENT,
                    "%s: '%.100s' cannot be a name: 1 to %d of A-Z a-z 0-9 . _ - : %% / are needed", path_of(writer),
                    name ? name : "", TFM_NAME_MAX);
}

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

/* Remembers a tensor's name; refuses one that was there before. */
static tfm_status claim_tensor_name(tfm_writer *writer, const char *name, tfm_error *error) {
    if (writer->n_tensors == TFM_DISK_MAX_TENSORS)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%s: a model file has at most %u tensors", path_of(writer),
                        TFM_DISK_MAX_TENSORS);
    char *copy = strdup(name);
    char **node = copy ? tsearch(copy, &writer->tensor_names, compare_names) : NULL;
    if (node && *node == copy) return TFM_OK;
    free(copy);
    if (node) return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: there is already a tensor '%s'", path_of(writer), name);
    return tfm_no_memory(error, "%s: name '%s'", path_of(writer), name);
}

/* ---- sections ---- */

static tfm_status check_section_name(const tfm_writer *writer, const char *name, tfm_error *error) {
    tfm_status status = check_name(writer, name, error);
    if (status != TFM_OK) return status;
    if (!tfm_section_known(name) && !tfm_section_extension(name))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "%s: a section cannot be called '%s': readers know only those of docs/format.md and x-...",
                        path_of(writer), name);
    for (uint32_t i = 0; i < writer->n_sections; i++)
        if (strcmp(writer->section_names[i], name) == 0)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: there is already a section '%s'", path_of(writer), name);
    if (writer->n_sections == TFM_DISK_MAX_SECTIONS)
        return tfm_fail(error, TFM_ERROR_LIMIT, "%s: a model file has at most %u sections", path_of(writer),
                        TFM_DISK_MAX_SECTIONS);
    return TFM_OK;
}

tfm_status tfm_writer_section(tfm_writer *writer, const char *name, const tfm_table_builder *table, tfm_error *error) {
    tfm_status status = check_usable(writer, error);
    if (status == TFM_OK) status = check_section_name(writer, name, error);
    if (status != TFM_OK) return status;
    tfm_error why;
    pending *section = &writer->sections[writer->n_sections];
    status = tfm_table_build(table, &section->data, &section->n, &why);
    if (status != TFM_OK) return tfm_fail(error, status, "%s: section '%s': %s", path_of(writer), name, why.message);
    strcpy(writer->section_names[writer->n_sections++], name);
    return TFM_OK;
}

const void *tfm_writer_section_data(const tfm_writer *writer, const char *name, size_t *n) {
    for (uint32_t i = 0; i < writer->n_sections; i++)
        if (strcmp(writer->section_names[i], name) == 0) {
            *n = writer->sections[i].n;
            return writer->sections[i].data;
        }
    *n = 0;
    return NULL;
}

static tfm_status write_sections(tfm_writer *writer, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (uint32_t i = 0; i < writer->n_sections && status == TFM_OK; i++) {
        const pending *section = &writer->sections[i];
        tfm_disk_record record = {.kind = TFM_DISK_SECTION, .length = section->n};
        strcpy(record.name, writer->section_names[i]);
        status = begin_extent(writer, &record, error);
        if (status == TFM_OK) status = append(writer, section->data, section->n, error);
        writer->missing = 0;
        if (status == TFM_OK) status = end_extent(writer, error);
    }
    return status;
}

/* ---- tensors ---- */

tfm_status tfm_writer_tensor(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout, uint32_t rank,
                             const uint64_t *shape, tfm_error *error) {
    tfm_status status = check_usable(writer, error);
    if (status == TFM_OK) status = check_name(writer, name, error);
    if (status == TFM_OK) status = end_extent(writer, error);
    if (status != TFM_OK) return status;
    tfm_disk_record record = {
        .kind = TFM_DISK_TENSOR, .dtype = dtype, .layout = layout, .rank = rank, .shape = {1, 1, 1, 1}};
    if (!tfm_tensor_bytes(dtype, layout, rank, shape, &record.length))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: tensor '%s' has a shape, element type or layout that cannot be",
                        path_of(writer), name);
    status = claim_tensor_name(writer, name, error);
    if (status != TFM_OK) return status;
    strcpy(record.name, name);
    memcpy(record.shape, shape, rank * sizeof *shape);
    status = begin_extent(writer, &record, error);
    writer->n_tensors += status == TFM_OK;
    if (status == TFM_OK && writer->outline_of) {
        writer->in_extent = false;
        writer->offset += record.length;
    }
    return status;
}

tfm_status tfm_writer_write(tfm_writer *writer, const void *data, size_t n, tfm_error *error) {
    tfm_status status = check_usable(writer, error);
    if (status != TFM_OK) return status;
    if (!writer->in_extent)
        return tfm_fail(error, TFM_ERROR_STATE, "%s: bytes without a tensor they belong to", path_of(writer));
    if (n > writer->missing)
        return break_writer(writer, tfm_fail(error, TFM_ERROR_STATE, "%s: tensor '%s' is given more bytes than it has",
                                             path_of(writer), writer->records[writer->n_records - 1].name));
    writer->missing -= n;
    return append(writer, data, n, error);
}

/* ---- end ---- */

static tfm_status write_directory_and_header(tfm_writer *writer, uint64_t *length_of_file, tfm_error *error) {
    uint64_t begin = tfm_disk_align(writer->offset, TFM_DISK_ALIGN);
    size_t length = writer->n_records * sizeof *writer->records;
    tfm_disk_header header = {.byte_order = TFM_DISK_BYTE_ORDER,
                              .version = TFM_DISK_VERSION,
                              .file_length = begin + length,
                              .directory_offset = begin,
                              .directory_length = length,
                              .directory_hash = tfm_hash_extent(writer->hash, writer->records, length),
                              .n_sections = writer->n_sections,
                              .n_tensors = writer->n_tensors};
    memcpy(header.magic, TFM_DISK_MAGIC, sizeof header.magic);
    header.header_hash = writer->hash(&header, offsetof(tfm_disk_header, header_hash));
    tfm_status status = pad_to(writer, begin, error);
    if (status == TFM_OK) status = put(writer, writer->records, length, error);
    if (status == TFM_OK && !writer->outline_of)
        status = tfm_output_write(writer->output, &header, sizeof header, 0, error);
    *length_of_file = header.file_length;
    return status;
}

tfm_status tfm_writer_commit(tfm_writer **writer, tfm_error *error) {
    tfm_writer *w = *writer;
    uint64_t length;
    tfm_status status = check_usable(w, error);
    if (status == TFM_OK && w->outline_of)
        status = tfm_fail(error, TFM_ERROR_STATE, "%s: an outline is not to be written", path_of(w));
    if (status == TFM_OK) status = end_extent(w, error);
    if (status == TFM_OK) status = write_sections(w, error);
    if (status == TFM_OK) status = write_directory_and_header(w, &length, error);
    if (status == TFM_OK) status = tfm_output_commit(&w->output, error);
    tfm_writer_abort(writer);
    return status;
}

/* ---- outlines ---- */

tfm_status tfm_writer_end_outline(tfm_writer *writer, uint64_t *length, tfm_error *error) {
    tfm_status status = check_usable(writer, error);
    if (status == TFM_OK && !writer->outline_of)
        status = tfm_fail(error, TFM_ERROR_STATE, "%s: is to be written, not outlined", path_of(writer));
    if (status == TFM_OK) status = write_sections(writer, error);
    if (status == TFM_OK) status = write_directory_and_header(writer, length, error);
    return status;
}

size_t tfm_writer_tensor_count(const tfm_writer *writer) { return writer->n_tensors; }
size_t tfm_writer_section_count(const tfm_writer *writer) { return writer->n_sections; }

/* Tensors come before sections. */
tfm_tensor tfm_writer_tensor_at(const tfm_writer *writer, size_t i) {
    const tfm_disk_record *record = &writer->records[i];
    tfm_tensor tensor = {.dtype = (tfm_dtype)record->dtype,
                         .layout = (tfm_layout)record->layout,
                         .rank = record->rank,
                         .offset = record->offset,
                         .length = record->length};
    memcpy(tensor.name, record->name, sizeof tensor.name);
    memcpy(tensor.shape, record->shape, sizeof tensor.shape);
    return tensor;
}

tfm_section tfm_writer_section_at(const tfm_writer *writer, size_t i) {
    const tfm_disk_record *record = &writer->records[writer->n_tensors + i];
    tfm_section section = {
        .offset = record->offset, .length = record->length, .hash = record->hash, .data = writer->sections[i].data};
    memcpy(section.name, record->name, sizeof section.name);
    return section;
}
