/* library_test.c - the version, and the choice of an instruction set. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/require.h"
#include "tests/support/tiny_session.h"

Test(library, version) {
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", TFM_VERSION_MAJOR, TFM_VERSION_MINOR, TFM_VERSION_PATCH);
    cr_assert_str_eq(tfm_version(), expected);
}

/* What it says is what a model gets, by name, from the environment, and left alone. */
Test(library, isa_choose) {
    fixture f;
    fixture_open(&f, NULL, NULL);
    tfm_model *model;
    tfm_model_params params = tfm_model_params_default();
    const char *chosen, *name, *best = NULL;
    bool usable;
    for (size_t i = 0; (name = tfm_isa_list(i, &usable)); i++) {
        params.isa = name;
        if (!usable) {
            REQUIRE_ERROR(TFM_ERROR_UNSUPPORTED, tfm_isa_choose(name, &chosen, error), name);
            cr_assert_null(chosen);
            continue;
        }
        if (!best) best = name;
        REQUIRE_OK(tfm_isa_choose(name, &chosen, error));
        cr_assert_str_eq(chosen, name);
        REQUIRE_OK(tfm_model_open(&model, f.path, &params, error));
        cr_assert_str_eq(tfm_model_get_info(model).isa, chosen);
        tfm_model_close(&model);
    }
    unsetenv("TFM_ISA");
    REQUIRE_OK(tfm_isa_choose(NULL, &chosen, error));
    cr_assert_str_eq(chosen, best);
    setenv("TFM_ISA", "scalar", 1);
    REQUIRE_OK(tfm_isa_choose(NULL, &chosen, error));
    cr_assert_str_eq(chosen, "scalar");
    REQUIRE_OK(tfm_isa_choose(best, &chosen, error)); /* a name goes before the environment */
    cr_assert_str_eq(chosen, best);
    setenv("TFM_ISA", "nonsense", 1);
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_isa_choose(NULL, &chosen, error), "TFM_ISA", "nonsense");
    cr_assert_null(chosen);
    unsetenv("TFM_ISA");
    REQUIRE_ERROR(TFM_ERROR_ARGUMENT, tfm_isa_choose("nonsense", &chosen, error), "nonsense");
    fixture_close(&f);
}
