/* steps.c - steps that change a text, and the way of pieces through all steps. */
#include "steps.h"

#include <stdlib.h>
#include <string.h>

void tfm_step_work_free(tfm_step_work *work) {
    pcre2_match_data_free(work->match);
    pcre2_match_context_free(work->context);
    free(work->classes);
    tfm_split_pieces_free(&work->other);
    *work = (tfm_step_work){0};
}

void tfm_split_pieces_free(tfm_split_pieces *pieces) {
    tfm_text_free(&pieces->text);
    free(pieces->spans);
    *pieces = (tfm_split_pieces){0};
}

bool tfm_split_pieces_add(tfm_split_pieces *pieces, size_t start, size_t end) {
    if (start == end) return true;
    if (pieces->n == pieces->capacity) {
        size_t capacity = pieces->capacity + pieces->capacity / 2 + 64;
        tfm_piece_span *spans = reallocarray(pieces->spans, capacity, sizeof *spans);
        if (!spans) return false;
        pieces->spans = spans;
        pieces->capacity = capacity;
    }
    pieces->spans[pieces->n++] = (tfm_piece_span){(uint32_t)start, (uint32_t)end};
    return true;
}

static bool put_replacement(const tfm_step *s, uint32_t number1, tfm_text *out) {
    uint32_t from = s->offsets[number1 - 1], to = s->offsets[number1];
    return tfm_text_append(out, s->replacements + from, to - from);
}

static bool map(const tfm_step *s, const char *text, size_t n, bool *at_start, tfm_text *out) {
    size_t start = out->size;
    for (size_t at = 0; at < n;) {
        size_t plain = at;
        while (plain < n && (unsigned char)text[plain] < 0x80 && s->plain[(unsigned char)text[plain]]) plain++;
        if (!tfm_text_append(out, text + at, plain - at)) return false;
        at = plain;
        if (at == n) break;
        size_t length = 0;
        uint32_t rule = tfm_trie_longest(&s->rules, text + at, n - at, &length);
        if (rule != 0) {
            if (!put_replacement(s, rule, out)) return false;
            if (at == 0 && out->size == start) *at_start = false;
        } else {
            length = tfm_utf8_step((unsigned char)text[at]);
            if (length > n - at) length = n - at;
            if (!tfm_text_append(out, text + at, length)) return false;
        }
        at += length;
    }
    return true;
}

/* Characters of class 0 are copied, others dropped, replaced or surrounded. */
static bool by_class(const tfm_step *s, const char *text, size_t n, bool *at_start, tfm_text *out) {
    size_t start = 0; /* of what is to be copied */
    for (size_t at = 0; at < n;) {
        uint32_t code;
        size_t length = tfm_utf8_next(text + at, n - at, &code);
        uint8_t class = tfm_class_of(&s->classes, code);
        at += length;
        if (class == 0) continue;
        bool surround = s->kind == TFM_STEP_SURROUND;
        if (!tfm_text_append(out, text + start, at - length - start)) return false;
        if ((surround || class == 2) && !tfm_text_append(out, s->text, s->n_text)) return false;
        if (surround &&
            (!tfm_text_append(out, text + at - length, length) || !tfm_text_append(out, s->text, s->n_text)))
            return false;
        if (at == length && !surround && class != 2) *at_start = false;
        start = at;
    }
    return tfm_text_append(out, text + start, n - start);
}

static bool strip(const tfm_step *s, const char *text, size_t n, bool *at_start, tfm_text *out) {
    size_t start = 0;
    uint32_t code;
    for (size_t length; s->left && start < n; start += length) {
        length = tfm_utf8_next(text + start, n - start, &code);
        if (tfm_class_of(&s->classes, code) != 1) break;
        *at_start = false;
    }
    while (s->right && n > start && tfm_class_of_last(&s->classes, text + start, n - start) == 1) {
        do n--;
        while (n > start && ((unsigned char)text[n] & 0xC0) == 0x80);
    }
    return tfm_text_append(out, text + start, n - start);
}

typedef struct replacement {
    const tfm_step *step;
    const char *text;
    tfm_text *out;
    bool *at_start;
} replacement;

static bool replace(void *arg, size_t start, size_t end, bool is_match) {
    const replacement *r = arg;
    if (!is_match) return tfm_text_append(r->out, r->text + start, end - start);
    if (start == 0 && r->step->n_text == 0) *r->at_start = false;
    return tfm_text_append(r->out, r->step->text, r->step->n_text);
}

/* Whether the text of a prefix step belongs before a piece. */
static bool wants_prefix(const tfm_step *s, const char *text, size_t n, bool at_start) {
    if (s->first && !at_start) return false;
    return n < s->n_text || memcmp(text, s->text, s->n_text) != 0;
}

