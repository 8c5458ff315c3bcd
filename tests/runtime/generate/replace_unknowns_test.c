/* replace_unknowns_test.c - tokens that the target vocabulary lacks, replaced by what stands in the source. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "tests/support/require.h"

TestSuite(replace_unknowns, .timeout = 120);

#define SOURCE "Ein Mann mit \xE6\x97\xA5\xE6\x9C\xAC spielt."
#define NIPPON "\xE6\x97\xA5\xE6\x9C\xAC"
enum { MOST = 12 };

static tfm_model *open_model(void) {
    tfm_model *model;
    const char *path = getenv("TFM_MODEL");
    cr_assert(path, "TFM_MODEL is not set; run the tests through meson");
    REQUIRE_OK(tfm_model_open(&model, path, NULL, error));
    return model;
}

/* An output of pieces with spaces between them, each of which looks at one column of the source. */
typedef struct output {
    tfm_hypothesis hypothesis;
    int32_t ids[MOST];
    float attention[MOST * MOST];
} output;

static void make_output(const tfm_model *model, const char *pieces, const char *looks_at, size_t n_source, output *o) {
    char copy[200];
    *o = (output){.hypothesis = {.n = 0}};
    snprintf(copy, sizeof copy, "%s", pieces);
    for (char *rest = copy, *piece; (piece = strtok_r(rest, " ", &rest)); o->hypothesis.n++) {
        const size_t t = o->hypothesis.n;
        o->ids[t] = tfm_token_id(model, TFM_TARGET, piece, strlen(piece));
        cr_assert_geq(o->ids[t], 0, "%s", piece);
        for (size_t i = 0; i < n_source && looks_at[t] != 'p'; i++)
            o->attention[t * n_source + i] = 0.01f * (float)(n_source - i);
        if (looks_at[t] != '-' && looks_at[t] != 'p') o->attention[t * n_source + (size_t)(looks_at[t] - '0')] = 0.9f;
    }
    o->hypothesis.ids = o->ids;
    o->hypothesis.attention = o->attention;
}

static const struct {
    const char *source, *pieces, *looks_at; /* a column for each piece; "-": it does not matter; "p": nowhere */
    size_t cut;                             /* source tokens that the input has, then </s> */
    const char *text;
} cases[] = {
    /* Ein Mann mit _ ? spielt . </s> */
    {SOURCE, "\u2581A \u2581man \u2581plays . </s>", "-----", 7, "A man plays."},
    {SOURCE, "\u2581A \u2581man \u2581with <unk> \u2581plays . </s>", "---4---", 7, "A man with " NIPPON " plays."},
    {SOURCE, "\u2581A \u2581 <unk> . </s>", "--4--", 7, "A " NIPPON "."},
    {SOURCE, "<unk> \u2581plays . </s>", "4---", 7, NIPPON " plays."},
    {SOURCE, "<unk> <unk> <unk> . </s>", "154--", 7, "Mann spielt " NIPPON "."},
    {SOURCE, "\u2581A <unk> </s>", "-6-", 7, "A."},
    {SOURCE, "\u2581A <unk> </s>", "-7-", 7, "A Ein"},             /* </s> is no text: the next best */
    {SOURCE, "\u2581A <unk> . </s>", "-1--", 3, "A Mann."},        /* the input was cut */
    {SOURCE, "\u2581A <unk> <unk> . </s>", "-p1--", 7, "A Mann."}, /* tokens of a prefix look at nothing */
    {"", "\u2581A <unk> . </s>", "----", 0, "A."},
    {NIPPON " und " NIPPON NIPPON ".", "<unk> \u2581and <unk>", "1-4", 6, NIPPON " and " NIPPON NIPPON},
};

static tfm_status run(const tfm_model *model, size_t i, tfm_text *text, tfm_error *problem) {
    tfm_ids ids = {0};
    output o;
    REQUIRE_OK(tfm_tokenize(model, TFM_SOURCE, cases[i].source, strlen(cases[i].source), true, &ids, error));
    ids.data[cases[i].cut] = 0;
    ids.size = cases[i].cut + 1;
    make_output(model, cases[i].pieces, cases[i].looks_at, ids.size, &o);
    tfm_status status = tfm_replace_unknowns(model, cases[i].source, strlen(cases[i].source), ids.data, ids.size,
                                             &o.hypothesis, text, problem);
    tfm_ids_free(&ids);
    return status;
}

Test(replace_unknowns, by_what_stands_there) {
    tfm_model *model = open_model();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tfm_text text = {0};
        REQUIRE_OK(run(model, i, &text, error));
        cr_expect(text.size == strlen(cases[i].text) && memcmp(text.data, cases[i].text, text.size) == 0,
                  "%s: '%.*s', not '%s'", cases[i].pieces, (int)text.size, text.data, cases[i].text);
        tfm_text_free(&text);
    }
    tfm_model_close(&model);
}

Test(replace_unknowns, refused) {
    tfm_model *model = open_model();
    tfm_text text = {0};
    const int32_t ids[] = {1};
    tfm_hypothesis h = {.ids = ids, .n = 1};
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_replace_unknowns(model, "a", 1, ids, 1, &h, &text, error), "attention");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_replace_unknowns(model, "a", 1, ids, 1, NULL, &text, error), "attention");
    tfm_model_close(&model);
}

/* ---- whole ---- */

typedef struct got {
    char text[400];
    tfm_status status;
} got;

static int on_result(void *user, size_t index, const tfm_text_result *result) {
    got *g = (got *)user + index;
    g->status = result->status;
    if (result->status != TFM_OK) return 0;
    snprintf(g->text, sizeof g->text, "%.*s", (int)result->outputs[0]->n, result->outputs[0]->text);
    return 0;
}

/* A bias makes the model say that it does not know. */
Test(replace_unknowns, of_generated_texts) {
    tfm_model *model = open_model();
    tfm_session *session;
    REQUIRE_OK(tfm_session_create(&session, model, NULL, error));
    tfm_generate_params params = tfm_generate_params_default(model);
    const tfm_logit_bias bias = {1, 12};
    params.num_beams = 1;
    params.max_new_tokens = 4; /* the last one is </s> */
    params.logit_bias = &bias;
    params.n_logit_bias = 1;
    const tfm_text_input inputs[] = {{.text = SOURCE, .n = sizeof SOURCE - 1}};
    got plain = {0}, replaced = {0}, refused = {0};
    tfm_text_callbacks callbacks = {.size = sizeof callbacks, .on_result = on_result, .user = &plain};
    REQUIRE_OK(tfm_generate_text(session, inputs, 1, &params, &callbacks, error));
    cr_expect_str_eq(plain.text, "");
    params.replace_unknowns = true;
    callbacks.user = &replaced;
    REQUIRE_OK(tfm_generate_text(session, inputs, 1, &params, &callbacks, error));
    cr_expect_str_eq(replaced.text, "Mann Mann spielt");
    const char *const stop[] = {"x"};
    params.stop_strings = stop;
    params.n_stop_strings = 1;
    callbacks.user = &refused;
    tfm_error error;
    cr_expect_eq(tfm_generate_text(session, inputs, 1, &params, &callbacks, &error), TFM_ERROR_ARGUMENT);
    tfm_session_free(&session);
    tfm_model_close(&model);
}
