/* golden_generate.c - every generation case of a golden checkpoint, together and one by one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "golden_settings.h"
#include "runtime/model/model.h"
#include "tests/support/outputs.h"
#include "tests/support/tap.h"

/* What may differ from the expected hypotheses, because another beam search made them (README.md). */
typedef enum latitude {
    EXACT,
    LAST_TOKEN, /* hypotheses end with the first of the end tokens, whichever it was */
    LATER_STOP, /* lists are of a search that has seen more: nowhere worse */
    UNKNOWN
} latitude;

static latitude latitude_of(const json_t *item) {
    const char *why = json_string_value(json_object_get(item, "why"));
    if (!why) return EXACT;
    if (strstr(why, "eos_token_id[0]")) return LAST_TOKEN;
    return strstr(why, "stops later") ? LATER_STOP : UNKNOWN;
}

typedef struct checker {
    const tfm_generate_params *params;
    latitude latitude;
    double largest; /* difference of scores so far; -1: none are compared */
} checker;

static void note_ids(const char *what, const int32_t *ids, size_t n) {
    printf("#   %s:", what);
    for (size_t i = 0; i < n; i++) printf(" %d", ids[i]);
    putchar('\n');
}

static bool same_ids(const checker *c, const output *got, const tfm_tokens *expected) {
    size_t n = expected->n;
    if (got->n != n) return false;
    if (c->latitude == LAST_TOKEN && got->ended && n > 0 && got->ids[n - 1] == c->params->eos_token_ids[0]) n--;
    return !memcmp(got->ids, expected->ids, n * sizeof *got->ids);
}

static bool check_score(checker *c, size_t input, const output *got, double expected, bool same) {
    double difference = fabs(got->score - expected);
    if (same && !(difference <= c->largest)) c->largest = difference;
    if (same ? difference <= GOLDEN_TOLERANCE : got->score >= expected - GOLDEN_TOLERANCE) return true;
    tap_note("input %zu: score %.9g, expected %s%.9g", input, got->score, same ? "" : "at least ", expected);
    return false;
}

/* One hypothesis against the expected one; says what is wrong. */
static bool check_hypothesis(checker *c, size_t input, const output *got, const json_t *expected) {
    tfm_tokens ids = golden_read_list(json_object_get(expected, "new_ids"));
    bool ended = json_is_true(json_object_get(expected, "ended_with_eos"));
    const json_t *score = json_object_get(expected, "sequences_score");
    bool same = same_ids(c, got, &ids) && got->ended == ended, ok = same || (c->latitude == LATER_STOP && score);
    if (!ok) {
        tap_note("input %zu: ended is %d, expected %d", input, got->ended, ended);
        note_ids("expected", ids.ids, ids.n);
        note_ids("got", got->ids, got->n);
    }
    free((void *)ids.ids);
    if (score) ok &= check_score(c, input, got, json_number_value(score), same || c->latitude != LATER_STOP);
    return ok;
}

static bool check_outputs(checker *c, const outputs *got, const json_t *expected) {
    bool ok = json_array_size(expected) == got->n;
    for (size_t i = 0; i < got->n; i++) {
        const json_t *hypotheses = json_array_get(expected, i);
        if (json_array_size(hypotheses) != got->counts[i]) {
            tap_note("input %zu: %zu hypotheses, expected %zu", i, got->counts[i], json_array_size(hypotheses));
            ok = false;
            continue;
        }
        for (size_t j = 0; j < got->counts[i]; j++)
            ok &= check_hypothesis(c, i, outputs_at(got, i, j), json_array_get(hypotheses, j));
    }
    return ok;
}

static void check_case(golden *g, const json_t *item, const tfm_input *inputs, size_t n) {
    const char *name = json_string_value(json_object_get(item, "name"));
    golden_settings settings = {.params = tfm_generate_params_default(g->model)};
    if (g->model->arch.kind == TFM_KIND_DECODER)
        settings.params.decoder_start_token_id = -1; /* prompts start by themselves, the setting says nothing */
    char why[200] = "";
    outputs *together = NULL, *singly = NULL;
    checker c = {.params = &settings.params, .latitude = latitude_of(item), .largest = -1};
    bool ok = golden_settings_apply(&settings, json_object_get(item, "kwargs"), why) &&
              golden_settings_match(&settings, json_object_get(item, "effective"), why) && c.latitude != UNKNOWN;
    if (ok) {
        tfm_status status = outputs_generate(g->session, inputs, n, &settings.params, &together, &g->error);
        if (status == TFM_OK)
            status = outputs_generate_singly(g->session, inputs, n, &settings.params, &singly, &g->error);
        if (status != TFM_OK) snprintf(why, sizeof why, "%.190s", g->error.message);
        ok = status == TFM_OK && check_outputs(&c, together, json_object_get(item, "outputs"));
        if (ok && !outputs_same(together, singly)) {
            snprintf(why, sizeof why, "one by one the results differ");
            ok = false;
        }
    }
    if (ok && c.largest >= 0) snprintf(why, sizeof why, "scores within %.3g", c.largest);
    tap_ok(ok, "%s: generate %s%s%s", g->name, name ? name : "?", *why ? ": " : "", why);
    outputs_free(&together);
    outputs_free(&singly);
    golden_settings_free(&settings);
}

/* Generation starts from `prompts` where they are, else from `sequences`. */
void golden_check_generation(golden *g) {
    static const char *const lists[] = {"generate", "generate_4_57_1_only"};
    golden_ids ids = golden_read_ids(g, json_object_get(g->expected, "prompts") ? "prompts" : "sequences");
    tfm_input *inputs = golden_allocate(ids.n, sizeof *inputs);
    for (size_t i = 0; i < ids.n; i++) inputs[i] = (tfm_input){.ids = ids.of[i].ids, .n = ids.of[i].n};
    size_t index;
    json_t *item;
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        json_array_foreach(json_object_get(g->expected, lists[k]), index, item) check_case(g, item, inputs, ids.n);
    golden_free_ids(&ids);
    free(inputs);
}
