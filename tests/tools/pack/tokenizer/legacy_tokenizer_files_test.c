/* legacy_tokenizer_files_test.c - vocab.txt, vocab.json and merges.txt. */
#include "tokenized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(legacy_tokenizer_files, .timeout = 120);

/* Ids 0 to 5; the words "ab" and " ab" are pieces. */
static const char vocabulary[] =
    "{\"a\": 0, \"b\": 1, \"\\u0120\": 2, \"ab\": 3, \"\\u0120ab\": 4, \"<|endoftext|>\": 5}";
#define MERGES(end) "#version: 0.2" end "a b" end "\xC4\xA0 ab" end

Test(legacy_tokenizer_files, the_class_of_the_model) {
    const char *const files[] = {
        "vocab.json", vocabulary, "merges.txt", MERGES("\n"), "config.json", "{\"model_type\": \"gpt2\"}", NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "ab ab<|endoftext|>", "3 4 5");
    write_text_in(folder, "config.json", "{\"model_type\": \"none\"}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "needs a tokenizer_class");
    write_text_in(folder, "config.json", "{\"tokenizer_class\": \"CLIPTokenizer\"}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "CLIPTokenizer is not known");
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\", \"add_bos_token\": true}");
    tokenizer_check(folder, "ab ab", "5 3 4");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"GPT2Tokenizer\", \"add_prefix_space\": true}");
    tokenizer_check(folder, "ab ab", "4 4");
    /* Qwen2's class does not know the flag. */
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"Qwen2Tokenizer\", \"add_bos_token\": true}");
    tokenizer_check(folder, "ab ab", "3 4");
    scratch_remove(&folder);
}

/* As Windows and its editors write them. */
Test(legacy_tokenizer_files, carriage_returns_and_byte_order_marks) {
    const char *const files[] = {
        "vocab.json", vocabulary, "merges.txt", MERGES("\r\n"), "config.json", "{\"model_type\": \"gpt2\"}", NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "ab ab", "3 4");
    write_text_in(folder, "merges.txt", "\xEF\xBB\xBF" MERGES("\n"));
    tokenizer_check(folder, "ab ab", "3 4");
    scratch_remove(&folder);
    const char *const words[] = {"vocab.txt", "\xEF\xBB\xBF[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n", NULL};
    folder = tokenizer_folder(words);
    tokenizer_check(folder, "a b", "1 3 0 2");
    scratch_remove(&folder);
}

/* Tokens of the configuration that the vocabulary does not have follow it. */
Test(legacy_tokenizer_files, added_tokens) {
    const char *const files[] = {"vocab.json",
                                 vocabulary,
                                 "merges.txt",
                                 MERGES("\n"),
                                 "config.json",
                                 "{\"model_type\": \"gpt2\"}",
                                 "added_tokens.json",
                                 "{\"[x]\": 6}",
                                 "special_tokens_map.json",
                                 "{\"pad_token\": \"[PAD]\"}",
                                 NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "ab[x][PAD]", "3 6 7");
    scratch_remove(&folder);
}

Test(legacy_tokenizer_files, half_a_tokenizer) {
    static const struct {
        const char *there, *missing;
    } halves[] = {{"merges.txt", "vocab.json"},
                  {"vocab.json", "merges.txt"},
                  {"source.spm", "target.spm"},
                  {"target.spm", "source.spm"}};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        const char *const files[] = {halves[i].there, "{}", NULL};
        char *folder = tokenizer_folder(files);
        REQUIRE_ERROR(i == 3 ? TFM_ERROR_FORMAT : TFM_ERROR_IO, tokenizer_try(folder, error),
                      i == 3 ? "target.spm" : halves[i].missing, halves[i].there);
        scratch_remove(&folder);
    }
}

/* Capitals that can never come out of a text, or words with them that cannot be found. */
Test(legacy_tokenizer_files, capitals) {
    const char *const files[] = {"vocab.txt", "[UNK]\n[CLS]\n[SEP]\nThe\nof\n", NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "The of", "1 0 4 2");
    cr_assert(strstr(packed_notes, "vocab.txt has 1 pieces with capital letters"), "%s", packed_notes);
    write_text_in(folder, "tokenizer_config.json", "{\"do_lower_case\": false}");
    tokenizer_check(folder, "The of", "1 3 4 2");
    cr_assert_str_empty(packed_notes);
    char *text = malloc(20000);
    size_t n = (size_t)sprintf(text, "[UNK]\n[CLS]\n[SEP]\n");
    for (int i = 0; i < 1200; i++) n += (size_t)sprintf(text + n, "w%d\n", i);
    write_text_in(folder, "vocab.txt", text);
    tokenizer_check(folder, "w1", "1 4 2");
    cr_assert(strstr(packed_notes, "no piece with a capital letter"), "%s", packed_notes);
    free(text);
    scratch_remove(&folder);
}
