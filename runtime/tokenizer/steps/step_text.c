/* step_text.c - steps that change a text. */
#include "steps.h"

#include <stdlib.h>
#include <string.h>

static bool put_replacement(const tfm_step *step, uint32_t number1, tfm_text *out) {
    uint32_t from = step->offsets[number1 - 1], to = step->offsets[number1];
    return tfm_text_append(out, step->replacements + from, to - from);
}

static bool map(const tfm_step *step, const char *text, size_t n, size_t most, bool *at_start, tfm_text *out) {
    size_t start = out->size;
    for (size_t at = 0; at < n;) {
        size_t plain = at;
        while (plain < n && (unsigned char)text[plain] < 0x80 && step->plain[(unsigned char)text[plain]]) plain++;
        if (!tfm_text_append(out, text + at, plain - at)) return false;
        at = plain;
        if (at == n) break;
        size_t length = 0;
        uint32_t rule = tfm_trie_longest(&step->rules, text + at, n - at, &length);
        if (rule != 0) {
            if (!put_replacement(step, rule, out) || out->size > most) return false;
            if (at == 0 && out->size == start) *at_start = false;
        } else {
            length = tfm_utf8_announced_length(text[at]);
            if (length > n - at) length = n - at;
            if (!tfm_text_append(out, text + at, length)) return false;
        }
        at += length;
    }
    return true;
}

/* Characters of class 0 are copied, others dropped, replaced or surrounded. */
static bool by_class(const tfm_step *step, const char *text, size_t n, size_t most, bool *at_start, tfm_text *out) {
    size_t start = 0; /* of what is to be copied */
    for (size_t at = 0; at < n;) {
        uint32_t code;
        size_t length = tfm_utf8_next(text + at, n - at, &code);
        uint8_t class = tfm_char_class(&step->classes, code);
        at += length;
        if (class == 0) continue;
        bool surround = step->kind == TFM_STEP_SURROUND;
        if (!tfm_text_append(out, text + start, at - length - start)) return false;
        if ((surround || class == 2) && !tfm_text_append(out, step->text, step->n_text)) return false;
        if (surround &&
            (!tfm_text_append(out, text + at - length, length) || !tfm_text_append(out, step->text, step->n_text)))
            return false;
        if (at == length && !surround && class != 2) *at_start = false;
        if (out->size > most) return false;
        start = at;
    }
    return tfm_text_append(out, text + start, n - start);
}

static bool strip(const tfm_step *step, const char *text, size_t n, bool *at_start, tfm_text *out) {
    size_t start = 0;
    uint32_t code;
    for (size_t length; step->left && start < n; start += length) {
        length = tfm_utf8_next(text + start, n - start, &code);
        if (tfm_char_class(&step->classes, code) != 1) break;
        *at_start = false;
    }
    while (step->right && n > start && tfm_last_char_class(&step->classes, text + start, n - start) == 1) {
        do n--;
        while (n > start && tfm_utf8_continues(text[n]));
    }
    return tfm_text_append(out, text + start, n - start);
}

typedef struct replacement {
    const tfm_step *step;
    const char *text;
    tfm_text *out;
    bool *at_start;
    size_t most;
} replacement;

static bool replace(void *arg, size_t start, size_t end, bool is_match) {
    const replacement *r = arg;
    if (!is_match) return tfm_text_append(r->out, r->text + start, end - start);
    if (start == 0 && r->step->n_text == 0) *r->at_start = false;
    return r->out->size <= r->most && tfm_text_append(r->out, r->step->text, r->step->n_text);
}

/* Whether the text of a prefix step belongs before a piece. */
static bool wants_prefix(const tfm_step *step, const char *text, size_t n, bool at_start) {
    if (step->first && !at_start) return false;
    return n < step->n_text || memcmp(text, step->text, step->n_text) != 0;
}

tfm_status tfm_step_text(const tfm_step *step, tfm_step_scratch *work, const char *text, size_t n, bool *at_start,
                         tfm_text *out) {
    bool ok = true;
    const size_t most = work->most;
    if (n == 0) return tfm_text_append(out, "", 0) ? TFM_OK : TFM_ERROR_MEMORY;
    switch (step->kind) {
    case TFM_STEP_MAP: ok = map(step, text, n, most, at_start, out); break;
    case TFM_STEP_PRECOMPILED: ok = tfm_step_precompiled(step, text, n, most, at_start, out); break;
    case TFM_STEP_NORMAL_FORM: ok = tfm_step_normal_form(step, text, n, most, out); break;
    case TFM_STEP_REPLACE: {
        replacement r = {step, text, out, at_start, most};
        tfm_status status = tfm_step_match(step, work, text, n, replace, &r);
        if (status == TFM_ERROR_LIMIT) return status;
        ok = status == TFM_OK;
        break;
    }
    case TFM_STEP_PREPEND: ok = tfm_text_append(out, step->text, step->n_text) && tfm_text_append(out, text, n); break;
    case TFM_STEP_FILTER:
    case TFM_STEP_SURROUND: ok = by_class(step, text, n, most, at_start, out); break;
    case TFM_STEP_STRIP: ok = strip(step, text, n, at_start, out); break;
    case TFM_STEP_PREFIX:
        if (wants_prefix(step, text, n, *at_start)) ok = tfm_text_append(out, step->text, step->n_text);
        ok = ok && tfm_text_append(out, text, n);
        break;
    default: ok = tfm_text_append(out, text, n); break;
    }
    if (out->size > most) return TFM_ERROR_LIMIT;
    return ok ? TFM_OK : TFM_ERROR_MEMORY;
}

tfm_status tfm_steps_normalize(const tfm_steps *steps, tfm_step_scratch *work, const char *text, size_t n,
                               bool *at_start, tfm_text *out) {
    tfm_text a = {0}, b = {0};
    tfm_status status = TFM_OK;
    work->most = tfm_step_most(n);
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
