/* pipeline_encode.c - text to ids: added tokens are taken out, the rest is normalised, cut into words and segmented. */
#include <string.h>

#include "pipeline.h"
#include "runtime/tfm.h"

typedef struct encoder {
    const tfm_pipeline *p;
    tfm_step_scratch work;
    tfm_text valid;  /* the text with U+FFFD for what is no UTF-8, if there is such */
    tfm_text normal; /* of the stretch between added tokens */
    tfm_split_pieces pieces;
    tfm_word_output out;
} encoder;

static void encoder_free(encoder *e) {
    tfm_step_scratch_free(&e->work);
    tfm_text_free(&e->valid);
    tfm_text_free(&e->normal);
    tfm_split_pieces_free(&e->pieces);
}

/* A stretch without added tokens, normalised. */
static tfm_status encode_words(encoder *e, const char *text, size_t n, bool at_start) {
    if (n == 0) return TFM_OK;
    const tfm_pipeline *p = e->p;
    if (p->pre_tokenizer.n == 0) return tfm_word_model_encode(&p->model, text, n, &e->out);
    e->pieces.text.size = 0;
    e->pieces.n = 0;
    e->pieces.at_start = at_start;
    if (!tfm_text_append(&e->pieces.text, text, n) || !tfm_split_pieces_add(&e->pieces, 0, n)) return TFM_ERROR_MEMORY;
    tfm_status status = tfm_steps_split(&p->pre_tokenizer, &e->work, &e->pieces);
    for (size_t i = 0; i < e->pieces.n && status == TFM_OK; i++) {
        tfm_piece_span span = e->pieces.spans[i];
        status = tfm_word_model_encode(&p->model, e->pieces.text.data + span.start, span.end - span.start, &e->out);
    }
    return status;
}

/* ---- added tokens ---- */

typedef struct added_match {
    size_t start, end; /* of the token with the white space it takes along */
    size_t next;       /* where to look on */
    uint32_t id;
} added_match;

static bool is_word(const tfm_added_tokens *a, const char *text, size_t n, bool last) {
    uint32_t code;
    if (n == 0) return false;
    if (last) return tfm_last_char_class(&a->classes, text, n) == TFM_ADDED_WORD;
    tfm_utf8_next(text, n, &code);
    return tfm_char_class(&a->classes, code) == TFM_ADDED_WORD;
}

/* Takes white space on the sides along; false if the token is part of a word and must not be. */
static bool apply_flags(const tfm_added_tokens *a, uint8_t flags, const char *text, size_t n, size_t done,
                        added_match *m) {
    if ((flags & TFM_ADDED_SINGLE_WORD) != 0 &&
        (is_word(a, text, m->start, true) || is_word(a, text + m->end, n - m->end, false))) {
        return false;
    }
    while ((flags & TFM_ADDED_LSTRIP) != 0 && m->start > done &&
           tfm_last_char_class(&a->classes, text, m->start) == TFM_ADDED_SPACE) {
        do m->start--;
        while (m->start > done && tfm_utf8_continues(text[m->start]));
    }
    while ((flags & TFM_ADDED_RSTRIP) != 0 && m->end < n) {
        uint32_t code;
        size_t length = tfm_utf8_next(text + m->end, n - m->end, &code);
        if (tfm_char_class(&a->classes, code) != TFM_ADDED_SPACE) break;
        m->end += length;
    }
    return true;
}

/* The first token at or after `at`, the longest of those that begin there; text before `done` is taken. */
static bool find_added(const tfm_added_tokens *a, const tfm_trie *trie, const bool *first, const char *text, size_t n,
                       size_t at, size_t done, added_match *m) {
    for (; at < n; at++) {
        if (!first[(unsigned char)text[at]]) continue;
        size_t length = 0;
        uint32_t number1 = tfm_trie_longest(trie, text + at, n - at, &length);
        if (number1 == 0) continue;
        uint8_t flags = a->flags[number1 - 1];
        *m = (added_match){at, at + length, at + length, a->ids[number1 - 1]};
        if (flags == 0 || apply_flags(a, flags, text, n, done, m)) return true;
        at += length - 1;
    }
    return false;
}

