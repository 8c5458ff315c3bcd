/*
 * ct2_decoder.c - CTranslate2's TransformerDecoderSpec as the decoder-only family that computes the same.
 *
 * Rotations, RMS norms and a gated feed-forward: llama, mistral (a window), qwen2 (biases of queries, keys, values),
 * qwen3 (norms of heads) and gemma. Positions from a table: gpt2. Sublayers side by side: gpt_neox and phi.
 */
#include <math.h>
#include <string.h>

#include "ct2_model.h"

#define FIRST "decoder/layer_0/"
/* Rotations end nowhere; where no file says how long inputs may be, this is the limit. */
#define LONGEST 8192

typedef struct reader {
    tfm_ct2_model *m;
    uint64_t d, vocab_size, n_layers, n_heads, n_kv_heads, head_dim, d_ff;
    const char *activation;
    bool tied;
} reader;

static tfm_name layer_name(uint64_t i, const char *part) {
    return tfm_name_format("decoder/layer_%llu/%s", (unsigned long long)i, part);
}

/* ---- options that all have ---- */

static void read_sizes(reader *r) {
    tfm_ct2_model *m = r->m;
    r->d = tfm_ct2_dimension(m, "decoder/embeddings/weight", 1);
    r->vocab_size = tfm_ct2_dimension(m, "decoder/embeddings/weight", 0);
    r->n_layers = tfm_ct2_count(m, "decoder/layer_", "self_attention/linear_0/weight");
    if (r->n_layers == 0) tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable 'decoder/layer_0' is missing");
    const bool old = m->file.revision < 2 && !tfm_ct2_has(m, "decoder/num_heads");
    const int64_t heads = tfm_ct2_integer(m, 0, old ? "num_heads" : "decoder/num_heads");
    if (heads < 1 || heads > 4096)
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable 'decoder/num_heads' is missing or absurd");
    r->n_heads = m->status != TFM_OK ? 1 : (uint64_t)heads;
    const int64_t kv = tfm_ct2_integer(m, (int64_t)r->n_heads, FIRST "self_attention/num_heads_kv");
    const int64_t size = tfm_ct2_integer(m, (int64_t)(r->d / r->n_heads), FIRST "self_attention/head_dim");
    if (kv < 1 || (uint64_t)kv > r->n_heads || size < 1 || size > 4096)
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "'" FIRST "self_attention': the numbers and sizes of heads do not fit");
    r->n_kv_heads = m->status != TFM_OK ? 1 : (uint64_t)kv;
    r->head_dim = m->status != TFM_OK ? 1 : (uint64_t)size;
    r->d_ff = tfm_ct2_dimension(m, FIRST "ffn/linear_0/weight", 0);
    r->activation = tfm_ct2_activation(m, old ? "activation" : "decoder/activation");
    tfm_ct2_expect(m, old ? "pre_norm" : "decoder/pre_norm", 1, 1);
    r->tied = tfm_ct2_same(m, "decoder/projection/weight", "decoder/embeddings/weight");
}

/* What must have its default or has no effect, in the stack and in each layer. */
static void read_switches(const reader *r, double embed_scale) {
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
    tfm_ct2_model *m = r->m;
    tfm_ct2_ignore(m, "decoder/alignment_layer");
    tfm_ct2_ignore(m, "decoder/alignment_heads");
    tfm_ct2_expect(m, "decoder/alibi", 0, 0);
    tfm_ct2_ignore(m, "decoder/alibi_use_positive_positions");
    tfm_ct2_ignore(m, "decoder/scale_alibi");
    tfm_ct2_expect(m, "decoder/start_from_zero_embedding", 0, 0);
    tfm_ct2_expect(m, "decoder/scale_outputs", 1, 1);
    /* A flag of 1 is the root of d; one of 0, and a number of 1, is no factor. */
    tfm_ct2_expect(m, "decoder/scale_embeddings", embed_scale, embed_scale == 1 ? 0 : 1);
    for (uint64_t i = 0; i < r->n_layers && m->status == TFM_OK; i++) {
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) { /* the same in all layers */
            const tfm_name first = tfm_name_format(FIRST "self_attention/%s", known[k]);
            const tfm_name own = tfm_name_format("%s/%s", layer_name(i, "self_attention").text, known[k]);
            if (tfm_ct2_has(m, "%s", own.text) != tfm_ct2_has(m, "%s", first.text) ||
                tfm_ct2_real(m, 0, own.text) != tfm_ct2_real(m, 0, first.text))
                tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "variable '%s' differs from that of the first layer", own.text);
        }
        const double scale = 1 / sqrt((double)r->head_dim);
        tfm_ct2_expect(m, layer_name(i, "self_attention/queries_scale").text, scale, scale);
        tfm_ct2_expect(m, layer_name(i, "layer_scalar").text, 1, 1);
    }
}

