/* model_writer_test.c - writing model files: nothing half-done ever bears the target's name; the same input gives the
 * same bytes. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model_files.h"
#include "tests/support/require.h"
#include "tests/support/write_tensors.h"

/* What a test writes to: a folder of its own and the target in it. */
static char *folder, *path;

static void begin(void) {
    folder = scratch_make();
    path = scratch_path(folder, "model.bin");
}

static void end(void) {
    free(path);
    scratch_remove(&folder);
}

TestSuite(writer, .init = begin, .fini = end);

static tfm_writer *create(void) {
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    return writer;
}

static void write_sample(void) {
    tfm_writer *writer = create();
    add_sample_sections(writer);
    add_sample_tensors(writer);
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    cr_assert_null(writer);
}

#define EXPECT(call, expected, part)                                                                                   \
    do {                                                                                                               \
        tfm_error expect_error = {0};                                                                                  \
        tfm_error *error = &expect_error;                                                                              \
        cr_expect_eq((call), expected, "%s: %s", #call, error->message);                                               \
        cr_expect(strstr(error->message, part), "%s: '%s' should contain '%s'", #call, error->message, part);          \
    } while (0)

Test(writer, same_input_same_bytes) {
    write_sample();
    image first = image_read(path);
    write_sample(); /* over the first */
    image second = image_read(path);
    cr_assert_eq(first.n, second.n);
    cr_assert_arr_eq(first.data, second.data, first.n);
    image_free(&first);
    image_free(&second);
    cr_assert_eq(scratch_count(folder), 1);
}

/* However the bytes are cut into pieces, and sections come before, between or after tensors. */
Test(writer, pieces_do_not_matter) {
    const size_t n = (2 << 20) + 12;
    unsigned char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 31 >> 3);
    image made[2];
    for (int variant = 0; variant < 2; variant++) {
        tfm_writer *writer = create();
        if (variant == 0) add_sample_sections(writer);
        REQUIRE_OK(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 1, (const uint64_t[]){n / 4}, error));
        size_t step = variant == 0 ? n : 4093;
        for (size_t at = 0; at < n; at += step) {
            REQUIRE_OK(tfm_writer_write(writer, bytes + at, n - at < step ? n - at : step, error));
            if (variant == 1 && at == 4093 * 100) add_sample_sections(writer);
        }
        REQUIRE_OK(tfm_writer_commit(&writer, error));
        made[variant] = image_read(path);
    }
    cr_assert_eq(made[0].n, made[1].n);
    cr_assert_arr_eq(made[0].data, made[1].data, made[0].n);
    REQUIRE_OK(image_check(&made[0], true, error));
    image_free(&made[0]);
    image_free(&made[1]);
    free(bytes);
}

Test(writer, nothing_is_there_before_commit) {
    tfm_writer *writer = create();
    add_sample_tensors(writer);
    cr_assert_neq(access(path, F_OK), 0);
    tfm_writer_abort(&writer);
    cr_assert_null(writer);
    tfm_writer_abort(&writer);
    cr_assert_eq(scratch_count(folder), 0);
}

Test(writer, an_old_file_stays_until_commit) {
    image old = {.data = (unsigned char *)"old", .n = 3};
    image_write(&old, path);
    tfm_writer *writer = create();
    add_sample_tensors(writer);
    tfm_writer_abort(&writer);
    image still = image_read(path);
    cr_assert(still.n == 3 && memcmp(still.data, "old", 3) == 0);
    image_free(&still);
    cr_assert_eq(scratch_count(folder), 1);

    /* Whoever has the old file open keeps it. */
    FILE *reader = fopen(path, "rbe");
    write_sample();
    char kept[4] = {0};
    cr_assert_eq(fread(kept, 1, 4, reader), 3);
    cr_assert_str_eq(kept, "old");
    fclose(reader);
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, path, error));
    tfm_file_close(&file);
    cr_assert_eq(scratch_count(folder), 1);
}

