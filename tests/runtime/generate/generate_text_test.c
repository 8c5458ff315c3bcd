/*
 * generate_text_test.c - tfm_generate_text: texts and conversations in, texts out, as they come and whole; stop
 * strings; inputs that cannot be run.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "tests/support/faults.h"
#include "tests/support/require.h"
#include "tests/support/tiny_text.h"

/* ---- what came ---- */

enum { MOST_INPUTS = 24, MOST_OUTPUTS = 4, MOST_BYTES = 4096 };

typedef struct got {
    const tfm_model *model;
    char streamed[MOST_INPUTS][MOST_OUTPUTS][MOST_BYTES], text[MOST_INPUTS][MOST_OUTPUTS][MOST_BYTES];
    size_t n_streamed[MOST_INPUTS][MOST_OUTPUTS], n[MOST_INPUTS][MOST_OUTPUTS], n_tokens[MOST_INPUTS][MOST_OUTPUTS];
    const char *stop_string[MOST_INPUTS][MOST_OUTPUTS];
    bool ended[MOST_INPUTS][MOST_OUTPUTS];
    size_t n_outputs[MOST_INPUTS], n_input_tokens[MOST_INPUTS];
    unsigned n_results[MOST_INPUTS];
    tfm_error errors[MOST_INPUTS];
    size_t n_texts, end_at, cancel_at; /* 0: never */
    bool continues;                    /* texts are compared with tfm_detokenize of their ids */
} got;

static got *got_new(const text_bench *b) {
    got *g = calloc(1, sizeof *g);
    cr_assert(g);
    g->model = b->model;
    return g;
}

static int on_text(void *user, size_t index, uint32_t output, const char *text, size_t n) {
    got *g = user;
    cr_assert(index < MOST_INPUTS && output < MOST_OUTPUTS && n > 0 && g->n_results[index] == 0);
    cr_assert(tfm_utf8_valid_prefix(text, n) == n, "input %zu: a piece of a character was given out", index);
    size_t *at = &g->n_streamed[index][output];
    cr_assert(*at + n < MOST_BYTES);
    memcpy(g->streamed[index][output] + *at, text, n);
    *at += n;
    g->n_texts++;
    if (g->n_texts == g->cancel_at) return TFM_CANCEL;
    return g->end_at && *at >= g->end_at ? TFM_END_OUTPUT : TFM_GO_ON;
}

static int on_result(void *user, size_t index, const tfm_text_result *result) {
    got *g = user;
    cr_assert(index < MOST_INPUTS && result->n <= MOST_OUTPUTS);
    g->n_results[index]++;
    g->n_outputs[index] = result->n;
    g->n_input_tokens[index] = result->n_input_tokens;
    cr_assert((result->status == TFM_OK) == (result->n > 0) && (result->status == TFM_OK) == !*result->message);
    if (result->status != TFM_OK) tfm_fail(&g->errors[index], result->status, "%s", result->message);
    for (size_t j = 0; j < result->n; j++) {
        const tfm_text_output *o = result->outputs[j];
        cr_assert(o->n < MOST_BYTES && o->text[o->n] == 0);
        memcpy(g->text[index][j], o->text, o->n);
        g->n[index][j] = o->n;
        g->n_tokens[index][j] = o->hypothesis->n;
        g->ended[index][j] = o->hypothesis->ended;
        g->stop_string[index][j] = o->stop_string;
        if (o->stop_string || g->continues) continue;
        tfm_text whole = {0};
        REQUIRE_OK(tfm_detokenize(g->model, TFM_TARGET, o->hypothesis->ids, o->hypothesis->n, true, &whole, error));
        cr_assert(whole.size == o->n && (o->n == 0 || !memcmp(whole.data, o->text, o->n)),
                  "input %zu: \"%s\", not \"%s\"", index, o->text, whole.data);
        tfm_text_free(&whole);
    }
    return 0;
}

static tfm_text_callbacks callbacks_of(got *g) {
    return (tfm_text_callbacks){
        .size = sizeof(tfm_text_callbacks), .on_text = on_text, .on_result = on_result, .user = g};
}

/* Everything that on_text brought of the first n inputs is what the result has. */
static void expect_streamed(const got *g, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < g->n_outputs[i]; j++)
            cr_assert(g->n_streamed[i][j] == g->n[i][j] && !memcmp(g->streamed[i][j], g->text[i][j], g->n[i][j]),
                      "input %zu, output %zu: \"%s\" came, \"%s\" is the result", i, j, g->streamed[i][j],
                      g->text[i][j]);
}

