/* gguf_test.c - headers of GGUF files, good and hostile, and what is refused by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gguf_writer.h"
#include "tests/tools/pack/packed.h"
#include "tests/tools/pack/run_tfmpack.h"
#include "tools/pack/checkpoint/checkpoint.h"
#include "tools/pack/foreign/gguf/gguf_file.h"

TestSuite(gguf, .timeout = 120);

static tfm_status open_bytes(const void *data, size_t n, tfm_gguf **gguf, tfm_error *error) {
    char *folder = scratch_make();
    write_file(in(folder, "x.gguf"), data, n);
    tfm_status status = tfm_gguf_open(gguf, in(folder, "x.gguf"), error);
    scratch_remove(&folder);
    return status;
}

static void refuse_bytes(const void *data, size_t n, tfm_status status, const char *text) {
    tfm_gguf *gguf;
    REQUIRE_ERROR(status, open_bytes(data, n, &gguf, error), text);
    cr_assert(!gguf);
}

static void refuse(gguf_writer *w, tfm_status status, const char *text) {
    buffer b = gguf_end(w);
    refuse_bytes(b.data, b.n, status, text);
    buffer_free(&b);
}

/* A header with these numbers and nothing after it. */
static buffer header(uint32_t version, uint64_t n_tensors, uint64_t n_values) {
    buffer b = {0};
    put_text(&b, "GGUF");
    put_number(&b, version, 4);
    put_number(&b, n_tensors, 8);
    put_number(&b, n_values, 8);
    return b;
}

static void put_key(buffer *b, const char *key, uint32_t type) {
    put_number(b, strlen(key), 8);
    put_text(b, key);
    put_number(b, type, 4);
}

/* ---- metadata ---- */

Test(gguf, values_of_all_types) {
    static const struct {
        tfm_gguf_type type;
        size_t bytes;
        uint64_t bits;
        double value;
    } cases[] = {
        {TFM_GGUF_U8, 1, 200, 200},
        {TFM_GGUF_I8, 1, 0x80, -128},
        {TFM_GGUF_U16, 2, 60000, 60000},
        {TFM_GGUF_I16, 2, 0xffff, -1},
        {TFM_GGUF_U32, 4, 4e9, 4e9},
        {TFM_GGUF_I32, 4, 0xfffffffe, -2},
        {TFM_GGUF_U64, 8, 1u << 31, 0x1p31},
        {TFM_GGUF_I64, 8, UINT64_MAX - 4, -5},
        {TFM_GGUF_F32, 4, 0x3727c5ac, 1e-5}, /* the nearest float; the number meant is given back */
        {TFM_GGUF_F64, 8, 0x3ff8000000000000, 1.5},
    };
    const size_t n = sizeof cases / sizeof *cases;
    buffer b = header(2, 0, 2 * n + 2);
    char key[20];
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "one.%d", (int)i);
        put_key(&b, key, cases[i].type);
        put_number(&b, cases[i].bits, cases[i].bytes);
        snprintf(key, sizeof key, "list.%d", (int)i);
        put_key(&b, key, 9);
        put_number(&b, cases[i].type, 4);
        put_number(&b, 3, 8);
        for (int k = 0; k < 3; k++) put_number(&b, k == 2 ? cases[i].bits : 0, cases[i].bytes);
    }
    put_key(&b, "word", 8);
    put_number(&b, 3, 8);
    put_text(&b, "yes");
    put_key(&b, "no words", 9);
    put_number(&b, 8, 4);
    put_number(&b, 0, 8);
    tfm_gguf *g;
    REQUIRE_OK(open_bytes(b.data, b.n, &g, error));
    for (size_t i = 0; i < n; i++) {
        double number;
        int64_t whole;
        snprintf(key, sizeof key, "one.%d", (int)i);
        const tfm_gguf_value *one = tfm_gguf_find(g, key);
        snprintf(key, sizeof key, "list.%d", (int)i);
        const tfm_gguf_value *list = tfm_gguf_find(g, key);
        cr_assert(one && list && one->type == cases[i].type && !one->is_array && list->is_array && list->count == 3);
        cr_assert(tfm_gguf_real(one, 0, &number) && number == cases[i].value, "%d: %g", (int)i, number);
        cr_assert(tfm_gguf_real(list, 2, &number) && number == cases[i].value && !tfm_gguf_real(list, 3, &number));
        const bool real = cases[i].type == TFM_GGUF_F32 || cases[i].type == TFM_GGUF_F64;
        cr_assert_eq(tfm_gguf_integer(one, 0, &whole), !real);
        if (!real) cr_assert_eq((double)whole, cases[i].value);
    }
    const uint8_t *at = tfm_gguf_find(g, "word")->data;
    size_t length;
    cr_assert(memcmp(tfm_gguf_next_string(&at, &length), "yes", 3) == 0 && length == 3);
    cr_assert_eq(tfm_gguf_find(g, "no words")->count, 0);
    cr_assert(!tfm_gguf_find(g, "nothing"));
    tfm_gguf_close(&g);
    buffer_free(&b);
}

