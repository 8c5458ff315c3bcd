/* spm_open.c - takes a SentencePiece table of a model file apart and checks every index in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/tokenizer/common/table_reader.h"
#include "spm.h"

static void read_normalizer(tfm_table_reader *r, const char *name, tfm_spm_normalizer *z) {
    char key[64], rules[64];
    snprintf(rules, sizeof rules, "%s.rules", name);
    if (tfm_table_find(r->table, rules)) {
        snprintf(key, sizeof key, "%s.replacements", name);
        tfm_reader_texts(r, key, &z->replacements, &z->offsets, &z->n_replacements);
        tfm_reader_trie(r, rules, true, 0, z->n_replacements, &z->rules);
    }
    snprintf(key, sizeof key, "%s.add_dummy_prefix", name);
    z->add_dummy_prefix = tfm_reader_bool(r, key);
    snprintf(key, sizeof key, "%s.remove_extra_whitespaces", name);
    z->remove_extra_whitespaces = tfm_reader_bool(r, key);
    snprintf(key, sizeof key, "%s.escape_whitespaces", name);
    z->escape_whitespaces = tfm_reader_bool(r, key);
    snprintf(key, sizeof key, "%s.whitespace_as_suffix", name);
    z->whitespace_as_suffix = tfm_reader_bool(r, key);
}

/* Spelling and kind of every id. */
static void read_vocabulary(tfm_table_reader *r, tfm_spm *spm) {
    tfm_reader_texts(r, "vocabulary", &spm->texts, &spm->text_offsets, &spm->size);
    const tfm_value *kinds = tfm_reader_get(r, "vocabulary.kinds", TFM_VALUE_U8S, true);
    if (!kinds) return;
    spm->kinds = kinds->data;
    if (kinds->n != spm->size || spm->size == 0 || spm->size > INT32_MAX) {
        tfm_reader_fail(r, "vocabulary.kinds", "has the wrong length");
        return;
    }
    for (size_t i = 0; i < spm->size; i++) {
        unsigned kind = spm->kinds[i] & ~(unsigned)TFM_SPM_SPECIAL;
        size_t n;
        const char *text = tfm_spm_text(spm, i, &n);
        if (kind >= TFM_SPM_KINDS || (kind == TFM_SPM_BYTE && tfm_spm_byte(text, n) < 0)) {
            tfm_reader_fail(r, "vocabulary.kinds", "does not fit a spelling");
            return;
        }
    }
}

static void read_pieces(tfm_table_reader *r, tfm_spm *spm) {
    const tfm_value *scores = tfm_reader_get(r, "pieces.scores", TFM_VALUE_F32S, true);
    if (!scores) return;
    spm->scores = scores->data;
    spm->n_pieces = scores->n;
    if (scores->n == 0 || scores->n > TFM_SPM_MAX_PIECES) tfm_reader_fail(r, "pieces.scores", "has the wrong length");
    for (size_t i = 0; i < scores->n; i++) {
        if (!isfinite(spm->scores[i])) tfm_reader_fail(r, "pieces.scores", "is not finite");
    }
    size_t n;
    spm->ids = tfm_reader_indices(r, "pieces.ids", false, spm->size, &n);
    if (spm->ids ? n != spm->n_pieces : spm->n_pieces > spm->size) {
        tfm_reader_fail(r, "pieces.ids", "has the wrong length");
    }
    tfm_reader_trie(r, "pieces.trie", true, TFM_SPM_FLAGS, spm->n_pieces, &spm->pieces);
    tfm_reader_trie(r, "symbols.trie", false, 0, spm->n_pieces, &spm->normalizer.symbols);
    tfm_reader_trie(r, "others.trie", false, 0, spm->size, &spm->others);
    spm->byte_ids = tfm_reader_indices(r, "bytes.ids", false, spm->size, &n);
    if (spm->byte_ids && n != 256) tfm_reader_fail(r, "bytes.ids", "has the wrong length");
    for (size_t i = 0; i < spm->pieces.n; i++) {
        if ((spm->pieces.units[i].value & TFM_SPM_UNUSED) != 0) spm->has_unused = true;
    }
}

static void read_options(tfm_table_reader *r, tfm_spm *spm) {
    const tfm_value *type = tfm_reader_get(r, "type", TFM_VALUE_STRING, true);
    spm->byte_pairs = type && strcmp(type->data, "sentencepiece-bpe") == 0;
    const tfm_value *join = tfm_reader_get(r, "join", TFM_VALUE_STRING, true);
    if (join) spm->marian = strcmp(join->data, "marian") == 0;
    if (join && !spm->marian && strcmp(join->data, "sentencepiece") != 0) tfm_reader_fail(r, "join", "is unknown");
    spm->language_codes = tfm_reader_bool(r, "language_codes");
    spm->merge_in_words = tfm_reader_bool(r, "merge_in_words");
    spm->unknown_score = tfm_reader_float(r, "unknown.score");
    spm->max_score = tfm_reader_float(r, "max_score");
    const tfm_value *unknown = tfm_reader_get(r, "unknown.id", TFM_VALUE_U64, true);
    if (unknown && unknown->u64 >= spm->size) tfm_reader_fail(r, "unknown.id", "is outside the vocabulary");
    if (unknown) spm->unknown_id = (uint32_t)unknown->u64;
    const tfm_value *surface = tfm_reader_get(r, "unknown.surface", TFM_VALUE_STRING, true);
    if (surface) spm->unknown_surface = surface->data;
    spm->prefix_ids = tfm_reader_indices(r, "prefix.ids", false, spm->size, &spm->n_prefix_ids);
    spm->suffix_ids = tfm_reader_indices(r, "suffix.ids", false, spm->size, &spm->n_suffix_ids);
}

tfm_status tfm_spm_open(tfm_spm *spm, const tfm_table *table, const char *what, tfm_error *error) {
    *spm = (tfm_spm){0};
    tfm_table_reader r = {.table = table, .what = what, .error = error, .status = TFM_OK};
    read_vocabulary(&r, spm);
    read_pieces(&r, spm);
    read_options(&r, spm);
    read_normalizer(&r, "normalizer", &spm->normalizer);
    spm->has_denormalizer = tfm_table_find(table, "denormalizer.add_dummy_prefix") != NULL;
    if (spm->has_denormalizer) read_normalizer(&r, "denormalizer", &spm->denormalizer);
    if (r.status == TFM_OK && r.n_read != tfm_table_count(table)) {
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                        "%s: it has options that this version does not know; use a newer one", what);
    }
    if (r.status != TFM_OK) return r.status;
    tfm_spm_normalizer_prepare(&spm->normalizer);
    tfm_spm_normalizer_prepare(&spm->denormalizer);
    return TFM_OK;
}
