/* integer_kernels.h - what the objects of one set of integer instructions export: the integer kernels of kernels.def.
 */
#ifndef TFM_SIMD_INTEGER_KERNELS_H
#define TFM_SIMD_INTEGER_KERNELS_H

#include "kernels.h"
#include "simd/dot/dot.h"

#define KERNEL(type, name, parameters, arguments)
#define INTEGER_KERNEL(type, name, parameters, arguments) tfm_##name##_fn DOT_NAME(tfm_##name);
#include "kernels.def"

#endif
