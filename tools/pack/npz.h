/* npz.h - models of the Marian toolkit (.npz) as a form of checkpoint. */
#ifndef TFM_PACK_NPZ_H
#define TFM_PACK_NPZ_H

#include "source_internal.h"

extern const tfm_source_form tfm_npz_form;

#endif
