/*
 * prompt.h - the interactive prompt: line editing, history, answers that stream, commands that start with "/".
 */
#ifndef TFM_TOOLS_RUN_PROMPT_H
#define TFM_TOOLS_RUN_PROMPT_H

#include "tools/run/engine/engine.h"

/* argv: as the program was started, for /reset. Returns the exit status of the program. */
int tfm_prompt_run(tfm_engine *engine, tfm_settings *settings, int argc, char **argv);

#endif
