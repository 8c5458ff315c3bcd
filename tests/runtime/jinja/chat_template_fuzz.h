/* chat_template_fuzz.h - the fuzz target, which the normal suite calls too. */
#ifndef TFM_TESTS_RUNTIME_JINJA_CHAT_TEMPLATE_FUZZ_H
#define TFM_TESTS_RUNTIME_JINJA_CHAT_TEMPLATE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Up to the first NUL: a template; then messages with a NUL after each, which it renders. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What the last call came to, for tests: a tfm_status. */
extern int fuzz_outcome;

#endif