/* ---- configuration ---- */

/* The length tokenizer_config.json beside it gives, if it gives one. */
static uint64_t longest(const reader *r) {
    const tfm_ct2_path path = tfm_ct2_in_folder(r->m->folder, "tokenizer_config.json");
    json_t *object = json_load_file(path.text, 0, NULL);
    const json_int_t length = json_integer_value(json_object_get(object, "model_max_length"));
    json_decref(object);
    if (length > 0 && length <= 1 << 22) return (uint64_t)length;
    tfm_ct2_note(r->m, "the longest input is not in the checkpoint; the limit is %d tokens", LONGEST);
    return LONGEST;
}

static void write_scaling(const reader *r) {
    tfm_ct2_model *m = r->m;
    const int64_t type = tfm_ct2_integer(m, -1, FIRST "self_attention/rotary_scaling_type");
    const double factor = tfm_ct2_real(m, 1, FIRST "self_attention/rotary_scaling_factor");
    const double low = tfm_ct2_real(m, 1, FIRST "self_attention/rotary_low_freq_factor");
    const double high = tfm_ct2_real(m, 4, FIRST "self_attention/rotary_high_freq_factor");
    if (type == -1) return;
    json_t *scaling = json_object();
    tfm_ct2_set_string(m, scaling, "rope_type", type == 0 ? "linear" : "llama3");
    tfm_ct2_set_real(m, scaling, "factor", factor);
    if (type == 2) {
        const int64_t original = tfm_ct2_integer(m, 0, FIRST "self_attention/original_max_position_embeddings");
        tfm_ct2_set_real(m, scaling, "low_freq_factor", low);
        tfm_ct2_set_real(m, scaling, "high_freq_factor", high);
        /* Their converter leaves it out; all models of this kind of scaling have the same. */
        if (original < 1)
            tfm_ct2_note(m, "the length llama3 scaling starts from is not in the checkpoint; 8192 is taken");
        tfm_ct2_set_integer(m, scaling, "original_max_position_embeddings", original > 0 ? (uint64_t)original : 8192);
    } else if (type != 0) {
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "variable '" FIRST "self_attention/rotary_scaling_type': type %d is not "
                     "supported",
                     (int)type);
    }
    if (json_object_set_new(m->config, "rope_scaling", scaling) != 0) tfm_ct2_fail(m, TFM_ERROR_MEMORY, "no memory");
}

/* Theta and scaling; returns how many features of a head are rotated. */
static uint64_t write_rotations(const reader *r, const char *theta) {
    tfm_ct2_model *m = r->m;
    const int64_t part = tfm_ct2_integer(m, -1, FIRST "self_attention/rotary_dim");
    tfm_ct2_set_real(m, m->config, theta, tfm_ct2_real(m, 10000, FIRST "self_attention/rotary_base"));
    tfm_ct2_expect(m, FIRST "self_attention/rotary_interleave", 0, 0);
    if (!tfm_ct2_has(m, FIRST "self_attention/rotary_interleave"))
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "rotations of neighbouring features (rotary_interleave) are not supported");
    if (part < 0 || (uint64_t)part > r->head_dim)
        tfm_ct2_fail(m, TFM_ERROR_FORMAT, "variable '" FIRST "self_attention/rotary_dim' is missing or too large");
    write_scaling(r);
    return part <= 0 ? r->head_dim : (uint64_t)part;
}

