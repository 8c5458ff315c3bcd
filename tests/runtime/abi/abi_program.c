/*
 * abi_program.c - a program built against another version's header (tfm_of_another_version.h) that runs with the
 * library of today: abi_program MODEL, for a model whose sources and targets have 37 tokens or more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tfm_of_another_version.h"

static int n_tests, n_failed;

static void ok(bool passed, const char *what, const tfm_error *error) {
    printf("%s %d - %s\n", passed ? "ok" : "not ok", ++n_tests, what);
    if (!passed) printf("# status %d: %s\n", error->status, error->message);
    n_failed += !passed;
}

/* Structs stand before memory that nobody may write to. */
#define GUARDED(type, name)                                                                                            \
    struct {                                                                                                           \
        type it;                                                                                                       \
        unsigned char guard[64];                                                                                       \
    } name;                                                                                                            \
    memset(&name, 0xA5, sizeof name)

static bool intact(const unsigned char guard[64]) {
    for (size_t i = 0; i < 64; i++)
        if (guard[i] != 0xA5) return false;
    return true;
}

static int32_t ids[64];
static size_t n_ids, n_results, n_tokens;

static int on_token(void *user, size_t index, uint32_t output, int32_t id) {
    (void)user, (void)index, (void)output, (void)id;
    n_tokens++;
    return 0;
}

static int on_result(void *user, size_t index, const tfm_result *result) {
    (void)user, (void)index;
    n_results++;
    if (result->status != 0 || result->n != 2) return 1;
    const tfm_hypothesis *h = result->hypotheses[1]; /* the second: arrays are of pointers */
    for (n_ids = 0; n_ids < h->n && n_ids < 64; n_ids++) ids[n_ids] = h->ids[n_ids];
    return 0;
}

int main(int argc, char **argv) {
    tfm_error error = {0};
    tfm_model *model = NULL;
    tfm_session *session = NULL;
    if (argc != 2) return 2;
    GUARDED(tfm_model_params, model_params);
    tfm_model_params_init(&model_params.it, sizeof model_params.it);
    model_params.it.isa = "scalar";
    ok(intact(model_params.guard) && model_params.it.size == sizeof model_params.it, "tfm_model_params_init", &error);
    ok(tfm_model_open(&model, argv[1], &model_params.it, &error) == 0, "tfm_model_open", &error);
    GUARDED(tfm_model_info, info);
    tfm_model_info_read(model, &info.it, sizeof info.it);
    ok(intact(info.guard) && !strcmp(info.it.isa, "scalar") && *info.it.family, "tfm_model_info_read", &error);
    GUARDED(tfm_session_params, session_params);
    tfm_session_params_init(&session_params.it, sizeof session_params.it);
    ok(intact(session_params.guard) && session_params.it.max_sequences == 128, "tfm_session_params_init", &error);
    session_params.it.max_sequences = 3;
    ok(tfm_session_create(&session, model, &session_params.it, &error) == 0, "tfm_session_create", &error);
    GUARDED(tfm_generate_params, params);
    tfm_generate_params_init(&params.it, sizeof params.it, model);
    ok(intact(params.guard) && params.it.num_beams > 0, "tfm_generate_params_init", &error);
    params.it.num_beams = 3;
    params.it.num_return_sequences = 2;
    params.it.max_new_tokens = 7;
    GUARDED(tfm_generate_callbacks, callbacks);
    tfm_generate_callbacks_init(&callbacks.it, sizeof callbacks.it);
    ok(intact(callbacks.guard) && !callbacks.it.on_result, "tfm_generate_callbacks_init", &error);
    callbacks.it.on_token = on_token;
    callbacks.it.on_result = on_result;
    static const int32_t source[] = {3, 14, 15, 9};
    const tfm_input inputs[] = {{.ids = source, .n = 4}, {.ids = source + 1, .n = 3, .params = &params.it}};
    ok(tfm_generate(session, inputs, 2, &params.it, &callbacks.it, &error) == 0 && n_results == 2 && n_ids > 0 &&
           n_ids <= 7 && n_tokens == 0,
       "tfm_generate", &error);
    params.it.num_beams = params.it.num_return_sequences = 4; /* it was read: the session holds three */
    ok(tfm_generate(session, inputs, 2, &params.it, &callbacks.it, &error) == 1 &&
           strstr(error.message, "num_beams is 4"),
       "what it sets is read", &error);
    params.it.num_beams = 3, params.it.num_return_sequences = 2;
#ifdef ABI_NEWER
    params.it.grammar = "root";
    ok(tfm_generate(session, inputs, 2, &params.it, &callbacks.it, &error) == 6 &&
           strstr(error.message, "tfm_generate_params is of a newer version"),
       "what the library does not know is refused, not left out", &error);
    params.it.grammar = NULL;
    callbacks.it.more = &params;
    ok(tfm_generate(session, inputs, 2, &params.it, &callbacks.it, &error) == 6 &&
           strstr(error.message, "tfm_generate_callbacks is of a newer version"),
       "of callbacks, too", &error);
#endif
    tfm_session_free(&session);
    tfm_model_close(&model);
    printf("1..%d\n", n_tests);
    return n_failed > 0;
}
