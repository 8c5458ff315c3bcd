/* bart_test.c - BART, mBART, M2M100, Pegasus: where they differ from Marian, and every misfit named. */
#include <math.h>

#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"

TestSuite(bart, .timeout = 120);

/* The sizes of marian_default(): d 12, 20 positions, 2 + 1 layers. */
#define CONFIG(type, more)                                                                                             \
    "{\"model_type\": \"" type "\", \"d_model\": 12, \"vocab_size\": 37, \"max_position_embeddings\": 20,"             \
    " \"encoder_layers\": 2, \"decoder_layers\": 1, \"encoder_attention_heads\": 3, \"decoder_attention_heads\": 2,"   \
    " \"encoder_ffn_dim\": 20, \"decoder_ffn_dim\": 17, \"decoder_start_token_id\": 2" more "}"

enum { POSITIONS = 1, EMBED_NORM = 2, FINAL_NORM = 4 };

static model *make(int extras) {
    static const char *const stacks[] = {"encoder", "decoder"};
    marian small = marian_default();
    cr_assert(small.d == 12 && small.vocab == 37 && small.positions == 20);
    model *m = model_marian(&small);
    for (int i = 0; i < 2; i++) {
        const tfm_name positions = tfm_name_format("model.%s.embed_positions.weight", stacks[i]);
        const tfm_name embed_norm = tfm_name_format("model.%s.layernorm_embedding", stacks[i]);
        const tfm_name final_norm = tfm_name_format("model.%s.layer_norm", stacks[i]);
        if (extras & POSITIONS) model_add(m, positions.text, 22, 12, TFM_ST_F32);
        if (extras & EMBED_NORM) model_add_linear(m, embed_norm.text, 12, 0, true, TFM_ST_F32);
        if (extras & FINAL_NORM) model_add_linear(m, final_norm.text, 12, 0, true, TFM_ST_F32);
    }
    return m;
}

Test(bart, post_norm_and_learned_positions) {
    model *m = make(POSITIONS | EMBED_NORM);
    char *folder = packed_folder(CONFIG("bart", ""), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "family"), "bart");
    cr_assert_str_eq(packed_word(file, "encoder.norm_placement"), "post");
    cr_assert_str_eq(packed_word(file, "encoder.activation"), "gelu");
    cr_assert_eq(packed_number(file, "encoder.position_offset"), 2);
    cr_assert_eq(packed_number(file, "decoder.max_positions"), 20);
    cr_assert_eq(packed_number(file, "encoder.embed_norm"), 1);
    cr_assert_eq(packed_number(file, "encoder.final_norm"), 0);
    cr_assert_eq(packed_real(file, "encoder.embed_scale"), 1.0);
    packed_check(file, "embed", 0, model_find(m, "model.shared.weight"));
    packed_check_table(file, "encoder.position", model_find(m, "model.encoder.embed_positions.weight"));
    packed_check_table(file, "decoder.position", model_find(m, "model.decoder.embed_positions.weight"));
    packed_check_linear(file, "decoder.embed_norm", 0, m, "model.decoder.layernorm_embedding");
    packed_check_linear(file, "decoder.0.cross.kv", 12, m, "model.decoder.layers.0.encoder_attn.v_proj");
    cr_assert_eq(tfm_table_u64(tfm_file_table(file, "generation"), "forced_eos_token_id", 99), 2);
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(bart, mbart) {
    model *m = make(POSITIONS | EMBED_NORM | FINAL_NORM);
    char *folder = packed_folder(CONFIG("mbart", ", \"scale_embedding\": true"), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "encoder.norm_placement"), "pre");
    cr_assert_eq(packed_number(file, "decoder.final_norm"), 1);
    cr_assert_eq(packed_real(file, "decoder.embed_scale"), sqrt(12.0));
    packed_check_linear(file, "encoder.norm", 0, m, "model.encoder.layer_norm");
    packed_check_linear(file, "encoder.embed_norm", 0, m, "model.encoder.layernorm_embedding");
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

