/* spm_open.c - takes a SentencePiece table of a model file apart and checks every index in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../format/model_file.h"
#include "spm.h"

/* Reads one table; the first failure stays in status, later reads then do nothing. */
typedef struct reader {
    const tfm_table *table;
    const char *what;
    tfm_error *error;
    tfm_status status;
    size_t n_read; /* keys that were found */
} reader;

static void fail(reader *r, const char *key, const char *wrong) {
    if (r->status != TFM_OK) return;
    r->status = tfm_fail(r->error, TFM_ERROR_FORMAT, "%s: %s: %s; the file was not made by tfmpack as it should be",
                         r->what, key, wrong);
}

/* The value of a key; NULL (a failure if required) if it is not there. */
static const tfm_value *get(reader *r, const char *key, tfm_value_type type, bool required) {
    if (r->status != TFM_OK) return NULL;
    const tfm_value *value = tfm_table_find(r->table, key);
    if (value == NULL) {
        if (required) fail(r, key, "is missing");
        return NULL;
    }
    if (value->type != type) {
        fail(r, key, "has the wrong type");
        return NULL;
    }
    r->n_read++;
    return value;
}

static bool get_bool(reader *r, const char *key) {
    const tfm_value *value = get(r, key, TFM_VALUE_U64, true);
    if (value != NULL && value->u64 > 1) fail(r, key, "is neither 0 nor 1");
    return value != NULL && value->u64 == 1;
}

static float get_float(reader *r, const char *key) {
    const tfm_value *value = get(r, key, TFM_VALUE_F64, true);
    if (value == NULL) return 0.0f;
    if (!isfinite((float)value->f64)) fail(r, key, "is not finite");
    return (float)value->f64;
}

/* An array of u32 that are all below limit; NULL and *n = 0 if it is not there. */
static const uint32_t *get_indices(reader *r, const char *key, bool required, size_t limit, size_t *n) {
    const tfm_value *value = get(r, key, TFM_VALUE_U32S, required);
    *n = value != NULL ? value->n : 0;
    const uint32_t *data = value != NULL ? value->data : NULL;
    for (size_t i = 0; i < *n; i++) {
        if (data[i] >= limit) {
            fail(r, key, "has an index out of range");
            return NULL;
        }
    }
    return data;
}

static void get_trie(reader *r, const char *key, bool required, uint32_t flags, size_t n_values, tfm_trie *trie) {
    const tfm_value *value = get(r, key, TFM_VALUE_U32S, required);
    if (value != NULL && !tfm_trie_open(trie, value->data, value->n, flags, n_values)) {
        fail(r, key, "is not a sound trie");
    }
}

/* Texts one after the other: KEY.text, and KEY.offsets with one more entry than there are texts. */
static void get_texts(reader *r, const char *name, const char **texts, const uint32_t **offsets, size_t *n) {
    char key[64];
    snprintf(key, sizeof(key), "%s.text", name);
    const tfm_value *text = get(r, key, TFM_VALUE_U8S, true);
    snprintf(key, sizeof(key), "%s.offsets", name);
    const tfm_value *ends = get(r, key, TFM_VALUE_U32S, true);
    if (text == NULL || ends == NULL) return;
    const uint32_t *data = ends->data;
    if (ends->n == 0) {
        fail(r, key, "is empty");
        return;
    }
    for (size_t i = 1; i < ends->n; i++) {
        if (data[i] < data[i - 1]) fail(r, key, "goes backwards");
    }
    if (data[ends->n - 1] > text->n) fail(r, key, "leads outside the text");
    *texts = text->data;
    *offsets = data;
    *n = ends->n - 1;
}

static void read_normalizer(reader *r, const char *name, tfm_normalizer *z) {
    char key[64], rules[64];
    snprintf(rules, sizeof(rules), "%s.rules", name);
    if (tfm_table_find(r->table, rules) != NULL) {
        snprintf(key, sizeof(key), "%s.replacements", name);
        get_texts(r, key, &z->replacements, &z->offsets, &z->n_replacements);
        get_trie(r, rules, true, 0, z->n_replacements, &z->rules);
    }
    snprintf(key, sizeof(key), "%s.add_dummy_prefix", name);
    z->add_dummy_prefix = get_bool(r, key);
    snprintf(key, sizeof(key), "%s.remove_extra_whitespaces", name);
    z->remove_extra_whitespaces = get_bool(r, key);
    snprintf(key, sizeof(key), "%s.escape_whitespaces", name);
    z->escape_whitespaces = get_bool(r, key);
    snprintf(key, sizeof(key), "%s.whitespace_as_suffix", name);
    z->whitespace_as_suffix = get_bool(r, key);
}

