/*
 * pipeline_decode.c - ids to text: each id has a text, and the steps of the decoder change the list of texts in turn.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "pipeline.h"

/* A list of texts, one after the other in `text`; ends[i] is where text i ends. */
typedef struct texts {
    tfm_text text;
    size_t *ends;
    size_t n, capacity;
} texts;

static void texts_free(texts *t) {
    tfm_text_free(&t->text);
    free(t->ends);
}

/* Ends the text that has been appended to t->text. */
static bool end_text(texts *t) {
    if (t->n == t->capacity) {
        size_t capacity = t->capacity + t->capacity / 2 + 64;
        size_t *ends = reallocarray(t->ends, capacity, sizeof(*ends));
        if (ends == NULL) return false;
        t->ends = ends;
        t->capacity = capacity;
    }
    t->ends[t->n++] = t->text.size;
    return true;
}

static bool append(texts *t, const char *data, size_t n) { return tfm_text_append(&t->text, data, n); }

/* Appends text with every `from` as `to`. */
static bool append_replaced(texts *t, const char *text, size_t n, const char *from, size_t n_from, const char *to,
                            size_t n_to) {
    const char *end = text + n;
    for (const char *hit; n_from > 0 && (hit = memmem(text, (size_t)(end - text), from, n_from)) != NULL;) {
        if (!append(t, text, (size_t)(hit - text)) || !append(t, to, n_to)) return false;
        text = hit + n_from;
    }
    return append(t, text, (size_t)(end - text));
}

/* Length of the longest beginning of text that could be the beginning of a character: what one U+FFFD stands for. */
static size_t broken_length(const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;
    unsigned low = 0x80, high = 0xBF;
    size_t length = s[0] >= 0xC2 && s[0] < 0xE0   ? 2
                    : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
                    : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                                  : 1;
    if (s[0] == 0xE0) low = 0xA0;
    if (s[0] == 0xED) high = 0x9F;
    if (s[0] == 0xF0) low = 0x90;
    if (s[0] == 0xF4) high = 0x8F;
    size_t i = 1;
    for (; i < length && i < n && s[i] >= low && s[i] <= high; i++) {
        low = 0x80;
        high = 0xBF;
    }
    return i;
}