/* Killed in the middle: nothing of it is found in the folder. */
Test(writer, killed) {
    pid_t child = fork();
    if (child == 0) {
        tfm_writer *writer;
        if (tfm_writer_create(&writer, path, NULL) != TFM_OK) _exit(1);
        add_sample_sections(writer);
        add_sample_tensors(writer);
        raise(SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_eq(scratch_count(folder), 0, "where O_TMPFILE is missing a .tmp file stays; this file system has none");
}

/* No room: a limit on the size of files stands for a full disk. */
Test(writer, disk_full) {
    signal(SIGXFSZ, SIG_IGN);
    image old = {.data = (unsigned char *)"old", .n = 3};
    image_write(&old, path);
    struct rlimit before, limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    image whole = sample_image();
    for (rlim_t n = 0; n < whole.n; n += 256) {
        limit = before;
        limit.rlim_cur = n;
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        tfm_writer *writer;
        tfm_error error = {0};
        tfm_status status = tfm_writer_create(&writer, path, &error);
        static const float values[2000] = {1.0f};
        if (status == TFM_OK) status = write_vector(writer, "v", values, 2000, &error);
        if (status == TFM_OK) status = write_matrix(writer, "m", TFM_F32, TFM_LAYOUT_ROWS, values, 40, 50, &error);
        if (status == TFM_OK && writer) status = tfm_writer_commit(&writer, &error);
        tfm_writer_abort(&writer);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (n < 16384) {
            cr_assert_eq(status, TFM_ERROR_IO, "limit %lu: %s", (unsigned long)n, error.message);
            cr_assert(strstr(error.message, "cannot be written"), "%s", error.message);
            image still = image_read(path);
            cr_assert(still.n == 3 && memcmp(still.data, "old", 3) == 0);
            image_free(&still);
        }
        cr_assert_eq(scratch_count(folder), 1);
    }
    image_free(&whole);
}

Test(writer, places_that_cannot_be) {
    tfm_writer *writer;
    char *none = scratch_path(folder, "none/model.bin"), *slash = scratch_path(folder, "");
    char *under_file = scratch_path(folder, "file/model.bin"), *file = scratch_path(folder, "file");
    image_write(&(image){.data = (unsigned char *)"x", .n = 1}, file);
    EXPECT(tfm_writer_create(&writer, "", error), TFM_ERROR_ARGUMENT, "not the name of a file");
    EXPECT(tfm_writer_create(&writer, slash, error), TFM_ERROR_ARGUMENT, "not the name of a file");
    EXPECT(tfm_writer_create(&writer, folder, error), TFM_ERROR_IO, "not a regular file");
    EXPECT(tfm_writer_create(&writer, "/dev/null", error), TFM_ERROR_IO, "not a regular file");
    EXPECT(tfm_writer_create(&writer, none, error), TFM_ERROR_IO, "No such file");
    EXPECT(tfm_writer_create(&writer, under_file, error), TFM_ERROR_IO, "Not a directory");
    cr_assert_null(writer);
    free(none);
    free(slash);
    free(under_file);
    free(file);
}

static void write_empty_model(const char *name) {
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, name, error));
    REQUIRE_OK(tfm_writer_commit(&writer, error));
}

static bool is_link(const char *name) {
    struct stat info;
    return lstat(name, &info) == 0 && S_ISLNK(info.st_mode);
}

static off_t size_of(const char *name) {
    struct stat info;
    return stat(name, &info) == 0 ? info.st_size : -1;
}

/* A link stays one, whether there is something at its end or not. */
Test(writer, follows_links) {
    cr_assert_eq(chdir(folder), 0);
    cr_assert(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0);
    cr_assert(symlink("../b/second", "a/first") == 0 && symlink("third", "b/second") == 0);
    write_empty_model("a/first");
    cr_expect_eq(size_of("b/third"), 128, "what the links lead to is made");
    write_empty_model("a/first");
    cr_expect(is_link("a/first") && is_link("b/second") && !is_link("b/third"));
    cr_expect(size_of("b/third") == 128 && scratch_count("a") == 1 && scratch_count("b") == 2);
    cr_assert(unlink("a/first") == 0 && unlink("b/second") == 0 && unlink("b/third") == 0);
    tfm_writer *writer;
    cr_assert(symlink("y", "x") == 0 && symlink("x", "y") == 0);
    EXPECT(tfm_writer_create(&writer, "x", error), TFM_ERROR_IO, "Too many levels");
}

/* What /dev/stdout is: not a name but an open file. */
Test(writer, replaces_no_links_of_proc) {
    char link[60];
    tfm_writer *writer;
    cr_assert_eq(chdir(folder), 0);
    const int fd = open("file", O_CREAT | O_RDWR, 0600);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    cr_assert_eq(symlink(link, "link"), 0);
    EXPECT(tfm_writer_create(&writer, "link", error), TFM_ERROR_IO, "link: leads to what a process has open (/proc/");
    EXPECT(tfm_writer_create(&writer, link, error), TFM_ERROR_IO, "name the file itself");
    cr_expect(is_link("link") && size_of("file") == 0);
    close(fd);
}

