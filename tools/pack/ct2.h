/* ct2.h - CTranslate2 model folders as a form of checkpoint. */
#ifndef TFM_PACK_CT2_H
#define TFM_PACK_CT2_H

#include "source_internal.h"

extern const tfm_source_form tfm_ct2_form;

#endif
