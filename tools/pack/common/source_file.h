/* source_file.h - the files of a checkpoint that are read whole: texts, vocabularies, configurations. */
#ifndef TFM_TOOLS_PACK_COMMON_SOURCE_FILE_H
#define TFM_TOOLS_PACK_COMMON_SOURCE_FILE_H

#include <stddef.h>

#include "runtime/tfm.h"

/*
 * Appends the content of a regular file (tfm_open_regular) of at most limit bytes to *bytes, which is the caller's to
 * free, also after an error; it ends with a NUL that does not count. Errors: TFM_ERROR_IO, _FORMAT (a pointer of Git
 * LFS), _LIMIT, _MEMORY.
 */
tfm_status tfm_read_source(const char *path, size_t limit, tfm_text *bytes, tfm_error *error);

#endif
