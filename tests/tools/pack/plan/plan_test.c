/* plan_test.c - tensors that do not fit what is planned: each is named, many are counted, and no file is left. */
#include <math.h>
#include <stdlib.h>

#include "tests/tools/pack/packed.h"

TestSuite(plan, .timeout = 120);

typedef void (*breaker)(model *m);

static void check_misfit(breaker change, tfm_dtype dtype, tfm_status expected, const char *text) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    model *m = model_marian(&small);
    change(m);
    write_safetensors(in(folder, "model.safetensors"), m);
    size_t before = count_files(folder);
    REQUIRE_ERROR(expected, packed_try(folder, dtype, error), text);
    cr_assert_eq(count_files(folder), before, "a failed run leaves nothing");
    model_free(&m);
    scratch_remove(&folder);
}

#define FC1 "model.encoder.layers.1.fc1.weight"

static void drop_two(model *m) {
    model_drop(m, FC1);
    model_drop(m, "model.decoder.layers.0.encoder_attn.k_proj.bias");
}
static void drop_embedding(model *m) { model_drop(m, "model.shared.weight"); }
static void add_extra(model *m) { model_add(m, "model.encoder.layernorm_embedding.weight", 12, 0, TFM_ST_F32); }
static void add_layer(model *m) { model_add(m, "model.encoder.layers.2.fc1.bias", 12, 0, TFM_ST_F32); }
static void reshape(model *m) {
    tensor *t = model_find(m, FC1);
    t->shape[0] = t->shape[1];
    t->shape[1] = 20;
}
static void flatten(model *m) {
    tensor *t = model_find(m, FC1);
    t->rank = 1;
    t->shape[0] = t->count;
}
static void to_double(model *m) { model_find(m, FC1)->dtype = TFM_ST_F64; }
static void to_integer(model *m) { model_find(m, FC1)->dtype = TFM_ST_I64; }
static void put_nan(model *m) {
    model_find(m, FC1)->values[77] = NAN;
    model_find(m, "model.decoder.layers.0.fc2.bias")->values[0] = -INFINITY;
}
static void too_large(model *m) { model_find(m, FC1)->values[5] = -70000; }

Test(plan, misfits_are_named) {
    check_misfit(drop_two, TFM_F32, TFM_ERROR_FORMAT,
                 "2 missing: " FC1 ", model.decoder.layers.0.encoder_attn.k_proj.bias");
    check_misfit(drop_embedding, TFM_F32, TFM_ERROR_FORMAT, "1 missing: model.shared.weight");
    check_misfit(add_extra, TFM_F32, TFM_ERROR_FORMAT, "1 not expected: model.encoder.layernorm_embedding.weight");
    check_misfit(add_layer, TFM_F32, TFM_ERROR_FORMAT, "1 not expected: model.encoder.layers.2.fc1.bias");
    check_misfit(reshape, TFM_F32, TFM_ERROR_FORMAT, FC1 " [12, 20] instead of [20, 12]");
    check_misfit(flatten, TFM_F32, TFM_ERROR_FORMAT, FC1 " [240] instead of [20, 12]");
    check_misfit(to_double, TFM_F32, TFM_ERROR_UNSUPPORTED, FC1 " (F64)");
    check_misfit(to_integer, TFM_F32, TFM_ERROR_UNSUPPORTED, FC1 " (I64)");
    check_misfit(put_nan, TFM_F32, TFM_ERROR_FORMAT,
                 "2 tensors have values that are not finite (NaN or infinity): " FC1
                 ", model.decoder.layers.0.fc2.bias");
    check_misfit(too_large, TFM_F16, TFM_ERROR_UNSUPPORTED, FC1 "' has the value -70000, which f16 cannot hold");
}

Test(plan, many_misfits_are_counted) {
    marian small = marian_default();
    char *folder = marian_folder(&small);
    small.encoder_layers = 40;
    write_config(folder, &small, NULL);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, TFM_F32, error),
                  "608 missing: model.encoder.layers.2.self_attn.q_proj");
    scratch_remove(&folder);
}
