/* gguf_families.c - the architectures of GGUF files: names of tensors and settings there and in Hugging Face folders.
 */
#include "gguf_model.h"

#define SIZES                                                                                                          \
    {"context_length", "max_position_embeddings"}, {"embedding_length", "hidden_size"},                                \
        {"block_count", "num_hidden_layers"}, {"feed_forward_length", "intermediate_size"}, {                          \
        "attention.head_count", "num_attention_heads"                                                                  \
    }
#define RMS_EPS                                                                                                        \
    { "attention.layer_norm_rms_epsilon", "rms_norm_eps" }
#define LAYER_EPS                                                                                                      \
    { "attention.layer_norm_epsilon", "layer_norm_eps" }

static const tfm_gguf_key none[] = {{NULL, NULL}};
static const tfm_gguf_key rms_keys[] = {SIZES, RMS_EPS, {NULL, NULL}};
static const tfm_gguf_key layer_keys[] = {SIZES, LAYER_EPS, {NULL, NULL}};

/* ---- Llama and its like ---- */

static const tfm_gguf_name llama_names[] = {
    {.theirs = "token_embd", .ours = "model.embed_tokens"},
    {.theirs = "output_norm", .ours = "model.norm"},
    {.theirs = "output", .ours = "lm_head"},
    {.theirs = "rope_freqs", .order = TFM_GGUF_DROPPED},
    {.theirs = "rope_factors_long", .order = TFM_GGUF_DROPPED},
    {.theirs = "rope_factors_short", .order = TFM_GGUF_DROPPED},
    {.theirs = NULL},
};

#define LLAMA_REST                                                                                                     \
    {.theirs = "attn_norm", .ours = "input_layernorm"}, {.theirs = "attn_v", .ours = "self_attn.v_proj"},              \
        {.theirs = "attn_output", .ours = "self_attn.o_proj"}, {.theirs = "ffn_gate", .ours = "mlp.gate_proj"},        \
        {.theirs = "ffn_up", .ours = "mlp.up_proj"}, {.theirs = "ffn_down", .ours = "mlp.down_proj"},                  \
        {.theirs = "attn_rot_embd", .order = TFM_GGUF_DROPPED}, {                                                      \
        .theirs = NULL                                                                                                 \
    }

static const tfm_gguf_name llama_layers[] = {
    {.theirs = "attn_q", .ours = "self_attn.q_proj", .order = TFM_GGUF_ROPE_Q},
    {.theirs = "attn_k", .ours = "self_attn.k_proj", .order = TFM_GGUF_ROPE_K},
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm"},
    LLAMA_REST,
};

/* The same without interleaved rows. */
static const tfm_gguf_name plain_layers[] = {
    {.theirs = "attn_q", .ours = "self_attn.q_proj"},           {.theirs = "attn_k", .ours = "self_attn.k_proj"},
    {.theirs = "attn_q_norm", .ours = "self_attn.q_norm"},      {.theirs = "attn_k_norm", .ours = "self_attn.k_norm"},
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm"}, LLAMA_REST,
};

static void set_bool(tfm_gguf_model *m, const char *key, bool value) {
    tfm_gguf_config_set(m, key, json_boolean(value));
}

static void finish_llama(tfm_gguf_model *m) {
    set_bool(m, "attention_bias", tfm_gguf_has(m, "blk.0.attn_q.bias"));
    set_bool(m, "mlp_bias", tfm_gguf_has(m, "blk.0.ffn_up.bias"));
    uint64_t window = tfm_gguf_config_u64(m, "attention.sliding_window", 0);
    if (window == 0) return;
    tfm_gguf_config_set(m, "model_type", json_string("mistral"));
    tfm_gguf_config_set(m, "sliding_window", json_integer((json_int_t)window));
}

static const tfm_gguf_family llama = {
    .architecture = "llama",
    .model_type = "llama",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = llama_layers,
    .required = rms_keys,
    .optional = none,
    .theta = "rope_theta",
    .heads = true,
    .finish = finish_llama,
};

