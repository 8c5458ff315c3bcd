/* marian_test.c - the importer: options and tensors as docs/model-contents.md has them, every misfit named. */
#include "tests/tools/pack/packed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        REQUIRE_ERROR(packed_try(folder, TFM_F32, error), TFM_ERROR_UNSUPPORTED, "activation_function");
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
    REQUIRE_ERROR(packed_try(folder, TFM_F32, error), TFM_ERROR_FORMAT, "not expected: model.encoder.position_ids");
    model_free(&m);
    scratch_remove(&folder);
}

/* ---- misfits -------------------------------------------------------------------------------------------------- */

typedef void (*breaker)(model *m);

static void check_misfit(breaker change, tfm_dtype dtype, tfm_status expected, const char *text) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    change(m);
    write_safetensors(in(folder, "model.safetensors"), m);
    size_t before = count_files(folder);
    REQUIRE_ERROR(packed_try(folder, dtype, error), expected, text);
    cr_assert_eq(count_files(folder), before, "a failed run leaves nothing");
    model_free(&m);
    scratch_remove(&folder);
}

#define FC1 "model.encoder.layers.1.fc1.weight"

static void drop_two(model *m) {
    model_drop(m, FC1);
    model_drop(m, "model.decoder.layers.0.encoder_attn.k_proj.bias");
}
static void drop_embedding(model *m) { model_drop(m, "model.shared.weight"); }
static void add_extra(model *m) { model_add(m, "model.encoder.layernorm_embedding.weight", 12, 0, TFM_ST_F32); }
static void add_layer(model *m) { model_add(m, "model.encoder.layers.2.fc1.bias", 12, 0, TFM_ST_F32); }
static void reshape(model *m) {
    tensor *t = model_find(m, FC1);
    t->shape[0] = t->shape[1];
    t->shape[1] = 20;
}
static void flatten(model *m) {
    tensor *t = model_find(m, FC1);
    t->rank = 1;
    t->shape[0] = t->count;
}
static void to_double(model *m) { model_find(m, FC1)->dtype = TFM_ST_F64; }
static void to_integer(model *m) { model_find(m, FC1)->dtype = TFM_ST_I64; }
static void put_nan(model *m) {
    model_find(m, FC1)->values[77] = NAN;
    model_find(m, "model.decoder.layers.0.fc2.bias")->values[0] = -INFINITY;
}
static void too_large(model *m) { model_find(m, FC1)->values[5] = -70000; }

Test(marian, misfits_are_named) {
    check_misfit(drop_two, TFM_F32, TFM_ERROR_FORMAT,
                 "2 missing: " FC1 ", model.decoder.layers.0.encoder_attn.k_proj.bias");
    check_misfit(drop_embedding, TFM_F32, TFM_ERROR_FORMAT, "1 missing: model.shared.weight");
    check_misfit(add_extra, TFM_F32, TFM_ERROR_FORMAT, "1 not expected: model.encoder.layernorm_embedding.weight");
    check_misfit(add_layer, TFM_F32, TFM_ERROR_FORMAT, "1 not expected: model.encoder.layers.2.fc1.bias");
    check_misfit(reshape, TFM_F32, TFM_ERROR_FORMAT, FC1 " [12, 20] instead of [20, 12]");
    check_misfit(flatten, TFM_F32, TFM_ERROR_FORMAT, FC1 " [240] instead of [20, 12]");
    check_misfit(to_double, TFM_F32, TFM_ERROR_UNSUPPORTED, FC1 " (F64)");
    check_misfit(to_integer, TFM_F32, TFM_ERROR_UNSUPPORTED, FC1 " (I64)");
    check_misfit(put_nan, TFM_F32, TFM_ERROR_FORMAT,
                 "2 tensors have values that are not finite (NaN or infinity): " FC1
                 ", model.decoder.layers.0.fc2.bias");
    check_misfit(too_large, TFM_F16, TFM_ERROR_UNSUPPORTED, FC1 "' has the value -70000, which f16 cannot hold");
}

Test(marian, many_misfits_are_counted) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    small.encoder_layers = 40;
    write_config(folder, &small, NULL);
    REQUIRE_ERROR(packed_try(folder, TFM_F32, error), TFM_ERROR_FORMAT,
                  "608 missing: model.encoder.layers.2.self_attn.q_proj");
    scratch_remove(&folder);
}

static void check_config(const char *extra, tfm_status expected, const char *text) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    packed_configure(folder, extra);
    REQUIRE_ERROR(packed_try(folder, TFM_F32, error), expected, text);
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

/* ---- generation ----------------------------------------------------------------------------------------------- */

static void check_u32s(const tfm_table *t, const char *key, const uint32_t *expected, size_t n) {
    const tfm_value *v = tfm_table_find(t, key);
    cr_assert(v && v->type == TFM_VALUE_U32S && v->n == n, "%s", key);
    cr_assert_eq(memcmp(v->data, expected, n * sizeof *expected), 0, "%s", key);
}