/* All bytes as one text; every broken character becomes one U+FFFD. */
static bool join_bytes(const texts *in, texts *out) {
    const char *data = in->text.data;
    for (size_t at = 0; at < in->text.size;) {
        size_t n = in->text.size - at, valid = at, length;
        while (valid < in->text.size && (length = tfm_utf8_char_length(data + valid, in->text.size - valid)) > 0)
            valid += length;
        if (!append(out, data + at, valid - at)) return false;
        at = valid;
        if (at == in->text.size) break;
        n = in->text.size - at;
        if (!append(out, TFM_UTF8_REPLACEMENT, 3)) return false;
        at += broken_length(data + at, n);
    }
    return end_text(out);
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
static bool end_bytes(tfm_text *bytes, texts *out) {
    if (bytes->size == 0) return true;
    size_t at = 0, n = bytes->size, length;
    while (at < n && (length = tfm_utf8_char_length(bytes->data + at, n - at)) > 0) at += length;
    bytes->size = 0;
    if (at == n) return append(out, bytes->data, n) && end_text(out);
    for (size_t i = 0; i < n; i++) {
        if (!append(out, TFM_UTF8_REPLACEMENT, 3) || !end_text(out)) return false;
    }
    return true;
}

static bool byte_fallback(const texts *in, texts *out) {
    tfm_text bytes = {0};
    bool ok = true;
    for (size_t i = 0, start = 0; ok && i < in->n; start = in->ends[i++]) {
        const char *text = in->text.data + start;
        size_t n = in->ends[i] - start;
        int value = byte_of(text, n);
        char byte = (char)value;
        if (value >= 0) {
            ok = tfm_text_append(&bytes, &byte, 1);
        } else {
            ok = end_bytes(&bytes, out) && append(out, text, n) && end_text(out);
        }
    }
    ok = ok && end_bytes(&bytes, out);
    tfm_text_free(&bytes);
    return ok;
}

/* ---- steps on each text ------------------------------------------------------------------------------------------ */

static bool clean_up(texts *t, size_t start) {
    static const char *const rules[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                           {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                           {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        size_t n = t->text.size - start, n_from = strlen(rules[i][0]);
        if (memmem(t->text.data + start, n, rules[i][0], n_from) == NULL) continue;
        char *copy = malloc(n);
        if (copy == NULL) return false;
        memcpy(copy, t->text.data + start, n);
        t->text.size = start;
        bool ok = append_replaced(t, copy, n, rules[i][0], n_from, rules[i][1], strlen(rules[i][1]));
        free(copy);
        if (!ok) return false;
    }
    return true;
}

static bool wordpiece(const tfm_decoder_step *s, const char *text, size_t n, bool first, texts *out) {
    size_t start = out->text.size;
    if (!first && n >= s->n_from && memcmp(text, s->from, s->n_from) == 0) {
        text += s->n_from;
        n -= s->n_from;
    } else if (!first && !append(out, " ", 1)) {
        return false;
    }
    return append(out, text, n) && (!s->flag || clean_up(out, start));
}

static bool strip(const tfm_decoder_step *s, const char *text, size_t n, texts *out) {
    for (uint64_t i = 0; i < s->start && n >= s->n_from && memcmp(text, s->from, s->n_from) == 0; i++) {
        text += s->n_from;
        n -= s->n_from;
    }
    for (uint64_t i = 0; i < s->stop && n >= s->n_from && memcmp(text + n - s->n_from, s->from, s->n_from) == 0; i++)
        n -= s->n_from;
    return append(out, text, n);
}

static bool each(const tfm_decoder_step *s, const texts *in, texts *out) {
    bool ok = true;
    for (size_t i = 0, start = 0; ok && i < in->n; start = in->ends[i++]) {
        const char *text = in->text.data + start;
        size_t n = in->ends[i] - start;
        bool first = i == 0, last = i + 1 == in->n;
        switch (s->kind) {
        case TFM_DECODER_WORDPIECE: ok = wordpiece(s, text, n, first, out); break;
        case TFM_DECODER_METASPACE:
            ok = append_replaced(out, text, n, s->from, s->n_from, " ", first && s->flag ? 0 : 1);
            break;
        case TFM_DECODER_BPE: ok = append_replaced(out, text, n, s->from, s->n_from, " ", last ? 0 : 1); break;
        case TFM_DECODER_REPLACE: ok = append_replaced(out, text, n, s->from, s->n_from, s->to, s->n_to); break;
        case TFM_DECODER_STRIP: ok = strip(s, text, n, out); break;
        default: ok = (first || append(out, s->from, s->n_from)) && append(out, text, n); break; /* join */
        }
        ok = ok && end_text(out);
    }
    return ok;
}

static bool decode(const tfm_decoder_steps *decoder, texts *now, texts *next) {
    bool ok = true;
    for (size_t i = 0; ok && i < decoder->n; i++) {
        const tfm_decoder_step *s = &decoder->steps[i];
        next->text.size = next->n = 0;
        switch (s->kind) {
        case TFM_DECODER_BYTES: ok = join_bytes(now, next); break;
        case TFM_DECODER_BYTE_FALLBACK: ok = byte_fallback(now, next); break;
        case TFM_DECODER_FUSE: ok = append(next, now->text.data, now->text.size) && end_text(next); break;
        default: ok = each(s, now, next); break;
        }
        texts swap = *now;
        *now = *next;
        *next = swap;
    }
    return ok;
}

static bool surfaces(const tfm_pipeline *p, const int32_t *ids, size_t n, bool skip_special, texts *out) {
    for (size_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)ids[i];
        if ((p->kinds[id] & TFM_ID_EXISTS) == 0 || (skip_special && (p->kinds[id] & TFM_ID_SPECIAL) != 0)) continue;
        uint32_t from = p->surface_offsets[id], to = p->surface_offsets[id + 1];
        if (!append(out, p->surfaces + from, to - from) || !end_text(out)) return false;
    }
    return append(out, "", 0);
}

tfm_status tfm_pipeline_decode(const tfm_pipeline *p, const int32_t *ids, size_t n, bool skip_special, tfm_text *text,
                               tfm_error *error) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= p->size)
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "token id %d is outside the vocabulary of %zu", ids[i], p->size);
    }
    texts now = {0}, next = {0};
    bool ok = surfaces(p, ids, n, skip_special, &now) && decode(&p->decoder, &now, &next) &&
              tfm_text_append(text, now.text.data, now.text.size);
    texts_free(&now);
    texts_free(&next);
    return ok ? TFM_OK : tfm_fail(error, TFM_ERROR_MEMORY, "no memory for the text of %zu tokens", n);
}
