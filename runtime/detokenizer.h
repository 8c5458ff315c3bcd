/*
 * detokenizer.h - what the public functions about tfm_detokenizer share with generation.
 */
#ifndef TFM_RUNTIME_DETOKENIZER_H
#define TFM_RUNTIME_DETOKENIZER_H

#include "tfm.h"

/* Error: TFM_ERROR_ARGUMENT (no list, an empty string, more than a list has). */
tfm_status tfm_stop_strings_check(const char *const *strings, size_t n, tfm_error *error);

#endif
