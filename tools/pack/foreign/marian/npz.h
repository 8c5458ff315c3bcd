/* npz.h - models of the Marian toolkit (.npz) as a form of checkpoint. */
#ifndef TFM_TOOLS_PACK_FOREIGN_MARIAN_NPZ_H
#define TFM_TOOLS_PACK_FOREIGN_MARIAN_NPZ_H

#include "tools/pack/checkpoint/checkpoint_internal.h"

extern const tfm_checkpoint_format tfm_npz_format;

#endif
