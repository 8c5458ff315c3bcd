/* tokenizer_flags_test.c - what tokenizer_config.json says beside a tokenizer.json. */
#include "tests/tools/pack/tokenizer/tokenized.h"

TestSuite(tokenizer_flags, .timeout = 120);

/* A folder with a tokenizer.json of words and a tokenizer_config.json. */
static void check(const char *more, const char *settings, const char *text, const char *ids) {
    const char *const files[] = {"tokenizer.json", words_json(more), "tokenizer_config.json", settings, NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, text, ids);
    scratch_remove(&folder);
}

static const char after[] =
    "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": "
    "0}}, "
    "{\"SpecialToken\": {\"id\": \"</s>\", \"type_id\": 0}}], \"pair\": [], \"special_tokens\": {\"</s>\": {\"id\": "
    "\"</s>\", \"ids\": [7], \"tokens\": [\"</s>\"]}}},";

/* Llama's class and its like make the template anew from the two flags. */
Test(tokenizer_flags, begin_and_end) {
    check("", "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": true}", "a b", "6 0 1");
    check("", "{\"tokenizer_class\": \"LlamaTokenizerFast\", \"add_bos_token\": true, \"add_eos_token\": true}", "a b",
          "6 0 1 7");
    check(after, "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_eos_token\": false}", "a b", "0 1");
    check(after, "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": true}", "a b", "6 0 1 7");
    check(after, "{\"tokenizer_class\": \"LlamaTokenizer\"}", "a b", "0 1 7");
    check("", "{\"tokenizer_class\": \"GPTNeoXTokenizer\", \"add_eos_token\": true, \"eos_token\": \"e\"}", "a", "0 4");
    check("",
          "{\"tokenizer_class\": \"CohereTokenizerFast\", \"add_bos_token\": true, \"bos_token\": {\"content\": "
          "\"c\"}}",
          "a", "2 0");
}

/* Other classes go by the template, and that is said. */
Test(tokenizer_flags, begin_and_end_of_others) {
    check(after, "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"add_eos_token\": false}", "a b", "0 1 7");
    cr_assert_str_empty(packed_notes);
    check("", "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"add_bos_token\": true}", "a b", "0 1");
    cr_assert(strstr(packed_notes, "add_bos_token is true, but the template of tokenizer.json"), "%s", packed_notes);
}

Test(tokenizer_flags, begin_that_is_no_token) {
    const char *const files[] = {"tokenizer.json", words_json(""), "tokenizer_config.json",
                                 "{\"tokenizer_class\": \"GemmaTokenizer\", \"add_bos_token\": true}", NULL};
    char *folder = tokenizer_folder(files);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tokenizer_try(folder, error), "add_bos_token is true", "<bos>");
    write_text_in(folder, "tokenizer_config.json", "{\"split_special_tokens\": true}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "split_special_tokens is true");
    write_text_in(folder, "tokenizer_config.json", "{\"sp_model_kwargs\": {\"enable_sampling\": true}}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "sampling");
    scratch_remove(&folder);
}

Test(tokenizer_flags, letter_case) {
    static const char bert[] = "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, "
                               "\"handle_chinese_chars\": true, \"strip_accents\": null, \"lowercase\": true},";
    check(bert, "{\"tokenizer_class\": \"BertTokenizer\"}", "A \xC3\xA1", "0 0");
    check(bert, "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": false}", "A a", "5 0");
    check(bert, "{\"tokenizer_class\": \"DistilBertTokenizer\", \"strip_accents\": false}", "A \xC3\xA1", "0 5");
    check(bert, "{\"tokenizer_class\": \"BertTokenizer\"}", "a\xE4\xB8\xAD", "0 5");
    check(bert, "{\"tokenizer_class\": \"BertTokenizer\", \"tokenize_chinese_chars\": false}", "a\xE4\xB8\xAD", "5");
    /* The flag is BERT's; other classes do not know it. */
    check(bert, "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"do_lower_case\": false}", "A a", "0 0");
}

static const char pieces[] =
    "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"\\u2581\"}, "
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\\u2581\"}]}, \"model\": {\"type\": "
    "\"BPE\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0, \"\\u2581\": 1, \"a\": 2, \"\\u2581a\": 3}, \"merges\": "
    "[\"\\u2581 a\"]}}";

Test(tokenizer_flags, space_before_a_text) {
    const char *const files[] = {"tokenizer.json", pieces, "tokenizer_config.json",
                                 "{\"tokenizer_class\": \"LlamaTokenizer\"}", NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "a a", "3 3");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_prefix_space\": false}");
    tokenizer_check(folder, "a a", "2 3");
    write_text_in(
        folder, "tokenizer.json",
        "{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"model\": {\"type\": \"BPE\", "
        "\"vocab\": {\"a\": 0, \"\\u0120\": 1, \"\\u0120a\": 2}, \"merges\": [\"\\u0120 a\"]}}");
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
    tokenizer_check(folder, "a a", "0 2");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"GPT2Tokenizer\", \"add_prefix_space\": true}");
    tokenizer_check(folder, "a a", "2 2");
    scratch_remove(&folder);
}
