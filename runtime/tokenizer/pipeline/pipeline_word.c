/* pipeline_word.c - the ids of a word: WordPiece, whole words, or one of the models with files of their own. */
#include "pipeline.h"

static tfm_status put(tfm_ids *ids, uint32_t id) {
    int32_t value = (int32_t)id;
    return tfm_ids_append(ids, &value, 1) ? TFM_OK : TFM_ERROR_MEMORY;
}

static tfm_status put_unknown(const tfm_word_model *m, const char *word, size_t n, const tfm_word_output *out) {
    if (m->unknown_id == TFM_NO_ID) return TFM_OK;
    return tfm_unknowns_note(out->unknowns, word, n) ? put(out->ids, m->unknown_id) : TFM_ERROR_MEMORY;
}

/* The longest piece first (Wu et al. 2016, "Google's Neural Machine Translation System"); unknown if one is missing. */
static tfm_status wordpiece(const tfm_word_model *m, const char *word, size_t n, const tfm_word_output *out) {
    tfm_ids *ids = out->ids;
    size_t start = ids->size, characters = 0;
    uint32_t code;
    for (size_t at = 0; at < n; characters++) at += tfm_utf8_next(word + at, n - at, &code);
    bool known = characters <= m->max_characters;
    for (size_t at = 0; known && at < n;) {
        const tfm_trie *pieces = at == 0 ? &m->pieces : &m->continuing;
        size_t length = 0;
        uint32_t id1 = pieces->units ? tfm_trie_longest(pieces, word + at, n - at, &length) : 0;
        known = id1 != 0;
        if (known && put(ids, id1 - 1) != TFM_OK) return TFM_ERROR_MEMORY;
        at += length;
    }
    if (known) return TFM_OK;
    ids->size = start;
    return put_unknown(m, word, n, out);
}

tfm_status tfm_word_model_encode(const tfm_word_model *m, const char *word, size_t n, const tfm_word_output *out) {
    switch (m->kind) {
    case TFM_WORD_MODEL_BPE: return tfm_word_model_encode_bpe(m, word, n, out);
    case TFM_WORD_MODEL_WORDPIECE: return wordpiece(m, word, n, out);
    case TFM_WORD_MODEL_UNIGRAM: return tfm_word_model_encode_unigram(m, word, n, out);
    default: {
        uint32_t id1 = tfm_trie_find(&m->pieces, word, n);
        return id1 != 0 ? put(out->ids, id1 - 1) : put_unknown(m, word, n, out);
    }
    }
}
