/* family.c - what importers share; see family.h. */
#include "family.h"

#include <ctype.h>
#include <string.h>

#include "tools/pack/common/word_list.h"
#include "tools/pack/config/keys.h"

/* ---- an import ---- */

tfm_status tfm_family_begin(tfm_family *family, const tfm_importer *importer, tfm_checkpoint *checkpoint,
                            const tfm_pack_options *options, tfm_error *error) {
    *family = (tfm_family){.importer = importer, .checkpoint = checkpoint, .options = options};
    family->plan = tfm_plan_new(checkpoint);
    return family->plan ? TFM_OK : tfm_no_memory(error, "%s", tfm_checkpoint_path(checkpoint));
}

void tfm_family_end(tfm_family *family) { tfm_plan_free(&family->plan); }

/* A name of a class behind that of its family: whether the two are one, capitals and marks aside. */
static const char *skip_family(const char *class, const char *model_type) {
    for (; *model_type; model_type++) {
        if (!isalnum((unsigned char)*model_type)) continue;
        while (*class == '_') class ++;
        if (tolower((unsigned char)*class ++) != tolower((unsigned char)*model_type)) return NULL;
    }
    return class;
}

/* A class that transformers does not have computes something that only its own code knows. */
static void look_at_class(const tfm_config *config, const tfm_pack_options *options) {
    static const char endings[] = "Model LMHeadModel WithLMHeadModel DoubleHeadsModel MTModel EncoderModel ForCausalLM "
                                  "ForConditionalGeneration ForMaskedLM ForPreTraining ForSequenceClassification "
                                  "ForTokenClassification ForQuestionAnswering ForTextEncoding";
    const char *class = json_string_value(json_array_get(json_object_get(config->object, "architectures"), 0));
    const char *ending = class && config->scope ? skip_family(class, config->scope) : "Model";
    if (ending && tfm_word_list_has(endings, ending)) return;
    tfm_pack_note(options,
                  "config.json: class '%.80s' is not known, and is packed as an ordinary model of type '%.80s'", class,
                  config->scope);
    if (options->ignored)
        json_array_append_new(options->ignored, json_sprintf("%s: architectures = %.200s", config->file, class));
}

tfm_status tfm_family_check(const tfm_family *family, tfm_error *error) {
    const tfm_config config = tfm_checkpoint_read_config(family->checkpoint, error);
    if (config.asked) look_at_class(&config, family->options);
    tfm_status status = config.asked ? tfm_keys_check(&tfm_config_keys, &config, false, family->options) : TFM_OK;
    return status == TFM_OK ? tfm_plan_check(family->plan, error) : status;
}

bool tfm_family_has_prefix(const tfm_family *family, const char *prefix) {
    for (size_t i = 0; i < tfm_checkpoint_count(family->checkpoint); i++)
        if (strncmp(tfm_checkpoint_at(family->checkpoint, i)->name, prefix, strlen(prefix)) == 0) return true;
    return false;
}

/* ---- options ---- */

const char *tfm_activation_word(const char *theirs) {
    static const char *const words[][2] = {
        {"relu", "relu"},
        {"gelu", "gelu"},
        {"gelu_python", "gelu"},
        {"gelu_new", "gelu_tanh"},
        {"gelu_pytorch_tanh", "gelu_tanh"},
        {"gelu_fast", "gelu_tanh"},
        {"gelu_accurate", "gelu_tanh"},
        {"silu", "silu"},
        {"swish", "silu"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(theirs, words[i][0]) == 0) return words[i][1];
    return NULL;
}

const char *tfm_family_activation(tfm_config *config, const char *key, const char *fallback) {
    const char *word = tfm_activation_word(tfm_config_string(config, key, fallback));
    if (word) return word;
    tfm_config_unsupported(config, key);
    return "relu";
}

tfm_table_builder *tfm_family_architecture(const tfm_family *family, const char *kind, tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) {
        tfm_no_memory(error, "section architecture");
        return NULL;
    }
    tfm_table_set_string(table, "kind", kind);
    tfm_table_set_string(table, "family", family->importer->family);
    tfm_table_set_u64(table, "d_model", family->d_model);
    return table;
}

tfm_status tfm_family_write_architecture(tfm_table_builder **table, tfm_status status, tfm_writer *writer,
                                         tfm_error *error) {
    if (status == TFM_OK) status = tfm_writer_section(writer, "architecture", *table, error);
    tfm_table_builder_free(table);
    return status;
}

void tfm_family_set_u64(tfm_table_builder *table, const char *stack, const char *key, uint64_t value) {
    tfm_table_set_u64(table, tfm_name_format("%s.%s", stack, key).text, value);
}

void tfm_family_set_string(tfm_table_builder *table, const char *stack, const char *key, const char *value) {
    tfm_table_set_string(table, tfm_name_format("%s.%s", stack, key).text, value);
}

