/*
 * analysis.h - encoder-only models: vectors, similarities, missing words, classes.
 */
#ifndef TFM_TOOLS_RUN_ANALYSIS_ANALYSIS_H
#define TFM_TOOLS_RUN_ANALYSIS_ANALYSIS_H

#include "tools/run/engine/engine.h"

/*
 * Runs each of n texts; or, if texts is NULL, each line of stdin until it ends, in windows, answered in order. Results
 * go to stdout. Returns the exit status of the program; messages are on stderr.
 */
int tfm_analysis_run(tfm_engine *engine, const tfm_settings *settings, char *const *texts, size_t n);

/* One line of the prompt. Errors: those of its input, and of tfm_analyze. */
tfm_status tfm_analysis_answer(tfm_engine *engine, const tfm_settings *settings, const char *text, size_t n,
                               tfm_error *error);

#endif
