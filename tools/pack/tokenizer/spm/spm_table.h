/*
 * spm_table.h - a SentencePiece model as the table that runtime/tokenizer reads (docs/tokenizers.md).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SPM_SPM_TABLE_H
#define TFM_TOOLS_PACK_TOKENIZER_SPM_SPM_TABLE_H

#include "format/table.h"
#include "spm_model.h"
#include "vocabulary.h"

/*
 * Fills table. vocabulary: NULL, and ids are the numbers of pieces; or whose ids a Marian model uses.
 * Errors: TFM_ERROR_FORMAT (character map), TFM_ERROR_LIMIT, TFM_ERROR_MEMORY; what names the file.
 */
tfm_status tfm_spm_table(const tfm_spm_model *model, const tfm_vocabulary *vocabulary, const char *what,
                         tfm_table_builder *table, tfm_error *error);

#endif
