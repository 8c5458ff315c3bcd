/* chat_template_fuzz.c - hostile templates and messages: read, rendered, or refused with a sentence. */
#include "chat_template_fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/chat.h"

int fuzz_outcome;

#define MESSAGES_MAX 8

/* What must hold whatever comes in; a broken promise stops the fuzzer. */
static void check(tfm_status status, const tfm_error *error, const tfm_text *text) {
    if (status == TFM_OK) {
        if (!text->data || text->data[text->size] != '\0') abort();
        return;
    }
    if (status != TFM_ERROR_ARGUMENT && status != TFM_ERROR_UNSUPPORTED && status != TFM_ERROR_LIMIT) abort();
    if (text->size != 0 || error->status != status || error->message[0] == '\0') abort();
    for (const char *c = error->message; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) abort();
    }
}

static void render(const tfm_chat *chat, const tfm_message *messages, size_t n, bool go_on) {
    static const tfm_chat_token tokens[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    static const tfm_chat_variable variables[] = {{"date_string", "1 May 2025"}, {"limit", "-1.5e3"}};
    tfm_chat_params params = {.size = sizeof params,
                              .add_generation_prompt = !go_on,
                              .continue_final_message = go_on,
                              .variables = variables,
                              .n_variables = 2};
    tfm_error error = {0};
    tfm_text text = {0};
    tfm_status status = tfm_chat_apply_template(chat, tokens, 2, messages, n, &params, &text, &error);
    check(status, &error, &text);
    fuzz_outcome = (int)status;
    tfm_text_free(&text);
}

/* Copies of exactly their size, so that a sanitizer sees every step outside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const roles[] = {"system", "user", "assistant", "user", "tool"};
    const uint8_t *end = n > 0 ? memchr(data, 0, n) : NULL;
    size_t n_template = end ? (size_t)(end - data) : n, n_messages = 0;
    tfm_message messages[MESSAGES_MAX];
    char *copies[MESSAGES_MAX + 1];
    for (size_t at = n_template + 1; at < n && n_messages < MESSAGES_MAX; n_messages++) {
        end = memchr(data + at, 0, n - at);
        size_t length = end ? (size_t)(end - data) - at : n - at;
        copies[n_messages] = malloc(length > 0 ? length : 1);
        if (!copies[n_messages]) abort();
        memcpy(copies[n_messages], data + at, length);
        messages[n_messages] = (tfm_message){.role = roles[n_messages % 5], .content = copies[n_messages], .n = length};
        at += length + 1;
    }
    char *template = malloc(n_template > 0 ? n_template : 1);
    tfm_chat *chat;
    if (!template) abort();
    if (n_template > 0) memcpy(template, data, n_template);
    if (tfm_chat_open(&chat, template, n_template, NULL) != TFM_OK) abort();
    free(template); /* a template needs its text no more */
    render(chat, messages, n_messages, n_messages % 4 == 3);
    tfm_chat_close(&chat);
    for (size_t i = 0; i < n_messages; i++) free(copies[i]);
    return 0;
}