Test(writer, becomes_impossible_while_writing) {
    tfm_writer *writer = create();
    add_sample_tensors(writer);
    cr_assert_eq(mkdir(path, 0700), 0); /* somebody puts a folder where the file should go */
    EXPECT(tfm_writer_commit(&writer, error), TFM_ERROR_IO, "cannot be given its name");
    cr_assert_null(writer);
    cr_assert_eq(scratch_count(folder), 1);
}

Test(writer, relative_paths_and_permissions) {
    cr_assert_eq(chdir(folder), 0);
    umask(027);
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, "here.bin", error));
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    struct stat info;
    cr_assert_eq(stat("here.bin", &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0640);
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, "here.bin", error));
    cr_assert_eq(tfm_file_length(file), 128);
    tfm_file_close(&file);
    cr_assert_eq(chdir("/"), 0);
}

/* ---- what the writer refuses ---- */

Test(writer, names) {
    tfm_writer *writer = create();
    const float one = 1;
    char longest[65];
    memset(longest, 'n', 63);
    longest[63] = '\0';
    REQUIRE_OK(write_vector(writer, longest, &one, 1, error));
    REQUIRE_OK(write_vector(writer, "A-Za_z/0.9:%", &one, 1, error));
    memset(longest, 'n', 64);
    longest[64] = '\0';
    EXPECT(write_vector(writer, longest, &one, 1, error), TFM_ERROR_ARGUMENT, "cannot be a name");
    EXPECT(write_vector(writer, "", &one, 1, error), TFM_ERROR_ARGUMENT, "cannot be a name");
    EXPECT(tfm_writer_tensor(writer, NULL, TFM_F32, TFM_LAYOUT_ROWS, 1, (const uint64_t[]){1}, error),
           TFM_ERROR_ARGUMENT, "cannot be a name");
    EXPECT(write_vector(writer, "with space", &one, 1, error), TFM_ERROR_ARGUMENT, "'with space'");
    EXPECT(write_vector(writer, "\xC3\xA4", &one, 1, error), TFM_ERROR_ARGUMENT, "cannot be a name");
    EXPECT(write_vector(writer, "A-Za_z/0.9:%", &one, 1, error), TFM_ERROR_ARGUMENT, "already a tensor");
    tfm_table_builder *table = tfm_table_builder_new();
    REQUIRE_OK(tfm_writer_section(writer, "metadata", table, error));
    REQUIRE_OK(tfm_writer_section(writer, "x-", table, error));
    EXPECT(tfm_writer_section(writer, "metadata", table, error), TFM_ERROR_ARGUMENT, "already a section");
    EXPECT(tfm_writer_section(writer, "metadata2", table, error), TFM_ERROR_ARGUMENT, "'metadata2'");
    EXPECT(tfm_writer_section(writer, "x- ", table, error), TFM_ERROR_ARGUMENT, "cannot be a name");
    tfm_table_set_u64(table, "bad key", 1);
    EXPECT(tfm_writer_section(writer, "origin", table, error), TFM_ERROR_ARGUMENT, "section 'origin': 'bad key'");
    EXPECT(tfm_writer_section(writer, "origin", NULL, error), TFM_ERROR_MEMORY, "memory");
    tfm_table_builder_free(&table);
    /* None of this did harm. */
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, path, error));
    cr_assert(tfm_file_tensor_count(file) == 2 && tfm_file_section_count(file) == 2);
    tfm_file_close(&file);
}

Test(writer, shapes) {
    tfm_writer *writer = create();
    const uint64_t good[] = {1, 2, 3, 4}, zero[] = {3, 0, 1}, huge[] = {UINT64_MAX, 2}, wraps[] = {(uint64_t)1 << 62};
    const char *part = "cannot be";
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 0, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 5, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 2, zero, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 2, huge, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_PANELS, 2, huge, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 1, wraps, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_PANELS, 3, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_DTYPE_COUNT, TFM_LAYOUT_ROWS, 2, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_COUNT, 2, good, error), TFM_ERROR_ARGUMENT, part);
    const uint64_t wide[] = {1, UINT64_MAX / 8}, widest[] = {1, UINT64_MAX}, too_wide[] = {1, TFM_I8_K_MAX + 1};
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_PANELS, 2, wide, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_I8, TFM_LAYOUT_PANELS, 2, too_wide, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_I4, TFM_LAYOUT_PANELS, 2, widest, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_I8, TFM_LAYOUT_ROWS, 2, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_I4, TFM_LAYOUT_ROWS, 2, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_I8, TFM_LAYOUT_PANELS, 3, good, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_I4, TFM_LAYOUT_PANELS, 2, huge, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 2, zero + 1, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 1, zero + 1, error), TFM_ERROR_ARGUMENT, part);
    EXPECT(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 2, (const uint64_t[]){1u << 31, 1u << 30}, error),
           TFM_ERROR_LIMIT, "too long");
    tfm_writer_abort(&writer);
}

