/* chat.c - talks with a model that has a chat template, a line for each turn: chat MODEL < LINES */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tfm.h>

enum { MAX_MESSAGES = 200, MAX_LINE = 4096 };

typedef struct conversation {
    tfm_message messages[MAX_MESSAGES];
    size_t n;
    int failed;
} conversation;

/* Keeps a copy: a message's text must live as long as it is used. */
static int add(conversation *c, const char *role, const char *text, size_t n) {
    char *copy = (char *)malloc(n + 1);
    if (copy == NULL || c->n == MAX_MESSAGES) return free(copy), 1;
    memcpy(copy, text, n);
    tfm_message message = {0};
    message.role = role;
    message.content = copy;
    message.n = n;
    c->messages[c->n++] = message;
    return 0;
}

/* The answer becomes a part of the conversation. */
static int on_result(void *user, size_t index, const tfm_text_result *result) {
    conversation *c = (conversation *)user;
    (void)index;
    c->failed = result->status != TFM_OK;
    if (c->failed) return fprintf(stderr, "chat: %s\n", result->message), 0;
    puts(result->outputs[0]->text);
    return add(c, "assistant", result->outputs[0]->text, result->outputs[0]->n);
}

static tfm_status answer(tfm_session *session, const tfm_generate_params *params, conversation *c, tfm_error *error) {
    tfm_text_callbacks callbacks = tfm_text_callbacks_default();
    callbacks.on_result = on_result;
    callbacks.user = c;
    tfm_text_input input = {0};
    input.messages = c->messages;
    input.n_messages = c->n;
    return tfm_generate_text(session, &input, 1, params, &callbacks, error);
}

int main(int argc, char **argv) {
    static conversation c;
    char line[MAX_LINE];
    tfm_error error;
    tfm_model *model = NULL;
    tfm_session *session = NULL;
    if (argc != 2) return fprintf(stderr, "usage: chat MODEL < LINES\n"), 2;
    tfm_status status = tfm_model_open(&model, argv[1], NULL, &error);
    if (status == TFM_OK) status = tfm_session_create(&session, model, NULL, &error);
    if (status == TFM_OK) {
        tfm_generate_params params = tfm_generate_params_default(model); /* as the model's makers recommend */
        params.max_new_tokens = 200;
        while (status == TFM_OK && !c.failed && fgets(line, sizeof line, stdin) != NULL) {
            if (add(&c, "user", line, strcspn(line, "\n")) != 0) break;
            status = answer(session, &params, &c, &error);
        }
    }
    if (status != TFM_OK) fprintf(stderr, "chat: %s\n", error.message);
    while (c.n > 0) free((void *)c.messages[--c.n].content);
    tfm_session_free(&session);
    tfm_model_close(&model);
    return status == TFM_OK && !c.failed ? 0 : 1;
}