static const tfm_gguf_family qwen2 = {
    .architecture = "qwen2",
    .model_type = "qwen2",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = plain_layers,
    .required = rms_keys,
    .optional = none,
    .theta = "rope_theta",
    .heads = true,
};

static const tfm_gguf_family qwen3 = {
    .architecture = "qwen3",
    .model_type = "qwen3",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = plain_layers,
    .required = rms_keys,
    .optional = none,
    .theta = "rope_theta",
    .heads = true,
};

static const tfm_gguf_key granite_keys[] = {
    {"embedding_scale", "embedding_multiplier"},
    {"residual_scale", "residual_multiplier"},
    {"attention.scale", "attention_multiplier"},
    {"logit_scale", "logits_scaling"},
    {NULL, NULL},
};

static const tfm_gguf_family granite = {
    .architecture = "granite",
    .model_type = "granite",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = llama_layers,
    .required = rms_keys,
    .optional = granite_keys,
    .theta = "rope_theta",
    .heads = true,
    .finish = finish_llama,
};

static void finish_command_r(tfm_gguf_model *m) {
    set_bool(m, "use_qk_norm", tfm_gguf_has(m, "blk.0.attn_q_norm.weight"));
}

static const tfm_gguf_key command_r_keys[] = {{"logit_scale", "logit_scale"}, {NULL, NULL}};

static const tfm_gguf_family command_r = {
    .architecture = "command-r",
    .model_type = "cohere",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = plain_layers,
    .required = layer_keys,
    .optional = command_r_keys,
    .theta = "rope_theta",
    .heads = true,
    .finish = finish_command_r,
};

/* ---- Gemma ---- */

static const tfm_gguf_name gemma_names[] = {
    {.theirs = "token_embd", .ours = "model.embed_tokens"},
    {.theirs = "output_norm", .ours = "model.norm", .order = TFM_GGUF_PLUS_ONE},
    {.theirs = "output", .ours = "lm_head"},
    {.theirs = NULL},
};

#define GEMMA_REST                                                                                                     \
    {.theirs = "attn_norm", .ours = "input_layernorm", .order = TFM_GGUF_PLUS_ONE},                                    \
        {.theirs = "attn_q", .ours = "self_attn.q_proj"}, {.theirs = "attn_k", .ours = "self_attn.k_proj"},            \
        {.theirs = "attn_v", .ours = "self_attn.v_proj"}, {.theirs = "attn_output", .ours = "self_attn.o_proj"},       \
        {.theirs = "ffn_gate", .ours = "mlp.gate_proj"}, {.theirs = "ffn_up", .ours = "mlp.up_proj"},                  \
        {.theirs = "ffn_down", .ours = "mlp.down_proj"}, {                                                             \
        .theirs = NULL                                                                                                 \
    }

static const tfm_gguf_name gemma_layers[] = {
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm", .order = TFM_GGUF_PLUS_ONE},
    GEMMA_REST,
};

static const tfm_gguf_name gemma2_layers[] = {
    {.theirs = "post_attention_norm", .ours = "post_attention_layernorm", .order = TFM_GGUF_PLUS_ONE},
    {.theirs = "ffn_norm", .ours = "pre_feedforward_layernorm", .order = TFM_GGUF_PLUS_ONE},
    {.theirs = "post_ffw_norm", .ours = "post_feedforward_layernorm", .order = TFM_GGUF_PLUS_ONE},
    GEMMA_REST,
};

static const tfm_gguf_family gemma = {
    .architecture = "gemma",
    .model_type = "gemma",
    .layers = "model.layers.",
    .names = gemma_names,
    .in_layers = gemma_layers,
    .required = rms_keys,
    .optional = none,
    .theta = "rope_theta",
    .heads = true,
};

static const tfm_gguf_key gemma2_keys[] = {
    {"attention.sliding_window", "sliding_window"},
    {"attn_logit_softcapping", "attn_logit_softcapping"},
    {"final_logit_softcapping", "final_logit_softcapping"},
    {NULL, NULL},
};

