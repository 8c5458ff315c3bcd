/*
 * faults.h - memory that runs out: counts allocations and makes one of them fail. The linker sends the calls of the
 * program and of the library here (--wrap: test_faults_args of meson.build).
 */
#ifndef TFM_TESTS_SUPPORT_FAULTS_H
#define TFM_TESTS_SUPPORT_FAULTS_H

#include <stddef.h>

/* Allocations and mappings so far, of all threads. */
size_t faults_allocations(void);
/* Blocks that were allocated and not freed; only differences mean something. */
long faults_live(void);
/* The k-th allocation from now on fails; 0: none does. */
void faults_fail(size_t k);

#endif
