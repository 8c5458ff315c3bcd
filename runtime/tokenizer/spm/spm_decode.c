/*
 * spm_decode.c - ids to text, one after the other, as SentencePiece and, for Marian's vocabularies, MarianTokenizer
 * join pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/tfm.h"
#include "runtime/tokenizer/common/white_space.h"
#include "spm.h"

int tfm_spm_byte(const char *text, size_t n) {
    static const char digits[] = "0123456789ABCDEF";
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || text[3] == 0 || text[4] == 0) return -1;
    const char *high = strchr(digits, text[3]), *low = strchr(digits, text[4]);
    return high && low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

/* ---- Marian: U+2581 that is left becomes a space, white space at both ends goes ---- */

/* Length of the white space that text begins with; 0 for none. */
static size_t white_space(const char *text, size_t n) {
    uint32_t code;
    size_t length = tfm_utf8_decode(text, n, &code);
    return tfm_is_white_space(code) ? length : 0;
}

/* Whether all of text may be the beginning of white space: of some character. */
static bool white_space_begins(const char *text, size_t n) { return n < TFM_UTF8_MAX && tfm_utf8_is_open(text, n); }

/* A part of the text, with its spaces. White space waits until something else follows it. */
static bool trim(void *arg, const char *data, size_t n) {
    tfm_spm_decoder *d = arg;
    tfm_text *held = &d->held;
    bool joined = held->size > 0;
    if (joined) {
        if (!tfm_text_append(held, data, n)) return false;
        data = held->data;
        n = held->size;
    }
    size_t at = joined ? d->n_white : 0, start = 0, end = 0; /* what is given on */
    for (size_t length; at < n;) {
        if ((length = white_space(data + at, n - at)) > 0) {
            at += length;
            if (!d->begun) start = at;
        } else if (white_space_begins(data + at, n - at)) {
            break;
        } else {
            d->begun = true;
            end = ++at;
        }
    }
    if (end > start && !tfm_text_append(d->out, data + start, end - start)) return false;
    size_t gone = end > start ? end : start;
    d->n_white = at - gone;
    if (!joined) return gone == n || tfm_text_append(held, data + gone, n - gone);
    memmove(held->data, held->data + gone, n - gone);
    held->size = n - gone;
    return true;
}

/* White space that is held goes; what only begins like some stays, and the white space before it. */
static bool end_trim(tfm_spm_decoder *d) {
    return d->n_white == d->held.size || tfm_text_append(d->out, d->held.data, d->held.size);
}

/* ---- pieces ---- */

/* Whether nothing of n >= 1 bytes is or begins U+2581, and the last is no white space. */
static bool is_plain(const char *data, size_t n) {
    unsigned char last = (unsigned char)data[n - 1];
    return last > 0x20 && last < 0x7F && !memchr(data, 0xE2, n);
}

static bool give_marian(tfm_spm_decoder *d, const char *data, size_t n) {
    bool nothing_open = d->begun && d->spaces.matched == 0 && d->n_white == d->held.size;
    if (!nothing_open || n == 0 || !is_plain(data, n)) return tfm_replacer_put(&d->spaces, data, n, trim, d);
    size_t n_white = d->n_white;
    d->held.size = d->n_white = 0;
    return (n_white == 0 || tfm_text_append(d->out, d->held.data, n_white)) && tfm_text_append(d->out, data, n);
}

/* Text that is as it will be. */
static bool give(tfm_spm_decoder *d, const char *data, size_t n) {
    return d->spm->marian ? give_marian(d, data, n) : tfm_text_append(d->out, data, n);
}

/* Text of a row of pieces. */
static bool put(tfm_spm_decoder *d, const char *data, size_t n) {
    d->n_row += n;
    return d->spm->has_denormalizer ? tfm_text_append(&d->row, data, n) : give(d, data, n);
}

/* The same, with every U+2581 as a space. */
static bool put_with_spaces(tfm_spm_decoder *d, const char *text, size_t n) {
    char part[64];
    for (size_t at = 0; at < n;) {
        size_t size = 0;
        while (at < n && size < sizeof part) {
            bool space = text[at] == TFM_SPM_SPACE[0] && n - at >= 3 && memcmp(text + at, TFM_SPM_SPACE, 3) == 0;
            part[size++] = space ? ' ' : text[at];
            at += space ? 3 : 1;
        }
        if (!put(d, part, size)) return false;
    }
    return true;
}

/* Bytes in a row are text where they are valid; each other byte becomes U+FFFD. more: others may follow. */
static bool put_bytes(tfm_spm_decoder *d, bool more) {
    while (d->n_bytes > 0) {
        size_t length = tfm_utf8_char_length(d->bytes, d->n_bytes);
        if (length == 0 && more && tfm_utf8_is_open(d->bytes, d->n_bytes)) return true;
        if (length > 0 ? !put(d, d->bytes, length) : !put(d, TFM_UTF8_REPLACEMENT, 3)) return false;
        size_t used = length > 0 ? length : 1;
        d->n_bytes -= (unsigned)used;
        memmove(d->bytes, d->bytes + used, d->n_bytes);
    }
    return true;
}

