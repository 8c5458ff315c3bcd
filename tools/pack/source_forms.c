/* source_forms.c - the list of checkpoint forms that are no Hugging Face folders. */
#include "source_internal.h"

const tfm_source_form *const tfm_source_forms[] = {
    NULL,
};