static void write_ids(const reader *r) {
    tfm_ct2_model *m = r->m;
    const int64_t bos = tfm_ct2_token(m, m->target_tokens, "bos_token"),
                  eos = tfm_ct2_token(m, m->target_tokens, "eos_token");
    if (bos >= 0) tfm_ct2_set_integer(m, m->generation, "bos_token_id", (uint64_t)bos);
    if (eos >= 0) tfm_ct2_set_integer(m, m->generation, "eos_token_id", (uint64_t)eos);
    if (eos < 0) tfm_ct2_note(m, "no token that ends an output is known: the vocabulary or eos_token is missing");
}

/* ---- attention ---- */

static void check_rows(const reader *r, uint64_t layer, uint64_t rows) {
    const tfm_name name = layer_name(layer, "self_attention/linear_0/weight");
    if (tfm_ct2_dimension(r->m, name.text, 0) != rows)
        tfm_ct2_fail(r->m, TFM_ERROR_FORMAT, "variable '%s' has not the rows its heads need", name.text);
}

static void show_linear(const reader *r, bool bias, const char *to, const char *from, uint64_t first, uint64_t rows) {
    (bias ? tfm_ct2_linear : tfm_ct2_linear_plain)(r->m, to, from, first, rows);
}

/* Queries, keys and values apart. */
static void show_qkv(const reader *r, uint64_t i, bool bias) {
    const uint64_t q = r->n_heads * r->head_dim, kv = r->n_kv_heads * r->head_dim;
    const tfm_name to = tfm_name_format("model.layers.%llu.self_attn", (unsigned long long)i);
    const tfm_name from = layer_name(i, "self_attention/linear_0");
    check_rows(r, i, q + 2 * kv);
    show_linear(r, bias, tfm_name_format("%s.q_proj", to.text).text, from.text, 0, q);
    show_linear(r, bias, tfm_name_format("%s.k_proj", to.text).text, from.text, q, kv);
    show_linear(r, bias, tfm_name_format("%s.v_proj", to.text).text, from.text, q + kv, kv);
}

/* ---- Llama and its relatives ---- */

static void show_llama(const reader *r, const char *type) {
    tfm_ct2_model *m = r->m;
    const bool head_norms = !strcmp(type, "qwen3"), out_bias = tfm_ct2_has(m, FIRST "self_attention/linear_1/bias");
    const bool bias = !strcmp(type, "qwen2") || out_bias, ffn_bias = tfm_ct2_has(m, FIRST "ffn/linear_1/bias");
    tfm_ct2_show(m, "model.embed_tokens.weight", "decoder/embeddings/weight", (tfm_array_view){0});
    tfm_ct2_norm(m, "model.norm", "decoder/layer_norm", false);
    if (!r->tied) tfm_ct2_linear_plain(m, "lm_head", "decoder/projection", 0, 0);
    for (uint64_t i = 0; i < r->n_layers && m->status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("model.layers.%llu", (unsigned long long)i);
#define TO(part) tfm_name_format("%s." part, to.text).text
#define FROM(part) layer_name(i, part).text
        show_qkv(r, i, bias);
        show_linear(r, out_bias, TO("self_attn.o_proj"), FROM("self_attention/linear_1"), 0, 0);
        tfm_ct2_norm(m, TO("input_layernorm"), FROM("self_attention/layer_norm"), false);
        if (head_norms) {
            tfm_ct2_norm(m, TO("self_attn.q_norm"), FROM("self_attention/q_norm"), false);
            tfm_ct2_norm(m, TO("self_attn.k_norm"), FROM("self_attention/k_norm"), false);
        }
        show_linear(r, ffn_bias, TO("mlp.gate_proj"), FROM("ffn/linear_0"), 0, 0);
        show_linear(r, ffn_bias, TO("mlp.up_proj"), FROM("ffn/linear_0_noact"), 0, 0);
        show_linear(r, ffn_bias, TO("mlp.down_proj"), FROM("ffn/linear_1"), 0, 0);
        tfm_ct2_norm(m, TO("post_attention_layernorm"), FROM("ffn/layer_norm"), false);
#undef TO
#undef FROM
    }
}

