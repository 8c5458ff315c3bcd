/*
 * commands.h - the prompt's commands: settings, facts, drawings, and what can be done with a conversation.
 */
#ifndef TFM_TOOLS_RUN_COMMANDS_H
#define TFM_TOOLS_RUN_COMMANDS_H

#include "conversation.h"

typedef struct tfm_commands {
    tfm_engine *engine;
    tfm_settings *settings;
    int argc; /* how the program was started */
    char **argv;
    tfm_ids last; /* the last input, for /attention */
    tfm_conversation conversation;
    bool leave; /* set by /quit */
} tfm_commands;

/* Runs a line of n bytes that starts with "/". Answers go to stdout, complaints to stderr. */
void tfm_commands_run(tfm_commands *commands, const char *line, size_t n);

#endif
