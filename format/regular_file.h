/* regular_file.h - the one way in which files from outside are opened: looked at first, and only if they are files. */
#ifndef TFM_FORMAT_REGULAR_FILE_H
#define TFM_FORMAT_REGULAR_FILE_H

#include <stdint.h>

#include "tfm_error.h"

/*
 * Opens a regular file for reading. Anything else (a folder, a named pipe, a socket, a device) is refused by name
 * before it is opened, because to open it may wait for ever or do something; so is a pointer of Git LFS that stands
 * where the file itself should. expected: what the file should be, for the message about a folder ("a model file;
 * tfmpack makes one of a checkpoint"). *fd is the caller's to close, -1 after an error; *size, which may be NULL, is
 * its length in bytes. Errors: TFM_ERROR_IO, for pointers TFM_ERROR_FORMAT.
 */
tfm_status tfm_open_regular(const char *path, const char *expected, int *fd, uint64_t *size, tfm_error *error);

#endif
