/*
 * regex.c - translates patterns: every character, escape and bracket becomes a set of characters; characters that are
 * in the same sets form a class; the pattern then speaks of classes, which are bytes.
 */
#include "regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/utf8.h"
#include "runtime/tokenizer/common/char_classes.h"
#include "runtime/tokenizer/tokenizer.h"

#define MAX_SETS 200
#define MAX_CLASSES 250
#define MAX_DEPTH 32

/* A part of the translation: text as it is, or a set. */
typedef struct item {
    char text[16];
    int set; /* -1: text */
} item;

typedef struct parser {
    const char *pattern, *what;
    size_t n, at;
    tfm_char_set *sets[MAX_SETS];
    size_t n_sets;
    item *items;
    size_t n_items, capacity;
    bool ignore_case;
    uint32_t last_folded; /* the letter before, where case is ignored; two letters may fold together */
    tfm_error *error;
} parser;

static tfm_status refuse(parser *p, const char *wrong) {
    return tfm_fail(p->error, TFM_ERROR_UNSUPPORTED,
                    "%s: the pattern %.200s has %s at byte %zu, which tfmpack does not translate", p->what, p->pattern,
                    wrong, p->at);
}

static tfm_status add_item(parser *p, const char *text, int set) {
    if (!tfm_grow(&p->items, &p->capacity, p->n_items, 1, sizeof *p->items))
        return tfm_no_memory(p->error, "%s: a pattern", p->what);
    item *i = &p->items[p->n_items++];
    snprintf(i->text, sizeof i->text, "%s", text);
    i->set = set;
    return TFM_OK;
}

/* Adds an item for a set, which belongs to the parser from now on; an equal one is used again. */
static tfm_status add_set(parser *p, tfm_char_set *set) {
    for (size_t i = 0; i < p->n_sets; i++) {
        if (memcmp(p->sets[i], set, sizeof *set) != 0) continue;
        free(set);
        return add_item(p, "", (int)i);
    }
    if (p->n_sets == MAX_SETS) {
        free(set);
        return refuse(p, "too many different sets of characters");
    }
    p->sets[p->n_sets++] = set;
    return add_item(p, "", (int)(p->n_sets - 1));
}

/* ---- sets ---- */

typedef bool in_set(uint32_t code, const char *name);

static bool is_space(uint32_t code, const char *name) { return tfm_unicode_space(code) != (name[0] == 'S'); }

static bool is_word(uint32_t code, const char *name) { return tfm_unicode_word(code) != (name[0] == 'W'); }

static bool is_digit(uint32_t code, const char *name) {
    return (tfm_unicode_category(code) == UTF8PROC_CATEGORY_ND) != (name[0] == 'D');
}

static bool has_property(uint32_t code, const char *name) {
    return tfm_unicode_in(tfm_unicode_category(code), name[0], name[1]);
}

static void fill(tfm_char_set *set, in_set *in, const char *name, bool negated) {
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
        if (in(code, name) != negated) tfm_char_set_add(set, code);
    }
}

/* \p{L}, \P{Lu}, \p{^N}: general categories. p->at is behind the p. */
static tfm_status property(parser *p, bool negated, tfm_char_set *set) {
    static const char *const known[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",
                                        "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
                                        "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp"};
    char name[8] = "";
    const char *close = p->at < p->n && p->pattern[p->at] == '{' ? memchr(p->pattern + p->at, '}', p->n - p->at) : NULL;
    if (!close) return refuse(p, "a property without its name in braces");
    const char *start = p->pattern + p->at + 1;
    if (*start == '^') {
        negated = !negated;
        start++;
    }
    size_t length = (size_t)(close - start);
    if (length < sizeof name) memcpy(name, start, length);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (length >= sizeof name || strcmp(name, known[i]) != 0) continue;
        fill(set, has_property, name, negated);
        p->at = (size_t)(close - p->pattern) + 1;
        return TFM_OK;
    }
    return refuse(p, "a property other than a general category");
}

/* n hexadecimal digits, or as many as stand before `close`. */
static tfm_status hexadecimal(parser *p, size_t n, char close, uint32_t *code) {
    uint32_t value = 0;
    size_t digits = 0;
    for (; p->at < p->n && (close != 0 || digits < n) && p->pattern[p->at] != close && digits < 8; p->at++, digits++) {
        char c = p->pattern[p->at];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return refuse(p, "a broken number");
        value = value << 4 | (uint32_t)digit;
    }
    if (digits == 0 || (close != 0 && (p->at >= p->n || p->pattern[p->at++] != close)) || value >= TFM_UNICODE_CODES)
        return refuse(p, "a broken number");
    *code = value;
    return TFM_OK;
}

