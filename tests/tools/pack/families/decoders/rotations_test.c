/* rotations_test.c - rotations and windows as configurations of different ages write them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"

TestSuite(rotations, .timeout = 120);

enum { D = 32, LAYERS = 4, HEAD = 16, HEADS = 2, F = 8, V = 11 };

#define SIZES                                                                                                          \
    "\"hidden_size\": 32, \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"num_hidden_layers\": 4,"           \
    " \"intermediate_size\": 8, \"vocab_size\": 11, \"max_position_embeddings\": 64, \"head_dim\": 16,"                \
    " \"bos_token_id\": 1, \"eos_token_id\": 2, \"pad_token_id\": 0"

/* ---- a checkpoint ---- */

static void add(model *m, int layer, const char *part, uint64_t rows, uint64_t columns) {
    model_add(m, tfm_name_format("model.layers.%d.%s.weight", layer, part).text, rows, columns, TFM_ST_F32);
}

/* A folder of a type: llama, qwen3 or phi3. */
static char *make(const char *type) {
    model *m = model_new(3141592);
    const bool is_joined = !strcmp(type, "phi3"), has_qk_norm = !strcmp(type, "qwen3");
    model_add(m, "model.embed_tokens.weight", V, D, TFM_ST_F32);
    model_add(m, "lm_head.weight", V, D, TFM_ST_F32);
    model_add(m, "model.norm.weight", D, 0, TFM_ST_F32);
    for (int i = 0; i < LAYERS; i++) {
        add(m, i, "input_layernorm", D, 0);
        add(m, i, "post_attention_layernorm", D, 0);
        if (is_joined) {
            add(m, i, "self_attn.qkv_proj", (HEADS + 2) * HEAD, D);
            add(m, i, "mlp.gate_up_proj", 2 * F, D);
        } else {
            add(m, i, "self_attn.q_proj", HEADS * HEAD, D);
            add(m, i, "self_attn.k_proj", HEAD, D);
            add(m, i, "self_attn.v_proj", HEAD, D);
            add(m, i, "mlp.gate_proj", F, D);
            add(m, i, "mlp.up_proj", F, D);
        }
        if (has_qk_norm) add(m, i, "self_attn.q_norm", HEAD, 0);
        if (has_qk_norm) add(m, i, "self_attn.k_norm", HEAD, 0);
        add(m, i, "self_attn.o_proj", D, HEADS * HEAD);
        add(m, i, "mlp.down_proj", D, F);
    }
    char config[1000];
    snprintf(config, sizeof config, "{\"model_type\": \"%s\", %s}", type, SIZES);
    char *folder = packed_folder(config, m);
    model_free(&m);
    return folder;
}

static tfm_file *open_with(const char *type, const char *members) {
    char *folder = make(type);
    packed_configure(folder, members);
    tfm_file *file = packed_open(folder);
    scratch_remove(&folder);
    return file;
}

static void check_refused(const char *type, const char *members, tfm_status status, const char *message) {
    char *folder = make(type);
    packed_configure(folder, members);
    REQUIRE_ERROR(status, packed_try(folder, TFM_F32, error), message);
    scratch_remove(&folder);
}

/* ---- one thing written in several ways ---- */

static uint64_t architecture_of(const char *type, const char *members) {
    tfm_file *file = open_with(type, members);
    uint64_t hash = 0;
    for (size_t i = 0; i < tfm_file_section_count(file); i++)
        if (!strcmp(tfm_file_section_at(file, i)->name, "architecture")) hash = tfm_file_section_at(file, i)->hash;
    cr_expect(!strstr(packed_notes, "left out"), "%s: %s", members, packed_notes);
    tfm_file_close(&file);
    return hash;
}

