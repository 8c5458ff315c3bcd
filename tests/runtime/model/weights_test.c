/* weights_test.c - tensors that are missing, too many, or of another shape than the options ask for. */
#include <string.h>
#include <unistd.h>

#include "runtime/model/model.h"
#include "tests/support/require.h"
#include "tests/support/tiny_session.h"
#include "tests/support/write_tensors.h"

/* A model file without architecture, with a tensor more, one less, one of another shape. */
static void write_changed(const char *path, const tiny_model *tiny, const char *leave_out, const char *add) {
    tfm_writer *writer;
    REQUIRE_OK(tfm_writer_create(&writer, path, error));
    tfm_table_builder *table = tiny_architecture(&tiny->config);
    if (!leave_out || strcmp(leave_out, "architecture"))
        REQUIRE_OK(tfm_writer_section(writer, "architecture", table, error));
    tfm_table_builder_free(&table);
    for (size_t i = 0; i < tiny->n; i++) {
        const tiny_tensor *t = &tiny->tensors[i];
        bool position = strstr(t->name, "position");
        if (leave_out && !strcmp(leave_out, t->name)) continue;
        if (t->columns)
            REQUIRE_OK(write_matrix(writer, t->name, TFM_F32, position ? TFM_LAYOUT_ROWS : TFM_LAYOUT_PANELS, t->values,
                                    t->rows, t->columns, error));
        else
            REQUIRE_OK(write_vector(writer, t->name, t->values, t->rows, error));
    }
    static const float values[14];
    if (add) REQUIRE_OK(write_vector(writer, add, values, 14, error));
    REQUIRE_OK(tfm_writer_commit(&writer, error));
}

Test(weights, tensors_must_be_what_the_options_ask_for) {
    tiny_config c = tiny_config_default();
    tiny_model *tiny = tiny_model_make(&c);
    char path[256];
    fixture_path(path);
    tfm_model *model;
    write_changed(path, tiny, NULL, NULL);
    REQUIRE_OK(tfm_model_open(&model, path, NULL, error));
    tfm_model_close(&model);
    cr_assert_null(model);
    write_changed(path, tiny, "architecture", NULL);
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, "architecture");
    for (size_t i = 0; i < tiny->n; i++) {
        const char *name = tiny->tensors[i].name;
        if (!strcmp(name, "output.bias")) continue; /* optional */
        write_changed(path, tiny, name, NULL);
        REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, name, "missing");
        if (tiny->tensors[i].columns) continue;
        write_changed(path, tiny, name, name); /* 14 values instead of 15 */
        REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, name, "14");
    }
    write_changed(path, tiny, NULL, "decoder.2.ffn.up.bias");
    REQUIRE_ERROR(TFM_ERROR_FORMAT, tfm_model_open(&model, path, NULL, error), path, "decoder.2.ffn.up.bias");
    unlink(path);
    tiny_model_free(&tiny);
}
