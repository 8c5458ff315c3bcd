/* electra.c - ElectraModel and its heads. */
#include "bert_like.h"

static const tfm_bert_head heads[] = {
    {.kind = "masked_lm",
     .projection = "generator_lm_head",
     .bias = "generator_lm_head.bias",
     .dense = "generator_predictions.dense",
     .activation = "gelu",
     .norm = "generator_predictions.LayerNorm"},
    {.kind = "token",
     .projection = "discriminator_predictions.dense_prediction",
     .dense = "discriminator_predictions.dense",
     .labels = "replaced",
     .function = "sigmoid"},
    {.kind = "sequence", .projection = "classifier.out_proj", .dense = "classifier.dense", .activation = "gelu"},
    {.kind = "token", .projection = "classifier"},
    {.kind = "token", .projection = "qa_outputs", .labels = "start end", .function = "none"},
    {0},
};

static const tfm_bert_like electra = {
    .prefix = "electra.",
    .keys = &tfm_bert_keys_of_bert,
    .defaults = {.vocab_size = 30522,
                 .n_layers = 12,
                 .token_types = 2,
                 .pad = 0,
                 .d_model = 256,
                 .n_heads = 4,
                 .d_ff = 1024,
                 .embed_width = 128},
    .token_types = true,
    .embed_projection = "embeddings_project",
    .layers = "encoder.layer.",
    .names = &tfm_layer_names_of_bert,
    .heads = heads,
};

const tfm_importer tfm_electra_importer = {
    .family = "electra",
    .model_types = "electra",
    .what = "ElectraModel, masked LM, replaced tokens, sequence and token classification (encoder)",
    .import = tfm_import_bert_like,
    .bert_like = &electra,
};
