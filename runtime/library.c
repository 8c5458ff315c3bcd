/* library.c - names: of the version, of instruction sets. */
#include "simd/isa.h"
#include "tfm.h"

#define STRINGIZE(x) #x
#define VERSION_TEXT(a, b, c) STRINGIZE(a) "." STRINGIZE(b) "." STRINGIZE(c)

const char *tfm_version(void) { return VERSION_TEXT(TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH); }

const char *tfm_isa_list(size_t i, bool *usable) {
    for (tfm_isa isa = TFM_ISA_COUNT; isa-- > 0;) { /* the best comes last in the enum, first here */
        if (!tfm_isa_built(isa)) continue;
        if (i-- > 0) continue;
        if (usable) *usable = tfm_isa_usable(isa);
        return tfm_isa_name(isa);
    }
    return NULL;
}

tfm_status tfm_isa_choose(const char *name, const char **chosen, tfm_error *error) {
    char sentence[TFM_ISA_SENTENCE];
    tfm_isa isa;
    *chosen = NULL;
    switch (tfm_isa_select(name, &isa, sentence)) {
    case TFM_ISA_CHOSEN: *chosen = tfm_isa_name(isa); return TFM_OK;
    case TFM_ISA_UNKNOWN: return tfm_fail(error, TFM_ERROR_ARGUMENT, "%s", sentence);
    case TFM_ISA_UNAVAILABLE: break;
    }
    return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "%s", sentence);
}
