/* causal.c - what importers of decoder-only families share; see causal.h. */
#include "causal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- configuration ---- */

const char *tfm_causal_biases(tfm_config *config, bool qkv, bool out, bool ffn) {
    static const struct {
        bool qkv, out, ffn;
        const char *word;
    } words[] = {{false, false, false, "none"},    {true, true, true, "all"},   {true, false, false, "qkv"},
                 {true, true, false, "attention"}, {false, false, true, "ffn"}, {false, true, true, "out_ffn"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].qkv == qkv && words[i].out == out && words[i].ffn == ffn) return words[i].word;
    tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, "attention_bias", "is not supported together with the other biases");
    return "none";
}

double tfm_causal_attention_scale(uint64_t head_dim) { return head_dim ? 1 / sqrt((double)head_dim) : 1; }

void tfm_causal_windows(tfm_causal *c, tfm_config *config, uint64_t window,
                        bool (*choose)(uint64_t layer, const void *user), const void *user) {
    if (config->status != TFM_OK || window == 0) return;
    c->windows = calloc(c->stack.n_layers + 1, sizeof *c->windows);
    if (!c->windows) {
        tfm_config_fail(config, TFM_ERROR_MEMORY, "num_hidden_layers", "needs more memory than there is");
        return;
    }
    for (uint64_t i = 0; i < c->stack.n_layers; i++)
        if (!choose || choose(i, user)) c->windows[i] = (uint32_t)window;
}

/* Layer i of layer_types. */
static bool is_layer_type(const json_t *types, uint64_t layer, const char *word) {
    const char *type = json_string_value(json_array_get(types, layer));
    return type && strcmp(type, word) == 0;
}

static bool is_sliding(uint64_t layer, const void *types) { return is_layer_type(types, layer, "sliding_attention"); }

void tfm_causal_layer_types(tfm_causal *c, tfm_config *config, uint64_t window,
                            bool (*choose)(uint64_t layer, const void *user), const void *user) {
    const json_t *types = tfm_config_get(config, "layer_types");
    if (types && json_array_size(types) != c->stack.n_layers)
        tfm_config_fail(config, TFM_ERROR_FORMAT, "layer_types", "does not name a type for each layer");
    for (size_t i = 0; i < json_array_size(types); i++)
        if (!is_sliding(i, types) && !is_layer_type(types, i, "full_attention"))
            tfm_config_unsupported(config, "layer_types");
    tfm_causal_windows(c, config, window, types ? is_sliding : choose, types ? types : user);
}

/* ---- rotations ---- */

/* rope_scaling, or what stands for it; what fails there fails in config, too. */
typedef struct rope_settings {
    tfm_config config;
    double factor;
} rope_settings;

static void scale_linear(tfm_causal *c, rope_settings *r) {
    for (uint64_t i = 0; i < c->rope_dim / 2; i++) c->frequencies[i] /= r->factor;
}

static void scale_llama3(tfm_causal *c, rope_settings *r) {
    double low = tfm_config_real(&r->config, "low_freq_factor", 1e-3, 1e6, 1);
    double high = tfm_config_real(&r->config, "high_freq_factor", 1e-3, 1e6, 4);
    double original = (double)tfm_config_u64(&r->config, "original_max_position_embeddings", 1, 1 << 22, 8192);
    for (uint64_t i = 0; i < c->rope_dim / 2; i++) {
        double f = c->frequencies[i], turns = original * f / (2 * M_PI); /* over the original context */
        double smooth = (turns - low) / (high - low);
        if (turns < low)
            c->frequencies[i] = f / r->factor;
        else if (turns <= high)
            c->frequencies[i] = (1 - smooth) * f / r->factor + smooth * f;
    }
}

/* The feature whose angle makes so many turns over n positions. */
static double feature_of_turns(const tfm_causal *c, double turns, double n) {
    return (double)c->rope_dim * log(n / (turns * 2 * M_PI)) / (2 * log(c->rope_theta));
}

static double yarn_scale(double factor, double mscale) { return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1; }

/* A setting for which 0 and null mean the default. */
static double or_default(tfm_config *config, const char *key, double standard) {
    double value = tfm_config_real(config, key, 0, 1e6, 0);
    return value > 0 ? value : standard;
}

/*
 * Fast features are kept, slow ones interpolated, with a ramp between them ("YaRN", Peng et al. 2023). The context that
 * was trained is original_max_position_embeddings, or where that is not said max_position_embeddings.
 */
