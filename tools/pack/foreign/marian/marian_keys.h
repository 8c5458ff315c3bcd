/* marian_keys.h - tables of Marian's options: of special:model.yml in a model and of decoder.yml beside it. */
#ifndef TFM_TOOLS_PACK_FOREIGN_MARIAN_MARIAN_KEYS_H
#define TFM_TOOLS_PACK_FOREIGN_MARIAN_MARIAN_KEYS_H

#include "tools/pack/config/keys.h"

extern const tfm_key_table tfm_marian_model_keys, tfm_marian_decoder_keys;

/*
 * Options as JSON has them, from a flat YAML mapping whose values are text: numbers, true and false, null; a list of
 * one word again and again is the word. NULL: no memory.
 */
json_t *tfm_marian_typed(const json_t *options);

#endif
