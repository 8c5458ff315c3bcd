/*
 * gguf.h - GGUF files as checkpoints.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_H
#define TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_H

#include "tools/pack/checkpoint/checkpoint_internal.h"

extern const tfm_checkpoint_format tfm_gguf_format;

#endif
