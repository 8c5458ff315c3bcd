/* architecture_test.c - the options of section architecture: what is read, and what is refused by its name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/model.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

/* The table of a builder; *data is freed after it. */
static tfm_table *table_of(tfm_table_builder *builder, void **data) {
    tfm_table *table;
    size_t n;
    REQUIRE_OK(tfm_table_build(builder, data, &n, error));
    REQUIRE_OK(tfm_table_open(&table, *data, n, "test", error));
    tfm_table_builder_free(&builder);
    return table;
}

static void copy_value(tfm_table_builder *to, const tfm_value *value) {
    if (value->type == TFM_VALUE_U64) tfm_table_set_u64(to, value->key, value->u64);
    if (value->type == TFM_VALUE_F64) tfm_table_set_f64(to, value->key, value->f64);
    if (value->type == TFM_VALUE_STRING) tfm_table_set_string(to, value->key, value->data);
}

Test(architecture, all_is_read) {
    tiny_config c = tiny_config_default();
    c.encoder.n_heads = 6;
    c.decoder.activation = "gelu_tanh";
    c.decoder.rms = true;
    c.decoder.position_offset = 2;
    void *data;
    tfm_table *table = table_of(tiny_architecture(&c), &data);
    tfm_architecture o;
    REQUIRE_OK(tfm_architecture_read(&o, table, "f.bin", error));
    cr_assert(o.kind == TFM_KIND_ENCODER_DECODER && o.has_encoder && o.has_decoder && o.d_model == 15);
    cr_assert_str_eq(o.family, "tiny");
    cr_assert(o.encoder.vocab_size == 37 && o.encoder.n_layers == 2 && o.encoder.n_heads == 6 &&
              o.encoder.n_kv_heads == 3 && o.encoder.head_dim == 5 && o.encoder.d_ff == 29);
    cr_assert(o.encoder.activation == TFM_ACT_RELU && o.decoder.activation == TFM_ACT_GELU_TANH);
    cr_assert(o.encoder.norm == TFM_NORM_LAYER && o.decoder.norm == TFM_NORM_RMS);
    cr_assert(o.decoder.position == TFM_POSITION_TABLE && o.decoder.position_offset == 2);
    cr_assert(o.encoder.max_positions == 320 && o.encoder.biases == 7 && o.encoder.embed_scale == 1.5f);
    tfm_table_close(&table);
    free(data);
}

/* Each key in turn is left out. */
Test(architecture, missing_keys_are_named) {
    tiny_config c = tiny_config_default();
    void *data, *reduced_data;
    tfm_table *table = table_of(tiny_architecture(&c), &data);
    size_t n_refused = 0;
    for (size_t skip = 0; skip < tfm_table_count(table); skip++) {
        tfm_table_builder *builder = tfm_table_builder_new();
        for (size_t i = 0; i < tfm_table_count(table); i++)
            if (i != skip) copy_value(builder, tfm_table_at(table, i));
        tfm_table *reduced = table_of(builder, &reduced_data);
        const char *key = tfm_table_at(table, skip)->key;
        tfm_architecture o;
        if (strstr(key, "position_offset") || !strcmp(key, "family")) {
            REQUIRE_OK(tfm_architecture_read(&o, reduced, "f.bin", error));
        } else {
            REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_architecture_read(&o, reduced, "f.bin", error), "f.bin", key,
                          "missing");
            n_refused++;
        }
        tfm_table_close(&reduced);
        free(reduced_data);
    }
    cr_assert(n_refused == 2 + 2 * 18, "%zu keys", n_refused);
    tfm_table_close(&table);
    free(data);
}

static void refuse(tfm_table_builder *builder, const char *key) {
    void *data;
    tfm_table *table = table_of(builder, &data);
    tfm_architecture o;
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_architecture_read(&o, table, "f.bin", error), "f.bin", key);
    tfm_table_close(&table);
    free(data);
}

Test(architecture, values_out_of_range_are_named) {
    static const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"d_model", 0},
                  {"d_model", UINT64_MAX},
                  {"encoder.vocab_size", 0},
                  {"encoder.vocab_size", 1 << 25},
                  {"encoder.n_layers", 1025},
                  {"decoder.n_heads", 0},
                  {"decoder.n_heads", 1ull << 32},
                  {"decoder.head_dim", 0},
                  {"decoder.head_dim", 4097},
                  {"decoder.d_ff", 0},
                  {"encoder.gated", 2},
                  {"encoder.position_offset", 1 << 21},
                  {"encoder.max_positions", 0},
                  {"encoder.max_positions", (1 << 22) + 1},
                  {"encoder.embed_norm", 7},
                  {"encoder.norm_bias", 2},
                  {"decoder.rope_dim", 1},
                  {"decoder.rope_dim", 4098},
                  {"encoder.relative_buckets", 1},
                  {"encoder.relative_max_distance", 0},
                  {"encoder.token_types", 1 << 17},
                  {"encoder.embed_width", (1 << 20) + 1},
                  {"head.classes", 0},
                  {"pooler", 2}};
    static const struct {
        const char *key;
        double value;
    } reals[] = {{"encoder.norm_eps", -1e-5},
                 {"encoder.norm_eps", 1.5},
                 {"decoder.attention_scale", -1},
                 {"decoder.attention_scale", (double)INFINITY},
                 {"decoder.embed_scale", 1e7},
                 {"decoder.residual_scale", 1e7},
                 {"decoder.attention_soft_cap", -1},
                 {"decoder.rope_factor", -1},
                 {"output.scale", 0},
                 {"output.soft_cap", -2}};
    static const char *const words[][2] = {{"kind", "decoder-encoder"},
                                           {"encoder.activation", "relu6"},
                                           {"encoder.activation", ""},
                                           {"encoder.norm", "batch"},
                                           {"encoder.norm_placement", "post "},
                                           {"decoder.position", "roped"},
                                           {"decoder.biases", "some"},
                                           {"decoder.sublayers", "aside"},
                                           {"decoder.qk_norm", "all"},
                                           {"decoder.rope_layout", "whole"},
                                           {"head", "lm"},
                                           {"pooling", "last"}};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_u64(builder, counts[i].key, counts[i].value);
        refuse(builder, counts[i].key);
        builder = tiny_architecture(&c);
        tfm_table_set_string(builder, counts[i].key, "5"); /* the wrong type */
        refuse(builder, counts[i].key);
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_f64(builder, reals[i].key, reals[i].value);
        refuse(builder, reals[i].key);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_string(builder, words[i][0], words[i][1]);
        refuse(builder, words[i][0]);
    }
    tfm_table_builder *builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "decoder.n_kv_heads", 2); /* does not divide 3 */
    refuse(builder, "decoder");
}

