/* base64.h - RFC 4648 base64 into bytes. */
#ifndef TFM_TOOLS_PACK_TOKENIZER_BASE64_H
#define TFM_TOOLS_PACK_TOKENIZER_BASE64_H

#include <stddef.h>

#include "format/tfm_error.h"

/* *data is the caller's to free. Errors: TFM_ERROR_FORMAT (not base64 with its padding), TFM_ERROR_MEMORY. */
tfm_status tfm_base64_decode(const char *text, size_t n, unsigned char **data, size_t *n_data);

#endif
