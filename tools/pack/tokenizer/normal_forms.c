/* normal_forms.c - lower case, decompositions and compositions of all characters, as libutf8proc has them. */
#include "normal_forms.h"

#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/tfm_error.h"
#include "format/utf8.h"

#define MAX_SPELLING 8
#define MAX_TEXT 128

void tfm_rules_free(tfm_rules *rules) {
    free(rules->keys);
    free(rules->spellings);
    free(rules->text);
    free(rules->offsets);
    *rules = (tfm_rules){0};
}

static bool grow(tfm_rules *r) {
    return tfm_grow(&r->keys, &r->key_capacity, r->n, 1, sizeof *r->keys) &&
           tfm_grow(&r->spellings, &r->spelling_capacity, MAX_SPELLING * r->n, MAX_SPELLING, 1) &&
           tfm_grow(&r->offsets, &r->offset_capacity, r->n, 2, sizeof *r->offsets) &&
           tfm_grow(&r->text, &r->text_capacity, r->n_text, MAX_TEXT, 1);
}

/* Adds a rule from one or two characters (b UINT32_MAX) to n others. */
static bool add(tfm_rules *r, uint32_t a, uint32_t b, const uint32_t *codes, size_t n) {
    if (!grow(r)) return false;
    char *spelling = r->spellings + MAX_SPELLING * r->n;
    size_t length = tfm_utf8_encode(a, spelling);
    if (b != UINT32_MAX) length += tfm_utf8_encode(b, spelling + length);
    r->offsets[r->n] = (uint32_t)r->n_text;
    for (size_t i = 0; i < n; i++) r->n_text += tfm_utf8_encode(codes[i], r->text + r->n_text);
    r->keys[r->n] = (tfm_trie_key){NULL, (uint32_t)length, (uint32_t)r->n + 1};
    r->offsets[++r->n] = (uint32_t)r->n_text;
    return true;
}

/* Spellings have stopped moving: keys can point to them. */
static void settle(tfm_rules *r) {
    for (size_t i = 0; i < r->n; i++) r->keys[i].text = r->spellings + MAX_SPELLING * i;
}

static bool is_surrogate(uint32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

tfm_status tfm_rules_lowercase(tfm_rules *rules, tfm_error *error) {
    *rules = (tfm_rules){0};
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
        uint32_t lower[2];
        size_t n = tfm_unicode_lower(code, lower);
        if (is_surrogate(code) || (n == 1 && lower[0] == code)) continue;
        if (!add(rules, code, UINT32_MAX, lower, n)) return tfm_no_memory(error, "rules of characters");
    }
    settle(rules);
    return TFM_OK;
}

void tfm_normal_form_free(tfm_normal_form *form) {
    tfm_rules_free(&form->rules);
    tfm_rules_free(&form->pairs);
    free(form->classes);
    *form = (tfm_normal_form){0};
}

/* Whether these n parts are the canonical decomposition. What composes again from it is inert. */
static bool is_canonical(uint32_t code, const uint32_t *parts, size_t n) {
    uint32_t canonical[32];
    return tfm_unicode_decompose(code, false, canonical) == n && memcmp(canonical, parts, n * sizeof *parts) == 0;
}

static bool add_character(tfm_normal_form *f, uint32_t code, bool compose, bool compatibility) {
    uint32_t parts[32], first, second;
    size_t n = tfm_unicode_decompose(code, compatibility, parts);
    if (n > 0 && !add(&f->rules, code, UINT32_MAX, parts, n)) return false;
    unsigned class = tfm_unicode_combining_class(code);
    if (class != 0) f->classes[code] = (uint8_t) class;
    bool composes = compose && tfm_unicode_pair(code, &first, &second);
    if (class == 0 && n > 0 && !(composes && is_canonical(code, parts, n))) f->classes[code] = 255;
    if (!composes) return true;
    if (!add(&f->pairs, first, second, NULL, 0)) return false;
    f->pairs.keys[f->pairs.n - 1].value = code;
    if (f->classes[second] == 0) f->classes[second] = 255;
    return true;
}

tfm_status tfm_normal_form_make(tfm_normal_form *form, bool compose, bool compatibility, tfm_error *error) {
    *form = (tfm_normal_form){.classes = calloc(TFM_UNICODE_CODES, 1)};
    if (!form->classes) return tfm_no_memory(error, "rules of characters");
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
        if (!is_surrogate(code) && !add_character(form, code, compose, compatibility))
            return tfm_no_memory(error, "rules of characters");
    }
    for (uint32_t code = 0xAC00; code <= 0xD7A3; code++) {
        if (!compose) form->classes[code] = 255; /* syllables decompose */
    }
    for (uint32_t code = 0x1161; compose && code <= 0x11C2; code++) {
        if (code <= 0x1175 || code >= 0x11A8) form->classes[code] = 255; /* vowels and finals compose */
    }
    settle(&form->rules);
    settle(&form->pairs);
    return TFM_OK;
}

uint8_t tfm_cluster_class(uint32_t code) {
    static const uint8_t classes[] = {
        [UTF8PROC_BOUNDCLASS_CR] = 1,
        [UTF8PROC_BOUNDCLASS_LF] = 2,
        [UTF8PROC_BOUNDCLASS_CONTROL] = 3,
        [UTF8PROC_BOUNDCLASS_EXTEND] = 4,
        [UTF8PROC_BOUNDCLASS_L] = 5,
        [UTF8PROC_BOUNDCLASS_V] = 6,
        [UTF8PROC_BOUNDCLASS_T] = 7,
        [UTF8PROC_BOUNDCLASS_LV] = 8,
        [UTF8PROC_BOUNDCLASS_LVT] = 9,
        [UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR] = 10,
        [UTF8PROC_BOUNDCLASS_SPACINGMARK] = 11,
        [UTF8PROC_BOUNDCLASS_PREPEND] = 12,
        [UTF8PROC_BOUNDCLASS_ZWJ] = 13,
        [UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC] = 14,
    };
    /* Indic_Conjunct_Break: consonants of six scripts and their linkers */
    static const uint32_t consonants[][2] = {
        {0x915, 0x939}, {0x958, 0x95F}, {0x978, 0x97F}, {0x995, 0x9A8}, {0x9AA, 0x9B0}, {0x9B2, 0x9B2}, {0x9B6, 0x9B9},
        {0x9DC, 0x9DD}, {0x9DF, 0x9DF}, {0x9F0, 0x9F1}, {0xA95, 0xAA8}, {0xAAA, 0xAB0}, {0xAB2, 0xAB3}, {0xAB5, 0xAB9},
        {0xAF9, 0xAF9}, {0xB15, 0xB28}, {0xB2A, 0xB30}, {0xB32, 0xB33}, {0xB35, 0xB39}, {0xB5C, 0xB5D}, {0xB5F, 0xB5F},
        {0xB71, 0xB71}, {0xC15, 0xC28}, {0xC2A, 0xC39}, {0xC58, 0xC5A}, {0xD15, 0xD3A}};
    if (code == 0x94D || code == 0x9CD || code == 0xACD || code == 0xB4D || code == 0xC4D || code == 0xD4D) return 16;
    for (size_t i = 0; i < sizeof consonants / sizeof consonants[0]; i++) {
        if (code >= consonants[i][0] && code <= consonants[i][1]) return 15;
    }
    unsigned boundclass = tfm_unicode_boundclass(code);
    return boundclass < sizeof classes ? classes[boundclass] : 0;
}
