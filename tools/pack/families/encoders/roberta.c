/* roberta.c - RobertaModel, XLMRobertaModel, CamembertModel and their heads. */
#include "bert_like.h"

static const tfm_bert_head heads[] = {
    {.kind = "masked_lm",
     .projection = "lm_head.decoder",
     .bias = "lm_head.bias",
     .dense = "lm_head.dense",
     .activation = "gelu",
     .norm = "lm_head.layer_norm"},
    {.kind = "sequence", .projection = "classifier.out_proj", .dense = "classifier.dense", .activation = "tanh"},
    {.kind = "token", .projection = "classifier"},
    {.kind = "token", .projection = "qa_outputs", .labels = "start end", .function = "none"},
    {0},
};

static const tfm_bert_like roberta = {
    .prefix = "roberta.",
    .keys = &tfm_bert_keys_of_bert,
    .defaults = {.vocab_size = 50265, .n_layers = 12, .token_types = 2, .pad = 1},
    .positions_after_padding = true,
    .token_types = true,
    .layers = "encoder.layer.",
    .names = &tfm_layer_names_of_bert,
    .pooler = "pooler.dense",
    .heads = heads,
};

const tfm_importer tfm_roberta_importer = {
    .family = "roberta",
    .model_types = "roberta xlm-roberta camembert",
    .what = "RobertaModel, XLMRobertaModel, masked LM, sequence and token classification (encoder)",
    .import = tfm_import_bert_like,
    .bert_like = &roberta,
};
