/*
 * cpu.h - what the processor, and the system above it, can run: tfm_cpu_has_SUFFIX() for each instruction set that a
 * build for this machine may have (isa.def).
 */
#ifndef TFM_SIMD_CPU_H
#define TFM_SIMD_CPU_H

#include "isa.h"

#define ISA(id, suffix, label, machine) TFM_BUILT_FOR_##machine(bool tfm_cpu_has_##suffix(void);)
#include "isa.def"

#endif
