/*
 * pytorch.h - pytorch_model.bin as one of a checkpoint's files.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_PYTORCH_H
#define TFM_TOOLS_PACK_CHECKPOINT_PYTORCH_H

#include "weight_files.h"

/*
 * Opens files->files[index] and adds its tensors; *container: "pytorch (zip)" or "pytorch (legacy)". Its pickle is read
 * as data: what would run code is refused by name (unpickle.h).
 */
tfm_status tfm_pytorch_add(tfm_weight_files *files, uint32_t index, const char **container, tfm_error *error);

#endif
