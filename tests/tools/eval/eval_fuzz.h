/*
 * eval_fuzz.h - the fuzz target of what tfmeval reads.
 */
#ifndef TFM_TESTS_TOOLS_EVAL_EVAL_FUZZ_H
#define TFM_TESTS_TOOLS_EVAL_EVAL_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* A file of lines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
