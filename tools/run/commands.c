/* commands.c - the prompt's commands: which there are, what they take, what the page of help says. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "attention_file.h"
#include "commands_internal.h"
#include "runtime/tfm.h"
#include "tools/common/shown.h"
#include "wrap.h"

enum { MESSAGE_BYTES = 16 << 20 };

/* What a prompt is for; a set of them says where a command means something. */
enum { CHAT = 1, TEXT = 2, PAIR = 4, ENCODER = 8, GENERATES = CHAT | TEXT | PAIR, ANYWHERE = GENERATES | ENCODER };

static unsigned place_of(const tfm_commands *c) {
    if (c->engine->info.kind == TFM_KIND_ENCODER) return ENCODER;
    if (!tfm_engine_continues(c->engine)) return PAIR;
    return c->engine->chat ? CHAT : TEXT;
}

/* ---- facts, drawings, files ---- */

static void info(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    const tfm_model_info *i = &c->engine->info;
    printf("kind             %s\n", tfm_engine_kind_name(i->kind));
    tfm_say(stdout, "family           %s", i->family[0] ? i->family : "unknown");
    printf("parameters       %llu\n", (unsigned long long)i->n_parameters);
    printf("file             %.1f MB\n", 1e-6 * (double)i->file_bytes);
    printf("width            %u\n", i->d_model);
    if (i->kind == TFM_KIND_DECODER) {
        printf("layers           %u\n", i->decoder_layers);
        printf("vocabulary       %u\n", i->target_vocab_size);
        printf("context          %u tokens, prompt and output together\n", i->max_target);
        printf("chat template    %s\n", i->has_chat_template ? "yes" : "no");
    } else {
        printf("layers           %u encoder, %u decoder\n", i->encoder_layers, i->decoder_layers);
        printf("vocabulary       %u source, %u target\n", i->source_vocab_size, i->target_vocab_size);
        printf("longest input    %u tokens\n", c->engine->max_source);
        printf("longest output   %u tokens\n", i->max_target);
    }
    printf("kernels          %s\n", i->isa);
    printf("threads          %u\n", tfm_pool_threads(c->engine->pool));
}

static void attention(tfm_commands *c, const char *rest, size_t n) {
    if (n == 0) {
        tfm_complain("/attention needs a file name that ends in .svg or .html");
        return;
    }
    if (c->engine->info.kind != TFM_KIND_ENCODER_DECODER) {
        tfm_complain("/attention draws what an output saw of an encoder's input, and this model has none to draw");
        return;
    }
    if (c->last.size == 0) {
        tfm_complain("/attention draws the last sentence, and there is none yet");
        return;
    }
    tfm_error error;
    tfm_status status = tfm_attention_check(rest, &error);
    tfm_answer_request request = {.input = &c->last, .attention = rest};
    if (status == TFM_OK) status = tfm_answer(c->engine, c->settings, &request, &error);
    tfm_answer_forget(&request);
    if (status == TFM_OK)
        tfm_say(stdout, "wrote %s", rest);
    else
        tfm_complain("%s", error.message);
}

static void read_message(tfm_commands *c, const char *rest, size_t n) {
    tfm_error error;
    tfm_text *message = &c->message;
    if (n == 0) {
        tfm_complain("/read needs the name of a file, whose text is sent as if it were typed");
        return;
    }
    message->size = 0;
    tfm_status status = tfm_read_regular_file(rest, MESSAGE_BYTES, message, &error);
    while (message->size && strchr("\r\n", message->data[message->size - 1])) message->size--;
    if (status == TFM_OK && message->size && memchr(message->data, 0, message->size))
        status = tfm_fail(&error, TFM_ERROR_ARGUMENT, "%s: is no text, a byte of it is 0", rest);
    if (status == TFM_OK && message->size == 0)
        status = tfm_fail(&error, TFM_ERROR_ARGUMENT, "%s: has nothing in it", rest);
    if (status == TFM_OK) return;
    tfm_complain("%s", error.message);
    message->size = 0;
}

static void leave(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    c->leave = true;
}

/* ---- the table ---- */

static void help(tfm_commands *c, const char *rest, size_t n);

/* What stands behind a command's name, for Tab. */
typedef enum argument { NOTHING, A_TEXT, A_FILE, A_SETTING, A_VALUE, A_TOPIC } argument;

