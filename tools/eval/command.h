/*
 * command.h - the commands of tfmeval and what they share.
 */
#ifndef TFM_TOOLS_EVAL_COMMAND_H
#define TFM_TOOLS_EVAL_COMMAND_H

#include "tools/common/options.h"

/* A command's page of help. */
typedef struct tfm_command {
    const char *usage;       /* "bleu [OPTION]... --ref REF --hyp HYP" */
    const char *description; /* lines of at most 80 columns, with newlines */
    const char *examples;    /* the same, or NULL */
    tfm_option_table options;
    size_t n_arguments; /* besides options */
    size_t n_optional;  /* more of them that may be there */
} tfm_command;
extern const tfm_command tfm_bench_page, tfm_bleu_page, tfm_chrf_page, tfm_logits_page, tfm_perplexity_page,
    tfm_similarity_page, tfm_tokenize_page;

/* The first member of every command's settings, so that every command has the same first option. */
typedef struct tfm_command_settings {
    bool help;
} tfm_command_settings;
extern const tfm_option_table tfm_help_option;

/*
 * Reads the arguments of a command (argv[0] is its name) into settings; argv[1 .. n_arguments] are then those that
 * are no options, and behind them stand the optional ones, up to a NULL. false: the command has nothing to do but
 * return *code.
 */
bool tfm_command_begin(const tfm_command *command, tfm_command_settings *settings, int argc, char **argv, int *code);

/* Prints the error of a library call and returns the exit code. */
int tfm_command_fail(const tfm_error *error);
/* Flushes stdout and closes it; the exit code. */
int tfm_command_end(void);

/* argv[0] is the command's name. Each returns the exit code. */
int tfm_command_bench(int argc, char **argv);
int tfm_command_bleu(int argc, char **argv);
int tfm_command_chrf(int argc, char **argv);
int tfm_command_logits(int argc, char **argv);
int tfm_command_perplexity(int argc, char **argv);
int tfm_command_similarity(int argc, char **argv);
int tfm_command_tokenize(int argc, char **argv);

#endif
