/*
 * batch.h - many inputs: lines of stdin or arguments, run in windows for throughput, answered in order.
 */
#ifndef TFM_TOOLS_RUN_BATCH_H
#define TFM_TOOLS_RUN_BATCH_H

#include "tools/run/engine/engine.h"

/*
 * Runs each of n texts; or, if texts is NULL, each line of stdin until it ends. Results go to stdout. Returns the exit
 * status of the program; messages are on stderr.
 */
int tfm_batch_run(tfm_engine *engine, const tfm_settings *settings, char *const *texts, size_t n);

#endif
