/*
 * ct2_decoder.c - CTranslate2's TransformerDecoderSpec as the decoder-only family that computes the same.
 *
 * Rotations, RMS norms and a gated feed-forward: llama, mistral (a window), qwen2 (biases of queries, keys, values) and
 * qwen3 (norms of heads). Positions from a table: gpt2. Sublayers side by side: gpt_neox and phi.
 */
#include <math.h>
#include <string.h>

#include "ct2_model.h"
#include "tools/pack/common/json_file.h"

#define FIRST "decoder/layer_0/"
#define FIRST_ATTENTION FIRST "self_attention/"
/* Rotations end nowhere; where no file says how long inputs may be, this is the limit. */
#define LONGEST 8192

typedef struct reader {
    tfm_ct2_model *model;
    tfm_ct2_sizes sizes;
    uint64_t n_kv_heads, head_dim;
    const char *activation;
    bool tied;
} reader;

static const tfm_array_view all = {0};

static bool failed(const reader *r) { return r->model->foreign.status != TFM_OK; }

/* ---- options that all have ---- */

static void read_options(reader *r) {
    tfm_ct2_model *m = r->model;
    m->shared_options = m->file.revision < 2;
    r->sizes = tfm_ct2_read_sizes(m, "decoder");
    const uint64_t n_heads = r->sizes.n_heads;
    const int64_t kv = tfm_ct2_integer(m, (int64_t)n_heads, FIRST_ATTENTION "num_heads_kv");
    const int64_t size = tfm_ct2_integer(m, (int64_t)(r->sizes.d / n_heads), FIRST_ATTENTION "head_dim");
    if (kv < 1 || (uint64_t)kv > n_heads || size < 1 || size > 4096)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT,
                         "'" FIRST "self_attention': the numbers and sizes of heads do not fit");
    r->n_kv_heads = failed(r) ? 1 : (uint64_t)kv;
    r->head_dim = failed(r) ? 1 : (uint64_t)size;
    r->activation = tfm_ct2_activation(m, "decoder");
    tfm_ct2_expect(m, tfm_ct2_option(m, "decoder", "pre_norm").text, 1, 1);
    r->tied = tfm_ct2_same(m, "decoder/projection/weight", "decoder/embeddings/weight");
}

/* What attention is told must be the same in all layers. */
static void check_attention(const reader *r, const tfm_ct2_part *layer) {
    static const char *const known[] = {"num_heads_kv",
                                        "head_dim",
                                        "rotary_dim",
                                        "rotary_interleave",
                                        "rotary_base",
                                        "rotary_scaling_type",
                                        "rotary_scaling_factor",
                                        "rotary_low_freq_factor",
                                        "rotary_high_freq_factor",
                                        "original_max_position_embeddings",
                                        "max_position_embeddings",
                                        "sliding_window"};
    tfm_ct2_model *m = r->model;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        const tfm_name first = tfm_name_format(FIRST_ATTENTION "%s", known[k]);
        const tfm_name own = tfm_name_format("%s/self_attention/%s", layer->from.text, known[k]);
        if (tfm_ct2_has(m, "%s", own.text) != tfm_ct2_has(m, "%s", first.text) ||
            tfm_ct2_real(m, 0, own.text) != tfm_ct2_real(m, 0, first.text))
            tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "variable '%s' differs from that of the first layer",
                             own.text);
    }
    const double scale = 1 / sqrt((double)r->head_dim);
    tfm_ct2_expect(m, tfm_ct2_name_there(layer, "self_attention/queries_scale").text, scale, scale);
}

/* What must have its default or has no effect, in the stack and in each layer. */
static void check_switches(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_ct2_read_switches(m, "decoder");
    tfm_ct2_expect(m, "decoder/start_from_zero_embedding", 0, 0);
    tfm_ct2_expect(m, "decoder/scale_outputs", 1, 1);
    /* A flag of 1 is the root of d; one of 0, and a number of 1, is no factor. */
    tfm_ct2_expect(m, "decoder/scale_embeddings", 1, 0);
    for (uint64_t i = 0; i < r->sizes.n_layers && !failed(r); i++) {
        const tfm_ct2_part layer = tfm_ct2_layer(m, "", "decoder", i);
        check_attention(r, &layer);
        tfm_ct2_expect(m, tfm_ct2_name_there(&layer, "layer_scalar").text, 1, 1);
    }
}

/* ---- configuration ---- */

