/* messages.c - see messages.h. */
#include "messages.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/json_line.h"
#include "tools/common/new_file.h"

enum { CONVERSATION_BYTES = 64 << 20 };

static bool add(tfm_messages *messages, const char *role, const char *content) {
    if (!tfm_grow(&messages->list, &messages->capacity, messages->n, 1, sizeof *messages->list)) return false;
    char *own_role = strdup(role), *own_content = strdup(content);
    if (own_role && own_content) {
        messages->list[messages->n++] =
            (tfm_message){.role = own_role, .content = own_content, .n = strlen(own_content)};
        return true;
    }
    free(own_role);
    free(own_content);
    return false;
}

tfm_status tfm_messages_read(const json_t *array, const char *what, tfm_messages *messages, tfm_error *error) {
    size_t i;
    const json_t *message;
    if (!json_is_array(array) || json_array_size(array) == 0)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: is no list of messages, each {\"role\": ..., \"content\": ...}",
                        what);
    json_array_foreach(array, i, message) {
        const char *role = json_string_value(json_object_get(message, "role"));
        const char *content = json_string_value(json_object_get(message, "content"));
        if (!role || !content || json_object_size(message) != 2)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "%s: message %zu is not {\"role\": ..., \"content\": ...} with two texts", what, i + 1);
        if (!add(messages, role, content)) return tfm_no_memory(error, "%s", what);
    }
    return TFM_OK;
}

void tfm_messages_free(tfm_messages *messages) {
    for (size_t i = 0; i < messages->n; i++) {
        free((char *)messages->list[i].role);
        free((char *)messages->list[i].content);
    }
    free(messages->list);
    *messages = (tfm_messages){0};
}

/* The turns that a conversation at the prompt has. */
static tfm_status check_turns(const tfm_messages *messages, const char *path, tfm_error *error) {
    size_t first = messages->n && strcmp(messages->list[0].role, "system") == 0;
    for (size_t i = first; i < messages->n; i++) {
        const char *turn = (i - first) % 2 ? "assistant" : "user";
        if (strcmp(messages->list[i].role, turn) != 0)
            return tfm_fail(error, TFM_ERROR_FORMAT,
                            "%s: message %zu is of '%.40s', and in a conversation it is the turn of '%s'", path, i + 1,
                            messages->list[i].role, turn);
    }
    return TFM_OK;
}

tfm_status tfm_messages_load(const char *path, tfm_messages *messages, tfm_error *error) {
    tfm_text bytes = {0};
    json_error_t where;
    tfm_status status = tfm_read_regular_file(path, CONVERSATION_BYTES, &bytes, error);
    json_t *object = NULL;
    if (status == TFM_OK) {
        object = json_loadb(bytes.data ? bytes.data : "", bytes.size, JSON_REJECT_DUPLICATES, &where);
        if (!object)
            status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: is no JSON: line %d: %s", path, where.line, where.text);
    }
    tfm_text_free(&bytes);
    if (status == TFM_OK && (!json_is_object(object) || json_object_size(object) != 1))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: is no conversation: {\"messages\": [...]}, as /save writes it",
                          path);
    if (status == TFM_OK) status = tfm_messages_read(json_object_get(object, "messages"), path, messages, error);
    json_decref(object);
    return status == TFM_OK ? check_turns(messages, path, error) : status;
}

static json_t *to_json(const tfm_message *list, size_t n) {
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *message = json_pack("{s:s, s:o}", "role", list[i].role, "content",
                                    tfm_json_text(list[i].content ? list[i].content : "", list[i].n));
        if (json_array_append_new(array, message) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return json_pack("{s:o}", "messages", array);
}

tfm_status tfm_messages_save(const char *path, const tfm_message *list, size_t n, tfm_error *error) {
    json_t *object = to_json(list, n);
    tfm_text line = {0};
    tfm_new_file file = {.fd = -1};
    tfm_status status = object && tfm_json_line(object, 0, &line) ? TFM_OK : tfm_no_memory(error, "%s", path);
    json_decref(object);
    if (status == TFM_OK) status = tfm_new_file_open(&file, path, error);
    if (status == TFM_OK) status = tfm_new_file_write(&file, line.data, line.size, error);
    bool keep = status == TFM_OK;
    tfm_status closed = tfm_new_file_close(&file, keep, error);
    tfm_text_free(&line);
    return keep ? closed : status;
}
