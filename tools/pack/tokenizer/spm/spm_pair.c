/* spm_pair.c - see spm_pair.h. */
#include "spm_pair.h"

#include <stdlib.h>
#include <string.h>

#include "spm_table.h"

static tfm_status make_table(const tfm_spm_model *spm, const tfm_vocabulary *vocabulary, const char *path,
                             tfm_table_builder **table, tfm_error *error) {
    *table = tfm_table_builder_new();
    tfm_status status = *table ? tfm_spm_table(spm, vocabulary, path, *table, error) : tfm_no_memory(error, "%s", path);
    if (status != TFM_OK) tfm_table_builder_free(table);
    return status;
}

tfm_status tfm_spm_pair_side(const char *path, const tfm_vocabulary *vocabulary, tfm_table_builder **table,
                             tfm_error *error) {
    tfm_spm_model spm;
    *table = NULL;
    tfm_status status = tfm_spm_model_read(&spm, path, error);
    if (status == TFM_OK) status = make_table(&spm, vocabulary, path, table, error);
    tfm_spm_model_free(&spm);
    return status;
}

static json_t *number_pieces(const tfm_spm_model *spm) {
    json_t *object = json_object();
    for (size_t i = 0; object && i < spm->n; i++)
        if (json_object_setn_new(object, spm->pieces[i].text, spm->pieces[i].n, json_integer((json_int_t)i)) != 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

/* What stands around an input. */
static tfm_status frame_inputs(tfm_vocabulary *vocabulary, const json_t *settings, const char *path, tfm_error *error) {
    const char *begin = json_string_value(json_object_get(settings, "bos_token"));
    if (!begin) begin = "<s>";
    vocabulary->no_end = json_is_false(json_object_get(settings, "add_source_eos"));
    vocabulary->has_begin = json_is_true(json_object_get(settings, "add_source_bos"));
    if (!vocabulary->has_begin) return TFM_OK;
    const int64_t id = tfm_vocabulary_find(vocabulary, begin, strlen(begin));
    if (id < 0)
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: its vocabulary lacks %.60s, with which inputs begin", path,
                        begin);
    vocabulary->begin_id = (uint32_t)id;
    vocabulary->entries[id].special = true;
    return TFM_OK;
}

tfm_status tfm_spm_pair_numbered_side(const char *path, json_t *numbers, int64_t padding, const json_t *settings,
                                      tfm_table_builder **table, tfm_error *error) {
    tfm_spm_model spm;
    tfm_vocabulary vocabulary = {0};
    *table = NULL;
    tfm_status status = tfm_spm_model_read(&spm, path, error);
    if (status == TFM_OK && !numbers) numbers = number_pieces(&spm);
    if (status == TFM_OK && !numbers) status = tfm_no_memory(error, "%s", path);
    if (status == TFM_OK && padding >= 0 && !json_object_get(numbers, "<pad>") &&
        json_object_set_new(numbers, "<pad>", json_integer((json_int_t)padding)) != 0)
        status = tfm_no_memory(error, "%s", path);
    if (status == TFM_OK) status = tfm_vocabulary_make(&vocabulary, json_incref(numbers), path, settings, NULL, error);
    if (status == TFM_OK) status = frame_inputs(&vocabulary, settings, path, error);
    if (status == TFM_OK) status = make_table(&spm, &vocabulary, path, table, error);
    json_decref(numbers);
    tfm_vocabulary_free(&vocabulary);
    tfm_spm_model_free(&spm);
    return status;
}

/* Whether two tables have the same bytes. */
static tfm_status compare(const tfm_table_builder *a, const tfm_table_builder *b, bool *same, tfm_error *error) {
    void *x = NULL, *y = NULL;
    size_t n_x = 0, n_y = 0;
    tfm_status status = tfm_table_build(a, &x, &n_x, error);
    if (status == TFM_OK) status = tfm_table_build(b, &y, &n_y, error);
    *same = status == TFM_OK && n_x == n_y && memcmp(x, y, n_x) == 0;
    free(x);
    free(y);
    return status;
}

tfm_status tfm_spm_pair_write(tfm_writer *writer, const tfm_table_builder *source, const tfm_table_builder *target,
                              tfm_error *error) {
    bool same = true;
    tfm_status status = target ? compare(source, target, &same, error) : TFM_OK;
    if (status == TFM_OK) status = tfm_writer_section(writer, "tokenizer", source, error);
    if (status == TFM_OK && !same) status = tfm_writer_section(writer, "tokenizer.target", target, error);
    return status;
}