static const struct command {
    const char *name;
    unsigned where; /* where it means something; elsewhere it says why it does not */
    argument argument;
    void (*run)(tfm_commands *c, const char *rest, size_t n);
} commands[] = {
    {.name = "help", .where = ANYWHERE, .argument = A_TOPIC, .run = help},
    {.name = "set", .where = GENERATES, .argument = A_VALUE, .run = tfm_command_set},
    {.name = "unset", .where = GENERATES, .argument = A_SETTING, .run = tfm_command_unset},
    {.name = "reset", .where = GENERATES, .run = tfm_command_reset},
    {.name = "show", .where = GENERATES, .argument = A_SETTING, .run = tfm_command_show},
    {.name = "info", .where = ANYWHERE, .run = info},
    {.name = "system", .where = CHAT, .argument = A_TEXT, .run = tfm_command_system},
    {.name = "history", .where = CHAT, .run = tfm_command_history},
    {.name = "retry", .where = CHAT, .run = tfm_command_retry},
    {.name = "undo", .where = CHAT, .run = tfm_command_undo},
    {.name = "clear", .where = CHAT, .run = tfm_command_clear},
    {.name = "save", .where = CHAT, .argument = A_FILE, .run = tfm_command_save},
    {.name = "load", .where = CHAT, .argument = A_FILE, .run = tfm_command_load},
    {.name = "read", .where = ANYWHERE, .argument = A_FILE, .run = read_message},
    {.name = "attention", .where = PAIR, .argument = A_FILE, .run = attention},
    {.name = "exit", .where = ANYWHERE, .run = leave},
    {.name = "quit", .where = ANYWHERE, .run = leave},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

/* Names that people know from other programs. "?" is a command of ours too. */
static const struct {
    const char *name, *ours;
} other_names[] = {
    {"?", "help"},           {"h", "help"},        {"bye", "exit"},   {"q", "exit"},          {"regen", "retry"},
    {"regenerate", "retry"}, {"reload", "load"},   {"new", "clear"},  {"forget", "clear"},    {"file", "read"},
    {"glob", "read"},        {"prompt", "system"}, {"model", "info"}, {"parameters", "show"}, {"params", "show"},
    {"settings", "show"},    {"config", "show"},   {"get", "show"},   {"multiline", "help"},  {"back", "undo"},
};

static const struct command *find(const char *name, size_t n) {
    if (n == 1 && *name == '?') return &commands[0];
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strlen(commands[i].name) == n && memcmp(commands[i].name, name, n) == 0) return &commands[i];
    return NULL;
}

/* The name that was meant, perhaps, of those that mean something here. */
static const char *nearest(const tfm_commands *c, const char *name, size_t n) {
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (strlen(other_names[i].name) == n && memcmp(other_names[i].name, name, n) == 0) return other_names[i].ours;
    const char *best = NULL;
    size_t least = n / 3 + 1; /* about one slip in three letters */
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const char *other = commands[i].name;
        size_t length = strlen(other);
        bool starts = n >= 2 && length > n && memcmp(other, name, n) == 0;
        size_t d = starts ? 1 : tfm_name_distance(name, n, other, length);
        if (!(commands[i].where & place_of(c)) || d >= least) continue;
        least = d;
        best = other;
    }
    return best;
}

/* ---- help ---- */

static const struct {
    unsigned where;
    const char *names; /* of commands; NULL: a sentence alone */
    const char *text;
} help_lines[] = {
    {CHAT, NULL, "Type a message and Enter; \"\"\" begins and ends one of several lines."},
    {TEXT, NULL, "Type a text to go on with and Enter; \"\"\" begins and ends one of several lines."},
    {PAIR | ENCODER, NULL, "Type a sentence and Enter; \"\"\" begins and ends a text of several lines."},
    {ANYWHERE, NULL, "Ctrl-C stops an answer, Ctrl-D leaves, Tab completes what begins with /."},
    {CHAT, "/retry, /undo, /clear", "another answer; forget the last turn, or all"},
    {CHAT, "/history, /system [TEXT]", "the conversation so far; its system message"},
    {CHAT, "/save FILE, /load FILE", "keep the conversation; go on with one"},
    {PAIR, "/attention FILE", "draw what the last output looked at (.svg, .html)"},
    {ANYWHERE, "/read FILE", "send the text of a file"},
    {GENERATES, "/set NAME VALUE, /show", "settings: /help set lists them"},
    {ANYWHERE, "/info, /exit", "facts of the model; leave"},
};

/* In two columns, or below each other where a terminal is too narrow for them. */
static void help_line(const char *names, const char *text) {
    const bool narrow = isatty(STDOUT_FILENO) && tfm_terminal_columns(STDOUT_FILENO) < 80;
    if (!names) {
        tfm_wrap_note(stdout, false, "%s", text);
    } else if (narrow) {
        tfm_wrap_note(stdout, false, "  %s", names);
        tfm_wrap_note(stdout, false, "    %s", text);
    } else {
        tfm_wrap_note(stdout, false, "  %-26s %s", names, text);
    }
}

