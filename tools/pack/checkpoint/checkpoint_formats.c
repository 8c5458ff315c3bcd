/* checkpoint_formats.c - the list of checkpoint forms that are no Hugging Face folders. */
#include "checkpoint_internal.h"
#include "tools/pack/foreign/ctranslate2/ct2.h"
#include "tools/pack/foreign/gguf/gguf.h"
#include "tools/pack/foreign/llama2c/llama2c.h"
#include "tools/pack/foreign/marian/npz.h"

const tfm_checkpoint_format *const tfm_checkpoint_formats[] = {
    &tfm_ct2_format, &tfm_gguf_format, &tfm_llama2c_format, &tfm_npz_format, NULL,
};
