/* language_codes_test.c - the languages of translation models, and where their codes stand. */
#include "runtime/tfm.h"
#include "tests/tools/pack/tokenizer/tokenized.h"

TestSuite(language_codes, .timeout = 120);

/* tokenizer.json with two codes, 8 and 9, in an old template. */
static const char *nllb_json(void) {
    static char text[4000];
    const char *words = words_json(
        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", "
        "\"type_id\": "
        "0}}, {\"SpecialToken\": {\"id\": \"</s>\", \"type_id\": 0}}], \"pair\": [], \"special_tokens\": {\"</s>\": "
        "{\"id\": \"</s>\", \"ids\": [7], \"tokens\": [\"</s>\"]}}},");
    const char *list = strstr(words, "\"special\": true}], ");
    snprintf(
        text, sizeof text,
        "%.*s\"special\": true}, {\"id\": 8, \"content\": \"eng_Latn\", \"special\": true}, {\"id\": 9, \"content\": "
        "\"deu_Latn\", \"special\": true}], %s",
        (int)(list - words), words, list + strlen("\"special\": true}], "));
    return text;
}

Test(language_codes, of_nllb) {
    const char *const files[] = {"tokenizer.json", nllb_json(), "tokenizer_config.json",
                                 "{\"tokenizer_class\": \"NllbTokenizer\"}", NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "a", "8 0 7");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"NllbTokenizer\", \"src_lang\": \"deu_Latn\"}");
    tokenizer_check(folder, "a", "9 0 7");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"NllbTokenizerFast\", \"legacy_behaviour\": true}");
    tokenizer_check(folder, "a", "0 7 8");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"NllbTokenizer\", \"tgt_lang\": \"fra_Latn\"}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tokenizer_try(folder, error), "tgt_lang is fra_Latn");
    /* The model_type alone means M2M100, whose files these are not. */
    write_text_in(folder, "tokenizer_config.json", "{}");
    write_text_in(folder, "config.json", "{\"model_type\": \"m2m_100\"}");
    tokenizer_check(folder, "a", "8 0 7");
    scratch_remove(&folder);
}

Test(language_codes, of_mbart) {
    const char *const files[] = {"tokenizer_config.json", "{\"tokenizer_class\": \"MBartTokenizer\"}", NULL};
    char *folder = tokenizer_folder(files);
    write_pieces(folder, "sentencepiece.bpe.model", false);
    tokenizer_check(folder, "a b", "4 5 2 12"); /* ar_AR is 9: en_XX comes fourth */
    write_text_in(folder, "tokenizer_config.json",
                  "{\"tokenizer_class\": \"MBart50Tokenizer\", \"src_lang\": \"de_DE\"}");
    tokenizer_check(folder, "a b", "11 4 5 2");
    scratch_remove(&folder);
}

/* vocab.json beside SentencePiece: pieces that it does not have are unknown, and codes follow it. */
Test(language_codes, of_m2m100) {
    const char *const files[] = {
        "vocab.json", "{\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3, \"\\u2581b\": 4, \"\\u2581a\": 5}",
        "config.json", "{\"model_type\": \"m2m_100\"}", NULL};
    char *folder = tokenizer_folder(files);
    tfm_model *packed;
    int32_t id;
    tfm_text text = {0};
    write_pieces(folder, "sentencepiece.bpe.model", false);
    tokenizer_check(folder, "a bb", "24 5 4 3 2"); /* af is 6, en the nineteenth */
    write_text_in(folder, "tokenizer_config.json", "{\"src_lang\": \"de\", \"tgt_lang\": \"fr\"}");
    tokenizer_check(folder, "a", "22 5 2");
    REQUIRE_OK(tfm_model_open(&packed, in(folder, "t.bin"), NULL, error));
    cr_assert_str_eq(tfm_language(packed, 0), "af");
    cr_assert_str_eq(tfm_language(packed, 99), "zu");
    cr_assert_null(tfm_language(packed, 100));
    REQUIRE_OK(tfm_language_token(packed, "__en__", &id, error));
    cr_assert_eq(id, 24);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_language_token(packed, "eng", &id, error), "no language 'eng'", "en");
    const int32_t ids[] = {24, 5, 4, 2};
    REQUIRE_OK(tfm_detokenize(packed, TFM_TARGET, ids, 4, true, &text, error));
    cr_assert_str_eq(text.data, "a b");
    tfm_text_free(&text);
    tfm_model_close(&packed);
    scratch_remove(&folder);
}
