/* spm_table.c - lays a SentencePiece model out for use: search structures, scores, spellings, rules. */
#include "spm_table.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charsmap.h"
#include "runtime/tokenizer/spm/spm.h"

#define UNKNOWN_PENALTY 10.0f /* SentencePiece: below the lowest score of a normal piece */

typedef struct layout {
    const tfm_spm_model *model;
    const tfm_vocabulary *vocabulary;
    const char *what;
    tfm_table_builder *table;
    tfm_error *error;
} layout;

/* What occurs in text. Unigram segmentation passes unused pieces over; byte pairs are built through them. */
static tfm_status put_pieces(const layout *l) {
    const tfm_spm_model *m = l->model;
    tfm_trie_key *keys = malloc(m->n_in_text * sizeof *keys);
    if (!keys) return tfm_no_memory(l->error, "%s: the tokenizer", l->what);
    size_t n = 0;
    for (size_t i = 0; i < m->n_in_text; i++) {
        tfm_trie_key key = m->in_text[i];
        uint32_t kind = m->pieces[key.value - 1].kind;
        if (kind == TFM_PIECE_UNUSED && !m->byte_pairs) continue;
        if (kind == TFM_PIECE_UNUSED) key.value |= TFM_SPM_UNUSED;
        if (kind == TFM_PIECE_USER_DEFINED) key.value |= TFM_SPM_USER_DEFINED;
        keys[n++] = key;
    }
    tfm_status status = tfm_trie_put(l->table, "pieces.trie", keys, n, l->what, l->error);
    n = 0;
    for (size_t i = 0; i < m->n_in_text; i++) {
        if (m->pieces[m->in_text[i].value - 1].kind == TFM_PIECE_USER_DEFINED) keys[n++] = m->in_text[i];
    }
    if (status == TFM_OK && n > 0) status = tfm_trie_put(l->table, "symbols.trie", keys, n, l->what, l->error);
    free(keys);
    return status;
}

static tfm_status put_scores(const layout *l) {
    const tfm_spm_model *m = l->model;
    float *scores = malloc(m->n * sizeof *scores);
    if (!scores) return tfm_no_memory(l->error, "%s: the tokenizer", l->what);
    float lowest = FLT_MAX, highest = FLT_MIN; /* where the library starts from */
    for (size_t i = 0; i < m->n; i++) {
        scores[i] = m->pieces[i].score;
        if (m->pieces[i].kind != TFM_PIECE_NORMAL) continue;
        if (scores[i] < lowest) lowest = scores[i];
        if (scores[i] > highest) highest = scores[i];
    }
    tfm_table_set_array(l->table, "pieces.scores", TFM_VALUE_F32S, scores, m->n);
    tfm_table_set_f64(l->table, "unknown.score", (double)(lowest - UNKNOWN_PENALTY));
    tfm_table_set_f64(l->table, "max_score", (double)highest);
    free(scores);
    return TFM_OK;
}

/* The model's id of a piece. */
static uint32_t id_of(const layout *l, size_t number) {
    if (!l->vocabulary) return (uint32_t)number;
    const tfm_spm_piece *p = &l->model->pieces[number];
    int64_t id = tfm_vocabulary_find(l->vocabulary, p->text, p->n);
    return id >= 0 ? (uint32_t)id : l->vocabulary->unknown_id;
}

static tfm_status put_ids(const layout *l) {
    const tfm_spm_model *m = l->model;
    uint32_t *ids = malloc(m->n * sizeof *ids), bytes[256] = {0};
    if (!ids) return tfm_no_memory(l->error, "%s: the tokenizer", l->what);
    for (size_t i = 0; i < m->n; i++) {
        ids[i] = id_of(l, i);
        if (m->pieces[i].kind == TFM_PIECE_BYTE) bytes[tfm_spm_byte(m->pieces[i].text, m->pieces[i].n)] = ids[i];
    }
    if (l->vocabulary) tfm_table_set_array(l->table, "pieces.ids", TFM_VALUE_U32S, ids, m->n);
    if (m->byte_fallback) tfm_table_set_array(l->table, "bytes.ids", TFM_VALUE_U32S, bytes, 256);
    tfm_table_set_u64(l->table, "unknown.id", l->vocabulary ? l->vocabulary->unknown_id : (uint64_t)m->unknown);
    free(ids);
    return TFM_OK;
}

