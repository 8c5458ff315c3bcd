/* piece_list.c - lists of pieces as tokenizer.json; see piece_list.h. */
#include "piece_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/names.h"
#include "format/utf8.h"
#include "runtime/tokenizer/spm/spm_normalizer.h"
#include "tools/pack/common/word_list.h"

tfm_status tfm_piece_list_vocabulary(const tfm_piece_list *list, json_t **vocabulary, tfm_error *error) {
    *vocabulary = json_object();
    if (!*vocabulary) return tfm_no_memory(error, "%s: the tokenizer", list->what);
    for (size_t i = 0; i < list->n; i++) {
        const tfm_spm_piece *p = &list->pieces[i];
        if (p->n == 0 || json_object_getn(*vocabulary, p->text, p->n)) continue;
        json_t *id = json_integer((json_int_t)i);
        if (!id || json_object_setn_new(*vocabulary, p->text, p->n, id) != 0) {
            if (tfm_utf8_valid_prefix(p->text, p->n) == p->n)
                return tfm_no_memory(error, "%s: the tokenizer", list->what);
            return tfm_fail(error, TFM_ERROR_FORMAT, "%s: token %zu is not UTF-8 text", list->what, i);
        }
    }
    return TFM_OK;
}

/* Spellings: separated by spaces. */
static bool is_one_of(const tfm_spm_piece *p, const char *spellings) {
    char text[40];
    snprintf(text, sizeof text, "%.*s", p->n < sizeof text ? (int)p->n : 0, p->text);
    return tfm_word_list_has(spellings, text);
}

tfm_status tfm_piece_list_added(const tfm_piece_list *list, const json_t *vocabulary, json_t **added,
                                tfm_error *error) {
    *added = json_array();
    if (!*added) return tfm_no_memory(error, "%s: the tokenizer", list->what);
    for (size_t i = 0; i < list->n; i++) {
        const tfm_spm_piece *p = &list->pieces[i];
        bool special = p->kind == TFM_PIECE_CONTROL || p->kind == TFM_PIECE_UNKNOWN;
        if (!special && p->kind != TFM_PIECE_USER_DEFINED) continue;
        const json_t *id = p->n > 0 ? json_object_getn(vocabulary, p->text, p->n) : NULL;
        if (!id || json_integer_value(id) != (json_int_t)i) continue; /* an earlier token has its spelling */
        /* A symbol with U+2581 is found where spaces have become that. */
        const bool strip = list->strip_after_added && !is_one_of(p, "<unk> <s> <|endoftext|>");
        bool normalized = memmem(p->text, p->n, TFM_SPM_SPACE, 3) != NULL;
        json_t *token =
            json_pack("{s:I, s:s%, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)i, "content", p->text, (size_t)p->n,
                      "single_word", 0, "lstrip", 0, "rstrip", strip, "normalized", normalized, "special", special);
        if (!token || json_array_append_new(*added, token) != 0)
            return tfm_no_memory(error, "%s: the tokenizer", list->what);
    }
    return TFM_OK;
}

/* ---- around an input ---- */

static bool put_special(const tfm_piece_list *list, int64_t id, json_t *single, json_t *tokens) {
    const tfm_spm_piece *p = &list->pieces[id];
    json_t *step = json_pack("{s:{s:s%, s:i}}", "SpecialToken", "id", p->text, (size_t)p->n, "type_id", 0);
    json_t *token = json_pack("{s:s%, s:[I], s:[s%]}", "id", p->text, (size_t)p->n, "ids", (json_int_t)id, "tokens",
                              p->text, (size_t)p->n);
    bool ok = json_array_append_new(single, step) == 0;
    return json_object_setn_new(tokens, p->text, p->n, token) == 0 && ok;
}

tfm_status tfm_piece_list_template(const tfm_piece_list *list, json_t *root, tfm_error *error) {
    const bool bos = list->add_bos && list->bos >= 0, eos = list->add_eos && list->eos >= 0;
    if (!bos && !eos) return TFM_OK;
    if ((bos && (uint64_t)list->bos >= list->n) || (eos && (uint64_t)list->eos >= list->n))
        return tfm_fail(error, TFM_ERROR_FORMAT, "%s: the token that begins or ends a text is not in the vocabulary",
                        list->what);
    json_t *single = json_array(), *tokens = json_object();
    bool ok = single != NULL && tokens != NULL;
    if (bos) ok = ok && put_special(list, list->bos, single, tokens);
    ok = ok && json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0)) == 0;
    if (eos) ok = ok && put_special(list, list->eos, single, tokens);
    json_t *post = json_pack("{s:s, s:O, s:[], s:O}", "type", "TemplateProcessing", "single", single, "pair",
                             "special_tokens", tokens);
    json_decref(single);
    json_decref(tokens);
    if (json_object_set_new(root, "post_processor", post) != 0) ok = false;
    return ok ? TFM_OK : tfm_no_memory(error, "%s: the tokenizer", list->what);
}

/* ---- byte pairs by score ---- */

/* Piece `id` from its first `left` bytes and the rest. */
typedef struct merge {
    uint32_t id, left;
    uint32_t n_left, n_right; /* characters */
    uint32_t left_id, right_id;
    float score;
} merge;

typedef struct merge_list {
    merge *list;
    size_t n, capacity;
} merge_list;

static bool add_merge(merge_list *m, const merge *one) {
    if (!tfm_grow(&m->list, &m->capacity, m->n, 1, sizeof *m->list)) return false;
    m->list[m->n++] = *one;
    return true;
}

