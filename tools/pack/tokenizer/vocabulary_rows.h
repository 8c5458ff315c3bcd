/*
 * vocabulary_rows.h - whether a tokenizer fits the model it is packed with.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_VOCABULARY_ROWS_H
#define TFM_TOOLS_PACK_TOKENIZER_VOCABULARY_ROWS_H

#include "tools/pack/common/pack_options.h"

/*
 * Refuses a tokenizer with ids that are no rows of the model's embeddings: a text could become something that cannot be
 * looked up. Rows without an id are fine: they pad the vocabulary. Looks at the sections that were written so far; what
 * names the checkpoint. Where nothing but the model_type says that the files belong to it (vocab.json and merges.txt
 * without a tokenizer_class), it is told to options instead: such a text is refused when it comes. Errors:
 * TFM_ERROR_FORMAT, _MEMORY.
 */
tfm_status tfm_vocabulary_rows_check(const tfm_writer *writer, const char *what, const tfm_pack_options *options,
                                     tfm_error *error);

#endif