/* Spellings that are in vocab.json and not in the SentencePiece file; the special tokens are not for text to name. */
static tfm_status put_others(const layout *l) {
    const tfm_vocabulary *v = l->vocabulary;
    tfm_trie_key *keys = malloc((v->n_spellings + 1) * sizeof *keys);
    if (!keys) return tfm_no_memory(l->error, "%s: the tokenizer", l->what);
    size_t n = 0;
    for (size_t i = 0; i < v->n_spellings; i++) {
        tfm_trie_key key = v->spellings[i];
        if (v->entries[key.value - 1].special || key.n == 0 || key.n > TFM_TRIE_MAX_KEY) continue;
        const tfm_spm_model *m = l->model;
        if (bsearch(&key, m->in_text, m->n_in_text, sizeof key, tfm_trie_key_compare)) continue;
        keys[n++] = key;
    }
    tfm_status status = n > 0 ? tfm_trie_put(l->table, "others.trie", keys, n, l->what, l->error) : TFM_OK;
    free(keys);
    return status;
}

static uint8_t kind_of(const tfm_spm_model *m, const char *text, size_t n) {
    int64_t number = tfm_spm_model_find(m, text, n);
    if (number < 0) return TFM_SPM_LITERAL;
    switch (m->pieces[number].kind) {
    case TFM_PIECE_UNKNOWN: return TFM_SPM_UNKNOWN;
    case TFM_PIECE_CONTROL: return TFM_SPM_CONTROL;
    case TFM_PIECE_BYTE: return TFM_SPM_BYTE;
    default: return TFM_SPM_NORMAL;
    }
}

/* Spelling and kind of an id; an id that vocab.json skips stands for the unknown token. */
static tfm_vocabulary_entry entry_of(const layout *l, size_t id) {
    if (!l->vocabulary) {
        const tfm_spm_piece *p = &l->model->pieces[id];
        return (tfm_vocabulary_entry){p->text, p->n, false};
    }
    const tfm_vocabulary_entry *entry = &l->vocabulary->entries[id];
    return entry->text ? *entry : l->vocabulary->entries[l->vocabulary->unknown_id];
}

static tfm_status put_vocabulary(const layout *l) {
    size_t size = l->vocabulary ? l->vocabulary->size : l->model->n, n = 0;
    for (size_t i = 0; i < size; i++) n += entry_of(l, i).n;
    if (n > UINT32_MAX) return tfm_fail(l->error, TFM_ERROR_LIMIT, "%s: its spellings are too long", l->what);
    char *text = malloc(n + 1);
    uint32_t *offsets = calloc(size + 1, sizeof *offsets);
    uint8_t *kinds = malloc(size);
    bool ok = text != NULL && offsets != NULL && kinds != NULL;
    for (size_t i = 0; ok && i < size; i++) {
        tfm_vocabulary_entry entry = entry_of(l, i);
        memcpy(text + offsets[i], entry.text, entry.n);
        offsets[i + 1] = offsets[i] + entry.n;
        kinds[i] = (uint8_t)(kind_of(l->model, entry.text, entry.n) | (entry.special ? TFM_SPM_SPECIAL : 0));
    }
    if (ok) {
        tfm_table_set_array(l->table, "vocabulary.text", TFM_VALUE_U8S, text, n);
        tfm_table_set_array(l->table, "vocabulary.offsets", TFM_VALUE_U32S, offsets, size + 1);
        tfm_table_set_array(l->table, "vocabulary.kinds", TFM_VALUE_U8S, kinds, size);
    }
    free(text);
    free(offsets);
    free(kinds);
    return ok ? TFM_OK : tfm_no_memory(l->error, "%s: the tokenizer", l->what);
}

