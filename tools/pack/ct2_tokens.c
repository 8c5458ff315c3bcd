/* ct2_tokens.c - vocabularies and tokenizer files beside a CTranslate2 model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ct2_model.h"
#include "spm/spm_table.h"
#include "tokenizer_pack.h"

#define VOCABULARY_MAX ((off_t)64 << 20)

tfm_ct2_path tfm_ct2_in_folder(const char *folder, const char *name) {
    tfm_ct2_path path;
    snprintf(path.text, sizeof path.text, "%.*s/%s", PATH_MAX, folder, name);
    return path;
}

static tfm_ct2_path in_folder(const tfm_ct2_model *m, const char *name) { return tfm_ct2_in_folder(m->folder, name); }

static bool has_file(const tfm_ct2_model *m, const char *name) { return access(in_folder(m, name).text, R_OK) == 0; }

/* ---- vocabularies --------------------------------------------------------------------------------------------- */

/* A line a token; a carriage return ends them all or belongs to them. */
static json_t *split_lines(char *text, size_t n) {
    json_t *list = json_array();
    bool returns = n > 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) returns = false;
    for (char *line = text, *end = text + n; list && line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((stop ? stop : end) - line);
        if (returns && length > 0 && line[length - 1] == '\r') length--;
        if (json_array_append_new(list, json_stringn(line, length)) != 0) {
            json_decref(list); /* no UTF-8, or no memory */
            return NULL;
        }
        line = stop ? stop + 1 : end;
    }
    return list;
}

static json_t *read_lines(const char *path) {
    struct stat st;
    FILE *f = fopen(path, "rb");
    char *text =
        f && fstat(fileno(f), &st) == 0 && st.st_size <= VOCABULARY_MAX ? malloc((size_t)st.st_size + 1) : NULL;
    const size_t n = text ? fread(text, 1, (size_t)st.st_size, f) : 0;
    json_t *list = text ? split_lines(text, n) : NULL;
    free(text);
    if (f) fclose(f);
    return list;
}

static bool is_list_of_strings(const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i))) return false;
    return json_is_array(list);
}

/* NAME.json or NAME.txt; *list stays NULL if neither is there. */
static tfm_status read_list(const tfm_ct2_model *m, const char *name, json_t **list, tfm_error *error) {
    const tfm_name json = tfm_name_format("%s.json", name), text = tfm_name_format("%s.txt", name);
    const bool is_json = has_file(m, json.text);
    if (!is_json && !has_file(m, text.text)) return TFM_OK;
    const tfm_ct2_path path = in_folder(m, is_json ? json.text : text.text);
    struct stat st;
    if (stat(path.text, &st) == 0 && st.st_size <= VOCABULARY_MAX)
        *list = is_json ? json_load_file(path.text, 0, NULL) : read_lines(path.text);
    if (is_list_of_strings(*list)) return TFM_OK;
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a list of tokens in UTF-8", path.text);
}

tfm_status tfm_ct2_read_vocabularies(tfm_ct2_model *m, tfm_error *error) {
    json_t *shared = NULL;
    tfm_status status = read_list(m, "shared_vocabulary", &shared, error);
    if (!status && !shared) status = read_list(m, "vocabulary", &shared, error);
    if (shared) {
        m->source_tokens = shared;
        m->target_tokens = json_incref(shared);
        return status;
    }
    if (!status) status = read_list(m, "source_vocabulary", &m->source_tokens, error);
    if (!status) status = read_list(m, "target_vocabulary", &m->target_tokens, error);
    return status;
}

/* ---- SentencePiece with the ids of a vocabulary --------------------------------------------------------------- */

/* {token: id}, as a vocab.json has it, with the added token. */
static json_t *number(const tfm_ct2_model *m, const json_t *tokens) {
    json_t *object = json_object();
    bool ok = object != NULL;
    const size_t n = json_array_size(tokens);
    for (size_t i = 0; ok && i < n; i++) {
        const char *text = json_string_value(json_array_get(tokens, i));
        /* Of tokens that are there twice the first one counts, as there. */
        if (!json_object_get(object, text)) ok = json_object_set_new(object, text, json_integer((json_int_t)i)) == 0;
    }
    if (ok && m->has_padding && !json_object_get(object, "<pad>"))
        ok = json_object_set_new(object, "<pad>", json_integer((json_int_t)n)) == 0;
    if (ok) return object;
    json_decref(object);
    return NULL;
}

static tfm_status make_side(const tfm_ct2_model *m, const char *file, const json_t *tokens, tfm_table_builder **table,
                            tfm_error *error) {
    const tfm_ct2_path path = in_folder(m, file);
    tfm_vocabulary vocabulary = {0};
    tfm_spm_model model;
    json_t *object = number(m, tokens);
    if (!object || !(*table = tfm_table_builder_new())) {
        json_decref(object);
        return tfm_fail(error, TFM_ERROR_MEMORY, "%s: no memory", path.text);
    }
    tfm_status status = tfm_vocabulary_make(&vocabulary, object, m->folder, m->settings, NULL, error);
    if (status) return status;
    status = tfm_spm_model_read(&model, path.text, error);
    if (!status) {
        status = tfm_spm_table(&model, &vocabulary, path.text, *table, error);
        tfm_spm_model_free(&model);
    }
    tfm_vocabulary_free(&vocabulary);
    return status;
}

/* Whether two tables have the same bytes. */
static bool same_tables(const tfm_table_builder *a, const tfm_table_builder *b) {
    void *x = NULL, *y = NULL;
    size_t n_x = 0, n_y = 0;
    const bool same = tfm_table_build(a, &x, &n_x, NULL) == TFM_OK && tfm_table_build(b, &y, &n_y, NULL) == TFM_OK &&
                      n_x == n_y && memcmp(x, y, n_x) == 0;
    free(x);
    free(y);
    return same;
}

static tfm_status write_sides(tfm_ct2_model *m, tfm_writer *writer, tfm_error *error) {
    tfm_table_builder *source = NULL, *target = NULL;
    bool two = has_file(m, "target.spm");
    tfm_status status = make_side(m, "source.spm", m->source_tokens, &source, error);
    if (!status && two) status = make_side(m, "target.spm", m->target_tokens, &target, error);
    if (!status && two) two = !same_tables(source, target);
    if (!status) status = tfm_writer_section(writer, "tokenizer", source, error);
    if (!status && two) status = tfm_writer_section(writer, "tokenizer.target", target, error);
    tfm_table_builder_free(&source);
    tfm_table_builder_free(&target);
    return status;
}

tfm_status tfm_ct2_write_tokenizers(tfm_ct2_model *m, tfm_writer *writer, tfm_error *error) {
    const bool named = m->source_tokens && m->target_tokens;
    if (named && has_file(m, "source.spm")) return write_sides(m, writer, error);
    /* These give ids of their own, which are the model's where both come from one Hugging Face folder. */
    if (has_file(m, "tokenizer.json") || has_file(m, "tokenizer.model") || has_file(m, "spiece.model") ||
        (has_file(m, "vocab.json") && has_file(m, "merges.txt")) || has_file(m, "vocab.txt"))
        return tfm_pack_tokenizers(m->folder, writer, false, error);
    return TFM_OK;
}
