/*
 * pipeline_decode.c - ids to text, one id after the other: each id has a text, and the steps of the decoder change the
 * list of texts in turn. Every step is a stage that takes texts as they come and gives on what later ones cannot
 * change, so that decoding at once and bit by bit are the same.
 *
 * Behind the steps `bytes` and `fuse` all texts are one text, which comes in parts. A stage there that can do nothing
 * before it has its whole text keeps it to the end; no real tokenizer has such a one.
 */
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "pipeline.h"
#include "runtime/tfm.h"

static bool take_text(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n);
static bool take_part(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n);

/* What stage k has made of a text. */
static bool give(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n) {
    return d->stages[k].one_text ? take_part(d, k + 1, data, n) : take_text(d, k + 1, data, n);
}

/* ---- bytes ---- */

/* The character that is held, and bytes of data behind it until it is whole or broken; *used of them are taken. */
static bool complete(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n, size_t *used) {
    tfm_decoder_stage *stage = &d->stages[k];
    *used = 0;
    while (stage->n_held > 0 && *used < n) {
        stage->held[stage->n_held++] = data[(*used)++];
        if (tfm_utf8_char_length(stage->held, stage->n_held) > 0) {
            size_t length = stage->n_held;
            stage->n_held = 0;
            if (!take_part(d, k + 1, stage->held, length)) return false;
        } else if (!tfm_utf8_is_open(stage->held, stage->n_held)) {
            --*used; /* that byte begins something else */
            stage->n_held = 0;
            if (!take_part(d, k + 1, TFM_UTF8_REPLACEMENT, 3)) return false;
        }
    }
    return true;
}

/* All bytes as one text; every broken character becomes one U+FFFD. */
static bool join_bytes(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n) {
    tfm_decoder_stage *stage = &d->stages[k];
    size_t at = 0;
    if (stage->n_held > 0 && !complete(d, k, data, n, &at)) return false;
    while (at < n) {
        size_t valid = tfm_utf8_valid_prefix(data + at, n - at);
        if (valid > 0 && !take_part(d, k + 1, data + at, valid)) return false;
        at += valid;
        if (at == n) break;
        if (n - at < sizeof stage->held && tfm_utf8_is_open(data + at, n - at)) {
            stage->n_held = (unsigned)(n - at);
            memcpy(stage->held, data + at, stage->n_held);
            break;
        }
        if (!take_part(d, k + 1, TFM_UTF8_REPLACEMENT, 3)) return false;
        at += tfm_utf8_broken_length(data + at, n - at);
    }
    return true;
}

/* The value of a text like <0x41> with digits of either case, or -1. */
static int byte_of(const char *text, size_t n) {
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int value = 0;
    for (size_t i = 3; i < 5; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        /* The library reads the two characters as a number, which may have a sign. */
        if (digit < 0 && !(i == 3 && c == '+')) return -1;
        value = 16 * value + (digit < 0 ? 0 : digit);
    }
    return value;
}

/* Bytes in a row: one text if they are valid, else a U+FFFD for each. */
static bool end_bytes(tfm_pipeline_decoder *d, size_t k) {
    tfm_text *bytes = &d->stages[k].waiting;
    size_t n = bytes->size;
    if (n == 0) return true;
    bytes->size = 0;
    if (tfm_utf8_valid_prefix(bytes->data, n) == n) return give(d, k, bytes->data, n);
    for (size_t i = 0; i < n; i++) {
        if (!give(d, k, TFM_UTF8_REPLACEMENT, 3)) return false;
    }
    return true;
}

static bool byte_fallback(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n) {
    int value = byte_of(data, n);
    char byte = (char)value;
    if (value >= 0) return tfm_text_append(&d->stages[k].waiting, &byte, 1);
    return (d->stages[k].waiting.size == 0 || end_bytes(d, k)) && give(d, k, data, n);
}

/* ---- steps on whole texts ---- */