static void put_flag(const layout *l, const char *name, const char *key, bool value) {
    char full[64];
    snprintf(full, sizeof full, "%s.%s", name, key);
    tfm_table_set_u64(l->table, full, value);
}

static tfm_status put_normalizer(const layout *l, const char *name, const tfm_spm_rules *rules, bool as_suffix) {
    put_flag(l, name, "add_dummy_prefix", rules->add_dummy_prefix);
    put_flag(l, name, "remove_extra_whitespaces", rules->remove_extra_whitespaces);
    put_flag(l, name, "escape_whitespaces", rules->escape_whitespaces);
    put_flag(l, name, "whitespace_as_suffix", as_suffix);
    if (rules->n_charsmap == 0) return TFM_OK;
    tfm_charsmap map;
    tfm_status status = tfm_charsmap_read(&map, rules->charsmap, rules->n_charsmap, l->what, l->error);
    if (status != TFM_OK || map.n_keys == 0) return status;
    char key[64];
    snprintf(key, sizeof key, "%s.rules", name);
    status = tfm_trie_put(l->table, key, map.keys, map.n_keys, l->what, l->error);
    snprintf(key, sizeof key, "%s.replacements.text", name);
    tfm_table_set_array(l->table, key, TFM_VALUE_U8S, map.text, map.offsets[map.n_replacements]);
    snprintf(key, sizeof key, "%s.replacements.offsets", name);
    tfm_table_set_array(l->table, key, TFM_VALUE_U32S, map.offsets, map.n_replacements + 1);
    tfm_charsmap_free(&map);
    return status;
}

/* Whether no piece has U+2581 after another character, so that merges never cross the beginning of a word. */
static bool merges_stay_in_words(const tfm_spm_model *m) {
    for (size_t i = 0; i < m->n_in_text; i++) {
        const char *text = m->in_text[i].text;
        size_t n = m->in_text[i].n, spaces = 0;
        while (n - spaces >= 3 && memcmp(text + spaces, TFM_SPM_SPACE, 3) == 0) spaces += 3;
        if (memmem(text + spaces, n - spaces, TFM_SPM_SPACE, 3)) return false;
    }
    return true;
}

tfm_status tfm_spm_table(const tfm_spm_model *model, const tfm_vocabulary *vocabulary, const char *what,
                         tfm_table_builder *table, tfm_error *error) {
    layout l = {model, vocabulary, what, table, error};
    tfm_table_set_string(table, "type", model->byte_pairs ? "sentencepiece-bpe" : "sentencepiece-unigram");
    tfm_table_set_string(table, "join", vocabulary && !vocabulary->plain_join ? "marian" : "sentencepiece");
    tfm_table_set_u64(table, "language_codes", vocabulary != NULL && vocabulary->has_codes);
    tfm_table_set_u64(table, "merge_in_words", merges_stay_in_words(model));
    tfm_table_set_string(table, "unknown.surface", model->unknown_surface);
    tfm_status status = put_pieces(&l);
    if (status == TFM_OK) status = put_scores(&l);
    if (status == TFM_OK) status = put_ids(&l);
    if (status == TFM_OK) status = put_vocabulary(&l);
    if (status == TFM_OK && vocabulary) {
        if (vocabulary->has_begin) tfm_table_set_array(table, "prefix.ids", TFM_VALUE_U32S, &vocabulary->begin_id, 1);
        if (!vocabulary->no_end) tfm_table_set_array(table, "suffix.ids", TFM_VALUE_U32S, &vocabulary->end_id, 1);
        status = put_others(&l);
    }
    if (status == TFM_OK) status = put_normalizer(&l, "normalizer", &model->normalizer, model->whitespace_as_suffix);
    if (status == TFM_OK && model->has_denormalizer) {
        status = put_normalizer(&l, "denormalizer", &model->denormalizer, false);
    }
    return status;
}