tfm_status tfm_step_text(const tfm_step *s, tfm_step_work *work, const char *text, size_t n, bool *at_start,
                         tfm_text *out) {
    bool ok = true;
    if (n == 0) return tfm_text_append(out, "", 0) ? TFM_OK : TFM_ERROR_MEMORY;
    switch (s->kind) {
    case TFM_STEP_MAP: ok = map(s, text, n, at_start, out); break;
    case TFM_STEP_PRECOMPILED: ok = tfm_step_precompiled(s, text, n, at_start, out); break;
    case TFM_STEP_NORMAL_FORM: ok = tfm_step_normal_form(s, text, n, out); break;
    case TFM_STEP_REPLACE: {
        replacement r = {s, text, out, at_start};
        return tfm_step_matches(s, work, text, n, replace, &r);
    }
    case TFM_STEP_PREPEND: ok = tfm_text_append(out, s->text, s->n_text) && tfm_text_append(out, text, n); break;
    case TFM_STEP_FILTER:
    case TFM_STEP_SURROUND: ok = by_class(s, text, n, at_start, out); break;
    case TFM_STEP_STRIP: ok = strip(s, text, n, at_start, out); break;
    case TFM_STEP_PREFIX:
        if (wants_prefix(s, text, n, *at_start)) ok = tfm_text_append(out, s->text, s->n_text);
        ok = ok && tfm_text_append(out, text, n);
        break;
    default: ok = tfm_text_append(out, text, n); break;
    }
    if (out->size > INT32_MAX) return TFM_ERROR_LIMIT;
    return ok ? TFM_OK : TFM_ERROR_MEMORY;
}

tfm_status tfm_steps_normalize(const tfm_steps *steps, tfm_step_work *work, const char *text, size_t n, bool *at_start,
                               tfm_text *out) {
    tfm_text a = {0}, b = {0};
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < steps->n && status == TFM_OK; i++) {
        b.size = 0;
        status = tfm_step_text(&steps->steps[i], work, text, n, at_start, &b);
        tfm_text swap = a;
        a = b;
        b = swap;
        text = a.data;
        n = a.size;
    }
    if (status == TFM_OK && !tfm_text_append(out, text, n)) status = TFM_ERROR_MEMORY;
    tfm_text_free(&a);
    tfm_text_free(&b);
    return status;
}

/* ---- pieces ---- */

/* Puts stretches of one piece together as the behaviour says. */
typedef struct cutter {
    tfm_split_pieces *out;
    size_t base; /* of the piece in the text */
    tfm_split_behavior behavior;
    bool invert;
    bool previous_match, has_held;
    tfm_piece_span held;
} cutter;

static bool flush(cutter *c) {
    bool ok = !c->has_held || tfm_split_pieces_add(c->out, c->held.start, c->held.end);
    c->has_held = false;
    return ok;
}

static bool cut(void *arg, size_t start, size_t end, bool is_match) {
    cutter *c = arg;
    is_match ^= c->invert;
    start += c->base;
    end += c->base;
    bool joins = false;
    switch (c->behavior) {
    case TFM_SPLIT_REMOVED: return is_match || tfm_split_pieces_add(c->out, start, end);
    case TFM_SPLIT_CONTIGUOUS: joins = is_match == c->previous_match; break;
    case TFM_SPLIT_MERGED_WITH_PREVIOUS: joins = is_match && !c->previous_match; break;
    case TFM_SPLIT_MERGED_WITH_NEXT: joins = !is_match && c->previous_match; break;
    default: return tfm_split_pieces_add(c->out, start, end);
    }
    c->previous_match = is_match;
    if (joins && c->has_held) {
        c->held.end = (uint32_t)end;
        return true;
    }
    if (!flush(c)) return false;
    c->held = (tfm_piece_span){(uint32_t)start, (uint32_t)end};
    c->has_held = true;
    return true;
}

static tfm_status split(const tfm_step *s, tfm_step_work *work, tfm_split_pieces *pieces) {
    tfm_split_pieces *out = &work->other;
    tfm_status status = TFM_OK;
    out->n = 0;
    for (size_t i = 0; i < pieces->n && status == TFM_OK; i++) {
        tfm_piece_span span = pieces->spans[i];
        cutter c = {.out = out, .base = span.start, .behavior = s->behavior, .invert = s->invert};
        status = tfm_step_matches(s, work, pieces->text.data + span.start, span.end - span.start, cut, &c);
        if (status == TFM_OK && !flush(&c)) status = TFM_ERROR_MEMORY;
    }
    if (out->n == 0 || (pieces->n > 0 && out->spans[0].start != pieces->spans[0].start)) pieces->at_start = false;
    tfm_piece_span *spans = pieces->spans;
    size_t capacity = pieces->capacity;
    pieces->spans = out->spans;
    pieces->capacity = out->capacity;
    pieces->n = out->n;
    out->spans = spans;
    out->capacity = capacity;
    return status;
}

/* A step that changes texts, piece by piece. */
static tfm_status change(const tfm_step *s, tfm_step_work *work, tfm_split_pieces *pieces) {
    tfm_text *out = &work->other.text;
    tfm_status status = TFM_OK;
    size_t n = 0;
    out->size = 0;
    for (size_t i = 0; i < pieces->n && status == TFM_OK; i++) {
        tfm_piece_span span = pieces->spans[i];
        size_t start = out->size;
        bool at_start = pieces->at_start && i == 0;
        status = tfm_step_text(s, work, pieces->text.data + span.start, span.end - span.start, &at_start, out);
        if (i == 0) pieces->at_start = at_start;
        if (out->size > start) pieces->spans[n++] = (tfm_piece_span){(uint32_t)start, (uint32_t)out->size};
    }
    pieces->n = n;
    tfm_text swap = pieces->text;
    pieces->text = *out;
    *out = swap;
    return status;
}

tfm_status tfm_steps_split(const tfm_steps *steps, tfm_step_work *work, tfm_split_pieces *pieces) {
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < steps->n && status == TFM_OK; i++) {
        const tfm_step *s = &steps->steps[i];
        status = s->kind == TFM_STEP_SPLIT ? split(s, work, pieces) : change(s, work, pieces);
    }
    return status;
}