static tfm_message says(const char *role, const char *text) {
    return (tfm_message){.role = role, .content = text, .n = strlen(text)};
}

/* ---- whole characters ---- */

/* Long enough for every answer. */
static tfm_generate_params params_of(const text_bench *b) {
    tfm_generate_params p = tfm_generate_params_default(b->model);
    p.max_new_tokens = 40;
    return p;
}

Test(text, a_character_of_four_tokens_comes_whole) {
    text_bench b;
    text_bench_open(&b, "parrot");
    got *g = got_new(&b);
    tfm_message question = says("user", "What do you like?");
    tfm_text_input input = {.messages = &question, .n_messages = 1};
    tfm_text_callbacks callbacks = callbacks_of(g);
    tfm_generate_params p = params_of(&b);
    REQUIRE_OK(tfm_generate_text(b.session, &input, 1, &p, &callbacks, error));
    cr_assert_str_eq(g->text[0][0], PARROT_TEXT);
    cr_assert(g->n_results[0] == 1 && g->n_outputs[0] == 1 && g->ended[0][0] && !g->stop_string[0][0]);
    cr_assert(g->n_texts > 3 && g->n_tokens[0][0] == 10, "%zu pieces of %zu tokens", g->n_texts, g->n_tokens[0][0]);
    expect_streamed(g, 1);
    tfm_ids ids = {0};
    tfm_text text = {0};
    REQUIRE_OK(tfm_chat_render(b.model, &question, 1, NULL, &text, error));
    REQUIRE_OK(tfm_tokenize(b.model, TFM_SOURCE, text.data, text.size, false, &ids, error));
    cr_assert(g->n_input_tokens[0] == ids.size);
    tfm_ids_free(&ids);
    tfm_text_free(&text);
    free(g);
    text_bench_close(&b);
}

static const char *const words[] = {"a", "bird", "like", "I", "Hello", "what is it?", "\xF0\x9F\xA6\x9C", "no"};
#define N_WORDS (sizeof words / sizeof *words)

/* Random bytes among the tokens: what comes is what all ids together give. */
Test(text, what_streams_is_the_result) {
    text_bench b;
    text_bench_open(&b, "chatter");
    tfm_message questions[2 * N_WORDS];
    tfm_text_input inputs[2 * N_WORDS] = {0};
    tfm_generate_params sampled = tfm_generate_params_default(b.model), beams = sampled;
    sampled.do_sample = true;
    sampled.num_return_sequences = 3;
    sampled.max_new_tokens = 60;
    beams.num_beams = beams.num_return_sequences = 3;
    beams.max_new_tokens = 40;
    for (size_t i = 0; i < 2 * N_WORDS; i++) {
        questions[i] = says(i % 3 ? "user" : "system", words[i % N_WORDS]);
        inputs[i] = (tfm_text_input){.messages = &questions[i], .n_messages = 1};
        inputs[i].params = i % 4 == 3 ? &beams : NULL;
        if (i % 5 == 0) inputs[i].prefix = words[i % 7], inputs[i].n_prefix = strlen(words[i % 7]);
    }
    got *g = got_new(&b), *alone = got_new(&b);
    tfm_text_callbacks callbacks = callbacks_of(g);
    REQUIRE_OK(tfm_generate_text(b.session, inputs, 2 * N_WORDS, &sampled, &callbacks, error));
    size_t n_broken = 0;
    for (size_t i = 0; i < 2 * N_WORDS; i++) {
        cr_assert(g->n_results[i] == 1 && g->n_outputs[i] == 3, "input %zu: %s", i, g->errors[i].message);
        for (size_t j = 0; j < 3; j++) {
            n_broken += strstr(g->text[i][j], "\xEF\xBF\xBD") != NULL;
            if (inputs[i].prefix) cr_assert(!strncmp(g->text[i][j], inputs[i].prefix, inputs[i].n_prefix));
            if (i % 4 == 3) cr_assert(g->n_streamed[i][j] == 0, "beams do not stream");
            if (i % 4 != 3)
                cr_assert(g->n_streamed[i][j] == g->n[i][j] && !memcmp(g->streamed[i][j], g->text[i][j], g->n[i][j]));
        }
        /* Each alone, without on_text: the same. */
        memset(alone, 0, sizeof *alone);
        alone->model = b.model;
        tfm_text_callbacks quiet = callbacks_of(alone);
        quiet.on_text = NULL;
        REQUIRE_OK(tfm_generate_text(b.session, &inputs[i], 1, &sampled, &quiet, error));
        for (size_t j = 0; j < 3; j++)
            cr_assert(alone->n[0][j] == g->n[i][j] && !memcmp(alone->text[0][j], g->text[i][j], g->n[i][j]));
    }
    cr_assert(n_broken > 10, "only %zu texts have bytes that are no UTF-8: too tame a model", n_broken);
    free(g);
    free(alone);
    text_bench_close(&b);
}

