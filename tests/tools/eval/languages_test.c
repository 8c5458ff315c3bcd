/* languages_test.c - tfmeval perplexity and tokenize with translation models of many languages. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/data.h"
#include "tests/support/program.h"

#define TFMEVAL getenv("TFM_TFMEVAL")
#define RUN(input, ...) run_program((const char *const[]){TFMEVAL, __VA_ARGS__, NULL}, input)

TestSuite(languages, .init = enter_scratch, .fini = leave_scratch, .timeout = 120);

enum { VOCABULARY = 200, FIRST_CODE = 195, N_CODES = 3 };

/* ---- models ---- */

/* Words w4 to w199 whose ids are their numbers, but for the codes. */
static void write_tokenizer(const char *const *codes) {
    static const char *const special[] = {"<s>", "<pad>", "</s>", "<unk>"};
    json_t *vocabulary = json_object(), *added = json_array();
    for (int id = 0; id < VOCABULARY; id++) {
        char word[16];
        snprintf(word, sizeof word, "w%d", id);
        const bool is_code = id >= FIRST_CODE && id < FIRST_CODE + N_CODES;
        const char *token = id < 4 ? special[id] : is_code ? codes[id - FIRST_CODE] : word;
        json_object_set_new(vocabulary, token, json_integer(id));
        if (id < 4 || is_code)
            json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", id, "content", token, "special", 1));
    }
    json_t *file =
        json_pack("{s:o, s:{s:s}, s:{s:s, s:s, s:o}}", "added_tokens", added, "pre_tokenizer", "type",
                  "WhitespaceSplit", "model", "type", "WordLevel", "unk_token", "<unk>", "vocab", vocabulary);
    cr_assert_eq(json_dump_file(file, "checkpoint/tokenizer.json", 0), 0);
    json_decref(file);
}

/* Copies a file of JSON of a golden folder, with a key set if value is not negative. */
static void copy_json(const char *folder, const char *name, const char *key, int value) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *object = json_load_file(golden_path(path), 0, NULL);
    cr_assert(object, "%s", path);
    if (value >= 0) json_object_set_new(object, key, json_integer(value));
    snprintf(path, sizeof path, "checkpoint/%s", name);
    cr_assert_eq(json_dump_file(object, path, 0), 0);
    json_decref(object);
}

