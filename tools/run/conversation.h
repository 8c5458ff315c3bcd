/*
 * conversation.h - a conversation at the prompt: its messages, and what the model still knows of them.
 */
#ifndef TFM_TOOLS_RUN_CONVERSATION_H
#define TFM_TOOLS_RUN_CONVERSATION_H

#include "tools/run/engine/engine.h"

/* {.engine = ..., .settings = ..., .sequence = -1} is a new one. The system message belongs to the engine. */
typedef struct tfm_conversation {
    tfm_engine *engine;
    const tfm_settings *settings;
    tfm_message *messages; /* of user and assistant, in turn */
    size_t n, capacity;
    int32_t sequence;   /* of the session, or -1 */
    uint64_t n_session; /* of which session */
    tfm_ids held;       /* the tokens it holds */
} tfm_conversation;

void tfm_conversation_free(tfm_conversation *c);

/*
 * Says something and shows the answer, as tfm_answer does. Tokens that the last prompt and answer had in the same
 * places are not run again. When the context is full, the oldest messages are dropped until the answer has room; a
 * message that is too long by itself is an error (TFM_ERROR_LIMIT). After an error, or Ctrl-C before the answer began,
 * the conversation is as it was.
 */
tfm_status tfm_conversation_say(tfm_conversation *c, const char *text, size_t n, tfm_error *error);

/* Has the last message answered again. Error: also TFM_ERROR_STATE, where there is none. */
tfm_status tfm_conversation_retry(tfm_conversation *c, tfm_error *error);

/* Takes the last message and its answer back; false if there is none. */
bool tfm_conversation_undo(tfm_conversation *c);

/* Forgets all messages. */
void tfm_conversation_clear(tfm_conversation *c);

/*
 * Writes the conversation, its system message first, to the file at path; reads one from there in the place of all
 * that was said. See messages.h. After an error the conversation is as it was.
 */
tfm_status tfm_conversation_save(const tfm_conversation *c, const char *path, tfm_error *error);
tfm_status tfm_conversation_load(tfm_conversation *c, const char *path, tfm_error *error);

#endif
