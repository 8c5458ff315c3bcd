/* bytes.c - whole reads and writes, text as printf makes it and as terminals show it. */
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/utf8.h"
#include "runtime/tfm.h"

bool tfm_text_print(tfm_text *text, const char *format, ...) {
    for (size_t room = 128;;) {
        if (!tfm_text_reserve(text, room)) return false;
        va_list arguments;
        va_start(arguments, format);
        int n = vsnprintf(text->data + text->size, room, format, arguments);
        va_end(arguments);
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

tfm_status tfm_read_file(const char *path, size_t limit, tfm_text *bytes, tfm_error *error) {
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "stdin" : path;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", name, strerror(errno));
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
    if (!is_stdin) close(fd);
    return status;
}

typedef struct range {
    uint32_t first, last;
} range;

static bool in_ranges(uint32_t code, const range *ranges, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    return false;
}

unsigned tfm_utf8_columns(uint32_t code) {
    /* The blocks that matter for laying out labels; not all of Unicode's East Asian Width. */
    static const range none[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},    {0x6d6, 0x6dc},
        {0x900, 0x902},   {0x93c, 0x93c},   {0x941, 0x948},   {0x94d, 0x94d},   {0xe31, 0xe31},    {0xe34, 0xe3a},
        {0xe47, 0xe4e},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e},  {0x2060, 0x206f},
        {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};
    static const range two[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},  {0x3400, 0x4dbf},
                                {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},
                                {0xfe30, 0xfe4f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
                                {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd}};
    if (in_ranges(code, none, sizeof none / sizeof *none)) return 0;
    return in_ranges(code, two, sizeof two / sizeof *two) ? 2 : 1;
}

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