/* The files do not say what scores are divided by. It is the root of a head's size, but in the largest model (46
 * layers) that of the width over the number of heads. */
static void finish_gemma2(tfm_gguf_model *m) {
    double scale = (double)(m->n_layers == 46 ? m->d_model / m->n_heads : m->head_dim);
    tfm_gguf_config_set(m, "query_pre_attn_scalar", json_real(scale));
}

static const tfm_gguf_family gemma2 = {
    .architecture = "gemma2",
    .model_type = "gemma2",
    .layers = "model.layers.",
    .names = gemma_names,
    .in_layers = gemma2_layers,
    .required = rms_keys,
    .optional = gemma2_keys,
    .theta = "rope_theta",
    .heads = true,
    .finish = finish_gemma2,
};

/* ---- Phi and StableLM ---- */

static const tfm_gguf_name phi2_names[] = {
    {.theirs = "token_embd", .ours = "model.embed_tokens"},
    {.theirs = "output_norm", .ours = "model.final_layernorm"},
    {.theirs = "output", .ours = "lm_head"},
    {.theirs = NULL},
};

static const tfm_gguf_name phi2_layers[] = {
    {.theirs = "attn_norm", .ours = "input_layernorm"},
    {.theirs = "attn_qkv", .ours = "self_attn.q_proj self_attn.k_proj self_attn.v_proj", .order = TFM_GGUF_QKV},
    {.theirs = "attn_q", .ours = "self_attn.q_proj"},
    {.theirs = "attn_k", .ours = "self_attn.k_proj"},
    {.theirs = "attn_v", .ours = "self_attn.v_proj"},
    {.theirs = "attn_output", .ours = "self_attn.dense"},
    {.theirs = "ffn_up", .ours = "mlp.fc1"},
    {.theirs = "ffn_down", .ours = "mlp.fc2"},
    {.theirs = NULL},
};

static const tfm_gguf_family phi2 = {
    .architecture = "phi2",
    .model_type = "phi",
    .layers = "model.layers.",
    .names = phi2_names,
    .in_layers = phi2_layers,
    .required = layer_keys,
    .optional = none,
    .theta = "rope_theta",
    .rotated = "partial_rotary_factor",
    .heads = true,
};

static const tfm_gguf_name phi3_layers[] = {
    {.theirs = "attn_norm", .ours = "input_layernorm"},
    {.theirs = "attn_qkv", .ours = "self_attn.qkv_proj"},
    {.theirs = "attn_output", .ours = "self_attn.o_proj"},
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm"},
    {.theirs = "ffn_up", .ours = "mlp.gate_up_proj"},
    {.theirs = "ffn_down", .ours = "mlp.down_proj"},
    {.theirs = NULL},
};

static void finish_phi3(tfm_gguf_model *m) {
    uint64_t window = tfm_gguf_config_u64(m, "attention.sliding_window", 0);
    if (window > 0) tfm_gguf_config_set(m, "sliding_window", json_integer((json_int_t)window));
}

static const tfm_gguf_family phi3 = {
    .architecture = "phi3",
    .model_type = "phi3",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = phi3_layers,
    .required = rms_keys,
    .optional = none,
    .theta = "rope_theta",
    .rotated = "partial_rotary_factor",
    .heads = true,
    .finish = finish_phi3,
};

static const tfm_gguf_name stablelm_layers[] = {
    {.theirs = "attn_q", .ours = "self_attn.q_proj"},
    {.theirs = "attn_k", .ours = "self_attn.k_proj"},
    {.theirs = "attn_q_norm", .ours = "self_attn.q_layernorm.norms", .order = TFM_GGUF_STACKED},
    {.theirs = "attn_k_norm", .ours = "self_attn.k_layernorm.norms", .order = TFM_GGUF_STACKED},
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm"},
    LLAMA_REST,
};

static const tfm_gguf_key stablelm_keys[] = {{"use_parallel_residual", "use_parallel_residual"}, {NULL, NULL}};

