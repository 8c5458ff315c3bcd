/*
 * sigbus.h - surviving a model file that shrinks while it is mapped.
 */
#ifndef TFM_RUNTIME_OS_SIGBUS_H
#define TFM_RUNTIME_OS_SIGBUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Watches a mapping: a SIGBUS inside it puts a page of zeros at the fault and sets *shrank, and the program goes on;
 * whoever computes with the mapping looks at *shrank before it believes a result. Installs the process's handler with
 * the first mapping; faults elsewhere go to the handler that was there before. Returns false if there are already
 * 256 mappings (then this one is not watched).
 */
bool tfm_sigbus_watch(const void *base, size_t n, atomic_bool *shrank);
void tfm_sigbus_forget(const void *base);

#endif
