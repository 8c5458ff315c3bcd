/*
 * replacer.c - replacing in a text that comes in parts. The search is that of Knuth, Morris and Pratt (1977), so that
 * what is held back is always a beginning of the text looked for and needs no buffer; whole parts are searched with
 * memmem.
 */
#include "replacer.h"

#include <stdlib.h>
#include <string.h>

bool tfm_replacer_init(tfm_replacer *r, const char *from, size_t n_from, const char *to, size_t n_to) {
    *r = (tfm_replacer){.from = from, .to = to, .n_from = n_from, .n_to = n_to};
    r->borders = reallocarray(NULL, n_from, sizeof *r->borders);
    if (!r->borders) return false;
    r->borders[0] = 0;
    for (size_t i = 1, k = 0; i < n_from; i++) {
        while (k > 0 && from[i] != from[k]) k = r->borders[k - 1];
        k += from[i] == from[k];
        r->borders[i] = k;
    }
    return true;
}

void tfm_replacer_free(tfm_replacer *r) {
    free(r->borders);
    *r = (tfm_replacer){0};
}

/* Moves the match on by a byte. What can no longer become part of a match, a beginning of from, is given on. */
static bool step(tfm_replacer *r, char byte, tfm_text_sink *sink, void *arg) {
    size_t matched = r->matched;
    while (matched > 0 && byte != r->from[matched]) matched = r->borders[matched - 1];
    bool fits = byte == r->from[matched];
    size_t given = r->matched - matched;
    if (given > 0 && !sink(arg, r->from, given)) return false;
    if (!fits && !sink(arg, &byte, 1)) return false;
    r->matched = matched + fits;
    if (r->matched < r->n_from) return true;
    r->matched = 0;
    return r->n_to == 0 || sink(arg, r->to, r->n_to);
}

/* The longest end of n bytes, without a match in them, that from begins with. */
static size_t open_end(const tfm_replacer *r, const char *data, size_t n) {
    size_t matched = 0, at = n >= r->n_from ? n - r->n_from + 1 : 0;
    for (; at < n; at++) {
        while (matched > 0 && data[at] != r->from[matched]) matched = r->borders[matched - 1];
        matched += data[at] == r->from[matched];
    }
    return matched;
}

bool tfm_replacer_put(tfm_replacer *r, const char *data, size_t n, tfm_text_sink *sink, void *arg) {
    const char *end = data + n;
    while (data < end && r->matched > 0) {
        if (!step(r, *data++, sink, arg)) return false;
    }
    for (const char *hit; data < end && (hit = memmem(data, (size_t)(end - data), r->from, r->n_from));) {
        if (hit > data && !sink(arg, data, (size_t)(hit - data))) return false;
        if (r->n_to > 0 && !sink(arg, r->to, r->n_to)) return false;
        data = hit + r->n_from;
    }
    if (data == end) return true;
    r->matched = open_end(r, data, (size_t)(end - data));
    end -= r->matched;
    return data == end || sink(arg, data, (size_t)(end - data));
}

bool tfm_replacer_end(tfm_replacer *r, tfm_text_sink *sink, void *arg) {
    size_t matched = r->matched;
    r->matched = 0;
    return matched == 0 || sink(arg, r->from, matched);
}
