/*
 * marian.c - MarianMTModel and MarianModel of Hugging Face transformers (OPUS-MT and its like).
 *
 * The class is post-norm whatever normalize_before says, has no norm after the embeddings and none after the last
 * layer: transformers reads none of normalize_before, normalize_embedding and add_final_layer_norm, and neither do we.
 */
#include "bart_like.h"

static const tfm_bart_like marian = {
    .norm_placement = "post",
    .embed_norm = false,
    .final_norm = false,
    .positions = TFM_BART_SINUSOID,
    .vocab_size = 58101,
    .activation = "gelu",
    .scale_embedding = false,
    .ids = {.decoder_start = 58100, .pad = 58100, .eos = 0, .forced_eos = 0},
    .two_vocabularies = true,
};

const tfm_importer tfm_marian_importer = {
    .family = "marian",
    .model_types = "marian",
    .what = "MarianMTModel: translation models such as OPUS-MT (encoder-decoder)",
    .import = tfm_import_bart_like,
    .bart_like = &marian,
};
