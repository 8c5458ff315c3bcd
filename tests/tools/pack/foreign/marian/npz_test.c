/* npz_test.c - Marian's .npz: the same tensors as from the checkpoint it was made from; misfits by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npz_writer.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/checkpoint/checkpoint.h"

TestSuite(npz, .timeout = 240);

/* Bit for bit, or within the rounding of f16; the table of positions may be longer. */
static void compare(const tfm_file *a, const tfm_file *b, bool half) {
    cr_assert_eq(tfm_file_tensor_count(a), tfm_file_tensor_count(b));
    for (size_t i = 0; i < tfm_file_tensor_count(a); i++) {
        const tfm_tensor *x = tfm_file_tensor_at(a, i), *y = tfm_file_tensor(b, x->name);
        cr_assert(y, "no tensor %s", x->name);
        const bool positions = !strcmp(x->name, "position");
        cr_assert(positions ? y->shape[0] >= x->shape[0] : y->shape[0] == x->shape[0], "%s", x->name);
        cr_assert_eq(x->shape[1], y->shape[1]);
        if (!half) cr_assert_eq(memcmp(x->data, y->data, x->length), 0, "%s differs", x->name);
        const uint64_t columns = x->rank > 1 ? x->shape[1] : 1;
        for (uint64_t r = 0; half && r < x->shape[0]; r++)
            for (uint64_t k = 0; k < columns; k++) {
                const float p = packed_at(x, r, k), q = packed_at(y, r, k);
                cr_assert(fabsf(p - q) <= fabsf(p) / 2048 + 3e-8f, "%s (%d, %d)", x->name, (int)r, (int)k);
            }
    }
}

/* What the bias of the padding is there is not kept: it never comes out. */
static void forget_padding(model *m) {
    tensor *bias = model_find(m, "final_logits_bias"), *embedding = model_find(m, "model.shared.weight");
    bias->values[bias->count - 1] = 0;
    const uint64_t d = embedding->shape[1];
    memset(embedding->values + embedding->count - d, 0, d * sizeof(float));
}

/* A folder with a Marian checkpoint, and model.npz of it in another. */
static char *make(char **from, bool deflate, bool half, const char *more) {
    marian small = marian_default();
    small.shared = small.tied = true;
    small.activation = "swish";
    small.encoder_heads = small.decoder_heads = 2;
    model *m = model_marian(&small);
    forget_padding(m);
    *from = scratch_make();
    write_config(*from, &small, NULL);
    write_safetensors(in(*from, "model.safetensors"), m);
    model_free(&m);
    char *folder = scratch_make();
    npz_convert(*from, in(folder, "model.npz"), more, deflate, half);
    return folder;
}

static void check(bool deflate, bool half) {
    char *from, *folder = make(&from, deflate, half, ""), *path = strdup(in(folder, "model.npz"));
    tfm_file *a = packed_file(from, in(from, "m.bin")), *b = packed_file(path, in(folder, "m.bin"));
    compare(a, b, half);
    cr_assert_str_eq(packed_word(b, "family"), "marian");
    cr_assert_eq(packed_number(b, "decoder.vocab_size"), packed_number(a, "decoder.vocab_size"));
    const tfm_table *generation = tfm_file_table(b, "generation");
    cr_assert_eq(tfm_table_u64(generation, "decoder_start_token_id", 0), packed_number(a, "decoder.vocab_size") - 1);
    cr_assert_eq(tfm_table_u64(generation, "renormalize_logits", 0), 1);
    tfm_file_close(&a);
    tfm_file_close(&b);
    free(path);
    scratch_remove(&from);
    scratch_remove(&folder);
}

Test(npz, stored_f32) { check(false, false); }
Test(npz, deflated_f32) { check(true, false); }
Test(npz, stored_f16) { check(false, true); }

static void write_vocabulary(const char *from, const char *to) {
    json_t *vocabulary = json_load_file(in(from, "vocab.json"), 0, NULL), *id;
    const char *token;
    FILE *f = fopen(to, "w");
    cr_assert(f && vocabulary);
    json_object_foreach(vocabulary, token, id) {
        char *quoted = json_dumps(json_string(token), JSON_ENCODE_ANY);
        if (strcmp(token, "<pad>") != 0) fprintf(f, "%s: %d\n", quoted, (int)json_integer_value(id));
        free(quoted);
    }
    fclose(f);
    json_decref(vocabulary);
}

