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
        json_t *string = json_string(token);
        char *quoted = json_dumps(string, JSON_ENCODE_ANY);
        json_decref(string);
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

/* ---- keys ---- */

/* Further options as OPUS-MT's models have them (Marian 1.7.8), and as models of 1.12 have. */
static const char opus_mt[] =
    "bert-train-type-embeddings: true\nbert-type-vocab-size: 2\ndec-cell: gru\ndec-cell-base-depth: 2\n"
    "dec-cell-high-depth: 1\ndim-emb: 512\ndim-rnn: 1024\nenc-cell: gru\nenc-cell-depth: 1\nenc-type: bidirectional\n"
    "input-types:\n  []\nlayer-normalization: false\nright-left: false\nskip: false\nspecial-vocab:\n  []\n"
    "tied-embeddings: false\ntied-embeddings-all: true\ntied-embeddings-src: false\ntransformer-aan-activation: swish\n"
    "transformer-aan-depth: 2\ntransformer-aan-nogate: false\ntransformer-decoder-autoreg: self-attention\n"
    "transformer-dim-aan: 2048\ntransformer-dim-ffn: 2048\ntransformer-ffn-depth: 2\n"
    "transformer-guided-alignment-layer: last\ntransformer-no-projection: false\ntransformer-postprocess-emb: d\n"
    "transformer-postprocess-top: \"\"\ntransformer-train-position-embeddings: false\nulr: false\nulr-dim-emb: 0\n"
    "ulr-trainable-transformation: false\nversion: v1.7.8 63e1cfe4 2019-02-11 21:04:00 -0800\n";
static const char newer[] =
    "dim-emb: 512\nfactors-combine: sum\nfactors-dim-emb: 0\ninput-types:\n  - sequence\n  - sequence\n"
    "lemma-dependency: \"\"\nlemma-dim-emb: 0\noutput-approx-knn:\n  []\noutput-omit-bias: false\nright-left: false\n"
    "transformer-decoder-dim-ffn: 0\ntransformer-decoder-ffn-depth: 0\ntransformer-depth-scaling: true\n"
    "transformer-pool: false\nversion: v1.12.0 65bf82ff 2023-02-21 09:56:29 -0800\n";
static const char decoder_yml[] =
    "relative-paths: true\nmodels:\n  - model.npz\nvocabs:\n  - opus.spm32k-spm32k.vocab.yml\n"
    "  - opus.spm32k-spm32k.vocab.yml\nbeam-size: 6\nnormalize: 1\nword-penalty: 0\nmini-batch: 1\nmaxi-batch: 1\n"
    "maxi-batch-sort: src\n";

/* Packs a model with further options and decoder.yml (NULL: none), and looks at what is told and kept. */
static tfm_file *pack_with(const char *more, const char *decoder, const char *notes, const char *ignored) {
    char *from, *folder = make(&from, false, false, more), *path = strdup(in(folder, "model.npz"));
    if (decoder) write_text_in(folder, "decoder.yml", decoder);
    tfm_file *file = packed_file(path, in(folder, "m.bin"));
    cr_expect_str_eq(packed_notes, notes);
    cr_expect_str_eq(tfm_table_string(tfm_file_table(file, "metadata"), "ignored", ""), ignored);
    free(path);
    scratch_remove(&from);
    scratch_remove(&folder);
    return file;
}

Test(npz, published_options_say_nothing) {
    const char *const options[] = {opus_mt, newer};
    for (size_t i = 0; i < 2; i++) {
        tfm_file *file = pack_with(options[i], NULL, "", "");
        tfm_file_close(&file);
    }
}

Test(npz, unknown_options_are_named_and_kept) {
    tfm_file *file =
        pack_with("transformer-turbo: 3\nnothing: false\nnone: 0\nempty:\n  []\noutput-approx-knn:\n  - 100\n"
                  "  - 1024\n",
                  NULL,
                  "model.npz: settings that are not supported are left out: output-approx-knn = \"100 1024\"; "
                  "model.npz: not known to this kind of model, and left out: transformer-turbo = 3",
                  "model.npz: transformer-turbo = 3\nmodel.npz: output-approx-knn = \"100 1024\"");
    tfm_file_close(&file);
}

Test(npz, search_of_decoder_yml) {
    tfm_file *file = pack_with("", decoder_yml, "", "");
    const tfm_table *generation = tfm_file_table(file, "generation");
    cr_expect_eq(tfm_table_u64(generation, "num_beams", 0), 6);
    cr_expect_float_eq(tfm_table_f64(generation, "length_penalty", -1), 1, 0);
    tfm_file_close(&file);
    file = pack_with("", "beam-size: 4\nnormalize: 0.6\nword-penalty: 0.5\nmodels: [a.npz, b.npz]\n",
                     "decoder.yml is of several models together; this one is packed alone; decoder.yml: settings that "
                     "are not supported are left out: word-penalty = 0.5",
                     "decoder.yml: word-penalty = 0.5");
    generation = tfm_file_table(file, "generation");
    cr_expect_eq(tfm_table_u64(generation, "num_beams", 0), 4);
    cr_expect_float_eq(tfm_table_f64(generation, "length_penalty", -1), 0.6, 0);
    tfm_file_close(&file);
}

Test(npz, options_of_other_models) {
    refuse_option("right-left: true\n", "right-left is not supported (true)");
    refuse_option("input-types:\n  - sequence\n  - class\n", "input-types is not supported (\"sequence class\")");
    refuse_option("factors-combine: concat\n", "factors-combine is not supported");
    refuse_option("lemma-dependency: re-embedding\n", "lemma-dependency is not supported");
    refuse_option("transformer-disable-position-embeddings: true\n", "transformer-disable-position-embeddings");
}

/* ---- damaged files ---- */

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
