/*
 * gguf_families.c - the architectures of GGUF files: their names of tensors and settings (as GGUF's documentation lists
 * them), and those of the Hugging Face folders they were converted from.
 */
#include "gguf_model.h"

/* ---- settings ---- */

static const tfm_gguf_key sizes[] = {
    {.gguf = "context_length", .hf = "max_position_embeddings"},
    {.gguf = "embedding_length", .hf = "hidden_size"},
    {.gguf = "block_count", .hf = "num_hidden_layers"},
    {.gguf = "feed_forward_length", .hf = "intermediate_size"},
    {.gguf = "attention.head_count", .hf = "num_attention_heads"},
    {0},
};

static const tfm_gguf_key rms_epsilon[] = {
    {.gguf = "attention.layer_norm_rms_epsilon", .hf = "rms_norm_eps"},
    {0},
};

static const tfm_gguf_key layer_epsilon[] = {
    {.gguf = "attention.layer_norm_epsilon", .hf = "layer_norm_eps"},
    {0},
};

static const tfm_gguf_key parallel_residual[] = {
    {.gguf = "use_parallel_residual", .hf = "use_parallel_residual"},
    {0},
};

static void set_bool(tfm_gguf_model *m, const char *key, bool value) {
    tfm_foreign_set_bool(&m->foreign, m->config, key, value);
}

static void set_u64(tfm_gguf_model *m, const char *key, uint64_t value) {
    tfm_foreign_set_u64(&m->foreign, m->config, key, value);
}

/* ---- Llama and its like ---- */

static const tfm_gguf_name llama_tensors[] = {
    {.gguf = "token_embd", .hf = "model.embed_tokens"},
    {.gguf = "output_norm", .hf = "model.norm"},
    {.gguf = "output", .hf = "lm_head"},
    {.gguf = "rope_freqs", .change = TFM_GGUF_DROPPED}, /* factors of rotations: gguf_config.c reads them */
    {.gguf = "rope_factors_long", .change = TFM_GGUF_DROPPED},
    {.gguf = "rope_factors_short", .change = TFM_GGUF_DROPPED},
    {0},
};

/* All of a layer but queries and keys. */
static const tfm_gguf_name llama_layer[] = {
    {.gguf = "attn_norm", .hf = "input_layernorm"},
    {.gguf = "attn_v", .hf = "self_attn.v_proj"},
    {.gguf = "attn_output", .hf = "self_attn.o_proj"},
    {.gguf = "attn_rot_embd", .change = TFM_GGUF_DROPPED},
    {.gguf = "ffn_norm", .hf = "post_attention_layernorm"},
    {.gguf = "ffn_gate", .hf = "mlp.gate_proj"},
    {.gguf = "ffn_up", .hf = "mlp.up_proj"},
    {.gguf = "ffn_down", .hf = "mlp.down_proj"},
    {0},
};

static const tfm_gguf_name queries_keys[] = {
    {.gguf = "attn_q", .hf = "self_attn.q_proj"},
    {.gguf = "attn_k", .hf = "self_attn.k_proj"},
    {0},
};

static const tfm_gguf_name queries_keys_interleaved[] = {
    {.gguf = "attn_q", .hf = "self_attn.q_proj", .change = TFM_GGUF_ROPE_Q},
    {.gguf = "attn_k", .hf = "self_attn.k_proj", .change = TFM_GGUF_ROPE_K},
    {0},
};

static const tfm_gguf_name norms_of_queries_keys[] = {
    {.gguf = "attn_q_norm", .hf = "self_attn.q_norm"},
    {.gguf = "attn_k_norm", .hf = "self_attn.k_norm"},
    {0},
};

static void finish_llama(tfm_gguf_model *m) {
    set_bool(m, "attention_bias", tfm_gguf_has(m, "blk.0.attn_q.bias"));
    set_bool(m, "mlp_bias", tfm_gguf_has(m, "blk.0.ffn_up.bias"));
    uint64_t window = tfm_gguf_config_u64(m, "attention.sliding_window", 0);
    if (window == 0) return;
    tfm_foreign_set_string(&m->foreign, m->config, "model_type", "mistral");
    set_u64(m, "sliding_window", window);
}

