/* tokenizer_fuzz.h - the fuzz target, which the normal suite calls too. */
#ifndef TFM_TESTS_RUNTIME_TOKENIZER_TOKENIZER_FUZZ_H
#define TFM_TESTS_RUNTIME_TOKENIZER_TOKENIZER_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/*
 * First byte {: all is a tokenizer.json, made into a table and opened. Else even: the rest is a SentencePiece file, the
 * same with it. Odd: the rest is a table of a model file. What opens then encodes and decodes a few texts. Returns 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What the last call came to, for tests: how far the input got. */
enum { FUZZ_REFUSED, FUZZ_OPENED };
extern int fuzz_outcome;

#endif
