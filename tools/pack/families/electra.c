/* electra.c - ElectraModel and its heads, where the embedding is as wide as the layers. */
#include "bert_like.h"
#include "bert_names.h"

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
    .family = "electra",
    .prefix = "electra.",
    .keys = BERT_KEYS,
    .defaults = {.vocab_size = 30522, .token_types = 2, .pad = 0},
    .token_types = true,
    .layers = "encoder.layer.",
    .names = BERT_LAYER_NAMES,
    .heads = heads,
};

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_bert_like(&electra, checkpoint, writer, options, error);
}

const tfm_importer tfm_electra_importer = {
    .family = "electra",
    .model_types = "electra",
    .what = "ElectraModel, masked LM, replaced tokens, sequence and token classification (encoder)",
    .import = import,
};
