/* bytes.c - whole reads and writes, text as printf makes it and as terminals show it. */
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "runtime/tfm.h"

bool tfm_text_print(tfm_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const bool ok = tfm_text_print_list(text, format, arguments);
    va_end(arguments);
    return ok;
}

bool tfm_text_print_list(tfm_text *text, const char *format, va_list arguments) {
    for (size_t room = 128;;) {
        if (!tfm_text_reserve(text, room)) return false;
        va_list again;
        va_copy(again, arguments);
        int n = vsnprintf(text->data + text->size, room, format, again);
        va_end(again);
        if (n < 0) return false;
        if ((size_t)n < room) {
            text->size += (size_t)n;
            return true;
        }
        room = (size_t)n + 1;
    }
}

bool tfm_write_all(int fd, const void *data, size_t n) {
    const char *at = data;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done >= 0) {
            at += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, -1) < 0 && errno != EINTR) return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static tfm_status read_all(int fd, const char *name, size_t limit, tfm_text *bytes, tfm_error *error) {
    tfm_status status = TFM_OK;
    size_t start = bytes->size;
    for (;;) {
        if (!tfm_text_reserve(bytes, 65536)) {
            status = tfm_no_memory(error, "%s", name);
            break;
        }
        ssize_t n = read(fd, bytes->data + bytes->size, bytes->capacity - bytes->size - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", name, strerror(errno));
        if (n <= 0) break;
        bytes->size += (size_t)n;
        if (bytes->size - start > limit) {
            status = tfm_fail(error, TFM_ERROR_LIMIT, "%s: longer than %zu bytes", name, limit);
            break;
        }
    }
    return status;
}

tfm_status tfm_read_file(const char *path, size_t limit, tfm_text *bytes, tfm_error *error) {
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "stdin" : path;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", name, strerror(errno));
    tfm_status status = read_all(fd, name, limit, bytes, error);
    if (!is_stdin) close(fd);
    return status;
}

tfm_status tfm_read_regular_file(const char *path, size_t limit, tfm_text *bytes, tfm_error *error) {
    struct stat facts;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe without a writer must not wait */
    if (fd < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    tfm_status status = TFM_OK;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        status = tfm_fail(error, TFM_ERROR_IO, "%s: is no regular file", path);
    if (status == TFM_OK) status = read_all(fd, path, limit, bytes, error);
    close(fd);
    return status;
}

size_t tfm_character(const char *text, size_t n, uint32_t *code) {
    utf8proc_int32_t found;
    utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &found);
    *code = length > 0 ? (uint32_t)found : 0xFFFD;
    return length > 0 ? (size_t)length : 0;
}

unsigned tfm_columns(uint32_t code) { return (unsigned)utf8proc_charwidth((utf8proc_int32_t)code); }

tfm_status tfm_read_at(int fd, const char *path, uint64_t offset, void *data, size_t n, tfm_error *error) {
    for (unsigned char *p = data; n > 0;) {
        ssize_t got = pread(fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (got == 0) return tfm_fail(error, TFM_ERROR_IO, "%s: ends early; it changed while being read", path);
        p += got, n -= (size_t)got, offset += (uint64_t)got;
    }
    return TFM_OK;
}
