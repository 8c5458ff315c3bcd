/*
 * bart.c - BartForConditionalGeneration and BartModel: post-norm, learned positions, a norm after the embeddings.
 */
#include "bart_like.h"

static const tfm_bart_like bart = {
    .norm_placement = "post",
    .embed_norm = true,
    .final_norm = false,
    .positions = TFM_BART_LEARNED,
    .vocab_size = 50265,
    .activation = "gelu",
    .scale_embedding = false,
    .ids = {.decoder_start = 2, .pad = 1, .eos = 2, .forced_eos = 2},
};

const tfm_importer tfm_bart_importer = {
    .family = "bart",
    .model_types = "bart",
    .what = "BartForConditionalGeneration: summaries, dialogue, spelling to sound (encoder-decoder)",
    .import = tfm_import_bart_like,
    .bart_like = &bart,
};
