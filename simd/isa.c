/* isa.c - the ladder of instruction sets: names, tables and detection in one order, and the choice of one. */
#include "isa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "kernels.h"

/* What is compiled here runs before anything is known of the processor. */
#if defined(__AVX__)
#error "the dispatcher must be compiled without instruction set flags"
#endif

#define ISA(id, suffix, label, machine) TFM_BUILT_FOR_##machine(extern const tfm_kernels tfm_kernels_##suffix;)
#include "isa.def"

static const struct rung {
    const char *name;
    bool (*usable)(void);       /* NULL as kernels is */
    const tfm_kernels *kernels; /* NULL: not in this build */
} ladder[TFM_ISA_COUNT] = {
#define ISA(id, suffix, label, machine)                                                                                \
    [id] = {.name = label, TFM_BUILT_FOR_##machine(.usable = tfm_cpu_has_##suffix, .kernels = &tfm_kernels_##suffix)},
#include "isa.def"
};

bool tfm_isa_built(tfm_isa isa) { return (unsigned)isa < TFM_ISA_COUNT && ladder[isa].kernels != NULL; }

bool tfm_isa_usable(tfm_isa isa) { return tfm_isa_built(isa) && ladder[isa].usable(); }

tfm_isa tfm_isa_best(void) {
    tfm_isa isa = TFM_ISA_COUNT - 1;
    while (!tfm_isa_usable(isa)) isa--; /* the first, scalar, always is */
    return isa;
}

const tfm_kernels *tfm_kernels_get(tfm_isa isa) { return tfm_isa_usable(isa) ? ladder[isa].kernels : NULL; }

const char *tfm_isa_name(tfm_isa isa) { return (unsigned)isa < TFM_ISA_COUNT ? ladder[isa].name : "unknown"; }

tfm_isa tfm_isa_parse(const char *name) {
    tfm_isa isa = 0;
    while (isa < TFM_ISA_COUNT && strcmp(name, ladder[isa].name) != 0) isa++;
    return isa;
}

/* ---- choosing by name ---- */

/* "scalar, neon, ... and avx512-vnni" */
static void list_names(char *text, size_t size) {
    for (size_t isa = 0, used = 0; isa < TFM_ISA_COUNT && used < size; isa++) {
        const char *separator = isa == 0 ? "" : isa + 1 == TFM_ISA_COUNT ? " and " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", separator, ladder[isa].name);
    }
}

tfm_isa_choice tfm_isa_select(const char *name, tfm_isa *isa, char sentence[TFM_ISA_SENTENCE]) {
    const char *from = name ? "" : "TFM_ISA: ", *best = tfm_isa_name(tfm_isa_best());
    if (!name) name = getenv("TFM_ISA");
    if (!name || !*name || strcmp(name, "auto") == 0) {
        *isa = tfm_isa_best();
        return TFM_ISA_CHOSEN;
    }
    tfm_isa found = tfm_isa_parse(name);
    if (tfm_isa_usable(found)) {
        *isa = found;
        return TFM_ISA_CHOSEN;
    }
    if (found == TFM_ISA_COUNT) {
        char known[256];
        list_names(known, sizeof known);
        snprintf(sentence, TFM_ISA_SENTENCE, "%sunknown instruction set \"%s\"; known are auto, %s", from, name, known);
        return TFM_ISA_UNKNOWN;
    }
    if (!tfm_isa_built(found))
        snprintf(sentence, TFM_ISA_SENTENCE, "%sthis build has no kernels for %s; the best here is %s", from, name,
                 best);
    else
        snprintf(sentence, TFM_ISA_SENTENCE, "%sthis processor cannot run %s; the best it can is %s", from, name, best);
    return TFM_ISA_UNAVAILABLE;
}
