/* ct2_tokens.c - vocabularies and tokenizer files beside a CTranslate2 model. */
#include <string.h>

#include "ct2_model.h"
#include "tools/pack/common/json_file.h"
#include "tools/pack/common/source_file.h"
#include "tools/pack/tokenizer/spm/spm_model.h"
#include "tools/pack/tokenizer/spm/spm_pair.h"
#include "tools/pack/tokenizer/tokenizer_pack.h"

#define VOCABULARY_MAX ((size_t)64 << 20)

static bool has_file(const tfm_ct2_model *m, const char *name) { return tfm_path_has(m->folder.text, name); }

/* ---- vocabularies ---- */

/* A line a token; a carriage return ends them all or belongs to them. */
static json_t *split_lines(const char *text, size_t n) {
    json_t *list = json_array();
    bool returns = n > 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) returns = false;
    for (size_t at = 0; list && at < n;) {
        const char *line = text + at, *stop = memchr(line, '\n', n - at);
        size_t length = stop ? (size_t)(stop - line) : n - at;
        at += length + (stop != NULL);
        if (returns && length > 0 && line[length - 1] == '\r') length--;
        if (json_array_append_new(list, json_stringn(line, length)) != 0) {
            json_decref(list); /* no UTF-8, or no memory */
            return NULL;
        }
    }
    return list;
}

static tfm_status read_lines(const char *path, json_t **list, tfm_error *error) {
    tfm_text text = {0};
    tfm_status status = tfm_read_source(path, VOCABULARY_MAX, &text, error);
    if (status == TFM_OK) *list = split_lines(text.data, text.size);
    tfm_text_free(&text);
    return status;
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
    const tfm_path path = tfm_path_in(m->folder.text, is_json ? json.text : text.text);
    tfm_status status = is_json ? tfm_json_load(path.text, 0, list, error) : read_lines(path.text, list, error);
    if (status == TFM_OK && !is_list_of_strings(*list))
        status = tfm_fail(error, TFM_ERROR_FORMAT, "%s: not a list of tokens in UTF-8", path.text);
    return status;
}

tfm_status tfm_ct2_read_vocabularies(tfm_ct2_model *m, tfm_error *error) {
    json_t *shared = NULL;
    tfm_status status = read_list(m, "shared_vocabulary", &shared, error);
    if (status == TFM_OK && !shared) status = read_list(m, "vocabulary", &shared, error);
    if (shared) {
        m->source_tokens = shared;
        m->target_tokens = json_incref(shared);
        return status;
    }
    if (status == TFM_OK) status = read_list(m, "source_vocabulary", &m->source_tokens, error);
    if (status == TFM_OK) status = read_list(m, "target_vocabulary", &m->target_tokens, error);
    return status;
}

/* ---- SentencePiece with the ids of a vocabulary ---- */

/* {token: id}, as a vocab.json has it. */
static json_t *number(const json_t *tokens) {
    json_t *object = json_object();
    bool ok = object != NULL;
    const size_t n = json_array_size(tokens);
    for (size_t i = 0; ok && i < n; i++) {
        const char *text = json_string_value(json_array_get(tokens, i));
        /* Of tokens that are there twice the first one counts, as there. */
        if (!json_object_get(object, text)) ok = json_object_set_new(object, text, json_integer((json_int_t)i)) == 0;
    }
    if (ok) return object;
    json_decref(object);
    return NULL;
}

static tfm_status make_side(const tfm_ct2_model *m, const char *file, const json_t *tokens, tfm_table_builder **table,
                            tfm_error *error) {
    json_t *numbers = number(tokens);
    if (!numbers) return tfm_no_memory(error, "%s", m->folder.text);
    const int64_t padding = m->has_padding ? (int64_t)json_array_size(tokens) : -1;
    /* Marian's models end their inputs, whoever is to add the token; a decoder goes on with its input. */
    const bool is_decoder = !strcmp(m->file.spec, "TransformerDecoderSpec");
    const bool is_said = json_object_get(m->settings, "add_source_eos") != NULL;
    if ((m->has_padding || (is_decoder && !is_said)) &&
        json_object_set_new(m->settings, "add_source_eos", json_boolean(m->has_padding)) != 0) {
        json_decref(numbers);
        return tfm_no_memory(error, "%s", m->folder.text);
    }
    return tfm_spm_pair_numbered_side(tfm_path_in(m->folder.text, file).text, numbers, padding, m->settings, table,
                                      error);
}

/* source, target: files; they may be one. */
static tfm_status write_sides(tfm_ct2_model *m, const char *source_file, const char *target_file, tfm_writer *writer,
                              tfm_error *error) {
    tfm_table_builder *source = NULL, *target = NULL;
    tfm_status status = make_side(m, source_file, m->source_tokens, &source, error);
    if (status == TFM_OK && has_file(m, target_file))
        status = make_side(m, target_file, m->target_tokens, &target, error);
    if (status == TFM_OK) status = tfm_spm_pair_write(writer, source, target, error);
    tfm_table_builder_free(&source);
    tfm_table_builder_free(&target);
    return status;
}

/* Whether ids are other than the numbers of the pieces: what comes behind these is not of the file. */
static tfm_status is_ordered_anew(const tfm_ct2_model *m, const char *file, bool *anew, tfm_error *error) {
    tfm_spm_model spm;
    tfm_status status = tfm_spm_model_read(&spm, tfm_path_in(m->folder.text, file).text, error);
    *anew = false;
    for (size_t i = 0; status == TFM_OK && i < spm.n && !*anew; i++) {
        const json_t *token = json_array_get(m->source_tokens, i), *other = json_array_get(m->target_tokens, i);
        const char *text = json_string_value(token);
        *anew = !text || strlen(text) != spm.pieces[i].n || memcmp(text, spm.pieces[i].text, spm.pieces[i].n) != 0 ||
                !json_equal(token, other);
    }
    if (status == TFM_OK) tfm_spm_model_free(&spm);
    return status;
}

/* The one SentencePiece file of the folder under a name that is usual, or NULL. */
static const char *find_pieces(const tfm_ct2_model *m) {
    static const char *const names[] = {"spiece.model", "sentencepiece.bpe.model", "sentencepiece.model",
                                        "tokenizer.model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has_file(m, names[i])) return names[i];
    return NULL;
}

tfm_status tfm_ct2_write_tokenizers(tfm_ct2_model *m, tfm_writer *writer, const tfm_pack_options *options,
                                    tfm_error *error) {
    const bool named = m->source_tokens && m->target_tokens;
    const char *pieces = named && !has_file(m, "tokenizer.json") ? find_pieces(m) : NULL;
    bool anew = false;
    if (named && has_file(m, "source.spm")) return write_sides(m, "source.spm", "target.spm", writer, error);
    if (pieces) {
        tfm_status status = is_ordered_anew(m, pieces, &anew, error);
        if (status != TFM_OK) return status;
    }
    if (anew) return write_sides(m, pieces, pieces, writer, error);
    /* These give ids of their own, which are the model's where both come from one Hugging Face folder. */
    if (has_file(m, "tokenizer.json") || has_file(m, "tokenizer.model") || has_file(m, "spiece.model") ||
        (has_file(m, "vocab.json") && has_file(m, "merges.txt")) || has_file(m, "vocab.txt"))
        return tfm_pack_tokenizers(m->folder.text, writer, false, options, error);
    return TFM_OK;
}