Test(gguf, hostile_headers) {
    static const struct {
        uint32_t version;
        uint64_t tensors, values;
        tfm_status status;
        const char *text;
    } cases[] = {
        {1, 0, 0, TFM_ERROR_UNSUPPORTED, "GGUF file of version 1; versions 2 and 3 are supported"},
        {4, 0, 0, TFM_ERROR_UNSUPPORTED, "version 4"},
        {0x03000000, 0, 0, TFM_ERROR_UNSUPPORTED, "big-endian"},
        {3, 0, UINT64_MAX, TFM_ERROR_LIMIT, "at most 65536"},
        {3, 0, 65536, TFM_ERROR_FORMAT, "ends in the metadata"},
        {3, 0, 1, TFM_ERROR_FORMAT, "ends in the metadata"},
        {3, UINT64_MAX, 0, TFM_ERROR_LIMIT, "at most 1048576"},
        {3, 1048576, 0, TFM_ERROR_FORMAT, "ends in the list of tensors"},
        {3, 1, 0, TFM_ERROR_FORMAT, "ends in the list of tensors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer b = header(cases[i].version, cases[i].tensors, cases[i].values);
        refuse_bytes(b.data, b.n, cases[i].status, cases[i].text);
        buffer_free(&b);
    }
    refuse_bytes("GGUX\3\0\0\0", 8, TFM_ERROR_FORMAT, "is not a GGUF file");
    refuse_bytes("", 0, TFM_ERROR_FORMAT, "ends in its header");
}

Test(gguf, hostile_values) {
    static const struct {
        uint32_t type, element;
        uint64_t count;
        tfm_status status;
        const char *text;
    } cases[] = {
        {13, 0, 0, TFM_ERROR_FORMAT, "key 'k' has a type that does not exist"},
        {UINT32_MAX, 0, 0, TFM_ERROR_FORMAT, "key 'k' has a type that does not exist"},
        {8, 0, UINT64_MAX, TFM_ERROR_FORMAT, "key 'k' reaches beyond the end"},
        {8, 0, 41, TFM_ERROR_FORMAT, "key 'k' reaches beyond the end"},
        {9, 9, 1, TFM_ERROR_UNSUPPORTED, "key 'k' is an array of arrays"},
        {9, 77, 1, TFM_ERROR_FORMAT, "key 'k' has a type that does not exist"},
        {9, 12, UINT64_MAX / 8 + 2, TFM_ERROR_FORMAT, "key 'k' reaches beyond the end"},
        {9, 0, 41, TFM_ERROR_FORMAT, "key 'k' reaches beyond the end"},
        {9, 8, UINT64_MAX, TFM_ERROR_FORMAT, "key 'k' reaches beyond the end"},
        {9, 8, 5, TFM_ERROR_FORMAT, "key 'k' reaches beyond the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer b = header(3, 0, 1);
        put_key(&b, "k", cases[i].type);
        if (cases[i].type == 9) put_number(&b, cases[i].element, 4);
        put_number(&b, cases[i].count, 8);
        for (int k = 0; k < 40; k++) put_byte(&b, 0xff);
        refuse_bytes(b.data, b.n, cases[i].status, cases[i].text);
        buffer_free(&b);
    }
    gguf_writer w = gguf_begin();
    gguf_u32(&w, "same", 1);
    gguf_u32(&w, "other", 1);
    gguf_f32(&w, "same", 2);
    refuse(&w, TFM_ERROR_FORMAT, "key 'same' is there twice");
    w = gguf_begin();
    gguf_u32(&w, "bad\nkey", 1);
    refuse(&w, TFM_ERROR_FORMAT, "a key of the metadata is empty, too long or no text");
    for (uint64_t alignment = 0; alignment < 100; alignment += 33) {
        w = gguf_begin();
        gguf_u32(&w, "general.alignment", alignment);
        refuse(&w, TFM_ERROR_FORMAT, "general.alignment' is no power of two");
    }
}

/* ---- tensors ---- */

static void refuse_tensor(uint32_t type, uint32_t rank, const uint64_t *shape, size_t bytes, tfm_status status,
                          const char *text) {
    gguf_writer w = gguf_begin();
    unsigned char data[512] = {0};
    gguf_tensor(&w, "t", type, rank, shape, data, bytes);
    refuse(&w, status, text);
}

Test(gguf, hostile_tensors) {
    const uint64_t huge[] = {UINT64_MAX / 2, 3, 1, 1, 1}, wide[] = {1, UINT64_MAX / 2}, none[] = {2, 0},
                   odd[] = {2, 33};
    const uint64_t good[] = {2, 32};
    refuse_tensor(0, 0, good, 4, TFM_ERROR_FORMAT, "tensor 't' has not 1 to 4 dimensions");
    refuse_tensor(0, 5, huge, 4, TFM_ERROR_FORMAT, "tensor 't' has not 1 to 4 dimensions");
    refuse_tensor(0, 2, huge, 4, TFM_ERROR_FORMAT, "tensor 't' has an impossible shape");
    refuse_tensor(0, 2, wide, 4, TFM_ERROR_FORMAT, "tensor 't' has an impossible shape");
    refuse_tensor(0, 2, none, 4, TFM_ERROR_FORMAT, "tensor 't' has an impossible shape");
    refuse_tensor(8, 2, odd, 68, TFM_ERROR_FORMAT, "tensor 't' has rows that are no whole number of blocks");
    refuse_tensor(8, 2, good, 67, TFM_ERROR_FORMAT, "tensor 't' reaches beyond the end of the file");
    refuse_tensor(11, 2, good, 68, TFM_ERROR_UNSUPPORTED,
                  "tensor 't' is Q3_K; supported are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16");
    refuse_tensor(4, 2, good, 68, TFM_ERROR_UNSUPPORTED, "tensor 't' is type 4;");
    refuse_tensor(UINT32_MAX, 2, good, 68, TFM_ERROR_UNSUPPORTED, "tensor 't' is type 4294967295;");
    gguf_writer w = gguf_begin();
    const float x[64] = {0};
    gguf_tensor(&w, "t", 0, 2, good, x, sizeof x);
    gguf_tensor(&w, "t", 0, 2, good, x, sizeof x);
    refuse(&w, TFM_ERROR_FORMAT, "tensor 't' is there twice");
    w = gguf_begin();
    w.alignment = 4; /* less than the file says */
    gguf_tensor(&w, "a", 0, 1, (const uint64_t[]){1}, x, 4);
    gguf_tensor(&w, "b", 0, 1, (const uint64_t[]){1}, x, 4);
    refuse(&w, TFM_ERROR_FORMAT, "tensor 'b' lies at an offset that is not aligned");
    /* Offsets at the end of what a number holds. */
    w = gguf_begin();
    gguf_tensor(&w, "t", 0, 2, good, x, sizeof x);
    memset(w.infos.data + w.infos.n - 8, 0xff, 8);
    w.infos.data[w.infos.n - 8] = 0xe0;
    refuse(&w, TFM_ERROR_FORMAT, "tensor 't' reaches beyond the end of the file");
}

/* ---- whole checkpoints ---- */

/* A Llama of one layer, width 32; `without` names a key that is left out, `extra` adds to it. */
static gguf_writer tiny(const char *without, void (*extra)(gguf_writer *w)) {
    static const struct {
        const char *key;
        uint32_t number;
    } keys[] = {{"llama.context_length", 64},      {"llama.embedding_length", 32},
                {"llama.block_count", 1},          {"llama.feed_forward_length", 32},
                {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 1}};
    static const struct {
        const char *name;
        uint64_t shape[2];
    } tensors[] = {
        {"token_embd.weight", {10, 32}},        {"output_norm.weight", {32, 0}},    {"blk.0.attn_norm.weight", {32, 0}},
        {"blk.0.attn_q.weight", {32, 32}},      {"blk.0.attn_k.weight", {16, 32}},  {"blk.0.attn_v.weight", {16, 32}},
        {"blk.0.attn_output.weight", {32, 32}}, {"blk.0.ffn_norm.weight", {32, 0}}, {"blk.0.ffn_gate.weight", {32, 32}},
        {"blk.0.ffn_up.weight", {32, 32}},      {"blk.0.ffn_down.weight", {32, 32}}};
    gguf_writer w = gguf_begin();
    float values[1024];
    uint64_t seed = 77;
    gguf_string(&w, "general.architecture", "llama");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!without || strcmp(without, keys[i].key) != 0) gguf_u32(&w, keys[i].key, keys[i].number);
    if (!without || strcmp(without, "llama.attention.layer_norm_rms_epsilon") != 0)
        gguf_f32(&w, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    if (extra) extra(&w);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        const uint64_t *shape = tensors[i].shape, n = shape[0] * (shape[1] ? shape[1] : 1);
        for (uint64_t k = 0; k < n; k++) values[k] = (float)(int32_t)random_u32(&seed) * 0x1p-31f;
        gguf_tensor(&w, tensors[i].name, 0, shape[1] ? 2 : 1, shape, values, n * sizeof *values);
    }
    return w;
}

static void refuse_model(gguf_writer w, tfm_status status, const char *text) {
    char *folder = scratch_make();
    gguf_save(&w, in(folder, "m.gguf"));
    tfm_pack_request request = {.source = in(folder, "m.gguf"), .out = in(folder, "m.bin")};
    REQUIRE_ERROR(status, tfm_pack(&request, error), text);
    cr_assert(access(in(folder, "m.bin"), F_OK) != 0);
    scratch_remove(&folder);
}

static void add_experts(gguf_writer *w) { gguf_u32(w, "llama.expert_count", 8); }
static void add_values(gguf_writer *w) { gguf_u32(w, "llama.attention.value_length", 8); }
static void add_scaling(gguf_writer *w) { gguf_string(w, "llama.rope.scaling.type", "mystery"); }
static void add_part(gguf_writer *w) { gguf_u32(w, "llama.rope.dimension_count", 8); }
static void add_word(gguf_writer *w) { gguf_string(w, "llama.rope.freq_base", "high"); }
static void add_layers(gguf_writer *w) { gguf_i32s(w, "llama.attention.head_count_kv", (const int32_t[]){1, 2}, 2); }
static void add_tensor(gguf_writer *w) {
    gguf_tensor(w, "blk.0.ffn_gate_inp.weight", 0, 1, (const uint64_t[]){1}, "\0\0\0\0", 4);
}
static void add_nan(gguf_writer *w) {
    gguf_tensor(w, "output.weight", 0, 2, (const uint64_t[]){10, 32}, (const float[320]){[7] = NAN}, 1280);
}
static void add_split(gguf_writer *w) { gguf_u32(w, "split.count", 3); }
static void add_kv(gguf_writer *w) { gguf_u32(w, "llama.attention.head_count_kv", 2); }

Test(gguf, refusals) {
    refuse_model(tiny("llama.embedding_length", NULL), TFM_ERROR_FORMAT, "key 'llama.embedding_length' is missing");
    refuse_model(tiny("llama.attention.layer_norm_rms_epsilon", NULL), TFM_ERROR_FORMAT, "epsilon' is missing");
    refuse_model(tiny(NULL, add_experts), TFM_ERROR_UNSUPPORTED, "mixtures of experts are not supported");
    refuse_model(tiny(NULL, add_values), TFM_ERROR_UNSUPPORTED, "value_length' differs from key_length");
    refuse_model(tiny(NULL, add_scaling), TFM_ERROR_UNSUPPORTED, "rope.scaling.type' is none of");
    refuse_model(tiny(NULL, add_part), TFM_ERROR_UNSUPPORTED, "rope.dimension_count' is not the size of a head");
    refuse_model(tiny(NULL, add_word), TFM_ERROR_FORMAT, "key 'llama.rope.freq_base' is not a finite number");
    refuse_model(tiny("llama.attention.head_count_kv", add_layers), TFM_ERROR_UNSUPPORTED,
                 "differs from layer to layer");
    refuse_model(tiny(NULL, add_tensor), TFM_ERROR_UNSUPPORTED,
                 "tensor 'blk.0.ffn_gate_inp.weight' has no place in a model of architecture llama");
    refuse_model(tiny(NULL, add_nan), TFM_ERROR_FORMAT, "not finite (NaN or infinity): lm_head.weight");
    refuse_model(tiny("llama.attention.head_count_kv", add_kv), TFM_ERROR_FORMAT, "does not fit the number of heads");
    refuse_model(tiny(NULL, add_split), TFM_ERROR_UNSUPPORTED, "is one of several files of a checkpoint");
    gguf_writer w = gguf_begin();
    gguf_string(&w, "general.architecture", "mamba");
    gguf_tensor(&w, "t", 0, 1, (const uint64_t[]){1}, "\0\0\0\0", 4);
    refuse_model(w, TFM_ERROR_UNSUPPORTED,
                 "general.architecture 'mamba' is not supported as GGUF; this version knows: llama");
    w = gguf_begin();
    gguf_tensor(&w, "t", 0, 1, (const uint64_t[]){1}, "\0\0\0\0", 4);
    refuse_model(w, TFM_ERROR_FORMAT, "key 'general.architecture' is missing");
}

/* Cut anywhere, the file is refused and nothing is left behind. */
static void add_clamp(gguf_writer *w) { gguf_f32(w, "llama.attention.clamp_kqv", 8); }
static void add_keys(gguf_writer *w) {
    gguf_string(w, "general.author", "somebody");
    gguf_u32(w, "llama.vocab_size", 7);
    gguf_u32(w, "llama.novelty", 3);
    gguf_u32(w, "llama.nothing", 0);
    gguf_f32(w, "llama.embedding_scale", 2); /* of Granite, not of Llama */
}

/* A key is obeyed, or known to change nothing, or named, or refused. */
Test(gguf, keys) {
    refuse_model(tiny(NULL, add_clamp), TFM_ERROR_UNSUPPORTED, "llama.attention.clamp_kqv is not supported (8.0)");
    char *folder = scratch_make();
    gguf_writer w = tiny(NULL, add_keys);
    gguf_save(&w, in(folder, "m.gguf"));
    tfm_checkpoint *checkpoint;
    REQUIRE_OK(tfm_checkpoint_open(&checkpoint, in(folder, "m.gguf"), error));
    const char *note = tfm_checkpoint_note(checkpoint);
    cr_assert(note && strstr(note, "m.gguf: not known to this kind of model, and left out: "), "%s", note);
    cr_expect(strstr(note, "llama.novelty = 3") && strstr(note, "llama.embedding_scale = 2"), "%s", note);
    cr_expect(!strstr(note, "nothing") && !strstr(note, "author") && !strstr(note, "vocab_size"), "%s", note);
    cr_expect_eq(json_array_size(tfm_checkpoint_ignored(checkpoint)), 2, "lines for the metadata of a model file");
    tfm_checkpoint_close(&checkpoint);
    scratch_remove(&folder);
}

Test(gguf, cut_anywhere) {
    gguf_writer w = tiny(NULL, NULL);
    buffer b = gguf_end(&w);
    char *folder = scratch_make();
    for (size_t n = 4; n < b.n; n += n < 1400 ? 1 : 997) {
        tfm_checkpoint *checkpoint;
        tfm_error error;
        write_file(in(folder, "x.gguf"), b.data, n);
        tfm_status status = tfm_checkpoint_open(&checkpoint, in(folder, "x.gguf"), &error);
        cr_assert(status == TFM_ERROR_FORMAT && !checkpoint && strstr(error.message, "x.gguf"), "%zu: %s", n,
                  error.message);
    }
    buffer_free(&b);
    scratch_remove(&folder);
}

static void keep_note(void *user, const char *text) { strcat(user, text); }

/* --dtype auto, the summary's facts, and what is written into the metadata. */
Test(gguf, nearest_type) {
    char *folder = scratch_make(), notes[500] = "";
    gguf_writer w = tiny(NULL, NULL);
    gguf_save(&w, in(folder, "m.gguf"));
    tfm_pack_request request = {.source = in(folder, "m.gguf"),
                                .out = in(folder, "m.bin"),
                                .dtype_auto = true,
                                .options = {.dtype = TFM_I4, .note = keep_note, .note_user = notes}};
    REQUIRE_OK(tfm_pack(&request, error));
    cr_assert_str_eq(notes, "most weights are F32: packed as f32");
    tfm_file *file;
    tfm_pack_facts facts;
    REQUIRE_OK(tfm_file_open(&file, in(folder, "m.bin"), error));
    tfm_pack_get_facts(file, &facts);
    cr_assert_str_eq(facts.dtype, "f32");
    cr_assert_str_eq(facts.family, "llama");
    cr_assert_str_eq(tfm_table_string(tfm_file_table(file, "metadata"), "source_format", ""), "gguf");
    cr_assert_str_eq(tfm_table_string(tfm_file_table(file, "metadata"), "command", ""),
                     "--dtype f32 --dtype-embed f32");
    cr_assert(!tfm_file_tensor(file, "output.weight"), "tied");
    tfm_file_close(&file);
    scratch_remove(&folder);
}

static void add_chat(gguf_writer *w) {
    static const char *const tokens[] = {"<unk>", "<s>", "</s>", "a", "b", "c", "d", "<|eot_id|>", "x", "y"};
    static const int32_t types[] = {2, 3, 3, 1, 1, 1, 1, 3, 1, 1};
    gguf_string(w, "tokenizer.ggml.model", "llama");
    gguf_strings(w, "tokenizer.ggml.tokens", tokens, 10);
    gguf_i32s(w, "tokenizer.ggml.token_type", types, 10);
    gguf_f32s(w, "tokenizer.ggml.scores", (const float[10]){0}, 10);
    gguf_u32(w, "tokenizer.ggml.bos_token_id", 1);
    gguf_u32(w, "tokenizer.ggml.eos_token_id", 2);
    gguf_string(w, "tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}");
}

static void add_bad_chat(gguf_writer *w) { gguf_string(w, "tokenizer.chat_template", "\xff"); }

/* The template with its tokens; turns end with the token that says so by its spelling. */
Test(gguf, chat) {
    char *folder = scratch_make();
    gguf_writer w = tiny(NULL, add_chat);
    gguf_save(&w, in(folder, "m.gguf"));
    tfm_file *file = packed_file(in(folder, "m.gguf"), in(folder, "m.bin"));
    const tfm_table *chat = tfm_file_table(file, "chat"), *generation = tfm_file_table(file, "generation");
    cr_assert_str_eq(tfm_table_string(chat, "template", ""), "{{ bos_token }}{{ messages[0].content }}");
    cr_assert_str_eq(tfm_table_string(chat, "bos_token", ""), "<s>");
    cr_assert_str_eq(tfm_table_string(chat, "eos_token", ""), "</s>");
    const tfm_value *ends = tfm_table_find(generation, "eos_token_id");
    cr_assert(ends && ends->n == 2 && ((const uint32_t *)ends->data)[0] == 2 && ((const uint32_t *)ends->data)[1] == 7);
    tfm_file_close(&file);
    scratch_remove(&folder);
    refuse_model(tiny(NULL, add_bad_chat), TFM_ERROR_FORMAT, "tokenizer.chat_template' is not UTF-8 text");
}

/* A BERT of one layer, width 32. */
static gguf_writer tiny_bert(uint32_t pooling) {
    static const struct {
        const char *name;
        uint64_t rows, columns; /* columns 0: a vector */
    } tensors[] = {{"token_embd.weight", 10, 32},          {"token_types.weight", 2, 32},
                   {"position_embd.weight", 16, 32},       {"token_embd_norm.weight", 32, 0},
                   {"token_embd_norm.bias", 32, 0},        {"blk.0.attn_q.weight", 32, 32},
                   {"blk.0.attn_q.bias", 32, 0},           {"blk.0.attn_k.weight", 32, 32},
                   {"blk.0.attn_k.bias", 32, 0},           {"blk.0.attn_v.weight", 32, 32},
                   {"blk.0.attn_v.bias", 32, 0},           {"blk.0.attn_output.weight", 32, 32},
                   {"blk.0.attn_output.bias", 32, 0},      {"blk.0.attn_output_norm.weight", 32, 0},
                   {"blk.0.attn_output_norm.bias", 32, 0}, {"blk.0.ffn_up.weight", 64, 32},
                   {"blk.0.ffn_up.bias", 64, 0},           {"blk.0.ffn_down.weight", 32, 64},
                   {"blk.0.ffn_down.bias", 32, 0},         {"blk.0.layer_output_norm.weight", 32, 0},
                   {"blk.0.layer_output_norm.bias", 32, 0}};
    static const float zeros[64 * 32];
    gguf_writer w = gguf_begin();
    gguf_string(&w, "general.architecture", "bert");
    gguf_u32(&w, "bert.context_length", 16);
    gguf_u32(&w, "bert.embedding_length", 32);
    gguf_u32(&w, "bert.block_count", 1);
    gguf_u32(&w, "bert.feed_forward_length", 64);
    gguf_u32(&w, "bert.attention.head_count", 2);
    gguf_f32(&w, "bert.attention.layer_norm_epsilon", 1e-12);
    gguf_u32(&w, "bert.pooling_type", pooling);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        const uint64_t shape[] = {tensors[i].rows, tensors[i].columns ? tensors[i].columns : 1};
        gguf_tensor(&w, tensors[i].name, GGUF_F32, tensors[i].columns ? 2 : 1, shape, zeros,
                    shape[0] * shape[1] * sizeof *zeros);
    }
    return w;
}

