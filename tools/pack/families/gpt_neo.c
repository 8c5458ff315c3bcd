/* gpt_neo.c - GPTNeoForCausalLM: learned positions, unscaled attention, a window in every other layer. */
#include "causal.h"

#include <string.h>

static const tfm_causal_names names = {
    .prefix = "transformer.",
    .layers = "h",
    .embedding = "wte",
    .position = "wpe",
    .final_norm = "ln_f",
    .head = "lm_head",
    .qkv = {"attn.attention.q_proj", "attn.attention.k_proj", "attn.attention.v_proj"},
    .out = "attn.attention.out_proj",
    .norm = "ln_1",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .ffn_norm = "ln_2",
    .ignore = {"attn.attention.bias", "attn.attention.masked_bias"},
};

/* attention_types is a list of [[kinds], times]: whether layer `layer` of the kinds one after the other is local. */
static bool is_local(uint64_t layer, const void *user) {
    const json_t *types = user, *group;
    size_t i;
    json_array_foreach(types, i, group) {
        const json_t *kinds = json_array_get(group, 0);
        const uint64_t n = json_array_size(kinds);
        const json_int_t times = json_integer_value(json_array_get(group, 1));
        if (n == 0 || times <= 0) continue;
        if (layer / n < (uint64_t)times) {
            const char *kind = json_string_value(json_array_get(kinds, layer % n));
            return kind && !strcmp(kind, "local");
        }
        layer -= n * (uint64_t)times;
    }
    return false;
}

static void read(tfm_causal *c, tfm_config *config) {
    tfm_family_stack *s = &c->stack;
    const uint64_t d = tfm_config_u64(config, "hidden_size", 1, 1 << 18, 2048);
    c->family.d_model = d;
    c->names = names;
    s->vocab_size = tfm_config_u64(config, "vocab_size", 1, 1 << 24, 50257);
    s->n_layers = tfm_config_u64(config, "num_layers", 0, 1024, 24);
    s->n_heads = s->n_kv_heads = tfm_config_u64(config, "num_heads", 1, 4096, 16);
    s->head_dim = d / s->n_heads;
    s->d_ff = tfm_config_u64(config, "intermediate_size", 1, 1 << 20, 4 * d);
    s->max_positions = tfm_config_u64(config, "max_position_embeddings", 1, 1 << 22, 2048);
    s->position = "table";
    s->activation = tfm_causal_activation(config, "activation_function", "gelu_new");
    s->norm = "layer";
    s->norm_eps = tfm_config_real(config, "layer_norm_epsilon", 0, 1, 1e-5);
    s->final_norm = true;
    s->biases = "out_ffn";
    s->attention_scale = 1;
    c->tied = tfm_config_bool(config, "tie_word_embeddings", true);
    const json_t *types = json_object_get(config->object, "attention_types");
    if (!json_is_array(types)) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, "attention_types", "is missing");
        return;
    }
    tfm_causal_windows(c, config, tfm_config_u64(config, "window_size", 1, 1 << 22, 256), is_local, types);
}

static tfm_status import(tfm_checkpoint *checkpoint, tfm_writer *writer, const tfm_pack_options *options,
                         tfm_error *error) {
    return tfm_import_causal("gpt_neo", read, checkpoint, writer, options, error);
}

const tfm_importer tfm_gpt_neo_importer = {
    .family = "gpt_neo",
    .model_types = "gpt_neo",
    .what = "GPTNeoForCausalLM: GPT-Neo, TinyStories (decoder)",
    .import = import,
};
