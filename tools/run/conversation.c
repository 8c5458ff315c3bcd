/*
 * conversation.c - a conversation at the prompt. Each answer's prompt is the whole conversation as the chat template
 * has it; the tokens with which it begins as the sequence in the cache does are not run again.
 */
#include "conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "messages.h"
#include "runtime/tfm.h"
#include "wrap.h"

/* Tokens that are kept free for an answer whose length nobody limits. */
enum { ROOM = 256 };

/* ---- messages ---- */

static bool push(tfm_conversation *c, const char *role, const char *text, size_t n) {
    if (!tfm_grow(&c->messages, &c->capacity, c->n, 1, sizeof *c->messages)) return false;
    char *copy = malloc(n + 1);
    if (!copy) return false;
    if (n) memcpy(copy, text, n);
    copy[n] = 0;
    c->messages[c->n++] = (tfm_message){.role = role, .content = copy, .n = n};
    return true;
}

static void pop(tfm_conversation *c) { free((char *)c->messages[--c->n].content); }

static void drop_first(tfm_conversation *c, size_t n) {
    for (size_t i = 0; i < n; i++) free((char *)c->messages[i].content);
    c->n -= n;
    memmove(c->messages, c->messages + n, c->n * sizeof *c->messages);
}

static bool is_user(const tfm_message *message) { return strcmp(message->role, "user") == 0; }

/* The user's next message behind message i. */
static size_t next_turn(const tfm_conversation *c, size_t i) {
    for (i++; i < c->n && !is_user(&c->messages[i]); i++)
        ;
    return i;
}

bool tfm_conversation_undo(tfm_conversation *c) {
    if (c->n == 0) return false;
    while (c->n && !is_user(&c->messages[c->n - 1])) pop(c);
    if (c->n) pop(c);
    return true;
}

void tfm_conversation_clear(tfm_conversation *c) {
    while (c->n) pop(c);
}

static void forget_sequence(tfm_conversation *c) {
    bool lives = c->sequence >= 0 && c->n_session == c->engine->n_sessions;
    if (lives) tfm_sequence_free(c->engine->session, c->sequence);
    c->sequence = -1;
    c->held.size = 0;
}

void tfm_conversation_free(tfm_conversation *c) {
    tfm_conversation_clear(c);
    forget_sequence(c);
    tfm_ids_free(&c->held);
    free(c->messages);
    c->messages = NULL;
    c->capacity = 0;
}

/* ---- the prompt ---- */

/* The conversation from a message on, behind the system message. */
static tfm_status render(const tfm_conversation *c, size_t first, tfm_ids *ids, tfm_error *error) {
    const tfm_text *system = &c->engine->system;
    size_t n = 0;
    tfm_message *messages = calloc(c->n - first + 1, sizeof *messages);
    if (!messages) return tfm_no_memory(error, "conversation");
    if (system->size) messages[n++] = (tfm_message){.role = "system", .content = system->data, .n = system->size};
    for (size_t i = first; i < c->n; i++) messages[n++] = c->messages[i];
    tfm_status status = tfm_engine_render(c->engine, messages, n, ids, error);
    free(messages);
    return status;
}

/* Renders what the context has room for; *dropped of the first messages are left out. */
static tfm_status fit(const tfm_conversation *c, size_t *dropped, tfm_ids *ids, tfm_error *error) {
    const tfm_generate_params *params = &c->engine->params;
    size_t context = c->engine->max_source, prefix = c->engine->prefix.size;
    if (!params->max_new_tokens && params->max_length - 1 < context) context = params->max_length - 1;
    size_t room = params->max_new_tokens ? params->max_new_tokens : ROOM;
    if (room > context / 4) room = context / 4;
    for (*dropped = 0;;) {
        tfm_status status = render(c, *dropped, ids, error);
        if (status != TFM_OK) return status;
        size_t next = next_turn(c, *dropped);
        bool last = next >= c->n;
        if (ids->size + prefix <= context - (last ? 0 : room)) return TFM_OK;
        if (last)
            return tfm_fail(error, TFM_ERROR_LIMIT,
                            "the message takes %zu tokens, with what the chat template puts around it, and the context "
                            "has %zu",
                            ids->size + prefix, context);
        *dropped = next;
    }
}

/* Truncates the sequence to the tokens it has in common with the prompt, which needs one to run at least. */
static size_t keep_common(tfm_conversation *c, const tfm_ids *ids) {
    if (c->n_session != c->engine->n_sessions || c->engine->params.num_beams > 1) forget_sequence(c);
    c->n_session = c->engine->n_sessions;
    size_t n = 0;
    while (n < c->held.size && n + 1 < ids->size && c->held.data[n] == ids->data[n]) n++;
    if (c->sequence >= 0) tfm_sequence_truncate(c->engine->session, c->sequence, n);
    c->held.size = n;
    return n;
}

