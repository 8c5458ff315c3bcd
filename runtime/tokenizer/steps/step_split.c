/* step_split.c - the way of a text through the steps of a pre-tokenizer: steps cut its pieces, or change each of them.
 */
#include "steps.h"

#include <stdlib.h>

#include "format/grow.h"

void tfm_step_scratch_free(tfm_step_scratch *work) {
    pcre2_match_data_free(work->match);
    pcre2_match_context_free(work->context);
    free(work->classes);
    tfm_split_pieces_free(&work->other);
    *work = (tfm_step_scratch){0};
}

void tfm_split_pieces_free(tfm_split_pieces *pieces) {
    tfm_text_free(&pieces->text);
    free(pieces->spans);
    *pieces = (tfm_split_pieces){0};
}

bool tfm_split_pieces_add(tfm_split_pieces *pieces, size_t start, size_t end) {
    if (start == end) return true;
    if (pieces->n == pieces->capacity &&
        !tfm_grow(&pieces->spans, &pieces->capacity, pieces->n, 1, sizeof *pieces->spans))
        return false;
    pieces->spans[pieces->n++] = (tfm_piece_span){(uint32_t)start, (uint32_t)end};
    return true;
}

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

static tfm_status split(const tfm_step *step, tfm_step_scratch *work, tfm_split_pieces *pieces) {
    tfm_split_pieces *out = &work->other;
    tfm_status status = TFM_OK;
    out->n = 0;
    for (size_t i = 0; i < pieces->n && status == TFM_OK; i++) {
        tfm_piece_span span = pieces->spans[i];
        cutter c = {.out = out, .base = span.start, .behavior = step->behavior, .invert = step->invert};
        status = tfm_step_match(step, work, pieces->text.data + span.start, span.end - span.start, cut, &c);
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
static tfm_status change(const tfm_step *step, tfm_step_scratch *work, tfm_split_pieces *pieces) {
    tfm_text *out = &work->other.text;
    tfm_status status = TFM_OK;
    size_t n = 0;
    out->size = 0;
    for (size_t i = 0; i < pieces->n && status == TFM_OK; i++) {
        tfm_piece_span span = pieces->spans[i];
        size_t start = out->size;
        bool at_start = pieces->at_start && i == 0;
        status = tfm_step_text(step, work, pieces->text.data + span.start, span.end - span.start, &at_start, out);
        if (i == 0) pieces->at_start = at_start;
        if (out->size > start) pieces->spans[n++] = (tfm_piece_span){(uint32_t)start, (uint32_t)out->size};
    }
    pieces->n = n;
    tfm_text swap = pieces->text;
    pieces->text = *out;
    *out = swap;
    return status;
}

tfm_status tfm_steps_split(const tfm_steps *steps, tfm_step_scratch *work, tfm_split_pieces *pieces) {
    tfm_status status = TFM_OK;
    work->most = tfm_step_most(pieces->text.size);
    for (size_t i = 0; i < steps->n && status == TFM_OK; i++) {
        const tfm_step *step = &steps->steps[i];
        status = step->kind == TFM_STEP_SPLIT ? split(step, work, pieces) : change(step, work, pieces);
    }
    return status;
}
