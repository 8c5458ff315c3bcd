/*
 * library.c - names: of statuses, of the version, of instruction sets.
 */
#include "simd/kernels.h"
#include "tfm.h"

#define STRINGIZE(x) #x
#define VERSION_TEXT(a, b, c) STRINGIZE(a) "." STRINGIZE(b) "." STRINGIZE(c)

const char *tfm_version(void) { return VERSION_TEXT(TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH); }

const char *tfm_status_text(tfm_status status) {
    switch (status) {
    case TFM_OK: return "no error";
    case TFM_ERROR_ARGUMENT: return "argument out of range";
    case TFM_ERROR_MEMORY: return "out of memory";
    case TFM_ERROR_IO: return "file cannot be read or written";
    case TFM_ERROR_FORMAT: return "not a valid model file";
    case TFM_ERROR_CORRUPT: return "file is damaged";
    case TFM_ERROR_UNSUPPORTED: return "not supported by this version or processor";
    case TFM_ERROR_LIMIT: return "input is too long";
    case TFM_ERROR_CANCELLED: return "cancelled";
    case TFM_ERROR_CHANGED: return "model file changed while in use";
    case TFM_ERROR_STATE: return "not possible with this model or session";
    }
    return "unknown status";
}

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
