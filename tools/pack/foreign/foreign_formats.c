/* foreign_formats.c - the list of foreign formats, in the order in which a path is held against them. */
#include "foreign_formats.h"

const tfm_checkpoint_format *const tfm_foreign_formats[] = {
    &tfm_ct2_format, &tfm_gguf_format, &tfm_llama2c_format, &tfm_npz_format, NULL,
};