/* The length tokenizer_config.json beside it gives, if it gives one. */
static uint64_t longest(const reader *r) {
    tfm_ct2_model *m = r->model;
    json_t *object = NULL;
    if (failed(r)) return LONGEST;
    const tfm_path path = tfm_path_in(m->folder.text, "tokenizer_config.json");
    m->foreign.status = tfm_json_load(path.text, TFM_JSON_OPTIONAL, &object, m->foreign.error);
    const double length = json_number_value(json_object_get(object, "model_max_length"));
    json_decref(object);
    if (length >= 1 && length <= 1 << 22) return (uint64_t)length;
    tfm_foreign_note(&m->foreign, "the longest input is not in the checkpoint; the limit is %d tokens", LONGEST);
    return LONGEST;
}

static void write_rope_scaling(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    const int64_t type = tfm_ct2_integer(m, -1, FIRST_ATTENTION "rotary_scaling_type");
    const double factor = tfm_ct2_real(m, 1, FIRST_ATTENTION "rotary_scaling_factor");
    const double low = tfm_ct2_real(m, 1, FIRST_ATTENTION "rotary_low_freq_factor");
    const double high = tfm_ct2_real(m, 4, FIRST_ATTENTION "rotary_high_freq_factor");
    if (type == -1) return;
    json_t *scaling = json_object();
    tfm_foreign_set_string(foreign, scaling, "rope_type", type == 0 ? "linear" : "llama3");
    tfm_foreign_set_real(foreign, scaling, "factor", factor);
    if (type == 2) {
        const int64_t original = tfm_ct2_integer(m, 0, FIRST_ATTENTION "original_max_position_embeddings");
        tfm_foreign_set_real(foreign, scaling, "low_freq_factor", low);
        tfm_foreign_set_real(foreign, scaling, "high_freq_factor", high);
        /* Their converter leaves it out; all models of this kind of scaling have the same. */
        if (original < 1)
            tfm_foreign_note(foreign, "the length llama3 scaling starts from is not in the checkpoint; 8192 is taken");
        tfm_foreign_set_u64(foreign, scaling, "original_max_position_embeddings",
                            original > 0 ? (uint64_t)original : 8192);
    } else if (type != 0) {
        tfm_foreign_fail(foreign, TFM_ERROR_UNSUPPORTED,
                         "variable '" FIRST_ATTENTION "rotary_scaling_type': type %d is not supported", (int)type);
    }
    tfm_foreign_set(foreign, m->config, "rope_scaling", scaling);
}

/* Theta and scaling; returns how many features of a head are rotated. */
static uint64_t write_rotations(const reader *r, const char *theta) {
    tfm_ct2_model *m = r->model;
    const int64_t part = tfm_ct2_integer(m, -1, FIRST_ATTENTION "rotary_dim");
    tfm_foreign_set_real(&m->foreign, m->config, theta, tfm_ct2_real(m, 10000, FIRST_ATTENTION "rotary_base"));
    tfm_ct2_expect(m, FIRST_ATTENTION "rotary_interleave", 0, 0);
    if (!tfm_ct2_has(m, FIRST_ATTENTION "rotary_interleave"))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "rotations of neighbouring features (rotary_interleave) are not supported");
    if (part < 0 || (uint64_t)part > r->head_dim)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT,
                         "variable '" FIRST_ATTENTION "rotary_dim' is missing or too large");
    write_rope_scaling(r);
    return part <= 0 ? r->head_dim : (uint64_t)part;
}

/* ---- attention ---- */

static void check_rows(const reader *r, const tfm_ct2_part *layer, uint64_t rows) {
    const tfm_name name = tfm_ct2_name_there(layer, "self_attention/linear_0/weight");
    if (tfm_ct2_dimension(r->model, name.text, 0) != rows)
        tfm_foreign_fail(&r->model->foreign, TFM_ERROR_FORMAT, "variable '%s' has not the rows its heads need",
                         name.text);
}

/* Keys and values may have fewer heads. */
static void show_qkv(const reader *r, const tfm_ct2_part *layer, bool has_bias) {
    const uint64_t q = r->sizes.n_heads * r->head_dim, kv = r->n_kv_heads * r->head_dim;
    check_rows(r, layer, q + 2 * kv);
    tfm_ct2_linear_rows(layer, "self_attn.q_proj", "self_attention/linear_0", 0, q, has_bias);
    tfm_ct2_linear_rows(layer, "self_attn.k_proj", "self_attention/linear_0", q, kv, has_bias);
    tfm_ct2_linear_rows(layer, "self_attn.v_proj", "self_attention/linear_0", q + kv, kv, has_bias);
}