static const tfm_gguf_family llama = {
    .architecture = "llama",
    .model_type = "llama",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {llama_layer, queries_keys_interleaved},
    .required = {sizes, rms_epsilon},
    .theta = "rope_theta",
    .has_head_keys = true,
    .finish = finish_llama,
};

static const tfm_gguf_key granite_scales[] = {
    {.gguf = "embedding_scale", .hf = "embedding_multiplier"},
    {.gguf = "residual_scale", .hf = "residual_multiplier"},
    {.gguf = "attention.scale", .hf = "attention_multiplier"},
    {.gguf = "logit_scale", .hf = "logits_scaling"},
    {0},
};

static const tfm_gguf_family granite = {
    .architecture = "granite",
    .model_type = "granite",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {llama_layer, queries_keys_interleaved},
    .required = {sizes, rms_epsilon},
    .optional = granite_scales,
    .theta = "rope_theta",
    .has_head_keys = true,
    .finish = finish_llama,
};

static const tfm_gguf_family qwen2 = {
    .architecture = "qwen2",
    .model_type = "qwen2",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {llama_layer, queries_keys, norms_of_queries_keys},
    .required = {sizes, rms_epsilon},
    .theta = "rope_theta",
    .has_head_keys = true,
};

static const tfm_gguf_family qwen3 = {
    .architecture = "qwen3",
    .model_type = "qwen3",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {llama_layer, queries_keys, norms_of_queries_keys},
    .required = {sizes, rms_epsilon},
    .theta = "rope_theta",
    .has_head_keys = true,
};

static const tfm_gguf_key command_r_scale[] = {
    {.gguf = "logit_scale", .hf = "logit_scale"},
    {0},
};

static void finish_command_r(tfm_gguf_model *m) {
    set_bool(m, "use_qk_norm", tfm_gguf_has(m, "blk.0.attn_q_norm.weight"));
}

static const tfm_gguf_family command_r = {
    .architecture = "command-r",
    .model_type = "cohere",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {llama_layer, queries_keys, norms_of_queries_keys},
    .required = {sizes, layer_epsilon},
    .optional = command_r_scale,
    .theta = "rope_theta",
    .has_head_keys = true,
    .finish = finish_command_r,
};

/* ---- Gemma ---- */

static const tfm_gguf_name gemma_tensors[] = {
    {.gguf = "token_embd", .hf = "model.embed_tokens"},
    {.gguf = "output_norm", .hf = "model.norm", .change = TFM_GGUF_PLUS_ONE},
    {.gguf = "output", .hf = "lm_head"},
    {0},
};

/* All of a layer but queries, keys and the norms that Gemma 2 has others of. */
static const tfm_gguf_name gemma_layer[] = {
    {.gguf = "attn_norm", .hf = "input_layernorm", .change = TFM_GGUF_PLUS_ONE},
    {.gguf = "attn_v", .hf = "self_attn.v_proj"},
    {.gguf = "attn_output", .hf = "self_attn.o_proj"},
    {.gguf = "ffn_gate", .hf = "mlp.gate_proj"},
    {.gguf = "ffn_up", .hf = "mlp.up_proj"},
    {.gguf = "ffn_down", .hf = "mlp.down_proj"},
    {0},
};

static const tfm_gguf_name gemma_norms[] = {
    {.gguf = "ffn_norm", .hf = "post_attention_layernorm", .change = TFM_GGUF_PLUS_ONE},
    {0},
};

static const tfm_gguf_family gemma = {
    .architecture = "gemma",
    .model_type = "gemma",
    .tensors = {gemma_tensors},
    .layers = "model.layers.",
    .layer_tensors = {gemma_layer, queries_keys, gemma_norms},
    .required = {sizes, rms_epsilon},
    .theta = "rope_theta",
    .has_head_keys = true,
};

static const tfm_gguf_name gemma2_norms[] = {
    {.gguf = "post_attention_norm", .hf = "post_attention_layernorm", .change = TFM_GGUF_PLUS_ONE},
    {.gguf = "ffn_norm", .hf = "pre_feedforward_layernorm", .change = TFM_GGUF_PLUS_ONE},
    {.gguf = "post_ffw_norm", .hf = "post_feedforward_layernorm", .change = TFM_GGUF_PLUS_ONE},
    {0},
};

