/*
 * inspect_tensors.h - the tensors of a model for people: what is alike in all layers in one line, or each of them.
 */
#ifndef TFM_TOOLS_PACK_INSPECT_TENSORS_H
#define TFM_TOOLS_PACK_INSPECT_TENSORS_H

#include <stdio.h>

#include "model_view.h"

/* A line for each part of a layer, with how many tensors and elements there are of it in all layers. */
tfm_status tfm_print_tensor_groups(const tfm_model_view *view, FILE *out, tfm_error *error);
/* A line for each tensor; hashes where there is a file. */
void tfm_print_tensors(const tfm_model_view *view, FILE *out);

#endif
