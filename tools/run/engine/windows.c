/* windows.c - see windows.h. */
#include "windows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/tfm.h"
#include "tools/common/bytes.h"
#include "tools/common/cli.h"

enum {
    LINE_BYTES = 16 << 20, /* longest line */
    PAUSE_MS = 20,         /* no bytes for so long is a pause */
    PATIENCE_MS = 200      /* a line waits no longer than this for others */
};

/* How long to wait for the next line: for ever if nothing is waiting for an answer. */
static int patience(const tfm_windows *w, double first_read) {
    if (w->waiting(w->user) == 0) return -1;
    double left = PATIENCE_MS - 1e3 * (tfm_seconds() - first_read);
    return left < 0 ? 0 : left < PAUSE_MS ? (int)left : PAUSE_MS;
}

tfm_status tfm_windows_lines(const tfm_windows *w, tfm_error *error) {
    char too_long[80];
    snprintf(too_long, sizeof too_long, "longer than %d MiB", LINE_BYTES >> 20);
    tfm_lines lines;
    tfm_lines_open(&lines, STDIN_FILENO, LINE_BYTES);
    tfm_status status = TFM_OK;
    double first_read = 0; /* when the first line of the window came */
    for (bool more = true; more && status == TFM_OK;) {
        const char *line = NULL;
        size_t n = 0;
        tfm_line what = tfm_lines_next(&lines, patience(w, first_read), &line, &n);
        int cause = errno;
        if (w->waiting(w->user) == 0) first_read = tfm_seconds();
        if (what == TFM_LINE_READ) status = w->add(w->user, lines.number, line, n, error);
        if (what == TFM_LINE_TOO_LONG) status = w->add_too_long(w->user, lines.number, too_long, error);
        more = what != TFM_LINE_END && what != TFM_LINE_FAILED;
        if (status == TFM_OK && (!more || what == TFM_LINE_PAUSE || w->full(w->user))) status = w->run(w->user, error);
        if (status == TFM_OK && what == TFM_LINE_FAILED)
            status = tfm_fail(error, TFM_ERROR_IO, "cannot read stdin: %s", strerror(cause));
    }
    tfm_lines_close(&lines);
    return status;
}

tfm_status tfm_windows_texts(const tfm_windows *w, char *const *texts, size_t n, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < n && status == TFM_OK; i++) {
        status = w->add(w->user, i + 1, texts[i], strlen(texts[i]), error);
        if (status == TFM_OK && w->full(w->user)) status = w->run(w->user, error);
    }
    return status != TFM_OK ? status : w->run(w->user, error);
}
