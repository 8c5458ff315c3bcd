/* model_reader.c - opening a model file: header, directory and sections are checked before a pointer into it is formed.
 */
#include "model_reader_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "names.h"
#include "regular_file.h"

#define ULL(x) ((unsigned long long)(x))

tfm_status tfm_file_check_size(const tfm_file *file, tfm_error *error) {
    struct stat info;
    if (fstat(file->fd, &info) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: %s", file->path, strerror(errno));
    if ((uint64_t)info.st_size != file->length)
        return tfm_fail(error, TFM_ERROR_CHANGED,
                        "%s: the file was changed while in use: it had %llu bytes and has %llu now; open it again",
                        file->path, ULL(file->length), ULL(info.st_size));
    return TFM_OK;
}

tfm_status tfm_file_damaged(const tfm_file *file, tfm_error *error, const char *kind, const char *name) {
    tfm_status status = tfm_file_check_size(file, error);
    if (status != TFM_OK) return status;
    return tfm_fail(error, TFM_ERROR_CORRUPT, "%s: %s '%s' is damaged (its hash does not match); get the file again",
                    file->path, kind, name);
}

/* Reads exactly n bytes at offset. */
static tfm_status read_at(const tfm_file *file, void *data, size_t n, uint64_t offset, tfm_error *error) {
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(file->fd, (char *)data + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be read: %s", file->path, strerror(errno));
        if (got == 0) return tfm_fail(error, TFM_ERROR_CHANGED, "%s: the file shrank while it was read", file->path);
        done += (size_t)got;
    }
    return TFM_OK;
}

/* Length of the regular file behind the descriptor. */
static tfm_status find_length(tfm_file *file, tfm_error *error) {
    struct stat info;
    if (fstat(file->fd, &info) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: %s", file->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return tfm_fail(error, TFM_ERROR_IO, "%s: is not a regular file and cannot be mapped", file->path);
    file->length = (uint64_t)info.st_size;
    if (file->length < sizeof(tfm_disk_header))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: has %llu bytes and is too short for a model file", file->path,
                        ULL(file->length));
    return TFM_OK;
}

static tfm_status check_identity(const tfm_file *file, const tfm_disk_header *header, tfm_error *error) {
    if (memcmp(header->magic, TFM_DISK_MAGIC, sizeof header->magic) != 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: is not a model file; tfmpack makes one of a checkpoint",
                        file->path);
    if (header->byte_order == __builtin_bswap32(TFM_DISK_BYTE_ORDER))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: is written in big-endian order, which no tfm writes",
                        file->path);
    if (!tfm_hash_matches(header->header_hash, file->hash(header, offsetof(tfm_disk_header, header_hash))) ||
        header->byte_order != TFM_DISK_BYTE_ORDER)
        return tfm_fail(error, TFM_ERROR_CORRUPT, "%s: the header is damaged; get the file again", file->path);
    if (header->version > TFM_DISK_VERSION)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: was made by a newer tfm (format version %u; this one reads up to %u); update tfm",
                        file->path, header->version, TFM_DISK_VERSION);
    if (header->version == 0 || !tfm_all_zero(header->reserved, sizeof header->reserved))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the header has a version or reserved bytes that cannot be",
                        file->path);
    return TFM_OK;
}

static tfm_status check_extent_of_file(const tfm_file *file, const tfm_disk_header *header, tfm_error *error) {
    if (file->length < header->file_length)
        return tfm_fail(error, TFM_ERROR_CORRUPT, "%s: is cut short: %llu of its %llu bytes are there; get it again",
                        file->path, ULL(file->length), ULL(header->file_length));
    if (file->length > header->file_length)
        return tfm_fail(error, TFM_ERROR_CORRUPT, "%s: %llu foreign bytes follow the end of the model; get it again",
                        file->path, ULL(file->length - header->file_length));
    if (file->length > TFM_DISK_MAX_LENGTH || file->length > SIZE_MAX)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: %llu bytes are more than this system can map", file->path,
                        ULL(file->length));
    if (header->n_sections > TFM_DISK_MAX_SECTIONS || header->n_tensors > TFM_DISK_MAX_TENSORS)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: %u sections and %u tensors are more than a model file may have",
                        file->path, header->n_sections, header->n_tensors);
    uint64_t n_records = (uint64_t)header->n_sections + header->n_tensors;
    if (header->directory_length != n_records * sizeof(tfm_disk_record) || header->directory_offset < sizeof *header ||
        header->directory_offset % TFM_DISK_ALIGN != 0 || header->directory_offset > file->length ||
        file->length - header->directory_offset != header->directory_length)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the directory does not lie where it should", file->path);
    return TFM_OK;
}