/* What the sequence holds after an answer. */
static void note_held(tfm_conversation *c, const tfm_ids *ids, const tfm_ids *answer) {
    c->held.size = 0;
    if (c->sequence < 0) return;
    size_t length = tfm_sequence_length(c->engine->session, c->sequence);
    if (!tfm_ids_append(&c->held, ids->data, ids->size) || !tfm_ids_append(&c->held, answer->data, answer->size) ||
        length > c->held.size) {
        forget_sequence(c); /* nothing is lost but time */
        return;
    }
    c->held.size = length;
}

/* ---- answers ---- */

static void tell(const tfm_conversation *c, size_t dropped, const tfm_answer_request *request) {
    uint32_t context = c->engine->info.max_target;
    if (dropped)
        tfm_wrap_note(stderr, false,
                      "the context of %u tokens is full: the conversation goes on without its first %zu messages",
                      context, dropped);
    if (request->stopped) {
        fprintf(stderr, "stopped\n");
    } else if (!request->ended) {
        bool full = request->input->size + request->ids.size > context;
        if (full)
            tfm_wrap_note(stderr, false, "the answer ends here: the context of %u tokens is full", context);
        else
            tfm_wrap_note(stderr, false, "the answer ends here: it was not to be longer");
    }
}

/* Answers the last message, which is the user's. */
static tfm_status answer(tfm_conversation *c, tfm_error *error) {
    size_t dropped = 0;
    tfm_ids ids = {0};
    tfm_answer_request request = {.input = &ids};
    tfm_status status = fit(c, &dropped, &ids, error);
    if (status == TFM_OK) {
        request.n_kept = keep_common(c, &ids);
        if (c->engine->params.num_beams == 1) request.sequence = &c->sequence;
        status = tfm_answer(c->engine, c->settings, &request, error);
        note_held(c, &ids, &request.ids);
    }
    if (status == TFM_OK) {
        drop_first(c, dropped);
        if (!push(c, "assistant", request.text.data, request.text.size)) status = tfm_no_memory(error, "conversation");
        tell(c, dropped, &request);
    }
    tfm_answer_forget(&request);
    tfm_ids_free(&ids);
    return status;
}

/* ---- files ---- */

tfm_status tfm_conversation_save(const tfm_conversation *c, const char *path, tfm_error *error) {
    const tfm_text *system = &c->engine->system;
    size_t n = 0;
    tfm_message *list = calloc(c->n + 1, sizeof *list);
    if (!list) return tfm_no_memory(error, "conversation");
    if (system->size) list[n++] = (tfm_message){.role = "system", .content = system->data, .n = system->size};
    for (size_t i = 0; i < c->n; i++) list[n++] = c->messages[i];
    tfm_status status = n ? tfm_messages_save(path, list, n, error)
                          : tfm_fail(error, TFM_ERROR_STATE, "nothing has been said yet that could be saved");
    free(list);
    return status;
}

/* Takes the messages over; what is there stays below until all of them are. */
static bool take(tfm_conversation *c, const tfm_messages *messages, size_t first) {
    size_t before = c->n;
    for (size_t i = first; i < messages->n; i++) {
        const tfm_message *m = &messages->list[i];
        if (push(c, (i - first) % 2 ? "assistant" : "user", m->content, m->n)) continue;
        while (c->n > before) pop(c);
        return false;
    }
    drop_first(c, before);
    return true;
}

tfm_status tfm_conversation_load(tfm_conversation *c, const char *path, tfm_error *error) {
    tfm_messages messages = {0};
    tfm_text system = {0};
    tfm_status status = tfm_messages_load(path, &messages, error);
    size_t first = messages.n && strcmp(messages.list[0].role, "system") == 0;
    if (status == TFM_OK) {
        bool ok = first == 0 || tfm_text_append(&system, messages.list[0].content, messages.list[0].n);
        if (!ok || !take(c, &messages, first)) status = tfm_no_memory(error, "%s", path);
    }
    if (status == TFM_OK) {
        tfm_text_free(&c->engine->system);
        c->engine->system = system;
        system = (tfm_text){0};
    }
    tfm_text_free(&system);
    tfm_messages_free(&messages);
    return status;
}

/* ---- what is said ---- */

tfm_status tfm_conversation_say(tfm_conversation *c, const char *text, size_t n, tfm_error *error) {
    if (!push(c, "user", text, n)) return tfm_no_memory(error, "conversation");
    tfm_status status = answer(c, error);
    if (status != TFM_OK) pop(c);
    return status;
}

tfm_status tfm_conversation_retry(tfm_conversation *c, tfm_error *error) {
    if (c->n == 0) return tfm_fail(error, TFM_ERROR_STATE, "there is no message to answer again");
    tfm_message last = c->messages[c->n - 1];
    bool answered = !is_user(&last);
    if (answered) c->n--;
    tfm_status status = answer(c, error);
    if (status == TFM_OK || !answered) {
        if (answered) free((char *)last.content);
        return status;
    }
    c->messages[c->n++] = last;
    return status;
}
