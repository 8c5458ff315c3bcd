/* commands.c - the prompt's commands. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "attention_file.h"
#include "runtime/tfm.h"
#include "tools/common/shown.h"

/* ---- settings ---- */

static const tfm_option *find_decoding(const char *name, size_t n) {
    const tfm_option *option = tfm_options_find(&tfm_settings_table, name, n);
    if (!option) {
        const char *nearest = tfm_options_nearest(&tfm_settings_table, name, n);
        if (nearest)
            tfm_complain("there is no setting '%.*s'; did you mean %s?", (int)n, name, nearest);
        else
            tfm_complain("there is no setting '%.*s'; /show lists them", (int)n, name);
    } else if (!tfm_settings_is_decoding(option)) {
        tfm_complain("%s can only be given when the program is started", option->name);
        option = NULL;
    }
    return option;
}

static bool print_setting(const tfm_commands *c, const tfm_option *option) {
    tfm_text value = {0};
    bool ok = tfm_settings_print(c->settings, option, &c->engine->params, &value);
    bool given = *tfm_settings_mark(c->settings, option);
    if (ok) tfm_say(stdout, "%-24s %.*s%s", option->name, (int)value.size, value.data, given ? "  (set)" : "");
    tfm_text_free(&value);
    return ok;
}

/* Settings say how to generate text. */
static bool has_settings(const tfm_commands *c) {
    if (c->engine->info.kind != TFM_KIND_ENCODER) return true;
    printf("an encoder-only model generates no text and has no settings for that\n");
    return false;
}

static void show(tfm_commands *c, const char *rest, size_t n) {
    if (!has_settings(c)) return;
    if (n > 0) {
        const tfm_option *option = find_decoding(rest, n);
        if (option) print_setting(c, option);
        return;
    }
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++)
        if (tfm_settings_is_decoding(option)) print_setting(c, option);
}

/* Sets option; what cannot be used together with the rest is taken back. */
static void change(tfm_commands *c, const tfm_option *option, const char *value) {
    tfm_error error;
    bool *given = tfm_settings_mark(c->settings, option);
    bool was_given = *given;
    tfm_generate_params before = c->settings->decoding.values;
    tfm_settings_unset(c->settings, option); /* a list begins anew */
    if (tfm_option_set(option, c->settings, option->name, value, &error) != TFM_OK) {
        tfm_complain("%s", error.message);
        *given = was_given;
        return;
    }
    *given = true;
    if (tfm_engine_configure(c->engine, c->settings, &error) == TFM_OK) {
        if (strcmp(option->name, "seed") == 0) c->engine->n_answers = 0;
        print_setting(c, option);
        return;
    }
    tfm_complain("%s", error.message);
    c->settings->decoding.values = before;
    tfm_settings_unset(c->settings, option);
    *given = was_given && option->kind != TFM_OPTION_CUSTOM; /* a list was replaced: the model's own holds again */
    if (tfm_engine_configure(c->engine, c->settings, &error) != TFM_OK) tfm_complain("%s", error.message);
}

static void set(tfm_commands *c, const char *rest, size_t n) {
    size_t name = strcspn(rest, " \t=");
    if (!has_settings(c)) return;
    if (n == 0) {
        show(c, rest, 0);
        return;
    }
    const tfm_option *option = find_decoding(rest, name);
    if (!option) return;
    const char *value = rest + name;
    value += strspn(value, " \t");
    if (*value == '=') value += 1 + strspn(value + 1, " \t");
    change(c, option, *value ? value : NULL);
}

static void unset(tfm_commands *c, const char *rest, size_t n) {
    if (!has_settings(c)) return;
    if (n == 0) {
        tfm_complain("/unset needs the name of a setting; /reset puts all back");
        return;
    }
    const tfm_option *option = find_decoding(rest, n);
    if (!option) return;
    tfm_error error;
    bool *given = tfm_settings_mark(c->settings, option), before = *given;
    tfm_settings_unset(c->settings, option);
    if (tfm_engine_configure(c->engine, c->settings, &error) == TFM_OK) {
        print_setting(c, option);
        return;
    }
    tfm_complain("%s", error.message);
    *given = before;
    if (tfm_engine_configure(c->engine, c->settings, &error) != TFM_OK) tfm_complain("%s", error.message);
}

/* Reads the command line again. */
static tfm_status start_settings(const tfm_commands *c, tfm_settings *settings, tfm_error *error) {
    size_t n_arguments;
    char **argv = calloc((size_t)c->argc + 1, sizeof *argv); /* parsing moves arguments about */
    bool ok = tfm_settings_init(settings) && argv;
    tfm_status status = TFM_ERROR_MEMORY;
    if (ok) {
        memcpy(argv, c->argv, (size_t)c->argc * sizeof *argv);
        status = tfm_options_parse(&tfm_settings_table, settings, settings->given, c->argc, argv, &n_arguments, error);
    } else {
        tfm_no_memory(error, "settings");
    }
    free(argv);
    return status;
}

