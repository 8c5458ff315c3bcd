/*
 * foreign_formats.h - checkpoint formats other than the Hugging Face folder.
 *
 * Each shows its file as the folder that it could have been: config.json, tensors under that folder's names in that
 * folder's layout, a tokenizer. Importers then do the rest.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_FOREIGN_FORMATS_H
#define TFM_TOOLS_PACK_FOREIGN_FOREIGN_FORMATS_H

#include "tools/pack/checkpoint/checkpoint_format.h"

extern const tfm_checkpoint_format tfm_ct2_format;     /* ctranslate2/ct2.c */
extern const tfm_checkpoint_format tfm_gguf_format;    /* gguf/gguf.c */
extern const tfm_checkpoint_format tfm_llama2c_format; /* llama2c/llama2c.c */
extern const tfm_checkpoint_format tfm_npz_format;     /* marian/npz.c */

#endif