/* What one option asks of others. */
Test(architecture, contradictions_are_named) {
    static const char *const words[][2] = {{"decoder.position", "rope"},
                                           {"decoder.position", "alibi"},
                                           {"decoder.position", "relative"},
                                           {"decoder.sublayers", "parallel"},
                                           {"head", "masked_lm"}};
    static const struct {
        const char *key, *named;
        tfm_value_type type;
        uint32_t n;
    } arrays[] = {{"decoder.windows", "decoder.windows", TFM_VALUE_U32S, 3},
                  {"decoder.windows", "decoder.windows", TFM_VALUE_F32S, 2},
                  {"encoder.windows", "encoder", TFM_VALUE_U32S, 2},
                  {"decoder.alibi_slopes", "decoder.alibi_slopes", TFM_VALUE_F32S, 4},
                  {"decoder.rope_frequencies", "decoder.rope_frequencies", TFM_VALUE_F32S, 6}};
    static const float numbers[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_string(builder, words[i][0], words[i][1]);
        refuse(builder, i < 4 ? "decoder" : "head");
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_array(builder, arrays[i].key, arrays[i].type, numbers, arrays[i].n);
        refuse(builder, arrays[i].named);
    }
    c.decoder.position_word = "rope";
    c.decoder.rope_dim = 4;
    tfm_table_builder *builder = tiny_architecture(&c);
    const float bad[4] = {1, INFINITY, 0, 0};
    tfm_table_set_array(builder, "decoder.rope_frequencies", TFM_VALUE_F32S, bad, 4);
    refuse(builder, "decoder");
    c.decoder.rope_dim = 6; /* a head has 5 features */
    refuse(tiny_architecture(&c), "decoder");
    c.decoder.rope_dim = 3;
    refuse(tiny_architecture(&c), "decoder");
    c = tiny_config_default();
    builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "decoder.token_types", 2);
    refuse(builder, "decoder");
    builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "decoder.embed_width", 3);
    refuse(builder, "decoder");
    builder = tiny_architecture(&c);
    tfm_table_set_string(builder, "decoder.norm_placement", "both");
    tfm_table_set_f64(builder, "decoder.residual_scale", 0.5);
    refuse(builder, "decoder");
}

/* Options that nothing would be done with: of another kind of positions, of another norm, of a head that is not there.
 */
Test(architecture, unused_keys_are_named) {
    static const struct {
        const char *key;
        double value;
        bool real;
    } keys[] = {{"encoder.rope_dim", 4, false},
                {"decoder.rope_factor", 1, true},
                {"encoder.relative_buckets", 32, false},
                {"decoder.relative_max_distance", 128, false},
                {"head.dense", 1, false},
                {"head.norm", 0, false},
                {"head.classes", 2, false},
                {"pooling.normalize", 1, false}};
    static const char *const words[][2] = {{"decoder.rope_layout", "halves"},
                                           {"head.activation", "gelu"},
                                           {"head.function", "sigmoid"},
                                           {"pooling", "cls"}};
    static const float slopes[] = {1, 1, 1};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        if (keys[i].real)
            tfm_table_set_f64(builder, keys[i].key, keys[i].value);
        else
            tfm_table_set_u64(builder, keys[i].key, (uint64_t)keys[i].value);
        refuse(builder, keys[i].key);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_string(builder, words[i][0], words[i][1]);
        refuse(builder, words[i][0]);
    }
    tfm_table_builder *builder = tiny_architecture(&c);
    tfm_table_set_array(builder, "decoder.alibi_slopes", TFM_VALUE_F32S, slopes, 3);
    refuse(builder, "decoder.alibi_slopes");
    c.decoder.rms = true;
    builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "decoder.norm_bias", 0);
    refuse(builder, "decoder.norm_bias");
    c.decoder.position_offset = 2;
    c.decoder.position_table = false;
    refuse(tiny_architecture(&c), "decoder.position_offset");
    c = tiny_config_default();
    c.kind = "encoder";
    c.head = "masked_lm";
    builder = tiny_architecture(&c);
    tfm_table_set_string(builder, "head.activation", "gelu"); /* without a dense layer */
    refuse(builder, "head.activation");
}

Test(architecture, unknown_keys_are_named) {
    static const char *const keys[] = {"encoder.window", "decoder.attention_scale2", "rope", "d_model.x",
                                       "encoders.d_ff"};
    tiny_config c = tiny_config_default();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        tfm_table_builder *builder = tiny_architecture(&c);
        tfm_table_set_u64(builder, keys[i], 1);
        refuse(builder, keys[i]);
    }
    c.kind = "decoder";
    tfm_table_builder *builder = tiny_architecture(&c);
    tfm_table_set_u64(builder, "encoder.d_ff", 1); /* a stack that the kind does not have */
    refuse(builder, "encoder.d_ff");
}