/* A token that was spelled text[0, n). */
static tfm_status put_added(encoder *e, uint32_t id, const char *text, size_t n) {
    int32_t value = (int32_t)id;
    bool ok = id != e->p->model.unknown_id || tfm_unknowns_note(e->out.unknowns, text, n);
    return ok && tfm_ids_append(e->out.ids, &value, 1) ? TFM_OK : TFM_ERROR_MEMORY;
}

typedef tfm_status stretch(encoder *e, const char *text, size_t n, bool at_start);

/* Emits the tokens of one trie and gives the stretches between them to the next stage. */
static tfm_status around_added(encoder *e, bool raw, const char *text, size_t n, bool at_start, stretch *next) {
    const tfm_added_tokens *a = &e->p->added;
    const tfm_trie *trie = raw ? &a->raw : &a->normalized;
    const bool *first = raw ? a->raw_first : a->normalized_first;
    if (!trie->units) return next(e, text, n, at_start);
    tfm_status status = TFM_OK;
    size_t done = 0, at = 0;
    added_match m;
    while (status == TFM_OK && find_added(a, trie, first, text, n, at, done, &m)) {
        /* The library looks on behind the token itself, even where it took white space along. */
        if (m.start > done) status = next(e, text + done, m.start - done, at_start && done == 0);
        if (status == TFM_OK) status = put_added(e, m.id, text + m.start, m.end - m.start);
        done = m.end > done ? m.end : done;
        at = m.next;
    }
    if (status == TFM_OK && done < n) status = next(e, text + done, n - done, at_start && done == 0);
    return status;
}

static tfm_status encode_normal(encoder *e, const char *text, size_t n, bool at_start) {
    return around_added(e, false, text, n, at_start, encode_words);
}

static tfm_status encode_raw(encoder *e, const char *text, size_t n, bool at_start) {
    if (e->p->normalizer.n == 0) return encode_normal(e, text, n, at_start);
    e->normal.size = 0;
    tfm_status status = tfm_steps_normalize(&e->p->normalizer, &e->work, text, n, &at_start, &e->normal);
    return status == TFM_OK ? encode_normal(e, e->normal.data, e->normal.size, at_start) : status;
}

/* ---- one or two texts ---- */

/* Makes a text valid: bytes that begin no character become U+FFFD. */
static bool validate(encoder *e, const char **text, size_t *n) {
    if (tfm_utf8_valid_prefix(*text, *n) == *n) return true;
    e->valid.size = 0;
    if (!tfm_text_append_valid(&e->valid, *text, *n)) return false;
    *text = e->valid.data;
    *n = e->valid.size;
    return true;
}

static tfm_status encode_text(encoder *e, const char *text, size_t n) {
    if (!text || n == 0) return TFM_OK;
    if (!validate(e, &text, &n)) return TFM_ERROR_MEMORY;
    return around_added(e, true, text, n, true, encode_raw);
}

static bool put_types(tfm_ids *types, uint32_t type, size_t n) {
    int32_t value = (int32_t)type;
    for (size_t i = 0; types && i < n; i++) {
        if (!tfm_ids_append(types, &value, 1)) return false;
    }
    return true;
}

tfm_status tfm_pipeline_encode(const tfm_pipeline *p, const char *a, size_t n_a, const char *b, size_t n_b,
                               bool special, tfm_ids *ids, tfm_ids *types, tfm_text *unknowns, tfm_error *error) {
    encoder e = {.p = p, .out = {ids, unknowns}};
    const tfm_template *template = b ? &p->pair : &p->single;
    size_t start = ids->size, start_types = types ? types->size : 0;
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < template->n && status == TFM_OK; i++) {
        uint32_t what = template->parts[2 * i], type = template->parts[2 * i + 1];
        size_t before = ids->size;
        if (what >= 2) {
            if (special) status = put_added(&e, what - 2, "", 0);
        } else {
            status = encode_text(&e, what == 0 ? a : b, what == 0 ? n_a : n_b);
        }
        if (status == TFM_OK && !put_types(types, type, ids->size - before)) status = TFM_ERROR_MEMORY;
    }
    encoder_free(&e);
    if (status == TFM_OK) return TFM_OK;
    ids->size = start;
    if (types) types->size = start_types;
    if (status == TFM_ERROR_MEMORY) return tfm_no_memory(error, "the tokens of a text of %zu bytes", n_a);
    return tfm_fail(error, TFM_ERROR_LIMIT, "a text of %zu bytes is too long or too tangled; split it", n_a);
}
