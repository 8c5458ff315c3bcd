/* isa_test.c - the ladder of instruction sets, and the choice of one by name (simd/isa.h). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simd/isa.h"
#include "simd/kernels.h"

static const char all_names[] = "auto, scalar, neon, neon-dot, avx2, avx2-vnni, avx512 and avx512-vnni";

static const char *choose(const char *name, tfm_isa_choice expected) {
    static char sentence[TFM_ISA_SENTENCE];
    tfm_isa isa = TFM_ISA_COUNT;
    tfm_isa_choice choice = tfm_isa_select(name, &isa, sentence);
    cr_assert_eq(choice, expected, "%s: %d", name ? name : "NULL", (int)choice);
    cr_assert_eq(isa, TFM_ISA_COUNT, "a refused choice sets nothing");
    return sentence;
}

static void choose_well(const char *name, tfm_isa expected) {
    char sentence[TFM_ISA_SENTENCE] = "as it was";
    tfm_isa isa = TFM_ISA_COUNT;
    cr_assert_eq(tfm_isa_select(name, &isa, sentence), TFM_ISA_CHOSEN, "%s", sentence);
    cr_assert_eq(isa, expected, "%s: %s", name ? name : "NULL", tfm_isa_name(isa));
    cr_assert_str_eq(sentence, "as it was");
}

Test(isa, names_and_tables) {
    for (tfm_isa isa = 0; isa < TFM_ISA_COUNT; isa++) {
        cr_assert_eq(tfm_isa_parse(tfm_isa_name(isa)), isa);
        const tfm_kernels *k = tfm_kernels_get(isa);
        cr_assert_eq(k != NULL, tfm_isa_usable(isa));
        cr_assert(tfm_isa_built(isa) || !tfm_isa_usable(isa), "%s", tfm_isa_name(isa));
        if (k) cr_assert_eq(k->isa, isa);
    }
    cr_assert(tfm_isa_usable(TFM_ISA_SCALAR));
#if defined(__aarch64__)
    cr_assert(tfm_isa_usable(TFM_ISA_NEON), "every AArch64 processor has NEON");
#endif
    cr_assert_eq(tfm_isa_parse("sse9"), TFM_ISA_COUNT);
    cr_assert_eq(tfm_isa_parse(""), TFM_ISA_COUNT);
    cr_assert_str_eq(tfm_isa_name(TFM_ISA_COUNT), "unknown");
    cr_assert_not(tfm_isa_built(TFM_ISA_COUNT));
    cr_assert_not(tfm_isa_usable(TFM_ISA_COUNT));
    cr_assert_null(tfm_kernels_get(TFM_ISA_COUNT));
}

/* A build has the sets of one machine; the best is the last that can run, and what a later set needs it has too. */
Test(isa, ladder) {
    cr_assert(tfm_isa_usable(tfm_isa_best()));
    for (tfm_isa isa = tfm_isa_best() + 1; isa < TFM_ISA_COUNT; isa++) cr_assert_not(tfm_isa_usable(isa));
    bool x86 = tfm_isa_built(TFM_ISA_AVX2), arm = tfm_isa_built(TFM_ISA_NEON);
    cr_assert_not(x86 && arm);
    for (tfm_isa isa = TFM_ISA_NEON; isa <= TFM_ISA_NEON_DOT; isa++) cr_assert_eq(tfm_isa_built(isa), arm);
    for (tfm_isa isa = TFM_ISA_AVX2; isa <= TFM_ISA_AVX512_VNNI; isa++) cr_assert_eq(tfm_isa_built(isa), x86);
    cr_assert(tfm_isa_usable(TFM_ISA_NEON) || !tfm_isa_usable(TFM_ISA_NEON_DOT));
    cr_assert(tfm_isa_usable(TFM_ISA_AVX2) || !tfm_isa_usable(TFM_ISA_AVX2_VNNI));
    cr_assert(tfm_isa_usable(TFM_ISA_AVX2) || !tfm_isa_usable(TFM_ISA_AVX512));
    cr_assert(tfm_isa_usable(TFM_ISA_AVX512) || !tfm_isa_usable(TFM_ISA_AVX512_VNNI));
}

Test(isa, select_by_name) {
    setenv("TFM_ISA", "nonsense", 1); /* not asked, as there is a name */
    choose_well("auto", tfm_isa_best());
    choose_well("", tfm_isa_best());
    for (tfm_isa isa = 0; isa < TFM_ISA_COUNT; isa++) {
        const char *name = tfm_isa_name(isa);
        char expected[TFM_ISA_SENTENCE];
        if (tfm_isa_usable(isa)) {
            choose_well(name, isa);
            continue;
        }
        snprintf(expected, sizeof expected,
                 tfm_isa_built(isa) ? "this processor cannot run %s; the best it can is %s"
                                    : "this build has no kernels for %s; the best here is %s",
                 name, tfm_isa_name(tfm_isa_best()));
        cr_assert_str_eq(choose(name, TFM_ISA_UNAVAILABLE), expected);
    }
    char expected[TFM_ISA_SENTENCE];
    snprintf(expected, sizeof expected, "unknown instruction set \"AVX2\"; known are %s", all_names);
    cr_assert_str_eq(choose("AVX2", TFM_ISA_UNKNOWN), expected);
    /* However long the name, the sentence keeps to its room. */
    char name[2 * TFM_ISA_SENTENCE];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(strlen(choose(name, TFM_ISA_UNKNOWN)), TFM_ISA_SENTENCE - 1);
}

Test(isa, select_from_the_environment) {
    unsetenv("TFM_ISA");
    choose_well(NULL, tfm_isa_best());
    setenv("TFM_ISA", "", 1);
    choose_well(NULL, tfm_isa_best());
    setenv("TFM_ISA", "auto", 1);
    choose_well(NULL, tfm_isa_best());
    setenv("TFM_ISA", "scalar", 1);
    choose_well(NULL, TFM_ISA_SCALAR);
    setenv("TFM_ISA", "sse9", 1);
    char expected[TFM_ISA_SENTENCE];
    snprintf(expected, sizeof expected, "TFM_ISA: unknown instruction set \"sse9\"; known are %s", all_names);
    cr_assert_str_eq(choose(NULL, TFM_ISA_UNKNOWN), expected);
    const char *foreign = tfm_isa_built(TFM_ISA_NEON) ? "avx2" : "neon";
    setenv("TFM_ISA", foreign, 1);
    snprintf(expected, sizeof expected, "TFM_ISA: this build has no kernels for %s; the best here is %s", foreign,
             tfm_isa_name(tfm_isa_best()));
    cr_assert_str_eq(choose(NULL, TFM_ISA_UNAVAILABLE), expected);
}
