/*
 * hf_folder.h - a folder of Hugging Face transformers: config.json and weights as safetensors or of PyTorch.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_HF_FOLDER_H
#define TFM_TOOLS_PACK_CHECKPOINT_HF_FOLDER_H

#include "checkpoint_format.h"

/* What is no other format is opened as this one, so that errors say what is missing. */
extern const tfm_checkpoint_format tfm_hf_folder_format;

/* Whether a folder has one of the weight files that this format reads. */
bool tfm_hf_folder_has_weights(const char *folder);

/* The names tfm_checkpoint_container can give for it, NULL-terminated. */
extern const char *const tfm_hf_containers[];

#endif
