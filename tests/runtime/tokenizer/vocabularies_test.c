/*
 * vocabularies_test.c - small vocabularies of every kind (vocabularies/README.md): ids and texts are those that the
 * real libraries made.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expected.h"

TestSuite(vocabularies, .fini = remove_scratch, .timeout = 300);

static const char *vocabulary_path(const char *folder, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s%s%s", TFM_VOCABULARIES, folder, name[0] ? "/" : "", name);
    return path;
}

/* A tokenizer that was packed, against an expected.json. */
static void check_packed(const packed *p, const char *folder) {
    json_t *texts = read_json(vocabulary_path("texts.json", "")),
           *expected = read_json(vocabulary_path(folder, "expected.json"));
    cr_assert_geq(json_array_size(json_object_get(texts, "texts")), 300);
    check_expected(p, json_object_get(texts, "texts"), expected);
    json_decref(texts);
    json_decref(expected);
}

/* Every piece of a tokenizer.json is found under its spelling. */
static void check_pieces(const packed *p, const char *folder) {
    json_t *root = read_json(vocabulary_path(folder, "tokenizer.json")), *id;
    const json_t *vocabulary = json_object_get(json_object_get(root, "model"), "vocab");
    const char *piece;
    json_object_foreach((json_t *)(uintptr_t)vocabulary, piece, id) {
        cr_expect_eq(tfm_tokenizer_id(p->source, piece, strlen(piece)), json_integer_value(id), "%s", piece);
    }
    json_decref(root);
}

static void check_json(const char *folder) {
    packed p = must_pack(vocabulary_path(folder, ""));
    check_packed(&p, folder);
    check_pieces(&p, folder);
    packed_close(&p);
}

static void check_file(const char *folder) {
    packed p = must_pack(vocabulary_path(folder, "model.spm"));
    check_packed(&p, folder);
    packed_close(&p);
}

/* A folder with these files of a vocabulary alone. */
static void check_files(const char *folder, const char *const *files) {
    for (size_t i = 0; files[i]; i++) {
        size_t n;
        char *data = read_bytes(vocabulary_path(folder, files[i]), &n);
        write_scratch(files[i], data, n);
        free(data);
    }
    packed p = must_pack(scratch());
    check_packed(&p, folder);
    packed_close(&p);
}

/* ---- SentencePiece ---- */

Test(vocabularies, spm_unigram) { check_file("spm-unigram"); }
Test(vocabularies, spm_unigram_bytes) { check_file("spm-unigram-bytes"); }
Test(vocabularies, spm_unigram_suffix) { check_file("spm-unigram-suffix"); }
Test(vocabularies, spm_bpe) { check_file("spm-bpe"); }
Test(vocabularies, spm_bpe_bytes) { check_file("spm-bpe-bytes"); }
Test(vocabularies, spm_bpe_bare) { check_file("spm-bpe-bare"); }

/* "Hello" in a folder of this configuration: the file's ids, and so many before and after them. */
static void check_special(const char *folder, const char *config, const char *settings, int32_t first, int32_t last) {
    static const char text[] = "Hello world";
    size_t n;
    char *data = read_bytes(vocabulary_path(folder, "model.spm"), &n);
    write_scratch("tokenizer.model", data, n);
    write_scratch("config.json", config, strlen(config));
    write_scratch("tokenizer_config.json", settings, strlen(settings));
    packed p = must_pack(scratch());
    tfm_ids plain = {0}, special = {0};
    tfm_special_split counts;
    cr_assert_eq(tfm_tokenizer_encode(p.source, text, strlen(text), false, &plain, NULL), TFM_OK);
    cr_assert_eq(tfm_tokenizer_encode(p.source, text, strlen(text), true, &special, NULL), TFM_OK);
    cr_assert(tfm_tokenizer_special_counts(p.source, false, &counts));
    size_t before = first >= 0, after = last >= 0;
    cr_assert_eq(special.size, plain.size + before + after, "%s", config);
    cr_expect_eq(counts.before, before);
    cr_expect_eq(counts.after, after);
    cr_expect_arr_eq(special.data + before, plain.data, plain.size * sizeof *plain.data);
    if (before) cr_expect_eq(special.data[0], first);
    if (after) cr_expect_eq(special.data[special.size - 1], last);
    tfm_ids_free(&plain);
    tfm_ids_free(&special);
    packed_close(&p);
    free(data);
}

/* What the classes of the families put around a text, where there is no tokenizer.json to say so. */
Test(vocabularies, special_tokens_of_families) {
    check_special("spm-unigram", "{\"model_type\": \"t5\"}", "{}", -1, 2);
    check_special("spm-unigram", "{\"model_type\": \"other\"}", "{}", -1, -1);
    check_special("spm-bpe", "{\"model_type\": \"llama\"}", "{}", 1, -1);
    check_special("spm-bpe", "{\"model_type\": \"llama\"}", "{\"add_bos_token\": false, \"add_eos_token\": true}", -1,
                  2);
    check_special("spm-bpe", "{\"model_type\": \"mistral\"}", "{\"add_eos_token\": true}", 1, 2);
}