/*
 * What stands behind a backslash: one character in *code, or, with *code = UINT32_MAX, characters added to *set. p->at
 * is behind the backslash.
 */
static tfm_status escape(parser *p, tfm_char_set *set, uint32_t *code) {
    if (p->at == p->n) return refuse(p, "a backslash");
    char c = p->pattern[p->at++], name[2] = {c, 0};
    *code = UINT32_MAX;
    switch (c) {
    case 's':
    case 'S': fill(set, is_space, name, false); return TFM_OK;
    case 'w':
    case 'W': fill(set, is_word, name, false); return TFM_OK;
    case 'd':
    case 'D': fill(set, is_digit, name, false); return TFM_OK;
    case 'p': return property(p, false, set);
    case 'P': return property(p, true, set);
    case 'n': *code = '\n'; return TFM_OK;
    case 'r': *code = '\r'; return TFM_OK;
    case 't': *code = '\t'; return TFM_OK;
    case 'f': *code = '\f'; return TFM_OK;
    case 'u': return hexadecimal(p, 4, 0, code);
    case 'x':
        if (p->at < p->n && p->pattern[p->at] == '{') {
            p->at++;
            return hexadecimal(p, 0, '}', code);
        }
        return hexadecimal(p, 2, 0, code);
    default: break;
    }
    if (!tfm_unicode_bert_punctuation((unsigned char)c) && c != ' ') return refuse(p, "an unusual escape");
    *code = (unsigned char)c;
    return TFM_OK;
}

/* One character of the pattern. */
static uint32_t next_character(parser *p) {
    uint32_t code;
    p->at += tfm_utf8_next(p->pattern + p->at, p->n - p->at, &code);
    return code;
}

/* The other cases of a character where case is ignored. Only ASCII is let through. */
static tfm_status add_cases(parser *p, tfm_char_set *set) {
    for (uint32_t code = 0x80; code < TFM_UNICODE_CODES; code++) {
        if (tfm_char_set_has(set, code)) return refuse(p, "ignored case of characters other than ASCII");
    }
    for (uint32_t c = 'a'; c <= 'z'; c++) {
        if (!tfm_char_set_has(set, c) && !tfm_char_set_has(set, c - 32)) continue;
        tfm_char_set_add(set, c);
        tfm_char_set_add(set, c - 32);
        if (c == 's') tfm_char_set_add(set, 0x17F);  /* long s */
        if (c == 'k') tfm_char_set_add(set, 0x212A); /* Kelvin sign */
    }
    return TFM_OK;
}

/* A bracket; p->at is behind the opening one. */
static tfm_status bracket(parser *p, tfm_char_set *set) {
    bool negated = p->at < p->n && p->pattern[p->at] == '^';
    if (negated) p->at++;
    uint32_t last = UINT32_MAX; /* the character a range could begin with */
    for (size_t first = p->at;;) {
        if (p->at >= p->n) return refuse(p, "an open bracket");
        char c = p->pattern[p->at];
        if (c == ']') {
            if (p->at == first) return refuse(p, "an empty bracket");
            p->at++;
            break;
        }
        if (c == '[' || (c == '&' && p->at + 1 < p->n && p->pattern[p->at + 1] == '&'))
            return refuse(p, "a bracket of sets");
        bool range = c == '-' && last != UINT32_MAX && p->at + 1 < p->n && p->pattern[p->at + 1] != ']';
        if (c == '-' && !range && p->at != first && p->at + 1 < p->n && p->pattern[p->at + 1] != ']')
            return refuse(p, "a hyphen with more than one meaning");
        if (range) p->at++;
        uint32_t code = next_character(p);
        tfm_status status = code == '\\' ? escape(p, set, &code) : TFM_OK;
        if (status != TFM_OK) return status;
        if (range && (code == UINT32_MAX || code < last)) return refuse(p, "a broken range");
        for (uint32_t k = range ? last : code; code != UINT32_MAX && k <= code; k++) tfm_char_set_add(set, k);
        last = range ? UINT32_MAX : code;
    }
    if (p->ignore_case) {
        tfm_status status = add_cases(p, set);
        if (status != TFM_OK) return status;
    }
    for (size_t i = 0; negated && i < TFM_UNICODE_CODES / 64; i++) set->bits[i] = ~set->bits[i];
    return TFM_OK;
}

/* ---- the pattern ---- */

/* Pairs of letters that fold to one character (sharp s, ligatures) mean more than their letters. */
static bool folds_together(uint32_t a, uint32_t b) {
    return (a == 's' && (b == 's' || b == 't')) || (a == 'f' && (b == 'f' || b == 'i' || b == 'l'));
}

