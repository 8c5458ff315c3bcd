/* pipeline_open.c - takes a tokenizer's table of a model file apart and checks every index in it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

static const char *const kinds[] = {[TFM_WORD_MODEL_BPE] = "bpe",
                                    [TFM_WORD_MODEL_WORDPIECE] = "wordpiece",
                                    [TFM_WORD_MODEL_UNIGRAM] = "unigram",
                                    [TFM_WORD_MODEL_WORDLEVEL] = "wordlevel"};

static bool has(const tfm_table_reader *r, const char *key) { return tfm_table_find(r->table, key) != NULL; }

static void get_string(tfm_table_reader *r, const char *key, const char **text, size_t *n) {
    const tfm_value *value = tfm_reader_get(r, key, TFM_VALUE_STRING, true);
    if (!value) return;
    *text = value->data;
    *n = value->n;
}

static void read_vocabulary(tfm_table_reader *r, tfm_pipeline *p) {
    tfm_reader_texts(r, "vocabulary", &p->texts, &p->text_offsets, &p->size);
    const tfm_value *marks = tfm_reader_get(r, "vocabulary.kinds", TFM_VALUE_U8S, true);
    if (marks && (marks->n != p->size || p->size == 0 || p->size > INT32_MAX - 2)) {
        tfm_reader_fail(r, "vocabulary.kinds", "has the wrong length");
    }
    p->kinds = marks ? marks->data : NULL;
    p->surfaces = p->texts;
    p->surface_offsets = p->text_offsets;
    if (!has(r, "surfaces.text")) return;
    size_t n = 0;
    tfm_reader_texts(r, "surfaces", &p->surfaces, &p->surface_offsets, &n);
    if (n != p->size) tfm_reader_fail(r, "surfaces.offsets", "has the wrong length");
}

static void first_bytes(const tfm_trie *trie, bool *first) {
    for (unsigned byte = 0; trie->units && byte < 256; byte++) {
        uint32_t node = 0;
        first[byte] = tfm_trie_step(trie, &node, (unsigned char)byte);
    }
}

static void read_added(tfm_table_reader *r, tfm_pipeline *p) {
    tfm_added_tokens *a = &p->added;
    if (!has(r, "added.ids")) return;
    a->ids = tfm_reader_indices(r, "added.ids", true, p->size, &a->n);
    const tfm_value *flags = tfm_reader_get(r, "added.flags", TFM_VALUE_U8S, true);
    if (flags && flags->n != a->n) tfm_reader_fail(r, "added.flags", "has the wrong length");
    if (!flags || r->status != TFM_OK) return;
    a->flags = flags->data;
    uint8_t all = 0;
    for (size_t i = 0; i < a->n; i++) all |= a->flags[i];
    if (all > TFM_ADDED_FLAGS) tfm_reader_fail(r, "added.flags", "are unknown to this version");
    if (all != 0) tfm_reader_char_classes(r, "added.classes", &a->classes);
    tfm_reader_trie(r, "added.raw", false, 0, a->n, &a->raw);
    tfm_reader_trie(r, "added.normalized", false, 0, a->n, &a->normalized);
    if (r->status != TFM_OK) return;
    first_bytes(&a->raw, a->raw_first);
    first_bytes(&a->normalized, a->normalized_first);
}

/* ---- models ---- */

static void read_merges(tfm_table_reader *r, tfm_word_model *m, size_t size) {
    const tfm_value *value = tfm_reader_get(r, "merges", TFM_VALUE_U32S, true);
    if (!value) return;
    m->n_merges = value->n / 4;
    m->merges = value->data;
    if (value->n % 4 != 0 || (m->n_merges & (m->n_merges - 1)) != 0) {
        tfm_reader_fail(r, "merges", "has the wrong length");
        return;
    }
    bool full = m->n_merges != 0;
    for (size_t i = 0; i < m->n_merges; i++) {
        if (m->merges[i].rank == TFM_NO_ID)
            full = false;
        else if (m->merges[i].id >= size)
            tfm_reader_fail(r, "merges", "has an index out of range");
    }
    if (full) tfm_reader_fail(r, "merges", "has no empty slot");
}

