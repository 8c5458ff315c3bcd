/* gpt_neo.c - GPTNeoForCausalLM: learned positions, unscaled attention, a window in every other layer. */
#include "gpt_like.h"

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
};

static const tfm_gpt_like gpt_neo = {
    .keys =
        {
            .d_model = "hidden_size",
            .n_layers = "num_layers",
            .n_heads = "num_heads",
            .d_ff = "intermediate_size",
            .max_positions = "max_position_embeddings",
            .activation = "activation_function",
            .norm_eps = "layer_norm_epsilon",
        },
    .defaults =
        {
            .vocab_size = 50257,
            .d_model = 2048,
            .n_layers = 24,
            .n_heads = 16,
            .max_positions = 2048,
            .activation = "gelu_new",
            .tied = true,
        },
    .names = &names,
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
    tfm_read_gpt_like(c, config, &gpt_neo);
    c->stack.position = "table";
    c->stack.biases = "out_ffn";
    c->stack.attention_scale = 1;
    const json_t *types = tfm_config_get(config, "attention_types");
    if (!json_is_array(types)) {
        tfm_config_fail(config, TFM_ERROR_FORMAT, "attention_types", "is missing");
        return;
    }
    tfm_causal_windows(c, config, tfm_config_u64(config, "window_size", 1, 1 << 22, 256), is_local, types);
}

const tfm_importer tfm_gpt_neo_importer = {
    .family = "gpt_neo",
    .model_types = "gpt_neo",
    .what = "GPTNeoForCausalLM: GPT-Neo, TinyStories (decoder)",
    .import = tfm_import_causal,
    .read_causal = read,
};
