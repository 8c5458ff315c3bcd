/* bert_names.h - names that BERT, RoBERTa and ELECTRA share. */
#ifndef TFM_TOOLS_PACK_FAMILIES_BERT_NAMES_H
#define TFM_TOOLS_PACK_FAMILIES_BERT_NAMES_H

#define BERT_KEYS                                                                                                      \
    {                                                                                                                  \
        .d_model = "hidden_size", .n_layers = "num_hidden_layers", .n_heads = "num_attention_heads",                   \
        .d_ff = "intermediate_size", .activation = "hidden_act", .norm_eps = "layer_norm_eps"                          \
    }

#define BERT_LAYER_NAMES                                                                                               \
    {                                                                                                                  \
        .query = "attention.self.query", .key = "attention.self.key", .value = "attention.self.value",                 \
        .out = "attention.output.dense", .norm = "attention.output.LayerNorm", .up = "intermediate.dense",             \
        .down = "output.dense", .ffn_norm = "output.LayerNorm"                                                         \
    }

#endif