static void scale_yarn(tfm_causal *c, rope_settings *r) {
    const uint64_t trained =
        tfm_config_u64(&r->config, "original_max_position_embeddings", 1, 1 << 22, c->stack.max_positions);
    const bool truncate = tfm_config_bool(&r->config, "truncate", true);
    double n = (double)trained, last = (double)c->rope_dim - 1;
    double low = feature_of_turns(c, or_default(&r->config, "beta_fast", 32), n);
    double high = feature_of_turns(c, or_default(&r->config, "beta_slow", 1), n);
    low = fmax(truncate ? floor(low) : low, 0);
    high = fmin(truncate ? ceil(high) : high, last);
    if (low == high) high += 0.001;
    for (uint64_t i = 0; i < c->rope_dim / 2; i++) {
        double ramp = fmin(fmax(((double)i - low) / (high - low), 0), 1);
        c->frequencies[i] = c->frequencies[i] / r->factor * ramp + c->frequencies[i] * (1 - ramp);
    }
    const double mscale = tfm_config_real(&r->config, "mscale", 0, 1e6, 0);
    const double all_dim = tfm_config_real(&r->config, "mscale_all_dim", 0, 1e6, 0);
    const double standard = mscale > 0 && all_dim > 0 ? yarn_scale(r->factor, mscale) / yarn_scale(r->factor, all_dim)
                                                      : yarn_scale(r->factor, 1);
    c->rope_factor = tfm_config_real(&r->config, "attention_factor", 0, 1e6, standard);
    const double longest = fmin(n * fmax(r->factor, 1), 1 << 22);
    if (longest > (double)c->stack.max_positions) c->stack.max_positions = (uint64_t)longest;
}

/*
 * Factors for each frequency, one list for inputs up to the original length and one for longer ones. Which of them
 * holds would change for a whole sequence while it grows; so the first is taken, and the original length is the limit.
 */
static void scale_longrope(tfm_causal *c, tfm_config *config, rope_settings *r) {
    const uint64_t longest = c->stack.max_positions;
    const uint64_t original =
        tfm_config_u64(&r->config, "original_max_position_embeddings", 2, 1 << 22,
                       tfm_config_u64(config, "original_max_position_embeddings", 2, 1 << 22, longest));
    const json_t *factors = tfm_config_get(&r->config, "short_factor");
    if (json_array_size(factors) != c->rope_dim / 2) {
        tfm_config_fail(&r->config, TFM_ERROR_FORMAT, "short_factor", "is missing or has not the right length");
        return;
    }
    for (uint64_t i = 0; i < c->rope_dim / 2; i++) {
        double factor = json_number_value(json_array_get(factors, i));
        if (!(factor > 0)) tfm_config_fail(&r->config, TFM_ERROR_FORMAT, "short_factor", "has a value not above 0");
        c->frequencies[i] /= factor;
    }
    double stretch = (double)longest / (double)original;
    double standard = stretch <= 1 ? 1 : sqrt(1 + log(stretch) / log((double)original));
    c->rope_factor = tfm_config_real(&r->config, "attention_factor", 0, 1e6, standard);
    c->stack.max_positions = original;
    if (tfm_config_get(&r->config, "long_factor") && original < longest)
        tfm_pack_note(c->family.options,
                      "longrope: inputs up to the %llu positions that were trained; the factors for longer ones, up to "
                      "%llu, are left out",
                      (unsigned long long)original, (unsigned long long)longest);
}

static void scale(tfm_causal *c, tfm_config *config, rope_settings *r) {
    const char *older = tfm_config_string(&r->config, "type", "default");
    const char *type = tfm_config_string(&r->config, "rope_type", older);
    r->factor = tfm_config_real(&r->config, "factor", 1e-3, 1e6, 1);
    if (!strcmp(type, "linear"))
        scale_linear(c, r);
    else if (!strcmp(type, "llama3"))
        scale_llama3(c, r);
    else if (!strcmp(type, "yarn"))
        scale_yarn(c, r);
    else if (!strcmp(type, "longrope") || !strcmp(type, "su"))
        scale_longrope(c, config, r);
    else if (strcmp(type, "default") != 0 && strcmp(type, "dynamic") != 0) /* dynamic: unchanged up to the limit */
        tfm_config_unsupported(&r->config, tfm_config_has(&r->config, "rope_type") ? "rope_type" : "type");
}

