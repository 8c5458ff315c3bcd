/*
 * commands.h - the prompt's commands: settings, facts, drawings, files, and what can be done with a conversation.
 */
#ifndef TFM_TOOLS_RUN_COMMANDS_H
#define TFM_TOOLS_RUN_COMMANDS_H

#include "completion_list.h"
#include "conversation.h"

typedef struct tfm_commands {
    tfm_engine *engine;
    tfm_settings *settings;
    int argc; /* how the program was started */
    char **argv;
    tfm_ids last; /* the last input, for /attention */
    tfm_conversation conversation;
    tfm_text message; /* what /read has read: the next input; empty: none */
    bool leave;       /* set by /exit */
} tfm_commands;

/* Runs a line of n bytes that starts with "/". Answers go to stdout, complaints to stderr. */
void tfm_commands_run(tfm_commands *commands, const char *line, size_t n);

/* What the end of such a line may become: commands, settings and their values, files. user is a tfm_commands. */
void tfm_commands_complete(void *user, const char *line, size_t n, tfm_completion_list *list);

#endif
