/* attention_tap_test.c - attention weights that a tap gets, against the double-precision reference and each other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor_reference.h"
#include "format/grow.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

#define ALL_KINDS (TFM_ATTENTION_ENCODER | TFM_ATTENTION_SELF | TFM_ATTENTION_CROSS)

/* ---- what is heard ---- */

/* A copy of an event; weights (n_heads, n_queries, n_keys). */
typedef struct heard {
    tfm_attention_event event;
    float *weights;
} heard;

typedef struct ear {
    heard *events;
    size_t n, capacity;
    size_t stop_at; /* the event whose callback asks to stop; 0: none */
} ear;

static int hear(void *user, const tfm_attention_event *event) {
    ear *e = user;
    size_t n = event->n_heads * event->n_queries * event->n_keys;
    cr_assert(tfm_grow(&e->events, &e->capacity, e->n, 1, sizeof *e->events));
    heard *h = &e->events[e->n++];
    *h = (heard){.event = *event, .weights = malloc(n * sizeof *h->weights)};
    cr_assert(h->weights);
    memcpy(h->weights, event->weights, n * sizeof *h->weights);
    return e->n == e->stop_at;
}

static void forget(ear *e) {
    for (size_t i = 0; i < e->n; i++) free(e->events[i].weights);
    free(e->events);
    *e = (ear){0};
}

static tfm_attention_tap tap_of(ear *e, unsigned kinds) {
    tfm_attention_tap tap = tfm_attention_tap_default();
    cr_assert(tap.kinds == ALL_KINDS && tap.layer == -1 && !tap.on_attention);
    tap.kinds = kinds;
    tap.on_attention = hear;
    tap.user = e;
    return tap;
}

static const heard *find(const ear *e, tfm_attention_kind kind, uint32_t layer) {
    for (size_t i = 0; i < e->n; i++)
        if (e->events[i].event.kind == kind && e->events[i].event.layer == layer) return &e->events[i];
    return NULL;
}

static const float *row_of(const heard *h, size_t head, size_t query) {
    return h->weights + (head * h->event.n_queries + query) * h->event.n_keys;
}

/* ---- against the reference ---- */

typedef struct comparison {
    const ear *ear;
    double tolerance;
    size_t n_rows;
} comparison;

/* Every weight of the reference, and 0 for every other key. */
static void compare(void *user, const reference_place *place, const double *weights, size_t n) {
    comparison *c = user;
    const heard *h = find(c->ear, place->kind, place->layer);
    cr_assert(h, "nothing was heard of kind %d, layer %u", (int)place->kind, place->layer);
    cr_assert(place->head < h->event.n_heads && h->event.first == 0 && place->query < h->event.n_queries &&
              place->begin + n <= h->event.n_keys);
    const float *row = row_of(h, place->head, place->query);
    for (size_t k = 0; k < h->event.n_keys; k++) {
        bool seen = k >= place->begin && k < place->begin + n;
        double expected = seen ? weights[k - place->begin] : 0, difference = fabs((double)row[k] - expected);
        cr_assert(seen ? difference <= c->tolerance : row[k] == 0,
                  "kind %d, layer %u, head %zu, query %zu, key %zu: %.9g, expected %.9g (tolerance %.3g)",
                  (int)place->kind, place->layer, place->head, place->query, k, (double)row[k], expected, c->tolerance);
    }
    c->n_rows++;
}

/*
 * A weight is exp of the difference of two scores. Scores are as far off as states are (they are sums of products of
 * them, of about the same size), and the weight of a score that is off by t is off by less than 2 t, being at most 1.
 */
static double tolerance(const tiny_model *model, size_t n_positions) {
    return 2 * reference_tolerance(model, n_positions, 4);
}

