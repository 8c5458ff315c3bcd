/*
 * ct2_models.c - Hugging Face checkpoints with the variables CTranslate2 has for them: BART and its relatives, T5,
 * Llama and its relatives, GPT-2, GPT-NeoX, Phi, BERT.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct2_writer.h"
#include "format/grow.h"
#include "simd/position_table.h"
#include "tools/pack/common/name_format.h"

typedef struct job {
    ct2_writer *w;
    tfm_checkpoint *from;
    const json_t *config;
    const char *type; /* model_type */
} job;

static uint64_t number(const job *j, const char *key) {
    return (uint64_t)json_integer_value(json_object_get(j->config, key));
}

static bool has(const job *j, const char *name) { return tfm_checkpoint_find(j->from, name) != NULL; }

/* Rows of the tensors one below the other. */
static float *join(const job *j, size_t n, const tfm_name *names, uint32_t *rank, uint64_t *rows, uint64_t *columns) {
    float *values = NULL;
    size_t capacity = 0;
    *rows = 0;
    for (size_t i = 0; i < n; i++) {
        const tfm_checkpoint_tensor *t = tfm_checkpoint_find(j->from, names[i].text);
        cr_assert(t, "no tensor %s", names[i].text);
        *rank = t->rank;
        *columns = t->rank > 1 ? t->shape[1] : 1;
        cr_assert(tfm_grow(&values, &capacity, *rows * *columns, t->shape[0] * *columns, sizeof *values));
        REQUIRE_OK(tfm_checkpoint_read(j->from, t, 0, t->shape[0], values + *rows * *columns, error));
        *rows += t->shape[0];
    }
    return values;
}

static void array(const job *j, const char *to, const char *from, uint64_t first, uint64_t cut) {
    uint32_t rank;
    uint64_t rows, columns;
    const tfm_name name = tfm_name_format("%s", from);
    float *values = join(j, 1, &name, &rank, &rows, &columns);
    if (rank == 2 && rows == 1) rank = 1, rows = columns, columns = 1; /* final_logits_bias */
    memmove(values, values + first * columns, (rows - first) * columns * sizeof *values);
    ct2_values(j->w, to, rank, rows - first - cut, columns, values);
}

static void linear(const job *j, const char *to, size_t n, const tfm_name *from, bool transpose) {
    for (int bias = 0; bias < 2; bias++) {
        tfm_name names[3];
        uint32_t rank;
        uint64_t rows, columns;
        for (size_t i = 0; i < n; i++) names[i] = tfm_name_format("%s.%s", from[i].text, bias ? "bias" : "weight");
        if (bias && !has(j, names[0].text)) return;
        float *values = join(j, n, names, &rank, &rows, &columns);
        if (transpose && !bias) {
            float *other = transposed(values, rows, columns);
            free(values);
            ct2_values(j->w, tfm_name_format("%s/weight", to).text, rank, columns, rows, other);
        } else {
            ct2_values(j->w, tfm_name_format("%s/%s", to, bias ? "bias" : "weight").text, rank, rows, columns, values);
        }
    }
}

static void linear_1(const job *j, const char *to, const char *from) {
    const tfm_name name = tfm_name_format("%s", from);
    linear(j, to, 1, &name, false);
}

static void norm(const job *j, const char *to, const char *from) {
    array(j, tfm_name_format("%s/gamma", to).text, tfm_name_format("%s.weight", from).text, 0, 0);
    if (has(j, tfm_name_format("%s.bias", from).text))
        array(j, tfm_name_format("%s/beta", to).text, tfm_name_format("%s.bias", from).text, 0, 0);
}

static void small(const job *j, const char *stack, const char *key, double value) {
    ct2_number(j->w, tfm_name_format("%s/%s", stack, key).text, TFM_CT2_I8, value);
}

