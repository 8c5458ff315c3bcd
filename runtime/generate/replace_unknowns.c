/* replace_unknowns.c - tfm_replace_unknowns: what stands in the source in place of tokens that the target lacks. */
#include <string.h>

#include "runtime/model/model.h"
#include "runtime/tokenizer/common/unknowns.h"
#include "runtime/tokenizer/tokenizer.h"

/* What SentencePiece writes for a space. */
static const char space_mark[] = "\xE2\x96\x81";
enum { MARK_BYTES = sizeof space_mark - 1 };

typedef struct source {
    const tfm_model *model;
    const tfm_tokenizer *tokenizer;
    tfm_ids ids;       /* of the text, without what stands around it */
    tfm_text unknowns; /* what each unknown one of them stands for */
    size_t first, n;   /* which columns of attention these are: those behind were cut off */
} source;

/* ---- spaces ---- */

static bool begins_with_mark(const char *piece, size_t n) {
    return piece && n >= MARK_BYTES && memcmp(piece, space_mark, MARK_BYTES) == 0;
}

static bool ends_with_mark(const char *piece, size_t n) {
    return piece && n >= MARK_BYTES && memcmp(piece + n - MARK_BYTES, space_mark, MARK_BYTES) == 0;
}

/* ---- where attention looks ---- */

/* The text's tokens in the input: behind what the model wants before them, perhaps cut short. */
static void find_text(source *origin, const int32_t *ids, size_t n) {
    for (size_t first = 0; first + origin->n < n; first++) {
        size_t common = 0;
        while (common < origin->ids.size && first + common < n && ids[first + common] == origin->ids.data[common])
            common++;
        if (common <= origin->n) continue;
        origin->first = first;
        origin->n = common;
    }
}

/* Which token of the text; there is one at least. */
static size_t strongest(const source *origin, const float *attention) {
    size_t best = 0;
    for (size_t i = 1; i < origin->n; i++)
        if (attention[origin->first + i] > attention[origin->first + best]) best = i;
    return best;
}

/* ---- what stands there ---- */

/* The text of a token as it stands behind others. */
static tfm_status known_text(const source *origin, size_t i, tfm_text *text, tfm_error *error) {
    const int32_t *id = origin->ids.data + i;
    tfm_detokenizer *detokenizer = NULL;
    tfm_status status = tfm_detokenizer_create(&detokenizer, origin->model, TFM_SOURCE, false, error);
    if (status == TFM_OK) status = tfm_detokenizer_continue(detokenizer, id, 1, error);
    if (status == TFM_OK) status = tfm_detokenizer_push(detokenizer, id, 1, text, error);
    if (status == TFM_OK) status = tfm_detokenizer_finish(detokenizer, text, error);
    tfm_detokenizer_free(&detokenizer);
    return status;
}

/* What stands behind a lone mark of a space begins a word. */
static tfm_status unknown_text(const source *origin, size_t i, tfm_text *text, tfm_error *error) {
    const int32_t unknown = tfm_tokenizer_unknown_id(origin->tokenizer);
    size_t number = 0, n = 0;
    for (size_t k = 0; k < i; k++) number += origin->ids.data[k] == unknown;
    const char *at = tfm_unknowns_at(&origin->unknowns, number, &n);
    size_t n_before = 0;
    const char *before = i > 0 ? tfm_tokenizer_piece(origin->tokenizer, origin->ids.data[i - 1], &n_before) : NULL;
    bool ok = !ends_with_mark(before, n_before) || tfm_text_append(text, " ", 1);
    while (at && n > 0 && ok) {
        const bool space = n >= MARK_BYTES && memcmp(at, space_mark, MARK_BYTES) == 0;
        const size_t taken = space ? MARK_BYTES : 1;
        ok = tfm_text_append(text, space ? " " : at, 1);
        at += taken;
        n -= taken;
    }
    return ok ? TFM_OK : tfm_no_memory(error, "a text");
}

/* ---- the text ---- */

static void drop_spaces(tfm_text *part) {
    size_t n = 0;
    while (n < part->size && part->data[n] == ' ') n++;
    part->size -= n;
    if (n > 0) memmove(part->data, part->data + n, part->size);
}

/* Appends part, with one space between where there is one on either side, or a piece has one that decoding took away.
 */
static bool join(tfm_text *text, tfm_text *part, bool spaced) {
    if (text->size == 0 || text->data[text->size - 1] == ' ')
        drop_spaces(part);
    else if (part->size > 0 && spaced && *part->data != ' ' && !tfm_text_append(text, " ", 1))
        return false;
    return part->size == 0 || tfm_text_append(text, part->data, part->size);
}

/*
 * Tokens [from, to) of an output as they stand behind those before them. The space of a mark before what was replaced
 * is there already.
 */
