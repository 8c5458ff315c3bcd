/* marian_test.c - Marian: options and tensors as docs/model-contents.md has them, configurations that are refused. */
#include <math.h>
#include <string.h>

#include "tests/tools/pack/packed.h"

TestSuite(marian, .timeout = 120);

Test(marian, tensors) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    tfm_file *file = packed_open(folder);
    packed_check(file, "embed", 0, model_find(m, "model.shared.weight"));
    packed_check(file, "output.bias", 0, model_find(m, "final_logits_bias"));
    packed_check_linear(file, "encoder.1.attention.qkv", 0, m, "model.encoder.layers.1.self_attn.q_proj");
    packed_check_linear(file, "encoder.1.attention.qkv", 12, m, "model.encoder.layers.1.self_attn.k_proj");
    packed_check_linear(file, "encoder.1.attention.qkv", 24, m, "model.encoder.layers.1.self_attn.v_proj");
    packed_check_linear(file, "encoder.1.attention.out", 0, m, "model.encoder.layers.1.self_attn.out_proj");
    packed_check_linear(file, "encoder.0.attention.norm", 0, m, "model.encoder.layers.0.self_attn_layer_norm");
    packed_check_linear(file, "encoder.0.ffn.up", 0, m, "model.encoder.layers.0.fc1");
    packed_check_linear(file, "encoder.0.ffn.down", 0, m, "model.encoder.layers.0.fc2");
    packed_check_linear(file, "encoder.0.ffn.norm", 0, m, "model.encoder.layers.0.final_layer_norm");
    packed_check_linear(file, "decoder.0.cross.q", 0, m, "model.decoder.layers.0.encoder_attn.q_proj");
    packed_check_linear(file, "decoder.0.cross.kv", 0, m, "model.decoder.layers.0.encoder_attn.k_proj");
    packed_check_linear(file, "decoder.0.cross.kv", 12, m, "model.decoder.layers.0.encoder_attn.v_proj");
    packed_check_linear(file, "decoder.0.cross.out", 0, m, "model.decoder.layers.0.encoder_attn.out_proj");
    packed_check_linear(file, "decoder.0.cross.norm", 0, m, "model.decoder.layers.0.encoder_attn_layer_norm");
    packed_check_linear(file, "decoder.0.ffn.norm", 0, m, "model.decoder.layers.0.final_layer_norm");
    const tfm_tensor *position = tfm_file_tensor(file, "position");
    cr_assert(position && position->shape[0] == 20 && position->shape[1] == 12);
    for (uint64_t p = 0; p < 20; p++)
        for (uint64_t i = 0; i < 12; i++) {
            double angle = (double)p / pow(10000, 2 * (double)(i % 6) / 12);
            cr_assert_float_eq(packed_at(position, p, i), (float)(i < 6 ? sin(angle) : cos(angle)), 1e-7f);
        }
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(marian, options) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    tfm_file *file = packed_open(folder);
    const tfm_table *t = tfm_file_table(file, "architecture");
    cr_assert_eq(tfm_table_count(t), 3 + 2 * 19);
    cr_assert_str_eq(tfm_table_string(t, "kind", ""), "encoder-decoder");
    cr_assert_eq(tfm_table_u64(t, "d_model", 0), 12);
    cr_assert_eq(tfm_table_u64(t, "encoder.n_layers", 0), 2);
    cr_assert_eq(tfm_table_u64(t, "decoder.n_layers", 0), 1);
    cr_assert_eq(tfm_table_u64(t, "encoder.n_heads", 0), 3);
    cr_assert_eq(tfm_table_u64(t, "encoder.head_dim", 0), 4);
    cr_assert_eq(tfm_table_u64(t, "decoder.n_heads", 0), 2);
    cr_assert_eq(tfm_table_u64(t, "decoder.head_dim", 0), 6);
    cr_assert_eq(tfm_table_u64(t, "encoder.d_ff", 0), 20);
    cr_assert_eq(tfm_table_u64(t, "decoder.d_ff", 0), 17);
    cr_assert_str_eq(tfm_table_string(t, "decoder.activation", ""), "silu");
    cr_assert_str_eq(tfm_table_string(t, "encoder.norm_placement", ""), "post");
    cr_assert_eq(tfm_table_f64(t, "encoder.embed_scale", 0), sqrt(12.0));
    cr_assert_eq(tfm_table_f64(t, "decoder.attention_scale", 0), 1 / sqrt(6.0));
    cr_assert_eq(tfm_table_f64(t, "decoder.norm_eps", 0), 1e-5);
    const tfm_table *meta = tfm_file_table(file, "metadata");
    cr_assert_str_eq(tfm_table_string(meta, "source", ""), strrchr(folder, '/') + 1);
    cr_assert_null(tfm_file_table(file, "tokenizer"));
    tfm_file_close(&file);
    scratch_remove(&folder);
}

static void check_activation(const char *theirs, const char *ours) {
    marian small = marian_default();
    small.activation = theirs;
    char *folder = marian_folder(&small);
    if (ours) {
        tfm_file *file = packed_open(folder);
        cr_assert_str_eq(tfm_table_string(tfm_file_table(file, "architecture"), "encoder.activation", ""), ours);
        tfm_file_close(&file);
    } else {
        REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, TFM_F32, error), "activation_function");
    }
    scratch_remove(&folder);
}

Test(marian, activations) {
    check_activation("relu", "relu");
    check_activation("gelu", "gelu");
    check_activation("gelu_new", "gelu_tanh");
    check_activation("gelu_pytorch_tanh", "gelu_tanh");
    check_activation("gelu_fast", "gelu_tanh");
    check_activation("silu", "silu");
    check_activation("swish", "silu");
    check_activation("mish", NULL);
}

