/*
 * bart_like.h - the families whose tensors are named as BART's are: they differ in norms, positions and defaults.
 */
#ifndef TFM_TOOLS_PACK_FAMILIES_ENCODER_DECODERS_BART_LIKE_H
#define TFM_TOOLS_PACK_FAMILIES_ENCODER_DECODERS_BART_LIKE_H

#include "tools/pack/families/family.h"

typedef enum tfm_bart_positions {
    TFM_BART_LEARNED,  /* a table in the checkpoint; position 0 is its row 2 */
    TFM_BART_SINUSOID, /* halves of sines and cosines, unless the checkpoint stores a table, which then counts */
    TFM_BART_FAIRSEQ   /* the same with frequencies from 1 to 1/10000; position 0 is the row after the padding's */
} tfm_bart_positions;

typedef struct tfm_bart_like {
    const char *norm_placement;
    bool embed_norm, final_norm;
    tfm_bart_positions positions;
    /* Where config.json says nothing, as the class of transformers has it. */
    uint64_t vocab_size;
    const char *activation;
    bool scale_embedding;
    tfm_generation_ids ids;
    bool two_vocabularies; /* share_encoder_decoder_embeddings and decoder_vocab_size mean something */
} tfm_bart_like;

/* tfm_importer.import of these families. */
tfm_status tfm_import_bart_like(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                                const tfm_pack_options *options, tfm_error *error);

#endif
