/* plan_run_test.c - values that a type of the model file cannot hold are refused, and the last ones it can are kept. */
#include <math.h>
#include <string.h>

#include "tests/tools/pack/packed.h"

TestSuite(plan_run, .timeout = 120);

#define FC1 "model.encoder.layers.1.fc1.weight" /* (20, 12) */

enum { ROW = 17, COLUMN = 1 }; /* in the second panel */

/* The element of the packed file, as the kernels see it. */
static float stored(const char *folder) {
    tfm_file *file;
    REQUIRE_OK(tfm_file_open(&file, in(folder, "m.bin"), error));
    const tfm_tensor *t = tfm_file_tensor(file, "encoder.1.ffn.up.weight");
    cr_assert(t && t->shape[0] == 20 && t->shape[1] == 12);
    float rows[4 * 12];
    tfm_panel_unpack((const char *)t->data + tfm_panel_bytes(t->dtype, 12), t->dtype, 4, 12, rows, 12);
    tfm_file_close(&file);
    return rows[(ROW - TFM_PANEL) * 12 + COLUMN];
}

static void check_value(tfm_dtype dtype, float value, bool fits) {
    marian small = marian_default();
    model *m = model_marian(&small);
    model_find(m, FC1)->values[ROW * 12 + COLUMN] = value;
    char *folder = marian_folder(&small);
    write_safetensors(in(folder, "model.safetensors"), m);
    if (fits) {
        tfm_error error = {0};
        cr_assert_eq(packed_try(folder, dtype, &error), TFM_OK, "%s: %a: %s", tfm_dtype_name(dtype), (double)value,
                     error.message);
        float back = stored(folder), tolerance = tfm_dtype_quantized(dtype) ? fabsf(value) / 14 + 0x1p-24f
                                                 : dtype == TFM_F32         ? 0
                                                                            : fabsf(value) / 256;
        cr_assert(isfinite(back) && fabsf(back - value) <= tolerance, "%s: %a became %a", tfm_dtype_name(dtype),
                  (double)value, (double)back);
    } else {
        char text[200];
        snprintf(text, sizeof text, "tensor '" FC1 "' has the value %g, which %s cannot hold", (double)value,
                 tfm_dtype_name(dtype));
        REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, packed_try(folder, dtype, error), text);
    }
    model_free(&m);
    scratch_remove(&folder);
}

/* A finite value that would become infinite, or whose scale would; f32 holds every finite one. */
Test(plan_run, values_at_the_border_of_each_type) {
    static const struct {
        tfm_dtype dtype;
        float value;
        bool fits;
    } cases[] = {
        {TFM_F32, 0x1.fffffep127f, true}, {TFM_F16, 65504.0f, true},         {TFM_F16, 65519.996f, true},
        {TFM_F16, 65520.0f, false},       {TFM_F16, -65520.0f, false},       {TFM_F16, 1e30f, false},
        {TFM_BF16, 0x1.fep127f, true},    {TFM_BF16, 0x1.fefffep127f, true}, {TFM_BF16, 0x1.ffp127f, false},
        {TFM_BF16, -0x1.ffp127f, false},  {TFM_I8, 0x1.fffffep126f, true},   {TFM_I8, 0x1p127f, false},
        {TFM_I8, -0x1p127f, false},       {TFM_I8, 0x1p-149f, true},         {TFM_I4, 458527.9f, true},
        {TFM_I4, -458527.9f, true},       {TFM_I4, 458528.0f, false},        {TFM_I4, -458528.0f, false},
        {TFM_I4, 0x1p-149f, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_value(cases[i].dtype, cases[i].value, cases[i].fits);
}

/* What is not finite is refused in every type. */
Test(plan_run, values_that_are_not_finite) {
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (tfm_dtype dtype = TFM_F32; dtype < TFM_DTYPE_COUNT; dtype++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            marian small = marian_default();
            model *m = model_marian(&small);
            model_find(m, FC1)->values[ROW * 12 + COLUMN] = values[i];
            char *folder = marian_folder(&small);
            write_safetensors(in(folder, "model.safetensors"), m);
            REQUIRE_ERROR(TFM_ERROR_FORMAT, packed_try(folder, dtype, error), FC1);
            model_free(&m);
            scratch_remove(&folder);
        }
}
