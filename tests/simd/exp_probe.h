/* exp_probe.h - y[i] = exp(x[i]) for 16 elements. */
#ifndef TFM_TESTS_SIMD_EXP_PROBE_H
#define TFM_TESTS_SIMD_EXP_PROBE_H

#include "simd/v16/v16_math.h"

void V16_NAME(probe_exp)(const float *x, float *y);

#endif
