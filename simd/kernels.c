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
extern const tfm_kernels tfm_kernels_neon, tfm_kernels_neon_dot;
#endif
#if defined(TFM_BUILD_AVX2)
extern const tfm_kernels tfm_kernels_avx2, tfm_kernels_avx2_vnni;
#endif
#if defined(TFM_BUILD_AVX512)
extern const tfm_kernels tfm_kernels_avx512, tfm_kernels_avx512_vnni;
#endif

static const tfm_kernels *const built[TFM_ISA_COUNT] = {
    [TFM_ISA_SCALAR] = &tfm_kernels_scalar,
#if defined(TFM_BUILD_NEON)
    [TFM_ISA_NEON] = &tfm_kernels_neon,     [TFM_ISA_NEON_DOT] = &tfm_kernels_neon_dot,
#endif
#if defined(TFM_BUILD_AVX2)
    [TFM_ISA_AVX2] = &tfm_kernels_avx2,     [TFM_ISA_AVX2_VNNI] = &tfm_kernels_avx2_vnni,
#endif
#if defined(TFM_BUILD_AVX512)
    [TFM_ISA_AVX512] = &tfm_kernels_avx512, [TFM_ISA_AVX512_VNNI] = &tfm_kernels_avx512_vnni,
#endif
};

static const char *const names[TFM_ISA_COUNT] = {"scalar",    "neon",   "neon-dot",   "avx2",
                                                 "avx2-vnni", "avx512", "avx512-vnni"};

bool tfm_isa_built(tfm_isa isa) { return (unsigned)isa < TFM_ISA_COUNT && built[isa] != NULL; }

bool tfm_isa_usable(tfm_isa isa) { return tfm_isa_built(isa) && tfm_cpu_has(isa); }

tfm_isa tfm_isa_best(void) {
    static const tfm_isa order[] = {TFM_ISA_AVX512_VNNI, TFM_ISA_AVX512,   TFM_ISA_AVX2_VNNI,
                                    TFM_ISA_AVX2,        TFM_ISA_NEON_DOT, TFM_ISA_NEON};
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

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

tfm_kv_layout tfm_kv_layout_of(tfm_dtype dtype, size_t head_dim) {
    size_t element = dtype == TFM_I8 ? 1 : tfm_dtype_size(dtype), padded = tfm_panel_count(head_dim) * TFM_PANEL;
    size_t scales = dtype == TFM_I8 ? TFM_PANEL * sizeof(float) : 0;
    tfm_kv_layout layout = {.k = 0, .k_scale = align64(head_dim * TFM_PANEL * element)};
    layout.v = layout.k_scale + scales;
    layout.v_scale = layout.v + padded * TFM_PANEL * element;
    layout.bytes = layout.v_scale + scales;
    return layout;
}

/* Room for the tallest tile of any instruction set: scores, sums, output and query of each row. */
size_t tfm_attention_scratch(size_t n_query, size_t group, size_t head_dim) {
    enum { TILE_ROWS = 16 };
    (void)n_query;
    (void)group;
    size_t row = TFM_ATTENTION_BLOCK + TFM_PANEL + 2 * tfm_panel_count(head_dim) * TFM_PANEL;
    return TILE_ROWS * row * sizeof(float);
}