static const tfm_gguf_key gemma2_keys[] = {
    {.gguf = "attention.sliding_window", .hf = "sliding_window"},
    {.gguf = "attn_logit_softcapping", .hf = "attn_logit_softcapping"},
    {.gguf = "final_logit_softcapping", .hf = "final_logit_softcapping"},
    {0},
};

/* The files do not say what scores are divided by. It is the root of a head's size, but in the largest model (46
 * layers) that of the width over the number of heads. */
static void finish_gemma2(tfm_gguf_model *m) {
    double scale = (double)(m->n_layers == 46 ? m->d_model / m->n_heads : m->head_dim);
    tfm_foreign_set_real(&m->foreign, m->config, "query_pre_attn_scalar", scale);
}

static const tfm_gguf_family gemma2 = {
    .architecture = "gemma2",
    .model_type = "gemma2",
    .tensors = {gemma_tensors},
    .layers = "model.layers.",
    .layer_tensors = {gemma_layer, queries_keys, gemma2_norms},
    .required = {sizes, rms_epsilon},
    .optional = gemma2_keys,
    .theta = "rope_theta",
    .has_head_keys = true,
    .finish = finish_gemma2,
};

/* ---- Phi and StableLM ---- */

static const tfm_gguf_name phi2_tensors[] = {
    {.gguf = "token_embd", .hf = "model.embed_tokens"},
    {.gguf = "output_norm", .hf = "model.final_layernorm"},
    {.gguf = "output", .hf = "lm_head"},
    {0},
};

static const tfm_gguf_name phi2_layer[] = {
    {.gguf = "attn_norm", .hf = "input_layernorm"},
    {.gguf = "attn_qkv", .hf = "self_attn.q_proj self_attn.k_proj self_attn.v_proj", .change = TFM_GGUF_QKV},
    {.gguf = "attn_v", .hf = "self_attn.v_proj"},
    {.gguf = "attn_output", .hf = "self_attn.dense"},
    {.gguf = "ffn_up", .hf = "mlp.fc1"},
    {.gguf = "ffn_down", .hf = "mlp.fc2"},
    {0},
};

static const tfm_gguf_family phi2 = {
    .architecture = "phi2",
    .model_type = "phi",
    .tensors = {phi2_tensors},
    .layers = "model.layers.",
    .layer_tensors = {phi2_layer, queries_keys},
    .required = {sizes, layer_epsilon},
    .theta = "rope_theta",
    .rotated = "partial_rotary_factor",
    .has_head_keys = true,
};

static const tfm_gguf_name phi3_layer[] = {
    {.gguf = "attn_norm", .hf = "input_layernorm"},
    {.gguf = "attn_qkv", .hf = "self_attn.qkv_proj"},
    {.gguf = "attn_output", .hf = "self_attn.o_proj"},
    {.gguf = "ffn_norm", .hf = "post_attention_layernorm"},
    {.gguf = "ffn_up", .hf = "mlp.gate_up_proj"},
    {.gguf = "ffn_down", .hf = "mlp.down_proj"},
    {0},
};

static void finish_phi3(tfm_gguf_model *m) {
    uint64_t window = tfm_gguf_config_u64(m, "attention.sliding_window", 0);
    if (window > 0) set_u64(m, "sliding_window", window);
}

static const tfm_gguf_family phi3 = {
    .architecture = "phi3",
    .model_type = "phi3",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {phi3_layer},
    .required = {sizes, rms_epsilon},
    .theta = "rope_theta",
    .rotated = "partial_rotary_factor",
    .has_head_keys = true,
    .finish = finish_phi3,
};

static const tfm_gguf_name stacked_norms[] = {
    {.gguf = "attn_q_norm", .hf = "self_attn.q_layernorm.norms", .change = TFM_GGUF_STACKED},
    {.gguf = "attn_k_norm", .hf = "self_attn.k_layernorm.norms", .change = TFM_GGUF_STACKED},
    {0},
};

static void finish_stablelm(tfm_gguf_model *m) {
    set_bool(m, "use_qkv_bias", tfm_gguf_has(m, "blk.0.attn_q.bias"));
    set_bool(m, "qk_layernorm", tfm_gguf_has(m, "blk.0.attn_q_norm.weight"));
    if (!tfm_gguf_has(m, "blk.0.ffn_norm.weight")) set_bool(m, "use_parallel_residual", true);
}

