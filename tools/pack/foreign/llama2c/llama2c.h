/*
 * llama2c.h - tokenizers of llama2.c.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_LLAMA2C_LLAMA2C_H
#define TFM_TOOLS_PACK_FOREIGN_LLAMA2C_LLAMA2C_H

#include "format/model_file.h"

/*
 * The tokenizer's table from a tokenizer file of llama2.c (longest token; score, length and bytes of each),
 * which has nothing to be known by: it must hold vocab_size tokens, no more and no less. Errors: TFM_ERROR_IO, _FORMAT,
 * _MEMORY.
 */
tfm_status tfm_llama2c_tokenizer_table(const char *path, uint64_t vocab_size, tfm_table_builder *table,
                                       tfm_error *error);
/* The same as the section tokenizer. */
tfm_status tfm_llama2c_write_tokenizer(const char *path, uint64_t vocab_size, tfm_writer *writer, tfm_error *error);

#endif
