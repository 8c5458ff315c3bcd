/* ct2_test.c - CTranslate2 folders: the same tensors as from the checkpoints they were made from; misfits by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ct2_writer.h"
#include "tests/support/data.h"
#include "tests/tools/pack/packed.h"
#include "tools/pack/common/name_format.h"

TestSuite(ct2, .timeout = 240);

/* ---- equal models ---- */

/* How far a value may be from the checkpoint's: nothing, the rounding of the type, or that of integers of a row. */
static float allowed(tfm_ct2_type type, float value, float most) {
    switch (type) {
    case TFM_CT2_I8: return most / 127 * 0.501f;
    case TFM_CT2_I16: return most / 1024 * 0.501f;
    case TFM_CT2_F16: return fabsf(value) / 2048 + 3e-8f;
    case TFM_CT2_BF16: return fabsf(value) / 256;
    default: return 0;
    }
}

static void compare_values(const tfm_tensor *a, const tfm_tensor *b, uint64_t first, uint64_t left_out,
                           tfm_ct2_type type) {
    const bool matrix = a->rank > 1 && a->layout == TFM_LAYOUT_PANELS;
    const uint64_t rows = a->shape[0] - left_out, columns = a->rank > 1 ? a->shape[1] : 1;
    const bool kept = !matrix && (type == TFM_CT2_I8 || type == TFM_CT2_I16);
    float most = 0;
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t k = 0; k < columns; k++) most = fmaxf(most, fabsf(packed_at(a, r, k)));
    for (uint64_t r = first; r < rows; r++)
        for (uint64_t k = 0; k < columns; k++) {
            const float x = packed_at(a, r, k), y = packed_at(b, r, k);
            cr_assert(fabsf(x - y) <= (kept ? 0 : allowed(type, x, most)), "%s (%d, %d): %g, not %g", a->name, (int)r,
                      (int)k, (double)y, (double)x);
        }
}

/*
 * All tensors of both, bit for bit where nothing was rounded. Rows of positions before the first are not compared, and
 * not the bias of Marian's padding, which never comes out.
 */
static void compare(const tfm_file *a, const tfm_file *b, tfm_ct2_type type) {
    const uint64_t skipped = tfm_table_u64(tfm_file_table(a, "architecture"), "encoder.position_offset", 0);
    for (size_t i = 0; i < tfm_file_tensor_count(a); i++) {
        const tfm_tensor *x = tfm_file_tensor_at(a, i), *y = tfm_file_tensor(b, x->name);
        const bool positions = strstr(x->name, "position") != NULL, bias = !strcmp(x->name, "output.bias");
        cr_assert(y, "no tensor %s", x->name);
        cr_assert(x->rank == y->rank && x->dtype == y->dtype && x->layout == y->layout, "%s", x->name);
        cr_assert_eq(memcmp(x->shape, y->shape, sizeof x->shape), 0, "%s has another shape", x->name);
        cr_assert_eq(x->length, y->length);
        if (type == TFM_CT2_F32 && (!positions || !skipped) && !bias)
            cr_assert_eq(memcmp(x->data, y->data, x->length), 0, "%s differs", x->name);
        else
            compare_values(x, y, positions ? skipped : 0, bias, type);
    }
    cr_assert_eq(tfm_file_tensor_count(a), tfm_file_tensor_count(b));
}

/* The limit of a decoder with rotations, which CTranslate2 does not keep. */
#define LIMIT "decoder.max_positions"

static void check_golden(const char *name, uint32_t version, tfm_ct2_type type) {
    const char *from = golden_path(name);
    char *folder = ct2_convert(from, version, type);
    tfm_file *a = packed_file(from, in(folder, "a.bin")), *b = packed_file(folder, in(folder, "b.bin"));
    packed_compare_section(a, b, "architecture", LIMIT);
    compare(a, b, type);
    tfm_file_close(&a);
    tfm_file_close(&b);
    scratch_remove(&folder);
}

#define GOLDEN(test, name, version, type)                                                                              \
    Test(ct2, test) { check_golden(name, version, type); }
