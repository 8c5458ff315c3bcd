/* command.c - what the commands of tfmeval share. */
#include "command.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const tfm_option help_option[] = {{.kind = TFM_OPTION_FLAG,
                                          .letter = 'h',
                                          .name = "help",
                                          .offset = offsetof(tfm_command_settings, help),
                                          .help = "Print this help and exit."}};
const tfm_option_table tfm_help_option = {.options = help_option, .n = 1};

static int print_help(const tfm_command *command) {
    char *options = tfm_options_help(&command->options, tfm_terminal_columns(STDOUT_FILENO));
    if (!options) return tfm_complain("out of memory");
    printf("Usage: tfmeval %s\n%s\n%s", command->usage, command->description, options);
    if (command->examples) printf("\nExamples:\n%s", command->examples);
    free(options);
    return tfm_command_end();
}

bool tfm_command_begin(const tfm_command *command, tfm_command_settings *settings, int argc, char **argv, int *code) {
    tfm_error error = {0};
    size_t n_arguments = 0;
    tfm_status status = tfm_options_parse(&command->options, settings, NULL, argc, argv, &n_arguments, &error);
    if (status != TFM_OK) {
        *code = tfm_complain_usage("%s", error.message);
        return false;
    }
    if (settings->help) {
        *code = print_help(command);
        return false;
    }
    size_t most = command->n_arguments + command->n_optional;
    argv[n_arguments + 1] = NULL; /* argv[argc] is, and what is no option has moved to the front */
    if (n_arguments >= command->n_arguments && n_arguments <= most) return true;
    if (n_arguments > most)
        *code = tfm_complain_usage("%s: unexpected argument '%s'", argv[0], argv[most + 1]);
    else if (n_arguments > 0)
        *code = tfm_complain_usage("%s: an argument is missing; usage: tfmeval %s", argv[0], command->usage);
    else
        *code = tfm_complain_usage("%s: the model file is missing; usage: tfmeval %s", argv[0], command->usage);
    return false;
}

int tfm_command_fail(const tfm_error *error) {
    return tfm_complain("%s", error->message[0] ? error->message : tfm_status_text(error->status));
}

int tfm_command_end(void) { return tfm_finish_output(TFM_EXIT_OK); }
