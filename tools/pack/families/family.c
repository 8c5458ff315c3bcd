/* family.c - what importers share; see family.h. */
#include "family.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tfm_name tfm_name_format(const char *format, ...) {
    tfm_name result;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result.text, sizeof result.text, format, arguments);
    va_end(arguments);
    return result;
}

/* ---- options ---- */

void tfm_family_set_u64(tfm_table_builder *table, const char *stack, const char *key, uint64_t value) {
    tfm_table_set_u64(table, tfm_name_format("%s.%s", stack, key).text, value);
}

void tfm_family_set_string(tfm_table_builder *table, const char *stack, const char *key, const char *value) {
    tfm_table_set_string(table, tfm_name_format("%s.%s", stack, key).text, value);
}

void tfm_family_set_stack(tfm_table_builder *table, const tfm_family_stack *s) {
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"vocab_size", s->vocab_size},
                  {"n_layers", s->n_layers},
                  {"n_heads", s->n_heads},
                  {"n_kv_heads", s->n_kv_heads},
                  {"head_dim", s->head_dim},
                  {"d_ff", s->d_ff},
                  {"gated", s->gated},
                  {"position_offset", s->position_offset},
                  {"max_positions", s->max_positions},
                  {"embed_norm", s->embed_norm},
                  {"final_norm", s->final_norm}};
    const char *const words[][2] = {{"activation", s->activation},
                                    {"norm", s->norm},
                                    {"norm_placement", s->norm_placement},
                                    {"position", s->position},
                                    {"biases", s->biases}};
    const struct {
        const char *key;
        double value;
    } reals[] = {{"norm_eps", s->norm_eps}, {"embed_scale", s->embed_scale}, {"attention_scale", s->attention_scale}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        tfm_family_set_u64(table, s->name, counts[i].key, counts[i].value);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        tfm_family_set_string(table, s->name, words[i][0], words[i][1]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        tfm_table_set_f64(table, tfm_name_format("%s.%s", s->name, reals[i].key).text, reals[i].value);
}

/* ---- tensors ---- */

void tfm_family_linear(const tfm_family *family, const char *output, const char *prefix, size_t n_parts,
                       const char *const *parts, const uint64_t *rows, uint64_t k, bool has_bias) {
    tfm_name weights[TFM_PLAN_PARTS], biases[TFM_PLAN_PARTS];
    const char *weight_names[TFM_PLAN_PARTS], *bias_names[TFM_PLAN_PARTS];
    for (size_t i = 0; i < n_parts; i++) {
        weights[i] = tfm_name_format("%s%s.weight", prefix, parts[i]);
        biases[i] = tfm_name_format("%s%s.bias", prefix, parts[i]);
        weight_names[i] = weights[i].text;
        bias_names[i] = biases[i].text;
    }
    tfm_plan_matrix(family->plan, tfm_name_format("%s.weight", output).text, n_parts, weight_names, rows, k);
    if (has_bias) tfm_plan_vector(family->plan, tfm_name_format("%s.bias", output).text, n_parts, bias_names, rows);
}

void tfm_family_norm(const tfm_family *family, const char *output, const char *prefix, const char *part,
                     bool has_bias) {
    static const char *const kinds[] = {"weight", "bias"}, *const old_kinds[] = {"gamma", "beta"};
    for (int i = 0; i < (has_bias ? 2 : 1); i++) {
        tfm_name from = tfm_name_format("%s%s.%s", prefix, part, kinds[i]);
        tfm_name old = tfm_name_format("%s%s.%s", prefix, part, old_kinds[i]);
        bool is_old =
            !tfm_checkpoint_find(family->checkpoint, from.text) && tfm_checkpoint_find(family->checkpoint, old.text);
        const char *text = is_old ? old.text : from.text;
        tfm_plan_vector(family->plan, tfm_name_format("%s.%s", output, kinds[i]).text, 1, &text, &family->d_model);
    }
}

void tfm_family_layer(const tfm_family *f, const tfm_family_stack *s, const tfm_layer_names *names, const char *layer,
                      uint64_t index) {
    const uint64_t d = f->d_model, q = s->n_heads * s->head_dim, kv = s->n_kv_heads * s->head_dim;
    const bool bias = strcmp(s->biases, "all") == 0, norm_bias = strcmp(s->norm, "layer") == 0;
    const tfm_name to = tfm_name_format("%s.%llu", s->name, (unsigned long long)index);
    const char *const qkv[] = {names->query, names->key, names->value};
    const char *const cross_kv[] = {names->cross_key, names->cross_value};
#define TO(part) tfm_name_format("%s." part, to.text).text
    tfm_family_linear(f, TO("attention.qkv"), layer, 3, qkv, (uint64_t[]){q, kv, kv}, d, bias);
    tfm_family_linear(f, TO("attention.out"), layer, 1, &names->out, &d, q, bias);
    tfm_family_norm(f, TO("attention.norm"), layer, names->norm, norm_bias);
    if (names->cross_query) {
        tfm_family_linear(f, TO("cross.q"), layer, 1, &names->cross_query, &q, d, bias);
        tfm_family_linear(f, TO("cross.kv"), layer, 2, cross_kv, (uint64_t[]){q, q}, d, bias);
        tfm_family_linear(f, TO("cross.out"), layer, 1, &names->cross_out, &d, q, bias);
        tfm_family_norm(f, TO("cross.norm"), layer, names->cross_norm, norm_bias);
    }
    tfm_family_linear(f, TO("ffn.up"), layer, 1, &names->up, &s->d_ff, d, bias);
    if (names->gate) tfm_family_linear(f, TO("ffn.gate"), layer, 1, &names->gate, &s->d_ff, d, bias);
    tfm_family_linear(f, TO("ffn.down"), layer, 1, &names->down, &d, s->d_ff, bias);
    tfm_family_norm(f, TO("ffn.norm"), layer, names->ffn_norm, norm_bias);
#undef TO
}

tfm_status tfm_family_embedding(const tfm_family *f, const char *output, const tfm_name *candidates, size_t n,
                                uint64_t rows, tfm_error *error) {
    const tfm_checkpoint_tensor *taken = NULL;
    for (size_t i = 0; i < n; i++) {
        const tfm_checkpoint_tensor *tensor = tfm_checkpoint_find(f->checkpoint, candidates[i].text);
        if (!tensor) continue;
        if (!taken) {
            taken = tensor;
            tfm_plan_embedding(f->plan, output, candidates[i].text, rows, f->d_model);
            continue;
        }
        bool equal;
        tfm_status status = tfm_checkpoint_equal(f->checkpoint, taken, tensor, &equal, error);
        if (status != TFM_OK) return status;
        if (equal) {
            tfm_plan_alias(f->plan, candidates[i].text);
            continue;
        }
        tfm_plan_ignore(f->plan, candidates[i].text);
        char text[500];
        snprintf(text, sizeof text, "%s is not used: config.json ties it to %s, from which it differs",
                 candidates[i].text, taken->name);
        if (f->options->note) f->options->note(f->options->note_user, text);
    }
    if (!taken) /* the plan's check says that it is missing, under its usual name */
        tfm_plan_embedding(f->plan, output, candidates[n - 1].text, rows, f->d_model);
    return TFM_OK;
}