Test(marian, bare_model) {
    marian small = marian_default();
    small.bare = true;
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    tfm_file *file = packed_open(folder);
    packed_check(file, "embed", 0, model_find(m, "shared.weight"));
    packed_check_linear(file, "decoder.0.ffn.up", 0, m, "decoder.layers.0.fc1");
    cr_assert_null(tfm_file_tensor(file, "output.bias"));
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(marian, separate_embeddings) {
    marian small = marian_default();
    small.shared = false;
    small.decoder_vocab = 41;
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    tfm_file *file = packed_open(folder);
    packed_check(file, "encoder.embed", 0, model_find(m, "model.encoder.embed_tokens.weight"));
    packed_check(file, "decoder.embed", 0, model_find(m, "model.decoder.embed_tokens.weight"));
    packed_check(file, "output.bias", 0, model_find(m, "final_logits_bias"));
    cr_assert_null(tfm_file_tensor(file, "embed"));
    cr_assert_null(tfm_file_tensor(file, "output.weight"));
    cr_assert_eq(tfm_table_u64(tfm_file_table(file, "architecture"), "decoder.vocab_size", 0), 41);
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(marian, untied_output) {
    marian small = marian_default();
    small.tied = false;
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    tfm_file *file = packed_open(folder);
    packed_check(file, "output.weight", 0, model_find(m, "lm_head.weight"));
    packed_check(file, "embed", 0, model_find(m, "model.shared.weight"));
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

/* A stored head that differs although the configuration ties it is left out, as transformers does, and said. */
Test(marian, a_tied_head_that_differs) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    model_add(m, "lm_head.weight", small.vocab, small.d, TFM_ST_F32);
    write_safetensors(in(folder, "model.safetensors"), m);
    tfm_file *file = packed_open(folder);
    packed_check(file, "embed", 0, model_find(m, "model.shared.weight"));
    cr_assert_null(tfm_file_tensor(file, "output.weight"));
    cr_assert(strstr(packed_notes, "lm_head.weight is not used"), "%s", packed_notes);
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(marian, stored_positions_count) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    tensor *a = model_add(m, "model.encoder.embed_positions.weight", small.positions, small.d, TFM_ST_F32);
    tensor *b = model_add(m, "model.decoder.embed_positions.weight", small.positions, small.d, TFM_ST_F32);
    write_safetensors(in(folder, "model.safetensors"), m);
    tfm_file *file = packed_open(folder);
    cr_assert_null(tfm_file_tensor(file, "position"));
    const tfm_tensor *t = tfm_file_tensor(file, "encoder.position");
    cr_assert(t && t->layout == TFM_LAYOUT_ROWS && packed_at(t, 3, 5) == a->values[3 * 12 + 5]);
    t = tfm_file_tensor(file, "decoder.position");
    cr_assert(t && packed_at(t, 19, 11) == b->values[19 * 12 + 11]);
    tfm_file_close(&file);
    memcpy(b->values, a->values, b->count * sizeof *b->values);
    write_safetensors(in(folder, "model.safetensors"), m);
    file = packed_open(folder);
    t = tfm_file_tensor(file, "position");
    cr_assert(t && !tfm_file_tensor(file, "encoder.position") && packed_at(t, 3, 5) == a->values[3 * 12 + 5]);
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(marian, position_numbers_are_ignored) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    model_add(m, "model.encoder.position_ids", 1, small.positions, TFM_ST_I64);
    write_safetensors(in(folder, "model.safetensors"), m);
    tfm_file *file = packed_open(folder);
    tfm_file_close(&file);
    model_find(m, "model.encoder.position_ids")->dtype = TFM_ST_F32;
    write_safetensors(in(folder, "model.safetensors"), m);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "not expected: model.encoder.position_ids");
    model_free(&m);
    scratch_remove(&folder);
}

/* ---- configuration ---- */

static void check_config(const char *extra, tfm_status expected, const char *text) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    packed_configure(folder, extra);
    REQUIRE_ERROR(expected, packed_try(folder, TFM_F32, error), text);
    scratch_remove(&folder);
}

Test(marian, configurations_are_checked) {
    check_config("{\"model_type\": \"bort\"}", TFM_ERROR_UNSUPPORTED, "'bort' is not supported");
    check_config("{\"model_type\": 3}", TFM_ERROR_UNSUPPORTED, "model_type");
    check_config("{\"d_model\": 0}", TFM_ERROR_FORMAT, "d_model");
    check_config("{\"d_model\": -12}", TFM_ERROR_FORMAT, "d_model");
    check_config("{\"d_model\": \"12\"}", TFM_ERROR_FORMAT, "d_model");
    check_config("{\"d_model\": 12.5}", TFM_ERROR_FORMAT, "d_model");
    check_config("{\"d_model\": 1000000000000}", TFM_ERROR_FORMAT, "d_model");
    check_config("{\"encoder_attention_heads\": 5}", TFM_ERROR_FORMAT,
                 "encoder_attention_heads does not divide d_model");
    check_config("{\"scale_embedding\": 1}", TFM_ERROR_FORMAT, "scale_embedding");
    check_config("{\"tie_encoder_decoder\": true}", TFM_ERROR_UNSUPPORTED, "tie_encoder_decoder");
    check_config("{\"decoder_start_token_id\": 37}", TFM_ERROR_FORMAT, "decoder_start_token_id");
    check_config("{\"eos_token_id\": \"</s>\"}", TFM_ERROR_FORMAT, "eos_token_id");
    check_config("{\"bad_words_ids\": [3]}", TFM_ERROR_FORMAT, "bad_words_ids");
    check_config("{\"num_beams\": -1}", TFM_ERROR_FORMAT, "num_beams");
    check_config("{\"early_stopping\": \"often\"}", TFM_ERROR_FORMAT, "early_stopping");
}
