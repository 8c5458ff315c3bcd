/*
 * m2m100.c - M2M100ForConditionalGeneration (M2M100, NLLB-200): pre-norm, sinusoidal positions as fairseq counts them.
 */
#include "bart_like.h"

static const tfm_bart_like m2m100 = {
    .norm_placement = "pre",
    .embed_norm = false,
    .final_norm = true,
    .positions = TFM_BART_FAIRSEQ,
    .vocab_size = 128112,
    .activation = "relu",
    .scale_embedding = true,
    .ids = {.decoder_start = 2, .pad = 1, .eos = 2, .forced_eos = -1},
};

const tfm_importer tfm_m2m100_importer = {
    .family = "m2m100",
    .model_types = "m2m_100",
    .what = "M2M100ForConditionalGeneration: M2M100 and NLLB-200 translation (encoder-decoder)",
    .import = tfm_import_bart_like,
    .bart_like = &m2m100,
};