/* Spelling and kind of every id. */
static void read_vocabulary(reader *r, tfm_spm *spm) {
    get_texts(r, "vocabulary", &spm->texts, &spm->text_offsets, &spm->size);
    const tfm_value *kinds = get(r, "vocabulary.kinds", TFM_VALUE_U8S, true);
    if (kinds == NULL) return;
    spm->kinds = kinds->data;
    if (kinds->n != spm->size || spm->size == 0 || spm->size > INT32_MAX) {
        fail(r, "vocabulary.kinds", "has the wrong length");
        return;
    }
    for (size_t i = 0; i < spm->size; i++) {
        unsigned kind = spm->kinds[i] & ~(unsigned)TFM_SPM_SPECIAL;
        size_t n;
        const char *text = tfm_spm_text(spm, i, &n);
        if (kind >= TFM_SPM_KINDS || (kind == TFM_SPM_BYTE && tfm_spm_byte(text, n) < 0)) {
            fail(r, "vocabulary.kinds", "does not fit a spelling");
            return;
        }
    }
}

static void read_pieces(reader *r, tfm_spm *spm) {
    const tfm_value *scores = get(r, "pieces.scores", TFM_VALUE_F32S, true);
    if (scores == NULL) return;
    spm->scores = scores->data;
    spm->n_pieces = scores->n;
    if (scores->n == 0 || scores->n > TFM_SPM_MAX_PIECES) fail(r, "pieces.scores", "has the wrong length");
    for (size_t i = 0; i < scores->n; i++) {
        if (!isfinite(spm->scores[i])) fail(r, "pieces.scores", "is not finite");
    }
    size_t n;
    spm->ids = get_indices(r, "pieces.ids", false, spm->size, &n);
    if (spm->ids != NULL ? n != spm->n_pieces : spm->n_pieces > spm->size) {
        fail(r, "pieces.ids", "has the wrong length");
    }
    get_trie(r, "pieces.trie", true, TFM_SPM_FLAGS, spm->n_pieces, &spm->pieces);
    get_trie(r, "symbols.trie", false, 0, spm->n_pieces, &spm->normalizer.symbols);
    get_trie(r, "others.trie", false, 0, spm->size, &spm->others);
    spm->byte_ids = get_indices(r, "bytes.ids", false, spm->size, &n);
    if (spm->byte_ids != NULL && n != 256) fail(r, "bytes.ids", "has the wrong length");
    for (size_t i = 0; i < spm->pieces.n; i++) {
        if ((spm->pieces.units[i].value & TFM_SPM_UNUSED) != 0) spm->has_unused = true;
    }
}

static void read_options(reader *r, tfm_spm *spm) {
    const tfm_value *type = get(r, "type", TFM_VALUE_STRING, true);
    spm->byte_pairs = type != NULL && strcmp(type->data, "sentencepiece-bpe") == 0;
    const tfm_value *join = get(r, "join", TFM_VALUE_STRING, true);
    if (join != NULL) spm->marian = strcmp(join->data, "marian") == 0;
    if (join != NULL && !spm->marian && strcmp(join->data, "sentencepiece") != 0) fail(r, "join", "is unknown");
    spm->language_codes = get_bool(r, "language_codes");
    spm->merge_in_words = get_bool(r, "merge_in_words");
    spm->unknown_score = get_float(r, "unknown.score");
    spm->max_score = get_float(r, "max_score");
    const tfm_value *unknown = get(r, "unknown.id", TFM_VALUE_U64, true);
    if (unknown != NULL && unknown->u64 >= spm->size) fail(r, "unknown.id", "is outside the vocabulary");
    if (unknown != NULL) spm->unknown_id = (uint32_t)unknown->u64;
    const tfm_value *surface = get(r, "unknown.surface", TFM_VALUE_STRING, true);
    if (surface != NULL) spm->unknown_surface = surface->data;
    spm->prefix_ids = get_indices(r, "prefix.ids", false, spm->size, &spm->n_prefix_ids);
    spm->suffix_ids = get_indices(r, "suffix.ids", false, spm->size, &spm->n_suffix_ids);
}

tfm_status tfm_spm_open(tfm_spm *spm, const tfm_table *table, const char *what, tfm_error *error) {
    *spm = (tfm_spm){0};
    reader r = {.table = table, .what = what, .error = error, .status = TFM_OK};
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
    tfm_normalizer_prepare(&spm->normalizer);
    tfm_normalizer_prepare(&spm->denormalizer);
    return TFM_OK;
}
