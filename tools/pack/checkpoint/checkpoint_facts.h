/*
 * checkpoint_facts.h - what a checkpoint says of itself before it is packed, for people who look into it.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_FACTS_H
#define TFM_TOOLS_PACK_CHECKPOINT_CHECKPOINT_FACTS_H

#include "checkpoint.h"

/*
 * An object with "format" (of the container), "bytes" of the files with tensors, "tensors" (how many), "weights"
 * (elements by type, as {"F16": 1000}), and, where they are known, "model_type", "architecture" (the class),
 * "tokenizer_class". NULL when memory is out. The caller decrefs it.
 */
json_t *tfm_checkpoint_facts(const tfm_checkpoint *checkpoint);

#endif