/* Appends a text with every `from` as `to`. */
static bool append_replaced(tfm_text *out, const char *text, size_t n, const char *from, size_t n_from, const char *to,
                            size_t n_to) {
    const char *end = text + n;
    for (const char *hit; (hit = memmem(text, (size_t)(end - text), from, n_from));) {
        if (!tfm_text_append(out, text, (size_t)(hit - text)) || !tfm_text_append(out, to, n_to)) return false;
        text = hit + n_from;
    }
    return tfm_text_append(out, text, (size_t)(end - text));
}

/* The same as what the stage makes of a text. */
static bool replace(tfm_pipeline_decoder *d, size_t k, const char *to, size_t n_to, const char *text, size_t n) {
    tfm_decoder_stage *stage = &d->stages[k];
    if (n == 0 || !memchr(text, stage->step->from[0], n)) return give(d, k, text, n);
    stage->made.size = 0;
    return append_replaced(&stage->made, text, n, stage->step->from, stage->step->n_from, to, n_to) &&
           give(d, k, stage->made.data, stage->made.size);
}

/* Every text of a cleanup rule begins with a space, and what follows is one of these. */
static bool may_need_cleanup(const char *text, size_t n) {
    const char *end = text + n, *space = text;
    while (space < end && (space = memchr(space, ' ', (size_t)(end - space)))) {
        if (++space < end && *space != 0 && strchr(".?!,'nd", *space)) return true;
    }
    return false;
}