static void read_llama(const reader *r) {
    tfm_ct2_model *m = r->m;
    const int64_t window = tfm_ct2_integer(m, 0, FIRST "self_attention/sliding_window");
    const bool out_bias = tfm_ct2_has(m, FIRST "self_attention/linear_1/bias");
    const char *type = "llama";
    if (tfm_ct2_has(m, FIRST "self_attention/q_norm/gamma"))
        type = "qwen3";
    else if (tfm_ct2_has(m, FIRST "self_attention/linear_0/bias") && !out_bias)
        type = "qwen2";
    else if (window > 0)
        type = "mistral";
    tfm_ct2_expect(m, "decoder/sliding_window", (double)window, (double)window);
    tfm_ct2_set_string(m, m->config, "model_type", type);
    tfm_ct2_set_integer(m, m->config, "hidden_size", r->d);
    tfm_ct2_set_integer(m, m->config, "intermediate_size", r->d_ff);
    tfm_ct2_set_integer(m, m->config, "num_hidden_layers", r->n_layers);
    tfm_ct2_set_integer(m, m->config, "num_attention_heads", r->n_heads);
    tfm_ct2_set_integer(m, m->config, "num_key_value_heads", r->n_kv_heads);
    tfm_ct2_set_integer(m, m->config, "head_dim", r->head_dim);
    tfm_ct2_set_integer(m, m->config, "vocab_size", r->vocab_size);
    tfm_ct2_set_integer(m, m->config, "max_position_embeddings", longest(r));
    tfm_ct2_set_string(m, m->config, "hidden_act", r->activation);
    tfm_ct2_set_real(m, m->config, "rms_norm_eps", tfm_ct2_epsilon(m, true));
    tfm_ct2_set_bool(m, m->config, "tie_word_embeddings", r->tied);
    tfm_ct2_set_bool(m, m->config, "attention_bias", out_bias);
    tfm_ct2_set_bool(m, m->config, "mlp_bias", tfm_ct2_has(m, FIRST "ffn/linear_1/bias"));
    if (!strncmp(type, "qwen", 4)) tfm_ct2_set_bool(m, m->config, "use_sliding_window", window > 0);
    if (window > 0) tfm_ct2_set_integer(m, m->config, "sliding_window", (uint64_t)window);
    if (write_rotations(r, "rope_theta") != r->head_dim)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED,
                     "variable '" FIRST "self_attention/rotary_dim': heads rotated in part are "
                     "not supported with RMS norms");
    read_switches(r, 1);
    show_llama(r, type);
}

/* ---- GPT-2 ---- */

/* A linear layer that is kept (inputs, outputs) there. */
static void show_turned(const reader *r, const char *to, const char *from) {
    const tfm_name weight = tfm_name_format("%s/weight", from), bias = tfm_name_format("%s/bias", from);
    tfm_ct2_show(r->m, tfm_name_format("%s.weight", to).text, weight.text, (tfm_array_view){.transposed = true});
    if (tfm_ct2_has(r->m, "%s", bias.text))
        tfm_ct2_show(r->m, tfm_name_format("%s.bias", to).text, bias.text, (tfm_array_view){0});
    else
        tfm_ct2_show_filled(r->m, tfm_name_format("%s.bias", to).text, tfm_ct2_dimension(r->m, weight.text, 0), 0, NULL,
                            0);
}