/* Where there are settings for each kind of layer, takes those of one; all must be the same. */
static void take_layer_settings(tfm_config *config, tfm_config *settings) {
    const json_t *first = NULL;
    const char *type;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)settings->object, type, value) {
        if (!json_is_object(value)) return;
        if (first && !json_equal(first, value))
            tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, settings->within,
                            "has other rotations for other layers, which is not supported for this family");
        first = tfm_config_get(settings, type);
    }
    if (first) settings->object = first;
}

/* Settings of rotations from rope_scaling, or from rope_parameters; neither: an object without keys. */
static tfm_config find_settings(tfm_config *config) {
    tfm_config scaling = tfm_config_within(config, "rope_scaling"),
               whole = tfm_config_within(config, "rope_parameters");
    if (json_object_size(scaling.object) > 0 && json_object_size(whole.object) > 0 &&
        !json_equal(scaling.object, whole.object))
        tfm_config_fail(config, TFM_ERROR_FORMAT, "rope_scaling", "and rope_parameters, which mean the same, differ");
    if (json_object_size(whole.object) == 0) return scaling;
    take_layer_settings(config, &whole);
    return whole;
}

/* A number that stands at the top, or among the settings under the name that transformers 5 has for it. */
static double from_either(tfm_config *config, tfm_config *settings, const char *key, const char *inner, double min,
                          double max, double fallback) {
    const double outer = tfm_config_real(config, key, min, max, fallback);
    const double value = tfm_config_real(settings, inner, min, max, outer);
    if (tfm_config_get(config, key) && value != outer)
        tfm_config_fail(config, TFM_ERROR_FORMAT, key, "is another than among the settings of rotations");
    return value;
}

static void set_frequencies(tfm_causal *c, tfm_config *config) {
    c->frequencies = calloc(c->rope_dim / 2, sizeof *c->frequencies);
    if (!c->frequencies) {
        tfm_config_fail(config, TFM_ERROR_MEMORY, "rope_theta", "needs more memory than there is");
        return;
    }
    for (uint64_t i = 0; i < c->rope_dim / 2; i++)
        c->frequencies[i] = pow(c->rope_theta, -2.0 * (double)i / (double)c->rope_dim);
}

void tfm_causal_rope(tfm_causal *c, tfm_config *config, const tfm_rope_keys *keys) {
    rope_settings r = {.config = find_settings(config)};
    const double theta = from_either(config, &r.config, keys->theta, "rope_theta", 1, 1e12, keys->default_theta);
    const double part =
        keys->part ? from_either(config, &r.config, keys->part, "partial_rotary_factor", 0, 1, keys->default_part) : 1;
    if (config->status == TFM_OK) config->status = r.config.status;
    if (config->status != TFM_OK) return;
    const uint64_t rope_dim = (uint64_t)((double)c->stack.head_dim * part);
    if (rope_dim < 2 || rope_dim % 2 != 0 || !(theta > 1)) {
        tfm_config_fail(config, TFM_ERROR_UNSUPPORTED, keys->theta, "or the rotated part of a head is not supported");
        return;
    }
    c->stack.position = "rope";
    c->rope_dim = rope_dim;
    c->rope_theta = theta;
    c->rope_factor = 1;
    set_frequencies(c, config);
    if (config->status == TFM_OK) scale(c, config, &r);
    if (config->status == TFM_OK) config->status = r.config.status;
}

/* ---- options ---- */

static void set_real(tfm_table_builder *table, const char *key, double value) {
    if (value != 0) tfm_table_set_f64(table, key, value);
}

/* Frequencies in two parts, so that floats hold them to 2^-48. */
static void write_frequencies(const tfm_causal *c, tfm_table_builder *table) {
    float parts[4096];
    uint64_t half = c->rope_dim / 2;
    for (uint64_t i = 0; i < half; i++) {
        parts[i] = (float)c->frequencies[i];
        parts[half + i] = (float)(c->frequencies[i] - (double)parts[i]);
    }
    tfm_table_set_array(table, "decoder.rope_frequencies", TFM_VALUE_F32S, parts, c->rope_dim);
    tfm_table_set_u64(table, "decoder.rope_dim", c->rope_dim);
    tfm_table_set_string(table, "decoder.rope_layout", c->rope_interleaved ? "interleaved" : "halves");
    tfm_table_set_f64(table, "decoder.rope_factor", c->rope_factor);
}