Test(rotations, older_and_newer_forms) {
    static const struct {
        const char *type, *older, *newer;
    } pairs[] = {
        {"llama", "{\"rope_theta\": 5000.0}",
         "{\"rope_parameters\": {\"rope_theta\": 5000, \"rope_type\": \"default\"}}"},
        {"llama", "{\"rope_theta\": 5000.0}",
         "{\"rope_theta\": 5000, \"rope_parameters\": {\"rope_theta\": 5000.0, \"rope_type\": \"default\"}}"},
        {"llama", "{\"rope_theta\": 5000.0}",
         "{\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 5000, \"rope_type\": \"default\"},"
         " \"sliding_attention\": {\"rope_theta\": 5000, \"rope_type\": \"default\"}}}"},
        {"llama", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}}",
         "{\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"linear\", \"factor\": 4}}"},
        {"llama", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}}",
         "{\"rope_scaling\": {\"rope_theta\": 10000.0, \"rope_type\": \"linear\", \"type\": \"linear\", \"factor\": "
         "4}}"},
        {"llama",
         "{\"rope_theta\": 500.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": "
         "1.0,"
         " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}}",
         "{\"rope_parameters\": {\"rope_theta\": 500.0, \"rope_type\": \"llama3\", \"factor\": 8.0, "
         "\"low_freq_factor\": 1.0,"
         " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}}"},
        {"phi3", "{\"partial_rotary_factor\": 0.5}",
         "{\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"default\", \"partial_rotary_factor\": "
         "0.5}}"},
        {"qwen3", "{\"use_sliding_window\": true, \"sliding_window\": 7, \"max_window_layers\": 3}",
         "{\"use_sliding_window\": true, \"sliding_window\": 7, \"max_window_layers\": 0, \"layer_types\":"
         " [\"full_attention\", \"full_attention\", \"full_attention\", \"sliding_attention\"]}"},
        {"qwen3", "{\"use_sliding_window\": false, \"sliding_window\": 7, \"max_window_layers\": 2}",
         "{\"use_sliding_window\": false, \"sliding_window\": null, \"layer_types\":"
         " [\"full_attention\", \"full_attention\", \"full_attention\", \"full_attention\"]}"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        cr_expect_eq(architecture_of(pairs[i].type, pairs[i].older), architecture_of(pairs[i].type, pairs[i].newer),
                     "%s\n%s", pairs[i].older, pairs[i].newer);
    cr_expect_neq(architecture_of("llama", "{\"rope_theta\": 5000.0}"), architecture_of("llama", "{}"));
}

/* ---- values ---- */

static void check_frequencies(const char *members, const double *factors, double rope_factor, uint64_t longest) {
    tfm_file *file = open_with("llama", members);
    const tfm_table *t = tfm_file_table(file, "architecture");
    const tfm_value *v = tfm_table_find(t, "decoder.rope_frequencies");
    cr_assert(v && v->n == HEAD, "%s", members);
    for (int i = 0; i < HEAD / 2; i++) {
        const float *f = v->data;
        const double right = pow(10000, -i / 8.0) * factors[i], got = (double)f[i] + (double)f[HEAD / 2 + i];
        cr_expect(fabs(got / right - 1) < 1e-12, "%s: frequency %d: %.17g, not %.17g", members, i, got, right);
    }
    cr_expect_float_eq(tfm_table_f64(t, "decoder.rope_factor", 0), rope_factor, 1e-12, "%s", members);
    cr_expect_eq(tfm_table_u64(t, "decoder.max_positions", 0), longest, "%s", members);
    tfm_file_close(&file);
}

/*
 * YaRN ("YaRN: Efficient Context Window Extension", Peng et al. 2023), over 32 positions: feature
 * 16 ln(32 / (turns 2 pi)) / (2 ln 10000) makes 32 turns at -1.597 and one turn at 1.4140.
 */
Test(rotations, yarn) {
    const double whole[] = {1, 0.625, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25};
    const double end = 16 * log(32 / (2 * M_PI)) / (2 * log(10000)), ramp = 1 / end;
    const double parts[] = {1, 0.25 * ramp + 1 - ramp, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25};
    const double scale = 0.1 * log(4) + 1;
#define YARN "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32"
    check_frequencies("{\"max_position_embeddings\": 128, " YARN "}}", whole, scale, 128);
    check_frequencies("{\"max_position_embeddings\": 32, " YARN "}}", whole, scale, 128);
    check_frequencies("{\"max_position_embeddings\": 32, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}}",
                      whole, scale, 128);
    check_frequencies("{" YARN ", \"beta_fast\": null, \"beta_slow\": 0}}", whole, scale, 128);
    check_frequencies("{" YARN ", \"truncate\": false}}", parts, scale, 128);
    check_frequencies("{" YARN ", \"attention_factor\": 1.5}}", whole, 1.5, 128);
    check_frequencies("{" YARN ", \"mscale\": 0.707, \"mscale_all_dim\": 0.707}}", whole, 1, 128);
    check_frequencies("{" YARN ", \"mscale\": 1.0, \"mscale_all_dim\": 0.5}}", whole, scale / (0.05 * log(4) + 1), 128);
}

