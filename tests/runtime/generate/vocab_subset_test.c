/* vocab_subset_test.c - choosing among the tokens of a shortlist: every type of weights, alone and batched, bad
 * sections.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/outputs.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"
#include "tests/support/write_tensors.h"

enum { VOCAB = 70, N_INPUTS = 24, LONGEST = 9, N_NEW = 7 };

/* Which target tokens a source token allows: an arbitrary rule that spreads over panels and lanes. */
static bool allows(uint32_t source, uint32_t target) { return (source * 7 + target * 5) % 11 == 0; }
static bool always(uint32_t target) { return target % 13 == 4 || target == TINY_END; }

typedef struct lists {
    uint32_t always[VOCAB], offsets[VOCAB + 1], targets[VOCAB * VOCAB];
    size_t n_always, n_offsets, n_targets;
} lists;

static lists *make_lists(bool everything) {
    lists *l = calloc(1, sizeof *l);
    cr_assert(l);
    for (uint32_t t = 0; t < VOCAB; t++)
        if (everything || always(t)) l->always[l->n_always++] = t;
    for (uint32_t s = 0; s < VOCAB; s++) {
        for (uint32_t t = 0; t < VOCAB; t++)
            if (allows(s, t)) l->targets[l->n_targets++] = t;
        l->offsets[s + 1] = (uint32_t)l->n_targets;
    }
    l->n_offsets = VOCAB + 1;
    return l;
}

static void write_model(const char *path, const tiny_model *tiny, const lists *l) {
    static const uint32_t end[] = {TINY_END};
    tfm_writer *writer;
    tfm_table_builder *generation = tfm_table_builder_new(), *shortlist = tfm_table_builder_new();
    tfm_table_builder *architecture = tiny_architecture(&tiny->config);
    tfm_table_set_u64(generation, "decoder_start_token_id", TINY_START);
    tfm_table_set_array(generation, "eos_token_id", TFM_VALUE_U32S, end, 1);
    tfm_table_set_array(shortlist, "always", TFM_VALUE_U32S, l->always, l->n_always);
    tfm_table_set_array(shortlist, "offsets", TFM_VALUE_U32S, l->offsets, l->n_offsets);
    tfm_table_set_array(shortlist, "targets", TFM_VALUE_U32S, l->targets, l->n_targets);
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    REQUIRE_OK(tfm_writer_section(writer, "architecture", architecture, error));
    REQUIRE_OK(tfm_writer_section(writer, "generation", generation, error));
    REQUIRE_OK(tfm_writer_section(writer, "shortlist", shortlist, error));
    for (size_t i = 0; i < tiny->n; i++) {
        const tiny_tensor *t = &tiny->tensors[i];
        if (t->columns == 0)
            REQUIRE_OK(write_vector(writer, t->name, t->values, t->rows, error));
        else
            REQUIRE_OK(write_matrix(writer, t->name, t->panels ? tiny->config.dtype : TFM_F32,
                                    t->panels ? TFM_LAYOUT_PANELS : TFM_LAYOUT_ROWS, t->values, t->rows, t->columns,
                                    error));
    }
    REQUIRE_OK(tfm_writer_commit(&writer, error));
    tfm_table_builder_free(&architecture);
    tfm_table_builder_free(&generation);
    tfm_table_builder_free(&shortlist);
}

typedef struct world {
    fixture f;
    int32_t ids[N_INPUTS][LONGEST];
    tfm_input inputs[N_INPUTS];
    tfm_generate_params params;
} world;

