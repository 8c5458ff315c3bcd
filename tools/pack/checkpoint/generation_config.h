/*
 * generation_config.h - decoding defaults of a checkpoint become the section generation.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_GENERATION_CONFIG_H
#define TFM_TOOLS_PACK_CHECKPOINT_GENERATION_CONFIG_H

#include "checkpoint.h"
#include "tools/pack/common/pack_options.h"

/* Values a family's configuration class has where config.json says nothing; -1: none. */
typedef struct tfm_generation_ids {
    int64_t decoder_start, pad, eos, forced_eos;
    bool causal; /* a decoder-only model: prompts are continued, nothing starts them */
} tfm_generation_ids;

/*
 * Writes the section generation: from generation_config.json alone where there is one, as transformers does, else from
 * config.json and the family's defaults. vocab_size: ids that the decoder knows.
 */
tfm_status tfm_write_generation(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_generation_ids *defaults,
                                uint64_t vocab_size, const tfm_pack_options *options, tfm_error *error);

#endif
