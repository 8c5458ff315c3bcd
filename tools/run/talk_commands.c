/* talk_commands.c - the prompt's commands about a conversation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands_internal.h"
#include "runtime/tfm.h"
#include "tools/common/shown.h"
#include "wrap.h"

/* A text with what stands before it, broken at words as answers are. */
static void print_text(const char *before, const char *text, size_t n) {
    tfm_wrap wrap = {.width = tfm_terminal_columns(STDOUT_FILENO) - 1};
    tfm_text out = {0};
    bool ok = tfm_wrap_push(&wrap, before, strlen(before), &out) && tfm_wrap_push(&wrap, text ? text : "", n, &out);
    ok = tfm_wrap_finish(&wrap, &out) && ok && tfm_text_append(&out, "\n", 1);
    if (ok)
        fwrite(out.data, 1, out.size, stdout);
    else
        tfm_complain("out of memory");
    tfm_text_free(&out);
}

static bool in_conversation(const tfm_commands *c) {
    if (!c->engine->chat) tfm_complain("there is no conversation here: each input stands alone");
    return c->engine->chat;
}

void tfm_command_system(tfm_commands *c, const char *rest, size_t n) {
    if (!in_conversation(c)) return;
    tfm_text *system = &c->engine->system;
    if (n > 0) {
        system->size = 0;
        if (strcmp(rest, "none") != 0 && !tfm_text_append(system, rest, n)) tfm_complain("out of memory");
    }
    print_text("", system->data, system->size);
}

void tfm_command_clear(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    tfm_conversation_clear(&c->conversation);
    printf("the conversation is forgotten\n");
}

void tfm_command_retry(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    tfm_error error = {0};
    tfm_status status = tfm_conversation_retry(&c->conversation, &error);
    if (status == TFM_ERROR_CANCELLED)
        fprintf(stderr, "stopped\n");
    else if (status != TFM_OK)
        tfm_complain("%s", error.message);
}

void tfm_command_undo(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    if (tfm_conversation_undo(&c->conversation))
        printf("the last message and its answer are forgotten\n");
    else
        tfm_complain("there is no message to take back");
}

void tfm_command_history(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    const tfm_text *system = &c->engine->system;
    if (system->size) print_text("system: ", system->data, system->size);
    for (size_t i = 0; i < c->conversation.n; i++) {
        const tfm_message *message = &c->conversation.messages[i];
        print_text(strcmp(message->role, "user") == 0 ? "user: " : "assistant: ", message->content, message->n);
    }
}

void tfm_command_save(tfm_commands *c, const char *rest, size_t n) {
    tfm_error error;
    if (!in_conversation(c)) return;
    if (n == 0)
        tfm_complain("/save needs the name of a file for the conversation");
    else if (tfm_conversation_save(&c->conversation, rest, &error) != TFM_OK)
        tfm_complain("%s", error.message);
    else
        tfm_say(stdout, "wrote %s", rest);
}

void tfm_command_load(tfm_commands *c, const char *rest, size_t n) {
    tfm_error error;
    if (!in_conversation(c)) return;
    if (n == 0)
        tfm_complain("/load needs the name of a file that /save wrote");
    else if (tfm_conversation_load(&c->conversation, rest, &error) != TFM_OK)
        tfm_complain("%s", error.message);
    else
        tfm_say(stdout, "%zu messages of %s; /history shows them", c->conversation.n, rest);
}
