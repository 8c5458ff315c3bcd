/* model_options.c - opening a model by the options of the command line. */
#include "model_options.h"

#include <stddef.h>

#define AT(member) offsetof(tfm_model_command_settings, model.member)

static const tfm_option model_options[] = {
    {.kind = TFM_OPTION_STRING,
     .name = "isa",
     .argument = "NAME",
     .offset = AT(choice.isa),
     .help = "Instruction set: avx512, avx2, neon or scalar (default: the best this processor has). It does not "
             "change results."},
    {.kind = TFM_OPTION_CHOICE,
     .name = "verify",
     .choices = tfm_verify_names,
     .offset = AT(choice.verify),
     .help = "What is checked before the model is used: all of the file, or its header, and each tensor when it is "
             "needed (default: all)."},
};
const tfm_option_table tfm_model_options = {
    .options = model_options, .n = sizeof model_options / sizeof *model_options, .next = &tfm_help_option};

static const tfm_option run_options[] = {
    {.kind = TFM_OPTION_U32,
     .letter = 't',
     .name = "threads",
     .argument = "N",
     .max = 1024,
     .offset = AT(choice.threads),
     .help = "Threads (default: 0, all cores this process may use). It does not change results."},
    {.kind = TFM_OPTION_U32,
     .name = "batch-tokens",
     .argument = "N",
     .min = 1,
     .max = TFM_BATCH_TOKENS_MAX,
     .offset = AT(batch_tokens),
     .help = "Tokens that are computed at the same time (default: 4096). It does not change results."},
};
const tfm_option_table tfm_run_options = {
    .options = run_options, .n = sizeof run_options / sizeof *run_options, .next = &tfm_model_options};

static const tfm_option language_options[] = {
    {.kind = TFM_OPTION_STRING,
     .name = "source-lang",
     .argument = "CODE",
     .offset = offsetof(tfm_model_command_settings, source_language),
     .help = "Language of the sources, for models of many languages (tfmrun MODEL --languages lists them)."},
    {.kind = TFM_OPTION_STRING,
     .name = "target-lang",
     .argument = "CODE",
     .offset = offsetof(tfm_model_command_settings, target_language),
     .help = "Language of their translations."},
};
enum { N_LANGUAGE_OPTIONS = sizeof language_options / sizeof *language_options };
const tfm_option_table tfm_language_model_options = {
    .options = language_options, .n = N_LANGUAGE_OPTIONS, .next = &tfm_model_options};
const tfm_option_table tfm_language_run_options = {
    .options = language_options, .n = N_LANGUAGE_OPTIONS, .next = &tfm_run_options};

tfm_status tfm_opened_open(tfm_opened *opened, const char *path, const tfm_model_settings *settings, tfm_error *error) {
    *opened = (tfm_opened){0};
    tfm_status status = tfm_open_model(path, &settings->choice, &opened->pool, &opened->model, error);
    if (status == TFM_OK) opened->info = tfm_model_get_info(opened->model);
    return status;
}

/* A source's language may have no place: what becomes of a text says so. */
static tfm_status check_source(const tfm_opened *opened, const tfm_generate_params *params, tfm_error *error) {
    tfm_ids ids = {0};
    tfm_status status = tfm_tokenize_input(opened->model, params, "", 0, &ids, error);
    tfm_ids_free(&ids);
    return status;
}

tfm_status tfm_opened_params(const tfm_opened *opened, const tfm_model_command_settings *settings,
                             tfm_generate_params *params, tfm_error *error) {
    int32_t id;
    tfm_error own;
    const char *name = "target-lang";
    tfm_status status = TFM_OK;
    *params = tfm_generate_params_default(opened->model);
    if (settings->target_language) {
        params->target_language = settings->target_language;
        status = tfm_language_token(opened->model, settings->target_language, &id, &own);
    }
    if (status == TFM_OK && settings->source_language) {
        name = "source-lang";
        params->source_language = settings->source_language;
        status = check_source(opened, params, &own);
    }
    return status == TFM_OK ? TFM_OK : tfm_fail(error, status, "--%s: %s", name, own.message);
}

void tfm_opened_close(tfm_opened *opened) {
    tfm_model_close(&opened->model);
    tfm_pool_free(&opened->pool);
}