static void help_settings(void) {
    char *list = tfm_settings_decoding_help(tfm_terminal_columns(STDOUT_FILENO));
    if (!list) {
        tfm_complain("out of memory");
        return;
    }
    tfm_wrap_note(stdout, false, "/set NAME VALUE changes a setting, for example /set num-beams 1");
    tfm_wrap_note(stdout, false, "/unset NAME puts it back to the model's default, /reset all to the start's");
    tfm_wrap_note(stdout, false, "/show [NAME] shows what is in force");
    printf("\n%s", list);
    free(list);
}

static void help_option(const char *name, size_t n) {
    const tfm_option *option = tfm_options_find(&tfm_settings_table, name, n);
    if (option && tfm_settings_is_decoding(option))
        tfm_wrap_note(stdout, false, "%s: %s", option->name, option->help);
    else
        tfm_complain("there is no help about '%.*s': /help, /help set, or /help and the name of a setting", (int)n,
                     name);
}

static void help(tfm_commands *c, const char *rest, size_t n) {
    unsigned place = place_of(c);
    if (n > 0 && *rest == '/') rest++, n--;
    const struct command *command = find(rest, n);
    if (command && command->argument >= A_SETTING && (command->where & place)) {
        help_settings();
        return;
    }
    if (n > 0 && !command) {
        help_option(rest, n);
        return;
    }
    for (size_t i = 0; i < sizeof help_lines / sizeof *help_lines; i++)
        if (help_lines[i].where & place) help_line(help_lines[i].names, help_lines[i].text);
}

/* ---- lines ---- */

static void unknown(const tfm_commands *c, const char *name, size_t n) {
    const char *meant = nearest(c, name, n);
    if (meant)
        tfm_complain("there is no command '/%.*s'; did you mean /%s?", (int)n, name, meant);
    else
        tfm_complain("there is no command '/%.*s'; /help lists them (a text that begins with / has a space before it)",
                     (int)n, name);
}

void tfm_commands_run(tfm_commands *c, const char *line, size_t n) {
    char *copy = strndup(line, n);
    if (!copy) {
        tfm_complain("out of memory");
        return;
    }
    size_t name = strcspn(copy + 1, " \t\n");
    char *rest = copy + 1 + name;
    rest += strspn(rest, " \t\n");
    const struct command *found = find(copy + 1, name);
    if (found)
        found->run(c, rest, strlen(rest));
    else
        unknown(c, copy + 1, name);
    fflush(stdout);
    free(copy);
}

/* ---- Tab ---- */

static void complete_setting(tfm_completion_list *list, const char *word, size_t n, char end) {
    const tfm_option *option;
    tfm_completion_start(list, word, n, end);
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++)
        if (tfm_settings_is_decoding(option)) tfm_completion_add(list, option->name);
}

static void complete_value(tfm_completion_list *list, const char *name, size_t n_name, const char *value, size_t n) {
    const tfm_option *option = tfm_options_find(&tfm_settings_table, name, n_name);
    tfm_completion_start(list, value, n, 0);
    if (!option) return;
    static const char *const truths[] = {"true", "false", NULL};
    const char *const *choices = option->kind == TFM_OPTION_BOOL ? truths : option->choices;
    for (size_t i = 0; choices && choices[i]; i++) tfm_completion_add(list, choices[i]);
    if (option->kind == TFM_OPTION_ID) tfm_completion_add(list, "none");
}

static void complete_name(const tfm_commands *c, tfm_completion_list *list, const char *word, size_t n) {
    tfm_completion_start(list, word, n, ' ');
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (commands[i].where & place_of(c)) tfm_completion_add(list, commands[i].name);
    if (list->n != 1) return;
    const struct command *only = find(list->names[0], strlen(list->names[0]));
    if (only && only->argument == NOTHING) list->end = 0;
}

void tfm_commands_complete(void *user, const char *line, size_t n, tfm_completion_list *list) {
    const tfm_commands *c = user;
    size_t n_name = strcspn(line + 1, " \t");
    const char *word = line + 1 + n_name;
    if (word == line + n) {
        complete_name(c, list, line + 1, n_name);
        return;
    }
    word += strspn(word, " \t");
    size_t n_word = (size_t)(line + n - word), n_first = strcspn(word, " \t=");
    const struct command *command = find(line + 1, n_name);
    tfm_completion_start(list, word, n_word, 0);
    if (!command || !(command->where & place_of(c))) return;
    if (command->argument == A_FILE) {
        tfm_completion_add_files(list);
    } else if (command->argument >= A_SETTING && n_first == n_word) {
        complete_setting(list, word, n_word, command->argument == A_VALUE ? ' ' : 0);
        if (command->argument == A_TOPIC) tfm_completion_add(list, "set");
    } else if (command->argument == A_VALUE) {
        const char *value = word + n_first + strspn(word + n_first, " \t=");
        complete_value(list, word, n_first, value, (size_t)(line + n - value));
    }
}
