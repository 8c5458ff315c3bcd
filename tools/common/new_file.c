/* new_file.c - see new_file.h. */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

static void forget(tfm_new_file *file) {
    if (file->fd >= 0) close(file->fd);
    if (file->temporary) unlink(file->temporary);
    free(file->temporary);
    free(file->target);
    *file = (tfm_new_file){.fd = -1};
}

static char *temporary_name(const char *target) {
    char *name = malloc(strlen(target) + sizeof ".XXXXXX");
    if (name) sprintf(name, "%s.XXXXXX", target);
    return name;
}

/* The file without a name, which the system removes however the program ends; where that cannot be, with a temporary
 * one. */
static bool open_beside(tfm_new_file *file) {
    char *slash = strrchr(file->target, '/');
    char *folder = slash == file->target ? strdup("/")
                   : slash               ? strndup(file->target, (size_t)(slash - file->target))
                                         : strdup(".");
    if (folder && access("/proc/self/fd", X_OK) == 0) file->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    free(folder);
    if (file->fd >= 0) return true;
    file->temporary = temporary_name(file->target);
    if (!file->temporary) {
        errno = ENOMEM;
        return false;
    }
    file->fd = mkostemp(file->temporary, O_CLOEXEC);
    if (file->fd >= 0) return true;
    free(file->temporary);
    file->temporary = NULL;
    return false;
}

/* What open() would have given: the mode of the file that is replaced, else what the umask leaves. */
static void set_mode(const tfm_new_file *file, const struct stat *before) {
    if (before) {
        (void)!fchmod(file->fd, before->st_mode & 07777);
    } else if (file->temporary) {
        mode_t mask = umask(0);
        umask(mask);
        (void)!fchmod(file->fd, 0666 & ~mask);
    }
}

/* stdout or stderr, if one of them is this file: -1 if not. It has to be written behind what went there before. */
static int standard_stream(const struct stat *facts) {
    struct stat own;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &own) == 0 && own.st_dev == facts->st_dev && own.st_ino == facts->st_ino) return fd;
    return -1;
}

tfm_status tfm_new_file_open(tfm_new_file *file, const char *path, tfm_error *error) {
    struct stat facts;
    bool there = stat(path, &facts) == 0;
    *file = (tfm_new_file){.path = path, .fd = -1};
    if (there && S_ISDIR(facts.st_mode)) return tfm_fail(error, TFM_ERROR_IO, "%s: is a folder", path);
    if (!there && lstat(path, &facts) == 0)
        return tfm_fail(error, TFM_ERROR_IO, "%s: is a link to a file that is not there", path);
    const int standard = there ? standard_stream(&facts) : -1;
    file->in_place = there && (standard >= 0 || !S_ISREG(facts.st_mode));
    file->target = there && !file->in_place ? realpath(path, NULL) : strdup(path);
    if (!file->target && errno == ENOMEM) return tfm_no_memory(error, "%s", path);
    if (!file->target || (there && access(path, W_OK) != 0))
        file->fd = -1; /* what may not be written is not replaced */
    else if (standard >= 0)
        file->fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    else if (file->in_place)
        file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    else if (open_beside(file))
        set_mode(file, there ? &facts : NULL);
    if (file->fd >= 0) return TFM_OK;
    tfm_fail(error, TFM_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
    forget(file);
    return TFM_ERROR_IO;
}

tfm_status tfm_new_file_write(tfm_new_file *file, const void *data, size_t n, tfm_error *error) {
    if (tfm_write_all(file->fd, data, n)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_IO, "%s: cannot write: %s", file->path, strerror(errno));
}

/* A file without a name cannot replace another: it gets a temporary one first. */
static bool link_temporary(tfm_new_file *file) {
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    char *name = temporary_name(file->target);
    bool linked = false;
    for (int i = 0; i < 100 && name && !linked; i++) {
        memcpy(name + strlen(name) - 6, "XXXXXX", 6);
        int fd = mkostemp(name, O_CLOEXEC); /* a name that is free, and ours to replace */
        if (fd < 0) break;
        close(fd);
        unlink(name);
        linked = linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
        if (!linked && errno != EEXIST) break;
    }
    if (linked)
        file->temporary = name;
    else
        free(name);
    return linked;
}

static bool give_name(tfm_new_file *file) {
    if (fsync(file->fd) != 0 && errno != EINVAL && errno != EROFS) return false;
    if (!file->temporary && !link_temporary(file)) return false;
    if (rename(file->temporary, file->target) != 0) return false;
    free(file->temporary);
    file->temporary = NULL;
    return true;
}

tfm_status tfm_new_file_close(tfm_new_file *file, bool keep, tfm_error *error) {
    if (file->fd < 0) return TFM_OK;
    tfm_status status = TFM_OK;
    bool ok = !keep || file->in_place || give_name(file);
    if (ok && keep && file->in_place) {
        ok = close(file->fd) == 0;
        file->fd = -1;
    }
    if (!ok) status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot write: %s", file->path, strerror(errno));
    forget(file);
    return status;
}