static tfm_status write_architecture(const tfm_causal *c, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *table = tfm_family_architecture(&c->family, "decoder", error);
    if (!table) return TFM_ERROR_MEMORY;
    tfm_family_set_stack(table, &c->stack);
    if (c->no_norm_bias) tfm_table_set_u64(table, "decoder.norm_bias", 0);
    if (c->sublayers) tfm_table_set_string(table, "decoder.sublayers", c->sublayers);
    if (c->qk_norm) tfm_table_set_string(table, "decoder.qk_norm", c->qk_norm);
    set_real(table, "decoder.residual_scale", c->residual_scale);
    set_real(table, "decoder.attention_soft_cap", c->soft_cap);
    set_real(table, "output.scale", c->output_scale);
    set_real(table, "output.soft_cap", c->output_soft_cap);
    if (c->rope_dim) write_frequencies(c, table);
    if (c->windows) tfm_table_set_array(table, "decoder.windows", TFM_VALUE_U32S, c->windows, c->stack.n_layers);
    if (c->slopes) tfm_table_set_array(table, "decoder.alibi_slopes", TFM_VALUE_F32S, c->slopes, c->stack.n_heads);
    return tfm_family_write_architecture(&table, TFM_OK, writer, error);
}

/* ---- tensors ---- */

/* Weight and bias of a linear layer made of slices of tensors; names hold the stems. */
static void plan_slices(const tfm_causal *c, const char *output, const char *prefix, size_t n,
                        const tfm_plan_slice *stems, uint64_t k, bool has_bias) {
    tfm_plan_slice parts[TFM_PLAN_PARTS];
    tfm_name names[TFM_PLAN_PARTS];
    for (int bias = 0; bias < (has_bias ? 2 : 1); bias++) {
        const char *kind = bias ? "bias" : "weight";
        for (size_t i = 0; i < n; i++) {
            names[i] = tfm_name_format("%s%s.%s", prefix, stems[i].name, kind);
            parts[i] = stems[i];
            parts[i].name = names[i].text;
            if (bias) parts[i].transposed = false;
        }
        tfm_name to = tfm_name_format("%s.%s", output, kind);
        if (bias)
            tfm_plan_vector_slices(c->family.plan, to.text, n, parts);
        else
            tfm_plan_matrix_slices(c->family.plan, to.text, n, parts, k);
    }
}

/* A linear layer that is one tensor. */
static void plan_linear(const tfm_causal *c, const char *output, const char *prefix, const char *stem, uint64_t n,
                        uint64_t k, bool has_bias) {
    tfm_plan_slice slice = {.name = stem, .rows = n, .total = n, .transposed = c->names.transposed};
    plan_slices(c, output, prefix, 1, &slice, k, has_bias);
}

static void plan_norm(const tfm_causal *c, const char *output, const char *prefix, const char *stem) {
    if (!stem) return;
    const bool has_bias = !strcmp(c->stack.norm, "layer") && !c->no_norm_bias;
    for (int bias = 0; bias < (has_bias ? 2 : 1); bias++) {
        const char *kind = bias ? "bias" : "weight";
        tfm_name from = tfm_name_format("%s%s.%s", prefix, stem, kind);
        const uint64_t d = c->family.d_model;
        tfm_plan_slice slice = {.name = from.text, .rows = d, .total = d, .plus = bias ? 0.0f : c->norm_plus};
        tfm_plan_vector_slices(c->family.plan, tfm_name_format("%s.%s", output, kind).text, 1, &slice);
    }
}

