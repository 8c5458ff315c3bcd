/* source_forms.c - the list of checkpoint forms that are no Hugging Face folders. */
#include "ct2.h"
#include "gguf.h"
#include "llama2c.h"
#include "npz.h"
#include "source_internal.h"

const tfm_source_form *const tfm_source_forms[] = {
    &tfm_ct2_form, &tfm_gguf_form, &tfm_llama2c_form, &tfm_npz_form, NULL,
};
