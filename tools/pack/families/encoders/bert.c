/* bert.c - BertModel and its heads: masked LM (pre-training too), sequence and token classification, answers. */
#include "bert_like.h"

static const tfm_bert_head heads[] = {
    {.kind = "masked_lm",
     .projection = "cls.predictions.decoder",
     .bias = "cls.predictions.bias",
     .dense = "cls.predictions.transform.dense",
     .norm = "cls.predictions.transform.LayerNorm"},
    {.kind = "sequence", .architectures = "ForSequenceClassification", .projection = "classifier", .pooled = true},
    {.kind = "token", .architectures = "ForTokenClassification", .projection = "classifier"},
    {.kind = "token", .projection = "qa_outputs", .labels = "start end", .function = "none"},
    {0},
};

static const char *const ignorable[] = {"cls.seq_relationship.weight", "cls.seq_relationship.bias", NULL};

static const tfm_bert_like bert = {
    .prefix = "bert.",
    .keys = &tfm_bert_keys_of_bert,
    .defaults = {.vocab_size = 30522, .n_layers = 12, .token_types = 2, .pad = 0},
    .token_types = true,
    .layers = "encoder.layer.",
    .names = &tfm_layer_names_of_bert,
    .pooler = "pooler.dense",
    .heads = heads,
    .ignorable = ignorable,
};

const tfm_importer tfm_bert_importer = {
    .family = "bert",
    .model_types = "bert",
    .what = "BertModel, masked LM, sequence and token classification (encoder)",
    .import = tfm_import_bert_like,
    .bert_like = &bert,
};
