/* lines.c - lines of a file descriptor: any length up to a limit, any bytes, with a time limit for pauses. */
#include "bytes.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

void tfm_lines_open(tfm_lines *lines, int fd, size_t limit) { *lines = (tfm_lines){.fd = fd, .limit = limit}; }

void tfm_lines_close(tfm_lines *lines) { tfm_text_free(&lines->buffer); }

/* Drops what was returned already; gives a buffer that one huge line made huge back to the system. */
static void compact(tfm_lines *lines) {
    tfm_text *buffer = &lines->buffer;
    size_t rest = buffer->size - lines->start;
    if (lines->start == 0) return;
    if (rest > 0) memmove(buffer->data, buffer->data + lines->start, rest);
    buffer->size = rest;
    lines->scanned -= lines->start;
    lines->start = 0;
    if (rest == 0 && buffer->capacity > 16 * READ_BYTES) tfm_text_free(buffer);
}

/* 1: bytes came, or the end; 0: none within the time; -1: failure. */
static int fill(tfm_lines *lines, int timeout_ms) {
    if (lines->skipping) {
        /* What has been looked at belongs to a line that is too long anyway. */
        lines->buffer.size = lines->start = lines->scanned = 0;
    }
    compact(lines);
    if (!tfm_text_reserve(&lines->buffer, READ_BYTES)) {
        errno = ENOMEM;
        return -1;
    }
    for (;;) {
        struct pollfd input = {.fd = lines->fd, .events = POLLIN};
        int ready = poll(&input, 1, timeout_ms);
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return -1;
        if (ready == 0) return 0;
        ssize_t n = read(lines->fd, lines->buffer.data + lines->buffer.size, READ_BYTES);
        if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) continue;
        if (n < 0) return -1;
        lines->buffer.size += (size_t)n;
        lines->end = n == 0;
        return 1;
    }
}

/* Returns the line that ends at byte end of the buffer; next is where the following one starts. */
static tfm_line take(tfm_lines *lines, size_t end, size_t next, const char **line, size_t *n) {
    size_t start = lines->start;
    bool too_long = lines->skipping || end - start > lines->limit;
    lines->start = lines->scanned = next;
    lines->skipping = false;
    lines->number++;
    if (too_long) return TFM_LINE_TOO_LONG;
    if (end > start && lines->buffer.data[end - 1] == '\r') end--;
    *line = lines->buffer.data ? lines->buffer.data + start : "";
    *n = end - start;
    return TFM_LINE_READ;
}

tfm_line tfm_lines_next(tfm_lines *lines, int timeout_ms, const char **line, size_t *n) {
    tfm_text *buffer = &lines->buffer;
    for (;;) {
        size_t unseen = buffer->size - lines->scanned;
        const char *found = unseen ? memchr(buffer->data + lines->scanned, '\n', unseen) : NULL;
        if (found) {
            size_t end = (size_t)(found - buffer->data);
            return take(lines, end, end + 1, line, n);
        }
        lines->scanned = buffer->size;
        if (buffer->size - lines->start > lines->limit) lines->skipping = true;
        if (lines->end) {
            bool last = buffer->size > lines->start || lines->skipping;
            return last ? take(lines, buffer->size, buffer->size, line, n) : TFM_LINE_END;
        }
        int filled = fill(lines, timeout_ms);
        if (filled < 0) return TFM_LINE_FAILED;
        if (filled == 0) return TFM_LINE_PAUSE;
    }
}
