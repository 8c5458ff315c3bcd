/*
 * growable.h - appending to the growing lists of ids and of text that tfm.h hands out.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_GROWABLE_H
#define TFM_RUNTIME_TOKENIZER_COMMON_GROWABLE_H

#include "runtime/tfm.h"

/* False when memory is out; the list is then as it was. data may be NULL where n is 0. */
bool tfm_ids_append(tfm_ids *ids, const int32_t *data, size_t n);
/* The same; a NUL that does not count stands after the text. */
bool tfm_text_append(tfm_text *text, const char *data, size_t n);

#endif
