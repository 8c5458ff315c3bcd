/* base64.h - RFC 4648 base64 into bytes. */
#ifndef TFM_BASE64_H
#define TFM_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* *data is the caller's to free; false for what is not base64 with its padding, or without memory. */
bool tfm_base64_decode(const char *text, size_t n, unsigned char **data, size_t *n_data);

#endif
