/* text_file.c - text files read line by line. */
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "runtime/tfm.h"

#define LINE_LIMIT ((size_t)256 << 20)

tfm_status tfm_text_file_open(tfm_text_file *file, const char *path, tfm_error *error) {
    bool standard = strcmp(path, "-") == 0;
    *file = (tfm_text_file){.path = path, .name = standard ? "<stdin>" : path, .fd = STDIN_FILENO};
    if (!standard) file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    tfm_lines_open(&file->lines, file->fd, LINE_LIMIT);
    return TFM_OK;
}

void tfm_text_file_close(tfm_text_file *file) {
    if (file->fd < 0) return;
    tfm_lines_close(&file->lines);
    if (file->fd != STDIN_FILENO) close(file->fd);
    file->fd = -1;
}

static tfm_status check_utf8(const tfm_text_file *file, tfm_slice line, tfm_error *error) {
    for (size_t at = 0, size; at < line.n; at += size) {
        uint32_t code;
        size = tfm_character(line.data + at, line.n - at, &code);
        if (size == 0)
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s:%" PRIu64 ": not valid UTF-8 at byte %zu (0x%02X)", file->name,
                            file->lines.number, at + 1, (unsigned char)line.data[at]);
    }
    return TFM_OK;
}

static tfm_line next_line(tfm_text_file *file, tfm_slice *line) {
    if (file->output) {
        tfm_line result = tfm_lines_next(&file->lines, 0, &line->data, &line->n);
        if (result != TFM_LINE_PAUSE) return result;
        fflush(file->output); /* whoever sends the lines may wait for the answers */
    }
    return tfm_lines_next(&file->lines, -1, &line->data, &line->n);
}

tfm_status tfm_text_file_next(tfm_text_file *file, tfm_slice *line, bool *end, tfm_error *error) {
    *line = (tfm_slice){"", 0};
    *end = false;
    switch (next_line(file, line)) {
    case TFM_LINE_READ: return check_utf8(file, *line, error);
    case TFM_LINE_END:
        *line = (tfm_slice){"", 0};
        *end = true;
        return TFM_OK;
    case TFM_LINE_TOO_LONG:
        return tfm_fail(error, TFM_ERROR_LIMIT, "%s:%" PRIu64 ": the line is longer than %zu MiB", file->name,
                        file->lines.number, LINE_LIMIT >> 20);
    case TFM_LINE_PAUSE:
    case TFM_LINE_FAILED: break;
    }
    return tfm_fail(error, errno == ENOMEM ? TFM_ERROR_MEMORY : TFM_ERROR_IO, "%s: cannot read: %s", file->name,
                    strerror(errno));
}

/* Lines of a file whose next line was read or was its end: reads the rest. */
static tfm_status count_lines(tfm_text_file *file, bool ended, uint64_t *n, tfm_error *error) {
    tfm_slice line;
    while (!ended) {
        tfm_status status = tfm_text_file_next(file, &line, &ended, error);
        if (status != TFM_OK) return status;
        if (!ended) ++*n;
    }
    return TFM_OK;
}

/* read: lines that all files have had so far. */
static tfm_status say_lengths(tfm_text_file *a, bool a_ended, tfm_text_file *b, bool b_ended, uint64_t read,
                              tfm_error *error) {
    uint64_t n_a = read + !a_ended, n_b = read + !b_ended;
    tfm_status status = count_lines(a, a_ended, &n_a, error);
    if (status == TFM_OK) status = count_lines(b, b_ended, &n_b, error);
    if (status != TFM_OK) return status;
    return tfm_fail(error, TFM_ERROR_FORMAT,
                    "%s has %" PRIu64 " lines but %s has %" PRIu64 "; line by line they must belong together", a->name,
                    n_a, b->name, n_b);
}

tfm_status tfm_text_files_next(tfm_text_file *files, size_t n, tfm_slice *lines, bool *end, tfm_error *error) {
    uint64_t read = files[0].lines.number;
    for (size_t i = 0; i < n; i++) {
        bool ended;
        tfm_status status = tfm_text_file_next(&files[i], &lines[i], &ended, error);
        if (status != TFM_OK) return status;
        if (i == 0) *end = ended;
        if (ended != *end) return say_lengths(&files[0], *end, &files[i], ended, read, error);
    }
    return TFM_OK;
}
