/* ct2.h - CTranslate2 model folders as a form of checkpoint. */
#ifndef TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_H
#define TFM_TOOLS_PACK_FOREIGN_CTRANSLATE2_CT2_H

#include "tools/pack/checkpoint/checkpoint_internal.h"

extern const tfm_checkpoint_format tfm_ct2_format;

#endif
