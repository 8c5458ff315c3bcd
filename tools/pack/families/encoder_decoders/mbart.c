/*
 * mbart.c - MBartForConditionalGeneration and MBartModel (mBART-25, mBART-50): BART with norms before each sublayer
 * and after the last layer.
 */
#include "bart_like.h"

static const tfm_bart_like mbart = {
    .norm_placement = "pre",
    .embed_norm = true,
    .final_norm = true,
    .positions = TFM_BART_LEARNED,
    .vocab_size = 50265,
    .activation = "gelu",
    .scale_embedding = false,
    .ids = {.decoder_start = -1, .pad = 1, .eos = 2, .forced_eos = 2},
};

const tfm_importer tfm_mbart_importer = {
    .family = "mbart",
    .model_types = "mbart",
    .what = "MBartForConditionalGeneration: translation among many languages (encoder-decoder)",
    .import = tfm_import_bart_like,
    .bart_like = &mbart,
};