Test(npz, model_that_ships) {
    const char *from = getenv("TFM_MODEL");
    cr_assert(from);
    char *folder = scratch_make();
    npz_convert(from, in(folder, "model.npz"), "", false, false);
    write_vocabulary(from, in(folder, "vocab.yml"));
    copy_file(from, folder, "source.spm");
    copy_file(from, folder, "target.spm");
    char *path = strdup(in(folder, "model.npz"));
    tfm_file *a = packed_file(from, in(folder, "a.bin")), *b = packed_file(path, in(folder, "b.bin"));
    compare(a, b, false);
    packed_compare_section(a, b, "tokenizer", NULL);
    cr_assert_null(tfm_file_table(b, "tokenizer.target"));
    tfm_file_close(&a);
    tfm_file_close(&b);
    free(path);
    scratch_remove(&folder);
}

/* ---- misfits ---- */

static void refuse_option(const char *more, const char *text) {
    tfm_checkpoint *checkpoint;
    char *from, *folder = make(&from, false, false, more);
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_checkpoint_open(&checkpoint, in(folder, "model.npz"), error), text);
    scratch_remove(&from);
    scratch_remove(&folder);
}

Test(npz, options_by_name) {
    refuse_option("transformer-decoder-autoreg: rnn\n", "option transformer-decoder-autoreg: 'rnn'");
    refuse_option("transformer-decoder-autoreg: average-attention\n", "'average-attention' is not supported");
    refuse_option("transformer-postprocess-top: n\n", "option transformer-postprocess-top");
    refuse_option("transformer-postprocess-emb: dn\n", "option transformer-postprocess-emb");
    refuse_option("transformer-no-projection: true\n", "option transformer-no-projection");
    refuse_option("lemma-dim-emb: 8\n", "option lemma-dim-emb");
}

/* A file with these options and perhaps one further entry. */
static void refuse_file(const char *yaml, const char *name, const void *data, size_t n, tfm_status expected,
                        const char *text) {
    tfm_checkpoint *checkpoint;
    char *folder = scratch_make();
    npz_writer *w = npz_start(in(folder, "model.npz"), false, false);
    npz_options(w, yaml);
    if (name) npz_entry(w, name, data, n);
    npz_finish(&w);
    REQUIRE_ERROR(expected, tfm_checkpoint_open(&checkpoint, in(folder, "model.npz"), error), text);
    scratch_remove(&folder);
}

#define NPY(text) "\x93NUMPY\x01\x00" text

Test(npz, damage_by_name) {
    const tfm_status format = TFM_ERROR_FORMAT, unsupported = TFM_ERROR_UNSUPPORTED;
    refuse_file("type: s2s\n", NULL, NULL, 0, unsupported, "option type: 's2s'");
    refuse_file("type: amun\n", NULL, NULL, 0, unsupported, "option type: 'amun'");
    refuse_file("type: transformer\n", NULL, NULL, 0, format, "array 'decoder_Wemb' is missing");
    refuse_file("type: [a, b\n", NULL, NULL, 0, format, "not a YAML mapping");
    refuse_file("a: {b: 1}\n", NULL, NULL, 0, format, "not a YAML mapping");
    refuse_file("a: &x 1\nb: *x\n", NULL, NULL, 0, format, "not a YAML mapping");
    refuse_file("a: 1\na: 2\n", NULL, NULL, 0, format, "line 2: not a YAML mapping");
    refuse_file("type: transformer\n", "Wemb", "nothing", 7, unsupported, "array 'Wemb': not an .npy");
    static const char fortran[] = NPY("\x38\x00{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}\n123");
    refuse_file("type: transformer\n", "Wemb", fortran, sizeof fortran - 1, unsupported, "array 'Wemb': not an .npy");
    static const char doubles[] = NPY("\x38\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,1)}1234567");
    refuse_file("type: transformer\n", "Wemb", doubles, sizeof doubles - 1, unsupported, "array 'Wemb': not an .npy");
    static const char length[] = NPY("\x38\x00{'descr': '<f4', 'fortran_order': False, 'shape': (9,9)}1234");
    refuse_file("type: transformer\n", "Wemb", length, sizeof length - 1, format,
                "its length is not that of its shape");
    static const char huge[] =
        NPY("\x50\x00{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }   ");
    refuse_file("type: transformer\n", "Wemb", huge, sizeof huge - 1, unsupported, "array 'Wemb'");
}

Test(npz, cut_off_anywhere) {
    char *from, *folder = make(&from, false, false, "");
    size_t n;
    char *all = read_file(in(folder, "model.npz"), &n);
    for (size_t cut = 0; cut < n; cut += 1 + n / 30) {
        tfm_checkpoint *checkpoint;
        tfm_error error = {0};
        write_file(in(folder, "model.npz"), all, cut);
        cr_assert_neq(tfm_checkpoint_open(&checkpoint, in(folder, "model.npz"), &error), TFM_OK, "%zu bytes of %zu",
                      cut, n);
        cr_assert(error.message[0]);
    }
    free(all);
    scratch_remove(&from);
    scratch_remove(&folder);
}
