/* tfmrun.c - tfmrun: runs a model on lines of stdin, on arguments, or at a prompt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attention_file.h"
#include "batch.h"
#include "prompt.h"
#include "runtime/tfm.h"
#include "tools/common/shell_completion.h"
#include "tools/common/shown.h"
#include "tools/run/analysis/analysis.h"
#include "tools/run/engine/first_steps.h"

enum { PROMPT_BYTES = 64 << 20 }; /* longest --prompt-file */

static const char usage[] =
    "Usage: tfmrun MODEL [OPTION]...                a prompt, or each line of stdin if that is no terminal\n"
    "       tfmrun MODEL [OPTION]... [--] TEXT...   each TEXT\n"
    "\n"
    "Runs a model file made by tfmpack. Each line or TEXT is one input; each output is a line, in the same order.\n"
    "Lines are run together for speed; when stdin pauses, what has come is answered.\n"
    "\n"
    "Models without an encoder go on with a text, or answer messages where they have a chat template. The output of\n"
    "a single TEXT or --prompt-file appears as it is made; elsewhere \\n stands for a line break in an output.\n";

static const char examples[] = "\nExamples:\n"
                               "  tfmrun model.bin \"Ein Mann schläft.\"\n"
                               "  tfmrun model.bin --num-beams 1 < input.txt > output.txt\n"
                               "  tfmrun model.bin --json --num-return-sequences 4 < input.txt\n"
                               "  tfmrun model.bin --attention map.html \"Ein Mann schläft.\"\n"
                               "  tfmrun llama.bin --temperature 0.7 --seed 1 \"Once upon a time\"\n"
                               "  tfmrun chat.bin --system \"Answer briefly.\"\n"
                               "\n"
                               "Exit status: 0 success, 1 failure (of the model, of input or output, or of a line), "
                               "2 usage.\n";

static int print_help(void) {
    char *options = tfm_options_help(&tfm_settings_table, tfm_terminal_columns(STDOUT_FILENO));
    if (!options) return tfm_complain("out of memory");
    printf("%s\n%s%s", usage, options, examples);
    free(options);
    return tfm_finish_output(TFM_EXIT_OK);
}

static int print_version(const tfm_settings *settings) {
    int code = tfm_print_version(settings->model.isa);
    if (ferror(stdout)) return code; /* it has been said */
    printf("threads: %u\n", settings->model.threads ? settings->model.threads : tfm_cpu_count());
    return tfm_finish_output(code);
}

static int check_usage(const tfm_settings *settings, size_t n_arguments, bool interactive) {
    if (n_arguments == 0)
        return tfm_complain_usage("which model? tfmrun MODEL TEXT runs a file that tfmpack made: tfmpack FOLDER "
                                  "model.bin, then tfmrun model.bin");
    if (settings->log_probs && !settings->json) return tfm_complain_usage("--log-probs needs --json");
    if (settings->attention_weights && !settings->json) return tfm_complain_usage("--attention-weights needs --json");
    if (settings->top_log_probs && !settings->json) return tfm_complain_usage("--top-log-probs needs --json");
    if (settings->prompt_file && n_arguments > 1)
        return tfm_complain_usage("--prompt-file is the input: no TEXT goes with it");
    if (settings->json_in && (settings->prefix_file || settings->prompt_file))
        return tfm_complain_usage("--json-in has it in its objects: leave --%s out",
                                  settings->prefix_file ? "prefix-file" : "prompt-file");
    if (tfm_settings_given(settings, "alignment-from") && !interactive && !settings->alignment &&
        !settings->attention && !settings->attention_weights && !settings->json_in &&
        !settings->decoding.values.replace_unknowns)
        return tfm_complain_usage("--alignment-from says of what --alignment, --attention or --attention-weights tell, "
                                  "and --replace-unknowns takes: give one of them");
    if (settings->progress && settings->quiet) return tfm_complain_usage("give either --progress or --quiet");
    if (settings->system && settings->system_file) return tfm_complain_usage("give either --system or --system-file");
    if (settings->chat && settings->completion) return tfm_complain_usage("give either --chat or --completion");
    tfm_error error;
    if (settings->attention && tfm_attention_check(settings->attention, &error) != TFM_OK)
        return tfm_complain_usage("--%s", error.message);
    if (settings->attention && interactive)
        return tfm_complain_usage("--attention is for texts and pipes; at the prompt there is /attention FILE");
    return TFM_EXIT_OK;
}

