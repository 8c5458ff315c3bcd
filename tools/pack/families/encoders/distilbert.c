/* distilbert.c - DistilBertModel and its heads; its position table is stored whether it is sinusoidal or not. */
#include "bert_like.h"

static const tfm_bert_head heads[] = {
    {.kind = "masked_lm",
     .projection = "vocab_projector",
     .bias = "vocab_projector.bias",
     .dense = "vocab_transform",
     .norm = "vocab_layer_norm"},
    {.kind = "sequence",
     .projection = "classifier",
     .dense = "pre_classifier",
     .activation = "relu",
     .architectures = "ForSequenceClassification"},
    {.kind = "token", .projection = "classifier"},
    {.kind = "token", .projection = "qa_outputs", .labels = "start end", .function = "none"},
    {0},
};

static const tfm_bert_keys keys = {
    .d_model = "dim",
    .n_layers = "n_layers",
    .n_heads = "n_heads",
    .d_ff = "hidden_dim",
    .activation = "activation",
};

static const tfm_layer_names names = {
    .query = "attention.q_lin",
    .key = "attention.k_lin",
    .value = "attention.v_lin",
    .out = "attention.out_lin",
    .norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .ffn_norm = "output_layer_norm",
};

static const tfm_bert_like distilbert = {
    .prefix = "distilbert.",
    .keys = &keys,
    .defaults = {.vocab_size = 30522, .n_layers = 6},
    .layers = "transformer.layer.",
    .names = &names,
    .heads = heads,
};

const tfm_importer tfm_distilbert_importer = {
    .family = "distilbert",
    .model_types = "distilbert",
    .what = "DistilBertModel, masked LM, sequence and token classification (encoder)",
    .import = tfm_import_bert_like,
    .bert_like = &distilbert,
};