static void reset(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    if (n > 0) {
        tfm_complain("/reset puts all settings back and takes no name; see /unset");
        return;
    }
    tfm_settings fresh;
    tfm_error error;
    tfm_status status = start_settings(c, &fresh, &error);
    if (status == TFM_OK) status = tfm_engine_configure(c->engine, &fresh, &error);
    if (status != TFM_OK) {
        tfm_complain("%s", error.message);
        tfm_settings_free(&fresh);
        return;
    }
    tfm_settings_free(c->settings);
    *c->settings = fresh;
    c->engine->n_answers = 0;
    printf("settings are as at the start\n");
}

/* ---- the others ---- */

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
        printf("wrote %s\n", rest);
    else
        tfm_complain("%s", error.message);
}

/* ---- conversations ---- */

static bool in_conversation(const tfm_commands *c) {
    if (!c->engine->chat) tfm_complain("there is no conversation here: each input stands alone");
    return c->engine->chat;
}

static void system_message(tfm_commands *c, const char *rest, size_t n) {
    if (!in_conversation(c)) return;
    tfm_text *system = &c->engine->system;
    if (n > 0) {
        system->size = 0;
        if (strcmp(rest, "none") != 0 && !tfm_text_append(system, rest, n)) tfm_complain("out of memory");
    }
    printf("%.*s\n", (int)system->size, system->size ? system->data : "");
}

static void clear(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    tfm_conversation_clear(&c->conversation);
    printf("the conversation is forgotten\n");
}

static void retry(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    tfm_error error = {0};
    tfm_status status = tfm_conversation_retry(&c->conversation, &error);
    if (status == TFM_ERROR_CANCELLED)
        fprintf(stderr, "stopped\n");
    else if (status != TFM_OK)
        tfm_complain("%s", error.message);
}

static void undo(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    if (tfm_conversation_undo(&c->conversation))
        printf("the last message and its answer are forgotten\n");
    else
        tfm_complain("there is no message to take back");
}

static void show_history(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    if (!in_conversation(c)) return;
    const tfm_text *system = &c->engine->system;
    if (system->size) printf("system: %.*s\n", (int)system->size, system->data);
    for (size_t i = 0; i < c->conversation.n; i++) {
        const tfm_message *message = &c->conversation.messages[i];
        printf("%s: %.*s\n", message->role, (int)message->n, message->content);
    }
}

static void quit(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    c->leave = true;
}

static void help(tfm_commands *c, const char *rest, size_t n);

static const struct command {
    const char *name, *argument, *what;
    void (*run)(tfm_commands *c, const char *rest, size_t n);
} commands[] = {
    {"help", "", "this list, and all settings", help},
    {"set", "NAME VALUE", "change a setting, for example /set num-beams 1", set},
    {"unset", "NAME", "let a setting fall back to the model's default", unset},
    {"reset", "", "all settings as at the start", reset},
    {"show", "[NAME]", "the settings in force", show},
    {"info", "", "facts of the model", info},
    {"system", "[TEXT]", "the system message of the conversation; a new one, or none", system_message},
    {"history", "", "the conversation so far", show_history},
    {"retry", "", "another answer to the last message", retry},
    {"undo", "", "forget the last message and its answer", undo},
    {"clear", "", "forget the conversation, but its system message", clear},
    {"attention", "FILE", "draw what the last output looked at (.svg, .html)", attention},
    {"quit", "", "leave; so does Ctrl-D", quit},
};

static void help(tfm_commands *c, const char *rest, size_t n) {
    (void)rest;
    (void)n;
    printf("Type a text and Enter. Ctrl-C stops an answer, Ctrl-D leaves.\n"
           "A text that starts with / needs a space before it.\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        printf("  /%s%s%-*s %s\n", commands[i].name, *commands[i].argument ? " " : "",
               (int)(18 - strlen(commands[i].name) - (*commands[i].argument != 0)), commands[i].argument,
               commands[i].what);
    if (c->engine->info.kind == TFM_KIND_ENCODER) return;
    printf("\nSettings (as on the command line, see tfmrun --help):\n");
    const tfm_option *option;
    for (size_t i = 0; (option = tfm_options_at(&tfm_settings_table, i)); i++)
        if (tfm_settings_is_decoding(option)) printf("  %-24s %s\n", option->name, option->help);
}

void tfm_commands_run(tfm_commands *c, const char *line, size_t n) {
    char *copy = strndup(line, n);
    if (!copy) {
        tfm_complain("out of memory");
        return;
    }
    size_t name = strcspn(copy + 1, " \t");
    char *rest = copy + 1 + name;
    rest += strspn(rest, " \t");
    const struct command *found = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == name && memcmp(commands[i].name, copy + 1, name) == 0) found = &commands[i];
    if (found)
        found->run(c, rest, strlen(rest));
    else
        tfm_complain("there is no command '/%.*s'; /help lists them", (int)name, copy + 1);
    fflush(stdout);
    free(copy);
}