/* How states become one vector is said in the file itself, where a folder has modules.json. */
Test(gguf, pooling) {
    static const char *const words[] = {"", "mean", "cls"};
    for (uint32_t i = 0; i < 3; i++) {
        char *folder = scratch_make();
        gguf_writer w = tiny_bert(i);
        gguf_save(&w, in(folder, "m.gguf"));
        tfm_file *file = packed_file(in(folder, "m.gguf"), in(folder, "m.bin"));
        cr_expect_str_eq(packed_word(file, "pooling"), words[i]);
        tfm_file_close(&file);
        scratch_remove(&folder);
    }
    refuse_model(tiny_bert(3), TFM_ERROR_UNSUPPORTED, "key 'bert.pooling_type' is neither none (0), mean (1)");
}

/* As a user types it. */
Test(gguf, command, .init = enter_scratch, .fini = leave_scratch) {
    char *folder = scratch_make();
    gguf_writer w = tiny(NULL, NULL);
    gguf_save(&w, in(folder, "m.gguf"));
    outcome o = RUN_TFMPACK("--dtype", "auto", in(folder, "m.gguf"), in(folder, "m.bin"));
    cr_assert(o.code == 0 && strstr(o.out, "llama, 6,560 parameters in f32") && strstr(o.err, "most weights are F32"),
              "%s%s", o.out, o.err);
    free_outcome(&o);
    o = RUN_TFMPACK("--tokenizer-only", in(folder, "m.gguf"), in(folder, "t.bin"));
    cr_assert_eq(o.code, 1, "%d", o.code);
    free_outcome(&o);
    o = RUN_TFMPACK("--list");
    cr_assert(strstr(o.out, "gguf ") && strstr(o.out, "llama2.c"), "%s", o.out);
    free_outcome(&o);
    scratch_remove(&folder);
}
