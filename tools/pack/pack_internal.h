/*
 * pack_internal.h - what packing a checkpoint and packing a model file again share.
 */
#ifndef TFM_TOOLS_PACK_PACK_INTERNAL_H
#define TFM_TOOLS_PACK_PACK_INTERNAL_H

#include "pack.h"

/* Embeddings and the vocabulary projection, as docs/model-contents.md names them. */
bool tfm_pack_is_embedding(const char *name);

/*
 * Writes the tensors of a model file, matrices in the request's types, and its sections but metadata. What was rounded
 * when it was packed is rounded again. Refuses a tokenizer alone, and a request for other parts than types.
 */
tfm_status tfm_repack(const tfm_pack_request *request, tfm_file *file, tfm_writer *writer, tfm_error *error);

#endif
