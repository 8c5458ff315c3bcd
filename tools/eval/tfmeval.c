/* tfmeval.c - measures and compares: BLEU, chrF, perplexity, logits, tokenizers. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "tools/common/shell_completion.h"

typedef struct named_command {
    const char *name, *summary;
    const tfm_command *page;
    int (*run)(int argc, char **argv);
} named_command;

static const named_command commands[] = {
    {"bleu", "BLEU of translations, as sacreBLEU computes it", &tfm_bleu_page, tfm_command_bleu},
    {"chrf", "chrF and chrF++ of translations, as sacreBLEU computes them", &tfm_chrf_page, tfm_command_chrf},
    {"perplexity", "how well a model predicts given translations", &tfm_perplexity_page, tfm_command_perplexity},
    {"logits", "encoder states and logits of a model, as a safetensors file", &tfm_logits_page, tfm_command_logits},
    {"tokenize", "token ids of texts, and texts of token ids", &tfm_tokenize_page, tfm_command_tokenize},
    {"similarity", "texts ranked by how close they are to a query, with an encoder", &tfm_similarity_page,
     tfm_command_similarity},
    {"bench", "how fast a model runs here: a table for prompts, decoding, batches, depth", &tfm_bench_page,
     tfm_command_bench},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

typedef struct settings {
    bool help, version;
    int shell;
} settings;

#define AT(member) .offset = offsetof(settings, member)
static const tfm_option options[] = {
    {.kind = TFM_OPTION_GROUP, .name = "Options"},
    {.kind = TFM_OPTION_FLAG,
     .letter = 'h',
     .name = "help",
     AT(help),
     .help = "Print this help and exit; 'tfmeval COMMAND --help' explains a command."},
    {.kind = TFM_OPTION_FLAG, .letter = 'V', .name = "version", AT(version), .help = "Print the version and exit."},
    {.kind = TFM_OPTION_CUSTOM,
     .name = "shell-completion",
     .argument = "SHELL",
     AT(shell),
     .parse = tfm_parse_shell,
     .help = "Print the script by which bash, zsh or fish completes commands and options."},
};
static const tfm_option_table table = {.options = options, .n = sizeof options / sizeof *options};

static int print_help(void) {
    char *text = tfm_options_help(&table, tfm_terminal_columns(STDOUT_FILENO));
    if (!text) return tfm_complain("out of memory");
    printf("Usage: tfmeval COMMAND [OPTION]... [MODEL]\n"
           "Measures models and translations, and writes down what a model computes so that\n"
           "it can be compared with other implementations.\n\n"
           "Commands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) printf("  %-11s %s\n", commands[i].name, commands[i].summary);
    printf("\n%s\nExit status: 0 if all went well, 1 on failure, 2 for a wrong command line.\n", text);
    free(text);
    return tfm_command_end();
}

static int print_completion(tfm_shell shell) {
    tfm_shell_command list[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        list[i] = (tfm_shell_command){commands[i].name, commands[i].summary, &commands[i].page->options};
    return tfm_print_completion(&table, &(tfm_shell_commands){.list = list, .n = N_COMMANDS}, "tfmeval", shell);
}

/* Options in the place of a command. */
static int run_options(int argc, char **argv) {
    settings set = {0};
    size_t n_arguments = 0;
    tfm_error error;
    if (tfm_options_parse(&table, &set, NULL, argc, argv, &n_arguments, &error) != TFM_OK)
        return tfm_complain_usage("%s", error.message);
    if (set.help) return print_help();
    if (set.shell) return print_completion((tfm_shell)set.shell);
    if (set.version) return tfm_print_version(NULL);
    return tfm_complain_usage("a command is missing");
}

static int refuse_command(const char *name) {
    const char *nearest = NULL;
    size_t n = strlen(name), least = n / 3 + 1;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const char *other = commands[i].name;
        const bool starts = n >= 3 && strncmp(other, name, n) == 0;
        const size_t distance = starts ? 0 : tfm_name_distance(name, n, other, strlen(other));
        if (distance >= least) continue;
        least = distance;
        nearest = other;
    }
    if (nearest) return tfm_complain_usage("unknown command '%s'; did you mean %s?", name, nearest);
    return tfm_complain_usage("unknown command '%s'", name);
}

int main(int argc, char **argv) {
    tfm_program("tfmeval");
    if (argc < 2) return tfm_complain_usage("a command is missing");
    if (argv[1][0] == '-') return run_options(argc, argv);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    return refuse_command(argv[1]);
}
