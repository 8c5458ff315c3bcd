/* pack_fuzz_main.c - the entry point libFuzzer calls; TFM_FUZZ_TARGET says which format. */
#include "pack_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    TFM_FUZZ_TARGET(data, n);
    return 0;
}
