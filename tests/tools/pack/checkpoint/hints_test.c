/*
 * hints_test.c - keys of config.json that only a foreign format could mean are not read: the same file is packed with
 * and without them.
 */
#include <stdio.h>
#include <string.h>

#include "tests/tools/pack/packed.h"

TestSuite(hints, .timeout = 120);

typedef struct shape {
    const char *name;
    uint64_t rows, columns; /* columns 0: a vector */
} shape;

static const shape bert[] = {{"embeddings.word_embeddings.weight", 11, 4},
                             {"embeddings.position_embeddings.weight", 9, 4},
                             {"embeddings.token_type_embeddings.weight", 2, 4},
                             {"embeddings.LayerNorm.weight", 4, 0},
                             {"embeddings.LayerNorm.bias", 4, 0},
                             {"encoder.layer.0.attention.self.query.weight", 4, 4},
                             {"encoder.layer.0.attention.self.query.bias", 4, 0},
                             {"encoder.layer.0.attention.self.key.weight", 4, 4},
                             {"encoder.layer.0.attention.self.key.bias", 4, 0},
                             {"encoder.layer.0.attention.self.value.weight", 4, 4},
                             {"encoder.layer.0.attention.self.value.bias", 4, 0},
                             {"encoder.layer.0.attention.output.dense.weight", 4, 4},
                             {"encoder.layer.0.attention.output.dense.bias", 4, 0},
                             {"encoder.layer.0.attention.output.LayerNorm.weight", 4, 0},
                             {"encoder.layer.0.attention.output.LayerNorm.bias", 4, 0},
                             {"encoder.layer.0.intermediate.dense.weight", 6, 4},
                             {"encoder.layer.0.intermediate.dense.bias", 6, 0},
                             {"encoder.layer.0.output.dense.weight", 4, 6},
                             {"encoder.layer.0.output.dense.bias", 4, 0},
                             {"encoder.layer.0.output.LayerNorm.weight", 4, 0},
                             {"encoder.layer.0.output.LayerNorm.bias", 4, 0},
                             {0}};

static const shape gpt2[] = {{"wte.weight", 11, 4},
                             {"wpe.weight", 9, 4},
                             {"ln_f.weight", 4, 0},
                             {"ln_f.bias", 4, 0},
                             {"h.0.ln_1.weight", 4, 0},
                             {"h.0.ln_1.bias", 4, 0},
                             {"h.0.ln_2.weight", 4, 0},
                             {"h.0.ln_2.bias", 4, 0},
                             {"h.0.attn.c_attn.weight", 4, 12},
                             {"h.0.attn.c_attn.bias", 12, 0},
                             {"h.0.attn.c_proj.weight", 4, 4},
                             {"h.0.attn.c_proj.bias", 4, 0},
                             {"h.0.mlp.c_fc.weight", 4, 6},
                             {"h.0.mlp.c_fc.bias", 6, 0},
                             {"h.0.mlp.c_proj.weight", 6, 4},
                             {"h.0.mlp.c_proj.bias", 4, 0},
                             {0}};

static const char bert_config[] =
    "{\"model_type\": \"bert\", \"hidden_size\": 4, \"vocab_size\": 11, \"intermediate_size\": 6,"
    " \"num_attention_heads\": 2, \"num_hidden_layers\": 1, \"max_position_embeddings\": 9, \"type_vocab_size\": 2}";
static const char gpt2_config[] = "{\"model_type\": \"gpt2\", \"n_embd\": 4, \"vocab_size\": 11, \"n_inner\": 6,"
                                  " \"n_head\": 2, \"n_layer\": 1, \"n_positions\": 9}";

static char *make(const char *config, const shape *shapes) {
    model *m = model_new(271828);
    for (; shapes->name; shapes++) model_add(m, shapes->name, shapes->rows, shapes->columns, TFM_ST_F32);
    char *folder = packed_folder(config, m);
    model_free(&m);
    return folder;
}

/* The hash of each section but metadata and of each tensor of the folder packed, as a text. */
static void pack(const char *folder, char *hashes, size_t size) {
    tfm_file *file = packed_open(folder);
    size_t used = 0;
    for (size_t i = 0; i < tfm_file_section_count(file); i++) {
        const tfm_section *section = tfm_file_section_at(file, i);
        if (strcmp(section->name, "metadata") != 0)
            used += (size_t)snprintf(hashes + used, size - used, "%s %llx\n", section->name,
                                     (unsigned long long)section->hash);
    }
    for (size_t i = 0; i < tfm_file_tensor_count(file); i++)
        used += (size_t)snprintf(hashes + used, size - used, "%s %llx\n", tfm_file_tensor_at(file, i)->name,
                                 (unsigned long long)tfm_file_tensor_at(file, i)->hash);
    cr_assert_lt(used, size);
    tfm_file_close(&file);
}

/* Packs the folder with and without the members, which are told to be without effect, and removes it. */
static void check_no_effect(char *folder, const char *members) {
    static char before[1 << 14], after[1 << 14];
    pack(folder, before, sizeof before);
    packed_configure(folder, members);
    pack(folder, after, sizeof after);
    cr_assert_str_eq(before, after, "%s counts", members);
    scratch_remove(&folder);
}

Test(hints, pooling) {
    check_no_effect(make(bert_config, bert), "{\"tfm_pooling\": \"max\"}");
    check_no_effect(make(bert_config, bert), "{\"pooling\": \"mean\", \"pooling_type\": 1}");
}

Test(hints, transposed_layers) {
    check_no_effect(make(gpt2_config, gpt2), "{\"tfm_linear_transposed\": false}");
    check_no_effect(make(gpt2_config, gpt2), "{\"tfm_linear_transposed\": true, \"linear_not_transposed\": true}");
}

/* Pegasus has one vocabulary in transformers, whatever a configuration says. */
Test(hints, two_vocabularies) {
    marian small = marian_default();
    model *m = model_marian(&small);
    model_add_linear(m, "model.encoder.layer_norm", small.d, 0, true, TFM_ST_F32);
    model_add_linear(m, "model.decoder.layer_norm", small.d, 0, true, TFM_ST_F32);
    char *folder = scratch_make();
    write_config(folder, &small, NULL);
    packed_configure(folder, "{\"model_type\": \"pegasus\", \"eos_token_id\": 1, \"forced_eos_token_id\": 1}");
    write_safetensors(in(folder, "model.safetensors"), m);
    model_free(&m);
    check_no_effect(folder, "{\"decoder_vocab_size\": 5, \"share_encoder_decoder_embeddings\": false}");
}

/* Special tokens of a chat template are those of the tokenizer's files. */
Test(hints, special_tokens) {
    char *folder = make(gpt2_config, gpt2);
    write_text_in(folder, "chat_template.jinja", "{{ bos_token }}");
    check_no_effect(folder, "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}");
}