/* An atom: a character, an escape, a bracket or a dot. */
static tfm_status atom(parser *p) {
    tfm_char_set *set = calloc(1, sizeof *set);
    if (!set) return tfm_no_memory(p->error, "%s: a pattern", p->what);
    tfm_status status = TFM_OK;
    uint32_t code = next_character(p), folded = 0;
    if (code == '[') {
        status = bracket(p, set);
    } else if (code == '.') {
        tfm_char_set_add(set, '\n');
        for (size_t i = 0; i < TFM_UNICODE_CODES / 64; i++) set->bits[i] = ~set->bits[i];
    } else {
        if (code == '\\') status = escape(p, set, &code);
        if (status == TFM_OK && code != UINT32_MAX) {
            tfm_char_set_add(set, code);
            folded = code < 0x80 ? code | 32 : 0;
            if (p->ignore_case) status = add_cases(p, set);
        }
    }
    if (status == TFM_OK && p->ignore_case && folds_together(p->last_folded, folded))
        status = refuse(p, "letters that fold together");
    p->last_folded = folded;
    if (status == TFM_OK) return add_set(p, set);
    free(set);
    return status;
}

/* A repetition behind an atom or a group, if there is one. */
static tfm_status repetition(parser *p) {
    if (p->at == p->n) return TFM_OK;
    char c = p->pattern[p->at], text[16] = {c, 0};
    if (c == '{') {
        unsigned low, high;
        int length = 0;
        const char *at = p->pattern + p->at;
        if (p->n - p->at > 12 && !memchr(at, '}', 12)) return refuse(p, "a broken repetition");
        if ((sscanf(at, "{%3u,%3u}%n", &low, &high, &length) == 2 && length > 0) ||
            (high = 0, sscanf(at, "{%3u}%n", &low, &length) == 1 && length > 0) ||
            (sscanf(at, "{%3u,}%n", &low, &length) == 1 && length > 0)) {
            if (strpbrk(at, "+- \t") && strcspn(at, "+- \t") < (size_t)length) return refuse(p, "a broken repetition");
            snprintf(text, sizeof text, "%.*s", length, at);
            p->at += (size_t)length;
            if (high != 0 && high < low) return refuse(p, "a broken repetition");
        } else {
            return refuse(p, "a broken repetition");
        }
        if (p->at < p->n && strchr("?*+{", p->pattern[p->at]))
            return refuse(p, "a repetition that Oniguruma reads differently");
        return add_item(p, text, -1);
    }
    if (c != '?' && c != '*' && c != '+') return TFM_OK;
    p->at++;
    if (p->at < p->n && (p->pattern[p->at] == '?' || p->pattern[p->at] == '+')) text[1] = p->pattern[p->at++];
    if (p->at < p->n && strchr("?*+{", p->pattern[p->at])) return refuse(p, "a repetition of a repetition");
    return add_item(p, text, -1);
}

/* The beginning of a group, p->at at its parenthesis; *look: a look ahead, which must not be repeated. */
static tfm_status open_group(parser *p, bool *look, bool *ignore_case) {
    static const char *const groups[] = {"(?:", "(?i:", "(?!", "(?=", "(?>"};
    *look = *ignore_case = false;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        size_t n = strlen(groups[i]);
        if (p->n - p->at < n || memcmp(p->pattern + p->at, groups[i], n) != 0) continue;
        p->at += n;
        *look = i == 2 || i == 3;
        *ignore_case = i == 1;
        return add_item(p, i == 1 ? "(?:" : groups[i], -1);
    }
    p->at++;
    if (p->at < p->n && (p->pattern[p->at] == '?' || p->pattern[p->at] == '*')) return refuse(p, "an unusual group");
    return add_item(p, "(?:", -1); /* captures are not used */
}

static tfm_status parse(parser *p) {
    struct {
        bool look, ignore_case;
    } stack[MAX_DEPTH];
    size_t depth = 0;
    tfm_status status = TFM_OK;
    while (p->at < p->n && status == TFM_OK) {
        char c = p->pattern[p->at];
        if (c == 0) return refuse(p, "a NUL");
        if (c == '(') {
            if (depth == MAX_DEPTH) return refuse(p, "too many groups in groups");
            bool ignore_case;
            stack[depth].ignore_case = p->ignore_case;
            status = open_group(p, &stack[depth++].look, &ignore_case);
            p->ignore_case |= ignore_case;
            p->last_folded = 0;
        } else if (c == ')') {
            if (depth == 0) return refuse(p, "a group that was not opened");
            p->at++;
            p->ignore_case = stack[--depth].ignore_case;
            p->last_folded = 0;
            status = add_item(p, ")", -1);
            if (status != TFM_OK) break;
            if (stack[depth].look && p->at < p->n && strchr("?*+{", p->pattern[p->at]))
                return refuse(p, "a repeated look ahead");
            status = repetition(p);
        } else if (c == '|') {
            p->at++;
            p->last_folded = 0;
            status = add_item(p, "|", -1);
        } else if (strchr("^$*+?{}]", c)) {
            return refuse(p, "an unusual character");
        } else {
            status = atom(p);
            if (status == TFM_OK) status = repetition(p);
        }
    }
    if (status == TFM_OK && depth != 0) return refuse(p, "a group that is not closed");
    return status;
}

