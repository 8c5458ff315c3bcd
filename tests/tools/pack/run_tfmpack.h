/*
 * run_tfmpack.h - tfmpack (TFM_PACK_TOOL) run as a user would, in a test between enter_scratch and leave_scratch.
 */
#ifndef TFM_TESTS_TOOLS_PACK_RUN_TFMPACK_H
#define TFM_TESTS_TOOLS_PACK_RUN_TFMPACK_H

#include "tests/support/program.h"

/* Arguments end with NULL. The outcome is the caller's to free. */
outcome run_tfmpack(const char *const *arguments);
/* Starts it without waiting; end_dialog does that. */
dialog start_tfmpack(const char *const *arguments);

#define RUN_TFMPACK(...) run_tfmpack((const char *const[]){__VA_ARGS__, NULL})

#endif
