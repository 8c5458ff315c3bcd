/* chat_template.c - finds the chat template of a checkpoint and its special tokens. */
#include "chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "format/utf8.h"
#include "runtime/chat.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"
#include "tools/pack/common/source_file.h"

#define FILE_MAX ((size_t)1 << 20) /* what runtime/chat reads at most */

typedef struct chat_files {
    const char *folder;
    json_t *tokenizer_config, *special_tokens_map;
    char *text;       /* of the template, NULL: none */
    const char *from; /* where it was found */
    const tfm_pack_options *options;
} chat_files;

static tfm_status read_json(const chat_files *files, const char *name, json_t **json, tfm_error *error) {
    return tfm_json_load(tfm_path_in(files->folder, name).text, TFM_JSON_OPTIONAL, json, error);
}

/* ---- the template ---- */

static tfm_status set_text(chat_files *files, const char *text, const char *from, tfm_error *error) {
    free(files->text);
    files->text = strdup(text);
    files->from = from;
    return files->text ? TFM_OK : tfm_no_memory(error, "the chat template");
}

/* UTF-8 without NUL. */
static tfm_status check_text(const char *path, const char *text, size_t n, tfm_error *error) {
    size_t good = n > 0 ? strnlen(text, tfm_utf8_valid_prefix(text, n)) : 0, line = 1;
    if (good == n) return TFM_OK;
    for (size_t i = 0; i < good; i++) line += text[i] == '\n';
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: line %zu: is not UTF-8 text, as a chat template must be", path, line);
}

static tfm_status read_text(chat_files *files, const char *path, const char *from, tfm_error *error) {
    tfm_text bytes = {0};
    tfm_status status = tfm_read_source(path, FILE_MAX, &bytes, error);
    if (status != TFM_OK) return status;
    status = check_text(path, bytes.data, bytes.size, error);
    char *text = status == TFM_OK ? strndup(bytes.data ? bytes.data : "", bytes.size) : NULL;
    if (status == TFM_OK && !text) status = tfm_no_memory(error, "%s", path);
    if (status == TFM_OK) status = set_text(files, text, from, error);
    free(text);
    tfm_text_free(&bytes);
    return status;
}

/* A string; or a list of templates with names, of which the one called default counts. */
static tfm_status take_value(chat_files *files, const json_t *value, const char *from, tfm_error *error) {
    if (json_is_string(value)) return set_text(files, json_string_value(value), from, error);
    size_t i;
    const json_t *entry;
    json_array_foreach(value, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *text = json_string_value(json_object_get(entry, "template"));
        if (name && text && strcmp(name, "default") == 0) return set_text(files, text, from, error);
    }
    if (value && !json_is_null(value))
        tfm_pack_note(files->options,
                      "the checkpoint has chat templates, but none that is a text or is called default: "
                      "none is packed");
    return TFM_OK;
}

static tfm_status find_template(chat_files *files, const tfm_checkpoint *checkpoint, const char *path,
                                tfm_error *error) {
    if (path) return read_text(files, path, "--chat-template", error);
    if (tfm_checkpoint_chat_template(checkpoint))
        return set_text(files, tfm_checkpoint_chat_template(checkpoint), tfm_checkpoint_container(checkpoint), error);
    const tfm_path file = tfm_path_in(files->folder, "chat_template.jinja");
    if (tfm_path_is_file(file.text)) return read_text(files, file.text, "chat_template.jinja", error);
    tfm_status status =
        take_value(files, json_object_get(files->tokenizer_config, "chat_template"), "tokenizer_config.json", error);
    if (status != TFM_OK || files->text) return status;
    json_t *processor = NULL;
    status = read_json(files, "chat_template.json", &processor, error);
    if (status == TFM_OK)
        status = take_value(files, json_object_get(processor, "chat_template"), "chat_template.json", error);
    json_decref(processor);
    return status;
}

/* ---- special tokens ---- */

/* The text of a token that is a string or an object of one. */
static const char *token_text(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

static void write_tokens(const chat_files *files, const tfm_checkpoint *checkpoint, tfm_table_builder *table) {
    static const char *const keys[TFM_TOKEN_ROLES] = {[TFM_TOKEN_BOS] = "bos_token",
                                                      [TFM_TOKEN_EOS] = "eos_token",
                                                      [TFM_TOKEN_PAD] = "pad_token",
                                                      [TFM_TOKEN_UNK] = "unk_token"};
    const tfm_checkpoint_hints *hints = tfm_checkpoint_get_hints(checkpoint);
    /* Tokenizers that list their tokens have said all in tokenizer_config.json. */
    bool complete = json_object_get(files->tokenizer_config, "added_tokens_decoder") != NULL;
    for (size_t i = 0; i < TFM_TOKEN_ROLES; i++) {
        const char *text = token_text(files->tokenizer_config, keys[i]);
        if (!text && !complete) text = token_text(files->special_tokens_map, keys[i]);
        if (!text && !files->tokenizer_config) text = hints->special_tokens[i];
        if (text) tfm_table_set_string(table, keys[i], text);
    }
}

/* ---- the section ---- */

/* Says what of the template is not known; it is packed all the same, for later versions and for what never meets it. */
static tfm_status check_template(const chat_files *files, tfm_error *error) {
    tfm_chat *chat;
    tfm_status status = tfm_chat_open(&chat, files->text, strlen(files->text), error);
    if (status == TFM_OK && tfm_chat_problem(chat))
        tfm_pack_note(files->options, "the chat template (%s) is packed, but cannot be used as a whole: %s",
                      files->from, tfm_chat_problem(chat));
    tfm_chat_close(&chat);
    return status;
}

static tfm_status write_section(const chat_files *files, const tfm_checkpoint *checkpoint, tfm_writer *writer,
                                tfm_error *error) {
    tfm_status status = check_template(files, error);
    if (status != TFM_OK) return status;
    tfm_table_builder *table = tfm_table_builder_new();
    if (!table) return tfm_no_memory(error, "section chat");
    tfm_table_set_string(table, "template", files->text);
    write_tokens(files, checkpoint, table);
    status = tfm_writer_section(writer, "chat", table, error);
    tfm_table_builder_free(&table);
    return status;
}

tfm_status tfm_pack_chat_template(const tfm_checkpoint *checkpoint, const char *path, tfm_writer *writer,
                                  const tfm_pack_options *options, tfm_error *error) {
    chat_files files = {.folder = tfm_checkpoint_path(checkpoint), .options = options};
    tfm_status status = read_json(&files, "tokenizer_config.json", &files.tokenizer_config, error);
    if (status == TFM_OK) status = read_json(&files, "special_tokens_map.json", &files.special_tokens_map, error);
    if (status == TFM_OK) status = find_template(&files, checkpoint, path, error);
    if (status == TFM_OK && files.text) status = write_section(&files, checkpoint, writer, error);
    json_decref(files.tokenizer_config);
    json_decref(files.special_tokens_map);
    free(files.text);
    return status;
}
