/* base64.h - RFC 4648 base64 into bytes and back. */
#ifndef TFM_TOOLS_PACK_TOKENIZER_BASE64_H
#define TFM_TOOLS_PACK_TOKENIZER_BASE64_H

#include <stddef.h>

#include "format/tfm_error.h"

/* *data is the caller's to free. Errors: TFM_ERROR_FORMAT (not base64 with its padding), TFM_ERROR_MEMORY. */
tfm_status tfm_base64_decode(const char *text, size_t n, unsigned char **data, size_t *n_data);
/* Base64 of n bytes, with its padding and a NUL; the caller's to free. NULL: memory is out. */
char *tfm_base64_encode(const unsigned char *data, size_t n);

#endif