GOLDEN(marian_f32, "marian", 6, TFM_CT2_F32)
GOLDEN(marian_version_3_int8, "marian", 3, TFM_CT2_I8)
GOLDEN(marian_version_5_int16, "marian", 5, TFM_CT2_I16)
GOLDEN(bart_f32, "bart", 6, TFM_CT2_F32)
GOLDEN(bart_f16, "bart", 4, TFM_CT2_F16)
GOLDEN(mbart_f32, "mbart", 6, TFM_CT2_F32)
GOLDEN(m2m100_f32, "m2m100", 6, TFM_CT2_F32)
GOLDEN(m2m100_int8, "m2m100", 6, TFM_CT2_I8)
GOLDEN(t5_v1_0_f32, "t5-v1_0", 6, TFM_CT2_F32)
GOLDEN(t5_v1_1_f32, "t5-v1_1", 6, TFM_CT2_F32)
GOLDEN(llama_f32, "llama", 6, TFM_CT2_F32)
GOLDEN(llama_bf16, "llama", 6, TFM_CT2_BF16)
GOLDEN(llama_int8, "llama", 5, TFM_CT2_I8)
GOLDEN(llama3_f32, "llama3", 6, TFM_CT2_F32)
GOLDEN(llama_linear_f32, "llama-linear", 6, TFM_CT2_F32)
GOLDEN(mistral_f32, "mistral", 6, TFM_CT2_F32)
GOLDEN(qwen2_f32, "qwen2", 6, TFM_CT2_F32)
GOLDEN(gpt2_f32, "gpt2", 6, TFM_CT2_F32)
GOLDEN(gpt2_int8, "gpt2", 6, TFM_CT2_I8)
GOLDEN(gpt_neox_f32, "gptneox", 6, TFM_CT2_F32)
GOLDEN(phi_f32, "phi", 6, TFM_CT2_F32)
GOLDEN(bert_f32, "bert", 6, TFM_CT2_F32)

/* ---- the model that ships, with its tokenizer ---- */

static const tfm_value *value(const tfm_file *file, const char *section, const char *key) {
    const tfm_value *v = tfm_table_find(tfm_file_table(file, section), key);
    cr_assert(v, "%s lacks %s", section, key);
    return v;
}

/* vocab.json as a list in the order of ids, without the padding. */
static void write_vocabulary(const char *from, const char *folder) {
    json_t *vocabulary = json_load_file(in(from, "vocab.json"), 0, NULL), *list = json_array(), *id;
    const char *token;
    cr_assert(vocabulary);
    for (size_t i = 0; i + 1 < json_object_size(vocabulary); i++) json_array_append_new(list, json_null());
    json_object_foreach(vocabulary, token, id) if (strcmp(token, "<pad>") != 0)
        json_array_set_new(list, (size_t)json_integer_value(id), json_string(token));
    cr_assert_eq(json_dump_file(list, in(folder, "shared_vocabulary.json"), 0), 0);
    json_decref(vocabulary);
    json_decref(list);
}

Test(ct2, model_that_ships) {
    const char *from = getenv("TFM_MODEL");
    cr_assert(from);
    char *folder = ct2_convert(from, 6, TFM_CT2_F32);
    unlink(in(folder, "vocabulary.txt"));
    write_vocabulary(from, folder);
    copy_file(from, folder, "source.spm");
    copy_file(from, folder, "target.spm");
    write_text_in(folder, "config.json",
                  "{\"eos_token\": \"</s>\", \"unk_token\": \"<unk>\", \"decoder_start_token\": \"</s>\"}");
    tfm_file *a = packed_file(from, in(folder, "a.bin")), *b = packed_file(folder, in(folder, "b.bin"));
    packed_compare_section(a, b, "architecture", NULL);
    packed_compare_tensors(a, b);
    packed_compare_section(a, b, "tokenizer", NULL);
    packed_compare_section(a, b, "tokenizer.target", NULL);
    cr_assert_eq(value(b, "generation", "decoder_start_token_id")->u64, 6000);
    cr_assert_eq(value(b, "generation", "renormalize_logits")->u64, 1);
    cr_assert_eq(*(const uint32_t *)value(b, "generation", "eos_token_id")->data, 0);
    cr_assert_eq(((const uint32_t *)value(b, "generation", "bad_words_ids")->data)[1], 6000);
    tfm_file_close(&a);
    tfm_file_close(&b);
    scratch_remove(&folder);
}