/* ---- Llama and its relatives ---- */

static void show_llama(const reader *r, const char *type) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    const bool head_norms = !strcmp(type, "qwen3"), out_bias = tfm_ct2_has(m, FIRST_ATTENTION "linear_1/bias");
    const bool qkv_bias = !strcmp(type, "qwen2") || out_bias, ffn_bias = tfm_ct2_has(m, FIRST "ffn/linear_1/bias");
    tfm_ct2_show(&whole, "model.embed_tokens.weight", "decoder/embeddings/weight", all);
    tfm_ct2_norm(&whole, "model.norm", "decoder/layer_norm", false);
    if (!r->tied) tfm_ct2_linear(&whole, "lm_head", "decoder/projection", false);
    for (uint64_t i = 0; i < r->sizes.n_layers && !failed(r); i++) {
        const tfm_ct2_part layer = tfm_ct2_layer(m, "model.layers", "decoder", i);
        show_qkv(r, &layer, qkv_bias);
        tfm_ct2_linear(&layer, "self_attn.o_proj", "self_attention/linear_1", out_bias);
        tfm_ct2_norm(&layer, "input_layernorm", "self_attention/layer_norm", false);
        if (head_norms) {
            tfm_ct2_norm(&layer, "self_attn.q_norm", "self_attention/q_norm", false);
            tfm_ct2_norm(&layer, "self_attn.k_norm", "self_attention/k_norm", false);
        }
        tfm_ct2_linear(&layer, "mlp.gate_proj", "ffn/linear_0", ffn_bias);
        tfm_ct2_linear(&layer, "mlp.up_proj", "ffn/linear_0_noact", ffn_bias);
        tfm_ct2_linear(&layer, "mlp.down_proj", "ffn/linear_1", ffn_bias);
        tfm_ct2_norm(&layer, "post_attention_layernorm", "ffn/layer_norm", false);
    }
}

static void read_llama(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    const int64_t window = tfm_ct2_integer(m, 0, FIRST_ATTENTION "sliding_window");
    const bool out_bias = tfm_ct2_has(m, FIRST_ATTENTION "linear_1/bias");
    const char *type = "llama";
    if (tfm_ct2_has(m, FIRST_ATTENTION "q_norm/gamma"))
        type = "qwen3";
    else if (tfm_ct2_has(m, FIRST_ATTENTION "linear_0/bias") && !out_bias)
        type = "qwen2";
    else if (window > 0)
        type = "mistral";
    tfm_ct2_expect(m, "decoder/sliding_window", (double)window, (double)window);
    tfm_foreign_set_string(foreign, m->config, "model_type", type);
    tfm_ct2_set_sizes(m, &r->sizes);
    tfm_foreign_set_u64(foreign, m->config, "num_key_value_heads", r->n_kv_heads);
    tfm_foreign_set_u64(foreign, m->config, "head_dim", r->head_dim);
    tfm_foreign_set_u64(foreign, m->config, "max_position_embeddings", longest(r));
    tfm_foreign_set_string(foreign, m->config, "hidden_act", r->activation);
    tfm_foreign_set_real(foreign, m->config, "rms_norm_eps", tfm_ct2_epsilon(m, true));
    tfm_foreign_set_bool(foreign, m->config, "tie_word_embeddings", r->tied);
    tfm_foreign_set_bool(foreign, m->config, "attention_bias", out_bias);
    tfm_foreign_set_bool(foreign, m->config, "mlp_bias", tfm_ct2_has(m, FIRST "ffn/linear_1/bias"));
    if (!strncmp(type, "qwen", 4)) tfm_foreign_set_bool(foreign, m->config, "use_sliding_window", window > 0);
    if (window > 0) tfm_foreign_set_u64(foreign, m->config, "sliding_window", (uint64_t)window);
    if (write_rotations(r, "rope_theta") != r->head_dim)
        tfm_foreign_fail(foreign, TFM_ERROR_UNSUPPORTED,
                         "variable '" FIRST_ATTENTION
                         "rotary_dim': heads rotated in part are not supported with RMS norms");
    check_switches(r);
    show_llama(r, type);
}

/* ---- GPT-2 ---- */