Test(rotations, windows) {
    static const struct {
        const char *members;
        uint32_t windows[LAYERS]; /* all 0: there is no such option */
    } cases[] = {
        {"{\"use_sliding_window\": true, \"sliding_window\": 7, \"max_window_layers\": 1}", {0, 7, 7, 7}},
        {"{\"use_sliding_window\": true, \"sliding_window\": 7}", {0, 0, 0, 0}}, /* the first 28 see everything */
        {"{\"use_sliding_window\": true, \"sliding_window\": 7, \"max_window_layers\": 28, \"layer_types\":"
         " [\"sliding_attention\", \"full_attention\", \"sliding_attention\", \"full_attention\"]}",
         {7, 0, 7, 0}},
        {"{\"sliding_window\": 7, \"max_window_layers\": 1}", {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_file *file = open_with("qwen3", cases[i].members);
        const tfm_value *v = tfm_table_find(tfm_file_table(file, "architecture"), "decoder.windows");
        for (int k = 0; k < LAYERS; k++) {
            uint32_t window = 0;
            if (v) memcpy(&window, (const char *)v->data + 4 * k, 4);
            cr_expect_eq(window, cases[i].windows[k], "%s: layer %d", cases[i].members, k);
        }
        tfm_file_close(&file);
    }
}

/* Inputs beyond the trained length would take the other list of factors: the limit is that length, and it is said. */
Test(rotations, longrope) {
    tfm_file *file = open_with("phi3", "{\"max_position_embeddings\": 64, \"original_max_position_embeddings\": 16,"
                                       " \"rope_scaling\": {\"type\": \"longrope\","
                                       " \"short_factor\": [1, 1, 1, 1, 1, 1, 1, 2],"
                                       " \"long_factor\": [1, 1, 1, 1, 1, 1, 1, 9]}}");
    cr_expect_eq(tfm_table_u64(tfm_file_table(file, "architecture"), "decoder.max_positions", 0), 16);
    cr_expect(strstr(packed_notes, "longrope: inputs up to the 16 positions"), "%s", packed_notes);
    tfm_file_close(&file);
}

/* ---- what cannot be obeyed ---- */

Test(rotations, refused) {
    check_refused("llama", "{\"rope_scaling\": {\"rope_type\": \"spiral\", \"factor\": 2.0}}", TFM_ERROR_UNSUPPORTED,
                  "config.json: rope_scaling.rope_type has a value that is not supported: \"spiral\"");
    check_refused("llama", "{\"rope_parameters\": {\"rope_type\": \"spiral\"}}", TFM_ERROR_UNSUPPORTED,
                  "config.json: rope_parameters.rope_type has a value that is not supported: \"spiral\"");
    check_refused("llama", "{\"rope_theta\": 100.0, \"rope_parameters\": {\"rope_theta\": 200.0}}", TFM_ERROR_FORMAT,
                  "config.json: rope_theta is another than among the settings of rotations");
    check_refused("phi3", "{\"partial_rotary_factor\": 1.0, \"rope_parameters\": {\"partial_rotary_factor\": 0.5}}",
                  TFM_ERROR_FORMAT, "config.json: partial_rotary_factor is another than");
    check_refused("llama",
                  "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": {\"rope_type\":"
                  " \"linear\", \"factor\": 4}}",
                  TFM_ERROR_FORMAT, "config.json: rope_scaling and rope_parameters, which mean the same, differ");
    check_refused("llama",
                  "{\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 5000},"
                  " \"sliding_attention\": {\"rope_theta\": 100}}}",
                  TFM_ERROR_UNSUPPORTED, "config.json: rope_parameters has other rotations for other layers");
    check_refused("qwen3", "{\"layer_types\": [\"full_attention\"]}", TFM_ERROR_FORMAT,
                  "config.json: layer_types does not name a type for each layer");
    check_refused(
        "qwen3",
        "{\"layer_types\": [\"full_attention\", \"linear_attention\", \"full_attention\", \"full_attention\"]}",
        TFM_ERROR_UNSUPPORTED, "config.json: layer_types has a value that is not supported: [\"full_attention\"");
    check_refused("llama", "{\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}}",
                  TFM_ERROR_UNSUPPORTED,
                  "config.json: quantization_config is not supported ({\"quant_method\":\"gptq\"");
    check_refused("llama", "{\"rope_scaling\": \"linear\"}", TFM_ERROR_FORMAT,
                  "config.json: rope_scaling is no object");
    check_refused("llama", "{\"rope_parameters\": [1]}", TFM_ERROR_FORMAT, "config.json: rope_parameters is no object");
    check_refused("qwen2", "{\"is_causal\": false}", TFM_ERROR_UNSUPPORTED, "config.json: is_causal is false");
    check_refused("qwen3", "{\"use_bidirectional_attention\": true}", TFM_ERROR_UNSUPPORTED,
                  "config.json: use_bidirectional_attention is not supported (true)");
    check_refused("llama", "{\"hidden_act\": \"quick_gelu\"}", TFM_ERROR_UNSUPPORTED,
                  "config.json: hidden_act has a value that is not supported: \"quick_gelu\"");
}