static void read_gpt2(const reader *r) {
    tfm_ct2_model *m = r->m;
    tfm_ct2_set_string(m, m->config, "model_type", "gpt2");
    tfm_ct2_set_integer(m, m->config, "n_embd", r->d);
    tfm_ct2_set_integer(m, m->config, "n_inner", r->d_ff);
    tfm_ct2_set_integer(m, m->config, "n_layer", r->n_layers);
    tfm_ct2_set_integer(m, m->config, "n_head", r->n_heads);
    tfm_ct2_set_integer(m, m->config, "vocab_size", r->vocab_size);
    tfm_ct2_set_integer(m, m->config, "n_positions", tfm_ct2_dimension(m, "decoder/position_encodings/encodings", 0));
    tfm_ct2_set_string(m, m->config, "activation_function", r->activation);
    tfm_ct2_set_real(m, m->config, "layer_norm_epsilon", tfm_ct2_epsilon(m, false));
    tfm_ct2_set_bool(m, m->config, "tie_word_embeddings", r->tied);
    if (r->n_kv_heads != r->n_heads || r->head_dim * r->n_heads != r->d)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "shared key heads are not supported with a table of positions");
    read_switches(r, 1);
    tfm_ct2_show(m, "transformer.wte.weight", "decoder/embeddings/weight", (tfm_array_view){0});
    tfm_ct2_show(m, "transformer.wpe.weight", "decoder/position_encodings/encodings", (tfm_array_view){0});
    tfm_ct2_norm(m, "transformer.ln_f", "decoder/layer_norm", true);
    if (!r->tied) tfm_ct2_linear_plain(m, "lm_head", "decoder/projection", 0, 0);
    for (uint64_t i = 0; i < r->n_layers && m->status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("transformer.h.%llu", (unsigned long long)i);
#define TO(part) tfm_name_format("%s." part, to.text).text
#define FROM(part) layer_name(i, part).text
        show_turned(r, TO("attn.c_attn"), FROM("self_attention/linear_0"));
        show_turned(r, TO("attn.c_proj"), FROM("self_attention/linear_1"));
        tfm_ct2_norm(m, TO("ln_1"), FROM("self_attention/layer_norm"), true);
        show_turned(r, TO("mlp.c_fc"), FROM("ffn/linear_0"));
        show_turned(r, TO("mlp.c_proj"), FROM("ffn/linear_1"));
        tfm_ct2_norm(m, TO("ln_2"), FROM("ffn/layer_norm"), true);
#undef TO
#undef FROM
    }
}

/* ---- sublayers side by side ---- */

static void write_parallel(const reader *r, const char *type, const char *theta) {
    tfm_ct2_model *m = r->m;
    tfm_ct2_set_string(m, m->config, "model_type", type);
    tfm_ct2_set_integer(m, m->config, "hidden_size", r->d);
    tfm_ct2_set_integer(m, m->config, "intermediate_size", r->d_ff);
    tfm_ct2_set_integer(m, m->config, "num_hidden_layers", r->n_layers);
    tfm_ct2_set_integer(m, m->config, "num_attention_heads", r->n_heads);
    tfm_ct2_set_integer(m, m->config, "vocab_size", r->vocab_size);
    tfm_ct2_set_integer(m, m->config, "max_position_embeddings", longest(r));
    tfm_ct2_set_string(m, m->config, "hidden_act", r->activation);
    tfm_ct2_set_real(m, m->config, "layer_norm_eps", tfm_ct2_epsilon(m, false));
    tfm_ct2_set_bool(m, m->config, "tie_word_embeddings", r->tied);
    /* A fraction of the head; half a feature more, so that it rounds to the whole number again. */
    const uint64_t part = write_rotations(r, theta);
    const double fraction = part == r->head_dim ? 1 : ((double)part + 0.5) / (double)r->head_dim;
    tfm_ct2_set_real(m, m->config, !strcmp(type, "phi") ? "partial_rotary_factor" : "rotary_pct", fraction);
    read_switches(r, 1);
}

static void show_gpt_neox_layer(const reader *r, uint64_t i, bool parallel) {
    tfm_ct2_model *m = r->m;
    const tfm_name to = tfm_name_format("gpt_neox.layers.%llu", (unsigned long long)i);
    const tfm_array_view heads = {.heads = r->n_heads};
#define TO(part) tfm_name_format("%s." part, to.text).text
#define FROM(part) layer_name(i, part).text
    check_rows(r, i, 3 * r->d);
    tfm_ct2_show(m, TO("attention.query_key_value.weight"), FROM("self_attention/linear_0/weight"), heads);
    tfm_ct2_show(m, TO("attention.query_key_value.bias"), FROM("self_attention/linear_0/bias"), heads);
    tfm_ct2_linear(m, TO("attention.dense"), FROM("self_attention/linear_1"), 0, 0);
    tfm_ct2_norm(m, TO("input_layernorm"), parallel ? FROM("input_layer_norm") : FROM("self_attention/layer_norm"),
                 true);
    tfm_ct2_norm(m, TO("post_attention_layernorm"),
                 parallel ? FROM("post_attention_layer_norm") : FROM("ffn/layer_norm"), true);
    tfm_ct2_linear(m, TO("mlp.dense_h_to_4h"), FROM("ffn/linear_0"), 0, 0);
    tfm_ct2_linear(m, TO("mlp.dense_4h_to_h"), FROM("ffn/linear_1"), 0, 0);
#undef TO
#undef FROM
}

