/*
 * text_file.h - text files read line by line, one alone or several side by side, with errors that name file and line.
 */
#ifndef TFM_TOOLS_EVAL_TEXT_FILE_H
#define TFM_TOOLS_EVAL_TEXT_FILE_H

#include <stdio.h>

#include "sentence.h"

typedef struct tfm_text_file {
    const char *path; /* borrowed; "-" is stdin */
    const char *name; /* for messages: the path, or "<stdin>" */
    int fd;           /* -1: closed */
    FILE *output;     /* flushed before input is waited for; may be NULL */
    tfm_lines lines;
} tfm_text_file;

/* Errors: TFM_ERROR_IO. */
tfm_status tfm_text_file_open(tfm_text_file *file, const char *path, tfm_error *error);
/*
 * The next line, checked to be UTF-8, without its end; it lives until the next call. *end becomes true, and *line
 * empty, after the last. Errors: TFM_ERROR_IO, _FORMAT (not UTF-8), _LIMIT (a line over 256 MiB), _MEMORY.
 */
tfm_status tfm_text_file_next(tfm_text_file *file, tfm_slice *line, bool *end, tfm_error *error);
/* Accepts a file that is closed, or was zeroed with fd -1. */
void tfm_text_file_close(tfm_text_file *file);

/*
 * The next line of each of n files, lines[i] of files[i]; *end becomes true after the last. All must have the same
 * number of lines: otherwise TFM_ERROR_FORMAT, with both numbers in the message.
 */
tfm_status tfm_text_files_next(tfm_text_file *files, size_t n, tfm_slice *lines, bool *end, tfm_error *error);

#endif
