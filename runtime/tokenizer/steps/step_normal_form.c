/*
 * step_normal_form.c - Unicode normal forms (Unicode Standard Annex #15) with decompositions, combining classes and
 * compositions from the model file.
 *
 * Class 0 characters are inert: they neither decompose nor move nor combine with what stands before them. So the text
 * is worked on in runs from one inert character to the next, and runs of one character are copied.
 */
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "steps.h"

#define NO_CLASS 255 /* combining class 0, but not inert */
#define ON_STACK 64

/* Hangul syllables (Unicode Standard, section 3.12) */
enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7, L_N = 19, V_N = 21, T_N = 28 };

typedef struct mark {
    uint32_t code;
    uint8_t class; /* combining class */
} mark;

typedef struct run {
    const tfm_step *step;
    mark *marks;
    size_t n, capacity;
    mark first[ON_STACK];
} run;

static bool add(run *r, uint32_t code) {
    if (r->n == r->capacity && !tfm_grow_from(r->first, &r->marks, &r->capacity, r->n, 1, sizeof *r->marks))
        return false;
    uint8_t class = tfm_char_class(&r->step->classes, code);
    r->marks[r->n++] = (mark){code, class == NO_CLASS ? 0 : class};
    return true;
}

/* Adds a character of n bytes, decomposed. */
static bool add_decomposed(run *r, const char *text, size_t n, uint32_t code) {
    if (code >= S_BASE && code < S_BASE + L_N * V_N * T_N) {
        uint32_t index = code - S_BASE;
        return add(r, L_BASE + index / (V_N * T_N)) && add(r, V_BASE + index % (V_N * T_N) / T_N) &&
               (index % T_N == 0 || add(r, T_BASE + index % T_N));
    }
    const tfm_step *step = r->step;
    uint32_t rule = tfm_trie_find(&step->rules, text, n);
    if (rule == 0) return add(r, code);
    const char *parts = step->replacements + step->offsets[rule - 1];
    size_t size = step->offsets[rule] - step->offsets[rule - 1];
    for (size_t at = 0; at < size;) {
        at += tfm_utf8_next(parts + at, size - at, &code);
        if (!add(r, code)) return false;
    }
    return true;
}

static int by_class(const void *a, const void *b) {
    const mark *x = a, *y = b;
    return (int)x->class - (int)y->class;
}

/* Marks between characters of class 0 in the order of their classes, equal ones as they were. */
static bool reorder(run *r) {
    for (size_t start = 0; start < r->n;) {
        size_t end = start + 1;
        while (r->marks[start].class != 0 && end < r->n && r->marks[end].class != 0) end++;
        if (end - start > 32) { /* no such text is sensible, but none may take quadratic time */
            mark *sorted = reallocarray(NULL, end - start, sizeof *sorted);
            if (!sorted) return false;
            size_t n = 0;
            for (unsigned class = 1; class < 256; class ++) {
                for (size_t i = start; i < end; i++) {
                    if (r->marks[i].class == class) sorted[n++] = r->marks[i];
                }
            }
            memcpy(r->marks + start, sorted, n * sizeof *sorted);
            free(sorted);
        }
        for (size_t i = start + 1; i < end && end - start <= 32; i++) {
            mark m = r->marks[i];
            size_t k = i;
            for (; k > start && by_class(&r->marks[k - 1], &m) > 0; k--) r->marks[k] = r->marks[k - 1];
            r->marks[k] = m;
        }
        start = end;
    }
    return true;
}

/* What two characters compose to, or 0. */
static uint32_t pair(const tfm_step *step, uint32_t a, uint32_t b) {
    if (a >= L_BASE && a < L_BASE + L_N && b >= V_BASE && b < V_BASE + V_N) {
        return S_BASE + ((a - L_BASE) * V_N + (b - V_BASE)) * T_N;
    }
    if (a >= S_BASE && a < S_BASE + L_N * V_N * T_N && (a - S_BASE) % T_N == 0 && b > T_BASE && b < T_BASE + T_N) {
        return a + (b - T_BASE);
    }
    char key[8];
    size_t n = tfm_utf8_encode(a, key);
    n += tfm_utf8_encode(b, key + n);
    return tfm_trie_find(&step->pairs, key, n);
}

static void compose(run *r) {
    size_t starter = SIZE_MAX, n = 0;
    uint8_t last = 0; /* class of the mark before, as far as it was kept */
    for (size_t i = 0; i < r->n; i++) {
        mark m = r->marks[i];
        bool reachable = starter != SIZE_MAX && (last < m.class || (last == 0 && n == starter + 1));
        uint32_t composed = reachable ? pair(r->step, r->marks[starter].code, m.code) : 0;
        if (composed != 0) {
            r->marks[starter].code = composed;
            continue;
        }
        if (m.class == 0) starter = n;
        last = m.class;
        r->marks[n++] = m;
    }
    r->n = n;
}

static bool put(run *r, tfm_text *out) {
    if (!reorder(r)) return false;
    if (r->step->pairs.units) compose(r);
    for (size_t i = 0; i < r->n; i++) {
        char text[4];
        if (!tfm_text_append(out, text, tfm_utf8_encode(r->marks[i].code, text))) return false;
    }
    r->n = 0;
    return true;
}

/* End of the characters from at on that are copied: inert, and followed by an inert one or the end. */
static size_t inert(const tfm_step *step, const char *text, size_t n, size_t at) {
    size_t last = at; /* where the character before begins */
    while (at < n) {
        uint32_t code;
        size_t length = tfm_utf8_next(text + at, n - at, &code);
        if (tfm_char_class(&step->classes, code) != 0) return last;
        last = at;
        at += length;
    }
    return n;
}

bool tfm_step_normal_form(const tfm_step *step, const char *text, size_t n, size_t most, tfm_text *out) {
    run r; /* the array on the stack is not cleared */
    r.step = step;
    r.marks = r.first;
    r.n = 0;
    r.capacity = ON_STACK;
    bool ok = true;
    for (size_t at = 0; ok && at < n;) {
        size_t end = inert(step, text, n, at);
        ok = tfm_text_append(out, text + at, end - at);
        at = end;
        bool first = true;
        while (ok && at < n) {
            uint32_t code;
            size_t length = tfm_utf8_next(text + at, n - at, &code);
            if (!first && tfm_char_class(&step->classes, code) == 0) break;
            ok = add_decomposed(&r, text + at, length, code);
            at += length;
            first = false;
        }
        ok = ok && put(&r, out) && out->size <= most;
    }
    if (r.marks != r.first) free(r.marks);
    return ok;
}