/* Scores that are divided by something are those of queries that are divided by it. */
static void plan_qkv(const tfm_causal *c, const char *output, const char *prefix, float over, bool has_bias) {
    const tfm_causal_names *names = &c->names;
    const tfm_family_stack *stack = &c->stack;
    const uint64_t e = stack->head_dim, q = stack->n_heads * e, kv = stack->n_kv_heads * e, total = q + 2 * kv;
    tfm_plan_slice parts[3] = {{.name = names->qkv[0], .rows = q, .total = q},
                               {.name = names->qkv[1], .rows = kv, .total = kv},
                               {.name = names->qkv[2], .rows = kv, .total = kv}};
    size_t n = 3;
    if (names->qkv_layout == TFM_QKV_JOINED || names->qkv_layout == TFM_QKV_TRANSPOSED) {
        parts[0].total = total;
        parts[0].transposed = names->qkv_layout == TFM_QKV_TRANSPOSED;
        parts[1] = parts[0];
        parts[1].first = q;
        parts[1].rows = 2 * kv;
        if (over == 0) parts[0].rows = total;
        n = over == 0 ? 1 : 2;
    } else if (names->qkv_layout == TFM_QKV_PER_HEAD) {
        for (uint64_t i = 0; i < 3; i++)
            parts[i] = (tfm_plan_slice){
                .name = names->qkv[0], .rows = q, .total = 3 * q, .first = i * e, .block = e, .stride = 3 * e};
    }
    parts[0].over = over;
    plan_slices(c, output, prefix, n, parts, c->family.d_model, has_bias);
}

/* The norm of queries or keys: a weight for all heads, or one for each. */
static void plan_head_norm(const tfm_causal *c, const char *output, const char *prefix, const char *stem,
                           uint64_t n_heads) {
    if (!c->qk_norm) return;
    for (int bias = 0; bias < (c->qk_norm_bias ? 2 : 1); bias++) {
        const char *kind = bias ? "bias" : "weight";
        tfm_name from = tfm_name_format("%s%s.%s", prefix, stem, kind), to = tfm_name_format("%s.%s", output, kind);
        const char *part = from.text;
        if (c->names.qk_norm_stacked)
            tfm_plan_stacked(c->family.plan, to.text, tfm_name_format("%s%s.", prefix, stem).text,
                             bias ? ".bias" : ".weight", n_heads, c->stack.head_dim);
        else if (!strcmp(c->qk_norm, "heads"))
            tfm_plan_rows(c->family.plan, to.text, part, n_heads, c->stack.head_dim);
        else
            tfm_plan_vector(c->family.plan, to.text, 1, &part, &c->stack.head_dim);
    }
}

static void plan_feed_forward(const tfm_causal *c, const char *to, const char *prefix, bool has_bias) {
    const tfm_causal_names *names = &c->names;
    const uint64_t d = c->family.d_model, f = c->stack.d_ff;
#define TO(part) tfm_name_format("%s." part, to).text
    if (names->gate_up) {
        const tfm_plan_slice up = {.name = names->gate_up, .rows = f, .total = 2 * f, .first = f};
        const tfm_plan_slice gate = {.name = names->gate_up, .rows = f, .total = 2 * f};
        plan_slices(c, TO("ffn.up"), prefix, 1, &up, d, has_bias);
        plan_slices(c, TO("ffn.gate"), prefix, 1, &gate, d, has_bias);
    } else {
        plan_linear(c, TO("ffn.up"), prefix, names->up, f, d, has_bias);
        if (names->gate) plan_linear(c, TO("ffn.gate"), prefix, names->gate, f, d, has_bias);
    }
    plan_linear(c, TO("ffn.down"), prefix, names->down, d, f, has_bias);
    plan_norm(c, TO("ffn.norm"), prefix, names->ffn_norm);
    plan_norm(c, TO("ffn.post_norm"), prefix, names->ffn_post_norm);
#undef TO
}

static void plan_layer(const tfm_causal *c, const char *prefix, uint64_t index) {
    const tfm_causal_names *names = &c->names;
    const tfm_family_stack *stack = &c->stack;
    const char *biases = stack->biases;
    const bool all = !strcmp(biases, "all"), attention = all || !strcmp(biases, "attention");
    const bool out_ffn = !strcmp(biases, "out_ffn");
    const tfm_name name = tfm_name_format("decoder.%llu", (unsigned long long)index);
    const char *to = name.text;
#define TO(part) tfm_name_format("%s." part, to).text
    plan_qkv(c, TO("attention.qkv"), prefix, c->over_layer ? (float)(index + 1) : 0,
             attention || !strcmp(biases, "qkv"));
    plan_linear(c, TO("attention.out"), prefix, names->out, c->family.d_model, stack->n_heads * stack->head_dim,
                attention || out_ffn);
    plan_norm(c, TO("attention.norm"), prefix, names->norm);
    plan_norm(c, TO("attention.post_norm"), prefix, names->post_norm);
    plan_head_norm(c, TO("attention.q_norm"), prefix, names->q_norm, stack->n_heads);
    plan_head_norm(c, TO("attention.k_norm"), prefix, names->k_norm, stack->n_kv_heads);
    plan_feed_forward(c, to, prefix, all || out_ffn || !strcmp(biases, "ffn"));
#undef TO
}

