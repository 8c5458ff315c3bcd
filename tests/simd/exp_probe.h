/* exp_probe.h - probe_exp_SUFFIX for each instruction set of this build: y[i] = exp(x[i]) for 16 elements. */
#ifndef TFM_TESTS_SIMD_EXP_PROBE_H
#define TFM_TESTS_SIMD_EXP_PROBE_H

#include "simd/isa.h"

typedef void exp_probe_fn(const float *x, float *y);
#define ISA(id, suffix, label, machine) TFM_BUILT_FOR_##machine(exp_probe_fn probe_exp_##suffix;)
#include "simd/isa.def"

#endif
