/* spm_decode.c - ids to text, as SentencePiece and, for Marian's vocabularies, MarianTokenizer join pieces. */
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "spm.h"
#include "utf8_strict.h"

typedef struct decoder {
    const tfm_spm *spm;
    tfm_text *out;
    size_t start;      /* where the text of the current row of pieces begins in out */
    tfm_text bytes;    /* of byte pieces in a row */
    bool at_beginning; /* a leading U+2581 still counts as the dummy prefix */
    bool prefix_seen;
} decoder;

int tfm_spm_byte(const char *text, size_t n) {
    static const char digits[] = "0123456789ABCDEF";
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || text[3] == 0 || text[4] == 0) return -1;
    const char *high = strchr(digits, text[3]), *low = strchr(digits, text[4]);
    return high != NULL && low != NULL ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

/* Appends with every U+2581 as a space. */
static bool put_with_spaces(tfm_text *out, const char *text, size_t n) {
    const char *end = text + n;
    while (text < end) {
        const char *space = memmem(text, (size_t)(end - text), TFM_UTF8_SPACE, 3);
        size_t plain = (size_t)((space != NULL ? space : end) - text);
        if (!tfm_text_append(out, text, plain)) return false;
        if (space == NULL) break;
        if (!tfm_text_append(out, " ", 1)) return false;
        text = space + 3;
    }
    return true;
}

/* Bytes in a row are text where they are valid; each other byte becomes U+FFFD. */
static bool end_bytes(decoder *d) {
    for (size_t at = 0; at < d->bytes.size;) {
        size_t length = tfm_utf8_char_length(d->bytes.data + at, d->bytes.size - at);
        bool ok = length > 0 ? tfm_text_append(d->out, d->bytes.data + at, length)
                             : tfm_text_append(d->out, TFM_UTF8_REPLACEMENT, 3);
        if (!ok) return false;
        at += length > 0 ? length : 1;
    }
    d->bytes.size = 0;
    return true;
}

static bool put_piece(decoder *d, const char *text, size_t n) {
    const tfm_normalizer *z = &d->spm->normalizer;
    if (d->at_beginning && (z->add_dummy_prefix || z->remove_extra_whitespaces) && n >= 3 &&
        memcmp(text, TFM_UTF8_SPACE, 3) == 0) {
        text += 3;
        n -= 3;
        d->prefix_seen = !z->remove_extra_whitespaces; /* with it, every leading space goes */
    }
    return put_with_spaces(d->out, text, n);
}

static bool put_id_text(decoder *d, uint32_t id) {
    size_t n;
    const char *text = tfm_spm_text(d->spm, id, &n);
    unsigned kind = d->spm->kinds[id] & ~(unsigned)TFM_SPM_SPECIAL;
    if (kind == TFM_SPM_BYTE) {
        char byte = (char)tfm_spm_byte(text, n);
        return tfm_text_append(&d->bytes, &byte, 1);
    }
    if (!end_bytes(d)) return false;
    if (d->prefix_seen || d->out->size > d->start) d->at_beginning = false;
    d->prefix_seen = false;
    switch (kind) {
    case TFM_SPM_CONTROL: return true;
    case TFM_SPM_UNKNOWN: return tfm_text_append(d->out, d->spm->unknown_surface, strlen(d->spm->unknown_surface));
    case TFM_SPM_LITERAL: return tfm_text_append(d->out, text, n);
    default: return put_piece(d, text, n);
    }
}

static void begin_row(decoder *d) {
    d->start = d->out->size;
    d->at_beginning = true;
    d->prefix_seen = false;
    d->bytes.size = 0;
}

static bool end_row(decoder *d) {
    if (!end_bytes(d)) return false;
    if (!d->spm->has_denormalizer) return true;
    tfm_text normal = {0};
    bool ok = tfm_normalize(&d->spm->denormalizer, d->out->data + d->start, d->out->size - d->start, &normal);
    if (ok) {
        d->out->size = d->start;
        ok = tfm_text_append(d->out, normal.data, normal.size);
    }
    tfm_text_free(&normal);
    return ok;
}

/* One of the model's own tokens ends a row of pieces and stands there by itself, a space after it. */
static bool put_special(decoder *d, uint32_t id) {
    size_t n;
    const char *text = tfm_spm_text(d->spm, id, &n);
    if (!end_row(d) || !tfm_text_append(d->out, text, n) || !tfm_text_append(d->out, " ", 1)) return false;
    begin_row(d);
    return true;
}

/* Length of the white space (as Python's str.strip sees it) at the beginning of text, or 0. */
static size_t whitespace(const char *text, size_t n) {
    static const char *const wide[] = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
                                       "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
    unsigned char c = (unsigned char)text[0];
    if ((c >= 9 && c <= 13) || (c >= 28 && c <= 32)) return 1;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        size_t length = strlen(wide[i]);
        if (n >= length && memcmp(text, wide[i], length) == 0) return length;
    }
    /* U+2000 .. U+200A */
    if (n >= 3 && memcmp(text, "\xE2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 &&
        (unsigned char)text[2] <= 0x8A) {
        return 3;
    }
    return 0;
}

/* MarianTokenizer's last step: U+2581 that is left becomes a space, white space at both ends goes. */
static void finish_marian(tfm_text *out, size_t start) {
    char *text = out->data + start;
    size_t n = 0, size = out->size - start, first = 0;
    for (size_t i = 0; i < size;) {
        bool space = size - i >= 3 && memcmp(text + i, TFM_UTF8_SPACE, 3) == 0;
        text[n++] = space ? ' ' : text[i];
        i += space ? 3 : 1;
    }
    for (size_t length; first < n && (length = whitespace(text + first, n - first)) > 0;) first += length;
    for (;;) {
        size_t length = n > first ? 1 : 0;
        while (length > 0 && length < 3 && length < n - first && whitespace(text + n - length, length) != length)
            length++;
        if (length == 0 || whitespace(text + n - length, length) != length) break;
        n -= length;
    }
    memmove(text, text + first, n - first);
    out->size = start + (n - first);
    out->data[out->size] = 0;
}

static bool decode(decoder *d, const int32_t *ids, size_t n, bool skip_special) {
    begin_row(d);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)ids[i];
        bool special = (d->spm->kinds[id] & TFM_SPM_SPECIAL) != 0;
        if (special && skip_special) continue;
        if (special ? !put_special(d, id) : !put_id_text(d, id)) return false;
    }
    return end_row(d);
}

tfm_status tfm_spm_decode(const tfm_spm *spm, const int32_t *ids, size_t n, bool skip_special, tfm_text *text,
                          tfm_error *error) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= spm->size) {
            return tfm_fail(error, TFM_ERROR_ARGUMENT, "token id %d is outside the vocabulary of %zu", ids[i],
                            spm->size);
        }
    }
    size_t start = text->size;
    decoder d = {.spm = spm, .out = text};
    bool ok = tfm_text_append(text, "", 0) && decode(&d, ids, n, skip_special);
    tfm_text_free(&d.bytes);
    if (!ok) {
        text->size = start;
        if (text->data != NULL) text->data[start] = 0;
        return tfm_fail(error, TFM_ERROR_MEMORY, "no memory for the text of %zu tokens", n);
    }
    if (spm->marian) finish_marian(text, start);
    return TFM_OK;
}
