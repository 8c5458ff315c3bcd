/*
 * pegasus.c - PegasusForConditionalGeneration and PegasusModel: pre-norm, sinusoidal positions in halves.
 */
#include "bart_like.h"

static const tfm_bart_like pegasus = {
    .norm_placement = "pre",
    .embed_norm = false,
    .final_norm = true,
    .positions = TFM_BART_SINUSOID,
    .vocab_size = 50265,
    .activation = "gelu",
    .scale_embedding = false,
    .ids = {.decoder_start = 0, .pad = 0, .eos = 1, .forced_eos = 1},
};

const tfm_importer tfm_pegasus_importer = {
    .family = "pegasus",
    .model_types = "pegasus",
    .what = "PegasusForConditionalGeneration: summaries and paraphrases (encoder-decoder)",
    .import = tfm_import_bart_like,
    .bart_like = &pegasus,
};
