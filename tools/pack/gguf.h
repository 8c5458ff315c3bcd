/*
 * gguf.h - GGUF files as checkpoints.
 */
#ifndef TFM_GGUF_H
#define TFM_GGUF_H

#include "source_internal.h"

extern const tfm_source_form tfm_gguf_form;

#endif
