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
