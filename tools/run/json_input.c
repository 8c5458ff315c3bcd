/* json_input.c - see json_input.h. Values become the texts that one would type for an option. */
#include "json_input.h"

#include <stdlib.h>
#include <string.h>

void tfm_json_input_free(tfm_json_input *input) {
    tfm_text_free(&input->text);
    tfm_messages_free(&input->messages);
    if (input->has_options) tfm_settings_free(&input->settings);
    *input = (tfm_json_input){0};
}

/* ---- values as they are typed ---- */

static bool all_integers(const json_t *array) {
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item) if (!json_is_integer(item)) return false;
    return true;
}

/* A stop string is typed with \n for a newline, so a backslash is typed twice. */
static bool print_string(const json_t *string, bool escape, tfm_text *out) {
    bool ok = true;
    for (const char *c = json_string_value(string); *c && ok; c++)
        ok = tfm_text_append(out, "\\", escape && *c == '\\') && tfm_text_append(out, c, 1);
    return ok;
}

static bool print_compact(const json_t *value, tfm_text *out) {
    char *text = json_dumps(value, JSON_COMPACT);
    bool ok = text && tfm_text_append(out, text, strlen(text));
    free(text);
    return ok;
}

/* Appends the value and a NUL. False when memory is out. */
static bool print_value(json_t *value, bool escape, tfm_text *out) {
    size_t i;
    const json_t *item;
    bool ok = true;
    out->size = 0;
    switch (json_typeof(value)) {
    case JSON_STRING: ok = print_string(value, escape, out); break;
    case JSON_INTEGER: ok = tfm_text_print(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: ok = tfm_text_print(out, "%.17g", json_real_value(value)); break;
    case JSON_TRUE:
    case JSON_FALSE: ok = tfm_text_print(out, "%s", json_is_true(value) ? "true" : "false"); break;
    case JSON_OBJECT: ok = print_compact(value, out); break;
    case JSON_ARRAY:
        if (json_array_size(value) == 0) {
            ok = tfm_text_print(out, "none");
        } else if (all_integers(value)) {
            json_array_foreach(value, i, item) ok =
                ok && tfm_text_print(out, "%s%" JSON_INTEGER_FORMAT, i ? " " : "", json_integer_value(item));
        } else {
            ok = print_compact(value, out);
        }
        break;
    case JSON_NULL: break;
    }
    return ok && tfm_text_append(out, "", 0);
}

/* ---- members ---- */

/* Of two options that say the same, the line's own counts. */
static void give_way(tfm_settings *settings, const char *name) {
    static const char *const pairs[][2] = {{"prefix", "prefix-ids"},
                                           {"prefix-ids", "prefix"},
                                           {"max-length", "max-new-tokens"},
                                           {"max-new-tokens", "max-length"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(name, pairs[i][0]) == 0)
            tfm_settings_unset(settings, tfm_options_find(&tfm_settings_table, pairs[i][1], strlen(pairs[i][1])));
}

static tfm_status set_one(tfm_settings *settings, const tfm_option *option, const char *what, json_t *value,
                          tfm_error *error) {
    tfm_text text = {0};
    bool stop = strcmp(option->name, "stop") == 0;
    tfm_status status = print_value(value, stop, &text) ? tfm_option_set(option, settings, what, text.data, error)
                                                        : tfm_no_memory(error, "%s", what);
    tfm_text_free(&text);
    return status;
}

static tfm_status set_option(tfm_json_input *input, const tfm_settings *settings, const tfm_option *option,
                             const char *key, json_t *value, tfm_error *error) {
    if (!input->has_options) {
        input->has_options = true;
        if (!tfm_settings_copy(settings, &input->settings)) return tfm_no_memory(error, "'%s'", key);
    }
    char what[80];
    tfm_status status = TFM_OK;
    snprintf(what, sizeof what, "'%.60s'", key);
    give_way(&input->settings, option->name);
    tfm_settings_unset(&input->settings, option);
    if (json_is_null(value)) return TFM_OK;
    bool list_of_stops = strcmp(option->name, "stop") == 0 && json_is_array(value);
    for (size_t i = 0; list_of_stops && i < json_array_size(value) && status == TFM_OK; i++)
        status = set_one(&input->settings, option, what, json_array_get(value, i), error);
    if (!list_of_stops) status = set_one(&input->settings, option, what, value, error);
    if (status == TFM_OK) *tfm_settings_mark(&input->settings, option) = true;
    return status;
}

static tfm_status unknown_member(const char *key, tfm_error *error) {
    const tfm_option *option = tfm_options_find(&tfm_settings_table, key, strlen(key));
    if (option)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "'%.80s' can only be given on the command line, for all inputs",
                        key);
    const char *nearest = tfm_options_nearest(&tfm_settings_table, key, strlen(key));
    if (nearest)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no option '%.80s'; did you mean %s?", key, nearest);
    return tfm_fail(error, TFM_ERROR_ARGUMENT,
                    "there is no option '%.80s': an input has text or messages, and decoding options (tfmrun --help)",
                    key);
}

static tfm_status read_text(const tfm_settings *settings, json_t *value, tfm_text *text, tfm_error *error) {
    bool right = json_is_string(value) || (settings->ids && json_is_array(value));
    if (!right)
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        settings->ids ? "'text' is neither a list of tokens nor a text" : "'text' is no text");
    if (json_is_array(value) && json_array_size(value) == 0) return TFM_OK;
    return print_value(value, false, text) ? TFM_OK : tfm_no_memory(error, "'text'");
}

static tfm_status read_members(const tfm_settings *settings, json_t *object, tfm_json_input *input, tfm_error *error) {
    const char *key;
    json_t *value;
    tfm_status status = TFM_OK;
    json_object_foreach(object, key, value) {
        const tfm_option *option = tfm_options_find(&tfm_settings_table, key, strlen(key));
        if (status != TFM_OK) break;
        if (strcmp(key, "text") == 0)
            status = read_text(settings, value, &input->text, error);
        else if (strcmp(key, "messages") == 0)
            status = tfm_messages_read(value, "'messages'", &input->messages, error);
        else if (option && tfm_settings_is_decoding(option))
            status = set_option(input, settings, option, key, value, error);
        else
            status = unknown_member(key, error);
    }
    return status;
}

tfm_status tfm_json_input_read(const tfm_settings *settings, const char *line, size_t n, tfm_json_input *input,
                               tfm_error *error) {
    json_error_t where;
    *input = (tfm_json_input){0};
    json_t *object = json_loadb(line, n, JSON_REJECT_DUPLICATES, &where);
    tfm_status status = TFM_OK;
    if (!json_is_object(object))
        status =
            tfm_fail(error, TFM_ERROR_ARGUMENT, "is no JSON object: %s", object ? "it is something else" : where.text);
    bool text = json_object_get(object, "text"), messages = json_object_get(object, "messages");
    if (status == TFM_OK && text == messages)
        status = tfm_fail(error, TFM_ERROR_ARGUMENT,
                          text ? "has both 'text' and 'messages': give one" : "has neither 'text' nor 'messages'");
    if (status == TFM_OK) status = read_members(settings, object, input, error);
    json_decref(object);
    return status;
}