static void show_gpt2(const reader *r) {
    const tfm_ct2_part whole = tfm_ct2_whole(r->model);
    tfm_ct2_show(&whole, "transformer.wte.weight", "decoder/embeddings/weight", all);
    tfm_ct2_show(&whole, "transformer.wpe.weight", "decoder/position_encodings/encodings", all);
    tfm_ct2_norm(&whole, "transformer.ln_f", "decoder/layer_norm", true);
    if (!r->tied) tfm_ct2_linear(&whole, "lm_head", "decoder/projection", false);
    for (uint64_t i = 0; i < r->sizes.n_layers && !failed(r); i++) {
        const tfm_ct2_part layer = tfm_ct2_layer(r->model, "transformer.h", "decoder", i);
        tfm_ct2_linear_transposed(&layer, "attn.c_attn", "self_attention/linear_0");
        tfm_ct2_linear_transposed(&layer, "attn.c_proj", "self_attention/linear_1");
        tfm_ct2_norm(&layer, "ln_1", "self_attention/layer_norm", true);
        tfm_ct2_linear_transposed(&layer, "mlp.c_fc", "ffn/linear_0");
        tfm_ct2_linear_transposed(&layer, "mlp.c_proj", "ffn/linear_1");
        tfm_ct2_norm(&layer, "ln_2", "ffn/layer_norm", true);
    }
}

static void read_gpt2(const reader *r) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    const uint64_t positions = tfm_ct2_dimension(m, "decoder/position_encodings/encodings", 0);
    tfm_foreign_set_string(foreign, m->config, "model_type", "gpt2");
    tfm_foreign_set_u64(foreign, m->config, "n_embd", r->sizes.d);
    tfm_foreign_set_u64(foreign, m->config, "n_inner", r->sizes.d_ff);
    tfm_foreign_set_u64(foreign, m->config, "n_layer", r->sizes.n_layers);
    tfm_foreign_set_u64(foreign, m->config, "n_head", r->sizes.n_heads);
    tfm_foreign_set_u64(foreign, m->config, "vocab_size", r->sizes.vocab_size);
    tfm_foreign_set_u64(foreign, m->config, "n_positions", positions);
    tfm_foreign_set_string(foreign, m->config, "activation_function", r->activation);
    tfm_foreign_set_real(foreign, m->config, "layer_norm_epsilon", tfm_ct2_epsilon(m, false));
    tfm_foreign_set_bool(foreign, m->config, "tie_word_embeddings", r->tied);
    if (r->n_kv_heads != r->sizes.n_heads || r->head_dim * r->sizes.n_heads != r->sizes.d)
        tfm_foreign_fail(foreign, TFM_ERROR_UNSUPPORTED,
                         "shared key heads are not supported with a table of positions");
    check_switches(r);
    show_gpt2(r);
}

/* ---- sublayers side by side ---- */

/* theta, fraction: the keys of the family. */
static void write_parallel(const reader *r, const char *type, const char *theta, const char *fraction) {
    tfm_ct2_model *m = r->model;
    tfm_foreign_model *foreign = &m->foreign;
    tfm_foreign_set_string(foreign, m->config, "model_type", type);
    tfm_ct2_set_sizes(m, &r->sizes);
    tfm_foreign_set_u64(foreign, m->config, "max_position_embeddings", longest(r));
    tfm_foreign_set_string(foreign, m->config, "hidden_act", r->activation);
    tfm_foreign_set_real(foreign, m->config, "layer_norm_eps", tfm_ct2_epsilon(m, false));
    tfm_foreign_set_bool(foreign, m->config, "tie_word_embeddings", r->tied);
    /* A fraction of the head; half a feature more, so that it rounds to the whole number again. */
    const uint64_t part = write_rotations(r, theta);
    tfm_foreign_set_real(foreign, m->config, fraction,
                         part == r->head_dim ? 1 : ((double)part + 0.5) / (double)r->head_dim);
    check_switches(r);
}

static void show_gpt_neox_layer(const reader *r, uint64_t i, bool parallel) {
    const tfm_ct2_part layer = tfm_ct2_layer(r->model, "gpt_neox.layers", "decoder", i);
    const tfm_array_view by_head = {.heads = r->sizes.n_heads};
    check_rows(r, &layer, 3 * r->sizes.d);
    tfm_ct2_show(&layer, "attention.query_key_value.weight", "self_attention/linear_0/weight", by_head);
    tfm_ct2_show(&layer, "attention.query_key_value.bias", "self_attention/linear_0/bias", by_head);
    tfm_ct2_linear(&layer, "attention.dense", "self_attention/linear_1", true);
    tfm_ct2_norm(&layer, "input_layernorm", parallel ? "input_layer_norm" : "self_attention/layer_norm", true);
    tfm_ct2_norm(&layer, "post_attention_layernorm", parallel ? "post_attention_layer_norm" : "ffn/layer_norm", true);
    tfm_ct2_linear(&layer, "mlp.dense_h_to_4h", "ffn/linear_0", true);
    tfm_ct2_linear(&layer, "mlp.dense_4h_to_h", "ffn/linear_1", true);
}

