/* tokenized.c - see tokenized.h. */
#include "tokenized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "tests/runtime/tokenizer/tiny_spm.h"

char *tokenizer_folder(const char *const *files) {
    char *folder = scratch_make();
    for (; files && files[0]; files += 2) write_text_in(folder, files[0], files[1]);
    return folder;
}

static void keep_note(void *user, const char *text) {
    (void)user;
    strncat(packed_notes, text, sizeof packed_notes - strlen(packed_notes) - 2);
    strcat(packed_notes, "\n");
}

tfm_status tokenizer_try(const char *folder, tfm_error *error) {
    tfm_pack_request request = {
        .source = folder, .out = in(folder, "t.bin"), .tokenizer_only = true, .options = {.note = keep_note}};
    packed_notes[0] = '\0';
    return tfm_pack(&request, error);
}

void tokenizer_check(const char *folder, const char *text, const char *ids) {
    tfm_model *packed;
    tfm_ids got = {0};
    char spelled[400] = "";
    REQUIRE_OK(tokenizer_try(folder, error));
    REQUIRE_OK(tfm_model_open(&packed, in(folder, "t.bin"), NULL, error));
    REQUIRE_OK(tfm_tokenize(packed, TFM_SOURCE, text, strlen(text), true, &got, error));
    for (size_t i = 0; i < got.size; i++)
        snprintf(spelled + strlen(spelled), sizeof spelled - strlen(spelled), "%s%d", i ? " " : "", got.data[i]);
    cr_assert_str_eq(spelled, ids, "'%s': %s instead of %s", text, spelled, ids);
    tfm_ids_free(&got);
    tfm_model_close(&packed);
}

const char *words_json(const char *more) {
    static char text[4000];
    snprintf(text, sizeof text,
             "{\"added_tokens\": [{\"id\": 6, \"content\": \"<s>\", \"special\": true}, {\"id\": 7, \"content\": "
             "\"</s>\", \"special\": true}], \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, %s \"model\": "
             "{\"type\": \"WordLevel\", \"unk_token\": \"<unk>\", \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3, "
             "\"e\": 4, \"<unk>\": 5}}}",
             more);
    return text;
}

void write_pieces(const char *folder, const char *name, bool byte_pairs) {
    static const tiny_piece pieces[] = {{"\xE2\x96\x81"
                                         "a",
                                         -1, 0},
                                        {"\xE2\x96\x81"
                                         "b",
                                         -1.5f, 0},
                                        {"a", -3, 0},
                                        {"b", -3.5f, 0},
                                        {"\xE2\x96\x81", -4, 0},
                                        {NULL, 0, 0}};
    const tiny_options options = {.bpe = byte_pairs};
    size_t n;
    unsigned char *data = tiny_spm_model(&options, pieces, &n);
    write_file(in(folder, name), data, n);
    free(data);
}
