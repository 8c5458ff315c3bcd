/*
 * gguf_blocks.h - the types of tensors in GGUF files: rows of blocks with scales of their own, and their values.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_BLOCKS_H
#define TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_BLOCKS_H

#include "format/tfm_error.h"

#define TFM_GGUF_BLOCK_MAX 256

typedef struct tfm_gguf_block {
    const char *name;         /* "Q4_K" */
    uint32_t elements, bytes; /* of a block; 0: known by name only */
    void (*decode)(const uint8_t *block, float *values);
} tfm_gguf_block;

/* The type with this number, or NULL. */
const tfm_gguf_block *tfm_gguf_block_type(uint32_t number);

/* Elements [first, first + n) of rows of blocks that begin at data. */
void tfm_gguf_decode(const tfm_gguf_block *type, const uint8_t *data, uint64_t first, uint64_t n, float *values);

#endif
