/* regular_file_test.c - only regular files are opened; what else there is is refused by name, and nothing waits. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "format/regular_file.h"
#include "model_files.h"

static char *folder;

static void make_folder(void) { folder = scratch_make(); }
static void remove_folder(void) { scratch_remove(&folder); }

TestSuite(regular_file, .init = make_folder, .fini = remove_folder, .timeout = 60);

static void write_as(const char *name, const char *text) {
    char *path = scratch_path(folder, name);
    image_write(&(image){.data = (unsigned char *)(uintptr_t)text, .n = strlen(text)}, path);
    free(path);
}

static void expect_refused_path(const char *path, tfm_status status, const char *part) {
    tfm_error error = {0};
    int fd = 0;
    uint64_t size = 7;
    cr_expect_eq(tfm_open_regular(path, "a hat", &fd, &size, &error), status, "%s: %s", path, error.message);
    cr_expect_eq(fd, -1);
    cr_expect_eq(size, 7);
    cr_expect(strstr(error.message, path) == error.message, "%s", error.message);
    cr_expect(strstr(error.message, part), "'%s' should contain '%s'", error.message, part);
}

static void expect_refused_name(const char *name, tfm_status status, const char *part) {
    char *path = scratch_path(folder, name);
    expect_refused_path(path, status, part);
    free(path);
}

Test(regular_file, opens_files) {
    write_as("file", "0123456789");
    char *path = scratch_path(folder, "file"), *link = scratch_path(folder, "link"), byte;
    cr_assert_eq(symlink("file", link), 0);
    int fd;
    uint64_t size;
    cr_assert_eq(tfm_open_regular(path, "a file", &fd, &size, NULL), TFM_OK);
    cr_expect(size == 10 && pread(fd, &byte, 1, 9) == 1 && byte == '9');
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    cr_assert_eq(tfm_open_regular(link, "a file", &fd, NULL, NULL), TFM_OK);
    close(fd);
    free(path);
    free(link);
}

static void make_socket(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = scratch_path(folder, name);
    cr_assert_lt(strlen(path), sizeof address.sun_path);
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    free(path);
}

Test(regular_file, refuses_all_else) {
    char *fifo = scratch_path(folder, "fifo"), *link = scratch_path(folder, "link"),
         *loop = scratch_path(folder, "loop");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_assert_eq(symlink("fifo", link), 0);
    cr_assert_eq(symlink("loop", loop), 0);
    make_socket("s");
    expect_refused_name("fifo", TFM_ERROR_IO, "is a pipe, not a regular file");
    expect_refused_name("link", TFM_ERROR_IO, "is a pipe, not a regular file");
    expect_refused_name("loop", TFM_ERROR_IO, "cannot be opened: Too many levels");
    expect_refused_name("s", TFM_ERROR_IO, "is a socket, not a regular file");
    expect_refused_name("none", TFM_ERROR_IO, "cannot be opened: No such file");
    expect_refused_path(folder, TFM_ERROR_IO, "is a folder, not a hat");
    expect_refused_path("/dev/null", TFM_ERROR_IO, "is a device, not a regular file");
    free(fifo);
    free(link);
    free(loop);
}

/* Who waits to write into the pipe goes on waiting: it was not opened. */
Test(regular_file, looks_before_it_opens) {
    char *fifo = scratch_path(folder, "fifo");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    const int reader = open(fifo, O_RDONLY | O_NONBLOCK), writer = open(fifo, O_WRONLY | O_NONBLOCK);
    cr_assert(reader >= 0 && writer >= 0);
    cr_assert_eq(write(writer, "x", 1), 1);
    expect_refused_path(fifo, TFM_ERROR_IO, "is a pipe");
    char byte = 0;
    cr_expect(read(reader, &byte, 1) == 1 && byte == 'x');
    close(reader);
    close(writer);
    free(fifo);
}

Test(regular_file, pointers_of_git_lfs) {
    const char *const pointer = "version https://git-lfs.github.com/spec/v1\n"
                                "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
                                "size 12345\n";
    write_as("pointer", pointer);
    expect_refused_name("pointer", TFM_ERROR_FORMAT, "is a Git LFS pointer, not the file itself: get that with");
    char text[2000] = "";
    strcpy(text, pointer);
    memset(text + strlen(text), 'x', 1500); /* a text about pointers may be longer than they are */
    write_as("text", text);
    write_as("short", "version https://git-lfs");
    const char *const names[] = {"text", "short"};
    for (size_t i = 0; i < 2; i++) {
        char *path = scratch_path(folder, names[i]);
        int fd;
        cr_assert_eq(tfm_open_regular(path, "a file", &fd, NULL, NULL), TFM_OK);
        close(fd);
        free(path);
    }
}