static void check_sizes(fixture *f, size_t n_source, size_t n_target) {
    const tiny_config *c = &f->tiny->config;
    bool encodes = strstr(c->kind, "encoder"), decodes = strstr(c->kind, "decoder");
    int32_t source_ids[320], target_ids[320], source = -1;
    ear e = {0};
    tfm_attention_tap tap = tap_of(&e, ALL_KINDS);
    REQUIRE_OK(tfm_session_tap_attention(f->session, &tap, error));
    double *encoded = calloc(n_source * f->d, sizeof *encoded), *states = calloc(n_target * f->d, sizeof *states);
    double *logits = calloc(n_target * f->vocab, sizeof *logits);
    cr_assert(encoded && states && logits);
    comparison all = {.ear = &e, .tolerance = tolerance(f->tiny, n_source + n_target)};
    size_t n_rows = 0;
    if (encodes) {
        fixture_ids(source_ids, n_source, c->encoder.vocab_size, n_source);
        source = fixture_source(f, source_ids, n_source);
        n_rows += (size_t)c->encoder.n_layers * c->encoder.n_heads * n_source;
    }
    if (decodes) {
        fixture_ids(target_ids, n_target, f->vocab, n_target + 1000);
        int32_t sequence = fixture_sequence(f, source);
        fixture_feed(f, sequence, target_ids, n_target, NULL);
        tfm_sequence_free(f->session, sequence);
        n_rows += (size_t)c->decoder.n_layers * c->decoder.n_heads * n_target * (encodes ? 2 : 1);
    }
    reference_listen(compare, &all);
    if (encodes) reference_encode(f->tiny, source_ids, NULL, n_source, encoded);
    if (decodes) reference_decode(f->tiny, target_ids, n_target, encodes ? encoded : NULL, n_source, states, logits);
    reference_listen(NULL, NULL);
    cr_assert(all.n_rows == n_rows, "%zu rows of weights, expected %zu", all.n_rows, n_rows);
    cr_assert(e.n == (encodes ? c->encoder.n_layers : 0) + (decodes ? c->decoder.n_layers * (encodes ? 2 : 1) : 0));
    tfm_source_free(f->session, source);
    forget(&e);
    free(encoded);
    free(states);
    free(logits);
}

static void check_config(const tiny_config *config) {
    fixture f;
    fixture_open(&f, config, NULL);
    check_sizes(&f, 1, 1);
    check_sizes(&f, 7, 17);
    check_sizes(&f, 33, 5);
    fixture_close(&f);
}

Test(attention_tap, weights_of_every_kind_layer_and_head) {
    fixture f;
    check_config(NULL);
    fixture_open(&f, NULL, NULL); /* over more than one block of positions and more than one tile of queries */
    check_sizes(&f, 300, 290);
    fixture_close(&f);
    tiny_config c = tiny_config_default();
    c.kind = "encoder";
    check_config(&c);
    c.encoder.n_heads = 4; /* query heads that share keys */
    c.encoder.n_kv_heads = 2;
    check_config(&c);
}

Test(attention_tap, weights_with_windows_caps_and_shared_keys) {
    for (uint32_t window = 0; window <= 12; window += 3) {
        tiny_config c = tiny_config_decoder();
        c.decoder.window = window;
        c.decoder.n_layers = 3;
        c.decoder.soft_cap = window % 2 ? 0 : 0.8;
        check_config(&c);
    }
}

Test(attention_tap, weights_with_biases_of_positions) {
    static const char *const kinds[] = {"encoder-decoder", "encoder", "decoder"};
    for (size_t i = 0; i < 6; i++) {
        tiny_config c = tiny_config_default();
        c.kind = kinds[i % 3];
        c.encoder.position_table = c.decoder.position_table = false;
        c.encoder.position_word = c.decoder.position_word = i < 3 ? "alibi" : "relative";
        c.encoder.relative_buckets = 8;
        c.decoder.relative_buckets = 7;
        c.encoder.relative_max_distance = c.decoder.relative_max_distance = 19;
        check_config(&c);
    }
}

Test(attention_tap, weights_with_rotations_and_parallel_sublayers) {
    for (uint32_t sublayers = 0; sublayers < 3; sublayers++) {
        tiny_config c = tiny_config_decoder();
        c.decoder.position_word = "rope";
        c.decoder.rope_dim = 6;
        c.decoder.qk_norm = sublayers % 2;
        c.decoder.sublayers = sublayers;
        check_config(&c);
    }
}

/* ---- events ---- */

static const int32_t source_ids[] = {3, 4, 5, 6, 7};

/* In the order of layers, then of sequences; every one says where its queries stand. */
Test(attention_tap, events_come_in_order) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    ear e = {0};
    tfm_attention_tap tap = tap_of(&e, ALL_KINDS);
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    tfm_tokens inputs[2] = {{source_ids, 5}, {source_ids, 3}};
    int32_t sources[2], a, b;
    REQUIRE_OK(tfm_encode(f.session, inputs, 2, sources, NULL, error));
    cr_assert(e.n == 4);
    for (size_t i = 0; i < 4; i++) {
        const tfm_attention_event *v = &e.events[i].event;
        cr_assert(v->kind == TFM_ATTENTION_ENCODER && v->layer == i / 2 && v->sequence == sources[i % 2] &&
                  v->n_heads == 3 && v->first == 0 && v->n_queries == inputs[i % 2].n && v->n_keys == v->n_queries);
    }
    forget(&e);
    a = fixture_sequence(&f, sources[0]);
    b = fixture_sequence(&f, sources[1]);
    fixture_feed(&f, b, source_ids, 4, NULL);
    forget(&e);
    tfm_span spans[2] = {{.sequence = b, .ids = source_ids, .n = 2}, {.sequence = a, .ids = source_ids, .n = 3}};
    REQUIRE_OK(tfm_decode(f.session, spans, 2, error));
    cr_assert(e.n == 8); /* layers, self and cross, sequences */
    for (size_t i = 0; i < 8; i++) {
        const tfm_attention_event *v = &e.events[i].event;
        bool cross = i / 2 % 2, second = i % 2;
        cr_assert(v->kind == (cross ? TFM_ATTENTION_CROSS : TFM_ATTENTION_SELF) && v->layer == i / 4 &&
                  v->sequence == (second ? a : b) && v->first == (second ? 0 : 4) && v->n_queries == (second ? 3 : 2));
        cr_assert(v->n_keys == (cross ? (second ? 5 : 3) : v->first + v->n_queries));
    }
    forget(&e);
    fixture_close(&f);
}

