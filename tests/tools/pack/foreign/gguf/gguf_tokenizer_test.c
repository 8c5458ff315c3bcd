/* gguf_tokenizer_test.c - small vocabularies of every kind inside GGUF files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gguf_writer.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/support/program.h"
#include "tools/pack/common/name_format.h"
#include "tools/pack/foreign/gguf/gguf_tokenizer.h"
#include "tools/pack/pack.h"

TestSuite(gguf_tokenizer, .timeout = 120);

/* A tokenizer out of a model file in a folder of its own. */
typedef struct opened {
    char *folder;
    tfm_file *file;
    tfm_tokenizer *tokenizer;
} opened;

static opened open_packed(char *folder, const char *gguf) {
    opened o = {.folder = folder};
    tfm_pack_request request = {.source = gguf, .out = in(folder, "t.bin"), .tokenizer_only = true};
    REQUIRE_OK(tfm_pack(&request, error));
    REQUIRE_OK(tfm_file_open(&o.file, in(folder, "t.bin"), error));
    REQUIRE_OK(tfm_tokenizer_open(&o.tokenizer, tfm_file_table(o.file, "tokenizer"), gguf, error));
    return o;
}

static void opened_close(opened *o) {
    tfm_tokenizer_close(&o->tokenizer);
    tfm_file_close(&o->file);
    scratch_remove(&o->folder);
}

