/* ct2_config.c - options of a CTranslate2 model, as members of a config.json; see ct2_model.h. */
#include <math.h>
#include <string.h>

#include "ct2_model.h"

tfm_name tfm_ct2_embeddings(tfm_ct2_model *m, const char *stack) {
    const bool several = tfm_ct2_has(m, "%s/embeddings_0/weight", stack);
    return tfm_name_format("%s/embeddings%s/weight", stack, several ? "_0" : "");
}

tfm_name tfm_ct2_option(tfm_ct2_model *m, const char *stack, const char *key) {
    const bool shared = m->shared_options && !tfm_ct2_has(m, "%s/%s", stack, key);
    return tfm_name_format("%s%s%s", shared ? "" : stack, shared ? "" : "/", key);
}

/* How many of STACK/layer_0, STACK/layer_1, ... there are. */
static uint64_t count_layers(tfm_ct2_model *m, const char *stack) {
    uint64_t n = 0;
    while (n < 1024 && tfm_ct2_has(m, "%s/layer_%llu/self_attention/linear_0/weight", stack, (unsigned long long)n))
        n++;
    if (n == 0) tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "variable '%s/layer_0' is missing", stack);
    return n > 0 ? n : 1;
}

static uint64_t read_heads(tfm_ct2_model *m, const char *stack) {
    const int64_t heads = tfm_ct2_integer(m, m->implied_heads, tfm_ct2_option(m, stack, "num_heads").text);
    if (heads >= 1 && heads <= 4096) return (uint64_t)heads;
    tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT, "variable '%s/num_heads' is missing or absurd", stack);
    return 1;
}

tfm_ct2_sizes tfm_ct2_read_sizes(tfm_ct2_model *m, const char *stack) {
    const tfm_name embeddings = tfm_ct2_embeddings(m, stack);
    const tfm_name up = tfm_name_format("%s/layer_0/ffn/linear_0/weight", stack);
    return (tfm_ct2_sizes){
        .d = tfm_ct2_dimension(m, embeddings.text, 1),
        .vocab_size = tfm_ct2_dimension(m, embeddings.text, 0),
        .n_layers = count_layers(m, stack),
        .n_heads = read_heads(m, stack),
        .d_ff = tfm_ct2_dimension(m, up.text, 0),
    };
}

const char *tfm_ct2_activation(tfm_ct2_model *m, const char *stack) {
    /* Numbers of their enumeration; 4 is x sigmoid(1.702 x), 5 tanh, 6 sigmoid. */
    static const char *const names[] = {"relu", "gelu_new", "silu", "gelu"};
    const tfm_name name = tfm_ct2_option(m, stack, "activation");
    const int64_t number = tfm_ct2_integer(m, 0, name.text);
    if (number >= 0 && number < 4) return names[number];
    tfm_foreign_fail(&m->foreign, TFM_ERROR_UNSUPPORTED, "variable '%s': activation %d%s is not supported", name.text,
                     (int)number, number == 4 ? " (GELU by sigmoid)" : "");
    return names[0];
}

void tfm_ct2_read_switches(tfm_ct2_model *m, const char *stack) {
    /* Attention weights for alignment, where biases by distance count from, how several embeddings become one. */
    static const char *const without_effect[] = {"alignment_layer", "alignment_heads", "alibi_use_positive_positions",
                                                 "scale_alibi", "embeddings_merge"};
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        tfm_ct2_ignore(m, tfm_ct2_option(m, stack, without_effect[i]).text);
    tfm_ct2_expect(m, tfm_name_format("%s/alibi", stack).text, 0, 0);
    tfm_ct2_expect(m, tfm_name_format("%s/multi_query_attention", stack).text, 0, 0);
}

double tfm_ct2_epsilon(tfm_ct2_model *m, bool rms) {
    const json_t *value = json_object_get(m->settings, "layer_norm_epsilon");
    if (!value || json_is_null(value)) return rms ? 1e-6 : 1e-5;
    const double epsilon = json_number_value(value);
    if (!json_is_number(value) || !(epsilon >= 0 && epsilon <= 1))
        tfm_foreign_fail(&m->foreign, TFM_ERROR_FORMAT,
                         "config.json beside it: layer_norm_epsilon is not a number between 0 and 1");
    return epsilon;
}

void tfm_ct2_set_sizes(tfm_ct2_model *m, const tfm_ct2_sizes *sizes) {
    tfm_foreign_set_u64(&m->foreign, m->config, "hidden_size", sizes->d);
    tfm_foreign_set_u64(&m->foreign, m->config, "intermediate_size", sizes->d_ff);
    tfm_foreign_set_u64(&m->foreign, m->config, "num_hidden_layers", sizes->n_layers);
    tfm_foreign_set_u64(&m->foreign, m->config, "num_attention_heads", sizes->n_heads);
    tfm_foreign_set_u64(&m->foreign, m->config, "vocab_size", sizes->vocab_size);
}

bool tfm_ct2_set_token(tfm_ct2_model *m, const char *key, const char *theirs) {
    const char *token = json_string_value(json_object_get(m->settings, theirs));
    for (size_t i = 0; token && i < json_array_size(m->target_tokens); i++)
        if (strcmp(token, json_string_value(json_array_get(m->target_tokens, i))) == 0) {
            tfm_foreign_set_u64(&m->foreign, m->generation, key, i);
            return true;
        }
    return false;
}

void tfm_ct2_set_eos(tfm_ct2_model *m) {
    if (!tfm_ct2_set_token(m, "eos_token_id", "eos_token"))
        tfm_foreign_note(&m->foreign, "no token that ends an output is known: the vocabulary or eos_token is missing");
}