static bool put_piece(tfm_spm_decoder *d, const char *text, size_t n) {
    const tfm_spm_normalizer *z = &d->spm->normalizer;
    if (d->at_beginning && (z->add_dummy_prefix || z->remove_extra_whitespaces) && n >= 3 &&
        memcmp(text, TFM_SPM_SPACE, 3) == 0) {
        text += 3;
        n -= 3;
        d->prefix_seen = !z->remove_extra_whitespaces; /* with it, every leading space goes */
    }
    return put_with_spaces(d, text, n);
}

static bool put_id_text(tfm_spm_decoder *d, uint32_t id) {
    size_t n;
    const char *text = tfm_spm_text(d->spm, id, &n);
    unsigned kind = d->spm->kinds[id] & ~(unsigned)TFM_SPM_SPECIAL;
    if (kind == TFM_SPM_BYTE) {
        d->bytes[d->n_bytes++] = (char)tfm_spm_byte(text, n);
        return put_bytes(d, true);
    }
    if (d->n_bytes > 0 && !put_bytes(d, false)) return false;
    if (d->prefix_seen || d->n_row > 0) d->at_beginning = false;
    d->prefix_seen = false;
    switch (kind) {
    case TFM_SPM_CONTROL: return true;
    case TFM_SPM_UNKNOWN: return put(d, d->spm->unknown_surface, strlen(d->spm->unknown_surface));
    case TFM_SPM_LITERAL: return put(d, text, n);
    default: return put_piece(d, text, n);
    }
}

/* ---- rows of pieces ---- */

static void begin_row(tfm_spm_decoder *d) {
    d->n_row = 0;
    d->row.size = 0;
    d->at_beginning = true;
    d->prefix_seen = false;
}

static bool end_row(tfm_spm_decoder *d) {
    if (!put_bytes(d, false)) return false;
    if (!d->spm->has_denormalizer) return true;
    tfm_text normal = {0};
    bool ok = tfm_spm_normalize(&d->spm->denormalizer, d->row.data, d->row.size, &normal) &&
              (normal.size == 0 || give(d, normal.data, normal.size));
    tfm_text_free(&normal);
    return ok;
}

/* One of the model's own tokens ends a row of pieces and stands there by itself, a space after it. */
static bool put_special(tfm_spm_decoder *d, uint32_t id) {
    size_t n;
    const char *text = tfm_spm_text(d->spm, id, &n);
    if (!end_row(d) || !give(d, text, n) || !give(d, " ", 1)) return false;
    begin_row(d);
    return true;
}

/* ---- the decoder ---- */

bool tfm_spm_decoder_init(tfm_spm_decoder *d, const tfm_spm *spm) {
    *d = (tfm_spm_decoder){.spm = spm, .at_beginning = true};
    return !spm->marian || tfm_replacer_init(&d->spaces, TFM_SPM_SPACE, 3, " ", 1);
}

void tfm_spm_decoder_free(tfm_spm_decoder *d) {
    tfm_replacer_free(&d->spaces);
    tfm_text_free(&d->row);
    tfm_text_free(&d->held);
    *d = (tfm_spm_decoder){0};
}

void tfm_spm_decoder_reset(tfm_spm_decoder *d) {
    begin_row(d);
    d->n_bytes = 0;
    d->spaces.matched = 0;
    d->held.size = d->n_white = 0;
    d->begun = false;
}

bool tfm_spm_decoder_put(tfm_spm_decoder *d, const int32_t *ids, size_t n, bool skip_special, tfm_text *out) {
    d->out = out;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)ids[i];
        bool special = (d->spm->kinds[id] & TFM_SPM_SPECIAL) != 0;
        if (special && skip_special) continue;
        if (special ? !put_special(d, id) : !put_id_text(d, id)) return false;
    }
    return true;
}

bool tfm_spm_decoder_end(tfm_spm_decoder *d, tfm_text *out) {
    d->out = out;
    if (!end_row(d)) return false;
    if (d->spm->marian && (!tfm_replacer_end(&d->spaces, trim, d) || !end_trim(d))) return false;
    tfm_spm_decoder_reset(d);
    return true;
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
    tfm_spm_decoder d;
    bool ok = tfm_spm_decoder_init(&d, spm) && tfm_text_append(text, "", 0);
    ok = ok && tfm_spm_decoder_put(&d, ids, n, skip_special, text) && tfm_spm_decoder_end(&d, text);
    tfm_spm_decoder_free(&d);
    if (ok) return TFM_OK;
    text->size = start;
    if (text->data) text->data[start] = 0;
    return tfm_no_memory(error, "the text of %zu tokens", n);
}