static void expect(const opened *o, const char *text, size_t n, bool special, const int32_t *ids, size_t n_ids) {
    tfm_ids got = {0};
    REQUIRE_OK(tfm_tokenizer_encode(o->tokenizer, text, n, special, &got, error));
    char line[2000] = "";
    for (size_t i = 0; i < got.size && strlen(line) < 1900; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), " %d", got.data[i]);
    cr_assert(got.size == n_ids && (n_ids == 0 || memcmp(got.data, ids, n_ids * sizeof *ids) == 0), "'%.*s':%s", (int)n,
              text, line);
    tfm_ids_free(&got);
}
#define EXPECT(o, text, special, ...)                                                                                  \
    expect(o, text, strlen(text), special, (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / 4)

static void expect_text(const opened *o, bool skip, const int32_t *ids, size_t n, const char *text) {
    tfm_text got = {0};
    REQUIRE_OK(tfm_tokenizer_decode(o->tokenizer, ids, n, skip, &got, error));
    cr_assert(got.size == strlen(text) && memcmp(got.data, text, got.size) == 0, "'%.*s' is not '%s'", (int)got.size,
              got.data, text);
    tfm_text_free(&got);
}
#define EXPECT_TEXT(o, skip, text, ...)                                                                                \
    expect_text(o, skip, (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / 4, text)

static const char *const spm_tokens[] = {"<unk>", "<s>", "</s>",           "\xE2\x96\x81", "a",
                                         "b",     "ab",  "\342\226\201ab", "<sep>"};
static const float spm_scores[] = {0, 0, 0, -3, -4, -5, -1, -2, 0};
static const int32_t spm_types[] = {2, 3, 3, 1, 1, 1, 1, 1, 4};

static gguf_writer spm_begin(void) {
    gguf_writer w = gguf_begin();
    gguf_string(&w, "general.architecture", "llama");
    gguf_string(&w, "tokenizer.ggml.model", "llama");
    return w;
}

static void put_spm(gguf_writer *w) {
    gguf_strings(w, "tokenizer.ggml.tokens", spm_tokens, 9);
    gguf_f32s(w, "tokenizer.ggml.scores", spm_scores, 9);
    gguf_i32s(w, "tokenizer.ggml.token_type", spm_types, 9);
}

static opened open_writer(gguf_writer *w) {
    char *folder = scratch_make();
    gguf_save(w, in(folder, "v.gguf"));
    return open_packed(folder, in(folder, "v.gguf"));
}

Test(gguf_tokenizer, byte_pairs_with_a_space_before) {
    gguf_writer w = spm_begin();
    put_spm(&w);
    opened o = open_writer(&w);
    EXPECT(&o, "ab ab", false, 7, 7);
    EXPECT(&o, "abba", true, 1, 7, 5, 4);
    EXPECT(&o, "ab<sep>ab", false, 7, 8, 7); /* a space stands before every stretch, as llama.cpp has it */
    EXPECT_TEXT(&o, false, "ab ab", 7, 7);
    opened_close(&o);
}

Test(gguf_tokenizer, byte_pairs_without_and_with_end) {
    gguf_writer w = spm_begin();
    put_spm(&w);
    gguf_bool(&w, "tokenizer.ggml.add_space_prefix", false);
    gguf_bool(&w, "tokenizer.ggml.add_bos_token", false);
    gguf_bool(&w, "tokenizer.ggml.add_eos_token", true);
    opened o = open_writer(&w);
    EXPECT(&o, "ab ab", true, 6, 7, 2);
    EXPECT_TEXT(&o, true, "ab ab", 6, 7, 2);
    opened_close(&o);
}

static const char *const bpe_tokens[] = {"a", "b", "1", "2", "\xC4\xA0", "ab", "\304\240ab", "12", "<|end|>", "!"};
static const int32_t bpe_types[] = {1, 1, 1, 1, 1, 1, 1, 1, 3, 1};
static const char *const bpe_merges[] = {"a b", "\xC4\xA0 ab", "1 2"};

static gguf_writer bpe_begin(const char *pre) {
    gguf_writer w = gguf_begin();
    gguf_string(&w, "general.architecture", "llama");
    gguf_string(&w, "tokenizer.ggml.model", "gpt2");
    if (pre) gguf_string(&w, "tokenizer.ggml.pre", pre);
    gguf_strings(&w, "tokenizer.ggml.tokens", bpe_tokens, 10);
    gguf_i32s(&w, "tokenizer.ggml.token_type", bpe_types, 10);
    gguf_strings(&w, "tokenizer.ggml.merges", bpe_merges, 3);
    gguf_u32(&w, "tokenizer.ggml.bos_token_id", 8);
    return w;
}

/* How digits are cut tells pre-tokenizers apart. */
Test(gguf_tokenizer, pretokenizers) {
    static const struct {
        const char *pre;
        bool joined, bos; /* "12" is one word; a text begins with bos */
    } cases[] = {{"gpt-2", true, false},           {"llama-bpe", true, true},    {"qwen2", false, false},
                 {"smollm", false, false},         {"falcon", true, false},      {"tekken", false, true},
                 {"gpt-4o", true, false},          {"command-r", false, false},  {"olmo", true, false},
                 {"default", true, false},         {NULL, true, false},          {"dbrx", true, false},
                 {"bloom", true, false},           {"viking", false, false},     {"deepseek-llm", true, false},
                 {"deepseek-coder", false, false}, {"deepseek-v3", true, false}, {"deepseek-r1-qwen", false, false},
                 {"stablelm2", false, false},      {"glm4", true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_writer w = bpe_begin(cases[i].pre);
        opened o = open_writer(&w);
        if (cases[i].joined)
            EXPECT(&o, "ab 12", false, 5, 4, 7);
        else
            EXPECT(&o, "12", false, 2, 3);
        EXPECT(&o, "ab ab<|end|>!", false, 5, 6, 8, 9);
        if (cases[i].bos)
            EXPECT(&o, "ab", true, 8, 5);
        else
            EXPECT(&o, "ab", true, 5);
        opened_close(&o);
    }
}

/* Digits are looked for in the text: the second byte of a letter may be spelled like one. */
Test(gguf_tokenizer, default_works_on_the_text) {
    static const char *const tokens[] = {"\xC3\x83", "\xC2\xB2", "\xC3\x83\xC2\xB2"}, *const merges[] = {
                                                                                          "\xC3\x83 \xC2\xB2"};
    static const int32_t types[] = {1, 1, 1};
    static const char *const names[] = {NULL, "default", "falcon"};
    for (size_t i = 0; i < 3; i++) {
        gguf_writer w = gguf_begin();
        gguf_string(&w, "general.architecture", "llama");
        gguf_string(&w, "tokenizer.ggml.model", "gpt2");
        if (names[i]) gguf_string(&w, "tokenizer.ggml.pre", names[i]);
        gguf_strings(&w, "tokenizer.ggml.tokens", tokens, 3);
        gguf_i32s(&w, "tokenizer.ggml.token_type", types, 3);
        gguf_strings(&w, "tokenizer.ggml.merges", merges, 1);
        opened o = open_writer(&w);
        if (i < 2)
            EXPECT(&o, "\xC3\xB2", false, 2);
        else
            EXPECT(&o, "\xC3\xB2", false, 0, 1); /* as tokenizer.json of Falcon has it */
        opened_close(&o);
    }
}

/* White space after the tokens of Phi-3's chats belongs to them. */
Test(gguf_tokenizer, phi3_strips_after_tokens) {
    static const char *const names[] = {"Other", "Phi-3 mini", "my_phi3"};
    for (size_t i = 0; i < 3; i++) {
        gguf_writer w = spm_begin();
        put_spm(&w);
        gguf_string(&w, "general.name", names[i]);
        opened o = open_writer(&w);
        if (i == 0)
            EXPECT(&o, "ab<sep> ab", false, 7, 8, 3, 7);
        else
            EXPECT(&o, "ab<sep> \n ab", false, 7, 8, 7);
        EXPECT(&o, "<s> ab", false, 1, 3, 7);
        opened_close(&o);
    }
}

Test(gguf_tokenizer, extra_spaces) {
    gguf_writer w = spm_begin();
    put_spm(&w);
    gguf_bool(&w, "tokenizer.ggml.remove_extra_whitespaces", true);
    opened o = open_writer(&w);
    EXPECT(&o, "  ab   ab ", false, 7, 7);
    opened_close(&o);
}

/* Case as the file says; [CLS] and [SEP] whatever it says. */
Test(gguf_tokenizer, word_pieces_keep_case) {
    static const char *const tokens[] = {"[UNK]", "[CLS]", "[SEP]", "\342\226\201ab", "\342\226\201AB"};
    static const int32_t types[] = {3, 3, 3, 1, 1};
    for (int cased = 0; cased < 2; cased++) {
        gguf_writer w = gguf_begin();
        gguf_string(&w, "general.architecture", "bert");
        gguf_string(&w, "tokenizer.ggml.model", "bert");
        gguf_strings(&w, "tokenizer.ggml.tokens", tokens, 5);
        gguf_i32s(&w, "tokenizer.ggml.token_type", types, 5);
        gguf_u32(&w, "tokenizer.ggml.unknown_token_id", 0);
        gguf_u32(&w, "tokenizer.ggml.cls_token_id", 1);
        gguf_u32(&w, "tokenizer.ggml.seperator_token_id", 2);
        gguf_bool(&w, "tokenizer.ggml.add_eos_token", false);
        if (cased) gguf_bool(&w, "tokenizer.ggml.normalizer.lowercase", false);
        opened o = open_writer(&w);
        EXPECT(&o, "AB", true, 1, cased ? 4 : 3, 2);
        opened_close(&o);
    }
}

static void expect_ends(gguf_writer *w, const int32_t *ids, size_t n) {
    char *folder = scratch_make();
    tfm_gguf *gguf;
    gguf_save(w, in(folder, "v.gguf"));
    REQUIRE_OK(tfm_gguf_open(&gguf, in(folder, "v.gguf"), error));
    json_t *generation = tfm_gguf_generation(gguf), *ends = json_object_get(generation, "eos_token_id");
    cr_expect_eq(json_array_size(ends), n);
    for (size_t i = 0; i < n; i++) cr_expect_eq(json_integer_value(json_array_get(ends, i)), ids[i]);
    json_decref(generation);
    tfm_gguf_close(&gguf);
    scratch_remove(&folder);
}

/* What ends an output where the file does not say so: the token of the kind of vocabulary, and what is spelled so. */
Test(gguf_tokenizer, ends_that_are_not_named) {
    gguf_writer w = spm_begin();
    put_spm(&w);
    expect_ends(&w, (const int32_t[]){2}, 1);
    w = spm_begin();
    put_spm(&w);
    gguf_u32(&w, "tokenizer.ggml.eos_token_id", 8);
    expect_ends(&w, (const int32_t[]){8}, 1);
    w = bpe_begin("gpt-2");
    expect_ends(&w, (const int32_t[]){8}, 1);
}

static void refuse(gguf_writer *w, tfm_status status, const char *text) {
    char *folder = scratch_make();
    gguf_save(w, in(folder, "v.gguf"));
    tfm_pack_request request = {.source = in(folder, "v.gguf"), .out = in(folder, "t.bin"), .tokenizer_only = true};
    REQUIRE_ERROR(status, tfm_pack(&request, error), text);
    cr_assert(access(in(folder, "t.bin"), F_OK) != 0);
    scratch_remove(&folder);
}

Test(gguf_tokenizer, refusals) {
    gguf_writer w = bpe_begin("klingon");
    refuse(&w, TFM_ERROR_UNSUPPORTED, "tokenizer.ggml.pre is 'klingon'");
    w = gguf_begin();
    gguf_string(&w, "general.architecture", "llama");
    gguf_string(&w, "tokenizer.ggml.model", "rwkv");
    refuse(&w, TFM_ERROR_UNSUPPORTED, "tokenizer.ggml.model is 'rwkv'; supported are llama");
    w = spm_begin();
    refuse(&w, TFM_ERROR_FORMAT, "key 'tokenizer.ggml.tokens' is no list of texts");
    w = spm_begin();
    gguf_strings(&w, "tokenizer.ggml.tokens", spm_tokens, 9);
    refuse(&w, TFM_ERROR_FORMAT, "key 'tokenizer.ggml.scores' is missing");
    w = spm_begin();
    gguf_strings(&w, "tokenizer.ggml.tokens", spm_tokens, 9);
    gguf_f32s(&w, "tokenizer.ggml.scores", spm_scores, 8);
    refuse(&w, TFM_ERROR_FORMAT, "has not as many elements as there are tokens");
    w = spm_begin();
    put_spm(&w);
    gguf_u32(&w, "tokenizer.ggml.bos_token_id", 9);
    refuse(&w, TFM_ERROR_FORMAT, "not in the vocabulary");
    w = spm_begin();
    put_spm(&w);
    gguf_i32s(&w, "tokenizer.ggml.precompiled_charsmap", spm_types, 9);
    refuse(&w, TFM_ERROR_UNSUPPORTED, "precompiled_charsmap' is not supported with tokenizer.ggml.model 'llama'");
    w = bpe_begin("gpt-2");
    gguf_bool(&w, "tokenizer.ggml.add_eos_token", true);
    refuse(&w, TFM_ERROR_FORMAT, "key 'tokenizer.ggml.eos_token_id' is missing, and inputs should end so");
    const char *broken[] = {"<unk>", "\xff", "a"};
    w = spm_begin();
    gguf_strings(&w, "tokenizer.ggml.tokens", broken, 3);
    gguf_f32s(&w, "tokenizer.ggml.scores", spm_scores, 3);
    refuse(&w, TFM_ERROR_FORMAT, "token 1 is not UTF-8");
    const char *const odd[] = {"x y"};
    w = gguf_begin();
    gguf_string(&w, "general.architecture", "llama");
    gguf_string(&w, "tokenizer.ggml.model", "gpt2");
    gguf_string(&w, "tokenizer.ggml.pre", "gpt-2");
    gguf_strings(&w, "tokenizer.ggml.tokens", bpe_tokens, 10);
    gguf_strings(&w, "tokenizer.ggml.merges", odd, 1);
    refuse(&w, TFM_ERROR_FORMAT, "merge 0 is not of pieces of the vocabulary");
}
