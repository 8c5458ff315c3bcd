/*
 * messages.h - conversations as JSON: {"messages": [{"role": "user", "content": "..."}, ...]}.
 */
#ifndef TFM_TOOLS_RUN_MESSAGES_H
#define TFM_TOOLS_RUN_MESSAGES_H

#include <jansson.h>

#include "runtime/tfm.h"

/* Roles and contents are owned, and have no NUL in them. {0} is empty. */
typedef struct tfm_messages {
    tfm_message *list; /* (n) */
    size_t n, capacity;
} tfm_messages;

/* Adds the messages of a JSON array. what names it in messages. Errors: TFM_ERROR_ARGUMENT, TFM_ERROR_MEMORY. */
tfm_status tfm_messages_read(const json_t *array, const char *what, tfm_messages *messages, tfm_error *error);
void tfm_messages_free(tfm_messages *messages);

/*
 * Reads the file at path: a regular one, one object, and of its messages a first one of role "system" or none, then
 * "user" and "assistant" in turn. Errors: TFM_ERROR_IO, _FORMAT, _LIMIT, _MEMORY.
 */
tfm_status tfm_messages_load(const char *path, tfm_messages *messages, tfm_error *error);

/* Writes n messages to the file at path, as a line of JSON. It is there whole or not at all. */
tfm_status tfm_messages_save(const char *path, const tfm_message *list, size_t n, tfm_error *error);

#endif
