/* exp_probe.c - the exponential of simd/v16_math.h by itself, which no kernel exports; compiled once per ISA. */
#include "exp_probe.h"

void V16_NAME(probe_exp)(const float *x, float *y) { v16_store(y, v16_exp(v16_load(x))); }
