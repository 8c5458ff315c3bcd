/*
 * llama2c.h - checkpoints and tokenizers of llama2.c.
 */
#ifndef TFM_LLAMA2C_H
#define TFM_LLAMA2C_H

#include "source_internal.h"

extern const tfm_source_form tfm_llama2c_form;

/*
 * Writes the section tokenizer from a tokenizer file of llama2.c (longest token; score, length and bytes of each),
 * which has nothing to be known by: it must hold vocab_size tokens, no more and no less. Errors: TFM_ERROR_IO, _FORMAT,
 * _MEMORY.
 */
tfm_status tfm_llama2c_write_tokenizer(const char *path, uint64_t vocab_size, tfm_writer *writer, tfm_error *error);

#endif
