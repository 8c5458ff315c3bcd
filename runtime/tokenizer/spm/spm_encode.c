/* spm_encode.c - text to ids: language codes, normalisation, segmentation, ids around. */
#include <stdlib.h>
#include <string.h>

#include "runtime/tfm.h"
#include "runtime/tokenizer/common/unknowns.h"
#include "spm.h"

static tfm_status encode_plain(const tfm_spm *spm, const char *text, size_t n, tfm_ids *ids, tfm_text *unknowns,
                               tfm_error *error) {
    tfm_text normal = {0};
    tfm_status status = TFM_OK;
    if (!tfm_spm_normalize(&spm->normalizer, text, n, &normal)) {
        status = tfm_no_memory(error, "normalising a text of %zu bytes", n);
    } else if (normal.size > INT32_MAX) {
        status = tfm_fail(error, TFM_ERROR_LIMIT, "a text of %zu bytes is too long; split it", n);
    } else {
        tfm_spm_emitter emitter = {.spm = spm, .ids = ids, .text = normal.data, .unknowns = unknowns};
        bool ok = spm->byte_pairs ? tfm_spm_segment_bpe(&emitter, normal.size)
                                  : tfm_spm_segment_unigram(&emitter, normal.size);
        if (!ok || !tfm_spm_emit_end(&emitter)) {
            status = tfm_no_memory(error, "splitting a text of %zu bytes into tokens", n);
        }
    }
    tfm_text_free(&normal);
    return status;
}

/*
 * The first language code of a line, ">>xx<<": from its first ">>" to its last "<<", at least one byte between. n is
 * the length of the line; false if there is none. This is what the pattern >>.+<< matches in MarianTokenizer.
 */
static bool find_code(const char *line, size_t n, size_t *start, size_t *end) {
    size_t open = 0, close = n;
    while (open + 2 <= n && memcmp(line + open, ">>", 2) != 0) open++;
    while (close >= open + 5 && memcmp(line + close - 2, "<<", 2) != 0) close--;
    if (close < open + 5) return false;
    *start = open;
    *end = close;
    return true;
}

static bool put_code(const tfm_spm *spm, const char *text, size_t n, tfm_ids *ids, tfm_text *unknowns) {
    int32_t id = (int32_t)tfm_spm_id_of_text(spm, text, n);
    if ((uint32_t)id == spm->unknown_id && !tfm_unknowns_note(unknowns, text, n)) return false;
    return tfm_ids_append(ids, &id, 1);
}

/* Emits the code at the very beginning, if any, and copies the text without codes. */
static bool take_codes(const tfm_spm *spm, const char *text, size_t n, tfm_ids *ids, tfm_text *unknowns,
                       tfm_text *rest) {
    for (size_t at = 0; at < n;) {
        const char *newline = memchr(text + at, '\n', n - at);
        size_t line = newline ? (size_t)(newline - text) - at : n - at;
        size_t start = line, end = line;
        if (find_code(text + at, line, &start, &end) && at + start == 0 && !put_code(spm, text, end, ids, unknowns)) {
            return false;
        }
        size_t tail = line - end + (newline != NULL);
        if (!tfm_text_append(rest, text + at, start) || !tfm_text_append(rest, text + at + end, tail)) return false;
        at += line + (newline != NULL);
    }
    return true;
}

static tfm_status encode_text(const tfm_spm *spm, const char *text, size_t n, tfm_ids *ids, tfm_text *unknowns,
                              tfm_error *error) {
    if (!spm->language_codes || !memmem(text, n, ">>", 2)) return encode_plain(spm, text, n, ids, unknowns, error);
    tfm_text rest = {0};
    tfm_status status;
    if (take_codes(spm, text, n, ids, unknowns, &rest)) {
        status = encode_plain(spm, rest.data, rest.size, ids, unknowns, error);
    } else {
        status = tfm_no_memory(error, "language codes in a text of %zu bytes", n);
    }
    tfm_text_free(&rest);
    return status;
}

tfm_status tfm_spm_encode(const tfm_spm *spm, const char *text, size_t n, bool special, tfm_ids *ids,
                          tfm_text *unknowns, tfm_error *error) {
    size_t size = ids->size;
    tfm_status status = TFM_OK;
    if (special && !tfm_ids_append(ids, (const int32_t *)spm->prefix_ids, spm->n_prefix_ids)) goto memory;
    if (n > 0) status = encode_text(spm, text, n, ids, unknowns, error);
    if (status == TFM_OK && special && !tfm_ids_append(ids, (const int32_t *)spm->suffix_ids, spm->n_suffix_ids)) {
        goto memory;
    }
    if (status != TFM_OK) ids->size = size;
    return status;
memory:
    ids->size = size;
    return tfm_no_memory(error, "the tokens of a text of %zu bytes", n);
}