Test(attention_tap, layers_and_kinds_are_chosen) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    ear e = {0};
    tfm_attention_tap tap = tap_of(&e, TFM_ATTENTION_CROSS);
    tap.layer = 1;
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    int32_t source = fixture_source(&f, source_ids, 5), sequence = fixture_sequence(&f, source);
    fixture_feed(&f, sequence, source_ids, 3, NULL);
    cr_assert(e.n == 1 && e.events[0].event.kind == TFM_ATTENTION_CROSS && e.events[0].event.layer == 1);
    REQUIRE_OK(tfm_session_tap_attention(f.session, NULL, error));
    fixture_feed(&f, sequence, source_ids, 3, NULL);
    cr_assert(e.n == 1, "a tap that was ended hears nothing");
    forget(&e);
    fixture_close(&f);
}

/* tfm_analyze counts its inputs, over all of its passes. */
Test(attention_tap, inputs_of_encoders_are_numbered) {
    fixture f;
    tiny_config c = tiny_config_default();
    c.kind = "encoder";
    tfm_session_params few = tfm_session_params_default();
    few.max_sources = 2;
    fixture_open(&f, &c, &few);
    ear e = {0};
    tfm_attention_tap tap = tap_of(&e, TFM_ATTENTION_ENCODER);
    tap.layer = 0;
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    tfm_example examples[5];
    for (size_t i = 0; i < 5; i++) examples[i] = (tfm_example){.ids = source_ids, .n = i + 1};
    REQUIRE_OK(tfm_analyze(f.session, examples, 5, NULL, NULL, error));
    cr_assert(e.n == 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert(e.events[i].event.sequence == (int32_t)i && e.events[i].event.n_queries == i + 1);
    forget(&e);
    fixture_close(&f);
}

/* ---- the same bits ---- */

/* However a sequence is cut into calls, a query's weights are the same bits; the keys after it have weight 0. */
static void check_cuts(const tiny_config *config, tfm_kv_type kv_type) {
    enum { N = 40 };
    fixture f;
    tfm_session_params params = tfm_session_params_default();
    params.kv_type = kv_type;
    fixture_open(&f, config, &params);
    int32_t ids[N];
    fixture_ids(ids, N, 37, 2);
    int32_t source = fixture_source(&f, source_ids, 5), sequence = fixture_sequence(&f, source);
    ear whole = {0}, pieces = {0};
    tfm_attention_tap tap = tap_of(&whole, TFM_ATTENTION_SELF | TFM_ATTENTION_CROSS);
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    fixture_feed(&f, sequence, ids, N, NULL);
    tap.user = &pieces;
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    for (size_t piece = 1; piece < N; piece += 6) {
        tfm_sequence_truncate(f.session, sequence, 0);
        for (size_t at = 0; at < N; at += piece)
            fixture_feed(&f, sequence, ids + at, N - at < piece ? N - at : piece, NULL);
        for (size_t i = 0; i < pieces.n; i++) {
            const tfm_attention_event *v = &pieces.events[i].event;
            const heard *same = find(&whole, v->kind, v->layer);
            for (size_t h = 0; h < v->n_heads; h++) {
                for (size_t q = 0; q < v->n_queries; q++) {
                    const float *expected = row_of(same, h, v->first + q);
                    cr_assert(!memcmp(row_of(&pieces.events[i], h, q), expected, v->n_keys * sizeof *expected),
                              "pieces of %zu: kind %d, layer %u, head %zu, query %zu", piece, (int)v->kind, v->layer, h,
                              v->first + q);
                    for (size_t k = v->n_keys; k < same->event.n_keys; k++) cr_assert(expected[k] == 0);
                }
            }
        }
        forget(&pieces);
    }
    forget(&whole);
    fixture_close(&f);
}

Test(attention_tap, cuts_do_not_matter) {
    check_cuts(NULL, TFM_KV_F32);
    tiny_config c = tiny_config_decoder();
    c.decoder.position_word = "alibi";
    c.decoder.window = 9;
    c.decoder.soft_cap = 2;
    for (int type = TFM_KV_F32; type <= TFM_KV_INT8; type++) check_cuts(&c, (tfm_kv_type)type);
}

/* Listening changes no logits and no hypotheses. */
Test(attention_tap, listening_changes_nothing) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    float before[5 * 37], after[5 * 37];
    ear e = {0};
    tfm_attention_tap tap = tap_of(&e, ALL_KINDS);
    int32_t source = fixture_source(&f, source_ids, 5), sequence = fixture_sequence(&f, source);
    fixture_feed(&f, sequence, source_ids, 5, before);
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    tfm_sequence_truncate(f.session, sequence, 0);
    source = fixture_source(&f, source_ids, 5);
    fixture_feed(&f, sequence, source_ids, 5, after);
    cr_assert(e.n > 0 && !memcmp(before, after, sizeof before));
    forget(&e);
    fixture_close(&f);
}

