/* json_vocabulary.c - the vocabulary and the added tokens of tokenizer.json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "class_sets.h"
#include "format/grow.h"
#include "format/utf8.h"
#include "runtime/tokenizer/pipeline/pipeline.h"
#include "tokenizer_json.h"

tfm_status tfm_json_unsupported(const tfm_json_reader *r, const char *what) {
    return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED, "%s: %s is not supported", r->what, what);
}

tfm_status tfm_json_broken(const tfm_json_reader *r, const char *what) {
    return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: %s", r->what, what);
}

int64_t tfm_json_find(const tfm_json_reader *r, const char *text, size_t n) {
    if (n > UINT32_MAX || r->n_spellings == 0) return -1;
    const tfm_trie_key key = {text, (uint32_t)n, 0};
    const tfm_trie_key *found = bsearch(&key, r->spellings, r->n_spellings, sizeof *r->spellings, tfm_trie_key_compare);
    return found ? (int64_t)found->value - 1 : -1;
}

size_t tfm_json_bytes(const char *text, size_t n, char *out) {
    size_t size = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code;
        at += tfm_utf8_next(text + at, n - at, &code);
        int byte = tfm_character_byte(code);
        if (byte < 0) return SIZE_MAX;
        out[size++] = (char)byte;
    }
    return size;
}

/* ---- the model's pieces ---- */

static tfm_status reserve(tfm_json_reader *r, size_t id) {
    if (id >= TFM_JSON_MAX_IDS) return tfm_fail(r->error, TFM_ERROR_LIMIT, "%s: a token has the id %zu", r->what, id);
    size_t before = r->capacity;
    if (!tfm_grow(&r->pieces, &r->capacity, id, 1, sizeof *r->pieces)) return tfm_json_no_memory(r);
    memset(r->pieces + before, 0, (r->capacity - before) * sizeof *r->pieces);
    if (id >= r->size) r->size = id + 1;
    return TFM_OK;
}

static tfm_status add_piece(tfm_json_reader *r, json_int_t id, const char *text, size_t n, bool in_model) {
    if (id < 0 || n >= UINT32_MAX) return tfm_json_broken(r, "a token has no possible id");
    tfm_status status = reserve(r, (size_t)id);
    if (status != TFM_OK) return status;
    tfm_json_piece *piece = &r->pieces[id];
    if (piece->text)
        return tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: the id %lld is given twice", r->what, (long long)id);
    *piece = (tfm_json_piece){.text = text, .n = (uint32_t)n, .kind = TFM_ID_EXISTS, .in_model = in_model};
    return TFM_OK;
}

/* {"spelling": id, ...} */
static tfm_status read_object(tfm_json_reader *r, const json_t *vocabulary) {
    const char *text;
    size_t n;
    json_t *id;
    json_object_keylen_foreach((json_t *)(uintptr_t)vocabulary, text, n, id) {
        if (!json_is_integer(id)) return tfm_json_broken(r, "the vocabulary has an id that is no number");
        tfm_status status = add_piece(r, json_integer_value(id), text, n, true);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* [["spelling", score], ...] */
static tfm_status read_list(tfm_json_reader *r, const json_t *vocabulary) {
    size_t i;
    json_t *entry;
    json_array_foreach(vocabulary, i, entry) {
        const json_t *text = json_array_get(entry, 0);
        if (!json_is_string(text) || !json_is_number(json_array_get(entry, 1)))
            return tfm_json_broken(r, "the vocabulary is not a list of spellings and scores");
        tfm_status status = add_piece(r, (json_int_t)i, json_string_value(text), json_string_length(text), true);
        if (status != TFM_OK) return status;
    }
    return TFM_OK;
}

/* By bytes, then the higher id first: the last of equal spellings counts. */
static int by_spelling(const void *a, const void *b) {
    const tfm_trie_key *x = a, *y = b;
    int order = tfm_trie_key_compare(a, b);
    return order != 0 ? order : (x->value < y->value) - (x->value > y->value);
}

static tfm_status sort_spellings(tfm_json_reader *r) {
    r->spellings = reallocarray(NULL, r->size + 1, sizeof *r->spellings);
    if (!r->spellings) return tfm_json_no_memory(r);
    size_t n = 0;
    for (size_t id = 0; id < r->size; id++) {
        if (r->pieces[id].text)
            r->spellings[n++] = (tfm_trie_key){r->pieces[id].text, r->pieces[id].n, (uint32_t)id + 1};
    }
    qsort(r->spellings, n, sizeof *r->spellings, by_spelling);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || tfm_trie_key_compare(&r->spellings[i - 1], &r->spellings[i]) != 0)
            r->spellings[r->n_spellings++] = r->spellings[i];
    }
    return TFM_OK;
}

