/* tokenizer_json.c - tokenizer.json as a table, part by part; added tokens. */
#include "tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#include "class_sets.h"
#include "runtime/tokenizer/pipeline/pipeline.h"

typedef struct added {
    tfm_trie_key *raw, *normalized;
    size_t n_raw, n_normalized;
    uint32_t *ids;
    uint8_t *flags, all_flags;
    char **texts; /* normalised contents */
    size_t n;
} added;

static void added_free(added *a) {
    for (size_t i = 0; a->texts && i < a->n; i++) free(a->texts[i]);
    free(a->raw);
    free(a->normalized);
    free(a->ids);
    free(a->flags);
    free(a->texts);
}

static bool is_true(const json_t *json, const char *name) { return json_is_true(json_object_get(json, name)); }

/* The steps of the table as they are now, to normalise tokens with. */
static tfm_status open_normalizer(const tfm_json_reader *r, void **bytes, tfm_table **table, tfm_steps *steps) {
    size_t n;
    tfm_status status = tfm_table_build(r->table, bytes, &n, r->error);
    if (status == TFM_OK) status = tfm_table_open(table, *bytes, n, r->what, r->error);
    if (status != TFM_OK) return status;
    tfm_table_reader reader = {.table = *table, .what = r->what, .error = r->error, .status = TFM_OK};
    tfm_steps_read(&reader, "normalizer", steps);
    return reader.status;
}

static tfm_status too_long(const tfm_json_reader *r) {
    return tfm_json_unsupported(r, "an added token of over 1023 bytes");
}

/*
 * PCRE2's limit for a match in added tokens: patterns need a few steps a character, and one that turns a token over and
 * over must not do so for each of many. The bytes of all tokens for all steps have 2^28 steps together, if they match
 * every 16 bytes.
 */
static uint32_t match_limit_of(const json_t *tokens, const tfm_steps *steps) {
    uint64_t bytes = 16;
    size_t i;
    json_t *token;
    json_array_foreach(tokens, i, token) bytes += json_string_length(json_object_get(token, "content"));
    const uint64_t limit = ((uint64_t)1 << 28) / (bytes * (steps->n + 1));
    return limit < 256 ? 256 : limit > 1000000 ? 1000000 : (uint32_t)limit;
}

/* What the normaliser makes of a token; decoders see it so as well. */
static tfm_status normalize(tfm_json_reader *r, const tfm_steps *steps, uint32_t match_limit, uint32_t id,
                            tfm_trie_key *key, char **text) {
    tfm_step_scratch work = {.match_limit = match_limit};
    tfm_text out = {0};
    bool at_start = true;
    if (key->n > TFM_TRIE_MAX_KEY) return too_long(r);
    if (!tfm_named_sets_work(&r->named, 16 * steps->n * key->n))
        return tfm_json_unsupported(r, "so many added tokens behind so many normalizers");
    tfm_status status = tfm_steps_normalize(steps, &work, key->text, key->n, &at_start, &out);
    tfm_step_scratch_free(&work);
    if (status != TFM_OK) {
        tfm_text_free(&out);
        return status == TFM_ERROR_MEMORY ? tfm_json_no_memory(r)
                                          : tfm_fail(r->error, TFM_ERROR_LIMIT,
                                                     "%s: the normalizer takes too long for the added token %.80s, or "
                                                     "makes too much of it",
                                                     r->what, key->text);
    }
    if (out.size == key->n && memcmp(out.data, key->text, key->n) == 0) {
        tfm_text_free(&out);
        return TFM_OK;
    }
    key->text = *text = out.data;
    key->n = (uint32_t)out.size;
    char *surface = malloc(out.size + 1);
    if (!surface) return tfm_json_no_memory(r);
    if (out.size > 0) memcpy(surface, out.data, out.size);
    free(r->pieces[id].surface);
    r->pieces[id].surface = surface;
    r->pieces[id].n_surface = key->n;
    return TFM_OK;
}

static tfm_status add_token(tfm_json_reader *r, added *a, const json_t *token, const tfm_steps *steps,
                            uint32_t match_limit) {
    const json_t *content = json_object_get(token, "content");
    tfm_trie_key key = {json_string_value(content), (uint32_t)json_string_length(content), 0};
    if (key.n == 0) return TFM_OK;
    uint32_t id = (uint32_t)json_integer_value(json_object_get(token, "id"));
    const json_t *normalized = json_object_get(token, "normalized");
    bool is_normalized = !normalized ? !is_true(token, "special") : json_is_true(normalized);
    size_t i = a->n++;
    a->ids[i] = id;
    a->flags[i] = (uint8_t)((is_true(token, "single_word") ? TFM_ADDED_SINGLE_WORD : 0) |
                            (is_true(token, "lstrip") ? TFM_ADDED_LSTRIP : 0) |
                            (is_true(token, "rstrip") ? TFM_ADDED_RSTRIP : 0));
    a->all_flags |= a->flags[i];
    if (is_normalized && steps->n > 0) {
        tfm_status status = normalize(r, steps, match_limit, id, &key, &a->texts[i]);
        if (status != TFM_OK) return status;
    }
    key.value = (uint32_t)i + 1;
    if (key.n > TFM_TRIE_MAX_KEY) return too_long(r);
    if (key.n == 0) return tfm_json_unsupported(r, "an added token that the normalizer removes");
    if (is_normalized)
        a->normalized[a->n_normalized++] = key;
    else
        a->raw[a->n_raw++] = key;
    return TFM_OK;
}