static void read_gpt_neox(const reader *r) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    const bool parallel = tfm_ct2_has(m, FIRST "input_layer_norm/gamma");
    write_parallel(r, "gpt_neox", "rotary_emb_base", "rotary_pct");
    tfm_foreign_set_bool(&m->foreign, m->config, "use_parallel_residual", parallel);
    if (r->n_kv_heads != r->sizes.n_heads || r->head_dim * r->sizes.n_heads != r->sizes.d)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "shared key heads are not supported with layer norms and rotations");
    tfm_ct2_show(&whole, "gpt_neox.embed_in.weight", "decoder/embeddings/weight", all);
    tfm_ct2_norm(&whole, "gpt_neox.final_layer_norm", "decoder/layer_norm", true);
    if (!r->tied) tfm_ct2_linear(&whole, "embed_out", "decoder/projection", false);
    for (uint64_t i = 0; i < r->sizes.n_layers && !failed(r); i++) show_gpt_neox_layer(r, i, parallel);
}

static void read_phi(const reader *r) {
    tfm_ct2_model *m = r->model;
    const tfm_ct2_part whole = tfm_ct2_whole(m);
    write_parallel(r, "phi", "rope_theta", "partial_rotary_factor");
    tfm_foreign_set_u64(&m->foreign, m->config, "num_key_value_heads", r->n_kv_heads);
    if (r->head_dim * r->sizes.n_heads != r->sizes.d)
        tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED,
                         "heads that are not the width of the model are not supported here");
    tfm_ct2_show(&whole, "model.embed_tokens.weight", "decoder/embeddings/weight", all);
    tfm_ct2_norm(&whole, "model.final_layernorm", "decoder/layer_norm", true);
    tfm_ct2_linear(&whole, "lm_head", "decoder/projection", true);
    for (uint64_t i = 0; i < r->sizes.n_layers && !failed(r); i++) {
        const tfm_ct2_part layer = tfm_ct2_layer(m, "model.layers", "decoder", i);
        show_qkv(r, &layer, true);
        tfm_ct2_linear(&layer, "self_attn.dense", "self_attention/linear_1", true);
        tfm_ct2_norm(&layer, "input_layernorm", "shared_layer_norm", true);
        tfm_ct2_linear(&layer, "mlp.fc1", "ffn/linear_0", true);
        tfm_ct2_linear(&layer, "mlp.fc2", "ffn/linear_1", true);
    }
}

void tfm_ct2_read_decoder(tfm_ct2_model *m) {
    reader r = {.model = m};
    read_options(&r);
    if (failed(&r)) return;
    const bool rotated = tfm_ct2_has(m, FIRST_ATTENTION "rotary_dim");
    const bool layer_norm = tfm_ct2_has(m, "decoder/layer_norm/beta");
    const bool gated = tfm_ct2_has(m, FIRST "ffn/linear_0_noact/weight");
    if (rotated && !layer_norm && gated)
        read_llama(&r);
    else if (!rotated && layer_norm && !gated && tfm_ct2_has(m, "decoder/position_encodings/encodings"))
        read_gpt2(&r);
    else if (rotated && layer_norm && !gated && tfm_ct2_has(m, FIRST "shared_layer_norm/gamma"))
        read_phi(&r);
    else if (rotated && layer_norm && !gated)
        read_gpt_neox(&r);
    else
        tfm_foreign_fail(
            &m->foreign, TFM_ERROR_UNSUPPORTED,
            "this decoder (%s, %s norms, %s feed-forward) is none of the supported ones: Llama, Mistral, Qwen, "
            "GPT-2, GPT-NeoX, Phi",
            rotated ? "rotations" : "no rotations", layer_norm ? "layer" : "RMS", gated ? "gated" : "plain");
    tfm_ct2_set_token(m, "bos_token_id", "bos_token");
    tfm_ct2_set_eos(m);
}