/* With one SentencePiece file under another name, ids are those of the vocabulary too. */
Test(ct2, vocabulary_orders_the_pieces) {
    const char *from = getenv("TFM_MODEL");
    cr_assert(from);
    tfm_file *files[2];
    char *folders[2];
    for (int i = 0; i < 2; i++) {
        folders[i] = ct2_convert(from, 6, TFM_CT2_F32);
        unlink(in(folders[i], "vocabulary.txt"));
        write_vocabulary(from, folders[i]);
        copy_file(from, folders[i], "source.spm");
        if (i == 1) cr_assert_eq(rename(in(folders[i], "source.spm"), in(folders[i], "spiece.model")), 0);
        write_text_in(folders[i], "config.json", "{\"eos_token\": \"</s>\", \"unk_token\": \"<unk>\"}");
        files[i] = packed_file(folders[i], in(folders[i], "m.bin"));
    }
    packed_compare_section(files[0], files[1], "tokenizer", NULL);
    for (int i = 0; i < 2; i++) {
        tfm_file_close(&files[i]);
        scratch_remove(&folders[i]);
    }
}

/* ---- settings of early versions ---- */

#define NAMES "<unk>\n<s>\n</s>\n<end>\n"

static void expect_tokens(ct2_writer *w, int64_t bos, int64_t eos, int64_t start) {
    char *folder = scratch_make();
    tfm_checkpoint *checkpoint;
    ct2_finish(&w, folder);
    write_text_in(folder, "shared_vocabulary.txt", NAMES);
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    const json_t *generation = tfm_checkpoint_generation_config(checkpoint),
                 *first = json_object_get(generation, "decoder_start_token_id");
    cr_expect_eq(json_integer_value(json_object_get(generation, "bos_token_id")), bos);
    cr_expect_eq(json_integer_value(json_object_get(generation, "eos_token_id")), eos);
    cr_expect_eq(first ? json_integer_value(first) : -1, start);
    tfm_checkpoint_close(&checkpoint);
    scratch_remove(&folder);
}

Test(ct2, tokens_of_early_versions) {
    const char *from = golden_path("bart");
    expect_tokens(ct2_model(from, 5, TFM_CT2_F32), 1, 2, 1);
    ct2_writer *w = ct2_model(from, 4, TFM_CT2_F32);
    ct2_number(w, "with_target_bos", TFM_CT2_I8, 0);
    ct2_number(w, "with_source_eos", TFM_CT2_I8, 1);
    ct2_text(w, "eos_token", "<end>");
    expect_tokens(w, 1, 3, 3);
    w = ct2_model(from, 3, TFM_CT2_F32);
    ct2_number(w, "user_decoder_start_tokens", TFM_CT2_I8, 1);
    expect_tokens(w, 1, 2, -1);
}

/* Version 2 has no aliases, and its kinds of models no number of heads. */
Test(ct2, version_2) {
    static const char *const kinds[] = {"TransformerBase", "TransformerBig"};
    for (unsigned i = 0; i < 2; i++) {
        marian small = marian_default();
        small.shared = small.tied = true;
        small.d = 16;
        char *folder = marian_folder(&small);
        ct2_writer *w = ct2_model(folder, 2, TFM_CT2_F32);
        w->spec = kinds[i];
        w->revision = 2;
        scratch_remove(&folder);
        folder = scratch_make();
        ct2_finish(&w, folder);
        tfm_checkpoint *checkpoint;
        REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
        const json_t *config = tfm_checkpoint_config(checkpoint);
        cr_expect_eq(json_integer_value(json_object_get(config, "encoder_attention_heads")), i == 0 ? 8 : 16);
        cr_expect_eq(json_integer_value(json_object_get(config, "decoder_attention_heads")), i == 0 ? 8 : 16);
        cr_expect(tfm_checkpoint_find(checkpoint, "model.decoder.layers.0.fc1.weight"));
        tfm_checkpoint_close(&checkpoint);
        scratch_remove(&folder);
    }
}