static bool clean_up(tfm_text *text, tfm_text *scratch) {
    static const char *const rules[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                           {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                           {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    if (!may_need_cleanup(text->data, text->size)) return true;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *from = rules[i][0], *to = rules[i][1];
        if (!memmem(text->data, text->size, from, strlen(from))) continue;
        scratch->size = 0;
        if (!append_replaced(scratch, text->data, text->size, from, strlen(from), to, strlen(to))) return false;
        tfm_text swap = *text;
        *text = *scratch;
        *scratch = swap;
    }
    return true;
}

static bool wordpiece(tfm_pipeline_decoder *d, size_t k, bool first, const char *text, size_t n) {
    tfm_decoder_stage *stage = &d->stages[k];
    const tfm_decoder_step *step = stage->step;
    stage->made.size = 0;
    if (!first && n >= step->n_from && memcmp(text, step->from, step->n_from) == 0) {
        text += step->n_from;
        n -= step->n_from;
    } else if (!first && !tfm_text_append(&stage->made, " ", 1)) {
        return false;
    }
    if (!tfm_text_append(&stage->made, text, n) || (step->flag && !clean_up(&stage->made, &stage->waiting)))
        return false;
    return give(d, k, stage->made.data, stage->made.size);
}

static bool strip(tfm_pipeline_decoder *d, size_t k, const char *text, size_t n) {
    const tfm_decoder_step *step = d->stages[k].step;
    for (uint64_t i = 0; i < step->start && n >= step->n_from && memcmp(text, step->from, step->n_from) == 0; i++) {
        text += step->n_from;
        n -= step->n_from;
    }
    for (uint64_t i = 0;
         i < step->stop && n >= step->n_from && memcmp(text + n - step->n_from, step->from, step->n_from) == 0; i++)
        n -= step->n_from;
    return give(d, k, text, n);
}

/* The suffix of words is a space but in the last text, so each waits for the next. */
static bool bpe(tfm_pipeline_decoder *d, size_t k, bool first, const char *text, size_t n) {
    tfm_decoder_stage *stage = &d->stages[k];
    if (!first && !replace(d, k, " ", 1, stage->waiting.data, stage->waiting.size)) return false;
    stage->waiting.size = 0;
    return tfm_text_append(&stage->waiting, text, n);
}

static bool join(tfm_pipeline_decoder *d, size_t k, bool first, const char *text, size_t n) {
    tfm_decoder_stage *stage = &d->stages[k];
    if (first) return give(d, k, text, n);
    stage->made.size = 0;
    return tfm_text_append(&stage->made, stage->step->from, stage->step->n_from) &&
           tfm_text_append(&stage->made, text, n) && give(d, k, stage->made.data, stage->made.size);
}

/* Stage k gets a text of the list; behind the last stage texts are put together. */
static bool take_text(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n) {
    if (k == d->n) return tfm_text_append(d->out, data, n);
    tfm_decoder_stage *stage = &d->stages[k];
    const tfm_decoder_step *step = stage->step;
    bool first = !stage->begun;
    stage->begun = true;
    switch (step->kind) {
    case TFM_DECODER_BYTES: return join_bytes(d, k, data, n);
    case TFM_DECODER_FUSE: return take_part(d, k + 1, data, n);
    case TFM_DECODER_BYTE_FALLBACK: return byte_fallback(d, k, data, n);
    case TFM_DECODER_WORDPIECE: return wordpiece(d, k, first, data, n);
    case TFM_DECODER_METASPACE: return replace(d, k, " ", first && step->flag ? 0 : 1, data, n);
    case TFM_DECODER_REPLACE: return replace(d, k, step->to, step->n_to, data, n);
    case TFM_DECODER_STRIP: return strip(d, k, data, n);
    case TFM_DECODER_BPE: return bpe(d, k, first, data, n);
    default: return join(d, k, first, data, n);
    }
}

/* ---- steps on one text in parts ---- */

typedef struct next_stage {
    tfm_pipeline_decoder *decoder;
    size_t k;
} next_stage;

static bool give_part(void *arg, const char *data, size_t n) {
    const next_stage *next = arg;
    return take_part(next->decoder, next->k, data, n);
}

static bool strip_start(tfm_pipeline_decoder *d, size_t k, const char **data, size_t *n) {
    tfm_decoder_stage *stage = &d->stages[k];
    const tfm_decoder_step *step = stage->step;
    while (*n > 0 && stage->n_stripped < step->start) {
        if (**data != step->from[stage->n_matched]) {
            size_t n_matched = stage->n_matched;
            stage->n_stripped = step->start; /* no more of it */
            stage->n_matched = 0;
            return n_matched == 0 || take_part(d, k + 1, step->from, n_matched);
        }
        ++*data;
        --*n;
        if (++stage->n_matched < step->n_from) continue;
        stage->n_matched = 0;
        stage->n_stripped++;
    }
    return true;
}

/* Gives on what was held for the end of the text and is not there. */
static bool give_ends(tfm_pipeline_decoder *d, size_t k) {
    tfm_decoder_stage *stage = &d->stages[k];
    for (; stage->n_ends > 0; stage->n_ends--) {
        if (!take_part(d, k + 1, stage->step->from, stage->step->n_from)) return false;
    }
    size_t n_matched = stage->n_matched;
    stage->n_matched = 0;
    return n_matched == 0 || take_part(d, k + 1, stage->step->from, n_matched);
}

/* Holds back up to `stop` characters at the end. from is one character, so that it cannot overlap itself. */
static bool strip_part(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n) {
    tfm_decoder_stage *stage = &d->stages[k];
    const tfm_decoder_step *step = stage->step;
    if (!strip_start(d, k, &data, &n)) return false;
    if (step->stop == 0) return n == 0 || take_part(d, k + 1, data, n);
    for (const char *end = data + n; data < end;) {
        if (*data != step->from[stage->n_matched]) {
            if (!give_ends(d, k)) return false;
            const char *begin = memchr(data, step->from[0], (size_t)(end - data));
            if (!begin) begin = end;
            if (begin > data && !take_part(d, k + 1, data, (size_t)(begin - data))) return false;
            data = begin;
            continue;
        }
        data++;
        if (++stage->n_matched < step->n_from) continue;
        stage->n_matched = 0;
        if (stage->n_ends < step->stop)
            stage->n_ends++;
        else if (!take_part(d, k + 1, step->from, step->n_from))
            return false;
    }
    return true;
}

/* Stage k gets a part of the only text there is. */
static bool take_part(tfm_pipeline_decoder *d, size_t k, const char *data, size_t n) {
    if (k == d->n) return tfm_text_append(d->out, data, n);
    tfm_decoder_stage *stage = &d->stages[k];
    next_stage next = {d, k + 1};
    switch (stage->step->kind) {
    case TFM_DECODER_BYTES: return join_bytes(d, k, data, n);
    case TFM_DECODER_FUSE:
    case TFM_DECODER_JOIN: return take_part(d, k + 1, data, n);
    case TFM_DECODER_REPLACE:
    case TFM_DECODER_METASPACE: return tfm_replacer_put(&stage->replacer, data, n, give_part, &next);
    case TFM_DECODER_STRIP: return strip_part(d, k, data, n);
    default: return tfm_text_append(&stage->whole, data, n); /* wordpiece, bpe, byte-fallback */
    }
}

/* ---- the end ---- */

/* No more texts come. */
static bool end_list(tfm_pipeline_decoder *d, size_t k) {
    tfm_decoder_stage *stage = &d->stages[k];
    switch (stage->step->kind) {
    case TFM_DECODER_BYTE_FALLBACK: return end_bytes(d, k);
    case TFM_DECODER_BPE: return !stage->begun || replace(d, k, "", 0, stage->waiting.data, stage->waiting.size);
    default: return true;
    }
}

/* The only text is whole. */
static bool end_only_text(tfm_pipeline_decoder *d, size_t k) {
    tfm_decoder_stage *stage = &d->stages[k];
    next_stage next = {d, k + 1};
    switch (stage->step->kind) {
    case TFM_DECODER_REPLACE:
    case TFM_DECODER_METASPACE: return tfm_replacer_end(&stage->replacer, give_part, &next);
    case TFM_DECODER_STRIP: return stage->n_matched == 0 || give_ends(d, k);
    case TFM_DECODER_WORDPIECE:
    case TFM_DECODER_BPE:
    case TFM_DECODER_BYTE_FALLBACK:
        return tfm_text_append(&stage->whole, "", 0) && take_text(d, k, stage->whole.data, stage->whole.size) &&
               end_list(d, k);
    default: return true;
    }
}

static bool end_stage(tfm_pipeline_decoder *d, size_t k) {
    tfm_decoder_stage *stage = &d->stages[k];
    if (stage->step->kind == TFM_DECODER_BYTES && stage->n_held > 0) {
        stage->n_held = 0;
        return take_part(d, k + 1, TFM_UTF8_REPLACEMENT, 3);
    }
    return stage->one_text ? end_only_text(d, k) : end_list(d, k);
}

/* ---- the decoder ---- */

bool tfm_pipeline_decoder_init(tfm_pipeline_decoder *d, const tfm_pipeline *pipeline) {
    const tfm_decoder_steps *steps = &pipeline->decoder;
    *d = (tfm_pipeline_decoder){.pipeline = pipeline, .n = steps->n};
    if (steps->n == 0) return true;
    d->stages = calloc(steps->n, sizeof *d->stages);
    if (!d->stages) return false;
    bool one_text = false, ok = true;
    for (size_t i = 0; i < steps->n; i++) {
        const tfm_decoder_step *step = &steps->steps[i];
        tfm_decoder_stage *stage = &d->stages[i];
        stage->step = step;
        stage->one_text = one_text;
        if (one_text && step->kind == TFM_DECODER_REPLACE)
            ok = ok && tfm_replacer_init(&stage->replacer, step->from, step->n_from, step->to, step->n_to);
        if (one_text && step->kind == TFM_DECODER_METASPACE)
            ok = ok && tfm_replacer_init(&stage->replacer, step->from, step->n_from, " ", step->flag ? 0 : 1);
        one_text |= step->kind == TFM_DECODER_BYTES || step->kind == TFM_DECODER_FUSE;
    }
    return ok;
}

void tfm_pipeline_decoder_free(tfm_pipeline_decoder *d) {
    for (size_t i = 0; d->stages && i < d->n; i++) {
        tfm_decoder_stage *stage = &d->stages[i];
        tfm_replacer_free(&stage->replacer);
        tfm_text_free(&stage->made);
        tfm_text_free(&stage->waiting);
        tfm_text_free(&stage->whole);
    }
    free(d->stages);
    *d = (tfm_pipeline_decoder){0};
}

void tfm_pipeline_decoder_reset(tfm_pipeline_decoder *d) {
    for (size_t i = 0; i < d->n; i++) {
        tfm_decoder_stage *stage = &d->stages[i];
        stage->begun = false;
        stage->waiting.size = stage->whole.size = 0;
        stage->replacer.matched = 0;
        stage->n_held = 0;
        stage->n_stripped = stage->n_ends = 0;
        stage->n_matched = 0;
    }
}

/* Whether an id has a text, and that is wanted. */
static bool has_text(const tfm_pipeline *p, uint32_t id, bool skip_special) {
    return (p->kinds[id] & TFM_ID_EXISTS) != 0 && !(skip_special && (p->kinds[id] & TFM_ID_SPECIAL) != 0);
}

/* Bytes are text as they are if they make whole characters, as they nearly always do; else nothing is appended. */
static bool put_valid_bytes(const tfm_pipeline *p, const int32_t *ids, size_t n, bool skip_special, tfm_text *out,
                            bool *valid) {
    size_t start = out->size;
    for (size_t i = 0; i < n; i++) {
        if (!has_text(p, (uint32_t)ids[i], skip_special)) continue;
        uint32_t from = p->surface_offsets[ids[i]], to = p->surface_offsets[ids[i] + 1];
        if (!tfm_text_append(out, p->surfaces + from, to - from)) return false;
    }
    size_t added = out->size - start;
    *valid = added == 0 || tfm_utf8_valid_prefix(out->data + start, added) == added;
    if (!*valid) out->data[out->size = start] = 0;
    return true;
}

bool tfm_pipeline_decoder_put(tfm_pipeline_decoder *d, const int32_t *ids, size_t n, bool skip_special, tfm_text *out) {
    const tfm_pipeline *p = d->pipeline;
    if (d->n == 1 && d->stages[0].step->kind == TFM_DECODER_BYTES && d->stages[0].n_held == 0) {
        bool valid;
        if (!put_valid_bytes(p, ids, n, skip_special, out, &valid)) return false;
        if (valid) return true;
    }
    d->out = out;
    for (size_t i = 0; i < n; i++) {
        if (!has_text(p, (uint32_t)ids[i], skip_special)) continue;
        uint32_t from = p->surface_offsets[ids[i]], to = p->surface_offsets[ids[i] + 1];
        if (!take_text(d, 0, p->surfaces + from, to - from)) return false;
    }
    return true;
}

bool tfm_pipeline_decoder_end(tfm_pipeline_decoder *d, tfm_text *out) {
    d->out = out;
    for (size_t k = 0; k < d->n; k++) {
        if (!end_stage(d, k)) return false;
    }
    tfm_pipeline_decoder_reset(d);
    return true;
}

tfm_status tfm_pipeline_decode(const tfm_pipeline *p, const int32_t *ids, size_t n, bool skip_special, tfm_text *text,
                               tfm_error *error) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= p->size)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "token id %d is outside the vocabulary of %zu", ids[i], p->size);
    }
    size_t start = text->size;
    tfm_pipeline_decoder d;
    bool ok = tfm_pipeline_decoder_init(&d, p) && tfm_text_append(text, "", 0);
    ok = ok && tfm_pipeline_decoder_put(&d, ids, n, skip_special, text) && tfm_pipeline_decoder_end(&d, text);
    tfm_pipeline_decoder_free(&d);
    if (ok) return TFM_OK;
    text->size = start;
    if (text->data) text->data[start] = 0;
    return tfm_no_memory(error, "the text of %zu tokens", n);
}
