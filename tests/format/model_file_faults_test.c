/*
 * model_file_faults_test.c - model files read and written while memory and system calls fail: every one in turn, and
 * each time a clean status and no leak.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_files.h"
#include "tests/support/faults.h"
#include "tests/support/require.h"
#include "tests/support/write_tensors.h"

/* ---- memory ---- */

static tfm_status open_and_verify(void *arg, tfm_error *error) {
    int copy = dup(*(const int *)arg);
    tfm_file *file;
    tfm_status status = tfm_file_open_fd(&file, copy, "image.bin", NULL, error);
    if (status != TFM_OK) {
        cr_assert(!file);
        cr_assert_eq(fcntl(copy, F_GETFD), -1); /* the descriptor was the reader's */
    }
    if (status == TFM_OK) status = tfm_file_verify(file, NULL, NULL, NULL, error);
    tfm_file_close(&file);
    return status;
}

Test(faults, every_allocation_of_opening, .timeout = 120) {
    image im = sample_image();
    int fd = image_fd(&im);
    cr_assert_gt(fail_each_allocation(open_and_verify, &fd), 6);
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
        status = write_vector(writer, name, rows, 3, error);
    }
    if (status == TFM_OK) status = write_matrix(writer, "m", TFM_F16, TFM_LAYOUT_PANELS, rows, 20, 20, error);
    if (status == TFM_OK) status = tfm_writer_commit(&writer, error);
    tfm_writer_abort(&writer);
    tfm_table_builder_free(&table);
    return status;
}

typedef struct target {
    char *folder, *path;
} target;

/* What is left behind is nothing, or the whole file. */
static tfm_status write_and_look(void *arg, tfm_error *error) {
    const target *t = arg;
    unlink(t->path);
    tfm_status status = write_everything(t->path, error);
    cr_assert_eq(scratch_count(t->folder), status == TFM_OK);
    return status;
}

Test(faults, every_allocation_of_writing, .timeout = 120) {
    target t = {.folder = scratch_make()};
    t.path = scratch_path(t.folder, "model.bin");
    cr_assert_gt(fail_each_allocation(write_and_look, &t), 120);
    free(t.path);
    scratch_remove(&t.folder);
}

/* ---- the system ---- */

static tfm_status open_path(const char *path, tfm_error *error) {
    tfm_file *file;
    tfm_status status = tfm_file_open(&file, path, error);
    tfm_file_close(&file);
    return status;
}

/* The call while the system fails so: status, a part of the message, and nothing leaked. */
#define EXPECT(faults, call, expected, part)                                                                           \
    do {                                                                                                               \
        tfm_error expect_error = {0};                                                                                  \
        tfm_error *error = &expect_error;                                                                              \
        long alive = allocations_alive();                                                                              \
        system_faults_set(faults);                                                                                     \
        tfm_status expect_status = (call);                                                                             \
        system_faults_set(no_faults);                                                                                  \
        cr_expect_eq(allocations_alive(), alive, "%s: %ld blocks leaked", #call, allocations_alive() - alive);         \
        cr_expect_eq(expect_status, expected, "%s: %d %s", #call, (int)expect_status, error->message);                 \
        cr_expect(strstr(error->message, part), "%s: '%s' should contain '%s'", #call, error->message, part);          \
    } while (0)

static const system_faults no_faults;

Test(faults, reading) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    REQUIRE_OK(write_everything(path, error));
    system_faults f = {.pread = EIO};
    EXPECT(f, open_path(path, error), TFM_ERROR_IO, "cannot be read");
    f = (system_faults){.mmap = ENOMEM};
    EXPECT(f, open_path(path, error), TFM_ERROR_MEMORY, "cannot be mapped");
    f = (system_faults){.mmap = ENODEV};
    EXPECT(f, open_path(path, error), TFM_ERROR_IO, "cannot be mapped");
    f = (system_faults){.trickle = true};
    EXPECT(f, open_path(path, error), TFM_OK, "");
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
        system_faults f = {.no_unnamed_files = named, .pwrite = ENOSPC};
        EXPECT(f, write_everything(path, error), TFM_ERROR_IO, "No space left");
        f = (system_faults){.no_unnamed_files = named, .fsync = EIO, .fsync_number = 1};
        EXPECT(f, write_everything(path, error), TFM_ERROR_IO, "cannot be written to disk");
        f = (system_faults){.no_unnamed_files = named, .renameat = EACCES};
        EXPECT(f, write_everything(path, error), TFM_ERROR_IO, "cannot be given its name");
        f = (system_faults){.linkat = EACCES};
        if (!named) EXPECT(f, write_everything(path, error), TFM_ERROR_IO, "cannot be given its name");
        image still = image_read(path);
        cr_assert(still.n == 3 && memcmp(still.data, "old", 3) == 0);
        image_free(&still);
        cr_assert_eq(scratch_count(folder), 1);
    }
    for (int variant = 0; variant < 2; variant++) {
        const system_faults f = {.no_unnamed_files = variant == 1, .trickle = true};
        EXPECT(f, write_everything(path, error), TFM_OK, "");
        image made = image_read(path);
        cr_assert(made.n == good.n && memcmp(made.data, good.data, good.n) == 0);
        image_free(&made);
        cr_assert_eq(scratch_count(folder), 1);
    }
    /* A folder that cannot be synced: the file is there, and the caller is told. */
    system_faults f = {.fsync = EIO, .fsync_number = 2};
    EXPECT(f, write_everything(path, error), TFM_ERROR_IO, "its folder cannot be synced");
    f.fsync = EINVAL; /* file systems that cannot do it */
    EXPECT(f, write_everything(path, error), TFM_OK, "");
    image_free(&good);
    free(path);
    scratch_remove(&folder);
}

/* Without O_TMPFILE an aborted run removes its temporary file. */
Test(faults, abort_without_unnamed_files) {
    char *folder = scratch_make(), *path = scratch_path(folder, "model.bin");
    system_faults_set((system_faults){.no_unnamed_files = true});
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