static void read_bpe(tfm_table_reader *r, tfm_word_model *m, size_t size) {
    get_string(r, "prefix", &m->prefix, &m->n_prefix);
    get_string(r, "suffix", &m->suffix, &m->n_suffix);
    if (has(r, "word_start")) get_string(r, "word_start", &m->word_start, &m->n_word_start);
    if (m->word_start && m->n_word_start == 0) tfm_reader_fail(r, "word_start", "is empty");
    m->fuse_unknown = tfm_reader_bool(r, "fuse_unknown");
    m->ignore_merges = tfm_reader_bool(r, "ignore_merges");
    read_merges(r, m, size);
    if (!has(r, "symbols")) return;
    const tfm_value *symbols = tfm_reader_get(r, "symbols", TFM_VALUE_U32S, true);
    if (!symbols) return;
    m->symbols = symbols->data;
    if (symbols->n != 256) tfm_reader_fail(r, "symbols", "has the wrong length");
    for (size_t i = 0; i < symbols->n; i++) {
        if (m->symbols[i] >= size && m->symbols[i] != TFM_NO_ID) {
            tfm_reader_fail(r, "symbols", "has an index out of range");
        }
    }
}

static void read_unigram(tfm_table_reader *r, tfm_word_model *m) {
    const tfm_value *unknown = tfm_reader_get(r, "unknown.score", TFM_VALUE_F64, true);
    if (unknown) m->unknown_score = unknown->f64;
    const tfm_value *scores = tfm_reader_get(r, "scores", TFM_VALUE_U32S, true);
    if (!scores) return;
    m->scores = scores->data;
    m->n_scores = scores->n / 2;
    for (size_t i = 0; i < m->n_scores; i++) {
        if ((m->scores[2 * i + 1] & 0x7FF00000u) == 0x7FF00000u) tfm_reader_fail(r, "scores", "is not finite");
    }
    if (!isfinite(m->unknown_score)) tfm_reader_fail(r, "unknown.score", "is not finite");
}

static void read_model(tfm_table_reader *r, tfm_pipeline *p) {
    tfm_word_model *m = &p->model;
    const tfm_value *type = tfm_reader_get(r, "type", TFM_VALUE_STRING, true);
    for (unsigned i = 0; type && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(type->data, kinds[i]) == 0) m->kind = (tfm_word_model_kind)i;
    }
    m->unknown_id = TFM_NO_ID;
    if (has(r, "unknown.id")) {
        const tfm_value *unknown = tfm_reader_get(r, "unknown.id", TFM_VALUE_U64, true);
        if (unknown && unknown->u64 >= p->size) tfm_reader_fail(r, "unknown.id", "is outside the vocabulary");
        if (unknown) m->unknown_id = (uint32_t)unknown->u64;
    }
    size_t n, n_values = p->size;
    m->byte_ids = tfm_reader_indices(r, "bytes.ids", false, p->size, &n);
    if (m->byte_ids && n != 256) tfm_reader_fail(r, "bytes.ids", "has the wrong length");
    if (m->kind == TFM_WORD_MODEL_BPE) read_bpe(r, m, p->size);
    if (m->kind == TFM_WORD_MODEL_UNIGRAM) {
        read_unigram(r, m);
        if (m->n_scores < n_values) n_values = m->n_scores;
    }
    tfm_reader_trie(r, "pieces.trie", true, m->kind == TFM_WORD_MODEL_BPE ? TFM_PIECE_WHOLE : 0, n_values, &m->pieces);
    if (m->kind != TFM_WORD_MODEL_WORDPIECE) return;
    tfm_reader_trie(r, "continuing.trie", false, 0, p->size, &m->continuing);
    const tfm_value *most = tfm_reader_get(r, "max_characters", TFM_VALUE_U64, true);
    if (most) m->max_characters = most->u64;
}

/* ---- decoders and templates ---- */

static const char *const decoder_ops[TFM_DECODER_KINDS] = {[TFM_DECODER_BYTES] = "bytes",
                                                           [TFM_DECODER_WORDPIECE] = "wordpiece",
                                                           [TFM_DECODER_METASPACE] = "metaspace",
                                                           [TFM_DECODER_BPE] = "bpe",
                                                           [TFM_DECODER_BYTE_FALLBACK] = "byte-fallback",
                                                           [TFM_DECODER_FUSE] = "fuse",
                                                           [TFM_DECODER_REPLACE] = "replace",
                                                           [TFM_DECODER_STRIP] = "strip",
                                                           [TFM_DECODER_JOIN] = "join"};

