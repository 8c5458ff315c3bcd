/* chat_template_test.c - where tfmpack finds a checkpoint's chat template and its special tokens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/pack/checkpoints.h"
#include "tools/pack/checkpoint/chat_template.h"

static char *folder;
static char noted[1000];

/* A checkpoint of one number. What its config.json says of special tokens does not count. */
static void make_folder(void) {
    model *m = model_new(1);
    folder = scratch_make();
    model_add(m, "a", 1, 0, TFM_ST_F32);
    write_safetensors(in(folder, "model.safetensors"), m);
    model_free(&m);
    write_text_in(folder, "config.json", "{\"model_type\": \"llama\", \"bos_token\": \"<of config>\"}");
}

static void remove_folder(void) { scratch_remove(&folder); }

TestSuite(chat_pack, .init = make_folder, .fini = remove_folder, .timeout = 60);

static void keep_note(void *user, const char *text) {
    (void)user;
    snprintf(noted, sizeof noted, "%s", text);
}

/* Packs the template of the folder; the file, NULL after a failure. */
static tfm_file *pack(const char *given, tfm_status expected, tfm_error *error) {
    tfm_checkpoint *checkpoint;
    tfm_writer *writer = NULL;
    tfm_file *file = NULL;
    tfm_pack_options options = {.note = keep_note};
    const char *path = given ? in(folder, given) : NULL, *out = in(folder, "out.bin");
    noted[0] = '\0';
    cr_assert_eq(tfm_checkpoint_open(&checkpoint, folder, error), TFM_OK, "%s", error->message);
    cr_assert_eq(tfm_writer_create(&writer, out, error), TFM_OK, "%s", error->message);
    tfm_status status = tfm_pack_chat_template(checkpoint, path, writer, &options, error);
    cr_expect_eq(status, expected, "status %d: %s", (int)status, error->message);
    if (status == TFM_OK)
        cr_assert_eq(tfm_writer_commit(&writer, error), TFM_OK, "%s", error->message);
    else
        tfm_writer_abort(&writer);
    if (status == TFM_OK) cr_assert_eq(tfm_file_open(&file, out, error), TFM_OK, "%s", error->message);
    tfm_checkpoint_close(&checkpoint);
    return file;
}

/* The four texts in the file, "-" for what is not there, with | between them. */
static void expect_chat(const char *given, const char *expected) {
    static const char *const keys[] = {"template", "bos_token", "eos_token", "pad_token", "unk_token"};
    char found[400] = "";
    tfm_error error = {0};
    tfm_file *file = pack(given, TFM_OK, &error);
    cr_assert_not_null(file);
    for (size_t i = 0; i < 5; i++) {
        size_t n = strlen(found);
        snprintf(found + n, sizeof found - n, "%s%s", i ? "|" : "",
                 tfm_table_string(tfm_file_table(file, "chat"), keys[i], "-"));
    }
    cr_expect_str_eq(found, expected, "|%s|, not |%s|; %s", found, expected, noted);
    tfm_file_close(&file);
}

Test(chat_pack, where_it_is_found) {
    expect_chat(NULL, "-|-|-|-|-");
    write_text_in(folder, "chat_template.json", "{\"chat_template\": \"of json\"}");
    expect_chat(NULL, "of json|-|-|-|-");
    write_text_in(folder, "tokenizer_config.json", "{\"eos_token\": \"</s>\"}");
    expect_chat(NULL, "of json|-|</s>|-|-");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"chat_template\": \"of config\", \"bos_token\": null, \"eos_token\": "
                  "{\"content\": \"</s>\", \"lstrip\": false}, \"unk_token\": \"\"}");
    expect_chat(NULL, "of config|-|</s>|-|");
    write_text_in(folder, "special_tokens_map.json",
                  "{\"bos_token\": \"<s>\", \"eos_token\": \"other\", \"pad_token\": {\"content\": "
                  "\"<pad>\"}}");
    expect_chat(NULL, "of config|<s>|</s>|<pad>|");
    write_text_in(folder, "tokenizer_config.json", "{\"chat_template\": \"of config\", \"added_tokens_decoder\": {}}");
    expect_chat(NULL, "of config|-|-|-|-");
    write_text_in(folder, "chat_template.jinja", "of jinja\n");
    expect_chat(NULL, "of jinja\n|-|-|-|-");
    write_text_in(folder, "given.jinja", "given \xc3\xa9");
    expect_chat("given.jinja", "given \xc3\xa9|-|-|-|-");
    cr_expect_str_eq(noted, "");
}

Test(chat_pack, several_templates) {
    write_text_in(folder, "tokenizer_config.json",
                  "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": "
                  "\"default\", \"template\": \"d\"}]}");
    expect_chat(NULL, "d|-|-|-|-");
    write_text_in(folder, "tokenizer_config.json",
                  "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"t\"}, 5, {}]}");
    expect_chat(NULL, "-|-|-|-|-");
    cr_expect_not_null(strstr(noted, "none is packed"), "%s", noted);
    write_text_in(folder, "tokenizer_config.json", "{\"chat_template\": 7}");
    expect_chat(NULL, "-|-|-|-|-");
    cr_expect_not_null(strstr(noted, "none is packed"), "%s", noted);
}

Test(chat_pack, what_is_not_known_is_said) {
    write_text_in(folder, "chat_template.jinja", "{{ 1 | frobnicate }}");
    expect_chat(NULL, "{{ 1 | frobnicate }}|-|-|-|-");
    cr_expect_not_null(strstr(noted, "line 1: the filter 'frobnicate'"), "%s", noted);
    cr_expect_not_null(strstr(noted, "chat_template.jinja"), "%s", noted);
    write_text_in(folder, "chat_template.jinja", "\n{% frobnicate %}");
    expect_chat(NULL, "\n{% frobnicate %}|-|-|-|-");
    cr_expect_not_null(strstr(noted, "line 2: the tag 'frobnicate'"), "%s", noted);
}

Test(chat_pack, what_is_refused) {
    tfm_error error = {0};
    write_file(in(folder, "chat_template.jinja"), "a\n\xff", 3);
    cr_expect_null(pack(NULL, TFM_ERROR_FORMAT, &error));
    cr_expect_not_null(strstr(error.message, "line 2"), "%s", error.message);
    write_file(in(folder, "chat_template.jinja"), "a\0b", 3);
    cr_expect_null(pack(NULL, TFM_ERROR_FORMAT, &error));
    cr_expect_null(pack("given.jinja", TFM_ERROR_IO, &error));
    write_text_in(folder, "tokenizer_config.json", "{");
    cr_expect_null(pack(NULL, TFM_ERROR_FORMAT, &error));
    cr_expect_not_null(strstr(error.message, "tokenizer_config.json"), "%s", error.message);
}