/* The golden folder's weights with a tokenizer of a class, packed; the key goes into both configurations. */
static void pack(const char *folder, const char *tokenizer_config, const char *const *codes, const char *key, int value,
                 const char *model) {
    char path[256];
    if (access("checkpoint", F_OK) != 0) {
        cr_assert_eq(mkdir("checkpoint", 0700), 0);
        snprintf(path, sizeof path, "%s/model.safetensors", folder);
        cr_assert_eq(symlink(golden_path(path), "checkpoint/model.safetensors"), 0);
    }
    copy_json(folder, "config.json", key, value);
    copy_json(folder, "generation_config.json", key, value);
    write_text("checkpoint/tokenizer_config.json", tokenizer_config);
    write_tokenizer(codes);
    outcome result =
        run_program((const char *const[]){getenv("TFM_TFMPACK"), "--dtype=f32", "checkpoint", model, NULL}, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    free_outcome(&result);
}

static void expect(outcome result, int code, const char *out, const char *said) {
    cr_expect(result.code == code && strcmp(result.out, out) == 0 && strstr(result.err, said), "%d\n%s%s, expected %s",
              result.code, result.out, result.err, said);
    free_outcome(&result);
}

static void expect_same(outcome a, outcome b) {
    cr_expect(a.code == 0 && b.code == 0 && strcmp(a.out, b.out) == 0 && strstr(a.out, "\"ppl\""), "%s%s%s%s", a.out,
              b.out, a.err, b.err);
    free_outcome(&a);
    free_outcome(&b);
}

static void expect_different(outcome a, outcome b) {
    cr_expect(a.code == 0 && b.code == 0 && strcmp(a.out, b.out) != 0, "%s%s%s%s", a.out, b.out, a.err, b.err);
    free_outcome(&a);
    free_outcome(&b);
}

/* ---- tests ---- */

static const char *const nllb_codes[] = {"deu_Latn", "eng_Latn", "fra_Latn"};
static const char nllb[] = "{\"tokenizer_class\": \"NllbTokenizer\"}";
#define SCORE(model, ...) RUN(NULL, "perplexity", model, "--json", "--per-line", __VA_ARGS__)
#define TEXTS "--src=s.txt", "--ref=r.txt"

static void write_texts(void) {
    write_text("s.txt", "w10 w11 w12\nw13\n");
    write_text("r.txt", "w20 w21\nw22 w23 w24\n");
}

/* The code stands before a source and before its translation, as labels of transformers have it. */
Test(languages, before_texts) {
    pack("m2m100", nllb, nllb_codes, NULL, -1, "m.bin");
    write_texts();
    write_text("ids.jsonl", "{\"input_ids\": [195, 10, 11, 12, 2], \"labels\": [197, 20, 21, 2]}\n"
                            "{\"input_ids\": [195, 13, 2], \"labels\": [197, 22, 23, 24, 2]}\n");
    expect_same(SCORE("m.bin", TEXTS, "--source-lang=deu_Latn", "--target-lang=fra_Latn"),
                SCORE("m.bin", "--in=ids.jsonl"));
    write_text("ids.jsonl", "{\"input_ids\": [196, 10, 11, 12, 2], \"labels\": [195, 20, 21, 2]}\n"
                            "{\"input_ids\": [196, 13, 2], \"labels\": [195, 22, 23, 24, 2]}\n");
    expect_same(SCORE("m.bin", TEXTS, "--target-lang=deu_Latn"), SCORE("m.bin", "--in=ids.jsonl"));
    /* What the model file says: the token that it forces, or tgt_lang of its tokenizer. */
    pack("m2m100", nllb, nllb_codes, "forced_bos_token_id", 195, "forced.bin");
    expect_same(SCORE("forced.bin", TEXTS), SCORE("m.bin", "--in=ids.jsonl"));
    pack("m2m100", "{\"tokenizer_class\": \"NllbTokenizer\", \"tgt_lang\": \"deu_Latn\"}", nllb_codes, NULL, -1,
         "named.bin");
    expect_same(SCORE("named.bin", TEXTS), SCORE("m.bin", "--in=ids.jsonl"));
}

Test(languages, mistakes_are_explained) {
    pack("m2m100", nllb, nllb_codes, NULL, -1, "m.bin");
    write_texts();
    write_text("ids.jsonl", "{\"input_ids\": [195, 2], \"labels\": [197, 2]}\n");
    expect(SCORE("m.bin", TEXTS), 1, "",
           "which of the 3 languages the outputs have is not said: choose the target language (--target-lang)");
    expect(SCORE("m.bin", TEXTS, "--target-lang=de"), 1, "",
           "--target-lang: the model has no language 'de'; the nearest of its 3 are deu_Latn");
    expect(SCORE("m.bin", TEXTS, "--target-lang=deu_Latn", "--source-lang=fr"), 1, "",
           "--source-lang: the model has no language 'fr'; the nearest of its 3 are fra_Latn");
    expect(SCORE("m.bin", "--in=ids.jsonl", "--source-lang=deu_Latn"), 1, "", "the ids say their language themselves");
    expect(SCORE("m.bin", "--in=ids.jsonl", "--target-lang=de"), 1, "", "the nearest of its 3 are deu_Latn");
    expect(SCORE(getenv("TFM_MODEL"), TEXTS, "--source-lang=de"), 1, "", "has no languages to choose from");
    expect(RUN(NULL, "tokenize", "m.bin", "w5", "--source-lang=en"), 1, "", "are eng_Latn");
    expect(RUN(NULL, "tokenize", "m.bin", "w5", "--no-special", "--source-lang=deu_Latn"), 2, "",
           "--source-lang does not go with --no-special");
    expect(RUN(NULL, "tokenize", "m.bin", "w5", "--side=target", "--source-lang=deu_Latn"), 2, "",
           "--source-lang is for sources");
    expect(RUN(NULL, "tokenize", "m.bin", "w5", "--side=target"), 1, "", "choose the target language");
}

Test(languages, of_tokens) {
    pack("m2m100", nllb, nllb_codes, NULL, -1, "m.bin");
    expect(RUN(NULL, "tokenize", "m.bin", "w5", "--json"), 0,
           "{\"ids\": [196, 5, 2], \"pieces\": [\"eng_Latn\", \"w5\", \"</s>\"], \"text\": \"w5\"}\n", "");
    expect(RUN("{\"text\": \"w5\"}\n", "tokenize", "m.bin", "--source-lang=deu_Latn"), 0,
           "{\"ids\": [195, 5, 2], \"text\": \"w5\"}\n", "");
    expect(RUN("{\"text\": \"w5\"}\n", "tokenize", "m.bin", "--side=target", "--target-lang=fra_Latn"), 0,
           "{\"ids\": [197, 5, 2], \"text\": \"w5\"}\n", "");
    expect(RUN("{\"text\": \"w5\"}\n", "tokenize", "m.bin", "--side=target", "--no-special"), 0,
           "{\"ids\": [5], \"text\": \"w5\"}\n", "");
}

/* mBART: the code stands behind a text, and before the first token of an output. */
Test(languages, at_the_start_of_outputs) {
    static const char *const codes[] = {"de_DE", "en_XX", "fr_XX"};
    static const char mbart[] = "{\"tokenizer_class\": \"MBartTokenizer\"}";
    pack("mbart", mbart, codes, NULL, -1, "english.bin");
    pack("mbart", mbart, codes, "decoder_start_token_id", 197, "french.bin");
    write_texts();
    write_text("en.jsonl", "{\"input_ids\": [10, 11, 12, 2, 195], \"labels\": [20, 21, 2, 196]}\n"
                           "{\"input_ids\": [13, 2, 195], \"labels\": [22, 23, 24, 2, 196]}\n");
    write_text("fr.jsonl", "{\"input_ids\": [10, 11, 12, 2, 195], \"labels\": [20, 21, 2, 197]}\n"
                           "{\"input_ids\": [13, 2, 195], \"labels\": [22, 23, 24, 2, 197]}\n");
    expect_same(SCORE("english.bin", TEXTS, "--source-lang=de_DE"), SCORE("english.bin", "--in=en.jsonl"));
    expect_same(SCORE("english.bin", TEXTS, "--source-lang=de_DE", "--target-lang=fr_XX"),
                SCORE("french.bin", "--in=fr.jsonl"));
    expect_same(SCORE("french.bin", TEXTS, "--source-lang=de_DE"), SCORE("french.bin", "--in=fr.jsonl"));
    /* Of ids the start token is all that there is to choose. */
    expect_same(SCORE("english.bin", "--in=fr.jsonl", "--target-lang=fr_XX"), SCORE("french.bin", "--in=fr.jsonl"));
    expect_different(SCORE("english.bin", "--in=fr.jsonl"), SCORE("french.bin", "--in=fr.jsonl"));
}
