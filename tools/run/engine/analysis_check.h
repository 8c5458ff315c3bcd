/*
 * analysis_check.h - what is asked of an encoder-only model, and whether the options fit.
 */
#ifndef TFM_TOOLS_RUN_ENGINE_ANALYSIS_CHECK_H
#define TFM_TOOLS_RUN_ENGINE_ANALYSIS_CHECK_H

#include "engine.h"

typedef enum tfm_action { TFM_EMBED, TFM_SIMILARITY, TFM_FILL_MASK, TFM_CLASSIFY } tfm_action;

/* The action that is asked for, or else the one that the model was trained for. */
tfm_action tfm_analysis_action(const tfm_engine *engine, const tfm_settings *settings);

/*
 * Do the options for encoder-only models fit this model, and each other? An encoder-only model is also refused the
 * options for generating text. Error: TFM_ERROR_ARGUMENT, which names the option.
 */
tfm_status tfm_analysis_check(const tfm_engine *engine, const tfm_settings *settings, tfm_error *error);

#endif
