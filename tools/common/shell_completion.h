/*
 * shell_completion.h - scripts by which bash, zsh and fish complete a tool's options, made from its table of options.
 */
#ifndef TFM_TOOLS_COMMON_SHELL_COMPLETION_H
#define TFM_TOOLS_COMMON_SHELL_COMPLETION_H

#include "options.h"

typedef enum tfm_shell { TFM_SHELL_NONE, TFM_SHELL_BASH, TFM_SHELL_ZSH, TFM_SHELL_FISH } tfm_shell;

/* The value of --shell-completion, for a tfm_option of kind CUSTOM: stores an int, a tfm_shell. */
tfm_status tfm_parse_shell(void *settings, const tfm_option *option, const char *what, const char *value,
                           tfm_error *error);

/* The commands of a program, one of which is its first argument. */
typedef struct tfm_shell_command {
    const char *name, *summary;
    const tfm_option_table *options;
} tfm_shell_command;
typedef struct tfm_shell_commands {
    const tfm_shell_command *list;
    size_t n;
} tfm_shell_commands;

/*
 * Prints the script of a program whose other arguments are files. commands: NULL, or those it has; then the table is of
 * the options that may stand in a command's place. Returns the exit status.
 */
int tfm_print_completion(const tfm_option_table *table, const tfm_shell_commands *commands, const char *program,
                         tfm_shell shell);

#endif
