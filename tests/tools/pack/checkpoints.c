/* checkpoints.c - models of random weights and folders that hold them. */
#include "checkpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pack/common/name_format.h"

model *model_new(uint64_t seed) {
    model *m = calloc(1, sizeof *m);
    cr_assert(m);
    m->seed = seed;
    return m;
}

tensor *model_add(model *m, const char *name, uint64_t rows, uint64_t columns, tfm_st_dtype dtype) {
    cr_assert(m->n < sizeof m->list / sizeof *m->list);
    tensor *t = &m->list[m->n];
    *t = (tensor){.dtype = dtype, .rank = columns ? 2 : 1, .shape = {rows, columns ? columns : 1, 1, 1}};
    snprintf(t->name, sizeof t->name, "%s", name);
    t->count = rows * t->shape[1];
    t->storage = m->n++;
    t->values = malloc((t->count + 1) * sizeof *t->values);
    cr_assert(t->values);
    for (uint64_t i = 0; i < t->count; i++) t->values[i] = (float)(int32_t)random_u32(&m->seed) * 0x1p-31f;
    return t;
}

void model_add_linear(model *m, const char *name, uint64_t rows, uint64_t columns, bool has_bias, tfm_st_dtype dtype) {
    model_add(m, tfm_name_format("%s.weight", name).text, rows, columns, dtype);
    if (has_bias) model_add(m, tfm_name_format("%s.bias", name).text, rows, 0, dtype);
}

tensor *model_find(model *m, const char *name) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->list[i].name, name) == 0) return &m->list[i];
    cr_assert_fail("no tensor %s", name);
    return NULL;
}

void model_tie(model *m, const char *name, const char *to) {
    cr_assert(m->n < sizeof m->list / sizeof *m->list);
    tensor *t = &m->list[m->n++];
    *t = *model_find(m, to);
    snprintf(t->name, sizeof t->name, "%s", name);
}

/* Only for tensors that nothing is tied to. */
void model_drop(model *m, const char *name) {
    tensor *t = model_find(m, name);
    size_t i = (size_t)(t - m->list);
    if (t->storage == i) free(t->values);
    memmove(t, t + 1, (m->n - i - 1) * sizeof *t);
    m->n--;
    for (size_t k = 0; k < m->n; k++) m->list[k].storage -= m->list[k].storage > i;
}

float *transposed(const float *values, uint64_t rows, uint64_t columns) {
    float *other = malloc((rows * columns + 1) * sizeof *other);
    cr_assert(other);
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < columns; c++) other[c * rows + r] = values[r * columns + c];
    return other;
}

void model_cut(model *m, size_t n) {
    while (m->n > n) model_drop(m, m->list[m->n - 1].name);
}

void model_free(model **handle) {
    model *m = *handle;
    for (size_t i = 0; i < m->n; i++)
        if (m->list[i].storage == i) free(m->list[i].values);
    free(m);
    *handle = NULL;
}

marian marian_default(void) {
    return (marian){.d = 12,
                    .vocab = 37,
                    .decoder_vocab = 37,
                    .positions = 20,
                    .encoder_layers = 2,
                    .decoder_layers = 1,
                    .encoder_heads = 3,
                    .decoder_heads = 2,
                    .encoder_ffn = 20,
                    .decoder_ffn = 17,
                    .shared = true,
                    .tied = true,
                    .bare = false,
                    .activation = "swish",
                    .dtype = TFM_ST_F32};
}

static void add_layers(model *m, const marian *from, const char *stack, uint64_t n, uint64_t ffn, bool cross) {
    static const char *const attention[] = {"self_attn", "encoder_attn"}, *const parts[] = {"k", "v", "q", "out"};
    for (uint64_t i = 0; i < n; i++) {
        const tfm_name layer = tfm_name_format("%s%s.layers.%d", from->bare ? "" : "model.", stack, (int)i);
        for (int a = 0; a < (cross ? 2 : 1); a++) {
            const tfm_name at = tfm_name_format("%s.%s", layer.text, attention[a]);
            for (int p = 0; p < 4; p++)
                model_add_linear(m, tfm_name_format("%s.%s_proj", at.text, parts[p]).text, from->d, from->d, true,
                                 from->dtype);
            model_add_linear(m, tfm_name_format("%s_layer_norm", at.text).text, from->d, 0, true, from->dtype);
        }
        model_add_linear(m, tfm_name_format("%s.fc1", layer.text).text, ffn, from->d, true, from->dtype);
        model_add_linear(m, tfm_name_format("%s.fc2", layer.text).text, from->d, ffn, true, from->dtype);
        model_add_linear(m, tfm_name_format("%s.final_layer_norm", layer.text).text, from->d, 0, true, from->dtype);
    }
}

model *model_marian(const marian *from) {
    model *m = model_new(0x9e3779b97f4a7c15u);
    const char *prefix = from->bare ? "" : "model.";
    if (!from->bare) {
        tensor *bias = model_add(m, "final_logits_bias", 1, from->decoder_vocab, from->dtype);
        cr_assert_eq(bias->rank, 2);
    }
    if (from->shared) {
        model_add(m, tfm_name_format("%sshared.weight", prefix).text, from->vocab, from->d, from->dtype);
    } else {
        model_add(m, tfm_name_format("%sencoder.embed_tokens.weight", prefix).text, from->vocab, from->d, from->dtype);
        model_add(m, tfm_name_format("%sdecoder.embed_tokens.weight", prefix).text, from->decoder_vocab, from->d,
                  from->dtype);
    }
    if (!from->tied) model_add(m, "lm_head.weight", from->decoder_vocab, from->d, from->dtype);
    add_layers(m, from, "encoder", from->encoder_layers, from->encoder_ffn, false);
    add_layers(m, from, "decoder", from->decoder_layers, from->decoder_ffn, true);
    return m;
}

void write_config(const char *folder, const marian *m, const char *extra) {
    char *text;
    int n = asprintf(&text,
                     "{\"model_type\": \"marian\", \"d_model\": %d, \"vocab_size\": %d, \"decoder_vocab_size\": %d,"
                     " \"max_position_embeddings\": %d, \"encoder_layers\": %d, \"decoder_layers\": %d,"
                     " \"encoder_attention_heads\": %d, \"decoder_attention_heads\": %d, \"encoder_ffn_dim\": %d,"
                     " \"decoder_ffn_dim\": %d, \"share_encoder_decoder_embeddings\": %s,"
                     " \"tie_word_embeddings\": %s, \"activation_function\": \"%s\", \"scale_embedding\": true,"
                     " \"decoder_start_token_id\": 3, \"pad_token_id\": 3, \"eos_token_id\": 0%s}",
                     (int)m->d, (int)m->vocab, (int)m->decoder_vocab, (int)m->positions, (int)m->encoder_layers,
                     (int)m->decoder_layers, (int)m->encoder_heads, (int)m->decoder_heads, (int)m->encoder_ffn,
                     (int)m->decoder_ffn, m->shared ? "true" : "false", m->tied ? "true" : "false", m->activation,
                     extra ? extra : "");
    cr_assert(n > 0);
    write_text_in(folder, "config.json", text);
    free(text);
}

char *marian_folder(const marian *m) {
    char *folder = scratch_make();
    model *weights = model_marian(m);
    write_config(folder, m, NULL);
    write_safetensors(in(folder, "model.safetensors"), weights);
    model_free(&weights);
    return folder;
}
