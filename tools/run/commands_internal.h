/*
 * commands_internal.h - the functions of the prompt's commands. Each gets what stands behind the command's name: rest,
 * NUL-terminated, of n bytes.
 */
#ifndef TFM_TOOLS_RUN_COMMANDS_INTERNAL_H
#define TFM_TOOLS_RUN_COMMANDS_INTERNAL_H

#include "commands.h"

/* setting_commands.c */
void tfm_command_set(tfm_commands *c, const char *rest, size_t n);
void tfm_command_unset(tfm_commands *c, const char *rest, size_t n);
void tfm_command_reset(tfm_commands *c, const char *rest, size_t n);
void tfm_command_show(tfm_commands *c, const char *rest, size_t n);

/* talk_commands.c */
void tfm_command_system(tfm_commands *c, const char *rest, size_t n);
void tfm_command_history(tfm_commands *c, const char *rest, size_t n);
void tfm_command_retry(tfm_commands *c, const char *rest, size_t n);
void tfm_command_undo(tfm_commands *c, const char *rest, size_t n);
void tfm_command_clear(tfm_commands *c, const char *rest, size_t n);
void tfm_command_save(tfm_commands *c, const char *rest, size_t n);
void tfm_command_load(tfm_commands *c, const char *rest, size_t n);

#endif