static void finish_stablelm(tfm_gguf_model *m) {
    set_bool(m, "use_qkv_bias", tfm_gguf_has(m, "blk.0.attn_q.bias"));
    set_bool(m, "qk_layernorm", tfm_gguf_has(m, "blk.0.attn_q_norm.weight"));
    if (!tfm_gguf_has(m, "blk.0.ffn_norm.weight")) set_bool(m, "use_parallel_residual", true);
}

static const tfm_gguf_family stablelm = {
    .architecture = "stablelm",
    .model_type = "stablelm",
    .layers = "model.layers.",
    .names = llama_names,
    .in_layers = stablelm_layers,
    .required = layer_keys,
    .optional = stablelm_keys,
    .theta = "rope_theta",
    .rotated = "partial_rotary_factor",
    .heads = true,
    .finish = finish_stablelm,
};

/* ---- GPT-2, GPT-NeoX, BLOOM ---- */

static const tfm_gguf_name gpt2_names[] = {
    {.theirs = "token_embd", .ours = "transformer.wte"},
    {.theirs = "position_embd", .ours = "transformer.wpe"},
    {.theirs = "output_norm", .ours = "transformer.ln_f"},
    {.theirs = "output", .ours = "lm_head"},
    {.theirs = NULL},
};

static const tfm_gguf_name gpt2_layers[] = {
    {.theirs = "attn_norm", .ours = "ln_1"},
    {.theirs = "attn_qkv", .ours = "attn.c_attn"},
    {.theirs = "ffn_norm", .ours = "ln_2"},
    {.theirs = "attn_output", .ours = "attn.c_proj"},
    {.theirs = "ffn_up", .ours = "mlp.c_fc"},
    {.theirs = "ffn_down", .ours = "mlp.c_proj"},
    {.theirs = NULL},
};

