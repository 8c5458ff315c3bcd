/*
 * sections_fuzz.h - hostile tables as the sections architecture, generation and shortlist of a model.
 */
#ifndef TFM_TESTS_RUNTIME_MODEL_SECTIONS_FUZZ_H
#define TFM_TESTS_RUNTIME_MODEL_SECTIONS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The first byte says which section the others are: 'a', 'g' or 's'. fuzz_accepted: whether the last one was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
extern int fuzz_accepted;

#endif
