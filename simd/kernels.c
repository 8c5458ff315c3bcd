/* kernels.c - the tables this build has, and which of them this processor can use. */
#include "kernels.h"

#include <string.h>

#include "cpu.h"

/* What is compiled here runs before anything is known of the processor. */
#if defined(__AVX__)
#error "the dispatcher must be compiled without instruction set flags"
#endif

extern const tfm_kernels tfm_kernels_scalar;
#if defined(TFM_BUILD_NEON)
extern const tfm_kernels tfm_kernels_neon;
#endif
#if defined(TFM_BUILD_AVX2)
extern const tfm_kernels tfm_kernels_avx2;
#endif
#if defined(TFM_BUILD_AVX512)
extern const tfm_kernels tfm_kernels_avx512;
#endif

static const tfm_kernels *const built[TFM_ISA_COUNT] = {
    [TFM_ISA_SCALAR] = &tfm_kernels_scalar,
#if defined(TFM_BUILD_NEON)
    [TFM_ISA_NEON] = &tfm_kernels_neon,
#endif
#if defined(TFM_BUILD_AVX2)
    [TFM_ISA_AVX2] = &tfm_kernels_avx2,
#endif
#if defined(TFM_BUILD_AVX512)
    [TFM_ISA_AVX512] = &tfm_kernels_avx512,
#endif
};

static const char *const names[TFM_ISA_COUNT] = {"scalar", "neon", "avx2", "avx512"};

bool tfm_isa_built(tfm_isa isa) { return (unsigned)isa < TFM_ISA_COUNT && built[isa] != NULL; }

bool tfm_isa_usable(tfm_isa isa) { return tfm_isa_built(isa) && tfm_cpu_has(isa); }

tfm_isa tfm_isa_best(void) {
    static const tfm_isa order[] = {TFM_ISA_AVX512, TFM_ISA_AVX2, TFM_ISA_NEON};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (tfm_isa_usable(order[i])) return order[i];
    return TFM_ISA_SCALAR;
}

const char *tfm_isa_name(tfm_isa isa) { return (unsigned)isa < TFM_ISA_COUNT ? names[isa] : "unknown"; }

tfm_isa tfm_isa_parse(const char *name) {
    for (unsigned i = 0; i < TFM_ISA_COUNT; i++)
        if (strcmp(name, names[i]) == 0) return (tfm_isa)i;
    return TFM_ISA_COUNT;
}

const tfm_kernels *tfm_kernels_get(tfm_isa isa) { return tfm_isa_usable(isa) ? built[isa] : NULL; }

/* Room for the tallest tile of any instruction set: scores, sums, output and query of each row. */
size_t tfm_attention_scratch(size_t n_query, size_t group, size_t head_dim) {
    enum { TILE_ROWS = 16 };
    (void)n_query;
    (void)group;
    size_t row = TFM_ATTENTION_BLOCK + TFM_PANEL + 2 * tfm_panel_count(head_dim) * TFM_PANEL;
    return TILE_ROWS * row * sizeof(float);
}
