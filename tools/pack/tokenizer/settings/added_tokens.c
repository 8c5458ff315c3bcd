/* added_tokens.c - see added_tokens.h. The order and the rules are those of from_pretrained() in transformers 4.46. */
#include "added_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                    "pad_token", "cls_token", "mask_token"};
static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized", "special"};

#define N_ROLES (sizeof roles / sizeof *roles)
#define N_LISTS (sizeof lists / sizeof *lists)
#define MAX_EXTRA_IDS 100000

typedef struct added {
    const tfm_tokenizer_files *files;
    const json_t *ids; /* of the model */
    json_t *list;
    json_t *index;   /* spelling -> token of the list */
    json_t *named;   /* spellings that a role has named */
    json_int_t next; /* id of the next new token */
} added;

static tfm_status no_memory(const added *a) {
    return tfm_no_memory(a->files->error, "%s: the tokenizer", a->files->folder);
}

/* ---- what is there ---- */

json_t *tfm_vocabulary_ids(const json_t *vocabulary) {
    if (!json_is_array(vocabulary)) return json_incref((json_t *)(uintptr_t)vocabulary);
    json_t *ids = json_object(), *entry;
    size_t i;
    bool ok = ids != NULL;
    json_array_foreach(vocabulary, i, entry) {
        const json_t *text = json_array_get(entry, 0);
        if (ok && json_is_string(text))
            ok = json_object_setn_new(ids, json_string_value(text), json_string_length(text),
                                      json_integer((json_int_t)i)) == 0;
    }
    if (ok) return ids;
    json_decref(ids);
    return NULL;
}

json_int_t tfm_added_tokens_find(const json_t *ids, const json_t *list, const char *text) {
    const json_t *id = json_object_get(ids, text), *token;
    size_t i;
    if (json_is_integer(id)) return json_integer_value(id);
    json_array_foreach((json_t *)(uintptr_t)list, i, token) {
        const char *content = json_string_value(json_object_get(token, "content"));
        if (content && strcmp(content, text) == 0) return json_integer_value(json_object_get(token, "id"));
    }
    return -1;
}

static tfm_status make_index(added *a) {
    size_t i;
    json_t *token;
    a->index = json_object();
    a->named = json_object();
    if (!a->index || !a->named) return no_memory(a);
    a->next = (json_int_t)json_object_size(a->ids);
    json_array_foreach(a->list, i, token) {
        const json_t *content = json_object_get(token, "content");
        json_int_t id = json_integer_value(json_object_get(token, "id"));
        if (id >= a->next && id < INT32_MAX) a->next = id + 1;
        if (json_is_string(content) &&
            json_object_setn(a->index, json_string_value(content), json_string_length(content), token) != 0)
            return no_memory(a);
    }
    return TFM_OK;
}

/* ---- one token ---- */

/* The flags of a token that is there; one that was special before keeps whether it is normalised. */
static tfm_status change(const added *a, json_t *token, const json_t *like, bool special) {
    bool was_special = json_is_true(json_object_get(token, "special"));
    bool ok = true;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const json_t *said = json_object_get(like, flags[i]);
        if (!json_is_boolean(said) || (was_special && i >= 3)) continue;
        ok &= json_object_set(token, flags[i], (json_t *)(uintptr_t)said) == 0;
    }
    if (special) ok &= json_object_set_new(token, "special", json_true()) == 0;
    return ok ? TFM_OK : no_memory(a);
}

static bool flag_of(const json_t *like, const char *name, bool fallback) {
    const json_t *said = json_object_get(like, name);
    return json_is_boolean(said) ? json_is_true(said) : fallback;
}

/* stated: the id it should have; -1: not said. */
static tfm_status append(added *a, const char *text, json_int_t stated, const json_t *like, bool special) {
    const json_t *known = json_object_get(a->ids, text);
    json_int_t id = json_is_integer(known) ? json_integer_value(known) : stated >= 0 ? stated : a->next;
    json_t *token = json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", text, "single_word",
                              flag_of(like, "single_word", false), "lstrip", flag_of(like, "lstrip", false), "rstrip",
                              flag_of(like, "rstrip", false), "normalized", flag_of(like, "normalized", !special),
                              "special", special);
    if (!token) return no_memory(a);
    if (id >= a->next && id < INT32_MAX) a->next = id + 1;
    bool ok = json_object_set(a->index, text, token) == 0;
    ok &= json_array_append_new(a->list, token) == 0;
    return ok ? TFM_OK : no_memory(a);
}