static const tfm_gguf_family stablelm = {
    .architecture = "stablelm",
    .model_type = "stablelm",
    .tensors = {llama_tensors},
    .layers = "model.layers.",
    .layer_tensors = {llama_layer, queries_keys, stacked_norms},
    .required = {sizes, layer_epsilon},
    .optional = parallel_residual,
    .theta = "rope_theta",
    .rotated = "partial_rotary_factor",
    .has_head_keys = true,
    .finish = finish_stablelm,
};

/* ---- GPT-2, GPT-NeoX, BLOOM ---- */

static const tfm_gguf_name gpt2_tensors[] = {
    {.gguf = "token_embd", .hf = "transformer.wte"},
    {.gguf = "position_embd", .hf = "transformer.wpe"},
    {.gguf = "output_norm", .hf = "transformer.ln_f"},
    {.gguf = "output", .hf = "lm_head"},
    {0},
};

static const tfm_gguf_name gpt2_layer[] = {
    {.gguf = "attn_norm", .hf = "ln_1"},
    {.gguf = "attn_qkv", .hf = "attn.c_attn"},
    {.gguf = "attn_output", .hf = "attn.c_proj"},
    {.gguf = "ffn_norm", .hf = "ln_2"},
    {.gguf = "ffn_up", .hf = "mlp.c_fc"},
    {.gguf = "ffn_down", .hf = "mlp.c_proj"},
    {0},
};

static const tfm_gguf_key gpt2_keys[] = {
    {.gguf = "context_length", .hf = "n_positions"},
    {.gguf = "embedding_length", .hf = "n_embd"},
    {.gguf = "block_count", .hf = "n_layer"},
    {.gguf = "feed_forward_length", .hf = "n_inner"},
    {.gguf = "attention.head_count", .hf = "n_head"},
    {.gguf = "attention.layer_norm_epsilon", .hf = "layer_norm_epsilon"},
    {0},
};

/* The converters transpose what the folder keeps as (inputs, outputs). */
static void finish_gpt2(tfm_gguf_model *m) { m->foreign.checkpoint->hints.linear_not_transposed = true; }

static const tfm_gguf_family gpt2 = {
    .architecture = "gpt2",
    .model_type = "gpt2",
    .tensors = {gpt2_tensors},
    .layers = "transformer.h.",
    .layer_tensors = {gpt2_layer},
    .required = {gpt2_keys},
    .finish = finish_gpt2,
};

static const tfm_gguf_name gptneox_tensors[] = {
    {.gguf = "token_embd", .hf = "gpt_neox.embed_in"},
    {.gguf = "output_norm", .hf = "gpt_neox.final_layer_norm"},
    {.gguf = "output", .hf = "embed_out"},
    {0},
};

static const tfm_gguf_name gptneox_layer[] = {
    {.gguf = "attn_norm", .hf = "input_layernorm"},
    {.gguf = "attn_qkv", .hf = "attention.query_key_value", .change = TFM_GGUF_PER_HEAD},
    {.gguf = "attn_output", .hf = "attention.dense"},
    {.gguf = "ffn_norm", .hf = "post_attention_layernorm"},
    {.gguf = "ffn_up", .hf = "mlp.dense_h_to_4h"},
    {.gguf = "ffn_down", .hf = "mlp.dense_4h_to_h"},
    {0},
};

static void finish_gptneox(tfm_gguf_model *m) { set_bool(m, "attention_bias", tfm_gguf_has(m, "blk.0.attn_qkv.bias")); }

static const tfm_gguf_family gptneox = {
    .architecture = "gptneox",
    .model_type = "gpt_neox",
    .tensors = {gptneox_tensors},
    .layers = "gpt_neox.layers.",
    .layer_tensors = {gptneox_layer},
    .required = {sizes, layer_epsilon},
    .optional = parallel_residual,
    .theta = "rotary_emb_base",
    .rotated = "rotary_pct",
    .finish = finish_gptneox,
};

