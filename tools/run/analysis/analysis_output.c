/* analysis_output.c - results on stdout: lines as they are, or an array in NumPy's format, whose header has its size.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis_internal.h"
#include "runtime/tfm.h"

enum { HEADER_BYTES = 128, COPY_BYTES = 1 << 16 };

static tfm_status failed(int cause, tfm_error *error) {
    return tfm_fail(error, TFM_ERROR_IO, "cannot write the output: %s", strerror(cause));
}

/* Format version 1.0: magic, version, length of what follows (little-endian), and a dictionary padded with spaces. */
static void make_header(const tfm_vector_file *file, char header[HEADER_BYTES]) {
    char text[HEADER_BYTES];
    unsigned long long rows = file->n_bytes / (file->width * sizeof(float));
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %u), }", rows,
                     file->width);
    memset(header, ' ', HEADER_BYTES);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER_BYTES - 10;
    header[9] = 0;
    memcpy(header + 10, text, (size_t)n);
    header[HEADER_BYTES - 1] = '\n';
}

/* A file that can be written out of order: a regular one, not opened for appending. */
static bool can_patch(int64_t *start) {
    struct stat facts;
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_APPEND) || fstat(STDOUT_FILENO, &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
    *start = lseek(STDOUT_FILENO, 0, SEEK_CUR);
    return *start >= 0;
}

static tfm_status open_spool(tfm_vector_file *file, tfm_error *error) {
    const char *folder = getenv("TMPDIR");
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/tfmrun-XXXXXX", folder && *folder ? folder : "/tmp") >= sizeof path)
        return tfm_fail(error, TFM_ERROR_IO, "TMPDIR is too long");
    file->fd = mkostemp(path, O_CLOEXEC);
    if (file->fd < 0) return tfm_fail(error, TFM_ERROR_IO, "%s: cannot be made: %s", path, strerror(errno));
    unlink(path);
    return TFM_OK;
}

tfm_status tfm_vector_file_open(tfm_vector_file *file, const tfm_analysis *a, tfm_error *error) {
    int format = a->action == TFM_EMBED ? a->settings->analysis.format : TFM_VECTORS_JSON;
    *file = (tfm_vector_file){.fd = STDOUT_FILENO, .npy = format == TFM_VECTORS_NPY, .width = a->engine->info.d_model};
    if (format != TFM_VECTORS_JSON && isatty(STDOUT_FILENO)) {
        file->fd = -1;
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "--format %s is not for terminals: send it to a file or a program",
                        tfm_vector_format_name(format));
    }
    if (!file->npy) return TFM_OK;
    file->patch = can_patch(&file->start);
    if (!file->patch) return open_spool(file, error);
    char header[HEADER_BYTES];
    make_header(file, header);
    return tfm_write_all(file->fd, header, sizeof header) ? TFM_OK : failed(errno, error);
}

tfm_status tfm_vector_file_write(tfm_vector_file *file, const void *data, size_t n, tfm_error *error) {
    if (!tfm_write_all(file->fd, data, n)) return failed(errno, error);
    file->n_bytes += n;
    return TFM_OK;
}

static tfm_status patch(const tfm_vector_file *file, const char *header, tfm_error *error) {
    for (size_t done = 0; done < HEADER_BYTES;) {
        ssize_t n = pwrite(file->fd, header + done, HEADER_BYTES - done, file->start + (int64_t)done);
        if (n < 0 && errno != EINTR) return failed(errno, error);
        if (n > 0) done += (size_t)n;
    }
    return TFM_OK;
}

static tfm_status copy(const tfm_vector_file *file, const char *header, tfm_error *error) {
    static char buffer[COPY_BYTES];
    if (!tfm_write_all(STDOUT_FILENO, header, HEADER_BYTES)) return failed(errno, error);
    if (lseek(file->fd, 0, SEEK_SET) != 0) return failed(errno, error);
    for (;;) {
        ssize_t n = read(file->fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(errno, error);
        if (n == 0) return TFM_OK;
        if (!tfm_write_all(STDOUT_FILENO, buffer, (size_t)n)) return failed(errno, error);
    }
}

tfm_status tfm_vector_file_close(tfm_vector_file *file, tfm_error *error) {
    if (!file->npy || file->fd < 0) return TFM_OK;
    char header[HEADER_BYTES];
    make_header(file, header);
    if (file->patch) return patch(file, header, error);
    tfm_status status = copy(file, header, error);
    close(file->fd);
    return status;
}