/* ---- where they are said ---- */

typedef struct entry {
    json_int_t id;
    const char *text;
    const json_t *like;
} entry;

static int by_id(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* {"50256": {"content": ..., ...}, ...} */
static tfm_status take_decoder(const added *a, const json_t *decoder, entry *entries, size_t *n) {
    const char *key;
    json_t *token;
    json_object_foreach((json_t *)(uintptr_t)decoder, key, token) {
        const char *text = json_string_value(json_object_get(token, "content"));
        if (!text)
            return tfm_fail(a->files->error, TFM_ERROR_FORMAT,
                            "%s: tokenizer_config.json has an added token without content", a->files->folder);
        entries[(*n)++] = (entry){strtol(key, NULL, 10), text, token};
    }
    return TFM_OK;
}

/* {"<tool>": 32000, ...} */
static tfm_status take_added_file(const added *a, entry *entries, size_t *n) {
    const char *key;
    json_t *id;
    json_object_foreach(a->files->added, key, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return tfm_fail(a->files->error, TFM_ERROR_FORMAT, "%s/added_tokens.json: %.80s has no id",
                            a->files->folder, key);
        entries[(*n)++] = (entry){json_integer_value(id), key, NULL};
    }
    return TFM_OK;
}

static bool list_has(const json_t *list, const char *text) {
    size_t i;
    const json_t *token;
    json_array_foreach((json_t *)(uintptr_t)list, i, token) {
        const char *content = tfm_token_content(token);
        if (content && strcmp(content, text) == 0) return true;
    }
    return false;
}

/* Lists of special tokens count from both files, one after the other, unless the decoder says all. */
static const json_t *list_at(const tfm_tokenizer_files *f, size_t k) {
    if (k % 2 == 0) return json_object_get(f->settings, lists[k / 2]);
    return tfm_added_tokens_listed(f) ? NULL : json_object_get(f->map, lists[k / 2]);
}

static bool has_role(const tfm_tokenizer_files *f, const char *text) {
    for (size_t i = 0; i < N_ROLES; i++) {
        const char *token = tfm_special_token_text(f, roles[i], NULL);
        if (token && strcmp(token, text) == 0) return true;
    }
    for (size_t k = 0; k < 2 * N_LISTS; k++)
        if (list_has(list_at(f, k), text)) return true;
    return false;
}

/* A file that lists no decoder leaves the tokens of tokenizer.json as they are. */
static tfm_status add_entry(added *a, const entry *e) {
    json_t *there = json_object_get(a->index, e->text);
    if (!e->like) return there ? TFM_OK : append(a, e->text, e->id, NULL, has_role(a->files, e->text));
    bool special = json_is_true(json_object_get(e->like, "special"));
    return there ? change(a, there, e->like, special) : append(a, e->text, e->id, e->like, special);
}

static tfm_status from_files(added *a) {
    const json_t *decoder = json_object_get(a->files->settings, "added_tokens_decoder");
    const bool listed = tfm_added_tokens_listed(a->files);
    size_t n = 0;
    entry *entries = calloc(json_object_size(listed ? decoder : a->files->added) + 1, sizeof *entries);
    if (!entries) return no_memory(a);
    tfm_status status = listed ? take_decoder(a, decoder, entries, &n) : take_added_file(a, entries, &n);
    qsort(entries, n, sizeof *entries, by_id);
    for (size_t i = 0; i < n && status == TFM_OK; i++) status = add_entry(a, &entries[i]);
    free(entries);
    return status;
}

/* Flags count as the first role has them, unless the decoder said them. */
static tfm_status add_special(added *a, const json_t *token) {
    const char *text = tfm_token_content(token);
    const json_t *like = json_is_object(token) ? token : NULL;
    if (!text || !*text || json_object_get(a->named, text)) return TFM_OK;
    if (json_object_set_new(a->named, text, json_true()) != 0) return no_memory(a);
    json_t *there = json_object_get(a->index, text);
    if (!there) return append(a, text, -1, like, true);
    return like && !tfm_added_tokens_listed(a->files) ? change(a, there, like, true) : TFM_OK;
}

/* What a class has where nothing is said counts only if the vocabulary has it. */
static tfm_status add_default(added *a, const char *text) {
    if (!text || !json_object_get(a->ids, text) || json_object_get(a->index, text)) return TFM_OK;
    return append(a, text, -1, NULL, true);
}

/* A list, or an object with names as the keys. */
static tfm_status add_list(added *a, const json_t *list) {
    const json_t *token;
    const char *name;
    size_t i;
    tfm_status status = TFM_OK;
    json_array_foreach((json_t *)(uintptr_t)list, i, token) {
        if (status == TFM_OK) status = add_special(a, token);
    }
    json_object_foreach((json_t *)(uintptr_t)list, name, token) {
        if (status == TFM_OK && !tfm_token_content(list)) status = add_special(a, token);
    }
    return status;
}

static tfm_status from_roles(added *a) {
    const tfm_tokenizer_files *f = a->files;
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < N_ROLES && status == TFM_OK; i++) {
        const json_t *token = tfm_special_token(f, roles[i]);
        if (token)
            status = add_special(a, token);
        else if (f->class && i < 2)
            status = add_default(a, i == 0 ? f->class->bos : f->class->eos);
    }
    for (size_t k = 0; k < 2 * N_LISTS && status == TFM_OK; k++) status = add_list(a, list_at(f, k));
    return status;
}