/* ---- texts ---- */

/* A decoder's text is gone on with, and the output read as its continuation. */
/* A prefix that outputs are drawn to is no text that is given: what comes streams like the rest. */
Test(text, outputs_that_are_drawn_to_a_prefix_stream) {
    static const double betas[] = {0.01, 0.5, 0.999};
    text_bench b;
    text_bench_open(&b, "chatter");
    for (size_t i = 0; i < 3; i++) {
        got *g = got_new(&b);
        g->continues = true;
        tfm_generate_params p = params_of(&b);
        p.prefix_bias_beta = betas[i];
        const tfm_text_input input = {.text = "a cat", .n = 5, .prefix = " and bird", .n_prefix = 9};
        tfm_text_callbacks callbacks = callbacks_of(g);
        REQUIRE_OK(tfm_generate_text(b.session, &input, 1, &p, &callbacks, error));
        expect_streamed(g, 1);
        if (i == 2) cr_assert(strstr(g->text[0][0], input.prefix), "\"%s\"", g->text[0][0]);
        free(g);
    }
    text_bench_close(&b);
}

Test(text, continuations) {
    text_bench b;
    text_bench_open(&b, "chatter");
    got *g = got_new(&b);
    g->continues = true;
    tfm_text_input inputs[N_WORDS] = {0};
    for (size_t i = 0; i < N_WORDS; i++) inputs[i] = (tfm_text_input){.text = words[i], .n = strlen(words[i])};
    tfm_generate_params p = tfm_generate_params_default(b.model);
    p.max_new_tokens = 30;
    tfm_text_callbacks callbacks = callbacks_of(g);
    REQUIRE_OK(tfm_generate_text(b.session, inputs, N_WORDS, &p, &callbacks, error));
    expect_streamed(g, N_WORDS);
    /* What stands behind the text in the text of all ids. Only bytes that are no UTF-8 could join its last ones. */
    for (size_t i = 0; i < N_WORDS; i++) {
        tfm_ids ids = {0};
        REQUIRE_OK(tfm_tokenize(b.model, TFM_SOURCE, words[i], strlen(words[i]), true, &ids, error));
        cr_assert(g->n_input_tokens[i] == ids.size);
        tfm_ids_free(&ids);
    }
    /* An empty text begins with the start token. */
    tfm_text_input empty = {.text = "", .n = 0};
    REQUIRE_OK(tfm_generate_text(b.session, &empty, 1, &p, NULL, error));
    p.bos_token_id = -1;
    empty.no_special = true;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, &empty, 1, &p, NULL, error), "empty prompt");
    free(g);
    text_bench_close(&b);
}

/* ---- stop strings ---- */

Test(text, stop_strings) {
    text_bench b;
    text_bench_open(&b, "parrot");
    tfm_message question = says("user", "What do you like?");
    tfm_text_input input = {.messages = &question, .n_messages = 1};
    for (size_t i = 0; i < N_STOP_CASES; i++) {
        for (uint32_t num_beams = 1; num_beams <= 2; num_beams++) {
            got *g = got_new(&b);
            tfm_generate_params p = params_of(&b);
            p.num_beams = num_beams;
            p.stop_strings = stop_cases[i].stops;
            p.n_stop_strings = stop_cases[i].n;
            tfm_text_callbacks callbacks = callbacks_of(g);
            REQUIRE_OK(tfm_generate_text(b.session, &input, 1, &p, &callbacks, error));
            int which = stop_cases[i].which;
            cr_assert_str_eq(g->text[0][0], stop_cases[i].text, "case %zu: \"%s\"", i, g->text[0][0]);
            cr_assert(g->stop_string[0][0] == (which < 0 ? NULL : stop_cases[i].stops[which]), "case %zu", i);
            if (num_beams == 1) {
                expect_streamed(g, 1);
                cr_assert(g->ended[0][0] && (which < 0) == (g->n_tokens[0][0] == 10), "it ends with the stop string");
            }
            free(g);
        }
    }
    static const char *const bad[] = {"a", ""}, *const none[] = {NULL};
    tfm_generate_params p = tfm_generate_params_default(b.model);
    p.stop_strings = bad;
    p.n_stop_strings = 2;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, &input, 1, &p, NULL, error), "stop_strings");
    p.stop_strings = none;
    p.n_stop_strings = 1;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, &input, 1, &p, NULL, error), "stop_strings");
    p.stop_strings = bad;
    tfm_input ids = {.ids = (const int32_t[]){3}, .n = 1};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(b.session, &ids, 1, &p, NULL, error), "tfm_generate_text");
    text_bench_close(&b);
}