static tfm_status put_added(tfm_json_reader *r, added *a) {
    tfm_status status = TFM_OK;
    tfm_table_set_array(r->table, "added.ids", TFM_VALUE_U32S, a->ids, a->n);
    tfm_table_set_array(r->table, "added.flags", TFM_VALUE_U8S, a->flags, a->n);
    if (a->n_raw > 0) status = tfm_trie_put(r->table, "added.raw", a->raw, a->n_raw, r->what, r->error);
    if (status == TFM_OK && a->n_normalized > 0) {
        status = tfm_trie_put(r->table, "added.normalized", a->normalized, a->n_normalized, r->what, r->error);
    }
    if (status != TFM_OK || a->all_flags == 0) return status;
    uint8_t *classes = malloc(TFM_UNICODE_CODES);
    if (!classes) return tfm_json_no_memory(r);
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
        classes[code] = tfm_unicode_space(code)                                      ? TFM_ADDED_SPACE
                        : tfm_unicode_word(code) || code == 0x200C || code == 0x200D ? TFM_ADDED_WORD
                                                                                     : 0;
    }
    status = tfm_put_classes(r->table, "added.classes", classes, r->error);
    free(classes);
    return status;
}

static tfm_status added_tokens(tfm_json_reader *r) {
    const json_t *list = json_object_get(r->root, "added_tokens");
    size_t n = json_array_size(list), i;
    if (n == 0) return TFM_OK;
    added a = {.raw = calloc(n, sizeof *a.raw),
               .normalized = calloc(n, sizeof *a.normalized),
               .ids = calloc(n, sizeof *a.ids),
               .flags = calloc(n, 1),
               .texts = calloc(n, sizeof *a.texts)};
    void *bytes = NULL;
    tfm_table *table = NULL;
    tfm_steps steps = {0};
    bool ok = a.raw != NULL && a.normalized != NULL && a.ids != NULL && a.flags != NULL && a.texts != NULL;
    tfm_status status = ok ? open_normalizer(r, &bytes, &table, &steps) : tfm_json_no_memory(r);
    json_t *token;
    const uint32_t match_limit = match_limit_of(list, &steps);
    json_array_foreach(list, i, token) {
        if (status == TFM_OK) status = add_token(r, &a, token, &steps, match_limit);
    }
    if (status == TFM_OK && a.n > 0) status = put_added(r, &a);
    tfm_steps_close(&steps);
    tfm_table_close(&table);
    free(bytes);
    added_free(&a);
    return status;
}

static tfm_status put_vocabulary(tfm_json_reader *r) {
    uint8_t *kinds = malloc(r->size);
    if (!kinds) return tfm_json_no_memory(r);
    bool surfaces = false;
    for (size_t id = 0; id < r->size; id++) {
        kinds[id] = r->pieces[id].kind;
        surfaces |= r->pieces[id].surface != NULL;
    }
    tfm_table_set_array(r->table, "vocabulary.kinds", TFM_VALUE_U8S, kinds, r->size);
    free(kinds);
    tfm_status status = tfm_json_put_texts(r, "vocabulary", false);
    return status == TFM_OK && surfaces ? tfm_json_put_texts(r, "surfaces", true) : status;
}

tfm_status tfm_tokenizer_json(const json_t *root, const char *what, tfm_table_builder *table, tfm_error *error) {
    tfm_json_reader r = {.root = root, .what = what, .table = table, .error = error};
    tfm_status status =
        json_is_object(json_object_get(root, "model")) ? TFM_OK : tfm_json_broken(&r, "there is no model");
    if (status == TFM_OK) status = tfm_json_vocabulary(&r);
    if (status == TFM_OK) status = tfm_json_steps(&r);
    if (status == TFM_OK) status = added_tokens(&r);
    if (status == TFM_OK) status = tfm_json_model(&r);
    if (status == TFM_OK) status = tfm_json_decoder(&r);
    if (status == TFM_OK) status = tfm_json_templates(&r);
    if (status == TFM_OK) status = put_vocabulary(&r);
    for (size_t id = 0; id < r.size; id++) free(r.pieces[id].surface);
    free(r.pieces);
    free(r.spellings);
    tfm_named_sets_free(&r.named);
    return status;
}

tfm_status tfm_tokenizer_json_write(const json_t *root, const char *what, const char *section, tfm_writer *writer,
                                    tfm_error *error) {
    tfm_table_builder *table = tfm_table_builder_new();
    tfm_status status =
        table ? tfm_tokenizer_json(root, what, table, error) : tfm_no_memory(error, "%s: the tokenizer", what);
    if (status == TFM_OK) status = tfm_writer_section(writer, section, table, error);
    tfm_table_builder_free(&table);
    return status;
}