static void open_world(world *w, tfm_dtype dtype, bool everything, uint32_t num_beams) {
    tiny_config config = tiny_config_default();
    config.encoder.vocab_size = config.decoder.vocab_size = VOCAB;
    config.dtype = dtype;
    config.output_bias = true;
    lists *l = make_lists(everything);
    *w = (world){.f = {.tiny = tiny_model_make(&config), .d = config.d_model, .vocab = VOCAB}};
    fixture_path(w->f.path);
    write_model(w->f.path, w->f.tiny, l);
    free(l);
    REQUIRE_OK(tfm_pool_create(&w->f.pool, 3, error));
    REQUIRE_OK(tfm_model_open(&w->f.model, w->f.path, NULL, error));
    tfm_session_params sizes = tfm_session_params_default();
    sizes.pool = w->f.pool;
    sizes.max_sequences = 5 * num_beams; /* fewer places than inputs: they come and go */
    REQUIRE_OK(tfm_session_create(&w->f.session, w->f.model, &sizes, error));
    for (size_t i = 0; i < N_INPUTS; i++) {
        fixture_ids(w->ids[i], LONGEST, VOCAB, i + 3);
        w->inputs[i] = (tfm_input){.ids = w->ids[i], .n = 1 + i % LONGEST};
    }
    w->params = tfm_generate_params_default(w->f.model);
    w->params.max_new_tokens = N_NEW;
    w->params.num_beams = w->params.num_return_sequences = num_beams;
    w->params.keep_log_probs = true;
    w->params.shortlist = true;
    cr_assert(tfm_model_get_info(w->f.model).has_shortlist);
}

static const tfm_dtype dtypes[] = {TFM_F32, TFM_F16, TFM_BF16, TFM_I8, TFM_I4};
#define N_DTYPES (sizeof dtypes / sizeof *dtypes)

/* One beam, three beams, three samples. */
enum { GREEDY, BEAMS, SAMPLES, N_WAYS };

static void open_way(world *w, tfm_dtype dtype, bool everything, int way) {
    open_world(w, dtype, everything, way == GREEDY ? 1 : 3);
    if (way != SAMPLES) return;
    w->params.num_beams = 1;
    w->params.do_sample = true;
    w->params.top_p = 0.98;
    w->params.n_top_log_probs = 5;
}

/* With every token allowed the columns are all columns. */
Test(shortlist, of_all_tokens_changes_no_bit) {
    for (size_t i = 0; i < N_DTYPES; i++) {
        for (int way = 0; way < N_WAYS; way++) {
            world w;
            outputs *with, *without;
            open_way(&w, dtypes[i], true, way);
            REQUIRE_OK(outputs_generate(w.f.session, w.inputs, N_INPUTS, &w.params, &with, error));
            w.params.shortlist = false;
            REQUIRE_OK(outputs_generate(w.f.session, w.inputs, N_INPUTS, &w.params, &without, error));
            cr_assert(outputs_same(with, without), "%s, way %d", tfm_dtype_name(dtypes[i]), way);
            outputs_free(&with);
            outputs_free(&without);
            fixture_close(&w.f);
        }
    }
}

Test(shortlist, output_does_not_depend_on_the_batch) {
    for (size_t i = 0; i < N_DTYPES; i++) {
        for (int way = 0; way < N_WAYS; way++) {
            world w;
            outputs *batch, *alone;
            open_way(&w, dtypes[i], false, way);
            REQUIRE_OK(outputs_generate(w.f.session, w.inputs, N_INPUTS, &w.params, &batch, error));
            REQUIRE_OK(outputs_generate_singly(w.f.session, w.inputs, N_INPUTS, &w.params, &alone, error));
            cr_assert(outputs_same(batch, alone), "%s, way %d", tfm_dtype_name(dtypes[i]), way);
            outputs_free(&batch);
            outputs_free(&alone);
            fixture_close(&w.f);
        }
    }
}

static bool in_list(const world *w, size_t input, uint32_t token) {
    bool found = always(token);
    for (size_t i = 0; i < w->inputs[input].n; i++) found |= allows((uint32_t)w->ids[input][i], token);
    return found;
}

