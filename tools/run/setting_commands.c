/* setting_commands.c - the prompt's commands that change and show settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands_internal.h"
#include "runtime/tfm.h"
#include "tools/common/shown.h"

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

void tfm_command_show(tfm_commands *c, const char *rest, size_t n) {
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

void tfm_command_set(tfm_commands *c, const char *rest, size_t n) {
    size_t name = strcspn(rest, " \t=");
    if (!has_settings(c)) return;
    if (n == 0) {
        tfm_command_show(c, rest, 0);
        return;
    }
    const tfm_option *option = find_decoding(rest, name);
    if (!option) return;
    const char *value = rest + name;
    value += strspn(value, " \t");
    if (*value == '=') value += 1 + strspn(value + 1, " \t");
    change(c, option, *value ? value : NULL);
}

void tfm_command_unset(tfm_commands *c, const char *rest, size_t n) {
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

void tfm_command_reset(tfm_commands *c, const char *rest, size_t n) {
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