static void read_gpt_neox(const reader *r) {
    tfm_ct2_model *m = r->m;
    const bool parallel = tfm_ct2_has(m, FIRST "input_layer_norm/gamma");
    write_parallel(r, "gpt_neox", "rotary_emb_base");
    tfm_ct2_set_bool(m, m->config, "use_parallel_residual", parallel);
    if (r->n_kv_heads != r->n_heads || r->head_dim * r->n_heads != r->d)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "shared key heads are not supported with layer norms and rotations");
    tfm_ct2_show(m, "gpt_neox.embed_in.weight", "decoder/embeddings/weight", (tfm_array_view){0});
    tfm_ct2_norm(m, "gpt_neox.final_layer_norm", "decoder/layer_norm", true);
    if (!r->tied) tfm_ct2_linear_plain(m, "embed_out", "decoder/projection", 0, 0);
    for (uint64_t i = 0; i < r->n_layers && m->status == TFM_OK; i++) show_gpt_neox_layer(r, i, parallel);
}

static void read_phi(const reader *r) {
    tfm_ct2_model *m = r->m;
    write_parallel(r, "phi", "rope_theta");
    tfm_ct2_set_integer(m, m->config, "num_key_value_heads", r->n_kv_heads);
    if (r->head_dim * r->n_heads != r->d)
        tfm_ct2_fail(m, TFM_ERROR_UNSUPPORTED, "heads that are not the width of the model are not supported here");
    tfm_ct2_show(m, "model.embed_tokens.weight", "decoder/embeddings/weight", (tfm_array_view){0});
    tfm_ct2_norm(m, "model.final_layernorm", "decoder/layer_norm", true);
    tfm_ct2_linear(m, "lm_head", "decoder/projection", 0, 0);
    for (uint64_t i = 0; i < r->n_layers && m->status == TFM_OK; i++) {
        const tfm_name to = tfm_name_format("model.layers.%llu", (unsigned long long)i);
        show_qkv(r, i, true);
        tfm_ct2_linear(m, tfm_name_format("%s.self_attn.dense", to.text).text,
                       layer_name(i, "self_attention/linear_1").text, 0, 0);
        tfm_ct2_norm(m, tfm_name_format("%s.input_layernorm", to.text).text, layer_name(i, "shared_layer_norm").text,
                     true);
        tfm_ct2_linear(m, tfm_name_format("%s.mlp.fc1", to.text).text, layer_name(i, "ffn/linear_0").text, 0, 0);
        tfm_ct2_linear(m, tfm_name_format("%s.mlp.fc2", to.text).text, layer_name(i, "ffn/linear_1").text, 0, 0);
    }
}

void tfm_ct2_read_decoder(tfm_ct2_model *m) {
    reader r = {.m = m};
    read_sizes(&r);
    if (m->status != TFM_OK) return;
    const bool rotated = tfm_ct2_has(m, FIRST "self_attention/rotary_dim");
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
        tfm_ct2_fail(
            m, TFM_ERROR_UNSUPPORTED,
            "this decoder (%s, %s norms, %s feed-forward) is none of the supported ones: Llama, Mistral, Qwen, "
            "GPT-2, GPT-NeoX, Phi",
            rotated ? "rotations" : "no rotations", layer_norm ? "layer" : "RMS", gated ? "gated" : "plain");
    if (m->status == TFM_OK) write_ids(&r);
}
