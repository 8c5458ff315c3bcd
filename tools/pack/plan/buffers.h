/* buffers.h - tensors that checkpoints have beside their weights, and that no model is made of. */
#ifndef TFM_TOOLS_PACK_PLAN_BUFFERS_H
#define TFM_TOOLS_PACK_PLAN_BUFFERS_H

#include "tools/pack/checkpoint/checkpoint.h"

/*
 * Whether a tensor is a buffer that classes of this model_type (NULL: not said) once saved and compute anew when they
 * load: what transformers leaves out without a word. Name, type and shape are looked at, so that no weight is taken for
 * one.
 */
bool tfm_is_buffer(const char *model_type, const tfm_checkpoint_tensor *tensor);

#endif