/* ---- classes ---- */

/* Class of every character: a number, from 1, for each combination of sets that occurs. */
static tfm_status classify(parser *p, uint8_t *classes) {
    unsigned n = 1;
    memset(classes, 1, TFM_UNICODE_CODES);
    for (size_t i = 0; i < p->n_sets; i++) {
        uint8_t inside[256] = {0};   /* class -> that of its characters in the set */
        bool outside[256] = {false}; /* class has characters that are not */
        for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
            if (!tfm_char_set_has(p->sets[i], code)) outside[classes[code]] = true;
        }
        for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
            uint8_t class = classes[code];
            if (!tfm_char_set_has(p->sets[i], code) || !outside[class]) continue;
            if (inside[class] == 0) {
                if (n == MAX_CLASSES) return refuse(p, "too many classes of characters");
                inside[class] = (uint8_t)++n;
            }
            classes[code] = inside[class];
        }
    }
    return TFM_OK;
}

/* Appends a set as a bracket of classes; false when memory is out. */
static bool write_set(tfm_text *out, const tfm_char_set *set, const uint8_t *classes) {
    bool in[256] = {false}, any = false;
    for (uint32_t code = 0; code < TFM_UNICODE_CODES; code++) {
        if (tfm_char_set_has(set, code)) in[classes[code]] = any = true;
    }
    if (!any) return tfm_text_append(out, "(?!)", 4);
    bool ok = tfm_text_append(out, "[", 1);
    for (unsigned class = 1; ok && class < 256; class ++) {
        char text[8];
        if (in[class]) ok = tfm_text_append(out, text, (size_t)snprintf(text, sizeof text, "\\x%02X", class));
    }
    return ok && tfm_text_append(out, "]", 1);
}

static tfm_status finish(parser *p, tfm_regex *regex) {
    tfm_text out = {0};
    regex->classes = malloc(TFM_UNICODE_CODES);
    if (!regex->classes) return tfm_no_memory(p->error, "%s: a pattern", p->what);
    tfm_status status = classify(p, regex->classes);
    for (size_t i = 0; status == TFM_OK && i < p->n_items; i++) {
        const item *it = &p->items[i];
        bool ok = it->set < 0 ? tfm_text_append(&out, it->text, strlen(it->text))
                              : write_set(&out, p->sets[it->set], regex->classes);
        if (!ok) status = tfm_no_memory(p->error, "%s: a pattern", p->what);
    }
    regex->pattern = out.data; /* ends in NUL */
    return status;
}

static tfm_status translate(tfm_regex *regex, parser *p, bool literal) {
    *regex = (tfm_regex){0};
    tfm_status status = TFM_OK;
    if (p->n == 0) status = refuse(p, "nothing");
    if (!literal && status == TFM_OK) status = parse(p);
    while (literal && status == TFM_OK && p->at < p->n) {
        tfm_char_set *set = calloc(1, sizeof *set);
        if (set) tfm_char_set_add(set, next_character(p));
        status = set ? add_set(p, set) : tfm_no_memory(p->error, "%s: a pattern", p->what);
    }
    if (status == TFM_OK) status = finish(p, regex);
    for (size_t i = 0; i < p->n_sets; i++) free(p->sets[i]);
    free(p->items);
    return status;
}

tfm_status tfm_regex_translate(tfm_regex *regex, const char *pattern, size_t n, const char *what, tfm_error *error) {
    parser p = {.pattern = pattern, .n = n, .what = what, .error = error};
    return translate(regex, &p, false);
}

tfm_status tfm_regex_literal(tfm_regex *regex, const char *text, size_t n, const char *what, tfm_error *error) {
    parser p = {.pattern = text, .n = n, .what = what, .error = error};
    return translate(regex, &p, true);
}

void tfm_regex_free(tfm_regex *regex) {
    free(regex->pattern);
    free(regex->classes);
    *regex = (tfm_regex){0};
}
