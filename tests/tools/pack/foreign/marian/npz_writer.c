/* npz_writer.c - writes Marian's .npz for the tests; see npz_writer.h. */
#include "npz_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "simd/panels.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/common/name_format.h"

struct npz_writer {
    zip_t *zip;
    bool deflate, half;
};

npz_writer *npz_start(const char *path, bool deflate, bool half) {
    int code;
    npz_writer *w = calloc(1, sizeof *w);
    cr_assert(w);
    w->zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    cr_assert(w->zip, "%s: %d", path, code);
    w->deflate = deflate;
    w->half = half;
    return w;
}

void npz_finish(npz_writer **w) {
    cr_assert_eq(zip_close((*w)->zip), 0);
    free(*w);
    *w = NULL;
}

void npz_entry(npz_writer *w, const char *name, const void *data, size_t n) {
    put_zip_entry(w->zip, tfm_name_format("%s.npy", name).text, data, n, w->deflate);
}

/* Version 1 of .npy, the header padded so that the values start at a multiple of 64 bytes. */
static buffer header(const char *type, const char *shape) {
    char text[200];
    buffer b = {0};
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    while ((10 + n + 1) % 64 != 0) text[n++] = ' ';
    text[n++] = '\n';
    put(&b, "\x93NUMPY\x01\x00", 8);
    put_number(&b, (uint64_t)n, 2);
    put(&b, text, (size_t)n);
    return b;
}

void npz_array(npz_writer *w, const char *name, uint64_t rows, uint64_t columns, const float *values) {
    char shape[60];
    snprintf(shape, sizeof shape, "%d, %d", (int)rows, (int)columns);
    buffer b = header(w->half ? "<f2" : "<f4", shape);
    for (uint64_t i = 0; i < rows * columns; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], 4);
        put_number(&b, w->half ? tfm_f32_to_f16(values[i]) : bits, w->half ? 2 : 4);
    }
    npz_entry(w, name, b.data, b.n);
    buffer_free(&b);
}

void npz_options(npz_writer *w, const char *yaml) {
    char shape[30];
    snprintf(shape, sizeof shape, "%zu,", strlen(yaml) + 1);
    buffer b = header("|i1", shape);
    put(&b, yaml, strlen(yaml) + 1);
    npz_entry(w, "special:model.yml", b.data, b.n);
    buffer_free(&b);
}

/* ---- a whole checkpoint ---- */

/* A tensor as it is, transposed, or as one row. */
static void copy(npz_writer *w, tfm_checkpoint *from, const char *to, const char *tensor_name, char how, uint64_t cut) {
    const tfm_checkpoint_tensor *t = tfm_checkpoint_find(from, tensor_name);
    cr_assert(t, "no tensor %s", tensor_name);
    const uint64_t rows = t->shape[0], columns = t->rank > 1 ? t->shape[1] : 1;
    float *values = malloc((rows * columns + 1) * sizeof *values);
    cr_assert(values);
    REQUIRE_OK(tfm_checkpoint_read(from, t, 0, rows, values, error));
    float *other = transposed(values, rows, columns);
    if (how == 't')
        npz_array(w, to, columns, rows, other);
    else if (how == 'v')
        npz_array(w, to, 1, rows * columns - cut, values);
    else
        npz_array(w, to, rows - cut, columns, values);
    free(values);
    free(other);
}

static void linear(npz_writer *w, tfm_checkpoint *from, const char *scope, const char *which, const char *tensor_name) {
    copy(w, from, tfm_name_format("%s_W%s", scope, which).text, tfm_name_format("%s.weight", tensor_name).text, 't', 0);
    copy(w, from, tfm_name_format("%s_b%s", scope, which).text, tfm_name_format("%s.bias", tensor_name).text, 'v', 0);
}

static void norm(npz_writer *w, tfm_checkpoint *from, const char *scope, const char *tensor_name) {
    copy(w, from, tfm_name_format("%s_ln_scale", scope).text, tfm_name_format("%s.weight", tensor_name).text, 'v', 0);
    copy(w, from, tfm_name_format("%s_ln_bias", scope).text, tfm_name_format("%s.bias", tensor_name).text, 'v', 0);
}

static void attention(npz_writer *w, tfm_checkpoint *from, const char *scope, const char *tensor_name) {
    static const char *const parts[][2] = {{"q", "q_proj"}, {"k", "k_proj"}, {"v", "v_proj"}, {"o", "out_proj"}};
    for (size_t i = 0; i < 4; i++)
        linear(w, from, scope, parts[i][0], tfm_name_format("%s.%s", tensor_name, parts[i][1]).text);
    norm(w, from, tfm_name_format("%s_Wo", scope).text, tfm_name_format("%s_layer_norm", tensor_name).text);
}

static void put_stack(npz_writer *w, tfm_checkpoint *from, const char *stack, int n_layers) {
    for (int i = 0; i < n_layers; i++) {
        const tfm_name to = tfm_name_format("%s_l%d", stack, i + 1),
                       at = tfm_name_format("model.%s.layers.%d", stack, i);
        attention(w, from, tfm_name_format("%s_self", to.text).text, tfm_name_format("%s.self_attn", at.text).text);
        if (stack[0] == 'd')
            attention(w, from, tfm_name_format("%s_context", to.text).text,
                      tfm_name_format("%s.encoder_attn", at.text).text);
        linear(w, from, tfm_name_format("%s_ffn", to.text).text, "1", tfm_name_format("%s.fc1", at.text).text);
        linear(w, from, tfm_name_format("%s_ffn", to.text).text, "2", tfm_name_format("%s.fc2", at.text).text);
        norm(w, from, tfm_name_format("%s_ffn_ffn", to.text).text,
             tfm_name_format("%s.final_layer_norm", at.text).text);
    }
}

void npz_convert(const char *folder, const char *path, const char *more, bool deflate, bool half) {
    tfm_checkpoint *from;
    char yaml[4000];
    REQUIRE_OK(tfm_checkpoint_open(&from, folder, error));
    const json_t *config = tfm_checkpoint_config(from);
    const int encoder = (int)json_integer_value(json_object_get(config, "encoder_layers"));
    const int decoder = (int)json_integer_value(json_object_get(config, "decoder_layers"));
    npz_writer *w = npz_start(path, deflate, half);
    snprintf(yaml, sizeof yaml,
             "type: transformer\nenc-depth: %d\ndec-depth: %d\ntransformer-heads: %d\n"
             "transformer-ffn-activation: %s\ntransformer-preprocess: \"\"\ntransformer-postprocess: dan\n"
             "transformer-tied-layers:\n  []\ndim-vocabs:\n  - 30\n  - 30\n%s",
             encoder, decoder, (int)json_integer_value(json_object_get(config, "encoder_attention_heads")),
             json_string_value(json_object_get(config, "activation_function")), more);
    npz_options(w, yaml);
    copy(w, from, "Wemb", "model.shared.weight", ' ', 1);
    if (tfm_checkpoint_find(from, "final_logits_bias"))
        copy(w, from, "decoder_ff_logit_out_b", "final_logits_bias", 'v', 1);
    put_stack(w, from, "encoder", encoder);
    put_stack(w, from, "decoder", decoder);
    npz_finish(&w);
    tfm_checkpoint_close(&from);
}
