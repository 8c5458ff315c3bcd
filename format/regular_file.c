/* regular_file.c - see regular_file.h. */
#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pointers of Git LFS have some 130 bytes; their specification allows less than this. */
#define POINTER_BYTES 1024

static const char pointer_start[] = "version https://git-lfs.github.com/spec/";

static const char *kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFIFO: return "a pipe";
    case S_IFSOCK: return "a socket";
    case S_IFCHR:
    case S_IFBLK: return "a device";
    default: return "something else";
    }
}

static tfm_status check_kind(const char *path, const char *expected, mode_t mode, tfm_error *error) {
    if (S_ISREG(mode)) return TFM_OK;
    if (S_ISDIR(mode)) return tfm_fail(error, TFM_ERROR_IO, "%s: is a folder, not %s", path, expected);
    return tfm_fail(error, TFM_ERROR_IO, "%s: is %s, not a regular file; write its content to a file and name that",
                    path, kind_of(mode));
}

static bool is_pointer(int fd, uint64_t size) {
    char start[sizeof pointer_start - 1];
    return size >= sizeof start && size < POINTER_BYTES && pread(fd, start, sizeof start, 0) == sizeof start &&
           memcmp(start, pointer_start, sizeof start) == 0;
}

/* What was opened is looked at again: the name may have been given to something else meanwhile. */
static tfm_status check_opened(int fd, const char *path, const char *expected, uint64_t *size, tfm_error *error) {
    struct stat info;
    if (fstat(fd, &info) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: %s", path, strerror(errno));
    tfm_status status = check_kind(path, expected, info.st_mode, error);
    if (status != TFM_OK) return status;
    if (is_pointer(fd, (uint64_t)info.st_size))
        return tfm_fail(error, TFM_ERROR_FORMAT,
                        "%s: is a Git LFS pointer, not the file itself: get that with 'git lfs pull', or download it",
                        path);
    if (size) *size = (uint64_t)info.st_size;
    return TFM_OK;
}

tfm_status tfm_open_regular(const char *path, const char *expected, int *fd, uint64_t *size, tfm_error *error) {
    struct stat info;
    *fd = -1;
    if (stat(path, &info) != 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    tfm_status status = check_kind(path, expected, info.st_mode, error);
    if (status != TFM_OK) return status;
    /* O_NONBLOCK: should it have become a pipe, opening it does not wait for who writes. */
    const int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    status = check_opened(opened, path, expected, size, error);
    if (status == TFM_OK)
        *fd = opened;
    else
        close(opened);
    return status;
}