/* ---- callbacks ---- */

Test(text, callbacks_can_stop) {
    text_bench b;
    text_bench_open(&b, "parrot");
    tfm_message question = says("user", "Hello");
    tfm_text_input inputs[5];
    for (size_t i = 0; i < 5; i++) inputs[i] = (tfm_text_input){.messages = &question, .n_messages = 1};
    got *g = got_new(&b);
    g->end_at = 5;
    tfm_text_callbacks callbacks = callbacks_of(g);
    tfm_generate_params p = params_of(&b);
    REQUIRE_OK(tfm_generate_text(b.session, inputs, 5, &p, &callbacks, error));
    for (size_t i = 0; i < 5; i++)
        cr_assert(g->ended[i][0] && !strcmp(g->text[i][0], "I like"), "\"%s\"", g->text[i][0]);
    expect_streamed(g, 5);
    memset(g, 0, sizeof *g);
    g->model = b.model;
    g->cancel_at = 7;
    REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_generate_text(b.session, inputs, 5, &p, &callbacks, error), "cancelled");
    cr_assert(g->n_texts == 7);
    memset(g, 0, sizeof *g);
    g->model = b.model;
    REQUIRE_OK(tfm_generate_text(b.session, inputs, 5, &p, &callbacks, error));
    REQUIRE_OK(tfm_generate_text(b.session, inputs, 5, &p, NULL, error));
    REQUIRE_OK(tfm_generate_text(b.session, NULL, 0, NULL, &callbacks, error));
    free(g);
    text_bench_close(&b);
}

/* ---- inputs that cannot be run ---- */

Test(text, an_input_that_cannot_run_leaves_the_others_alone) {
    text_bench b;
    text_bench_open(&b, "parrot");
    static char long_text[4000];
    memset(long_text, 'a', sizeof long_text);
    tfm_message good = says("user", "Hello"), too_long = {.role = "user", .content = long_text, .n = sizeof long_text};
    tfm_message newer = {.role = "user", .content = "a", .n = 1, .reserved = {&b}};
    tfm_generate_params bad = params_of(&b), none = {.size = 0};
    bad.num_beams = 0;
    const tfm_text_input inputs[] = {
        {.messages = &good, .n_messages = 1},
        {.messages = &too_long, .n_messages = 1},
        {.messages = &good, .n_messages = 1, .text = "x", .n = 1},
        {.n = 3},
        {.messages = &good, .n_messages = 1, .params = &bad},
        {.messages = &good, .n_messages = 1, .params = &none},
        {.messages = &good, .n_messages = 1},
        {.messages = &newer, .n_messages = 1},
        {.text = "x", .n = (size_t)1 << 40},
        {.messages = &good, .n_messages = 1, .reserved = {NULL, &b}},
        {.messages = &good, .n_messages = 1},
    };
    static const tfm_status statuses[] = {TFM_OK,
                                          TFM_ERROR_LIMIT,
                                          TFM_ERROR_ARGUMENT,
                                          TFM_ERROR_ARGUMENT,
                                          TFM_ERROR_ARGUMENT,
                                          TFM_ERROR_ARGUMENT,
                                          TFM_OK,
                                          TFM_ERROR_UNSUPPORTED,
                                          TFM_ERROR_LIMIT,
                                          TFM_ERROR_UNSUPPORTED,
                                          TFM_OK};
    enum { N = sizeof inputs / sizeof *inputs };
    got *g = got_new(&b);
    tfm_text_callbacks callbacks = callbacks_of(g);
    tfm_generate_params p = params_of(&b);
    REQUIRE_OK(tfm_generate_text(b.session, inputs, N, &p, &callbacks, error));
    for (size_t i = 0; i < N; i++) {
        cr_assert(g->n_results[i] == 1 && g->errors[i].status == statuses[i], "input %zu: %u, %s", i, g->n_results[i],
                  g->errors[i].message);
        if (statuses[i] == TFM_OK) cr_assert_str_eq(g->text[i][0], PARROT_TEXT);
    }
    REQUIRE_ERROR(TFM_ERROR_LIMIT, tfm_generate_text(b.session, inputs, N, &p, NULL, error), "input 1: ");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, inputs + 2, N - 2, &p, NULL, error), "input 0: ");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, inputs, N, &none, NULL, error),
                  "tfm_generate_params.size");
    tfm_text_callbacks no_size = {.user = g};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, inputs, N, &p, &no_size, error),
                  "tfm_text_callbacks.size");
    free(g);
    text_bench_close(&b);
}