Test(marian, generation_from_config_json) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_config(folder, &small,
                 ", \"num_beams\": 6, \"max_length\": 33, \"bad_words_ids\": [[3], [1, 2]], \"length_penalty\": 0.5,"
                 " \"early_stopping\": true, \"do_sample\": true, \"max_new_tokens\": null");
    tfm_file *file = packed_open(folder);
    const tfm_table *t = tfm_file_table(file, "generation");
    cr_assert_eq(tfm_table_u64(t, "num_beams", 0), 6);
    cr_assert_eq(tfm_table_u64(t, "max_length", 0), 33);
    cr_assert_eq(tfm_table_f64(t, "length_penalty", 0), 0.5);
    cr_assert_str_eq(tfm_table_string(t, "early_stopping", ""), "true");
    cr_assert_eq(tfm_table_u64(t, "decoder_start_token_id", 99), 3);
    cr_assert_eq(tfm_table_u64(t, "forced_eos_token_id", 99), 0, "the class's default");
    cr_assert_null(tfm_table_find(t, "max_new_tokens"));
    cr_assert_null(tfm_table_find(t, "do_sample"));
    check_u32s(t, "eos_token_id", (uint32_t[]){0}, 1);
    check_u32s(t, "bad_words_ids", (uint32_t[]){1, 3, 2, 1, 2}, 5);
    cr_assert(strstr(packed_notes, "do_sample"), "%s", packed_notes);
    tfm_file_close(&file);
    scratch_remove(&folder);
}

static char *folder_with_generation(const char *text) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_file(in(folder, "generation_config.json"), text, strlen(text));
    return folder;
}

/* What is said of sampling is kept; transformers' top_k of 50 where tokens are drawn and nothing is said. */
Test(marian, generation_of_samples) {
    static const struct {
        const char *text;
        uint64_t do_sample, top_k; /* 99: absent */
        double temperature, top_p, min_p, typical_p;
    } cases[] = {
        {"{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.9}", 1, 50, 0.6, 0.9, 9, 9},
        {"{\"do_sample\": true, \"num_beams\": 1, \"top_k\": 7, \"min_p\": 0.05, \"typical_p\": 0.2}", 1, 7, 9, 9, 0.05,
         0.2},
        {"{\"do_sample\": true, \"top_k\": null, \"temperature\": null}", 1, 99, 9, 9, 9, 9},
        {"{\"do_sample\": true, \"top_k\": 0}", 1, 0, 9, 9, 9, 9},
        {"{\"temperature\": 0.0, \"top_p\": 1.0, \"top_k\": -1}", 99, 99, 9, 1, 9, 9}, /* not drawn: no harm */
        {"{\"do_sample\": false, \"temperature\": 0.7, \"top_k\": 20}", 99, 20, 0.7, 9, 9, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = folder_with_generation(cases[i].text);
        tfm_file *file = packed_open(folder);
        const tfm_table *t = tfm_file_table(file, "generation");
        cr_assert_eq(tfm_table_u64(t, "do_sample", 99), cases[i].do_sample, "%s", cases[i].text);
        cr_assert_eq(tfm_table_u64(t, "top_k", 99), cases[i].top_k, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "temperature", 9), cases[i].temperature, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "top_p", 9), cases[i].top_p, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "min_p", 9), cases[i].min_p, "%s", cases[i].text);
        cr_assert_eq(tfm_table_f64(t, "typical_p", 9), cases[i].typical_p, "%s", cases[i].text);
        tfm_file_close(&file);
        scratch_remove(&folder);
    }
}

Test(marian, generation_of_impossible_samples) {
    static const char *const cases[][2] = {{"temperature", "0"}, {"temperature", "-1"}, {"temperature", "\"hot\""},
                                           {"top_p", "1.5"},     {"min_p", "-0.5"},     {"typical_p", "2"},
                                           {"top_k", "-1"},      {"top_k", "1.5"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"do_sample\": true, \"%s\": %s}", cases[i][0], cases[i][1]);
        char *folder = folder_with_generation(text);
        tfm_error error = {0};
        cr_assert_eq(packed_try(folder, TFM_F32, &error), TFM_ERROR_FORMAT, "%s", text);
        cr_assert(strstr(error.message, cases[i][0]), "%s", error.message);
        scratch_remove(&folder);
    }
}

/* With a generation_config.json, config.json says nothing about generation any more. */
Test(marian, generation_config_json_counts_alone) {
    static const char text[] =
        "{\"eos_token_id\": [0, 5], \"decoder_start_token_id\": 4, \"num_beams\": 2,"
        " \"early_stopping\": \"never\", \"renormalize_logits\": true, \"repetition_penalty\": 2,"
        " \"forced_eos_token_id\": null, \"no_repeat_ngram_size\": 3, \"suppress_tokens\": [7]}";
    marian small = marian_default();
    char *folder = marian_folder(&small);
    write_config(folder, &small, ", \"num_beams\": 6, \"max_length\": 33, \"bad_words_ids\": [[3]]");
    write_file(in(folder, "generation_config.json"), text, sizeof text - 1);
    tfm_file *file = packed_open(folder);
    const tfm_table *t = tfm_file_table(file, "generation");
    cr_assert_eq(tfm_table_u64(t, "num_beams", 0), 2);
    cr_assert_eq(tfm_table_u64(t, "decoder_start_token_id", 0), 4);
    cr_assert_eq(tfm_table_u64(t, "renormalize_logits", 0), 1);
    cr_assert_eq(tfm_table_u64(t, "no_repeat_ngram_size", 0), 3);
    cr_assert_eq(tfm_table_f64(t, "repetition_penalty", 0), 2);
    cr_assert_str_eq(tfm_table_string(t, "early_stopping", ""), "never");
    cr_assert_null(tfm_table_find(t, "max_length"));
    cr_assert_null(tfm_table_find(t, "bad_words_ids"));
    cr_assert_null(tfm_table_find(t, "forced_eos_token_id"));
    check_u32s(t, "eos_token_id", (uint32_t[]){0, 5}, 2);
    check_u32s(t, "suppress_tokens", (uint32_t[]){7}, 1);
    tfm_file_close(&file);
    scratch_remove(&folder);
}
