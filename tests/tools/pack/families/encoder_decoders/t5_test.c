/* t5_test.c - T5 in its versions, mT5, encoders alone, and every misfit named. */
#include <math.h>
#include <string.h>

#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"

TestSuite(t5, .timeout = 120);

enum { D = 10, V = 33, F = 14, HEADS = 3, E = 4, BUCKETS = 8 };

#define CONFIG(type, more)                                                                                             \
    "{\"model_type\": \"" type "\", \"d_model\": 10, \"vocab_size\": 33, \"d_ff\": 14, \"num_heads\": 3, \"d_kv\": 4," \
    " \"num_layers\": 2, \"num_decoder_layers\": 1, \"relative_attention_num_buckets\": 8,"                            \
    " \"relative_attention_max_distance\": 20" more "}"

static void add(model *m, const char *stack, int block, const char *rest, uint64_t rows, uint64_t columns) {
    model_add(m, tfm_name_format("%s.block.%d.layer.%s.weight", stack, block, rest).text, rows, columns, TFM_ST_F32);
}

static void add_block(model *m, const char *stack, int i, bool gated) {
    bool decoder = stack[0] == 'd';
    add(m, stack, i, "0.SelfAttention.q", HEADS * E, D);
    add(m, stack, i, "0.SelfAttention.k", HEADS * E, D);
    add(m, stack, i, "0.SelfAttention.v", HEADS * E, D);
    add(m, stack, i, "0.SelfAttention.o", D, HEADS * E);
    if (i == 0) add(m, stack, i, "0.SelfAttention.relative_attention_bias", BUCKETS, HEADS);
    add(m, stack, i, "0.layer_norm", D, 0);
    if (decoder) {
        add(m, stack, i, "1.EncDecAttention.q", HEADS * E, D);
        add(m, stack, i, "1.EncDecAttention.k", HEADS * E, D);
        add(m, stack, i, "1.EncDecAttention.v", HEADS * E, D);
        add(m, stack, i, "1.EncDecAttention.o", D, HEADS * E);
        add(m, stack, i, "1.layer_norm", D, 0);
    }
    add(m, stack, i, decoder ? "2.DenseReluDense.wo" : "1.DenseReluDense.wo", D, F);
    add(m, stack, i, decoder ? "2.layer_norm" : "1.layer_norm", D, 0);
    if (gated) {
        add(m, stack, i, decoder ? "2.DenseReluDense.wi_0" : "1.DenseReluDense.wi_0", F, D);
        add(m, stack, i, decoder ? "2.DenseReluDense.wi_1" : "1.DenseReluDense.wi_1", F, D);
    } else {
        add(m, stack, i, decoder ? "2.DenseReluDense.wi" : "1.DenseReluDense.wi", F, D);
    }
}

static model *make(bool gated, bool tied, bool decoder) {
    model *m = model_new(0x51ed2701);
    model_add(m, "shared.weight", V, D, TFM_ST_F32);
    for (int i = 0; i < 2; i++) add_block(m, "encoder", i, gated);
    model_add(m, "encoder.final_layer_norm.weight", D, 0, TFM_ST_F32);
    if (!decoder) return m;
    add_block(m, "decoder", 0, gated);
    model_add(m, "decoder.final_layer_norm.weight", D, 0, TFM_ST_F32);
    if (!tied) model_add(m, "lm_head.weight", V, D, TFM_ST_F32);
    return m;
}

