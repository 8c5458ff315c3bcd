/*
 * sentence_transformers.h - what sentence-transformers adds to a checkpoint: pooling, prompts, what it does to texts.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_SENTENCE_TRANSFORMERS_H
#define TFM_TOOLS_PACK_FAMILIES_SENTENCE_TRANSFORMERS_H

#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/common/pack_options.h"

/*
 * Sets the options `pooling`, `pooling.normalize` and `prompts.*` from modules.json, the pooling module's config.json
 * and config_sentence_transformers.json; nothing where there is no modules.json. Modules and ways of pooling that the
 * runtime does not have are refused by name. Tells the person what is done to texts and is not part of the model file:
 * cutting at a length below max_positions, lower case; and which prompt is put before each text.
 */
tfm_status tfm_sentence_transformers_set(const tfm_checkpoint *checkpoint, uint64_t max_positions,
                                         tfm_table_builder *table, const tfm_pack_options *options, tfm_error *error);

#endif