/* ---- errors ---- */

/* A callback that asks to stop, at every event there is: the sequence is as before and the call can be made again. */
Test(attention_tap, a_callback_can_stop_the_call) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    float expected[3 * 37], got[3 * 37];
    int32_t source = fixture_source(&f, source_ids, 5), sequence = fixture_sequence(&f, source), other;
    fixture_feed(&f, sequence, source_ids, 2, NULL);
    fixture_feed(&f, sequence, source_ids, 3, expected);
    for (size_t stop_at = 1; stop_at <= 4; stop_at++) {
        ear e = {.stop_at = stop_at};
        tfm_attention_tap tap = tap_of(&e, TFM_ATTENTION_SELF | TFM_ATTENTION_CROSS);
        tfm_sequence_truncate(f.session, sequence, 2);
        tfm_span span = {.sequence = sequence, .ids = source_ids, .n = 3, .logits = got, .all_logits = true};
        REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
        REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_decode(f.session, &span, 1, error), "cancelled");
        cr_assert(e.n == stop_at && tfm_sequence_length(f.session, sequence) == 2);
        REQUIRE_OK(tfm_session_tap_attention(f.session, NULL, error));
        REQUIRE_OK(tfm_decode(f.session, &span, 1, error));
        cr_assert(!memcmp(expected, got, sizeof got));
        forget(&e);
    }
    ear e = {.stop_at = 1};
    tfm_attention_tap tap = tap_of(&e, TFM_ATTENTION_ENCODER);
    tfm_tokens input = {source_ids, 5};
    REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
    for (int i = 0; i < 40; i++) { /* more often than there are sources: none is lost */
        e.stop_at = e.n + 1;
        REQUIRE_ERROR(TFM_ERROR_CANCELLED, tfm_encode(f.session, &input, 1, &other, NULL, error), "cancelled");
    }
    forget(&e);
    fixture_close(&f);
}

Test(attention_tap, arguments_are_checked) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    ear e = {0};
    tfm_attention_tap tap = tap_of(&e, 0);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error), "kinds is 0");
    tap.kinds = 8;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error), "kinds is 8");
    tap.kinds = ALL_KINDS;
    tap.layer = 2;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error), "layer 2");
    tap.layer = -2;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error), "layer -2");
    tap.layer = 0;
    tap.on_attention = NULL;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error), "on_attention");
    tap = tap_of(&e, ALL_KINDS);
    tap.size = 0;
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_session_tap_attention(f.session, &tap, error), "size is 0");
    fixture_source(&f, source_ids, 5);
    cr_assert(e.n == 0, "a tap that was refused hears nothing");
    fixture_close(&f);
    static const struct {
        const char *kind, *lacks;
        unsigned has, has_not;
    } cases[] = {{"encoder", "decoder", TFM_ATTENTION_ENCODER, TFM_ATTENTION_SELF | TFM_ATTENTION_CROSS},
                 {"decoder", "encoder", TFM_ATTENTION_SELF, TFM_ATTENTION_ENCODER | TFM_ATTENTION_CROSS}};
    for (size_t i = 0; i < 2; i++) {
        tiny_config c = tiny_config_default();
        c.kind = cases[i].kind;
        fixture_open(&f, &c, NULL);
        tap = tap_of(&e, cases[i].has_not);
        REQUIRE_ERROR(TFM_ERROR_STATE, tfm_session_tap_attention(f.session, &tap, error), cases[i].lacks);
        tap = tap_of(&e, ALL_KINDS); /* of those that there are */
        REQUIRE_OK(tfm_session_tap_attention(f.session, &tap, error));
        fixture_close(&f);
    }
}
