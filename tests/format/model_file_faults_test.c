/*
 * model_file_faults_test.c - memory and system calls that fail: every one in turn, and each time a clean status and no
 * leak.
 *
 * The linker leads the calls named in meson.build here (--wrap).
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model_files.h"

/* Allocations until one fails; negative: none does. */
static long until_failure = -1;

static bool allocation_fails(void) {
    if (until_failure < 0) return false;
    if (until_failure > 0) {
        until_failure--;
        return false;
    }
    errno = ENOMEM;
    return true; /* and all that follow */
}

/* Blocks allocated and not freed through the functions below. */
static long n_live;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void __real_free(void *block);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void __wrap_free(void *block);

static void *count(void *block) {
    n_live += block != NULL;
    return block;
}

void *__wrap_malloc(size_t n) { return allocation_fails() ? NULL : count(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t size) { return allocation_fails() ? NULL : count(__real_calloc(n, size)); }
void *__wrap_realloc(void *old, size_t n) {
    if (allocation_fails()) return NULL;
    void *block = __real_realloc(old, n);
    return old ? block : count(block);
}
void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    return allocation_fails() ? NULL : count(__real_aligned_alloc(alignment, n));
}
char *__wrap_strdup(const char *text) { return allocation_fails() ? NULL : count(__real_strdup(text)); }
char *__wrap_strndup(const char *text, size_t n) { return allocation_fails() ? NULL : count(__real_strndup(text, n)); }
void __wrap_free(void *block) {
    n_live -= block != NULL;
    __real_free(block);
}

/* ---- system calls ---- */

static struct {
    int pread_errno, pwrite_errno, mmap_errno, fsync_errno, linkat_errno, renameat_errno;
    bool no_unnamed_files, trickle; /* trickle: reads and writes come byte by byte, with interruptions */
    int n_fsync, fsync_fails_at;
    unsigned n_calls;
} fault;

ssize_t __real_pread64(int fd, void *data, size_t n, off_t offset);
ssize_t __real_pwrite64(int fd, const void *data, size_t n, off_t offset);
void *__real_mmap64(void *address, size_t n, int protection, int flags, int fd, off_t offset);
int __real_fsync(int fd);
int __real_linkat(int from, const char *old, int to, const char *name, int flags);
int __real_renameat(int from, const char *old, int to, const char *name);
int __real_openat64(int directory, const char *name, int flags, ...);
ssize_t __wrap_pread64(int fd, void *data, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t n, off_t offset);
void *__wrap_mmap64(void *address, size_t n, int protection, int flags, int fd, off_t offset);
int __wrap_fsync(int fd);
int __wrap_linkat(int from, const char *old, int to, const char *name, int flags);
int __wrap_renameat(int from, const char *old, int to, const char *name);
int __wrap_openat64(int directory, const char *name, int flags, ...);

static bool fails(int with) {
    if (with == 0) return false;
    errno = with;
    return true;
}

static bool interrupted(void) { return fault.trickle && fails(fault.n_calls++ % 3 == 0 ? EINTR : 0); }

ssize_t __wrap_pread64(int fd, void *data, size_t n, off_t offset) {
    if (fails(fault.pread_errno) || interrupted()) return -1;
    return __real_pread64(fd, data, fault.trickle && n > 0 ? 1 : n, offset);
}
ssize_t __wrap_pwrite64(int fd, const void *data, size_t n, off_t offset) {
    if (fails(fault.pwrite_errno) || interrupted()) return -1;
    return __real_pwrite64(fd, data, fault.trickle && n > 0 ? 1 : n, offset);
}
void *__wrap_mmap64(void *address, size_t n, int protection, int flags, int fd, off_t offset) {
    return fails(fault.mmap_errno) ? MAP_FAILED : __real_mmap64(address, n, protection, flags, fd, offset);
}
int __wrap_fsync(int fd) {
    if (++fault.n_fsync == fault.fsync_fails_at && fails(fault.fsync_errno)) return -1;
    return __real_fsync(fd);
}
int __wrap_linkat(int from, const char *old, int to, const char *name, int flags) {
    return fails(fault.linkat_errno) ? -1 : __real_linkat(from, old, to, name, flags);
}
int __wrap_renameat(int from, const char *old, int to, const char *name) {
    return fails(fault.renameat_errno) ? -1 : __real_renameat(from, old, to, name);
}
int __wrap_openat64(int directory, const char *name, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    if (fault.no_unnamed_files && (flags & O_TMPFILE) == O_TMPFILE && fails(EOPNOTSUPP)) return -1;
    return __real_openat64(directory, name, flags, mode);
}

