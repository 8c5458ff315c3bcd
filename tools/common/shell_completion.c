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

static bool any_has_choices(const tfm_option_table *table) {
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++)
        if (has_choices(option)) return true;
    return false;
}

/* Bytes of the beginning of a help: a sentence or less, and no bracket that is not closed in it. */
static size_t summary_length(const char *help) {
    size_t n = 0, open = 0;
    for (; help[n] && help[n] != ';' && help[n] != ':'; n++) {
        if (help[n] == '.' && (!help[n + 1] || help[n + 1] == ' ')) break;
        if (help[n] == '(') open = n;
        if (help[n] == ')') open = 0;
    }
    if (open > 0) n = open;
    while (n > 0 && help[n - 1] == ' ') n--;
    return n;
}

/* The beginning of the help, without what a shell would take for more than a character. */
static void print_summary(const char *help) {
    const size_t n = summary_length(help);
    for (size_t i = 0; i < n; i++)
        if (!strchr("'\"\\[]$`", help[i])) putchar(help[i]);
}

/* ---- bash ---- */

/* What may stand at the cursor: a value after its option, or an option; each line after indent. */
static void print_bash_options(const tfm_option_table *table, const char *indent) {
    const tfm_option *option;
    const bool cases = any_has_choices(table);
    if (cases) printf("%scase $prev in\n", indent);
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP || !has_choices(option)) continue;
        printf("%s--%s) COMPREPLY=($(compgen -W '", indent, option->name);
        print_choices(option);
        printf("' -- \"$cur\")); return ;;\n");
    }
    if (cases) printf("%sesac\n", indent);
    printf("%s[[ $cur == -* ]] && COMPREPLY=($(compgen -W '", indent);
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++)
        if (option->kind != TFM_OPTION_GROUP) printf(" --%s", option->name);
    printf("' -- \"$cur\"))\n");
}

/* The first word is a command, and whose options the others may be. */
static void print_bash_commands(const tfm_option_table *table, const tfm_shell_commands *commands) {
    printf("    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < commands->n; i++) printf(" %s", commands->list[i].name);
    printf("' -- \"$cur\"))\n        [[ $cur == -* ]] || return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < commands->n; i++) {
        printf("    %s)\n", commands->list[i].name);
        print_bash_options(commands->list[i].options, "        ");
        printf("        ;;\n");
    }
    printf("    *)\n");
    print_bash_options(table, "        ");
    printf("        ;;\n    esac\n");
}

static void print_bash(const tfm_option_table *table, const tfm_shell_commands *commands, const char *program) {
    printf("_%s() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n", program);
    if (commands)
        print_bash_commands(table, commands);
    else
        print_bash_options(table, "    ");
    printf("}\ncomplete -o default -F _%s %s\n", program, program);
}

/* ---- zsh ---- */

/* Each option as _arguments takes it, a line after indent. */
static void print_zsh_options(const tfm_option_table *table, const char *indent) {
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP) continue;
        if (option->letter)
            printf("%s'(-%c --%s)'{-%c,--%s}'[", indent, option->letter, option->name, option->letter, option->name);
        else
            printf("%s'--%s[", indent, option->name);
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
}

/* In the state "rest" _arguments has left the command in line[1], and its words to the call for its options. */
static void print_zsh_commands(const tfm_option_table *table, const tfm_shell_commands *commands) {
    printf("local context state state_descr line ret=1\ntypeset -A opt_args\n_arguments -s -S -C -A '-*' \\\n");
    print_zsh_options(table, "    ");
    printf("    '1:command:((");
    for (size_t i = 0; i < commands->n; i++) {
        printf("%s%s\\:\"", i ? " " : "", commands->list[i].name);
        print_summary(commands->list[i].summary);
        printf("\"");
    }
    printf("))' \\\n    '*::argument:->rest' && ret=0\n[[ $state == rest ]] || return $ret\ncase $line[1] in\n");
    for (size_t i = 0; i < commands->n; i++) {
        printf("%s)\n    _arguments -s -S \\\n", commands->list[i].name);
        print_zsh_options(commands->list[i].options, "        ");
        printf("        '*:file:_files' ;;\n");
    }
    printf("esac\n");
}

static void print_zsh(const tfm_option_table *table, const tfm_shell_commands *commands) {
    if (commands) {
        print_zsh_commands(table, commands);
        return;
    }
    printf("_arguments -s -S \\\n");
    print_zsh_options(table, "    ");
    printf("    '*:file:_files'\n");
}

/* ---- fish ---- */

/* condition: a function of fish that says whether these options may stand there, with a space before it. */
static void print_fish_options(const tfm_option_table *table, const char *program, const char *condition) {
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(table, i)); i++) {
        if (option->kind == TFM_OPTION_GROUP) continue;
        printf("complete -c %s%s -l %s", program, condition, option->name);
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

static void print_fish(const tfm_option_table *table, const tfm_shell_commands *commands, const char *program) {
    print_fish_options(table, program, commands ? " -n __fish_use_subcommand" : "");
    for (size_t i = 0; commands && i < commands->n; i++) {
        char condition[100];
        printf("complete -c %s -n __fish_use_subcommand -f -a %s -d '", program, commands->list[i].name);
        print_summary(commands->list[i].summary);
        printf("'\n");
        snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'", commands->list[i].name);
        print_fish_options(commands->list[i].options, program, condition);
    }
}

int tfm_print_completion(const tfm_option_table *table, const tfm_shell_commands *commands, const char *program,
                         tfm_shell shell) {
    static const char *const names[] = {"", "bash", "zsh", "fish"};
    if (shell == TFM_SHELL_ZSH) printf("#compdef %s\n", program);
    printf("# Completion of %s for %s, made by: %s --shell-completion %s\n", program, names[shell], program,
           names[shell]);
    if (shell == TFM_SHELL_BASH) print_bash(table, commands, program);
    if (shell == TFM_SHELL_ZSH) print_zsh(table, commands);
    if (shell == TFM_SHELL_FISH) print_fish(table, commands, program);
    return tfm_finish_output(TFM_EXIT_OK);
}