static bool record_name_valid(const char *name) {
    size_t n = strnlen(name, TFM_NAME_MAX + 1);
    return n >= 1 && n <= TFM_NAME_MAX && tfm_name_chars(name, n) && tfm_all_zero(name + n, TFM_NAME_MAX + 1 - n);
}

static tfm_status check_section_record(const tfm_file *file, const tfm_disk_record *record, tfm_error *error) {
    if (record->dtype != 0 || record->layout != 0 || record->rank != 0 ||
        !tfm_all_zero(record->shape, sizeof record->shape))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section '%s' is described like a tensor", file->path,
                        record->name);
    if (!tfm_section_known(record->name) && !tfm_section_extension(record->name))
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: has a section '%s' that this tfm does not know; update tfm",
                        file->path, record->name);
    if (record->length == 0 || record->length > TFM_DISK_MAX_SECTION)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section '%s' has an impossible length of %llu bytes", file->path,
                        record->name, ULL(record->length));
    return TFM_OK;
}

static tfm_status check_tensor_record(const tfm_file *file, const tfm_disk_record *record, tfm_error *error) {
    if (record->dtype >= TFM_DTYPE_COUNT || record->layout >= TFM_LAYOUT_COUNT)
        return tfm_fail(
            error, TFM_ERROR_UNSUPPORTED,
            "%s: tensor '%s' has an element type (%u) or layout (%u) that this tfm does not know; update tfm",
            file->path, record->name, record->dtype, record->layout);
    uint64_t bytes;
    if (!tfm_tensor_bytes((tfm_dtype)record->dtype, (tfm_layout)record->layout, record->rank, record->shape, &bytes))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' has an impossible shape or layout for type %s",
                        file->path, record->name, tfm_dtype_name((tfm_dtype)record->dtype));
    for (uint32_t i = record->rank; i < TFM_RANK_MAX; i++)
        if (record->shape[i] != 1)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' has more dimensions than its rank", file->path,
                            record->name);
    if (record->length != bytes)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: tensor '%s' has %llu bytes where its shape needs %llu",
                        file->path, record->name, ULL(record->length), ULL(bytes));
    return TFM_OK;
}

/* Checks record i, which must begin behind *end, and moves *end behind it. */
static tfm_status check_record(const tfm_file *file, const tfm_disk_record *record, size_t i, uint64_t *end,
                               tfm_error *error) {
    if (!record_name_valid(record->name))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: record %zu of the directory has no valid name", file->path, i);
    if (record->kind != TFM_DISK_SECTION && record->kind != TFM_DISK_TENSOR)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: '%s' is of a kind (%u) this tfm does not know; update tfm",
                        file->path, record->name, record->kind);
    if (record->aux != 0 || !tfm_all_zero(record->reserved, sizeof record->reserved))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the record of '%s' has reserved bytes that are not zero",
                        file->path, record->name);
    tfm_status status = record->kind == TFM_DISK_SECTION ? check_section_record(file, record, error)
                                                         : check_tensor_record(file, record, error);
    if (status != TFM_OK) return status;
    uint64_t begin = tfm_disk_begin(*end, record->kind, record->length);
    if (record->offset != begin || begin > file->directory_offset || record->length > file->directory_offset - begin)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: '%s' does not lie where it should", file->path, record->name);
    *end = begin + record->length;
    return TFM_OK;
}

static void take_record(tfm_file *file, const tfm_disk_record *record) {
    if (record->kind == TFM_DISK_SECTION) {
        tfm_section *section = &file->sections[file->n_sections++].section;
        memcpy(section->name, record->name, sizeof section->name);
        section->offset = record->offset;
        section->length = record->length;
        section->hash = record->hash;
        return;
    }
    tfm_tensor *tensor = &file->tensors[file->n_tensors++];
    memcpy(tensor->name, record->name, sizeof tensor->name);
    tensor->dtype = (tfm_dtype)record->dtype;
    tensor->layout = (tfm_layout)record->layout;
    tensor->rank = record->rank;
    memcpy(tensor->shape, record->shape, sizeof tensor->shape);
    tensor->offset = record->offset;
    tensor->length = record->length;
    tensor->hash = record->hash;
}