static const tfm_gguf_key gpt2_keys[] = {
    {"context_length", "n_positions"},
    {"embedding_length", "n_embd"},
    {"block_count", "n_layer"},
    {"feed_forward_length", "n_inner"},
    {"attention.head_count", "n_head"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {NULL, NULL},
};

/* Linear layers are turned already. */
static void finish_gpt2(tfm_gguf_model *m) { set_bool(m, "tfm_linear_transposed", false); }

static const tfm_gguf_family gpt2 = {
    .architecture = "gpt2",
    .model_type = "gpt2",
    .layers = "transformer.h.",
    .names = gpt2_names,
    .in_layers = gpt2_layers,
    .required = gpt2_keys,
    .optional = none,
    .finish = finish_gpt2,
};

static const tfm_gguf_name gptneox_names[] = {
    {.theirs = "token_embd", .ours = "gpt_neox.embed_in"},
    {.theirs = "output_norm", .ours = "gpt_neox.final_layer_norm"},
    {.theirs = "output", .ours = "embed_out"},
    {.theirs = NULL},
};

static const tfm_gguf_name gptneox_layers[] = {
    {.theirs = "attn_norm", .ours = "input_layernorm"},
    {.theirs = "attn_qkv", .ours = "attention.query_key_value", .order = TFM_GGUF_PER_HEAD},
    {.theirs = "attn_output", .ours = "attention.dense"},
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm"},
    {.theirs = "ffn_up", .ours = "mlp.dense_h_to_4h"},
    {.theirs = "ffn_down", .ours = "mlp.dense_4h_to_h"},
    {.theirs = NULL},
};

static void finish_gptneox(tfm_gguf_model *m) { set_bool(m, "attention_bias", tfm_gguf_has(m, "blk.0.attn_qkv.bias")); }

static const tfm_gguf_family gptneox = {
    .architecture = "gptneox",
    .model_type = "gpt_neox",
    .layers = "gpt_neox.layers.",
    .names = gptneox_names,
    .in_layers = gptneox_layers,
    .required = layer_keys,
    .optional = stablelm_keys,
    .theta = "rotary_emb_base",
    .rotated = "rotary_pct",
    .finish = finish_gptneox,
};

static const tfm_gguf_name bloom_names[] = {
    {.theirs = "token_embd", .ours = "transformer.word_embeddings"},
    {.theirs = "token_embd_norm", .ours = "transformer.word_embeddings_layernorm"},
    {.theirs = "output_norm", .ours = "transformer.ln_f"},
    {.theirs = "output", .ours = "lm_head"},
    {.theirs = NULL},
};

static const tfm_gguf_name bloom_layers[] = {
    {.theirs = "attn_norm", .ours = "input_layernorm"},
    {.theirs = "attn_qkv", .ours = "self_attention.query_key_value", .order = TFM_GGUF_PER_HEAD},
    {.theirs = "attn_output", .ours = "self_attention.dense"},
    {.theirs = "ffn_norm", .ours = "post_attention_layernorm"},
    {.theirs = "ffn_up", .ours = "mlp.dense_h_to_4h"},
    {.theirs = "ffn_down", .ours = "mlp.dense_4h_to_h"},
    {.theirs = NULL},
};

static const tfm_gguf_key bloom_keys[] = {
    {"context_length", "seq_length"},
    {"embedding_length", "hidden_size"},
    {"block_count", "n_layer"},
    {"attention.head_count", "n_head"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {NULL, NULL},
};

static const tfm_gguf_family bloom = {
    .architecture = "bloom",
    .model_type = "bloom",
    .layers = "transformer.h.",
    .names = bloom_names,
    .in_layers = bloom_layers,
    .required = bloom_keys,
    .optional = none,
};

/* ---- BERT ---- */

static const tfm_gguf_name bert_names[] = {
    {.theirs = "token_embd", .ours = "embeddings.word_embeddings"},
    {.theirs = "token_types", .ours = "embeddings.token_type_embeddings"},
    {.theirs = "position_embd", .ours = "embeddings.position_embeddings"},
    {.theirs = "token_embd_norm", .ours = "embeddings.LayerNorm"},
    {.theirs = NULL},
};

static const tfm_gguf_name bert_layers[] = {
    {.theirs = "attn_q", .ours = "attention.self.query"},
    {.theirs = "attn_k", .ours = "attention.self.key"},
    {.theirs = "attn_v", .ours = "attention.self.value"},
    {.theirs = "attn_output", .ours = "attention.output.dense"},
    {.theirs = "attn_output_norm", .ours = "attention.output.LayerNorm"},
    {.theirs = "ffn_up", .ours = "intermediate.dense"},
    {.theirs = "ffn_down", .ours = "output.dense"},
    {.theirs = "layer_output_norm", .ours = "output.LayerNorm"},
    {.theirs = NULL},
};

static void finish_bert(tfm_gguf_model *m) {
    const tfm_gguf_tensor *positions = tfm_gguf_tensor_find(m->gguf, "position_embd.weight");
    const tfm_gguf_tensor *types = tfm_gguf_tensor_find(m->gguf, "token_types.weight");
    if (positions) tfm_gguf_config_set(m, "max_position_embeddings", json_integer((json_int_t)positions->shape[0]));
    if (types)
        tfm_gguf_config_set(m, "type_vocab_size", json_integer(types->rank == 1 ? 1 : (json_int_t)types->shape[0]));
    switch (tfm_gguf_config_u64(m, "pooling_type", 0)) {
    case 0: break;
    case 1: tfm_gguf_config_set(m, "tfm_pooling", json_string("mean")); break;
    case 2: tfm_gguf_config_set(m, "tfm_pooling", json_string("cls")); break;
    default:
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, "pooling_type", "is neither none (0), mean (1) nor CLS (2)");
    }
}

static const tfm_gguf_family bert = {
    .architecture = "bert",
    .model_type = "bert",
    .layers = "encoder.layer.",
    .names = bert_names,
    .in_layers = bert_layers,
    .required = layer_keys,
    .optional = none,
    .finish = finish_bert,
};

const tfm_gguf_family *const tfm_gguf_families[] = {&llama,    &qwen2,     &qwen3,   &gemma,   &gemma2,
                                                    &phi2,     &phi3,      &gpt2,    &gptneox, &bloom,
                                                    &stablelm, &command_r, &granite, &bert,    NULL};