/* Id of an added token as the library gives it: that of the model's piece, else the next one. */
static tfm_status add_token(tfm_json_reader *r, const json_t *token, size_t *next) {
    const json_t *content = json_object_get(token, "content"), *said = json_object_get(token, "id");
    if (!json_is_string(content) || !json_is_integer(said))
        return tfm_json_broken(r, "an added token has no content or id");
    const char *text = json_string_value(content);
    size_t n = json_string_length(content);
    int64_t id = tfm_json_find(r, text, n);
    if (n == 0) return TFM_OK;
    tfm_status status = TFM_OK;
    if (id < 0) {
        id = json_integer_value(said);
        if (id >= 0 && (size_t)id < r->size && r->pieces[id].text && r->pieces[id].n == n &&
            memcmp(r->pieces[id].text, text, n) == 0) {
            return TFM_OK; /* the same once more */
        }
        if ((uint64_t)id != *next) id = -1;
        if (id >= 0) status = add_piece(r, id, text, n, false);
        *next += 1;
    }
    if (status == TFM_OK && id != json_integer_value(said)) {
        return tfm_fail(r->error, TFM_ERROR_UNSUPPORTED,
                        "%s: the added token %.80s has the id %lld, which does not follow "
                        "those before it",
                        r->what, text, (long long)json_integer_value(said));
    }
    if (status == TFM_OK && json_is_true(json_object_get(token, "special"))) r->pieces[id].kind |= TFM_ID_SPECIAL;
    return status;
}

tfm_status tfm_json_vocabulary(tfm_json_reader *r) {
    const json_t *vocabulary = json_object_get(json_object_get(r->root, "model"), "vocab");
    tfm_status status = json_is_object(vocabulary)  ? read_object(r, vocabulary)
                        : json_is_array(vocabulary) ? read_list(r, vocabulary)
                                                    : tfm_json_broken(r, "the model has no vocabulary");
    if (status == TFM_OK) status = sort_spellings(r);
    /* The library counts spellings, so ids of added tokens follow that count. */
    size_t i, next = r->n_spellings;
    json_t *token;
    json_array_foreach(json_object_get(r->root, "added_tokens"), i, token) {
        if (status == TFM_OK) status = add_token(r, token, &next);
    }
    if (status == TFM_OK && r->size == 0) return tfm_json_broken(r, "the vocabulary is empty");
    return status;
}

tfm_status tfm_json_put_texts(const tfm_json_reader *r, const char *name, bool surfaces) {
    uint32_t *offsets = reallocarray(NULL, r->size + 1, sizeof *offsets);
    size_t total = 0;
    for (size_t id = 0; id < r->size; id++) {
        const tfm_json_piece *p = &r->pieces[id];
        total += surfaces && p->surface ? p->n_surface : p->n;
    }
    char *text = malloc(total + 1);
    if (!offsets || !text || total > UINT32_MAX) {
        free(offsets);
        free(text);
        return tfm_json_no_memory(r);
    }
    size_t n = 0;
    offsets[0] = 0;
    for (size_t id = 0; id < r->size; id++) {
        const tfm_json_piece *p = &r->pieces[id];
        bool other = surfaces && p->surface != NULL;
        size_t length = other ? p->n_surface : p->n;
        if (length > 0) memcpy(text + n, other ? p->surface : p->text, length);
        n += length;
        offsets[id + 1] = (uint32_t)n;
    }
    char key[64];
    snprintf(key, sizeof key, "%s.text", name);
    tfm_table_set_array(r->table, key, TFM_VALUE_U8S, text, n);
    snprintf(key, sizeof key, "%s.offsets", name);
    tfm_table_set_array(r->table, key, TFM_VALUE_U32S, offsets, r->size + 1);
    free(offsets);
    free(text);
    return TFM_OK;
}