/* ids are those with the end token. */
Test(vocabularies, marian) {
    json_t *texts = read_json(vocabulary_path("texts.json", "")),
           *expected = read_json(vocabulary_path("marian", "expected.json")), *text;
    packed p = must_pack(vocabulary_path("marian", ""));
    cr_assert_not_null(p.target);
    size_t i;
    json_array_foreach(json_object_get(texts, "texts"), i, text) {
        const json_t *ids = json_array_get(json_object_get(expected, "ids"), i),
                     *back = json_array_get(json_object_get(expected, "text"), i);
        expect_ids(p.source, json_string_value(text), json_string_length(text), true, ids, "text", i);
        expect_text(p.target, ids, true, json_string_value(back), json_string_length(back), "decoded text", i);
        expect_stream(p.target, ids, "text", i);
    }
    json_array_foreach(json_object_get(expected, "decode"), i, text) {
        const json_t *ids = json_object_get(text, "ids"), *back = json_object_get(text, "text"),
                     *skipped = json_object_get(text, "text_skip_special");
        expect_text(p.target, ids, false, json_string_value(back), json_string_length(back), "arbitrary ids", i);
        expect_text(p.target, ids, true, json_string_value(skipped), json_string_length(skipped), "arbitrary ids", i);
        expect_stream(p.target, ids, "arbitrary ids", i);
    }
    json_decref(texts);
    json_decref(expected);
    packed_close(&p);
}

/* ---- tokenizer.json ---- */

Test(vocabularies, gpt2) { check_json("gpt2"); }
Test(vocabularies, roberta) { check_json("roberta"); }
Test(vocabularies, llama3) { check_json("llama3"); }
Test(vocabularies, qwen) { check_json("qwen"); }
Test(vocabularies, deepseek) { check_json("deepseek"); }
Test(vocabularies, falcon) { check_json("falcon"); }
Test(vocabularies, openai_gpt) { check_json("openai-gpt"); }
Test(vocabularies, gpt_neox) { check_json("gpt-neox"); }
Test(vocabularies, starcoder) { check_json("starcoder"); }
Test(vocabularies, nllb) { check_json("nllb"); }
Test(vocabularies, llama2) { check_json("llama2"); }
Test(vocabularies, phi3) { check_json("phi3"); }
Test(vocabularies, mistral) { check_json("mistral"); }
Test(vocabularies, gemma) { check_json("gemma"); }
Test(vocabularies, bert_uncased) { check_json("bert-uncased"); }
Test(vocabularies, bert_cased) { check_json("bert-cased"); }
Test(vocabularies, t5) { check_json("t5"); }
Test(vocabularies, xlm_roberta) { check_json("xlm-roberta"); }
Test(vocabularies, albert) { check_json("albert"); }
Test(vocabularies, unigram_bytes) { check_json("unigram-bytes"); }
Test(vocabularies, wordlevel) { check_json("wordlevel"); }

/* Decoders whose steps meet in none of these. */
Test(vocabularies, decoders) {
    json_t *root = read_json(vocabulary_path("decoders.json", "")), *decoder, *entry, *vocabulary = json_object(),
           *piece;
    size_t i, k;
    json_array_foreach(json_object_get(root, "vocabulary"), i, piece) {
        json_object_set_new(vocabulary, json_string_value(piece), json_integer((json_int_t)i));
    }
    json_array_foreach(json_object_get(root, "decoders"), i, decoder) {
        json_t *file = json_pack("{s:{s:s, s:O}, s:{s:s, s:s, s:O}}", "decoder", "type", "Sequence", "decoders",
                                 json_object_get(decoder, "steps"), "model", "type", "WordLevel", "unk_token", "?",
                                 "vocab", vocabulary);
        char *text = json_dumps(file, JSON_COMPACT),
             *steps = json_dumps(json_object_get(decoder, "steps"), JSON_COMPACT);
        write_scratch("tokenizer.json", text, strlen(text));
        packed p = must_pack(scratch());
        json_array_foreach(json_object_get(decoder, "decode"), k, entry) {
            const json_t *ids = json_object_get(entry, "ids"), *back = json_object_get(entry, "text");
            expect_text(p.source, ids, false, json_string_value(back), json_string_length(back), steps, k);
            expect_stream(p.source, ids, steps, k);
        }
        packed_close(&p);
        free(text);
        free(steps);
        json_decref(file);
    }
    json_decref(vocabulary);
    json_decref(root);
}

/* ---- files older than tokenizer.json ---- */

Test(vocabularies, gpt2_vocab_and_merges) {
    check_files("gpt2", (const char *const[]){"vocab.json", "merges.txt", "tokenizer_config.json", NULL});
}

Test(vocabularies, bert_uncased_vocab_txt) {
    check_files("bert-uncased", (const char *const[]){"vocab.txt", "tokenizer_config.json", NULL});
}

Test(vocabularies, bert_cased_vocab_txt) {
    check_files("bert-cased", (const char *const[]){"vocab.txt", "tokenizer_config.json", NULL});
}

/* Many checkpoints have no limit, and say so with a number that no integer holds. */
Test(vocabularies, settings_with_huge_numbers) {
    static const char settings[] = "{\"do_lower_case\": true, \"model_max_length\": 1000000000000000019884624838656}";
    write_scratch("tokenizer_config.json", settings, strlen(settings));
    check_files("bert-uncased", (const char *const[]){"vocab.txt", NULL});
}
