/*
 * starcoder2_test.c - options of StarCoder2 that its golden checkpoint does not have: no biases, a projection of its
 * own, no window; and what is refused.
 */
#include "tests/tools/pack/packed.h"

TestSuite(starcoder2, .timeout = 120);

#define CONFIG(more)                                                                                                   \
    "{\"model_type\": \"starcoder2\", \"hidden_size\": 8, \"vocab_size\": 11, \"intermediate_size\": 12,"              \
    " \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"num_hidden_layers\": 1,"                               \
    " \"max_position_embeddings\": 16" more "}"

static model *make(bool biases, bool head) {
    model *m = model_new(0x57c2);
    model_add_linear(m, "model.embed_tokens", 11, 8, false, TFM_ST_F32);
    model_add_linear(m, "model.norm", 8, 0, true, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.input_layernorm", 8, 0, true, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.post_attention_layernorm", 8, 0, true, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.self_attn.q_proj", 8, 8, biases, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.self_attn.k_proj", 4, 8, biases, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.self_attn.v_proj", 4, 8, biases, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.self_attn.o_proj", 8, 8, biases, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.mlp.c_fc", 12, 8, biases, TFM_ST_F32);
    model_add_linear(m, "model.layers.0.mlp.c_proj", 8, 12, biases, TFM_ST_F32);
    if (head) model_add_linear(m, "lm_head", 11, 8, false, TFM_ST_F32);
    return m;
}

Test(starcoder2, without_biases_and_window) {
    model *m = make(false, true);
    char *folder = packed_folder(CONFIG(", \"use_bias\": false, \"tie_word_embeddings\": false"), m);
    tfm_file *file = packed_open(folder);
    cr_expect_str_eq(packed_word(file, "decoder.biases"), "none");
    cr_expect_str_eq(packed_word(file, "decoder.norm"), "layer");
    cr_expect_str_eq(packed_word(file, "decoder.activation"), "gelu_tanh");
    cr_expect_null(tfm_table_find(tfm_file_table(file, "architecture"), "decoder.windows"));
    packed_check(file, "output.weight", 0, model_find(m, "lm_head.weight"));
    packed_check(file, "decoder.0.attention.qkv.weight", 8, model_find(m, "model.layers.0.self_attn.k_proj.weight"));
    packed_check(file, "decoder.0.ffn.up.weight", 0, model_find(m, "model.layers.0.mlp.c_fc.weight"));
    packed_check(file, "decoder.0.ffn.down.weight", 0, model_find(m, "model.layers.0.mlp.c_proj.weight"));
    tfm_file_close(&file);
    scratch_remove(&folder);
    model_free(&m);
}

static void nothing(model *m) { (void)m; }
static void drop_bias(model *m) { model_drop(m, "model.layers.0.mlp.c_fc.bias"); }
static void add_gate(model *m) { model_add(m, "model.layers.0.mlp.gate_proj.weight", 12, 8, TFM_ST_F32); }

Test(starcoder2, misfits_are_named) {
    packed_misfit(CONFIG(""), make(true, false), drop_bias, TFM_ERROR_FORMAT,
                  "1 missing: model.layers.0.mlp.c_fc.bias");
    packed_misfit(CONFIG(""), make(true, false), add_gate, TFM_ERROR_FORMAT,
                  "1 not expected: model.layers.0.mlp.gate_proj.weight");
    packed_misfit(CONFIG(", \"tie_word_embeddings\": false"), make(true, false), nothing, TFM_ERROR_FORMAT,
                  "1 missing: lm_head.weight");
    packed_misfit(CONFIG(", \"hidden_act\": \"mish\""), make(true, false), nothing, TFM_ERROR_UNSUPPORTED,
                  "hidden_act");
    packed_misfit(CONFIG(", \"sliding_window\": \"long\""), make(true, false), nothing, TFM_ERROR_FORMAT,
                  "sliding_window");
}
