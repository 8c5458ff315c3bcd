/* isa_kernels.h - what the objects of one vector form export: the kernels of kernels.def with its suffix. */
#ifndef TFM_SIMD_ISA_KERNELS_H
#define TFM_SIMD_ISA_KERNELS_H

#include "kernels.h"
#include "simd/v16/v16.h"

#define KERNEL(type, name, parameters, arguments) tfm_##name##_fn V16_NAME(tfm_##name);
#define INTEGER_KERNEL(type, name, parameters, arguments)
#include "kernels.def"

#endif
