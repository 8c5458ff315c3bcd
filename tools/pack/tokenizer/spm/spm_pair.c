/* spm_pair.c - tokenizers from SentencePiece files with ids of their own; see token_sides.h. */
#include "spm_pair.h"

#include <stdlib.h>
#include <string.h>

#include "spm_table.h"

static json_t *number_pieces(const tfm_spm_model *spm) {
    json_t *object = json_object();
    for (size_t i = 0; object && i < spm->n; i++)
        if (json_object_setn_new(object, spm->pieces[i].text, spm->pieces[i].n, json_integer((json_int_t)i)) != 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

tfm_status tfm_token_side(const char *path, json_t *numbers, int64_t padding, const json_t *settings,
                          tfm_table_builder **table, tfm_error *error) {
    tfm_spm_model spm;
    tfm_vocabulary vocabulary = {0};
    tfm_status status = tfm_spm_model_read(&spm, path, error);
    if (status != TFM_OK) {
        json_decref(numbers);
        return status;
    }
    if (!numbers) numbers = number_pieces(&spm);
    bool ok = numbers != NULL && (*table = tfm_table_builder_new()) != NULL;
    if (ok && padding >= 0 && !json_object_get(numbers, "<pad>"))
        ok = json_object_set_new(numbers, "<pad>", json_integer((json_int_t)padding)) == 0;
    if (ok) {
        status = tfm_vocabulary_make(&vocabulary, numbers, path, settings, NULL, error);
    } else {
        json_decref(numbers);
        status = tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path);
    }
    if (status == TFM_OK) status = tfm_spm_table(&spm, &vocabulary, path, *table, error);
    tfm_vocabulary_free(&vocabulary);
    tfm_spm_model_free(&spm);
    return status;
}

static bool same(const tfm_table_builder *a, const tfm_table_builder *b) {
    void *x = NULL, *y = NULL;
    size_t n_x = 0, n_y = 0;
    const bool equal = tfm_table_build(a, &x, &n_x, NULL) == TFM_OK && tfm_table_build(b, &y, &n_y, NULL) == TFM_OK &&
                       n_x == n_y && memcmp(x, y, n_x) == 0;
    free(x);
    free(y);
    return equal;
}

tfm_status tfm_token_sides_write(tfm_writer *writer, const tfm_table_builder *source, const tfm_table_builder *target,
                                 tfm_error *error) {
    tfm_status status = tfm_writer_section(writer, "tokenizer", source, error);
    if (status == TFM_OK && target && !same(source, target))
        status = tfm_writer_section(writer, "tokenizer.target", target, error);
    return status;
}
