/* shell_completion.c - see shell_completion.h. */
#include "shell_completion.h"

#include <stdio.h>
#include <string.h>

tfm_status tfm_parse_shell(void *settings, const tfm_option *option, const char *what, const char *value,
                           tfm_error *error) {
    static const char *const names[] = {"", "bash", "zsh", "fish"};
    for (int i = TFM_SHELL_BASH; i <= TFM_SHELL_FISH; i++) {
        if (strcmp(value, names[i]) != 0) continue;
        *(int *)((char *)settings + option->offset) = i;
        return TFM_OK;
    }
    return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: '%.40s' is none of: bash, zsh, fish", what, value);
}

static bool takes_value(const tfm_option *option) {
    return option->kind != TFM_OPTION_FLAG && option->kind != TFM_OPTION_BOOL;
}

/* A text may be the name of a file; a number is none. */
static bool may_be_file(const tfm_option *option) {
    return option->kind == TFM_OPTION_STRING || option->kind == TFM_OPTION_CUSTOM;
}

/* The words that a value may be, between spaces; false if it may be anything. */
static bool print_choices(const tfm_option *option) {
    static const char *const truths[] = {"true", "false", NULL};
    const char *const *choices = option->kind == TFM_OPTION_BOOL ? truths : option->choices;
    for (size_t i = 0; choices && choices[i]; i++) printf("%s%s", i ? " " : "", choices[i]);
    return choices != NULL;
}

static bool has_choices(const tfm_option *option) { return option->kind == TFM_OPTION_BOOL || option->choices; }

/* The beginning of the help, without what a shell would take for more than a character. */
static void print_summary(const char *help) {
    for (const char *c = help; *c && !strchr(".;:", *c); c++)
        if (!strchr("'\"\\[]$`", *c)) putchar(*c);
}

static void print_bash(const tfm_option_table *table, const char *program) {
    const tfm_option *option;
    printf("_%s() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    case $prev in\n",
           program);
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP || !has_choices(option)) continue;
        printf("    --%s) COMPREPLY=($(compgen -W '", option->name);
        print_choices(option);
        printf("' -- \"$cur\")); return ;;\n");
    }
    printf("    esac\n    [[ $cur == -* ]] && COMPREPLY=($(compgen -W '");
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++)
        if (option->kind != TFM_OPTION_GROUP) printf(" --%s", option->name);
    printf("' -- \"$cur\"))\n}\ncomplete -o default -F _%s %s\n", program, program);
}

static void print_zsh(const tfm_option_table *table) {
    const tfm_option *option;
    printf("_arguments -s -S \\\n");
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP) continue;
        if (option->letter)
            printf("    '(-%c --%s)'{-%c,--%s}'[", option->letter, option->name, option->letter, option->name);
        else
            printf("    '--%s[", option->name);
        print_summary(option->help);
        printf("]");
        if (has_choices(option)) {
            printf("%s:value:(", takes_value(option) ? "" : ":");
            print_choices(option);
            printf(")");
        } else if (takes_value(option)) {
            printf(may_be_file(option) ? ":value:_files" : ":value: ");
        }
        printf("' \\\n");
    }
    printf("    '*:file:_files'\n");
}

static void print_fish(const tfm_option_table *table, const char *program) {
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP) continue;
        printf("complete -c %s -l %s", program, option->name);
        if (option->letter) printf(" -s %c", option->letter);
        if (takes_value(option)) printf(may_be_file(option) ? " -r" : " -x");
        if (has_choices(option)) {
            printf(" -a '");
            print_choices(option);
            printf("'");
        }
        printf(" -d '");
        print_summary(option->help);
        printf("'\n");
    }
}

int tfm_print_completion(const tfm_option_table *table, const char *program, tfm_shell shell) {
    static const char *const names[] = {"", "bash", "zsh", "fish"};
    if (shell == TFM_SHELL_ZSH) printf("#compdef %s\n", program);
    printf("# Completion of %s for %s, made by: %s --shell-completion %s\n", program, names[shell], program,
           names[shell]);
    if (shell == TFM_SHELL_BASH) print_bash(table, program);
    if (shell == TFM_SHELL_ZSH) print_zsh(table);
    if (shell == TFM_SHELL_FISH) print_fish(table, program);
    return tfm_finish_output(TFM_EXIT_OK);
}