/* Reads --prompt-file: a text without the newline that editors put at the end. The caller frees it. */
static char *read_prompt(const char *path, tfm_error *error) {
    tfm_text bytes = {0};
    tfm_status status = tfm_read_file(path, PROMPT_BYTES, &bytes, error);
    if (status == TFM_OK && bytes.size && bytes.data[bytes.size - 1] == '\n') {
        bytes.size--;
        if (bytes.size && bytes.data[bytes.size - 1] == '\r') bytes.size--;
    }
    if (status == TFM_OK && bytes.size && memchr(bytes.data, 0, bytes.size))
        status = tfm_fail(error, TFM_ERROR_ARGUMENT, "%s: is no text, a byte of it is 0", path);
    if (status == TFM_OK && !tfm_text_append(&bytes, "", 0)) status = tfm_no_memory(error, "%s", path);
    if (status != TFM_OK) tfm_text_free(&bytes);
    return bytes.data;
}

static int print_languages(const tfm_engine *engine, const char *path) {
    if (!tfm_language(engine->model, 0)) return tfm_complain("%s: has no languages to choose from", path);
    for (size_t i = 0; tfm_language(engine->model, i); i++) tfm_say(stdout, "%s", tfm_language(engine->model, i));
    return tfm_finish_output(TFM_EXIT_OK);
}

static int run_texts(tfm_engine *engine, const tfm_settings *settings, char *const *texts, size_t n) {
    if (engine->info.kind == TFM_KIND_ENCODER) return tfm_analysis_run(engine, settings, texts, n);
    return tfm_batch_run(engine, settings, texts, n);
}

static int run_prompt_file(tfm_engine *engine, const tfm_settings *settings) {
    tfm_error error;
    char *text = read_prompt(settings->prompt_file, &error);
    if (!text) return tfm_complain("%s", error.message);
    int result = run_texts(engine, settings, &text, 1);
    free(text);
    return result;
}

/* argv: as given; arguments: the model, then texts. */
static int run(tfm_settings *settings, char **arguments, size_t n_arguments, bool interactive, int argc, char **argv) {
    tfm_engine engine;
    tfm_error error = {0};
    int result = TFM_EXIT_FAILURE;
    tfm_status status = tfm_engine_open(&engine, arguments[0], settings, &error);
    engine.interactive = interactive;
    bool opened = status == TFM_OK;
    if (opened && settings->languages) {
        result = print_languages(&engine, arguments[0]);
        tfm_engine_close(&engine);
        return result;
    }
    if (opened) {
        status = tfm_engine_configure(&engine, settings, &error);
        if (status == TFM_ERROR_ARGUMENT) result = TFM_EXIT_USAGE;
    }
    if (status != TFM_OK) {
        tfm_complain("%s", error.message);
        if (!opened) tfm_first_steps(arguments, n_arguments);
    } else if (interactive) {
        result = tfm_prompt_run(&engine, settings, argc, argv);
    } else if (settings->prompt_file) {
        result = run_prompt_file(&engine, settings);
    } else {
        tfm_first_texts(settings, arguments + 1, n_arguments - 1);
        result = run_texts(&engine, settings, n_arguments > 1 ? arguments + 1 : NULL, n_arguments - 1);
    }
    tfm_engine_close(&engine);
    return result;
}

int main(int argc, char **argv) {
    tfm_program("tfmrun");
    tfm_settings settings;
    char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    if (!arguments || !tfm_settings_init(&settings)) {
        free(arguments);
        return tfm_complain("out of memory");
    }
    memcpy(arguments, argv, (size_t)argc * sizeof *arguments);
    size_t n = 0;
    tfm_error error;
    int result;
    if (tfm_options_parse(&tfm_settings_table, &settings, settings.given, argc, arguments, &n, &error) != TFM_OK) {
        result = tfm_complain_usage("%s", error.message);
    } else if (settings.help) {
        result = print_help();
    } else if (settings.shell) {
        result = tfm_print_completion(&tfm_settings_table, NULL, "tfmrun", (tfm_shell)settings.shell);
    } else if (settings.version) {
        result = print_version(&settings);
    } else {
        bool interactive = n == 1 && !settings.prompt_file && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
                           !settings.json && !settings.ids && !settings.json_in && !settings.prefix_file &&
                           !settings.scores && !settings.alignment;
        result = check_usage(&settings, n, interactive);
        if (result == TFM_EXIT_OK) result = run(&settings, arguments + 1, n, interactive, argc, argv);
    }
    tfm_settings_free(&settings);
    free(arguments);
    return result;
}