/* ---- nothing where something should be ---- */

Test(text, null_is_refused) {
    text_bench b;
    text_bench_open(&b, "parrot");
    tfm_text text = {0};
    tfm_ids ids = {0};
    tfm_message good = says("user", "Hello"), no_role = {.content = "a", .n = 1}, no_content = {.role = "user", .n = 3};
    tfm_chat_params unnamed = tfm_chat_params_default();
    const tfm_chat_variable variable = {.name = "x"};
    unnamed.n_variables = 1;
    const tfm_text_input inputs[] = {{.messages = &no_role, .n_messages = 1},
                                     {.messages = &no_content, .n_messages = 1},
                                     {.messages = &good, .n_messages = 1, .n_prefix = 4},
                                     {.messages = &good, .n_messages = 1, .chat_params = &unnamed}};
    static const char *const words_of_errors[] = {"message 0 has no role", "message 0 has no content", "prefix",
                                                  "variables at NULL"};
    for (size_t i = 0; i < 4; i++)
        REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, &inputs[i], 1, NULL, NULL, error),
                      words_of_errors[i]);
    unnamed.variables = &variable;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_chat_render(b.model, &good, 1, &unnamed, &text, error), "has no value");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_chat_render(b.model, NULL, 2, NULL, &text, error), "messages at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate_text(b.session, NULL, 2, NULL, NULL, error), "inputs at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_generate(b.session, NULL, 2, NULL, NULL, error), "inputs at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_tokenize(b.model, TFM_SOURCE, NULL, 4, true, &ids, error), "at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_tokenize_pair(b.model, "a", 1, NULL, 4, true, &ids, NULL, error), "at NULL");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_detokenize(b.model, TFM_SOURCE, NULL, 4, true, &text, error), "at NULL");
    cr_assert(ids.size == 0 && text.size == 0);
    REQUIRE_OK(tfm_tokenize(b.model, TFM_SOURCE, NULL, 0, false, &ids, error));
    REQUIRE_OK(tfm_detokenize(b.model, TFM_SOURCE, NULL, 0, true, &text, error));
    tfm_message nothing = {.role = "user"};
    REQUIRE_OK(tfm_chat_render(b.model, &nothing, 1, NULL, &text, error));
    tfm_ids_free(&ids);
    tfm_text_free(&text);
    text_bench_close(&b);
}

/* ---- any bytes at all ---- */

enum { SOME_BYTES = 40 };

/* Random bytes, or words, or both. */
static size_t some_bytes(uint64_t *random, char bytes[SOME_BYTES]) {
    size_t n = tiny_random(random) % SOME_BYTES, word = tiny_random(random) % N_WORDS;
    for (size_t i = 0; i < n; i++) bytes[i] = (char)tiny_random(random);
    if (tiny_random(random) % 2 == 0) return n;
    size_t most = strlen(words[word]), at = n > most ? tiny_random(random) % (n - most + 1) : 0;
    memcpy(bytes + at, words[word], most < n ? most : n);
    return n;
}