/* Position p is row p + 2 of a table whose frequencies go from 1 to 1/10000. */
Test(bart, m2m100_positions) {
    model *m = make(FINAL_NORM);
    model_drop(m, "final_logits_bias");
    char *folder = packed_folder(CONFIG("m2m_100", ", \"pad_token_id\": 1"), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "decoder.activation"), "relu");
    cr_assert_eq(packed_number(file, "encoder.position_offset"), 2);
    cr_assert_eq(packed_real(file, "encoder.embed_scale"), sqrt(12.0));
    const tfm_tensor *t = tfm_file_tensor(file, "position");
    cr_assert(t && t->shape[0] == 22 && t->shape[1] == 12);
    for (uint64_t p = 2; p < 22; p++)
        for (uint64_t i = 0; i < 6; i++) {
            double angle = (double)p / pow(10000, (double)i / 5);
            cr_assert_float_eq(packed_at(t, p, i), (float)sin(angle), 1e-7f);
            cr_assert_float_eq(packed_at(t, p, 6 + i), (float)cos(angle), 1e-7f);
        }
    cr_assert_null(tfm_table_find(tfm_file_table(file, "generation"), "forced_eos_token_id"));
    tfm_file_close(&file);
    /* older versions saved the table, under another name */
    model_add(m, "model.encoder.embed_positions.weights", 22, 12, TFM_ST_F32);
    write_safetensors(in(folder, "model.safetensors"), m);
    file = packed_open(folder);
    cr_assert_null(tfm_file_tensor(file, "encoder.position"));
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(bart, pegasus) {
    model *m = make(FINAL_NORM);
    char *folder = packed_folder(CONFIG("pegasus", ""), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "encoder.norm_placement"), "pre");
    cr_assert_eq(packed_number(file, "encoder.embed_norm"), 0);
    cr_assert_eq(packed_number(file, "encoder.position_offset"), 0);
    const tfm_tensor *t = tfm_file_tensor(file, "position");
    cr_assert(t && t->shape[0] == 20);
    cr_assert_float_eq(packed_at(t, 7, 4), (float)sin(7 / pow(10000, 8.0 / 12)), 1e-7f);
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

static void drop_positions(model *m) { model_drop(m, "model.decoder.embed_positions.weight"); }
static void drop_norm(model *m) { model_drop(m, "model.encoder.layernorm_embedding.bias"); }
static void add_final_norm(model *m) { model_add(m, "model.encoder.layer_norm.weight", 12, 0, TFM_ST_F32); }
static void add_classifier(model *m) { model_add(m, "classification_head.out_proj.weight", 3, 12, TFM_ST_F32); }
static void short_positions(model *m) {
    tensor *t = model_find(m, "model.encoder.embed_positions.weight");
    t->shape[0] = 20;
    t->count = 240;
}

Test(bart, misfits_are_named) {
    const int all = POSITIONS | EMBED_NORM;
    packed_misfit(CONFIG("bart", ""), make(all), drop_positions, TFM_ERROR_FORMAT,
                  "1 missing: model.decoder.embed_positions.weight");
    packed_misfit(CONFIG("bart", ""), make(all), drop_norm, TFM_ERROR_FORMAT,
                  "1 missing: model.encoder.layernorm_embedding.bias");
    packed_misfit(CONFIG("bart", ""), make(all), add_final_norm, TFM_ERROR_FORMAT,
                  "1 not expected: model.encoder.layer_norm.weight");
    packed_misfit(CONFIG("bart", ""), make(all), add_classifier, TFM_ERROR_FORMAT,
                  "1 not expected: classification_head.out_proj.weight");
    packed_misfit(CONFIG("bart", ""), make(all), short_positions, TFM_ERROR_FORMAT,
                  "model.encoder.embed_positions.weight [20, 12] instead of [22, 12]");
    packed_misfit(CONFIG("bart", ", \"activation_function\": \"mish\""), make(all), short_positions,
                  TFM_ERROR_UNSUPPORTED, "activation_function");
}
