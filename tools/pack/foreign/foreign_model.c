/* foreign_model.c - see foreign_model.h. */
#include "foreign_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void tfm_foreign_fail(tfm_foreign_model *model, tfm_status status, const char *format, ...) {
    char text[400];
    va_list arguments;
    if (model->status != TFM_OK) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    model->status = tfm_fail(model->error, status, "%s: %s", model->path, text);
}

void tfm_foreign_note(tfm_foreign_model *model, const char *format, ...) {
    va_list arguments;
    char *line, *all;
    if (model->status != TFM_OK) return;
    va_start(arguments, format);
    const int n = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (n < 0) return;
    char **note = &model->checkpoint->note;
    if (asprintf(&all, "%s%s%s", *note ? *note : "", *note ? "; " : "", line) >= 0) {
        free(*note);
        *note = all;
    }
    free(line);
}

static void tell(void *user, const char *text) { tfm_foreign_note(user, "%s", text); }

void tfm_foreign_check_keys(tfm_foreign_model *model, const tfm_key_table *table, const char *folder, const char *file,
                            const json_t *object, json_t *asked) {
    if (model->status != TFM_OK) return;
    if (!model->checkpoint->ignored) model->checkpoint->ignored = json_array();
    if (!model->checkpoint->ignored) {
        tfm_foreign_fail(model, TFM_ERROR_MEMORY, "out of memory");
        return;
    }
    const tfm_pack_options options = {.note = tell, .note_user = model, .ignored = model->checkpoint->ignored};
    const tfm_config config = {.folder = folder, .file = file, .object = object, .asked = asked, .error = model->error};
    model->status = tfm_keys_check(table, &config, false, &options);
}

void tfm_foreign_set(tfm_foreign_model *model, json_t *object, const char *key, json_t *value) {
    if (model->status != TFM_OK)
        json_decref(value);
    else if (json_object_set_new(object, key, value) != 0)
        tfm_foreign_fail(model, TFM_ERROR_MEMORY, "out of memory");
}

void tfm_foreign_set_u64(tfm_foreign_model *model, json_t *object, const char *key, uint64_t value) {
    tfm_foreign_set(model, object, key, json_integer((json_int_t)value));
}

void tfm_foreign_set_real(tfm_foreign_model *model, json_t *object, const char *key, double value) {
    tfm_foreign_set(model, object, key, json_real(value));
}

void tfm_foreign_set_bool(tfm_foreign_model *model, json_t *object, const char *key, bool value) {
    tfm_foreign_set(model, object, key, json_boolean(value));
}

void tfm_foreign_set_string(tfm_foreign_model *model, json_t *object, const char *key, const char *value) {
    tfm_foreign_set(model, object, key, json_string(value));
}