static void read_decoder_step(tfm_table_reader *r, size_t i, tfm_decoder_step *step) {
    char key[64];
    const char *op = NULL;
    size_t n;
    snprintf(key, sizeof key, "decoder.%zu.op", i);
    get_string(r, key, &op, &n);
    step->kind = TFM_DECODER_KINDS;
    for (unsigned k = 0; op && k < TFM_DECODER_KINDS; k++) {
        if (strcmp(op, decoder_ops[k]) == 0) step->kind = (tfm_decoder_kind)k;
    }
    if (step->kind == TFM_DECODER_KINDS) tfm_reader_fail(r, key, "is unknown to this version");
    if (step->kind == TFM_DECODER_BYTES || step->kind == TFM_DECODER_BYTE_FALLBACK || step->kind == TFM_DECODER_FUSE)
        return;
    snprintf(key, sizeof key, "decoder.%zu.from", i);
    get_string(r, key, &step->from, &step->n_from);
    if (r->status == TFM_OK && step->n_from == 0 && step->kind != TFM_DECODER_JOIN &&
        step->kind != TFM_DECODER_WORDPIECE) {
        tfm_reader_fail(r, key, "is empty");
    }
    if (step->kind == TFM_DECODER_REPLACE) {
        snprintf(key, sizeof key, "decoder.%zu.to", i);
        get_string(r, key, &step->to, &step->n_to);
    } else if (step->kind == TFM_DECODER_STRIP) {
        if (r->status == TFM_OK && tfm_utf8_char_length(step->from, step->n_from) != step->n_from)
            tfm_reader_fail(r, key, "is not one character");
        snprintf(key, sizeof key, "decoder.%zu.start", i);
        const tfm_value *start = tfm_reader_get(r, key, TFM_VALUE_U64, true);
        snprintf(key, sizeof key, "decoder.%zu.stop", i);
        const tfm_value *stop = tfm_reader_get(r, key, TFM_VALUE_U64, true);
        if (start) step->start = start->u64;
        if (stop) step->stop = stop->u64;
    } else if (step->kind == TFM_DECODER_WORDPIECE || step->kind == TFM_DECODER_METASPACE) {
        snprintf(key, sizeof key, "decoder.%zu.flag", i);
        step->flag = tfm_reader_bool(r, key);
    }
}

static void read_decoder(tfm_table_reader *r, tfm_decoder_steps *decoder) {
    const tfm_value *count = tfm_reader_get(r, "decoder.count", TFM_VALUE_U64, true);
    if (count && count->u64 > 256) tfm_reader_fail(r, "decoder.count", "is too many");
    if (r->status != TFM_OK || !count || count->u64 == 0) return;
    decoder->steps = calloc(count->u64, sizeof *decoder->steps);
    if (!decoder->steps) {
        r->status = tfm_no_memory(r->error, "%s", r->what);
        return;
    }
    decoder->n = count->u64;
    for (size_t i = 0; i < decoder->n && r->status == TFM_OK; i++) read_decoder_step(r, i, &decoder->steps[i]);
}

static void read_template(tfm_table_reader *r, const char *key, size_t size, unsigned n_inputs, tfm_template *t) {
    const tfm_value *value = tfm_reader_get(r, key, TFM_VALUE_U32S, true);
    if (!value) return;
    t->parts = value->data;
    t->n = value->n / 2;
    if (value->n % 2 != 0 || t->n > 64) tfm_reader_fail(r, key, "has the wrong length");
    for (size_t i = 0; i < t->n; i++) {
        uint32_t what = t->parts[2 * i];
        if (what >= 2 ? what - 2 >= size : what >= n_inputs) tfm_reader_fail(r, key, "has an index out of range");
        if (t->parts[2 * i + 1] > INT32_MAX) tfm_reader_fail(r, key, "has a type out of range");
    }
}

tfm_status tfm_pipeline_open(tfm_pipeline *p, const tfm_table *table, const char *what, tfm_error *error) {
    *p = (tfm_pipeline){0};
    tfm_table_reader r = {.table = table, .what = what, .error = error, .status = TFM_OK};
    read_vocabulary(&r, p);
    read_added(&r, p);
    read_model(&r, p);
    tfm_steps_read(&r, "normalizer", &p->normalizer);
    tfm_steps_read(&r, "pre_tokenizer", &p->pre_tokenizer);
    read_decoder(&r, &p->decoder);
    read_template(&r, "template.single", p->size, 1, &p->single);
    read_template(&r, "template.pair", p->size, 2, &p->pair);
    for (size_t i = 0; r.status == TFM_OK && i < p->normalizer.n; i++) {
        if (p->normalizer.steps[i].kind == TFM_STEP_SPLIT) tfm_reader_fail(&r, "normalizer", "has a split");
    }
    if (r.status == TFM_OK && r.n_read != tfm_table_count(table)) {
        r.status = tfm_fail(error, TFM_ERROR_UNSUPPORTED,
                            "%s: it has options that this version does not know; use a newer one", what);
    }
    if (r.status != TFM_OK) tfm_pipeline_close(p);
    return r.status;
}

void tfm_pipeline_close(tfm_pipeline *p) {
    tfm_steps_close(&p->normalizer);
    tfm_steps_close(&p->pre_tokenizer);
    free(p->decoder.steps);
    *p = (tfm_pipeline){0};
}
