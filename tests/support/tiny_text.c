/* tiny_text.c - see tiny_text.h. */
#include "tiny_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "require.h"

void text_bench_open(text_bench *b, const char *kind) {
    const char *folder = getenv("TFM_TINY_MODELS");
    char path[512];
    cr_assert(folder, "TFM_TINY_MODELS is not set");
    snprintf(path, sizeof path, "%s/%s.bin", folder, kind);
    REQUIRE_OK(tfm_model_open(&b->model, path, NULL, error));
    REQUIRE_OK(tfm_session_create(&b->session, b->model, NULL, error));
}

void text_bench_close(text_bench *b) {
    tfm_session_free(&b->session);
    tfm_model_close(&b->model);
}

#define SPACE "\xE2\x96\x81"

void text_bench_parrot_ids(const text_bench *b, int32_t ids[PARROT_TOKENS]) {
    static const char *const pieces[PARROT_TOKENS] = {SPACE "I", SPACE "like", SPACE "a", SPACE,       "<0xF0>",
                                                      "<0x9F>",  "<0xA6>",     "<0x9C>",  SPACE "bird"};
    for (size_t i = 0; i < PARROT_TOKENS; i++) {
        ids[i] = tfm_token_id(b->model, TFM_TARGET, pieces[i], strlen(pieces[i]));
        cr_assert(ids[i] >= 0, "the parrot has no %s", pieces[i]);
    }
}

const stop_case stop_cases[N_STOP_CASES] = {
    {{"like"}, 1, "I ", 0},
    {{" a "}, 1, "I like", 0},
    {{"bird!", "zebra"}, 2, PARROT_TEXT, -1},
    {{"bird"}, 1, "I like a \xF0\x9F\xA6\x9C ", 0},
    {{"bird", "\xF0\x9F\xA6\x9C"}, 2, "I like a ", 1},
    {{"I"}, 1, "", 0},
    {{"ke a", "like a", "e a \xF0"}, 3, "I ", 1},
    {{"birds", "d"}, 2, "I like a \xF0\x9F\xA6\x9C bir", 1},
};
