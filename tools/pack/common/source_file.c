/* source_file.c - see source_file.h. */
#include "source_file.h"

#include <unistd.h>

#include "format/regular_file.h"
#include "tools/common/bytes.h"

tfm_status tfm_read_source(const char *path, size_t limit, tfm_text *bytes, tfm_error *error) {
    int fd;
    uint64_t size;
    tfm_status status = tfm_open_regular(path, "a file", &fd, &size, error);
    if (status != TFM_OK) return status;
    if (size > limit)
        status = tfm_fail(error, TFM_ERROR_LIMIT, "%s: longer than %zu bytes", path, limit);
    else if (!tfm_text_reserve(bytes, (size_t)size + 1))
        status = tfm_no_memory(error, "%s", path);
    else
        status = tfm_read_at(fd, path, 0, bytes->data + bytes->size, (size_t)size, error);
    if (status == TFM_OK) {
        bytes->size += (size_t)size;
        bytes->data[bytes->size] = '\0';
    }
    close(fd);
    return status;
}