/* The family's prefix, or what is left of it in checkpoints of a bare body: "model.decoder.", "decoder.", "". */
static const char *find_prefix(const tfm_causal *c) {
    for (const char *prefix = c->names.prefix;; prefix = strchr(prefix, '.') + 1) {
        tfm_name name = tfm_name_format("%s%s.weight", prefix, c->names.embedding);
        if (tfm_checkpoint_find(c->family.checkpoint, name.text)) return prefix;
        if (!strchr(prefix, '.')) return c->names.prefix; /* nowhere: missing under its usual name */
    }
}

static tfm_status plan_all(tfm_causal *c, tfm_error *error) {
    const tfm_causal_names *names = &c->names;
    const char *prefix = find_prefix(c);
    const uint64_t vocab = c->stack.vocab_size, d = c->family.d_model;
    tfm_name embedding = tfm_name_format("%s%s.weight", prefix, names->embedding);
    tfm_name head = tfm_name_format("%s.weight", names->head), both[] = {embedding, head};
    bool again = c->tied && tfm_checkpoint_find(c->family.checkpoint, head.text);
    tfm_status status = tfm_family_embedding(&c->family, "embed", both, again ? 2 : 1, vocab, error);
    if (status == TFM_OK && !c->tied)
        status = tfm_family_embedding(&c->family, "output.weight", &head, 1, vocab, error);
    if (status != TFM_OK) return status;
    if (c->head_bias) {
        tfm_name bias = tfm_name_format("%s.bias", names->head);
        const char *part = bias.text;
        tfm_plan_vector(c->family.plan, "output.bias", 1, &part, &vocab);
    }
    if (names->position)
        tfm_plan_rows(c->family.plan, "position", tfm_name_format("%s%s.weight", prefix, names->position).text,
                      c->stack.max_positions + c->stack.position_offset, d);
    plan_norm(c, "decoder.embed_norm", prefix, names->embed_norm);
    if (c->stack.final_norm) plan_norm(c, "decoder.norm", prefix, names->final_norm);
    for (uint64_t i = 0; i < c->stack.n_layers; i++)
        plan_layer(c, tfm_name_format("%s%s.%llu.", prefix, names->layers, (unsigned long long)i).text, i);
    return TFM_OK;
}

static void check_heads(tfm_config *config, const tfm_family_stack *stack) {
    if (stack->head_dim == 0 || stack->head_dim > 4096 || stack->n_heads % stack->n_kv_heads != 0)
        tfm_config_fail(config, TFM_ERROR_FORMAT, "num_attention_heads", "does not fit the other sizes");
}

tfm_status tfm_import_causal(const tfm_importer *importer, tfm_checkpoint *checkpoint, tfm_writer *writer,
                             const tfm_pack_options *options, tfm_error *error) {
    tfm_config config = tfm_checkpoint_read_config(checkpoint, error);
    tfm_causal c = {
        .stack = {.name = "decoder", .norm_placement = "pre", .position = "none", .embed_scale = 1},
        .ids = {.decoder_start = -1, .pad = -1, .eos = -1, .forced_eos = -1, .causal = true},
    };
    tfm_status status = tfm_family_begin(&c.family, importer, checkpoint, options, error);
    if (status == TFM_OK) {
        importer->read_causal(&c, &config);
        if (config.status == TFM_OK) check_heads(&config, &c.stack);
        if (!tfm_config_bool(&config, "is_causal", true))
            tfm_config_fail(&config, TFM_ERROR_UNSUPPORTED, "is_causal",
                            "is false, which makes an encoder of a decoder");
        status = config.status;
    }
    if (status == TFM_OK) status = plan_all(&c, error);
    if (status == TFM_OK) status = tfm_family_check(&c.family, error);
    if (status == TFM_OK) status = write_architecture(&c, writer, error);
    if (status == TFM_OK) status = tfm_write_generation(checkpoint, writer, &c.ids, c.stack.vocab_size, options, error);
    if (status == TFM_OK) status = tfm_plan_run(c.family.plan, writer, options, error);
    tfm_family_end(&c.family);
    free(c.frequencies);
    free(c.windows);
    free(c.slopes);
    return status;
}
