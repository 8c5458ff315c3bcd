/* generation_defaults_test.c - the decoding defaults of section generation. */
#include <unistd.h>

#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

static void add_sampling(tfm_table_builder *table) {
    tfm_table_set_u64(table, "do_sample", 1);
    tfm_table_set_u64(table, "top_k", 40);
    tfm_table_set_f64(table, "temperature", 0.6);
    tfm_table_set_f64(table, "top_p", 0.9);
    tfm_table_set_f64(table, "min_p", 0.01);
    tfm_table_set_f64(table, "typical_p", 0.7);
}
static void add_sampling_word(tfm_table_builder *table) { tfm_table_set_u64(table, "do_sample", 2); }
static void add_hot(tfm_table_builder *table) { tfm_table_set_u64(table, "temperature", 1); }
static void add_many(tfm_table_builder *table) { tfm_table_set_u64(table, "top_k", 1ull << 32); }

Test(generation_defaults, sampling_is_read_and_checked) {
    fixture f;
    tiny_config c = tiny_config_default();
    fixture_open(&f, &c, NULL);
    tfm_generate_params p = tfm_generate_params_default(f.model);
    cr_assert(!p.do_sample && p.top_k == 0 && p.temperature == 1 && p.top_p == 1 && p.min_p == 0 && p.typical_p == 1);
    cr_assert(p.presence_penalty == 0 && p.frequency_penalty == 0 && p.n_logit_bias == 0 && p.n_top_log_probs == 0);
    fixture_close(&f);
    c.generation = add_sampling;
    fixture_open(&f, &c, NULL);
    p = tfm_generate_params_default(f.model);
    cr_assert(p.do_sample && p.top_k == 40 && p.temperature == 0.6);
    cr_assert(p.top_p == 0.9 && p.min_p == 0.01 && p.typical_p == 0.7);
    fixture_close(&f);
    static const struct {
        void (*add)(tfm_table_builder *table);
        const char *key;
    } wrong[] = {{add_sampling_word, "do_sample"}, {add_hot, "temperature"}, {add_many, "top_k"}};
    for (size_t i = 0; i < 3; i++) {
        c.generation = wrong[i].add;
        tiny_model *tiny = tiny_model_make(&c);
        char path[256];
        tfm_model *model;
        fixture_path(path);
        tiny_model_write(tiny, path);
        REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_model_open(&model, path, NULL, error), wrong[i].key);
        unlink(path);
        tiny_model_free(&tiny);
    }
}
