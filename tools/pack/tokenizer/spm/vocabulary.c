/* vocabulary.c - reads vocab.json and finds its special tokens, as MarianTokenizer of transformers 4.46 does. */
#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/spm/spm.h"
#include "tools/pack/common/json_file.h"

/* A token of a configuration is a string or an object with its spelling as content. */
static const char *token_text(const json_t *token) {
    if (json_is_object(token)) token = json_object_get(token, "content");
    return json_string_value(token);
}

static const char *token_named(const json_t *config, const json_t *map, const char *key, const char *fallback) {
    const char *text = token_text(json_object_get(config, key));
    if (!text) text = token_text(json_object_get(map, key));
    return text ? text : fallback;
}

int64_t tfm_vocabulary_find(const tfm_vocabulary *v, const char *text, size_t n) {
    if (n > UINT32_MAX) return -1;
    tfm_trie_key key = {text, (uint32_t)n, 0};
    const tfm_trie_key *found = bsearch(&key, v->spellings, v->n_spellings, sizeof key, tfm_trie_key_compare);
    return found ? (int64_t)found->value - 1 : -1;
}

static int64_t mark_special(tfm_vocabulary *v, const char *text) {
    int64_t id = tfm_vocabulary_find(v, text, strlen(text));
    if (id >= 0) v->entries[id].special = true;
    return id;
}

static tfm_status take_entries(tfm_vocabulary *v, const char *path, tfm_error *error) {
    const char *text;
    json_t *value;
    json_int_t highest = -1;
    json_object_foreach(v->json, text, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= (json_int_t)TFM_SPM_MAX_PIECES) {
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: \"%.60s\" has no id between 0 and %u", path, text,
                            TFM_SPM_MAX_PIECES - 1);
        }
        if (id > highest) highest = id;
    }
    v->size = (size_t)(highest + 1);
    v->entries = calloc(v->size + 1, sizeof *v->entries);
    v->spellings = calloc(json_object_size(v->json) + 1, sizeof *v->spellings);
    if (!v->entries || !v->spellings) return tfm_no_memory(error, "%s", path);
    json_object_foreach(v->json, text, value) {
        uint32_t id = (uint32_t)json_integer_value(value);
        size_t n = strlen(text);
        if (n > UINT32_MAX) continue;
        v->entries[id] = (tfm_vocabulary_entry){text, (uint32_t)n, false};
        v->spellings[v->n_spellings++] = (tfm_trie_key){text, (uint32_t)n, id + 1};
        if (n >= 4 && memcmp(text, ">>", 2) == 0 && memcmp(text + n - 2, "<<", 2) == 0) v->has_codes = true;
    }
    qsort(v->spellings, v->n_spellings, sizeof *v->spellings, tfm_trie_key_compare);
    return TFM_OK;
}

static tfm_status take_special(tfm_vocabulary *v, const char *path, const json_t *config, const json_t *map,
                               tfm_error *error) {
    const char *unknown = token_named(config, map, "unk_token", "<unk>");
    const char *end = token_named(config, map, "eos_token", "</s>");
    int64_t unknown_id = mark_special(v, unknown), end_id = mark_special(v, end);
    if (unknown_id < 0 || end_id < 0) {
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: it lacks the token %.60s", path, unknown_id < 0 ? unknown : end);
    }
    v->unknown_id = (uint32_t)unknown_id;
    v->end_id = (uint32_t)end_id;
    mark_special(v, token_named(config, map, "pad_token", "<pad>"));
    const json_t *more = json_object_get(config, "additional_special_tokens");
    if (!more) more = json_object_get(map, "additional_special_tokens");
    size_t i;
    json_t *token;
    json_array_foreach(more, i, token) {
        if (token_text(token)) mark_special(v, token_text(token));
    }
    return TFM_OK;
}

tfm_status tfm_vocabulary_make(tfm_vocabulary *v, json_t *object, const char *path, const json_t *config,
                               const json_t *special_tokens_map, tfm_error *error) {
    *v = (tfm_vocabulary){.json = object};
    tfm_status status = take_entries(v, path, error);
    if (status == TFM_OK) status = take_special(v, path, config, special_tokens_map, error);
    if (status != TFM_OK) tfm_vocabulary_free(v);
    return status;
}

tfm_status tfm_vocabulary_read(tfm_vocabulary *v, const char *path, const json_t *config,
                               const json_t *special_tokens_map, tfm_error *error) {
    json_t *object;
    *v = (tfm_vocabulary){0};
    tfm_status status = tfm_json_load(path, 0, &object, error);
    if (status != TFM_OK) return status;
    if (json_is_object(object)) return tfm_vocabulary_make(v, object, path, config, special_tokens_map, error);
    json_decref(object);
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: it is not a JSON object of tokens and ids", path);
}

void tfm_vocabulary_free(tfm_vocabulary *v) {
    json_decref(v->json);
    free(v->entries);
    free(v->spellings);
    *v = (tfm_vocabulary){0};
}
