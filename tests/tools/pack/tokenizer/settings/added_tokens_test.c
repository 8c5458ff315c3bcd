/* added_tokens_test.c - tokens that only the configuration adds to a vocabulary. */
#include "tests/tools/pack/tokenizer/tokenized.h"

TestSuite(added_tokens, .timeout = 120);

static char *folder_with(const char *name, const char *text) {
    const char *const files[] = {"tokenizer.json", words_json(""), name, text, NULL};
    return tokenizer_folder(files);
}

Test(added_tokens, in_the_decoder) {
    char *folder =
        folder_with("tokenizer_config.json",
                    "{\"added_tokens_decoder\": {\"8\": {\"content\": \"<tool>\", \"special\": true}, \"9\": "
                    "{\"content\": \"x y\", "
                    "\"normalized\": false}, \"6\": {\"content\": \"<s>\", \"special\": true, \"lstrip\": true}}}");
    tokenizer_check(folder, "a<tool>x y b", "0 8 9 1");
    tokenizer_check(folder, "a  <s>b", "0 6 1");
    write_text_in(
        folder, "tokenizer_config.json",
        "{\"added_tokens_decoder\": {\"8\": {\"content\": \"x\", \"single_word\": true}, \"10\": {\"content\": "
        "\"y\"}}}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "added token y has the id 10");
    write_text_in(folder, "tokenizer_config.json", "{\"added_tokens_decoder\": {\"8\": {\"special\": true}}}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tokenizer_try(folder, error), "without content");
    scratch_remove(&folder);
}

Test(added_tokens, in_files_of_their_own) {
    char *folder = folder_with("added_tokens.json", "{\"<b>\": 9, \"<a>\": 8, \"<s>\": 6}");
    tokenizer_check(folder, "a<a><b>", "0 8 9");
    write_text_in(folder, "special_tokens_map.json",
                  "{\"bos_token\": \"<s>\", \"pad_token\": {\"content\": \"<pad>\", \"lstrip\": true}, "
                  "\"additional_special_tokens\": [\"<b>\", \"<c>\"]}");
    tokenizer_check(folder, "a <pad><c>", "0 10 11");
    write_text_in(folder, "added_tokens.json", "{\"<b>\": \"9\"}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tokenizer_try(folder, error), "added_tokens.json: <b> has no id");
    scratch_remove(&folder);
}

/* Where no decoder is listed: flags of the first role count, and special_tokens_map.json before tokenizer_config.json.
 */
Test(added_tokens, flags_by_role) {
    char *folder = folder_with("tokenizer_config.json",
                               "{\"bos_token\": {\"content\": \"<s>\", \"lstrip\": true}, \"eos_token\": {\"content\": "
                               "\"<s>\", \"lstrip\": false, \"rstrip\": true}}");
    tokenizer_check(folder, "a  <s>b", "0 6 1");
    write_text_in(folder, "special_tokens_map.json", "{\"bos_token\": {\"content\": \"<s>\", \"rstrip\": true}}");
    tokenizer_check(folder, "a <s>  b", "0 6 1");
    write_text_in(folder, "special_tokens_map.json", "{\"pad_token\": \"<pad>\"}");
    tokenizer_check(folder, "a<pad>", "0 8");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"pad_token\": \"<other>\", \"additional_special_tokens\": [\"<u>\"]}");
    write_text_in(folder, "special_tokens_map.json",
                  "{\"pad_token\": \"<pad>\", \"additional_special_tokens\": [\"<v>\"]}");
    tokenizer_check(folder, "a<pad><u><v>", "0 8 9 10");
    write_text_in(folder, "tokenizer_config.json", "{\"pad_token\": \"<other>\", \"added_tokens_decoder\": {}}");
    tokenizer_check(folder, "a<other>", "0 8");
    scratch_remove(&folder);
}

Test(added_tokens, numbered) {
    char *folder = folder_with("tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 2}");
    tokenizer_check(folder, "<extra_id_0>a<extra_id_1>", "8 0 9");
    write_text_in(folder, "tokenizer_config.json", "{\"extra_ids\": -1}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tokenizer_try(folder, error), "extra_ids is -1");
    scratch_remove(&folder);
}

/* Beside a SentencePiece file, of either kind: found before the pieces are. */
Test(added_tokens, beside_pieces) {
    for (int byte_pairs = 0; byte_pairs < 2; byte_pairs++) {
        char *folder = tokenizer_folder(NULL);
        write_pieces(folder, "tokenizer.model", byte_pairs);
        write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizer\"}");
        tokenizer_check(folder, "a b", "1 3 4");
        write_text_in(folder, "added_tokens.json", "{\"<tool>\": 8}");
        tokenizer_check(folder, "a b<tool>", "1 3 4 8");
        write_text_in(folder, "tokenizer_config.json",
                      "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": false, \"add_eos_token\": true, "
                      "\"legacy\": false, \"added_tokens_decoder\": {\"8\": {\"content\": \"<x>\", \"rstrip\": true, "
                      "\"normalized\": false}}}");
        tokenizer_check(folder, "a<x>  b", "3 8 6 2"); /* the space is before the first stretch alone */
        write_text_in(folder, "tokenizer_config.json",
                      "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": false, \"added_tokens_decoder\": "
                      "{\"8\": {\"content\": \"<x>\"}}}");
        tokenizer_check(folder, "a<x>b", "3 8 4"); /* legacy: before each */
        scratch_remove(&folder);
    }
}

Test(added_tokens, of_t5_beside_pieces) {
    const char *const files[] = {"tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 3}",
                                 NULL};
    char *folder = tokenizer_folder(files);
    write_pieces(folder, "spiece.model", false);
    tokenizer_check(folder, "a <extra_id_0> b <extra_id_2>", "3 10 4 8 2");
    scratch_remove(&folder);
}