void tfm_family_set_stack(tfm_table_builder *table, const tfm_family_stack *stack) {
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"vocab_size", stack->vocab_size},
                  {"n_layers", stack->n_layers},
                  {"n_heads", stack->n_heads},
                  {"n_kv_heads", stack->n_kv_heads},
                  {"head_dim", stack->head_dim},
                  {"d_ff", stack->d_ff},
                  {"gated", stack->gated},
                  {"position_offset", stack->position_offset},
                  {"max_positions", stack->max_positions},
                  {"embed_norm", stack->embed_norm},
                  {"final_norm", stack->final_norm}};
    const char *const words[][2] = {{"activation", stack->activation},
                                    {"norm", stack->norm},
                                    {"norm_placement", stack->norm_placement},
                                    {"position", stack->position},
                                    {"biases", stack->biases}};
    const struct {
        const char *key;
        double value;
    } reals[] = {{"norm_eps", stack->norm_eps},
                 {"embed_scale", stack->embed_scale},
                 {"attention_scale", stack->attention_scale}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        tfm_family_set_u64(table, stack->name, counts[i].key, counts[i].value);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        tfm_family_set_string(table, stack->name, words[i][0], words[i][1]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        tfm_table_set_f64(table, tfm_name_format("%s.%s", stack->name, reals[i].key).text, reals[i].value);
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

void tfm_family_layer(const tfm_family *family, const tfm_family_stack *stack, const tfm_layer_names *names,
                      const char *layer, uint64_t index) {
    const uint64_t d = family->d_model, q = stack->n_heads * stack->head_dim, kv = stack->n_kv_heads * stack->head_dim;
    const bool bias = strcmp(stack->biases, "all") == 0, norm_bias = strcmp(stack->norm, "layer") == 0;
    const tfm_name to = tfm_name_format("%s.%llu", stack->name, (unsigned long long)index);
    const char *const qkv[] = {names->query, names->key, names->value};
    const char *const cross_kv[] = {names->cross_key, names->cross_value};
#define TO(part) tfm_name_format("%s." part, to.text).text
    tfm_family_linear(family, TO("attention.qkv"), layer, 3, qkv, (uint64_t[]){q, kv, kv}, d, bias);
    tfm_family_linear(family, TO("attention.out"), layer, 1, &names->out, &d, q, bias);
    tfm_family_norm(family, TO("attention.norm"), layer, names->norm, norm_bias);
    if (names->cross_query) {
        tfm_family_linear(family, TO("cross.q"), layer, 1, &names->cross_query, &q, d, bias);
        tfm_family_linear(family, TO("cross.kv"), layer, 2, cross_kv, (uint64_t[]){q, q}, d, bias);
        tfm_family_linear(family, TO("cross.out"), layer, 1, &names->cross_out, &d, q, bias);
        tfm_family_norm(family, TO("cross.norm"), layer, names->cross_norm, norm_bias);
    }
    tfm_family_linear(family, TO("ffn.up"), layer, 1, &names->up, &stack->d_ff, d, bias);
    if (names->gate) tfm_family_linear(family, TO("ffn.gate"), layer, 1, &names->gate, &stack->d_ff, d, bias);
    tfm_family_linear(family, TO("ffn.down"), layer, 1, &names->down, &d, stack->d_ff, bias);
    tfm_family_norm(family, TO("ffn.norm"), layer, names->ffn_norm, norm_bias);
#undef TO
}

tfm_status tfm_family_embedding(const tfm_family *family, const char *output, const tfm_name *candidates, size_t n,
                                uint64_t rows, tfm_error *error) {
    const tfm_checkpoint_tensor *taken = NULL;
    for (size_t i = 0; i < n; i++) {
        const tfm_checkpoint_tensor *tensor = tfm_checkpoint_find(family->checkpoint, candidates[i].text);
        if (!tensor) continue;
        if (!taken) {
            taken = tensor;
            tfm_plan_embedding(family->plan, output, candidates[i].text, rows, family->d_model);
            continue;
        }
        bool equal;
        tfm_status status = tfm_checkpoint_equal(family->checkpoint, taken, tensor, &equal, error);
        if (status != TFM_OK) return status;
        if (equal) {
            tfm_plan_alias(family->plan, candidates[i].text);
            continue;
        }
        tfm_plan_ignore(family->plan, candidates[i].text);
        tfm_pack_note(family->options, "%s is not used: config.json ties it to %s, from which it differs",
                      candidates[i].text, taken->name);
    }
    if (!taken) /* the plan's check says that it is missing, under its usual name */
        tfm_plan_embedding(family->plan, output, candidates[n - 1].text, rows, family->d_model);
    return TFM_OK;
}