static tfm_status take_records(tfm_file *file, const tfm_disk_header *header, const tfm_disk_record *records,
                               tfm_error *error) {
    size_t n = (size_t)header->n_sections + header->n_tensors;
    uint64_t end = sizeof *header;
    for (size_t i = 0; i < n; i++) {
        tfm_status status = check_record(file, &records[i], i, &end, error);
        if (status != TFM_OK) return status;
        if (records[i].kind == TFM_DISK_SECTION ? file->n_sections == header->n_sections
                                                : file->n_tensors == header->n_tensors)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the header's counts are not those of the directory",
                            file->path);
        take_record(file, &records[i]);
    }
    if (tfm_disk_align(end, TFM_DISK_ALIGN) != header->directory_offset)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the directory does not follow the last extent", file->path);
    return TFM_OK;
}

static int compare_tensor_names(const void *a, const void *b) {
    return strcmp((*(const tfm_tensor *const *)a)->name, (*(const tfm_tensor *const *)b)->name);
}

static tfm_status check_unique(tfm_file *file, tfm_error *error) {
    for (size_t i = 0; i < file->n_sections; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(file->sections[i].section.name, file->sections[j].section.name) == 0)
                return tfm_fail(error, TFM_ERROR_FORMAT, "%s: there are two sections '%s'", file->path,
                                file->sections[i].section.name);
    for (size_t i = 0; i < file->n_tensors; i++) file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->n_tensors, sizeof *file->by_name, compare_tensor_names);
    for (size_t i = 1; i < file->n_tensors; i++)
        if (strcmp(file->by_name[i - 1]->name, file->by_name[i]->name) == 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: there are two tensors '%s'", file->path,
                            file->by_name[i]->name);
    return TFM_OK;
}

/* An array of n elements, zeroed, also for n = 0. */
static void *zeroed(size_t n, size_t size) { return calloc(n ? n : 1, size); }

static tfm_status read_directory(tfm_file *file, const tfm_disk_header *header, tfm_error *error) {
    file->header_hash = header->header_hash;
    file->directory_offset = header->directory_offset;
    file->sections = zeroed(header->n_sections, sizeof *file->sections);
    file->tensors = zeroed(header->n_tensors, sizeof *file->tensors);
    file->by_name = zeroed(header->n_tensors, sizeof *file->by_name);
    file->verified = zeroed(header->n_tensors, sizeof *file->verified);
    tfm_disk_record *records = zeroed(header->directory_length, 1);
    tfm_status status;
    if (!file->sections || !file->tensors || !file->by_name || !file->verified || !records)
        status = tfm_no_memory(error, "%s: directory of %u tensors", file->path, header->n_tensors);
    else
        status = read_at(file, records, header->directory_length, header->directory_offset, error);
    if (status == TFM_OK &&
        !tfm_hash_matches(header->directory_hash, tfm_hash_extent(file->hash, records, header->directory_length)))
        status = tfm_fail(error, TFM_ERROR_CORRUPT, "%s: the directory is damaged; get the file again", file->path);
    if (status == TFM_OK) status = take_records(file, header, records, error);
    free(records);
    return status == TFM_OK ? check_unique(file, error) : status;
}

