/*
 * atomic_file.c - a new file that gets its name only when all of it is on disk.
 *
 * Where the file system can, the file has no name at first (O_TMPFILE): the kernel removes it whenever the process
 * ends. linkat names it, but cannot replace a file; then it gets a temporary name for the moment before a rename.
 */
#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "model_file.h"

#define NAME_TRIES 100
#define LINKS_MAX 40 /* as many as the system itself follows */

struct tfm_output {
    int fd, directory;
    char *path;          /* as it was asked for */
    char *target;        /* where it will lie: links followed */
    const char *base;    /* last part of target */
    char temporary[256]; /* its name in the directory while it has one, else "" */
};

const char *tfm_output_path(const tfm_output *output) { return output ? output->path : ""; }

/* A fresh name beside the target's; the target's own name, shortened, is its beginning. */
static void make_temporary_name(const tfm_output *output, char *name, size_t size) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint64_t)getpid() ^ (uint64_t)(uintptr_t)output; /* a clash is found by O_EXCL all the same */
    snprintf(name, size, "%.200s.tmp%016llx", output->base, (unsigned long long)random);
}

static bool open_unnamed(tfm_output *output) {
    if (access("/proc/self/fd", X_OK) != 0) /* without it the file could not be named later */
        return false;
    output->fd = openat(output->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    return output->fd >= 0;
}

static bool open_named(tfm_output *output) {
    for (int i = 0; i < NAME_TRIES && output->fd < 0; i++) {
        make_temporary_name(output, output->temporary, sizeof output->temporary);
        output->fd = openat(output->directory, output->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        if (output->fd < 0 && errno != EEXIST) break;
    }
    if (output->fd < 0) output->temporary[0] = '\0';
    return output->fd >= 0;
}

/* ---- where it will lie ---- */

/*
 * Whether a path lies in /proc, where links are not names: they lead to what a process has open, and what lies there
 * under the name they seem to have may be something else, or nothing.
 */
static bool is_in_proc(const char *path) {
    struct statfs info;
    const int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    const bool in_proc = fd >= 0 && fstatfs(fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
    if (fd >= 0) close(fd);
    return in_proc;
}

/* What a link says, from the folder the link is in; NULL: no memory. */
static char *join_link(const char *link, const char *said) {
    const char *slash = strrchr(link, '/');
    const int n = said[0] != '/' && slash ? (int)(slash - link + 1) : 0;
    char *joined;
    return asprintf(&joined, "%.*s%s", n, link, said) < 0 ? NULL : joined;
}

/* A link stays, and what it leads to is replaced or made. */
static tfm_status follow_links(tfm_output *output, tfm_error *error) {
    char said[PATH_MAX];
    for (int i = 0; i < LINKS_MAX; i++) {
        if (is_in_proc(output->target))
            return tfm_fail(error, TFM_ERROR_IO,
                            "%s: leads to what a process has open (%s), which cannot be replaced; name the file itself",
                            output->path, output->target);
        const ssize_t n = readlink(output->target, said, sizeof said - 1);
        if (n < 0) return TFM_OK; /* no link, or nothing is there yet */
        said[n] = '\0';
        char *next = join_link(output->target, said);
        if (!next) return tfm_no_memory(error, "%s", output->path);
        free(output->target);
        output->target = next;
    }
    return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be created: %s", output->path, strerror(ELOOP));
}

static tfm_status open_directory(tfm_output *output, tfm_error *error) {
    const char *slash = strrchr(output->target, '/');
    char *directory = slash == output->target ? strdup("/")
                      : slash                 ? strndup(output->target, (size_t)(slash - output->target))
                                              : strdup(".");
    output->base = slash ? slash + 1 : output->target;
    if (!directory) return tfm_no_memory(error, "%s", output->path);
    output->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int reason = errno;
    free(directory);
    if (output->directory < 0)
        return tfm_fail(error, TFM_ERROR_IO, "%s: its folder cannot be opened: %s", output->path, strerror(reason));
    return TFM_OK;
}

static tfm_status open_output(tfm_output *output, tfm_error *error) {
    struct stat info;
    if (output->path[0] == '\0' || output->path[strlen(output->path) - 1] == '/')
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "'%s' is not the name of a file", output->path);
    tfm_status status = follow_links(output, error);
    if (status != TFM_OK) return status;
    if (stat(output->target, &info) == 0 && !S_ISREG(info.st_mode))
        return tfm_fail(error, TFM_ERROR_IO, "%s: is there and is not a regular file; it will not be replaced",
                        output->path);
    status = open_directory(output, error);
    if (status == TFM_OK && !open_unnamed(output) && !open_named(output))
        status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot be created: %s", output->path, strerror(errno));
    return status;
}

tfm_status tfm_output_create(tfm_output **output, const char *path, tfm_error *error) {
    tfm_output *made = calloc(1, sizeof *made);
    *output = NULL;
    if (!made) return tfm_no_memory(error, "%s", path);
    made->fd = made->directory = -1;
    made->path = strdup(path);
    made->target = strdup(path);
    tfm_status status = made->path && made->target ? open_output(made, error) : tfm_no_memory(error, "%s", path);
    if (status != TFM_OK) tfm_output_abort(&made);
    *output = made;
    return status;
}

void tfm_output_abort(tfm_output **output) {
    if (!output || !*output) return;
    tfm_output *o = *output;
    if (o->temporary[0] != '\0') unlinkat(o->directory, o->temporary, 0);
    if (o->fd >= 0) close(o->fd);
    if (o->directory >= 0) close(o->directory);
    free(o->path);
    free(o->target);
    free(o);
    *output = NULL;
}

tfm_status tfm_output_write(tfm_output *output, const void *data, size_t n, uint64_t offset, tfm_error *error) {
    size_t done = 0;
    while (done < n) {
        ssize_t put = pwrite(output->fd, (const char *)data + done, n - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be written: %s", output->path, strerror(errno));
        done += (size_t)put;
    }
    return TFM_OK;
}

/* Gives a file without a name one in the directory; 0 or -1 with errno. */
static int link_as(const tfm_output *output, const char *name) {
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    return linkat(AT_FDCWD, self, output->directory, name, AT_SYMLINK_FOLLOW);
}

static int link_temporary(tfm_output *output) {
    int result = -1;
    for (int i = 0; i < NAME_TRIES; i++) {
        char name[sizeof output->temporary];
        make_temporary_name(output, name, sizeof name);
        result = link_as(output, name);
        if (result == 0) memcpy(output->temporary, name, sizeof name);
        if (result == 0 || errno != EEXIST) break;
    }
    return result;
}

static int give_name(tfm_output *output) {
    if (output->temporary[0] == '\0') {
        if (link_as(output, output->base) == 0) return 0;
        if (errno != EEXIST || link_temporary(output) != 0) return -1;
    }
    if (renameat(output->directory, output->temporary, output->directory, output->base) != 0) return -1;
    output->temporary[0] = '\0';
    return 0;
}

tfm_status tfm_output_commit(tfm_output **output, tfm_error *error) {
    tfm_output *o = *output;
    tfm_status status = TFM_OK;
    if (fsync(o->fd) != 0)
        status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot be written to disk: %s", o->path, strerror(errno));
    else if (give_name(o) != 0)
        status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot be given its name: %s", o->path, strerror(errno));
    else if (fsync(o->directory) != 0 && errno != EINVAL) /* some file systems cannot sync a folder */
        status = tfm_fail(error, TFM_ERROR_IO, "%s: is written, but its folder cannot be synced: %s", o->path,
                          strerror(errno));
    tfm_output_abort(output);
    return status;
}
