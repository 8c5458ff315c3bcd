/* jinja_cases.c - reading cases.json and rendering what is in it. */
#include "jinja_cases.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 32
#define VARIABLES_MAX 16

json_t *cases_load(void) {
    json_error_t error;
    json_t *cases = json_load_file(TFM_CHAT_CASES, JSON_ALLOW_NUL, &error);
    cr_assert_not_null(cases, "%s: line %d: %s", TFM_CHAT_CASES, error.line, error.text);
    return cases;
}

void rendered_free(rendered *r) { tfm_text_free(&r->text); }

static size_t read_messages(const json_t *list, tfm_message *messages) {
    size_t i;
    const json_t *message;
    json_array_foreach(list, i, message) {
        cr_assert_lt(i, (size_t)MESSAGES_MAX);
        const json_t *content = json_object_get(message, "content");
        messages[i] = (tfm_message){.role = json_string_value(json_object_get(message, "role")),
                                    .content = json_string_value(content),
                                    .n = json_string_length(content)};
    }
    return json_array_size(list);
}

rendered render(const char *template, size_t n, const json_t *messages, const json_t *tokens, const json_t *variables,
                const tfm_chat_params *params) {
    rendered r = {0};
    tfm_chat *chat;
    tfm_message list[MESSAGES_MAX];
    tfm_chat_token token_list[VARIABLES_MAX];
    tfm_chat_variable variable_list[VARIABLES_MAX];
    tfm_chat_params with = params ? *params : tfm_chat_params_default();
    size_t n_messages = read_messages(messages, list), n_tokens = 0;
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)tokens, key, value) {
        cr_assert_lt(n_tokens, (size_t)VARIABLES_MAX);
        token_list[n_tokens++] = (tfm_chat_token){key, json_string_value(value)};
    }
    if (json_object_size(variables) > 0) with.variables = variable_list;
    json_object_foreach((json_t *)(uintptr_t)variables, key, value) {
        cr_assert_lt(with.n_variables, (size_t)VARIABLES_MAX);
        variable_list[with.n_variables++] = (tfm_chat_variable){key, json_string_value(value)};
    }
    cr_assert_eq(tfm_chat_open(&chat, template, n, &r.error), TFM_OK, "%s", r.error.message);
    r.status = tfm_chat_apply_template(chat, token_list, n_tokens, list, n_messages, &with, &r.text, &r.error);
    tfm_chat_close(&chat);
    return r;
}

rendered render_text(const char *template) { return render(template, strlen(template), NULL, NULL, NULL, NULL); }
