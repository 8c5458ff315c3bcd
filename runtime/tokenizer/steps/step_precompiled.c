/*
 * step_precompiled.c - SentencePiece's rules the way the Hugging Face library applies them: a grapheme cluster (Unicode
 * Standard Annex #29) of less than 6 bytes that begins with a spelling is replaced as a whole, by the rule of the
 * shortest such spelling; else its characters are looked up one by one.
 */
#include "steps.h"

/* Grapheme_Cluster_Break as the file has it. */
enum {
    OTHER,
    CR,
    LF,
    CONTROL,
    EXTEND,
    L,
    V,
    T,
    LV,
    LVT,
    REGIONAL,
    SPACING,
    PREPEND,
    ZWJ,
    PICTOGRAPH,
    CONSONANT, /* Indic_Conjunct_Break */
    LINKER
};

/* What the boundary rules need to know of the cluster so far. */
typedef struct cluster {
    uint8_t last;
    bool pictograph; /* a pictograph and then extending characters only */
    bool zwj_after_pictograph;
    bool odd_regional;
    bool consonant, linker; /* a consonant, then extending characters, a linker among them */
} cluster;

static bool is_extend(uint8_t c) { return c == EXTEND || c == LINKER; }

static bool continues(const cluster *k, uint8_t next) {
    uint8_t last = k->last;
    if (last == CR) return next == LF;
    if (last == LF || last == CONTROL || next == CR || next == LF || next == CONTROL) return false;
    if (last == L && (next == L || next == V || next == LV || next == LVT)) return true;
    if ((last == LV || last == V) && (next == V || next == T)) return true;
    if ((last == LVT || last == T) && next == T) return true;
    if (is_extend(next) || next == ZWJ || next == SPACING || last == PREPEND) return true;
    if (next == CONSONANT && k->consonant && k->linker) return true;
    if (next == PICTOGRAPH && k->zwj_after_pictograph) return true;
    return next == REGIONAL && k->odd_regional;
}

static void extend(cluster *k, uint8_t next) {
    k->zwj_after_pictograph = next == ZWJ && k->pictograph;
    k->pictograph = next == PICTOGRAPH || (k->pictograph && is_extend(next));
    k->odd_regional = next == REGIONAL && !k->odd_regional;
    k->linker = next == LINKER || (k->linker && (is_extend(next) || next == ZWJ));
    k->consonant = next == CONSONANT || (k->consonant && (is_extend(next) || next == ZWJ));
    if (next == CONSONANT) k->linker = false;
    k->last = next;
}

/* Bytes of the cluster at text, which has n >= 1. */
static size_t cluster_length(const tfm_step *step, const char *text, size_t n) {
    uint32_t code;
    size_t at = tfm_utf8_next(text, n, &code);
    if (code < 0x80 && code >= 32 && (at == n || (unsigned char)text[at] < 0x80)) return at;
    cluster k = {0};
    extend(&k, tfm_char_class(&step->classes, code));
    while (at < n) {
        size_t length = tfm_utf8_next(text + at, n - at, &code);
        uint8_t next = tfm_char_class(&step->classes, code);
        if (!continues(&k, next)) break;
        extend(&k, next);
        at += length;
    }
    return at;
}

/* The rule of the shortest spelling that text begins with, or 0. */
static uint32_t shortest(const tfm_trie *trie, const char *text, size_t n) {
    uint32_t node = 0;
    if (n > TFM_TRIE_MAX_KEY) n = TFM_TRIE_MAX_KEY;
    for (size_t i = 0; i < n && tfm_trie_step(trie, &node, (unsigned char)text[i]); i++) {
        if (trie->units[node].value != 0) return trie->units[node].value;
    }
    return 0;
}

static bool put(const tfm_step *step, const char *text, size_t n, uint32_t rule, tfm_text *out) {
    if (rule == 0) return tfm_text_append(out, text, n);
    return tfm_text_append(out, step->replacements + step->offsets[rule - 1],
                           step->offsets[rule] - step->offsets[rule - 1]);
}

bool tfm_step_precompiled(const tfm_step *step, const char *text, size_t n, size_t most, bool *at_start,
                          tfm_text *out) {
    size_t start = out->size;
    for (size_t at = 0; at < n;) {
        size_t plain = at; /* ASCII before ASCII stands alone, but for a newline after a carriage return */
        while (plain < n && (unsigned char)text[plain] < 0x80 && step->plain[(unsigned char)text[plain]] &&
               (plain + 1 == n || (unsigned char)text[plain + 1] < 0x80)) {
            plain++;
        }
        if (!tfm_text_append(out, text + at, plain - at)) return false;
        at = plain;
        if (at == n) break;
        size_t length = cluster_length(step, text + at, n - at);
        uint32_t rule = length < 6 ? shortest(&step->rules, text + at, length) : 0;
        size_t end = at + length;
        bool whole = rule != 0;
        while (at < end) {
            uint32_t code;
            size_t part = whole ? length : tfm_utf8_next(text + at, end - at, &code);
            if (!whole) rule = shortest(&step->rules, text + at, part);
            if (!put(step, text + at, part, rule, out) || out->size > most) return false;
            if (at == 0 && out->size == start) *at_start = false;
            at += part;
        }
    }
    return true;
}
