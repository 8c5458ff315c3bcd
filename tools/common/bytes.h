/*
 * bytes.h - whole reads and writes, lines from a file descriptor, text as printf makes it and as terminals show it.
 */
#ifndef TFM_TOOLS_COMMON_BYTES_H
#define TFM_TOOLS_COMMON_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/tfm.h"

/* Appends as printf does; false when memory is out. */
bool tfm_text_print(tfm_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool tfm_text_print_list(tfm_text *text, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Writes all n bytes, waiting where fd does not block; false with errno set on failure. */
bool tfm_write_all(int fd, const void *data, size_t n);

/* Bytes [offset, offset + n) of an open file; path is for errors. Error: TFM_ERROR_IO, also where the file ends. */
tfm_status tfm_read_at(int fd, const char *path, uint64_t offset, void *data, size_t n, tfm_error *error);
/* Reads the whole file at path ("-": stdin), at most limit bytes. Errors: TFM_ERROR_IO, _MEMORY, _LIMIT. */
tfm_status tfm_read_file(const char *path, size_t limit, tfm_text *bytes, tfm_error *error);
/* The same, but nothing else than a regular file is read: no device, no pipe, no folder. */
tfm_status tfm_read_regular_file(const char *path, size_t limit, tfm_text *bytes, tfm_error *error);

/* Lines of a file descriptor, of any length up to a limit, with any bytes in them. */
typedef struct tfm_lines {
    int fd;
    size_t limit;    /* longest line in bytes; longer ones are skipped and reported */
    uint64_t number; /* of the line returned last, from 1 */
    tfm_text buffer;
    size_t start, scanned; /* of the buffer: start of the next line; where no newline was found so far */
    bool end, skipping;
} tfm_lines;

typedef enum tfm_line {
    TFM_LINE_READ,     /* a line */
    TFM_LINE_PAUSE,    /* no whole line came within the time */
    TFM_LINE_END,      /* no more lines */
    TFM_LINE_TOO_LONG, /* a line was longer than the limit, and was skipped */
    TFM_LINE_FAILED    /* reading failed (errno) or memory is out (ENOMEM) */
} tfm_line;

void tfm_lines_open(tfm_lines *lines, int fd, size_t limit);
void tfm_lines_close(tfm_lines *lines);
/*
 * The next line without its "\n" or "\r\n"; the last one may lack them. *line lives until the next call. Waits at most
 * timeout_ms milliseconds for more bytes (-1: as long as it takes).
 */
tfm_line tfm_lines_next(tfm_lines *lines, int timeout_ms, const char **line, size_t *n);

/* Length of the UTF-8 character at text, which has n >= 1 bytes, and its code point; 0 and U+FFFD if none begins there.
 */
size_t tfm_character(const char *text, size_t n, uint32_t *code);
/* Columns a code point takes in a terminal or in a fixed-width font: 0 (combining), 1, or 2 (CJK, emoji). */
unsigned tfm_columns(uint32_t code);

#endif
