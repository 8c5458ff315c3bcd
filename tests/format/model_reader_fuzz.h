/* model_reader_fuzz.h - libFuzzer's entry, also called by the replay in the normal suite. */
#ifndef TFM_TESTS_FORMAT_MODEL_READER_FUZZ_H
#define TFM_TESTS_FORMAT_MODEL_READER_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