static tfm_status add_tokens(const tfm_model *model, const tfm_tokenizer *target, const int32_t *ids, size_t from,
                             size_t to, tfm_text *text, tfm_error *error) {
    if (from == to) return TFM_OK;
    tfm_detokenizer *detokenizer = NULL;
    tfm_text part = {0};
    size_t n = 0;
    const char *piece = tfm_tokenizer_piece(target, ids[from], &n);
    tfm_status status = tfm_detokenizer_create(&detokenizer, model, TFM_TARGET, true, error);
    if (status == TFM_OK) status = tfm_detokenizer_continue(detokenizer, ids, from, error);
    if (status == TFM_OK) status = tfm_detokenizer_push(detokenizer, ids + from, to - from, &part, error);
    if (status == TFM_OK) status = tfm_detokenizer_finish(detokenizer, &part, error);
    const bool spaced = begins_with_mark(piece, n);
    const char *before = from > 1 ? tfm_tokenizer_piece(target, ids[from - 2], &n) : NULL;
    if (before && ends_with_mark(before, n)) drop_spaces(&part);
    if (status == TFM_OK && !join(text, &part, spaced)) status = tfm_no_memory(error, "a text");
    tfm_detokenizer_free(&detokenizer);
    tfm_text_free(&part);
    return status;
}

/* What stands in the source where token t of the output looked most. */
static tfm_status add_source(const source *origin, const tfm_tokenizer *target, const tfm_hypothesis *h,
                             size_t n_source, size_t t, tfm_text *text, tfm_error *error) {
    if (origin->n == 0) return TFM_OK;
    const float *attention = h->attention + t * n_source;
    const size_t i = strongest(origin, attention);
    if (!(attention[origin->first + i] > 0))
        return TFM_OK; /* a token of the prefix, which nobody asked for attention */
    tfm_text part = {0};
    size_t n = 0;
    const char *before = t > 0 ? tfm_tokenizer_piece(target, h->ids[t - 1], &n) : NULL;
    const bool unknown = origin->ids.data[i] == tfm_tokenizer_unknown_id(origin->tokenizer);
    tfm_status status = unknown ? unknown_text(origin, i, &part, error) : known_text(origin, i, &part, error);
    if (status == TFM_OK && !join(text, &part, ends_with_mark(before, n))) status = tfm_no_memory(error, "a text");
    tfm_text_free(&part);
    return status;
}

static bool has_unknown(const tfm_tokenizer *target, const tfm_hypothesis *h) {
    size_t t = 0;
    while (t < h->n && h->ids[t] != tfm_tokenizer_unknown_id(target)) t++;
    return t < h->n;
}

static tfm_status replace(const source *origin, const tfm_tokenizer *target, const tfm_hypothesis *h, size_t n_source,
                          tfm_text *text, tfm_error *error) {
    const int32_t unknown = tfm_tokenizer_unknown_id(target);
    tfm_status status = TFM_OK;
    size_t from = 0;
    for (size_t t = 0; t < h->n && status == TFM_OK; t++) {
        if (h->ids[t] != unknown) continue;
        status = add_tokens(origin->model, target, h->ids, from, t, text, error);
        if (status == TFM_OK) status = add_source(origin, target, h, n_source, t, text, error);
        from = t + 1;
    }
    return status == TFM_OK ? add_tokens(origin->model, target, h->ids, from, h->n, text, error) : status;
}

tfm_status tfm_replace_unknowns(const tfm_model *model, const char *source_text, size_t n_text,
                                const int32_t *source_ids, size_t n_source_ids, const tfm_hypothesis *hypothesis,
                                tfm_text *text, tfm_error *error) {
    source origin = {.model = model};
    const tfm_tokenizer *target;
    tfm_text own = {0};
    if (!hypothesis || (hypothesis->n > 0 && !hypothesis->attention) || (n_source_ids > 0 && !source_ids))
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "an output with its attention, and the ids of its input, are needed");
    tfm_status status = tfm_model_need_tokenizer(model, TFM_SOURCE, &origin.tokenizer, error);
    if (status == TFM_OK) status = tfm_model_need_tokenizer(model, TFM_TARGET, &target, error);
    if (status == TFM_OK && has_unknown(target, hypothesis))
        status = tfm_tokenizer_encode_noting(origin.tokenizer, source_text, n_text, false, &origin.ids,
                                             &origin.unknowns, error);
    if (status == TFM_OK) {
        find_text(&origin, source_ids, n_source_ids);
        status = replace(&origin, target, hypothesis, n_source_ids, &own, error);
    }
    if (status == TFM_OK && !tfm_text_append(text, own.data ? own.data : "", own.size))
        status = tfm_no_memory(error, "a text");
    tfm_text_free(&own);
    tfm_text_free(&origin.unknowns);
    tfm_ids_free(&origin.ids);
    return status;
}
