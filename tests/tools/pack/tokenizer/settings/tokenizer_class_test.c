/* tokenizer_class_test.c - the class of a tokenizer says how its files are read, or that they cannot be. */
#include "tests/tools/pack/tokenizer/tokenized.h"
#include "tools/pack/tokenizer/settings/tokenizer_class.h"

TestSuite(tokenizer_class, .timeout = 120);

Test(tokenizer_class, by_name_and_by_model) {
    cr_assert_str_eq(tfm_tokenizer_class_find("GPT2TokenizerFast")->name, "GPT2Tokenizer");
    cr_assert_null(tfm_tokenizer_class_find("Fast"));
    cr_assert_null(tfm_tokenizer_class_find("NoTokenizer"));
    cr_assert_str_eq(tfm_tokenizer_class_of_model("qwen3")->name, "Qwen2Tokenizer");
    cr_assert_null(tfm_tokenizer_class_of_model("t"));
}

/* Classes that need what is not here are refused whatever files there are. */
Test(tokenizer_class, that_needs_more) {
    const char *const files[] = {"vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n", "config.json",
                                 "{\"model_type\": \"bert\", \"tokenizer_class\": \"BertJapaneseTokenizer\"}", NULL};
    char *folder = tokenizer_folder(files);
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "config.json: the tokenizer class BertJapanese",
                  "MeCab", "--tokenizer none");
    write_text_in(folder, "tokenizer.json", words_json(""));
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"PhobertTokenizer\"}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error),
                  "tokenizer_config.json: the tokenizer class Phobert");
    scratch_remove(&folder);
}

/* Files must be those of the class. */
Test(tokenizer_class, of_other_files) {
    const char *const files[] = {"config.json", "{\"model_type\": \"bert\"}", NULL};
    char *folder = tokenizer_folder(files);
    write_pieces(folder, "spiece.model", false);
    tokenizer_check(folder, "a b", "3 4");
    cr_assert(strstr(packed_notes, "BertTokenizer"), "%s", packed_notes);
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"AlbertTokenizer\"}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "AlbertTokenizer", "is not known");
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "GPT2Tokenizer", "vocab.json and merges.txt");
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}");
    tokenizer_check(folder, "a b", "3 4 2");
    scratch_remove(&folder);
    const char *const words[] = {"vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n", "tokenizer_config.json",
                                 "{\"tokenizer_class\": \"RoFormerTokenizerX\"}", NULL};
    folder = tokenizer_folder(words);
    REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tokenizer_try(folder, error), "RoFormerTokenizerX is not known");
    write_text_in(folder, "tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}");
    tokenizer_check(folder, "A", "1 3 2");
    scratch_remove(&folder);
}

/* Ids of XLM-RoBERTa and CamemBERT are not the numbers of the pieces. */
Test(tokenizer_class, with_another_order) {
    char *folder = tokenizer_folder(NULL);
    write_pieces(folder, "sentencepiece.bpe.model", false);
    write_text_in(folder, "config.json", "{\"model_type\": \"xlm-roberta\"}");
    tokenizer_check(folder, "a b<mask>", "0 4 5 9 2");
    write_text_in(folder, "config.json", "{\"model_type\": \"camembert\"}");
    tokenizer_check(folder, "a b", "5 7 8 6");
    scratch_remove(&folder);
}