/* The best score first; then the order transformers gives them: longer left sides, longer right sides, lower ids. */
static int by_rank(const void *a, const void *b) {
    const merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->n_left != y->n_left) return x->n_left > y->n_left ? -1 : 1;
    if (x->n_right != y->n_right) return x->n_right > y->n_right ? -1 : 1;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    if (x->left_id != y->left_id) return x->left_id < y->left_id ? -1 : 1;
    return (x->right_id > y->right_id) - (x->right_id < y->right_id);
}

/* The id of a spelling that text can have, or -1. */
static int64_t find_normal(const tfm_piece_list *list, const json_t *vocabulary, const char *text, size_t n) {
    const json_t *id = json_object_getn(vocabulary, text, n);
    if (!id || list->pieces[json_integer_value(id)].kind != TFM_PIECE_NORMAL) return -1;
    return json_integer_value(id);
}

static size_t characters(const char *text, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += !tfm_utf8_continues(text[i]);
    return count;
}

static bool find_merges(const tfm_piece_list *list, const json_t *vocabulary, merge_list *m) {
    for (size_t i = 0; i < list->n; i++) {
        const tfm_spm_piece *p = &list->pieces[i];
        if (p->kind != TFM_PIECE_NORMAL || p->n < 2 || p->n > 1023) continue;
        if (find_normal(list, vocabulary, p->text, p->n) != (int64_t)i) continue;
        const size_t total = characters(p->text, p->n);
        for (size_t cut = 1, n_left = 1; cut < p->n; cut++) {
            if (tfm_utf8_continues(p->text[cut])) continue; /* inside a character */
            int64_t left = find_normal(list, vocabulary, p->text, cut);
            int64_t right = left >= 0 ? find_normal(list, vocabulary, p->text + cut, p->n - cut) : -1;
            const merge one = {(uint32_t)i,    (uint32_t)cut,   (uint32_t)n_left, (uint32_t)(total - n_left),
                               (uint32_t)left, (uint32_t)right, p->score};
            if (right >= 0 && !add_merge(m, &one)) return false;
            n_left++;
        }
    }
    return true;
}

static json_t *merges_of(const tfm_piece_list *list, const json_t *vocabulary) {
    merge_list m = {0};
    json_t *array = find_merges(list, vocabulary, &m) ? json_array() : NULL;
    if (m.n > 0) qsort(m.list, m.n, sizeof *m.list, by_rank);
    for (size_t i = 0; array && i < m.n; i++) {
        const merge *one = &m.list[i];
        const tfm_spm_piece *p = &list->pieces[one->id];
        json_t *pair =
            json_pack("[s%, s%]", p->text, (size_t)one->left, p->text + one->left, (size_t)(p->n - one->left));
        if (!pair || json_array_append_new(array, pair) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    free(m.list);
    return array;
}

/* Spaces become U+2581, and one stands before the text; and the way back. */
static bool put_spaces(const tfm_piece_list *list, json_t *root) {
    json_t *replace =
        json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ", "content", TFM_SPM_SPACE);
    json_t *back = json_pack("[{s:s, s:{s:s}, s:s}, {s:s}, {s:s}]", "type", "Replace", "pattern", "String",
                             TFM_SPM_SPACE, "content", " ", "type", "ByteFallback", "type", "Fuse");
    json_t *steps = json_array();
    bool ok = true;
    if (list->squeeze_spaces) {
        ok = json_array_append_new(
                 steps, json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", 1, "strip_right", 1)) == 0;
        ok &= json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex",
                                                     " {2,}", "content", " ")) == 0;
    }
    if (list->space_prefix) {
        ok &= json_array_append_new(steps, json_pack("{s:s, s:s}", "type", "Prepend", "prepend", TFM_SPM_SPACE)) == 0;
        json_t *strip = json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0);
        ok &= json_array_append_new(back, strip) == 0;
    }
    ok &= json_array_append_new(steps, replace) == 0;
    ok &=
        json_object_set_new(root, "normalizer", json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", steps)) == 0;
    ok &= json_object_set_new(root, "decoder", json_pack("{s:s, s:o}", "type", "Sequence", "decoders", back)) == 0;
    return ok;
}

static bool all_bytes(const tfm_piece_list *list) {
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) n += list->pieces[i].kind == TFM_PIECE_BYTE;
    return n >= 256;
}

tfm_status tfm_piece_list_byte_pairs(const tfm_piece_list *list, json_t **root, tfm_error *error) {
    json_t *vocabulary = NULL, *added = NULL, *merges = NULL;
    const tfm_spm_piece *unknown = list->unknown >= 0 && (uint64_t)list->unknown < list->n
                                       ? &list->pieces[list->unknown]
                                       : &(const tfm_spm_piece){.text = NULL};
    tfm_status status = tfm_piece_list_vocabulary(list, &vocabulary, error);
    if (status == TFM_OK) status = tfm_piece_list_added(list, vocabulary, &added, error);
    if (status == TFM_OK && !(merges = merges_of(list, vocabulary)))
        status = tfm_no_memory(error, "%s: the tokenizer", list->what);
    *root = NULL;
    if (status == TFM_OK) {
        json_t *spelling = unknown->n > 0 ? json_stringn(unknown->text, unknown->n) : json_null();
        *root = json_pack("{s:O, s:{s:s, s:o, s:b, s:b, s:O, s:O}}", "added_tokens", added, "model", "type", "BPE",
                          "unk_token", spelling, "fuse_unk", 1, "byte_fallback", all_bytes(list), "vocab", vocabulary,
                          "merges", merges);
        if (!*root || !put_spaces(list, *root)) status = tfm_no_memory(error, "%s: the tokenizer", list->what);
    }
    if (status == TFM_OK) status = tfm_piece_list_template(list, *root, error);
    if (status != TFM_OK) {
        json_decref(*root);
        *root = NULL;
    }
    json_decref(vocabulary);
    json_decref(added);
    json_decref(merges);
    return status;
}