static tfm_status map(tfm_file *file, tfm_error *error) {
    void *base = mmap(NULL, file->length, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (base == MAP_FAILED)
        return tfm_fail(error, errno == ENOMEM ? TFM_ERROR_MEMORY : TFM_ERROR_IO, "%s: cannot be mapped: %s",
                        file->path, strerror(errno));
    file->base = base;
    if (file->guard.mapped) file->guard.mapped(file->guard.user, base, file->length);
    for (size_t i = 0; i < file->n_sections; i++)
        file->sections[i].section.data = file->base + file->sections[i].section.offset;
    for (size_t i = 0; i < file->n_tensors; i++) file->tensors[i].data = file->base + file->tensors[i].offset;
    return TFM_OK;
}

static tfm_status open_section(tfm_file *file, tfm_open_section *open, tfm_error *error) {
    const tfm_section *section = &open->section;
    if (!tfm_hash_matches(section->hash, tfm_hash_extent(file->hash, section->data, section->length)))
        return tfm_file_damaged(file, error, "section", section->name);
    if (tfm_section_extension(section->name)) return TFM_OK;
    char what[300];
    snprintf(what, sizeof what, "%.200s: section '%s'", file->path, section->name);
    return tfm_table_open(&open->table, section->data, section->length, what, error);
}

static tfm_status read_file(tfm_file *file, tfm_error *error) {
    tfm_disk_header header;
    tfm_status status = find_length(file, error);
    if (status == TFM_OK) status = read_at(file, &header, sizeof header, 0, error);
    if (status == TFM_OK) status = check_identity(file, &header, error);
    if (status == TFM_OK) status = check_extent_of_file(file, &header, error);
    if (status == TFM_OK) status = read_directory(file, &header, error);
    if (status == TFM_OK) status = map(file, error);
    if (status != TFM_OK) return status;
    for (size_t i = 0; status == TFM_OK && i < file->n_sections; i++)
        status = open_section(file, &file->sections[i], error);
    /* Pages that vanished meanwhile look like zeros under a guard: then nothing found in them counts. */
    tfm_error changed;
    if (tfm_file_check_size(file, &changed) != TFM_OK) return tfm_fail(error, changed.status, "%s", changed.message);
    return status;
}

tfm_status tfm_file_open_fd(tfm_file **file, int fd, const char *path, const tfm_map_guard *guard, tfm_error *error) {
    tfm_file *made = calloc(1, sizeof *made);
    char *copy = strdup(path);
    *file = NULL;
    if (!made || !copy) {
        free(made);
        free(copy);
        close(fd);
        return tfm_no_memory(error, "%s", path);
    }
    made->fd = fd;
    made->path = copy;
    made->hash = tfm_hash_select();
    if (guard) made->guard = *guard;
    tfm_status status = read_file(made, error);
    if (status != TFM_OK) tfm_file_close(&made);
    *file = made;
    return status;
}

tfm_status tfm_file_open_with(tfm_file **file, const char *path, const tfm_map_guard *guard, tfm_error *error) {
    *file = NULL;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s: model files can be used on little-endian machines only",
                        path);
    int fd;
    tfm_status status = tfm_open_regular(path, "a model file; tfmpack makes one of a checkpoint", &fd, NULL, error);
    return status == TFM_OK ? tfm_file_open_fd(file, fd, path, guard, error) : status;
}

tfm_status tfm_file_open(tfm_file **file, const char *path, tfm_error *error) {
    return tfm_file_open_with(file, path, NULL, error);
}

void tfm_file_close(tfm_file **file) {
    if (!file || !*file) return;
    tfm_file *f = *file;
    for (size_t i = 0; i < f->n_sections; i++) tfm_table_close(&f->sections[i].table);
    if (f->base) {
        if (f->guard.unmapping) f->guard.unmapping(f->guard.user, f->base, f->length);
        munmap((void *)(uintptr_t)f->base, f->length);
    }
    close(f->fd);
    free(f->sections);
    free(f->tensors);
    free(f->by_name);
    free(f->verified);
    free(f->path);
    free(f);
    *file = NULL;
}

const char *tfm_file_path(const tfm_file *file) { return file->path; }

uint64_t tfm_file_length(const tfm_file *file) { return file->length; }

uint64_t tfm_file_hash(const tfm_file *file) { return file->header_hash; }

size_t tfm_file_tensor_count(const tfm_file *file) { return file->n_tensors; }

const tfm_tensor *tfm_file_tensor_at(const tfm_file *file, size_t i) {
    return i < file->n_tensors ? &file->tensors[i] : NULL;
}

static int compare_to_tensor(const void *name, const void *tensor) {
    return strcmp(name, (*(const tfm_tensor *const *)tensor)->name);
}

const tfm_tensor *tfm_file_tensor(const tfm_file *file, const char *name) {
    const tfm_tensor **found = bsearch(name, file->by_name, file->n_tensors, sizeof *file->by_name, compare_to_tensor);
    return found ? *found : NULL;
}

size_t tfm_file_section_count(const tfm_file *file) { return file->n_sections; }

const tfm_section *tfm_file_section_at(const tfm_file *file, size_t i) {
    return i < file->n_sections ? &file->sections[i].section : NULL;
}

const tfm_table *tfm_file_table(const tfm_file *file, const char *name) {
    for (size_t i = 0; i < file->n_sections; i++)
        if (strcmp(file->sections[i].section.name, name) == 0) return file->sections[i].table;
    return NULL;
}
