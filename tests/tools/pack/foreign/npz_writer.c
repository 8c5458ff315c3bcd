/* npz_writer.c - writes Marian's .npz for the tests; see npz_writer.h. */
#include "npz_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "simd/panels.h"
#include "tools/pack/checkpoint/checkpoint.h"

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
    char full[120];
    void *copy = malloc(n + 1);
    cr_assert(copy);
    memcpy(copy, data, n);
    zip_source_t *source = zip_source_buffer(w->zip, copy, n, 1);
    snprintf(full, sizeof full, "%s.npy", name);
    const zip_int64_t index = zip_file_add(w->zip, full, source, ZIP_FL_ENC_UTF_8);
    cr_assert(index >= 0, "%s: %s", name, zip_strerror(w->zip));
    cr_assert_eq(zip_set_file_compression(w->zip, (zip_uint64_t)index, w->deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0),
                 0);
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

/* ---- a whole checkpoint ----------------------------------------------------------------------------------------- */

typedef struct name {
    char s[120];
} name;

__attribute__((format(printf, 1, 2))) static name say(const char *format, ...) {
    name n;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(n.s, sizeof n.s, format, arguments);
    va_end(arguments);
    return n;
}

/* A tensor as it is, turned, or as one row. */
static void copy(npz_writer *w, tfm_checkpoint *from, const char *to, const char *tensor_name, char how, uint64_t cut) {
    const tfm_checkpoint_tensor *t = tfm_checkpoint_find(from, tensor_name);
    cr_assert(t, "no tensor %s", tensor_name);
    const uint64_t rows = t->shape[0], columns = t->rank > 1 ? t->shape[1] : 1;
    float *values = malloc(2 * rows * columns * sizeof *values), *turned = values + rows * columns;
    cr_assert(values);
    REQUIRE_OK(tfm_checkpoint_read(from, t, 0, rows, values, error));
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < columns; c++) turned[c * rows + r] = values[r * columns + c];
    if (how == 't')
        npz_array(w, to, columns, rows, turned);
    else if (how == 'v')
        npz_array(w, to, 1, rows * columns - cut, values);
    else
        npz_array(w, to, rows - cut, columns, values);
    free(values);
}

static void linear(npz_writer *w, tfm_checkpoint *from, const char *scope, const char *which, const char *tensor_name) {
    copy(w, from, say("%s_W%s", scope, which).s, say("%s.weight", tensor_name).s, 't', 0);
    copy(w, from, say("%s_b%s", scope, which).s, say("%s.bias", tensor_name).s, 'v', 0);
}

static void norm(npz_writer *w, tfm_checkpoint *from, const char *scope, const char *tensor_name) {
    copy(w, from, say("%s_ln_scale", scope).s, say("%s.weight", tensor_name).s, 'v', 0);
    copy(w, from, say("%s_ln_bias", scope).s, say("%s.bias", tensor_name).s, 'v', 0);
}

static void attention(npz_writer *w, tfm_checkpoint *from, const char *scope, const char *tensor_name) {
    static const char *const parts[][2] = {{"q", "q_proj"}, {"k", "k_proj"}, {"v", "v_proj"}, {"o", "out_proj"}};
    for (size_t i = 0; i < 4; i++) linear(w, from, scope, parts[i][0], say("%s.%s", tensor_name, parts[i][1]).s);
    norm(w, from, say("%s_Wo", scope).s, say("%s_layer_norm", tensor_name).s);
}

static void stack(npz_writer *w, tfm_checkpoint *from, const char *s, int n_layers) {
    for (int i = 0; i < n_layers; i++) {
        const name to = say("%s_l%d", s, i + 1), at = say("model.%s.layers.%d", s, i);
        attention(w, from, say("%.60s_self", to.s).s, say("%.60s.self_attn", at.s).s);
        if (s[0] == 'd') attention(w, from, say("%.60s_context", to.s).s, say("%.60s.encoder_attn", at.s).s);
        linear(w, from, say("%.60s_ffn", to.s).s, "1", say("%.60s.fc1", at.s).s);
        linear(w, from, say("%.60s_ffn", to.s).s, "2", say("%.60s.fc2", at.s).s);
        norm(w, from, say("%.60s_ffn_ffn", to.s).s, say("%.60s.final_layer_norm", at.s).s);
    }
}

void npz_convert(const char *folder, const char *path, const char *more, bool deflate, bool half) {
    tfm_checkpoint *from;
    char yaml[1000];
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
    stack(w, from, "encoder", encoder);
    stack(w, from, "decoder", decoder);
    npz_finish(&w);
    tfm_checkpoint_close(&from);
}
