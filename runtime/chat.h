/*
 * chat.h - chat templates: how a conversation becomes a prompt (tfm_chat_render of tfm.h; docs/chat-templates.md).
 */
#ifndef TFM_RUNTIME_CHAT_H
#define TFM_RUNTIME_CHAT_H

#include "format/table.h"
#include "tfm.h"

typedef struct tfm_chat tfm_chat;

/*
 * Reads the text of a template. One that is refused is kept with the reason, which rendering then gives: the only error
 * is TFM_ERROR_MEMORY. A template never changes after this and may be used by several threads at once.
 */
tfm_status tfm_chat_open(tfm_chat **chat, const char *text, size_t n, tfm_error *error);
void tfm_chat_close(tfm_chat **chat);

/* What is not known: why the template was refused, or the first thing in it that will be if it is reached; NULL: all is
 * known. */
const char *tfm_chat_problem(const tfm_chat *chat);

/* A variable that is a string. */
typedef struct tfm_chat_token {
    const char *name, *text;
} tfm_chat_token;

/* tfm_chat_render of tfm.h, with the special tokens of a model. *text is as it was after an error. */
tfm_status tfm_chat_apply_template(const tfm_chat *chat, const tfm_chat_token *tokens, size_t n_tokens,
                                   const tfm_message *messages, size_t n, const tfm_chat_params *params, tfm_text *text,
                                   tfm_error *error);

/* Section chat of a model file. tokens has place for four. Errors: TFM_ERROR_FORMAT, TFM_ERROR_MEMORY. */
tfm_status tfm_chat_read(tfm_chat **chat, const tfm_table *table, const char *path, tfm_chat_token *tokens,
                         size_t *n_tokens, tfm_error *error);

#endif
