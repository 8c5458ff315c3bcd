/*
 * json_input.h - inputs that are JSON objects: a text or messages, and decoding options for that input alone.
 */
#ifndef TFM_TOOLS_RUN_JSON_INPUT_H
#define TFM_TOOLS_RUN_JSON_INPUT_H

#include "messages.h"
#include "tools/run/engine/settings.h"

typedef struct tfm_json_input {
    tfm_text text;         /* if there are no messages */
    tfm_messages messages; /* a conversation, or none */
    bool has_options;      /* settings differ from those given */
    tfm_settings settings; /* a copy, with what the object says; only if has_options */
} tfm_json_input;

/*
 * Reads an object of n bytes: "text" (a string; with settings->ids a list of ids) or "messages", and options by their
 * names, with underscores or dashes, which replace those of settings; null is the model's default. What is anything
 * else is refused by name. tfm_json_input_free also after a failure. Errors: TFM_ERROR_ARGUMENT, TFM_ERROR_MEMORY.
 */
tfm_status tfm_json_input_read(const tfm_settings *settings, const char *line, size_t n, tfm_json_input *input,
                               tfm_error *error);
void tfm_json_input_free(tfm_json_input *input);

#endif
