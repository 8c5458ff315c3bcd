/* tokenizer_pack_test.c - which tokenizer files of a folder are taken, and what is refused. */
#include "tests/tools/pack/packed.h"

TestSuite(tokenizer_pack, .timeout = 120);

static tfm_status pack_tokenizer(const char *from, const char *out, tfm_error *error) {
    tfm_pack_request request = {.source = from, .out = out, .tokenizer_only = true};
    return tfm_pack(&request, error);
}

Test(tokenizer_pack, nothing_to_find) {
    char *folder = scratch_make();
    REQUIRE_ERROR(TFM_ERROR_IO, pack_tokenizer(in(folder, "none"), in(folder, "t.bin"), error),
                  "none: cannot be opened");
    REQUIRE_ERROR(TFM_ERROR_IO, pack_tokenizer(folder, in(folder, "t.bin"), error),
                  "no tokenizer found; it needs tokenizer.json, vocab.txt,");
    write_text_in(folder, "a.spm", "");
    write_text_in(folder, "b.model", ""); /* which of two is not known */
    REQUIRE_ERROR(TFM_ERROR_IO, pack_tokenizer(folder, in(folder, "t.bin"), error), "no tokenizer found");
    write_text_in(folder, "spiece.model", "no pieces");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, pack_tokenizer(folder, in(folder, "t.bin"), error), "spiece.model: ");
    write_text_in(folder, "tokenizer.json", "{");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, pack_tokenizer(folder, in(folder, "t.bin"), error), "tokenizer.json: line 1");
    cr_assert_eq(count_files(folder), 4);
    scratch_remove(&folder);
}

/* Characters in config.json make a tokenizer for each side; what does not hold together is refused. */
Test(tokenizer_pack, characters) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    packed_configure(folder, "{\"pad_token_id\": 0, \"bos_token_id\": 1, \"eos_token_id\": 2,"
                             " \"grapheme_chars\": \"____abc\", \"phoneme_chars\": \"____xə\"}");
    tfm_file *file = packed_open(folder);
    cr_assert(tfm_file_table(file, "tokenizer") && tfm_file_table(file, "tokenizer.target"));
    tfm_file_close(&file);
    packed_configure(folder, "{\"phoneme_chars\": \"___xə\"}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "need four places");
    packed_configure(folder, "{\"phoneme_chars\": \"__\"}");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error), "eos_token_id is no place");
    scratch_remove(&folder);
}
