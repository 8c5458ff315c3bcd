/*
 * step_match.c - where a pattern matches. Patterns are over classes: each character of the text is one byte for the
 * pattern, its class, so that PCRE2 needs no Unicode and matches bytes.
 */
#include <stdlib.h>

#include "format/grow.h"
#include "steps.h"

/* Classes of a text in work->classes: their number, or SIZE_MAX when memory is out. */
static size_t classify(const tfm_step *step, tfm_step_scratch *work, const char *text, size_t n) {
    if (n > work->capacity && !tfm_grow(&work->classes, &work->capacity, 0, n, 1)) return SIZE_MAX;
    size_t count = 0;
    if (step->byte_classes) {
        for (; count < n; count++) work->classes[count] = step->byte_classes[(unsigned char)text[count]];
        return n;
    }
    for (size_t at = 0; at < n;) {
        uint32_t code;
        at += tfm_utf8_next(text + at, n - at, &code);
        work->classes[count++] = tfm_char_class(&step->classes, code);
    }
    return count;
}

/* Byte offset `steps` characters after `at`. */
static size_t forward(const tfm_step *step, const char *text, size_t n, size_t at, size_t steps) {
    if (step->byte_classes) return at + steps;
    uint32_t code;
    for (; steps > 0 && at < n; steps--) at += tfm_utf8_next(text + at, n - at, &code);
    return at;
}

/* Patterns that tfmpack lets through need a few steps a character: less than PCRE2's limit for texts of this length. */
#define SHORT_TEXT 100000

static tfm_status prepare(tfm_step_scratch *work, size_t n) {
    if (!work->match) work->match = pcre2_match_data_create(1, NULL);
    if (!work->match) return TFM_ERROR_MEMORY;
    if (n <= SHORT_TEXT && work->match_limit == 0) return TFM_OK;
    if (!work->context) work->context = pcre2_match_context_create(NULL);
    if (!work->context) return TFM_ERROR_MEMORY;
    uint64_t limit = work->match_limit != 0 ? work->match_limit : 10000000u + 64 * (uint64_t)n;
    pcre2_set_match_limit(work->context, limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit);
    return TFM_OK;
}

static tfm_status match_pattern(const tfm_step *step, tfm_step_scratch *work, const char *text, size_t n,
                                tfm_match_sink *found, void *arg) {
    tfm_status status = prepare(work, n);
    size_t count = status == TFM_OK ? classify(step, work, text, n) : SIZE_MAX;
    if (count == SIZE_MAX) return TFM_ERROR_MEMORY;
    const PCRE2_SIZE *found_at = pcre2_get_ovector_pointer(work->match);
    size_t at = 0, position = 0; /* in characters and in bytes, where the last match ended */
    while (at < count) {
        int code = pcre2_match(step->pattern, work->classes, count, at, 0, work->match, work->context);
        if (code == PCRE2_ERROR_NOMATCH) break;
        if (code == PCRE2_ERROR_NOMEMORY) return TFM_ERROR_MEMORY;
        /* An empty match is none of tfmpack's patterns. */
        if (code < 0 || found_at[0] < at || found_at[1] <= found_at[0] || found_at[1] > count) return TFM_ERROR_LIMIT;
        size_t start = forward(step, text, n, position, found_at[0] - at);
        size_t end = forward(step, text, n, start, found_at[1] - found_at[0]);
        if (start > position && !found(arg, position, start, false)) return TFM_ERROR_MEMORY;
        if (!found(arg, start, end, true)) return TFM_ERROR_MEMORY;
        at = found_at[1];
        position = end;
    }
    return position == n || found(arg, position, n, false) ? TFM_OK : TFM_ERROR_MEMORY;
}

tfm_status tfm_step_match(const tfm_step *step, tfm_step_scratch *work, const char *text, size_t n,
                          tfm_match_sink *found, void *arg) {
    if (step->pattern) return match_pattern(step, work, text, n, found, arg);
    size_t start = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code;
        size_t length = step->byte_classes ? 1 : tfm_utf8_next(text + at, n - at, &code);
        uint8_t class =
            step->byte_classes ? step->byte_classes[(unsigned char)text[at]] : tfm_char_class(&step->classes, code);
        if (class == 1) {
            if (at > start && !found(arg, start, at, false)) return TFM_ERROR_MEMORY;
            if (!found(arg, at, at + length, true)) return TFM_ERROR_MEMORY;
            start = at + length;
        }
        at += length;
    }
    return start == n || found(arg, start, n, false) ? TFM_OK : TFM_ERROR_MEMORY;
}
