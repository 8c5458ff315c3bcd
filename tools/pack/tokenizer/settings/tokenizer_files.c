/* tokenizer_files.c - see tokenizer_files.h. */
#include "tokenizer_files.h"

#include "tools/pack/common/json_file.h"
#include "tools/pack/common/path.h"

static tfm_status load(const tfm_tokenizer_files *f, const char *name, json_t **json) {
    return tfm_json_load(tfm_path_in(f->folder, name).text, TFM_JSON_OPTIONAL | TFM_JSON_NUL, json, f->error);
}

static void find_class(tfm_tokenizer_files *f) {
    const char *name = json_string_value(json_object_get(f->settings, "tokenizer_class"));
    f->class_file = "tokenizer_config.json";
    if (!name) {
        name = json_string_value(json_object_get(f->config, "tokenizer_class"));
        f->class_file = "config.json";
    }
    f->class_name = name;
    const char *type = json_string_value(json_object_get(f->config, "model_type"));
    if (name)
        f->class = tfm_tokenizer_class_find(name);
    else if (type)
        f->class = tfm_tokenizer_class_of_model(type);
}

static tfm_status check_class(const tfm_tokenizer_files *f) {
    if (!f->class || f->class->source != TFM_SOURCE_LACKING) return TFM_OK;
    return tfm_fail(f->error, TFM_ERROR_UNSUPPORTED,
                    "%s/%s: the tokenizer class %s needs %s, which tfmpack does not have: its ids would be others; "
                    "--tokenizer none packs the weights alone",
                    f->folder, f->class_file, f->class->name, f->class->lacks);
}

tfm_status tfm_tokenizer_keys_check(const tfm_tokenizer_files *files, const tfm_key_table *table, const char *file,
                                    const json_t *object, const char *within) {
    if (!files->options || !json_is_object(object)) return TFM_OK;
    const tfm_config config = {
        .folder = files->folder,
        .file = file,
        .object = object,
        .asked = within ? json_pack("{s:b}", within, 1) : json_object(),
        .error = files->error,
    };
    tfm_status status = config.asked ? tfm_keys_check(table, &config, false, files->options)
                                     : tfm_no_memory(files->error, "%s/%s", files->folder, file);
    json_decref(config.asked);
    return status;
}

/* Flags that change ids; the word false would count as true in Python, and what else it may be is not guessed. */
static tfm_status check_flags(const tfm_tokenizer_files *files) {
    static const char *const flags[] = {
        "add_bos_token",        "add_eos_token", "add_prefix_space",       "clean_text",
        "do_lower_case",        "legacy",        "legacy_behaviour",       "separate_vocabs",
        "split_special_tokens", "strip_accents", "tokenize_chinese_chars",
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const json_t *value = json_object_get(files->settings, flags[i]);
        if (value && !json_is_null(value) && !json_is_boolean(value))
            return tfm_fail(files->error, TFM_ERROR_FORMAT, "%s/tokenizer_config.json: %s is neither true nor false",
                            files->folder, flags[i]);
    }
    return TFM_OK;
}

tfm_status tfm_tokenizer_files_open(tfm_tokenizer_files *files, const char *folder, const tfm_pack_options *options,
                                    tfm_error *error) {
    *files = (tfm_tokenizer_files){.folder = folder, .options = options, .error = error};
    tfm_status status = load(files, "config.json", &files->config);
    if (status == TFM_OK) status = load(files, "tokenizer_config.json", &files->settings);
    if (status == TFM_OK) status = load(files, "special_tokens_map.json", &files->map);
    if (status == TFM_OK) status = load(files, "added_tokens.json", &files->added);
    if (status == TFM_OK)
        status =
            tfm_tokenizer_keys_check(files, &tfm_tokenizer_config_keys, "tokenizer_config.json", files->settings, NULL);
    if (status == TFM_OK)
        status = tfm_tokenizer_keys_check(files, &tfm_special_tokens_keys, "special_tokens_map.json", files->map, NULL);
    if (status == TFM_OK) status = check_flags(files);
    if (status != TFM_OK) return status;
    find_class(files);
    return check_class(files);
}

void tfm_tokenizer_files_close(tfm_tokenizer_files *files) {
    json_decref(files->config);
    json_decref(files->settings);
    json_decref(files->map);
    json_decref(files->added);
}

bool tfm_tokenizer_flag(const tfm_tokenizer_files *files, const char *name, bool fallback, bool *said) {
    const json_t *value = json_object_get(files->settings, name);
    if (said) *said = json_is_boolean(value);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const char *tfm_token_content(const json_t *token) {
    if (json_is_object(token)) token = json_object_get(token, "content");
    return json_string_value(token);
}

bool tfm_added_tokens_listed(const tfm_tokenizer_files *files) {
    return json_is_object(json_object_get(files->settings, "added_tokens_decoder"));
}

const json_t *tfm_special_token(const tfm_tokenizer_files *files, const char *role) {
    const json_t *token = tfm_added_tokens_listed(files) ? NULL : json_object_get(files->map, role);
    return token ? token : json_object_get(files->settings, role);
}

const char *tfm_special_token_text(const tfm_tokenizer_files *files, const char *role, const char *fallback) {
    const json_t *token = tfm_special_token(files, role);
    return token ? tfm_token_content(token) : fallback;
}
