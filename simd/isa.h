/*
 * isa.h - instruction sets: which there are, which of them this build has kernels for and this processor can run, and
 * the choice of one by name.
 *
 * Everything that needs the list or its order asks here; isa.def is the list.
 */
#ifndef TFM_SIMD_ISA_H
#define TFM_SIMD_ISA_H

#include <stdbool.h>
#include <stddef.h>

/* The order is the ladder: of those a processor can run, the last is the best. */
typedef enum tfm_isa {
#define ISA(id, suffix, label, machine) id,
#include "isa.def"
    TFM_ISA_COUNT
} tfm_isa;

/* TFM_BUILT_FOR_X(text) is the text in builds for machine X of isa.def, and nothing in others. */
#define TFM_BUILT_FOR_ANY(...) __VA_ARGS__
#if defined(__x86_64__)
#define TFM_BUILT_FOR_X86_64(...) __VA_ARGS__
#else
#define TFM_BUILT_FOR_X86_64(...)
#endif
#if defined(__aarch64__)
#define TFM_BUILT_FOR_AARCH64(...) __VA_ARGS__
#else
#define TFM_BUILT_FOR_AARCH64(...)
#endif

/* Whether this build has kernels for isa at all. */
bool tfm_isa_built(tfm_isa isa);
/* Whether it has and this processor, and the system above it, can run them. Asks the processor every time: cheap
 * enough for program start, not for inner loops. */
bool tfm_isa_usable(tfm_isa isa);
/* The best usable one; there always is one. */
tfm_isa tfm_isa_best(void);

/* "avx2", "neon-dot", ...; "unknown" for none of them. The reverse returns TFM_ISA_COUNT for an unknown name. */
const char *tfm_isa_name(tfm_isa isa);
tfm_isa tfm_isa_parse(const char *name);

/* What came of a choice. */
typedef enum tfm_isa_choice {
    TFM_ISA_CHOSEN,
    TFM_ISA_UNKNOWN,    /* no instruction set has this name */
    TFM_ISA_UNAVAILABLE /* this build has no kernels for it, or this processor cannot run them */
} tfm_isa_choice;

/* Room for the sentence of tfm_isa_select; a longer one is cut. */
enum { TFM_ISA_SENTENCE = 500 };

/*
 * The instruction set a user asks for: by name; with NULL the one the environment variable TFM_ISA names; and the best
 * usable one for "auto", for "", and with neither. *isa is set only if one is chosen, `sentence` only if none is: to
 * one sentence that says why, with the variable's name in front where that was to blame.
 */
tfm_isa_choice tfm_isa_select(const char *name, tfm_isa *isa, char sentence[TFM_ISA_SENTENCE]);

#endif
