/*
 * sentence_transformers.h - how a folder of sentence-transformers makes one vector of a text.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_SENTENCE_TRANSFORMERS_H
#define TFM_TOOLS_PACK_FAMILIES_SENTENCE_TRANSFORMERS_H

#include "importer.h"

/*
 * Sets the options `pooling` and `pooling.normalize` from modules.json and the pooling module's config.json; nothing
 * where there is no modules.json. Modules and ways of pooling that the runtime does not have are refused by name.
 */
tfm_status tfm_sentence_transformers_set(const tfm_checkpoint *checkpoint, tfm_table_builder *table, tfm_error *error);

/*
 * Tells the person what sentence-transformers does to texts by sentence_bert_config.json and is not part of the model
 * file: cutting at a length below max_positions, lower case.
 */
tfm_status tfm_sentence_transformers_note(const tfm_checkpoint *checkpoint, uint64_t max_positions,
                                          const tfm_pack_options *options, tfm_error *error);

#endif