Test(writer, too_few_bytes) {
    tfm_writer *writer = create();
    const uint64_t shape[] = {4};
    REQUIRE_OK(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 1, shape, error));
    REQUIRE_OK(tfm_writer_write(writer, "123456789012345", 15, error));
    EXPECT(tfm_writer_tensor(writer, "u", TFM_F32, TFM_LAYOUT_ROWS, 1, shape, error), TFM_ERROR_STATE,
           "'t' lacks 1 of its 16");
    EXPECT(tfm_writer_write(writer, "1", 1, error), TFM_ERROR_STATE, "earlier error");
    EXPECT(tfm_writer_commit(&writer, error), TFM_ERROR_STATE, "earlier error");
    cr_assert_null(writer);
    writer = create();
    REQUIRE_OK(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 1, shape, error));
    EXPECT(tfm_writer_commit(&writer, error), TFM_ERROR_STATE, "'t' lacks 16");
    cr_assert_eq(scratch_count(folder), 0);
}

Test(writer, too_many_bytes) {
    tfm_writer *writer = create();
    const uint64_t shape[] = {4};
    EXPECT(tfm_writer_write(writer, "1", 1, error), TFM_ERROR_STATE, "without a tensor");
    REQUIRE_OK(tfm_writer_tensor(writer, "t", TFM_F32, TFM_LAYOUT_ROWS, 1, shape, error));
    REQUIRE_OK(tfm_writer_write(writer, "1234567890123456", 16, error));
    REQUIRE_OK(tfm_writer_write(writer, "", 0, error));
    EXPECT(tfm_writer_write(writer, "1", 1, error), TFM_ERROR_STATE, "'t' is given more bytes");
    EXPECT(tfm_writer_commit(&writer, error), TFM_ERROR_STATE, "earlier error");
    cr_assert_eq(scratch_count(folder), 0);
}

/* An outline tells what a file would be, to the byte, and writes nothing. */
Test(writer, outline) {
    const uint64_t shape[] = {20, 8};
    uint64_t length;
    float values[32 * 8] = {0};
    size_t bytes;
    tfm_writer *outline, *writer = create();
    cr_expect_not(tfm_writer_is_outline(writer));
    EXPECT(tfm_writer_end_outline(writer, &length, error), TFM_ERROR_STATE, "is to be written, not outlined");
    REQUIRE_OK(tfm_writer_create_outline(&outline, "an outline", error));
    cr_expect(tfm_writer_is_outline(outline));
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_table_set_u64(table, "n", 7);
    tfm_writer *const both[] = {writer, outline};
    for (size_t i = 0; i < 2; i++) {
        REQUIRE_OK(tfm_writer_tensor(both[i], "t", TFM_F32, TFM_LAYOUT_PANELS, 2, shape, error));
        if (i == 0) REQUIRE_OK(tfm_writer_write(writer, values, sizeof values, error));
        REQUIRE_OK(tfm_writer_section(both[i], "metadata", table, error));
    }
    EXPECT(tfm_writer_write(outline, values, 4, error), TFM_ERROR_STATE, "an outline: bytes without a tensor");
    EXPECT(tfm_writer_tensor(outline, "t", TFM_F32, TFM_LAYOUT_PANELS, 2, shape, error), TFM_ERROR_ARGUMENT,
           "an outline: there is already a tensor 't'");
    REQUIRE_OK(tfm_writer_end_outline(outline, &length, error));
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, path, error));
    const tfm_tensor tensor = tfm_writer_tensor_at(outline, 0);
    const tfm_section section = tfm_writer_section_at(outline, 0);
    cr_expect_eq(length, tfm_file_length(file));
    cr_expect_eq(tfm_writer_tensor_count(outline), 1);
    cr_expect_eq(tfm_writer_section_count(outline), 1);
    cr_expect(strcmp(tensor.name, "t") == 0 && tensor.length == sizeof values && tensor.shape[1] == 8);
    cr_expect_eq(tensor.offset, tfm_file_tensor_at(file, 0)->offset);
    cr_expect_eq(section.hash, tfm_file_section_at(file, 0)->hash);
    cr_expect_eq(section.data, tfm_writer_section_data(outline, "metadata", &bytes));
    tfm_file_close(&file);
    tfm_table_builder_free(&table);
    EXPECT(tfm_writer_commit(&outline, error), TFM_ERROR_STATE, "is not to be written");
    cr_assert_null(outline);
    cr_assert_eq(scratch_count(folder), 1);
}