static int activation(const char *name) {
    static const char *const names[] = {"relu", "gelu_new", "silu", "gelu"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return i;
    cr_assert(strcmp(name, "swish") == 0, "activation %s", name);
    return 2;
}

static void decoder_switches(const job *j) {
    ct2_number(j->w, "decoder/alignment_layer", TFM_CT2_I16, -1);
    ct2_number(j->w, "decoder/alignment_heads", TFM_CT2_I16, 1);
    small(j, "decoder", "alibi", 0);
    small(j, "decoder", "alibi_use_positive_positions", 0);
    small(j, "decoder", "scale_alibi", 0);
}

static void stack_switches(const job *j, const char *stack, uint64_t heads, bool pre_norm, const char *act) {
    ct2_number(j->w, tfm_name_format("%s/num_heads", stack).text, TFM_CT2_I16, (double)heads);
    small(j, stack, "pre_norm", pre_norm);
    small(j, stack, "activation", activation(act));
}

/* ---- BART and its relatives ---- */

static void positions(const job *j, const char *stack, uint64_t d) {
    const uint64_t n = number(j, "max_position_embeddings");
    const tfm_name from = tfm_name_format("model.%s.embed_positions.weight", stack),
                   to = tfm_name_format("%s/position_encodings/encodings", stack);
    if (has(j, from.text)) {
        array(j, to.text, from.text, !strcmp(j->type, "marian") ? 0 : 2, 0);
        return;
    }
    float *values = malloc(n * d * sizeof *values);
    const bool wide = !strcmp(j->type, "m2m_100");
    cr_assert(values);
    tfm_sinusoid(values, n, d, wide ? 2 : 0, wide ? TFM_SINUSOID_HALVES_WIDE : TFM_SINUSOID_HALVES);
    ct2_values(j->w, to.text, 2, n, d, values);
}

static void bart_attention(const job *j, const char *to, const char *from, bool cross) {
    tfm_name q = tfm_name_format("%s.q_proj", from),
             kv[] = {q, tfm_name_format("%s.k_proj", from), tfm_name_format("%s.v_proj", from)};
    linear(j, tfm_name_format("%s/linear_0", to).text, cross ? 1 : 3, kv, false);
    if (cross) linear(j, tfm_name_format("%s/linear_1", to).text, 2, kv + 1, false);
    linear_1(j, tfm_name_format("%s/linear_%d", to, 1 + cross).text, tfm_name_format("%s.out_proj", from).text);
    norm(j, tfm_name_format("%s/layer_norm", to).text, tfm_name_format("%s_layer_norm", from).text);
}

static void bart_stack(const job *j, const char *stack) {
    const bool pre = !strcmp(j->type, "mbart") || !strcmp(j->type, "m2m_100"), decoder = !strcmp(stack, "decoder");
    const uint64_t d = number(j, "d_model");
    stack_switches(j, stack, number(j, tfm_name_format("%s_attention_heads", stack).text), pre,
                   json_string_value(json_object_get(j->config, "activation_function")));
    const bool scaled = json_is_true(json_object_get(j->config, "scale_embedding"));
    ct2_number(j->w, tfm_name_format("%s/scale_embeddings", stack).text, TFM_CT2_F32, scaled ? sqrt((double)d) : 1);
    positions(j, stack, d);
    if (has(j, tfm_name_format("model.%s.layernorm_embedding.weight", stack).text))
        norm(j, tfm_name_format("%s/layernorm_embedding", stack).text,
             tfm_name_format("model.%s.layernorm_embedding", stack).text);
    if (pre) norm(j, tfm_name_format("%s/layer_norm", stack).text, tfm_name_format("model.%s.layer_norm", stack).text);
    for (uint64_t i = 0; i < number(j, tfm_name_format("%s_layers", stack).text); i++) {
        const tfm_name from = tfm_name_format("model.%s.layers.%d", stack, (int)i),
                       to = tfm_name_format("%s/layer_%d", stack, (int)i);
        bart_attention(j, tfm_name_format("%s/self_attention", to.text).text,
                       tfm_name_format("%s.self_attn", from.text).text, false);
        if (decoder)
            bart_attention(j, tfm_name_format("%s/attention", to.text).text,
                           tfm_name_format("%s.encoder_attn", from.text).text, true);
        linear_1(j, tfm_name_format("%s/ffn/linear_0", to.text).text, tfm_name_format("%s.fc1", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_1", to.text).text, tfm_name_format("%s.fc2", from.text).text);
        norm(j, tfm_name_format("%s/ffn/layer_norm", to.text).text,
             tfm_name_format("%s.final_layer_norm", from.text).text);
    }
}

static void bart(const job *j) {
    const bool padded = !strcmp(j->type, "marian");
    const char *const shared = "model.shared.weight";
    const char *to[] = {"decoder/embeddings/weight", "decoder/projection/weight", "encoder/embeddings_0/weight"};
    for (int i = 0; i < 3; i++) array(j, to[i], shared, 0, padded); /* without the row of the padding */
    if (has(j, "final_logits_bias")) array(j, "decoder/projection/bias", "final_logits_bias", 0, padded);
    bart_stack(j, "encoder");
    bart_stack(j, "decoder");
    decoder_switches(j);
    small(j, "decoder", "start_from_zero_embedding", padded);
    small(j, "encoder", "embeddings_merge", 0);
    small(j, "encoder", "multi_query_attention", 0);
}

/* ---- T5 ---- */

static void t5_attention(const job *j, const char *to, const char *from, const char *norm_from, bool cross) {
    const tfm_name q[] = {tfm_name_format("%s.q", from), tfm_name_format("%s.k", from), tfm_name_format("%s.v", from)};
    linear(j, tfm_name_format("%s/linear_0", to).text, cross ? 1 : 3, q, false);
    if (cross) linear(j, tfm_name_format("%s/linear_1", to).text, 2, q + 1, false);
    linear_1(j, tfm_name_format("%s/linear_%d", to, 1 + cross).text, tfm_name_format("%s.o", from).text);
    norm(j, tfm_name_format("%s/layer_norm", to).text, norm_from);
    ct2_number(j->w, tfm_name_format("%s/queries_scale", to).text, TFM_CT2_F32, 1);
}

static void t5_stack(const job *j, const char *stack, bool gated, const char *act) {
    const bool decoder = !strcmp(stack, "decoder");
    stack_switches(j, stack, number(j, "num_heads"), true, act);
    small(j, stack, "scale_embeddings", 0);
    norm(j, tfm_name_format("%s/layer_norm", stack).text, tfm_name_format("%s.final_layer_norm", stack).text);
    for (uint64_t i = 0; i < number(j, decoder ? "num_decoder_layers" : "num_layers"); i++) {
        const tfm_name from = tfm_name_format("%s.block.%d.layer", stack, (int)i),
                       to = tfm_name_format("%s/layer_%d", stack, (int)i);
        const tfm_name attention = tfm_name_format("%s/self_attention", to.text),
                       ffn = tfm_name_format("%s.%d", from.text, 1 + decoder);
        t5_attention(j, attention.text, tfm_name_format("%s.0.SelfAttention", from.text).text,
                     tfm_name_format("%s.0.layer_norm", from.text).text, false);
        array(j, tfm_name_format("%s/relative_attention_bias", attention.text).text,
              tfm_name_format("%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", stack).text, 0, 0);
        ct2_number(j->w, tfm_name_format("%s/relative_attention_max_distance", attention.text).text, TFM_CT2_I32,
                   (double)number(j, "relative_attention_max_distance"));
        if (decoder)
            t5_attention(j, tfm_name_format("%s/attention", to.text).text,
                         tfm_name_format("%s.1.EncDecAttention", from.text).text,
                         tfm_name_format("%s.1.layer_norm", from.text).text, true);
        linear_1(j, tfm_name_format("%s/ffn/linear_0", to.text).text,
                 tfm_name_format("%s.DenseReluDense.wi%s", ffn.text, gated ? "_0" : "").text);
        if (gated)
            linear_1(j, tfm_name_format("%s/ffn/linear_0_noact", to.text).text,
                     tfm_name_format("%s.DenseReluDense.wi_1", ffn.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_1", to.text).text,
                 tfm_name_format("%s.DenseReluDense.wo", ffn.text).text);
        norm(j, tfm_name_format("%s/ffn/layer_norm", to.text).text, tfm_name_format("%s.layer_norm", ffn.text).text);
    }
}

static void t5(const job *j) {
    const char *ffn = json_string_value(json_object_get(j->config, "feed_forward_proj"));
    const bool gated = !strncmp(ffn, "gated-", 6),
               tied = !json_is_false(json_object_get(j->config, "tie_word_embeddings"));
    const char *act = gated && !strcmp(ffn + 6, "gelu") ? "gelu_new" : ffn + (gated ? 6 : 0);
    array(j, "decoder/embeddings/weight", "shared.weight", 0, 0);
    array(j, "encoder/embeddings_0/weight", "shared.weight", 0, 0);
    array(j, "decoder/projection/weight", tied ? "shared.weight" : "lm_head.weight", 0, 0);
    if (tied) ct2_number(j->w, "decoder/scale_outputs", TFM_CT2_F32, 1 / sqrt((double)number(j, "d_model")));
    t5_stack(j, "encoder", gated, act);
    t5_stack(j, "decoder", gated, act);
    decoder_switches(j);
    small(j, "decoder", "start_from_zero_embedding", 0);
    small(j, "encoder", "embeddings_merge", 0);
}

/* ---- decoders ---- */

static void causal(const job *j, const char *prefix, const char *embed, const char *final, const char *head,
                   uint64_t heads, const char *act) {
    stack_switches(j, "decoder", heads, true, act);
    small(j, "decoder", "scale_embeddings", 0);
    small(j, "decoder", "start_from_zero_embedding", 0);
    decoder_switches(j);
    const tfm_name embedding = tfm_name_format("%s%s", prefix, embed);
    linear_1(j, "decoder/embeddings", embedding.text);
    linear_1(j, "decoder/projection", has(j, tfm_name_format("%s.weight", head).text) ? head : embedding.text);
    norm(j, "decoder/layer_norm", tfm_name_format("%s%s", prefix, final).text);
}

static void rotations(const job *j, const char *layer, uint64_t dim, double theta) {
    ct2_number(j->w, tfm_name_format("%s/self_attention/rotary_dim", layer).text, TFM_CT2_I32, (double)dim);
    ct2_number(j->w, tfm_name_format("%s/self_attention/rotary_interleave", layer).text, TFM_CT2_I8, 0);
    ct2_number(j->w, tfm_name_format("%s/self_attention/rotary_base", layer).text, TFM_CT2_F32, theta);
}

static void llama_scaling(const job *j, const char *layer) {
    const json_t *scaling = json_object_get(j->config, "rope_scaling");
    const char *type = json_string_value(json_object_get(scaling, "rope_type"));
    if (!type) type = json_string_value(json_object_get(scaling, "type"));
    if (!type) return;
    const bool llama3 = !strcmp(type, "llama3");
    const tfm_name a = tfm_name_format("%s/self_attention", layer);
    ct2_number(j->w, tfm_name_format("%s/rotary_scaling_type", a.text).text, TFM_CT2_I8, llama3 ? 2 : 0);
    ct2_number(j->w, tfm_name_format("%s/rotary_scaling_factor", a.text).text, TFM_CT2_F32,
               json_number_value(json_object_get(scaling, "factor")));
    if (!llama3) return;
    ct2_number(j->w, tfm_name_format("%s/rotary_low_freq_factor", a.text).text, TFM_CT2_F32,
               json_number_value(json_object_get(scaling, "low_freq_factor")));
    ct2_number(j->w, tfm_name_format("%s/rotary_high_freq_factor", a.text).text, TFM_CT2_F32,
               json_number_value(json_object_get(scaling, "high_freq_factor")));
    ct2_number(j->w, tfm_name_format("%s/original_max_position_embeddings", a.text).text, TFM_CT2_I32,
               json_number_value(json_object_get(scaling, "original_max_position_embeddings")));
}

static void llama(const job *j) {
    const uint64_t heads = number(j, "num_attention_heads"), kv = number(j, "num_key_value_heads");
    causal(j, "model.", "embed_tokens", "norm", "lm_head", heads, "silu");
    for (uint64_t i = 0; i < number(j, "num_hidden_layers"); i++) {
        const tfm_name from = tfm_name_format("model.layers.%d", (int)i),
                       to = tfm_name_format("decoder/layer_%d", (int)i);
        const tfm_name qkv[] = {tfm_name_format("%s.self_attn.q_proj", from.text),
                                tfm_name_format("%s.self_attn.k_proj", from.text),
                                tfm_name_format("%s.self_attn.v_proj", from.text)};
        linear(j, tfm_name_format("%s/self_attention/linear_0", to.text).text, 3, qkv, false);
        linear_1(j, tfm_name_format("%s/self_attention/linear_1", to.text).text,
                 tfm_name_format("%s.self_attn.o_proj", from.text).text);
        norm(j, tfm_name_format("%s/self_attention/layer_norm", to.text).text,
             tfm_name_format("%s.input_layernorm", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_0", to.text).text,
                 tfm_name_format("%s.mlp.gate_proj", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_0_noact", to.text).text,
                 tfm_name_format("%s.mlp.up_proj", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_1", to.text).text,
                 tfm_name_format("%s.mlp.down_proj", from.text).text);
        norm(j, tfm_name_format("%s/ffn/layer_norm", to.text).text,
             tfm_name_format("%s.post_attention_layernorm", from.text).text);
        rotations(j, to.text, 0, json_number_value(json_object_get(j->config, "rope_theta")));
        llama_scaling(j, to.text);
        if (kv && kv != heads)
            ct2_number(j->w, tfm_name_format("%s/self_attention/num_heads_kv", to.text).text, TFM_CT2_I32, (double)kv);
        if (!strcmp(j->type, "mistral"))
            ct2_number(j->w, tfm_name_format("%s/self_attention/sliding_window", to.text).text, TFM_CT2_I32,
                       (double)number(j, "sliding_window"));
    }
    if (!strcmp(j->type, "mistral"))
        ct2_number(j->w, "decoder/sliding_window", TFM_CT2_I32, (double)number(j, "sliding_window"));
}

static void gpt2(const job *j) {
    causal(j, "transformer.", "wte", "ln_f", "lm_head", number(j, "n_head"),
           json_string_value(json_object_get(j->config, "activation_function")));
    array(j, "decoder/position_encodings/encodings", "transformer.wpe.weight", 0, 0);
    static const char *const parts[][2] = {{"self_attention/linear_0", "attn.c_attn"},
                                           {"self_attention/linear_1", "attn.c_proj"},
                                           {"ffn/linear_0", "mlp.c_fc"},
                                           {"ffn/linear_1", "mlp.c_proj"}};
    for (uint64_t i = 0; i < number(j, "n_layer"); i++) {
        for (size_t k = 0; k < 4; k++) {
            const tfm_name from = tfm_name_format("transformer.h.%d.%s", (int)i, parts[k][1]);
            linear(j, tfm_name_format("decoder/layer_%d/%s", (int)i, parts[k][0]).text, 1, &from, true);
        }
        norm(j, tfm_name_format("decoder/layer_%d/self_attention/layer_norm", (int)i).text,
             tfm_name_format("transformer.h.%d.ln_1", (int)i).text);
        norm(j, tfm_name_format("decoder/layer_%d/ffn/layer_norm", (int)i).text,
             tfm_name_format("transformer.h.%d.ln_2", (int)i).text);
    }
}

/* Queries, keys and values of a head together there, of all heads here. */
static void part_heads(const job *j, const char *to, const char *from, uint64_t heads) {
    uint32_t rank;
    uint64_t rows, columns;
    const tfm_name name = tfm_name_format("%s", from);
    float *values = join(j, 1, &name, &rank, &rows, &columns), *parted = malloc(rows * columns * sizeof *parted);
    const uint64_t size = rows / heads / 3;
    cr_assert(parted);
    for (uint64_t h = 0; h < heads; h++)
        for (uint64_t part = 0; part < 3; part++)
            memcpy(parted + (part * heads + h) * size * columns, values + (h * 3 + part) * size * columns,
                   size * columns * sizeof *parted);
    free(values);
    ct2_values(j->w, to, rank, rows, columns, parted);
}

static void gpt_neox(const job *j) {
    const uint64_t heads = number(j, "num_attention_heads"), size = number(j, "hidden_size") / heads;
    const bool parallel = !json_is_false(json_object_get(j->config, "use_parallel_residual"));
    const double part = json_number_value(json_object_get(j->config, "rotary_pct"));
    causal(j, "gpt_neox.", "embed_in", "final_layer_norm", "embed_out", heads,
           json_string_value(json_object_get(j->config, "hidden_act")));
    for (uint64_t i = 0; i < number(j, "num_hidden_layers"); i++) {
        const tfm_name from = tfm_name_format("gpt_neox.layers.%d", (int)i),
                       to = tfm_name_format("decoder/layer_%d", (int)i);
        part_heads(j, tfm_name_format("%s/self_attention/linear_0/weight", to.text).text,
                   tfm_name_format("%s.attention.query_key_value.weight", from.text).text, heads);
        part_heads(j, tfm_name_format("%s/self_attention/linear_0/bias", to.text).text,
                   tfm_name_format("%s.attention.query_key_value.bias", from.text).text, heads);
        linear_1(j, tfm_name_format("%s/self_attention/linear_1", to.text).text,
                 tfm_name_format("%s.attention.dense", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_0", to.text).text,
                 tfm_name_format("%s.mlp.dense_h_to_4h", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_1", to.text).text,
                 tfm_name_format("%s.mlp.dense_4h_to_h", from.text).text);
        norm(j, tfm_name_format("%s/%s", to.text, parallel ? "input_layer_norm" : "self_attention/layer_norm").text,
             tfm_name_format("%s.input_layernorm", from.text).text);
        norm(j, tfm_name_format("%s/%s", to.text, parallel ? "post_attention_layer_norm" : "ffn/layer_norm").text,
             tfm_name_format("%s.post_attention_layernorm", from.text).text);
        rotations(j, to.text, (uint64_t)(part * (double)size), 10000);
    }
}

static void phi(const job *j) {
    const uint64_t heads = number(j, "num_attention_heads"), size = number(j, "hidden_size") / heads;
    const double part = json_number_value(json_object_get(j->config, "partial_rotary_factor"));
    causal(j, "model.", "embed_tokens", "final_layernorm", "lm_head", heads,
           json_string_value(json_object_get(j->config, "hidden_act")));
    for (uint64_t i = 0; i < number(j, "num_hidden_layers"); i++) {
        const tfm_name from = tfm_name_format("model.layers.%d", (int)i),
                       to = tfm_name_format("decoder/layer_%d", (int)i);
        const tfm_name qkv[] = {tfm_name_format("%s.self_attn.q_proj", from.text),
                                tfm_name_format("%s.self_attn.k_proj", from.text),
                                tfm_name_format("%s.self_attn.v_proj", from.text)};
        linear(j, tfm_name_format("%s/self_attention/linear_0", to.text).text, 3, qkv, false);
        linear_1(j, tfm_name_format("%s/self_attention/linear_1", to.text).text,
                 tfm_name_format("%s.self_attn.dense", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_0", to.text).text, tfm_name_format("%s.mlp.fc1", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_1", to.text).text, tfm_name_format("%s.mlp.fc2", from.text).text);
        norm(j, tfm_name_format("%s/shared_layer_norm", to.text).text,
             tfm_name_format("%s.input_layernorm", from.text).text);
        rotations(j, to.text, (uint64_t)(part * (double)size),
                  json_number_value(json_object_get(j->config, "rope_theta")));
        const uint64_t kv = number(j, "num_key_value_heads");
        if (kv && kv != heads)
            ct2_number(j->w, tfm_name_format("%s/self_attention/num_heads_kv", to.text).text, TFM_CT2_I32, (double)kv);
    }
}

/* ---- encoders ---- */

static void bert(const job *j) {
    const char *prefix = has(j, "bert.embeddings.word_embeddings.weight") ? "bert." : "";
    stack_switches(j, "encoder", number(j, "num_attention_heads"), false,
                   json_string_value(json_object_get(j->config, "hidden_act")));
    small(j, "encoder", "scale_embeddings", 0);
    small(j, "encoder", "embeddings_merge", 1);
    small(j, "encoder", "multi_query_attention", 0);
    linear_1(j, "encoder/embeddings_0", tfm_name_format("%sembeddings.word_embeddings", prefix).text);
    linear_1(j, "encoder/embeddings_1", tfm_name_format("%sembeddings.token_type_embeddings", prefix).text);
    array(j, "encoder/position_encodings/encodings",
          tfm_name_format("%sembeddings.position_embeddings.weight", prefix).text, 0, 0);
    norm(j, "encoder/layernorm_embedding", tfm_name_format("%sembeddings.LayerNorm", prefix).text);
    for (uint64_t i = 0; i < number(j, "num_hidden_layers"); i++) {
        const tfm_name from = tfm_name_format("%sencoder.layer.%d", prefix, (int)i),
                       to = tfm_name_format("encoder/layer_%d", (int)i);
        const tfm_name qkv[] = {tfm_name_format("%s.attention.self.query", from.text),
                                tfm_name_format("%s.attention.self.key", from.text),
                                tfm_name_format("%s.attention.self.value", from.text)};
        linear(j, tfm_name_format("%s/self_attention/linear_0", to.text).text, 3, qkv, false);
        linear_1(j, tfm_name_format("%s/self_attention/linear_1", to.text).text,
                 tfm_name_format("%s.attention.output.dense", from.text).text);
        norm(j, tfm_name_format("%s/self_attention/layer_norm", to.text).text,
             tfm_name_format("%s.attention.output.LayerNorm", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_0", to.text).text,
                 tfm_name_format("%s.intermediate.dense", from.text).text);
        linear_1(j, tfm_name_format("%s/ffn/linear_1", to.text).text,
                 tfm_name_format("%s.output.dense", from.text).text);
        norm(j, tfm_name_format("%s/ffn/layer_norm", to.text).text,
             tfm_name_format("%s.output.LayerNorm", from.text).text);
    }
    linear_1(j, "pooler_dense", tfm_name_format("%spooler.dense", prefix).text);
    ct2_number(j->w, "pooler_activation", TFM_CT2_I8, 5);
}

/* ---- all ---- */

static const struct {
    const char *type, *spec;
    uint32_t revision;
    void (*write)(const job *j);
} kinds[] = {{"marian", "TransformerSpec", 7, bart},
             {"bart", "TransformerSpec", 7, bart},
             {"mbart", "TransformerSpec", 7, bart},
             {"m2m_100", "TransformerSpec", 7, bart},
             {"t5", "TransformerSpec", 7, t5},
             {"llama", "TransformerDecoderSpec", 8, llama},
             {"mistral", "TransformerDecoderSpec", 8, llama},
             {"qwen2", "TransformerDecoderSpec", 8, llama},
             {"gpt2", "TransformerDecoderSpec", 8, gpt2},
             {"gpt_neox", "TransformerDecoderSpec", 8, gpt_neox},
             {"phi", "TransformerDecoderSpec", 8, phi},
             {"bert", "TransformerEncoderSpec", 1, bert}};

ct2_writer *ct2_model(const char *from, uint32_t version, tfm_ct2_type type) {
    job j = {0};
    REQUIRE_OK(tfm_checkpoint_open(&j.from, from, error));
    j.config = tfm_checkpoint_config(j.from);
    j.type = json_string_value(json_object_get(j.config, "model_type"));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !j.w; i++) {
        if (strcmp(kinds[i].type, j.type) != 0) continue;
        j.w = ct2_start(kinds[i].spec, kinds[i].revision, version, type);
        kinds[i].write(&j);
    }
    cr_assert(j.w, "%s: %s", from, j.type);
    tfm_checkpoint_close(&j.from);
    return j.w;
}

char *ct2_convert(const char *from, uint32_t version, tfm_ct2_type type) {
    char *folder = scratch_make();
    ct2_writer *w = ct2_model(from, version, type);
    ct2_finish(&w, folder);
    /* The names of ids 0, 1, ... are t0, t1, ...; of norms only those other than 1e-5 and, for RMS, 1e-6 are said. */
    json_t *config = json_load_file(tfm_name_format("%s/config.json", from).text, 0, NULL), *ours = json_object(),
           *epsilon = NULL;
    static const char *const keys[] = {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"};
    for (size_t i = 0; i < 3 && !epsilon; i++) epsilon = json_object_get(config, keys[i]);
    if (epsilon) json_object_set(ours, "layer_norm_epsilon", epsilon);
    json_object_set_new(ours, "bos_token", json_string("t0"));
    json_object_set_new(ours, "eos_token", json_string("t2"));
    json_object_set_new(ours, "decoder_start_token", json_string("t3"));
    cr_assert(json_dump_file(ours, in(folder, "config.json"), 0) == 0);
    json_decref(config);
    json_decref(ours);
    write_file(in(folder, "vocabulary.txt"), "t0\nt1\nt2\nt3\n", 12);
    return folder;
}
