/* run_tfmpack.c - see run_tfmpack.h. */
#include "run_tfmpack.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { MAX_WORDS = 40 };

static void put_words(const char *const *arguments, const char **words) {
    size_t n = 0;
    words[n++] = getenv("TFM_PACK_TOOL");
    cr_assert(words[0], "TFM_PACK_TOOL must name the command");
    while (*arguments && n < MAX_WORDS - 1) words[n++] = *arguments++;
    words[n] = NULL;
}

outcome run_tfmpack(const char *const *arguments) {
    const char *words[MAX_WORDS];
    put_words(arguments, words);
    return run_program(words, NULL);
}

dialog start_tfmpack(const char *const *arguments) {
    const char *words[MAX_WORDS];
    put_words(arguments, words);
    return start_dialog(words);
}