/* What is said to stand around an input does. */
Test(ct2, source_tokens_are_added) {
    const char *from = getenv("TFM_MODEL");
    cr_assert(from);
    static const char *const configs[] = {
        "{\"add_source_bos\": true, \"bos_token\": \"<unk>\", \"add_source_eos\": true}",
        "{\"add_source_bos\": false, \"add_source_eos\": false}"};
    for (int i = 0; i < 2; i++) {
        char *folder = ct2_convert(golden_path("bart"), 6, TFM_CT2_F32);
        unlink(in(folder, "vocabulary.txt"));
        write_vocabulary(from, folder);
        copy_file(from, folder, "source.spm");
        write_text_in(folder, "config.json", configs[i]);
        tfm_pack_request request = {.source = folder, .out = in(folder, "t.bin"), .tokenizer_only = true};
        REQUIRE_OK(tfm_pack(&request, error));
        tfm_file *file;
        REQUIRE_OK(tfm_file_open(&file, in(folder, "t.bin"), error));
        const tfm_table *table = tfm_file_table(file, "tokenizer");
        cr_expect_eq(tfm_table_find(table, "prefix.ids") != NULL, i == 0);
        cr_expect_eq(tfm_table_find(table, "suffix.ids") != NULL, i == 0);
        tfm_file_close(&file);
        scratch_remove(&folder);
    }
}

/* A small encoder-decoder of one layer each. */
static ct2_writer *tiny(uint32_t version) {
    marian small = marian_default();
    small.shared = small.tied = true;
    small.encoder_heads = small.decoder_heads = 2;
    char *folder = marian_folder(&small);
    ct2_writer *w = ct2_model(folder, version, TFM_CT2_F32);
    scratch_remove(&folder);
    return w;
}

/* A key of config.json is obeyed, known to change nothing, or named. */
Test(ct2, keys) {
    char *folder = scratch_make();
    ct2_writer *w = tiny(6);
    ct2_finish(&w, folder);
    write_text_in(folder, "config.json", "{\"novelty\": 3, \"add_source_eos\": true, \"nothing\": null}");
    tfm_checkpoint *checkpoint;
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    const char *note = tfm_checkpoint_note(checkpoint);
    cr_expect(note && strstr(note, "config.json: not known to this kind of model, and left out: novelty = 3"), "%s",
              note);
    cr_expect(note && !strstr(note, "nothing") && !strstr(note, "add_source"), "%s", note);
    const json_t *line = json_array_get(tfm_checkpoint_ignored(checkpoint), 0);
    cr_expect(line && strcmp(json_string_value(line), "config.json: novelty = 3") == 0);
    tfm_checkpoint_close(&checkpoint);
    scratch_remove(&folder);
}

/* ---- misfits ---- */

static tfm_status open_bytes(const char *folder, const buffer *b, tfm_error *error) {
    tfm_checkpoint *checkpoint;
    write_file(in(folder, "model.bin"), b->data, b->n);
    tfm_status status = tfm_checkpoint_open(&checkpoint, folder, error);
    tfm_checkpoint_close(&checkpoint);
    return status;
}

Test(ct2, cut_off_anywhere) {
    char *folder = scratch_make();
    ct2_writer *w = tiny(6);
    buffer b = ct2_file(w);
    const size_t all = b.n;
    REQUIRE_OK(open_bytes(folder, &b, error));
    for (size_t n = 0; n < all; n += 1 + n / 40) {
        tfm_error error = {0};
        b.n = n;
        cr_assert_neq(open_bytes(folder, &b, &error), TFM_OK, "%zu bytes of %zu", n, all);
        cr_assert(error.message[0]);
    }
    buffer_free(&b);
    ct2_free(&w);
    scratch_remove(&folder);
}

/* Opens what `change` leaves of a good file; it is refused with this text. */
static void misfit(void (*change)(ct2_writer *w), tfm_status expected, const char *text) {
    char *folder = scratch_make();
    ct2_writer *w = tiny(6);
    change(w);
    buffer b = ct2_file(w);
    REQUIRE_ERROR(expected, open_bytes(folder, &b, error), text);
    buffer_free(&b);
    ct2_free(&w);
    scratch_remove(&folder);
}

