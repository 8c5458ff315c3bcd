/* cpu.h - what the processor, and the system above it, can run. */
#ifndef TFM_SIMD_CPU_H
#define TFM_SIMD_CPU_H

#include <stdbool.h>

#include "kernels.h"

/* Asks the processor every time; cheap enough for program start, not for inner loops. */
bool tfm_cpu_has(tfm_isa isa);

#endif
