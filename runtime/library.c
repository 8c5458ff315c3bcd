/* library.c - names: of the version, of instruction sets. */
#include "simd/kernels.h"
#include "tfm.h"

#define STRINGIZE(x) #x
#define VERSION_TEXT(a, b, c) STRINGIZE(a) "." STRINGIZE(b) "." STRINGIZE(c)

const char *tfm_version(void) { return VERSION_TEXT(TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH); }

const char *tfm_isa_list(size_t i, bool *usable) {
    static const tfm_isa best_first[] = {TFM_ISA_AVX512_VNNI, TFM_ISA_AVX512, TFM_ISA_AVX2_VNNI, TFM_ISA_AVX2,
                                         TFM_ISA_NEON_DOT,    TFM_ISA_NEON,   TFM_ISA_SCALAR};
    for (size_t j = 0; j < sizeof best_first / sizeof *best_first; j++) {
        if (!tfm_isa_built(best_first[j])) continue;
        if (i-- > 0) continue;
        if (usable) *usable = tfm_isa_usable(best_first[j]);
        return tfm_isa_name(best_first[j]);
    }
    return NULL;
}