static void add_unknown(ct2_writer *w) { ct2_number(w, "encoder/novelty", TFM_CT2_I8, 1); }
static void add_twice(ct2_writer *w) { ct2_number(w, "encoder/pre_norm", TFM_CT2_I8, 0); }
static void add_alias_twice(ct2_writer *w) { ct2_alias(w, "decoder/projection/weight", "decoder/embeddings/weight"); }
static void add_alias_of_nothing(ct2_writer *w) { ct2_alias(w, "a", "b"); }
static void add_unknown_alias(ct2_writer *w) { ct2_alias(w, "encoder/other", "decoder/embeddings/weight"); }
static void change_spec(ct2_writer *w) { w->spec = "WhisperSpec"; }
static void change_version(ct2_writer *w) { w->version = 7; }
static void change_revision(ct2_writer *w) { w->revision = 1; }
static void count_too_many(ct2_writer *w) { w->n_variables = UINT32_MAX; }
static void count_too_few(ct2_writer *w) { w->n_aliases--; }
static void add_bytes(ct2_writer *w) { put_byte(&w->aliases, 0); }
static void scale_oddly(ct2_writer *w) { ct2_number(w, "decoder/scale_outputs", TFM_CT2_F32, 0.5); }
static void add_alibi(ct2_writer *w) { ct2_number(w, "encoder/layer_0/self_attention/rotary_dim", TFM_CT2_I32, 4); }

Test(ct2, misfits) {
    misfit(add_unknown, TFM_ERROR_UNSUPPORTED, "'encoder/novelty'");
    misfit(add_twice, TFM_ERROR_FORMAT, "'encoder/pre_norm' is there twice");
    misfit(add_alias_twice, TFM_ERROR_FORMAT, "'decoder/projection/weight' is there twice");
    misfit(add_alias_of_nothing, TFM_ERROR_FORMAT, "'a' stands for 'b', which is not there");
    misfit(add_unknown_alias, TFM_ERROR_UNSUPPORTED, "'encoder/other'");
    misfit(change_spec, TFM_ERROR_UNSUPPORTED, "'WhisperSpec' are not supported");
    misfit(change_version, TFM_ERROR_UNSUPPORTED, "version 7");
    misfit(change_revision, TFM_ERROR_UNSUPPORTED, "revision 1");
    misfit(count_too_many, TFM_ERROR_FORMAT, "do not fit in the file");
    misfit(count_too_few, TFM_ERROR_FORMAT, "bytes after its end");
    misfit(add_bytes, TFM_ERROR_FORMAT, "bytes after its end");
    misfit(scale_oddly, TFM_ERROR_UNSUPPORTED, "'decoder/scale_outputs' has the value 0.5");
    misfit(add_alibi, TFM_ERROR_UNSUPPORTED, "'encoder/layer_0/self_attention/rotary_dim'");
}

Test(ct2, model_files_and_folders_of_others_are_not_taken) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    ct2_writer *w = tiny(6);
    ct2_finish(&w, folder); /* model.bin beside model.safetensors */
    tfm_checkpoint *checkpoint;
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, folder, error));
    cr_assert_str_eq(tfm_checkpoint_container(checkpoint), "safetensors");
    tfm_checkpoint_close(&checkpoint);
    unlink(in(folder, "model.safetensors"));
    unlink(in(folder, "config.json"));
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, in(folder, "model.bin"), error)); /* the file itself */
    cr_assert_str_eq(tfm_checkpoint_container(checkpoint), "ctranslate2");
    cr_assert_str_eq(json_string_value(json_object_get(tfm_checkpoint_config(checkpoint), "model_type")), "marian");
    tfm_checkpoint_close(&checkpoint);
    write_file(in(folder, "model.bin"), "TFMMODEL and more", 17);
    REQUIRE_ERROR(TFM_ERROR_IO, tfm_checkpoint_open(&checkpoint, folder, error), "has none of model.safetensors");
    scratch_remove(&folder);
}
