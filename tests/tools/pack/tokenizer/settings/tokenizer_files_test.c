/* tokenizer_files_test.c - keys of the tokenizer's files that nobody knows, and flags that are none, are named. */
#include "tests/tools/pack/tokenizer/tokenized.h"

TestSuite(tokenizer_files, .timeout = 120);

Test(tokenizer_files, unknown_keys) {
    const char *const files[] = {
        "tokenizer.json",
        words_json("\"version\": \"1.0\", \"spice\": 3,"),
        "tokenizer_config.json",
        "{\"model_max_length\": 1e30, \"padding_side\": \"left\", \"do_magic\": true, \"other\": null}",
        "special_tokens_map.json",
        "{\"pad_token\": \"a\", \"new_token\": \"b\"}",
        NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "a b", "0 1");
    cr_assert(
        strstr(packed_notes, "tokenizer_config.json: not known to this kind of model, and left out: do_magic = true\n"),
        "%s", packed_notes);
    cr_assert(strstr(packed_notes, "new_token = \"b\"\n"), "%s", packed_notes);
    cr_assert(strstr(packed_notes, "tokenizer.json: not known to this kind of model, and left out: spice = 3\n"), "%s",
              packed_notes);
    scratch_remove(&folder);
}

Test(tokenizer_files, flags_that_are_none) {
    static const char *const settings[] = {"{\"add_bos_token\": \"true\"}", "{\"strip_accents\": 1}",
                                           "{\"legacy\": []}"};
    static const char *const names[] = {"add_bos_token", "strip_accents", "legacy"};
    const char *const files[] = {"tokenizer.json", words_json(""), "tokenizer_config.json", "{\"strip_accents\": null}",
                                 NULL};
    char *folder = tokenizer_folder(files);
    tokenizer_check(folder, "a b", "0 1");
    for (size_t i = 0; i < 3; i++) {
        write_text_in(folder, "tokenizer_config.json", settings[i]);
        REQUIRE_ERROR(TFM_ERROR_FORMAT, tokenizer_try(folder, error), names[i], "is neither true nor false");
    }
    scratch_remove(&folder);
}