/* Greedy search must take the largest allowed logit of the whole projection, and its probability among the allowed. */
static void check_greedy(world *w, size_t input, const output *o) {
    static float logits[N_NEW + 1][VOCAB];
    int32_t fed[N_NEW + 1] = {TINY_START}, source = fixture_source(&w->f, w->inputs[input].ids, w->inputs[input].n);
    for (size_t i = 0; i + 1 < o->n; i++) fed[i + 1] = o->ids[i];
    int32_t sequence = fixture_sequence(&w->f, source);
    fixture_feed(&w->f, sequence, fed, o->n, logits[0]);
    for (size_t i = 0; i < o->n; i++) {
        uint32_t best = TINY_END;
        double sum = 0;
        for (uint32_t t = 0; t < VOCAB; t++) {
            if (!in_list(w, input, t)) continue;
            if (logits[i][t] > logits[i][best]) best = t;
            sum += exp((double)logits[i][t]);
        }
        cr_assert_eq(o->ids[i], (int32_t)best, "input %zu, token %zu: %d, not %u", input, i, o->ids[i], best);
        double expected = (double)logits[i][best] - log(sum);
        cr_assert(fabs(o->log_probs[i] - expected) < 1e-5, "input %zu, token %zu: %g, not %g", input, i,
                  (double)o->log_probs[i], expected);
    }
    tfm_sequence_free(w->f.session, sequence);
    tfm_source_free(w->f.session, source);
}

Test(shortlist, greedy_takes_the_best_allowed_token) {
    for (size_t i = 0; i < N_DTYPES; i++) {
        world w;
        outputs *all;
        open_world(&w, dtypes[i], false, 1);
        REQUIRE_OK(outputs_generate(w.f.session, w.inputs, N_INPUTS, &w.params, &all, error));
        for (size_t input = 0; input < N_INPUTS; input++) check_greedy(&w, input, outputs_at(all, input, 0));
        outputs_free(&all);
        fixture_close(&w.f);
    }
}

Test(shortlist, is_missed_by_name) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_generate_params params = tfm_generate_params_default(f.model);
    params.shortlist = true;
    int32_t id = 3;
    tfm_input input = {.ids = &id, .n = 1};
    cr_assert(!tfm_model_get_info(f.model).has_shortlist);
    REQUIRE_ERROR(TFM_ERROR_STATE, tfm_generate(f.session, &input, 1, &params, NULL, error), "no shortlist", f.path);
    fixture_close(&f);
}

/* ---- sections that do not fit ---- */

static void unsorted(lists *l) { l->always[1] = l->always[0]; }
static void beyond_vocabulary(lists *l) { l->always[l->n_always - 1] = VOCAB; }
static void target_beyond(lists *l) { l->targets[l->offsets[1] - 1] = VOCAB; }
static void target_twice(lists *l) { l->targets[1] = l->targets[0]; }
static void short_offsets(lists *l) { l->n_offsets--; }
static void long_offsets(lists *l) { l->offsets[VOCAB]++; }
static void falling_offsets(lists *l) {
    l->offsets[3] = l->offsets[1];
    l->offsets[2] = l->offsets[4];
}
static void late_start(lists *l) { l->offsets[0] = 1; }
static void far_offset(lists *l) { l->offsets[5] = UINT32_MAX; }
static void no_offsets(lists *l) { l->n_offsets = 0; }

Test(shortlist, sections_that_do_not_fit_are_refused) {
    void (*const harm[])(lists *) = {unsorted,     beyond_vocabulary, target_beyond, target_twice, short_offsets,
                                     long_offsets, falling_offsets,   late_start,    far_offset,   no_offsets};
    tiny_config config = tiny_config_default();
    config.encoder.vocab_size = config.decoder.vocab_size = VOCAB;
    tiny_model *tiny = tiny_model_make(&config);
    char path[256];
    fixture_path(path);
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        lists *l = make_lists(false);
        harm[i](l);
        write_model(path, tiny, l);
        free(l);
        tfm_model *model;
        REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), "shortlist", path);
        cr_assert_null(model);
    }
    unlink(path);
    tiny_model_free(&tiny);
}