/* T5's <extra_id_0>, ... */
static tfm_status from_extra_ids(added *a) {
    const json_t *said = json_object_get(a->files->settings, "extra_ids");
    json_int_t n = json_integer_value(said);
    tfm_status status = TFM_OK;
    if (n < 0 || n > MAX_EXTRA_IDS)
        return tfm_fail(a->files->error, TFM_ERROR_FORMAT, "%s/tokenizer_config.json: extra_ids is %lld",
                        a->files->folder, (long long)n);
    for (json_int_t i = 0; i < n && status == TFM_OK; i++) {
        char text[40];
        snprintf(text, sizeof text, "<extra_id_%lld>", (long long)i);
        if (!json_object_get(a->index, text)) status = append(a, text, -1, NULL, true);
    }
    return status;
}

tfm_status tfm_added_tokens_take(const tfm_tokenizer_files *files, const json_t *ids, json_t *list) {
    added a = {.files = files, .ids = ids, .list = list};
    tfm_status status = make_index(&a);
    if (status == TFM_OK) status = from_files(&a);
    if (status == TFM_OK) status = from_roles(&a);
    if (status == TFM_OK) status = from_extra_ids(&a);
    json_decref(a.index);
    json_decref(a.named);
    return status;
}

bool tfm_added_tokens_any(const tfm_tokenizer_files *files, bool (*is_known)(const void *user, const char *text),
                          const void *user) {
    const json_t *decoder = json_object_get(files->settings, "added_tokens_decoder"), *token;
    const char *key, *text;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)decoder, key, token) {
        text = tfm_token_content(token);
        if (text && !is_known(user, text)) return true;
    }
    json_object_foreach(files->added, key, token) {
        if (!decoder && !is_known(user, key)) return true;
    }
    for (i = 0; i < N_ROLES; i++) {
        text = tfm_special_token_text(files, roles[i], NULL);
        if (text && *text && !is_known(user, text)) return true;
    }
    for (size_t k = 0; k < 2 * N_LISTS; k++) {
        const json_t *list = list_at(files, k);
        json_array_foreach((json_t *)(uintptr_t)list, i, token) {
            text = tfm_token_content(token);
            if (text && !is_known(user, text)) return true;
        }
        if (json_object_size(list) > 0) return true;
    }
    return json_integer_value(json_object_get(files->settings, "extra_ids")) > 0;
}