/* Bytes that are no UTF-8, NULs and lone words as texts, messages, prefixes: each input has one result. */
Test(text, any_bytes) {
    static const char *const stops[] = {"a", " bird", "\xF0\x9F\xA6\x9C", "zz"};
    text_bench b;
    text_bench_open(&b, "chatter");
    got *g = got_new(&b);
    uint64_t random = 23;
    size_t n_done = 0, n_stopped = 0;
    for (size_t round = 0; round < 150; round++) {
        static char bytes[8][2][SOME_BYTES];
        tfm_message messages[8];
        tfm_text_input inputs[8] = {0};
        size_t n = 1 + tiny_random(&random) % 8;
        for (size_t i = 0; i < n; i++) {
            size_t size = some_bytes(&random, bytes[i][0]);
            messages[i] = (tfm_message){.role = "user", .content = bytes[i][0], .n = size};
            if (tiny_random(&random) % 2)
                inputs[i] = (tfm_text_input){.messages = &messages[i], .n_messages = 1};
            else
                inputs[i] = (tfm_text_input){.text = bytes[i][0], .n = size};
            inputs[i].no_special = tiny_random(&random) % 4 == 0;
            inputs[i].prefix = tiny_random(&random) % 3 ? NULL : bytes[i][1];
            inputs[i].n_prefix = inputs[i].prefix ? some_bytes(&random, bytes[i][1]) : 0;
        }
        memset(g, 0, sizeof *g);
        g->model = b.model;
        g->continues = true;
        tfm_generate_params p = tfm_generate_params_default(b.model);
        p.max_new_tokens = (uint32_t)(1 + tiny_random(&random) % 30);
        p.do_sample = tiny_random(&random) % 2;
        p.num_return_sequences = p.do_sample ? (uint32_t)(1 + tiny_random(&random) % 3) : 1;
        p.stop_strings = stops;
        p.n_stop_strings = tiny_random(&random) % 5;
        tfm_text_callbacks callbacks = callbacks_of(g);
        REQUIRE_OK(tfm_generate_text(b.session, inputs, n, &p, &callbacks, error));
        expect_streamed(g, n);
        for (size_t i = 0; i < n; i++) {
            cr_assert(g->n_results[i] == 1 && g->n_outputs[i] == p.num_return_sequences, "%s", g->errors[i].message);
            n_done += g->n_outputs[i];
            for (size_t j = 0; j < g->n_outputs[i]; j++) {
                n_stopped += g->stop_string[i][j] != NULL;
                for (size_t k = 0; k < p.n_stop_strings; k++)
                    cr_assert(!memmem(g->text[i][j], g->n[i][j], stops[k], strlen(stops[k])));
            }
        }
    }
    cr_assert(n_done > 800 && n_stopped > 100, "%zu outputs, %zu of them stopped", n_done, n_stopped);
    free(g);
    text_bench_close(&b);
}

/* ---- memory ---- */

typedef struct job {
    text_bench b;
    bool embeds;
    tfm_text_callbacks callbacks;
    tfm_generate_params params;
} job;

static tfm_status run_job(job *j, tfm_error *error) {
    static const char *const texts[] = {"a story", "bird"};
    static float embeddings[2][32];
    if (j->embeds) return tfm_embed_text(j->b.session, texts, NULL, 2, NULL, embeddings[0], NULL, error);
    tfm_message question = says("user", "What do you like?");
    const tfm_text_input inputs[] = {{.messages = &question, .n_messages = 1, .prefix = "I", .n_prefix = 1},
                                     {.text = "a bird", .n = 6},
                                     {.messages = &question, .n_messages = 1}};
    return tfm_generate_text(j->b.session, inputs, 3, &j->params, &j->callbacks, error);
}

static int any_text(void *user, size_t index, uint32_t output, const char *text, size_t n) {
    (void)user, (void)index, (void)output, (void)text, (void)n;
    return TFM_GO_ON;
}

static int any_result(void *user, size_t index, const tfm_text_result *result) {
    (void)user, (void)index;
    cr_assert(result->status == TFM_OK, "%s", result->message);
    return 0;
}

/* Once more without a failure if the first has failed: the next call runs. */
static tfm_status run_twice(void *arg, tfm_error *error) {
    tfm_status status = run_job(arg, error);
    faults_end();
    tfm_error none = {0};
    if (status != TFM_OK) cr_assert_eq(run_job(arg, &none), TFM_OK, "%s", none.message);
    return status;
}

/* With every allocation failing in turn: a clean status, nothing left, and the next call runs. */
Test(text, allocations_may_fail) {
    static const char *const stops[] = {"zebra"};
    for (int way = 0; way < 4; way++) {
        job j = {
            .embeds = way == 3,
            .callbacks = {.size = sizeof j.callbacks, .on_text = way == 0 ? any_text : NULL, .on_result = any_result}};
        text_bench_open(&j.b, j.embeds ? "embedder" : "chatter");
        j.params = tfm_generate_params_default(j.b.model);
        j.params.max_new_tokens = 12;
        j.params.do_sample = way < 2;
        j.params.num_return_sequences = way == 1 ? 3 : 1;
        if (way == 1) j.params.stop_strings = stops, j.params.n_stop_strings = 1;
        REQUIRE_OK(run_job(&j, error));
        cr_assert_gt(fail_each_allocation(run_twice, &j), 4, "way %d", way);
        text_bench_close(&j.b);
    }
}
