/*
 * answer.h - one input at the prompt: run, shown as it comes, stopped by Ctrl-C.
 */
#ifndef TFM_RUN_ANSWER_H
#define TFM_RUN_ANSWER_H

#include "engine.h"

/* Catches SIGINT from now on: it stops the running answer and nothing else. */
void tfm_answer_catch_interrupts(void);

/*
 * Runs the input and shows its outputs on stdout, greedy ones as they grow, then a line of timing on stderr.
 * attention: NULL, or the path of a drawing to make instead of showing the output.
 * Errors: those of tfm_generate; TFM_ERROR_CANCELLED after Ctrl-C.
 */
tfm_status tfm_answer(tfm_engine *engine, const tfm_settings *settings, const tfm_ids *input, const char *attention,
                      tfm_error *error);

#endif
