/* kernel_table.c - the table of an instruction set; compiled once for each. */
#include "integer_kernels.h"
#include "isa_kernels.h"

/* The instruction set of a suffix. */
enum {
#define ISA(id, suffix, label, machine) isa_##suffix = id,
#include "isa.def"
};

extern const tfm_kernels DOT_NAME(tfm_kernels);
const tfm_kernels DOT_NAME(tfm_kernels) = {
    .isa = (tfm_isa)V16_JOIN(isa, DOT_ISA),
    .tile_rows = V16_TILE_ROWS,
#define KERNEL(type, name, parameters, arguments) .name = V16_NAME(tfm_##name),
#define INTEGER_KERNEL(type, name, parameters, arguments) .name = DOT_NAME(tfm_##name),
#include "kernels.def"
};
