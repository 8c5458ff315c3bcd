/* thorough.h - how much of what could be tried is tried: all of it only under `tests/run-all --thorough`. */
#ifndef TFM_TESTS_SUPPORT_THOROUGH_H
#define TFM_TESTS_SUPPORT_THOROUGH_H

#include <stddef.h>
#include <stdlib.h>

/* The distance between cases of a long row: `usual`, or 1 where the environment has TFM_TEST_THOROUGH. */
static inline size_t test_stride(size_t usual) { return getenv("TFM_TEST_THOROUGH") ? 1 : usual; }

#endif