/* ---- memory ---- */

Test(faults, every_allocation_of_opening, .timeout = 120) {
    image im = sample_image();
    int fd = image_fd(&im);
    long k = 0;
    for (tfm_status status = TFM_ERROR_MEMORY; status != TFM_OK; k++) {
        tfm_file *file;
        tfm_error error = {0};
        int copy = dup(fd);
        long n_before = n_live;
        until_failure = k;
        status = tfm_file_open_fd(&file, copy, "image.bin", NULL, &error);
        if (status == TFM_OK) status = tfm_file_verify(file, NULL, NULL, NULL, &error);
        until_failure = -1;
        cr_assert(status == TFM_OK || status == TFM_ERROR_MEMORY, "allocation %ld: %s", k, error.message);
        if (status != TFM_OK) {
            cr_assert(!file && strstr(error.message, "memory"));
            cr_assert_eq(fcntl(copy, F_GETFD), -1); /* the descriptor was the reader's */
        }
        tfm_file_close(&file);
        cr_assert_eq(n_live, n_before, "allocation %ld: %ld blocks leaked", k, n_live - n_before);
    }
    cr_assert_gt(k, 6);
    close(fd);
    image_free(&im);
}

/* One writing of everything; false as soon as something fails. */
static tfm_status write_everything(const char *path, tfm_error *error) {
    static const float rows[20 * 20] = {1.5f};
    tfm_writer *writer = NULL;
    tfm_table_builder *table = tfm_table_builder_new();
    for (int i = 0; i < 40; i++) {
        char key[10];
        snprintf(key, sizeof key, "k%d", i);
        tfm_table_set_u64(table, key, 1);
    }
    tfm_table_set_string(table, "text", "text");
    tfm_table_set_strings(table, "texts", (const char *const[]){"a", "b"}, 2);
    tfm_table_set_array(table, "array", TFM_VALUE_U8S, "ab", 2);
    tfm_table_set_f64(table, "f", 1.0);
    tfm_status status = tfm_writer_create(&writer, path, error);
    if (status == TFM_OK) status = tfm_writer_section(writer, "architecture", table, error);
    for (int i = 0; i < 70 && status == TFM_OK; i++) { /* more than the first room for records */
        char name[10];
        snprintf(name, sizeof name, "t%d", i);
        status = tfm_writer_vector(writer, name, rows, 3, error);
    }
    if (status == TFM_OK) status = tfm_writer_matrix(writer, "m", TFM_F16, TFM_LAYOUT_PANELS, rows, 20, 20, error);
    if (status == TFM_OK) status = tfm_writer_commit(&writer, error);
    tfm_writer_abort(&writer);
    tfm_table_builder_free(&table);
    return status;
}

Test(faults, every_allocation_of_writing, .timeout = 120) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    long k = 0;
    for (tfm_status status = TFM_ERROR_MEMORY; status != TFM_OK; k++) {
        tfm_error error = {0};
        long n_before = n_live;
        until_failure = k;
        status = write_everything(path, &error);
        until_failure = -1;
        cr_assert(status == TFM_OK || (status == TFM_ERROR_MEMORY && strstr(error.message, "memory")),
                  "allocation %ld: %d %s", k, (int)status, error.message);
        cr_assert_eq(n_live, n_before, "allocation %ld: %ld blocks leaked", k, n_live - n_before);
        cr_assert_eq(scratch_count(folder), status == TFM_OK);
    }
    cr_assert_gt(k, 120);
    free(path);
    scratch_remove(&folder);
}

/* ---- the system ---- */

static tfm_status open_path(const char *path, tfm_error *error) {
    tfm_file *file;
    tfm_status status = tfm_file_open(&file, path, error);
    tfm_file_close(&file);
    return status;
}

