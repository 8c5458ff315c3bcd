/* exp_probe.c - the exponential of v16_math.h by itself, which no kernel exports; compiled once per instruction set. */
#include "exp_probe.h"

#include "simd/dot/dot.h"
#include "simd/v16/v16_math.h"

void DOT_NAME(probe_exp)(const float *x, float *y) { v16_store(y, v16_exp(v16_load(x))); }