static const tfm_gguf_name bloom_tensors[] = {
    {.gguf = "token_embd", .hf = "transformer.word_embeddings"},
    {.gguf = "token_embd_norm", .hf = "transformer.word_embeddings_layernorm"},
    {.gguf = "output_norm", .hf = "transformer.ln_f"},
    {.gguf = "output", .hf = "lm_head"},
    {0},
};

static const tfm_gguf_name bloom_layer[] = {
    {.gguf = "attn_norm", .hf = "input_layernorm"},
    {.gguf = "attn_qkv", .hf = "self_attention.query_key_value", .change = TFM_GGUF_PER_HEAD},
    {.gguf = "attn_output", .hf = "self_attention.dense"},
    {.gguf = "ffn_norm", .hf = "post_attention_layernorm"},
    {.gguf = "ffn_up", .hf = "mlp.dense_h_to_4h"},
    {.gguf = "ffn_down", .hf = "mlp.dense_4h_to_h"},
    {0},
};

static const tfm_gguf_key bloom_keys[] = {
    {.gguf = "context_length", .hf = "seq_length"},
    {.gguf = "embedding_length", .hf = "hidden_size"},
    {.gguf = "block_count", .hf = "n_layer"},
    {.gguf = "attention.head_count", .hf = "n_head"},
    {.gguf = "attention.layer_norm_epsilon", .hf = "layer_norm_epsilon"},
    {0},
};

static const tfm_gguf_family bloom = {
    .architecture = "bloom",
    .model_type = "bloom",
    .tensors = {bloom_tensors},
    .layers = "transformer.h.",
    .layer_tensors = {bloom_layer},
    .required = {bloom_keys},
};

/* ---- BERT ---- */

static const tfm_gguf_name bert_tensors[] = {
    {.gguf = "token_embd", .hf = "embeddings.word_embeddings"},
    {.gguf = "token_types", .hf = "embeddings.token_type_embeddings"},
    {.gguf = "position_embd", .hf = "embeddings.position_embeddings"},
    {.gguf = "token_embd_norm", .hf = "embeddings.LayerNorm"},
    {0},
};

static const tfm_gguf_name bert_layer[] = {
    {.gguf = "attn_q", .hf = "attention.self.query"},
    {.gguf = "attn_k", .hf = "attention.self.key"},
    {.gguf = "attn_v", .hf = "attention.self.value"},
    {.gguf = "attn_output", .hf = "attention.output.dense"},
    {.gguf = "attn_output_norm", .hf = "attention.output.LayerNorm"},
    {.gguf = "ffn_up", .hf = "intermediate.dense"},
    {.gguf = "ffn_down", .hf = "output.dense"},
    {.gguf = "layer_output_norm", .hf = "output.LayerNorm"},
    {0},
};

static void finish_bert(tfm_gguf_model *m) {
    const tfm_gguf_tensor *positions = tfm_gguf_tensor_find(m->gguf, "position_embd.weight");
    const tfm_gguf_tensor *types = tfm_gguf_tensor_find(m->gguf, "token_types.weight");
    if (positions) set_u64(m, "max_position_embeddings", positions->shape[0]);
    if (types) set_u64(m, "type_vocab_size", types->rank == 1 ? 1 : types->shape[0]);
    switch (tfm_gguf_config_u64(m, "pooling_type", 0)) {
    case 0: break;
    case 1: m->foreign.checkpoint->hints.pooling = "mean"; break;
    case 2: m->foreign.checkpoint->hints.pooling = "cls"; break;
    default:
        tfm_gguf_config_fail(m, TFM_ERROR_UNSUPPORTED, "pooling_type", "is neither none (0), mean (1) nor CLS (2)");
    }
}

static const tfm_gguf_family bert = {
    .architecture = "bert",
    .model_type = "bert",
    .tensors = {bert_tensors},
    .layers = "encoder.layer.",
    .layer_tensors = {bert_layer},
    .required = {sizes, layer_epsilon},
    .finish = finish_bert,
};

/* ---- the list ---- */

const tfm_gguf_family *const tfm_gguf_families[] = {
    &llama,   &qwen2, &qwen3,    &gemma,     &gemma2,  &phi2, &phi3, &gpt2,
    &gptneox, &bloom, &stablelm, &command_r, &granite, &bert, NULL,
};
