/* tfmeval.c - measures and compares: BLEU, chrF, perplexity, logits, tokenizers. */
#include "command.h"

#include <stdio.h>
#include <string.h>

typedef struct named_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} named_command;

static const named_command commands[] = {
    {"bleu", "BLEU of translations, as sacreBLEU computes it", tfm_command_bleu},
    {"chrf", "chrF and chrF++ of translations, as sacreBLEU computes them", tfm_command_chrf},
    {"perplexity", "how well a model predicts given translations", tfm_command_perplexity},
    {"logits", "encoder states and logits of a model, as a safetensors file", tfm_command_logits},
    {"tokenize", "token ids of texts, and texts of token ids", tfm_command_tokenize},
    {"similarity", "texts ranked by how close they are to a query, with an encoder", tfm_command_similarity},
    {"bench", "how fast a model runs here: a table for prompts, decoding, batches, depth", tfm_command_bench},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static int print_help(void) {
    printf("Usage: tfmeval COMMAND [OPTION]... [MODEL]\n"
           "Measures models and translations, and writes down what a model computes so that\n"
           "it can be compared with other implementations.\n\n"
           "Commands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) printf("  %-11s %s\n", commands[i].name, commands[i].summary);
    printf("\nOptions:\n"
           "  -h, --help     Print this help and exit; 'tfmeval COMMAND --help' explains a command.\n"
           "  -V, --version  Print the version and exit.\n\n"
           "Exit status: 0 if all went well, 1 on failure, 2 for a wrong command line.\n");
    return tfm_command_end();
}

int main(int argc, char **argv) {
    tfm_program("tfmeval");
    if (argc < 2) return tfm_complain_usage("a command is missing");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return print_help();
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) return tfm_print_version(NULL);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    if (name[0] == '-') return tfm_complain_usage("unknown option '%s' before the command", name);
    return tfm_complain_usage("unknown command '%s'", name);
}
