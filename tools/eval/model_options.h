/*
 * model_options.h - the options of commands that run a model, and opening it by them.
 */
#ifndef TFM_TOOLS_EVAL_MODEL_OPTIONS_H
#define TFM_TOOLS_EVAL_MODEL_OPTIONS_H

#include "command.h"
#include "tools/common/open_model.h"

typedef struct tfm_model_settings {
    tfm_model_choice choice;
    uint32_t batch_tokens;
} tfm_model_settings;

enum { TFM_BATCH_TOKENS_DEFAULT = 4096, TFM_BATCH_TOKENS_MAX = 1 << 20 };

/* The first member of the settings of a command that runs a model. */
typedef struct tfm_model_command_settings {
    tfm_command_settings command;
    tfm_model_settings model;
    const char *source_language, *target_language; /* codes; NULL: as the model file says */
} tfm_model_command_settings;

/* The options of every command that opens a model, and before them those of a command that computes with it. */
extern const tfm_option_table tfm_model_options, tfm_run_options;
/* The same, and before them those of a command that makes texts into the tokens of translations. */
extern const tfm_option_table tfm_language_model_options, tfm_language_run_options;

typedef struct tfm_opened {
    tfm_pool *pool;
    tfm_model *model;
    tfm_model_info info;
} tfm_opened;

/* Opens the model with its pool. *opened may be given to tfm_opened_close either way. Errors: those of tfm.h. */
tfm_status tfm_opened_open(tfm_opened *opened, const char *path, const tfm_model_settings *settings, tfm_error *error);
/*
 * The model's defaults in the languages that are asked for. Errors: a language that the model does not have or whose
 * place it does not have, with the option's name.
 */
tfm_status tfm_opened_params(const tfm_opened *opened, const tfm_model_command_settings *settings,
                             tfm_generate_params *params, tfm_error *error);
void tfm_opened_close(tfm_opened *opened);

#endif