#define EXPECT(call, expected, part)                                                                                   \
    do {                                                                                                               \
        tfm_error expect_error = {0};                                                                                  \
        tfm_error *error = &expect_error;                                                                              \
        long n_before = n_live;                                                                                        \
        tfm_status expect_status = (call);                                                                             \
        cr_expect_eq(n_live, n_before, "%s: %ld blocks leaked", #call, n_live - n_before);                             \
        memset(&fault, 0, sizeof(fault));                                                                              \
        cr_expect_eq(expect_status, expected, "%s: %d %s", #call, (int)expect_status, error->message);                 \
        cr_expect(strstr(error->message, part), "%s: '%s' should contain '%s'", #call, error->message, part);          \
    } while (0)

Test(faults, reading) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    REQUIRE_OK(write_everything(path, error));
    fault.pread_errno = EIO;
    EXPECT(open_path(path, error), TFM_ERROR_IO, "cannot be read");
    fault.mmap_errno = ENOMEM;
    EXPECT(open_path(path, error), TFM_ERROR_MEMORY, "cannot be mapped");
    fault.mmap_errno = ENODEV;
    EXPECT(open_path(path, error), TFM_ERROR_IO, "cannot be mapped");
    fault.trickle = true;
    EXPECT(open_path(path, error), TFM_OK, "");
    free(path);
    scratch_remove(&folder);
}

/* Each failure leaves the old file and nothing else, with O_TMPFILE and without. */
Test(faults, writing) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    REQUIRE_OK(write_everything(path, error));
    image good = image_read(path);
    image old = {.data = (unsigned char *)"old", .n = 3};
    image_write(&old, path);
    for (int variant = 0; variant < 2; variant++) {
        bool named = variant == 1;
        fault.no_unnamed_files = named;
        fault.pwrite_errno = ENOSPC;
        EXPECT(write_everything(path, error), TFM_ERROR_IO, "No space left");
        fault.no_unnamed_files = named;
        fault.fsync_errno = EIO;
        fault.fsync_fails_at = 1;
        EXPECT(write_everything(path, error), TFM_ERROR_IO, "cannot be written to disk");
        fault.no_unnamed_files = named;
        fault.renameat_errno = EACCES;
        EXPECT(write_everything(path, error), TFM_ERROR_IO, "cannot be given its name");
        if (!named) {
            fault.linkat_errno = EACCES;
            EXPECT(write_everything(path, error), TFM_ERROR_IO, "cannot be given its name");
        }
        image still = image_read(path);
        cr_assert(still.n == 3 && memcmp(still.data, "old", 3) == 0);
        image_free(&still);
        cr_assert_eq(scratch_count(folder), 1);
    }
    for (int variant = 0; variant < 2; variant++) {
        fault.no_unnamed_files = variant == 1;
        fault.trickle = true;
        EXPECT(write_everything(path, error), TFM_OK, "");
        image made = image_read(path);
        cr_assert(made.n == good.n && memcmp(made.data, good.data, good.n) == 0);
        image_free(&made);
        cr_assert_eq(scratch_count(folder), 1);
    }
    /* A folder that cannot be synced: the file is there, and the caller is told. */
    fault.fsync_errno = EIO;
    fault.fsync_fails_at = 2;
    EXPECT(write_everything(path, error), TFM_ERROR_IO, "its folder cannot be synced");
    fault.fsync_errno = EINVAL; /* file systems that cannot do it */
    fault.fsync_fails_at = 2;
    EXPECT(write_everything(path, error), TFM_OK, "");
    image_free(&good);
    free(path);
    scratch_remove(&folder);
}

/* Without O_TMPFILE an aborted run removes its temporary file. */
Test(faults, abort_without_unnamed_files) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    fault.no_unnamed_files = true;
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    cr_assert_eq(scratch_count(folder), 1);
    cr_assert_neq(access(path, F_OK), 0);
    add_sample_tensors(writer);
    tfm_writer_abort(&writer);
    cr_assert_eq(scratch_count(folder), 0);
    free(path);
    scratch_remove(&folder);
}

/* The file loses its end after its length was seen, before its directory is read. */
static int shrinking;

static void shrink(void *user, const void *base, uint64_t length) {
    (void)user, (void)base;
    cr_assert_eq(ftruncate(shrinking, (off_t)length - 192), 0);
}

Test(faults, shrinks_after_it_was_mapped) {
    image im = sample_image();
    shrinking = image_fd(&im);
    const tfm_map_guard guard = {.mapped = shrink};
    tfm_file *file;
    tfm_error error = {0};
    /* Only the directory is cut off, which is in memory by then: nothing faults, but the file is not what it was. */
    cr_assert_eq(tfm_file_open_fd(&file, dup(shrinking), "image.bin", &guard, &error), TFM_ERROR_CHANGED);
    cr_assert(strstr(error.message, "changed while in use"), "%s", error.message);
    close(shrinking);
    image_free(&im);
}

/* Under load Criterion 2.4.1 itself loses a block of 48 bytes now and then; the leak sanitizer asks for this name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libcriterion"; }