Test(t5, first_version) {
    model *m = make(false, true, true);
    model_tie(m, "encoder.embed_tokens.weight", "shared.weight");
    model_add(m, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", BUCKETS, HEADS, TFM_ST_F32);
    char *folder = packed_folder(CONFIG("t5", ""), m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "kind"), "encoder-decoder");
    cr_assert_str_eq(packed_word(file, "encoder.activation"), "relu");
    cr_assert_str_eq(packed_word(file, "encoder.norm"), "rms");
    cr_assert_str_eq(packed_word(file, "encoder.position"), "relative");
    cr_assert_str_eq(packed_word(file, "decoder.biases"), "none");
    cr_assert_eq(packed_number(file, "encoder.head_dim"), E);
    cr_assert_eq(packed_number(file, "encoder.relative_buckets"), BUCKETS);
    cr_assert_eq(packed_number(file, "decoder.relative_max_distance"), 20);
    cr_assert_eq(packed_number(file, "encoder.n_layers"), 2);
    cr_assert_eq(packed_number(file, "decoder.n_layers"), 1);
    cr_assert_eq(packed_real(file, "encoder.attention_scale"), 1.0);
    cr_assert_eq(packed_real(file, "encoder.norm_eps"), 1e-6);
    cr_assert_eq(packed_real(file, "output.scale"), 1 / sqrt(10.0));
    packed_check(file, "embed", 0, model_find(m, "shared.weight"));
    cr_assert_null(tfm_file_tensor(file, "output.weight"));
    packed_check_table(file, "decoder.relative",
                       model_find(m, "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"));
    packed_check(file, "encoder.1.attention.qkv.weight", 12,
                 model_find(m, "encoder.block.1.layer.0.SelfAttention.k.weight"));
    packed_check(file, "decoder.0.cross.kv.weight", 12,
                 model_find(m, "decoder.block.0.layer.1.EncDecAttention.v.weight"));
    packed_check(file, "decoder.0.cross.norm.weight", 0, model_find(m, "decoder.block.0.layer.1.layer_norm.weight"));
    packed_check(file, "decoder.0.ffn.norm.weight", 0, model_find(m, "decoder.block.0.layer.2.layer_norm.weight"));
    packed_check(file, "encoder.0.ffn.up.weight", 0, model_find(m, "encoder.block.0.layer.1.DenseReluDense.wi.weight"));
    packed_check(file, "decoder.norm.weight", 0, model_find(m, "decoder.final_layer_norm.weight"));
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

static void check_gated(const char *config) {
    model *m = make(true, false, true);
    char *folder = packed_folder(config, m);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "decoder.activation"), "gelu_tanh");
    cr_assert_eq(packed_number(file, "decoder.gated"), 1);
    cr_assert_eq(packed_real(file, "output.scale"), -1.0, "not there");
    packed_check(file, "output.weight", 0, model_find(m, "lm_head.weight"));
    packed_check(file, "decoder.0.ffn.gate.weight", 0,
                 model_find(m, "decoder.block.0.layer.2.DenseReluDense.wi_0.weight"));
    packed_check(file, "decoder.0.ffn.up.weight", 0,
                 model_find(m, "decoder.block.0.layer.2.DenseReluDense.wi_1.weight"));
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

Test(t5, gated_and_untied) {
    check_gated(CONFIG("t5", ", \"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": false"));
    check_gated(CONFIG("mt5", "")); /* its defaults */
}

Test(t5, encoder_alone_with_pooling) {
    static const char modules[] =
        "[{\"idx\": 0, \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}]";
    model *m = make(false, true, false);
    char *folder = packed_folder(CONFIG("t5", ""), m);
    write_file(in(folder, "modules.json"), modules, sizeof modules - 1);
    tfm_file *file = packed_open(folder);
    cr_assert_str_eq(packed_word(file, "kind"), "encoder");
    cr_assert_null(tfm_file_table(file, "generation"));
    cr_assert_null(tfm_file_tensor(file, "decoder.norm.weight"));
    tfm_file_close(&file);
    model_free(&m);
    scratch_remove(&folder);
}

static void nothing(model *m) { (void)m; }
static void drop_relative(model *m) {
    model_drop(m, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
}
static void add_bias(model *m) { model_add(m, "encoder.block.1.layer.0.SelfAttention.q.bias", 12, 0, TFM_ST_F32); }
static void drop_embedding(model *m) { model_drop(m, "shared.weight"); }

Test(t5, misfits_are_named) {
    const char *config = CONFIG("t5", "");
    packed_misfit(config, make(false, true, true), drop_relative, TFM_ERROR_FORMAT,
                  "1 missing: encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
    packed_misfit(config, make(false, true, true), add_bias, TFM_ERROR_FORMAT,
                  "1 not expected: encoder.block.1.layer.0.SelfAttention.q.bias");
    packed_misfit(config, make(false, true, true), drop_embedding, TFM_ERROR_FORMAT, "1 missing: shared.weight");
    packed_misfit(config, make(true, true, true), nothing, TFM_ERROR_FORMAT,
                  "3 missing: encoder.block.0.layer.1.DenseReluDense.wi.weight");
    packed_misfit(CONFIG("t5", ", \"feed_forward_proj\": \"gated-mish\""), make(true, true, true), nothing,
                  TFM_ERROR_UNSUPPORTED, "feed_forward_proj");
    packed_misfit(CONFIG("t5", ", \"layer_norm_epsilon\": \"small\""), make(true, true, true), nothing,
                  TFM_ERROR_FORMAT, "layer_norm_epsilon");
}
