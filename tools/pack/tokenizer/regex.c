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
#include "runtime/tokenizer/steps/steps.h"
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
    uint64_t hashes[MAX_SETS];
    uint32_t single[MAX_SETS]; /* the only character of a set that an atom made; UINT32_MAX: others */
    size_t n_sets;
    tfm_named_sets *named;
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

/* Counts work on a pattern, in characters or words of sets. */
static tfm_status count_work(parser *p, uint64_t work) {
    if (tfm_named_sets_work(p->named, work)) return TFM_OK;
    return tfm_fail(p->error, TFM_ERROR_LIMIT,
                    "%s: the pattern %.200s and those before it take more work than tfmpack does for a tokenizer: they "
                    "need to be shorter, or fewer",
                    p->what, p->pattern);
}

static tfm_status add_item(parser *p, const char *text, int set) {
    if (!tfm_grow(&p->items, &p->capacity, p->n_items, 1, sizeof *p->items))
        return tfm_no_memory(p->error, "%s: a pattern", p->what);
    item *i = &p->items[p->n_items++];
    snprintf(i->text, sizeof i->text, "%s", text);
    i->set = set;
    return TFM_OK;
}

/* Adds an item for a set, which belongs to the parser from now on; an equal one is used again. single: see parser. */
static tfm_status add_set(parser *p, tfm_char_set *set, uint32_t single) {
    const uint64_t hash = tfm_bytes_hash(set->bits, sizeof set->bits);
    for (size_t i = 0; i < p->n_sets; i++) {
        if (p->hashes[i] != hash || memcmp(p->sets[i], set, sizeof *set) != 0) continue;
        free(set);
        return add_item(p, "", (int)i);
    }
    if (p->n_sets == MAX_SETS) {
        free(set);
        return refuse(p, "too many different sets of characters");
    }
    p->hashes[p->n_sets] = hash;
    p->single[p->n_sets] = single;
    p->sets[p->n_sets++] = set;
    return add_item(p, "", (int)(p->n_sets - 1));
}

/* A set of one character; most are there already in a long text. */
static tfm_status add_character(parser *p, uint32_t code) {
    tfm_status status = count_work(p, p->n_sets);
    if (status != TFM_OK) return status;
    for (size_t i = 0; i < p->n_sets; i++)
        if (p->single[i] == code) return add_item(p, "", (int)i);
    tfm_char_set *set = calloc(1, sizeof *set);
    if (!set) return tfm_no_memory(p->error, "%s: a pattern", p->what);
    tfm_char_set_add(set, code);
    return add_set(p, set, code);
}

/* ---- sets ---- */

/* Adds the characters that have a name, or all others, to *set; *known: whether there is such a name. */
static tfm_status fill(parser *p, tfm_char_set *set, const char *name, size_t n, bool negated, bool *known) {
    const tfm_char_set *named;
    tfm_status status = tfm_named_set(p->named, name, n, &named);
    *known = named != NULL;
    if (status != TFM_OK) return tfm_no_memory(p->error, "%s: a pattern", p->what);
    for (size_t i = 0; named && i < TFM_SET_WORDS; i++) set->bits[i] |= negated ? ~named->bits[i] : named->bits[i];
    return count_work(p, TFM_SET_WORDS);
}

/* \p{L}, \P{Lu}, \p{^N}: general categories. p->at is behind the p. */
static tfm_status property(parser *p, bool negated, tfm_char_set *set) {
    const char *close = p->at < p->n && p->pattern[p->at] == '{' ? memchr(p->pattern + p->at, '}', p->n - p->at) : NULL;
    if (!close) return refuse(p, "a property without its name in braces");
    const char *start = p->pattern + p->at + 1;
    if (*start == '^') {
        negated = !negated;
        start++;
    }
    bool known = false;
    /* General categories are upper case: s, w and d are names of escapes. */
    tfm_status status = *start < 'a' ? fill(p, set, start, (size_t)(close - start), negated, &known) : TFM_OK;
    if (status == TFM_OK && !known) return refuse(p, "a property other than a general category");
    p->at = (size_t)(close - p->pattern) + 1;
    return status;
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
    const char c = p->pattern[p->at++], name = (char)(c | 32);
    bool known;
    *code = UINT32_MAX;
    switch (c) {
    case 's':
    case 'S':
    case 'w':
    case 'W':
    case 'd':
    case 'D': return fill(p, set, &name, 1, c != name, &known);
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
    for (size_t i = 0x80 / 64; i < TFM_SET_WORDS; i++) {
        if (set->bits[i] != 0) return refuse(p, "ignored case of characters other than ASCII");
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

static void add_range(tfm_char_set *set, uint32_t first, uint32_t last) {
    for (uint32_t word = first / 64; word <= last / 64; word++) {
        const uint64_t from = word == first / 64 ? ~(uint64_t)0 << first % 64 : ~(uint64_t)0;
        const uint64_t to = word == last / 64 ? ~(uint64_t)0 >> (63 - last % 64) : ~(uint64_t)0;
        set->bits[word] |= from & to;
    }
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
        if (code != UINT32_MAX) add_range(set, range ? last : code, code);
        if (range) status = count_work(p, (code - last) / 64 + 1);
        if (status != TFM_OK) return status;
        last = range ? UINT32_MAX : code;
    }
    if (p->ignore_case) {
        tfm_status status = add_cases(p, set);
        if (status != TFM_OK) return status;
    }
    for (size_t i = 0; negated && i < TFM_SET_WORDS; i++) set->bits[i] = ~set->bits[i];
    return TFM_OK;
}

/* ---- the pattern ---- */

/* Pairs of letters that fold to one character (sharp s, ligatures) mean more than their letters. */
static bool folds_together(uint32_t a, uint32_t b) {
    return (a == 's' && (b == 's' || b == 't')) || (a == 'f' && (b == 'f' || b == 'i' || b == 'l'));
}

/* What an atom that is not one character stands for. *code: the character if it is one, of which the case is ignored.
 */
static tfm_status read_atom(parser *p, tfm_char_set *set, uint32_t *code) {
    if (*code == '[') {
        *code = UINT32_MAX;
        return bracket(p, set);
    }
    if (*code == '.') {
        *code = UINT32_MAX;
        add_range(set, 0, TFM_UNICODE_CODES - 1);
        set->bits[0] &= ~((uint64_t)1 << '\n');
        return TFM_OK;
    }
    tfm_status status = *code == '\\' ? escape(p, set, code) : TFM_OK;
    if (status != TFM_OK || *code == UINT32_MAX) return status;
    tfm_char_set_add(set, *code);
    return p->ignore_case ? add_cases(p, set) : TFM_OK;
}

/* An atom: a character, an escape, a bracket or a dot. */
static tfm_status atom(parser *p) {
    uint32_t code = next_character(p), folded;
    if (!p->ignore_case && code != '[' && code != '.' && code != '\\') {
        p->last_folded = code < 0x80 ? code | 32 : 0;
        return add_character(p, code);
    }
    tfm_status status = count_work(p, 4 * TFM_SET_WORDS); /* cleared, hashed, looked at */
    tfm_char_set *set = status == TFM_OK ? calloc(1, sizeof *set) : NULL;
    if (!set) return status != TFM_OK ? status : tfm_no_memory(p->error, "%s: a pattern", p->what);
    status = read_atom(p, set, &code);
    folded = code < 0x80 ? code | 32 : 0;
    if (status == TFM_OK && p->ignore_case && folds_together(p->last_folded, folded))
        status = refuse(p, "letters that fold together");
    p->last_folded = folded;
    if (status == TFM_OK) return add_set(p, set, p->ignore_case ? UINT32_MAX : code);
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

/* Classes of all characters while sets divide them. */
typedef struct division {
    uint8_t *classes;
    uint8_t whole[TFM_SET_WORDS]; /* class of all 64 characters of a set's word; 0: they have several */
    unsigned n;
} division;

/* Which classes have characters that are not in the set. */
static void find_outside(const division *d, const tfm_char_set *set, bool outside[256]) {
    for (uint32_t word = 0; word < TFM_SET_WORDS; word++) {
        if (set->bits[word] == ~(uint64_t)0) continue;
        if (d->whole[word]) {
            outside[d->whole[word]] = true;
            continue;
        }
        for (uint32_t code = 64 * word; code < 64 * (word + 1); code++)
            if (!tfm_char_set_has(set, code)) outside[d->classes[code]] = true;
    }
}

/* The class that characters of a class have from now on, if they are in the set; 0: there are too many. */
static uint8_t inner_class(division *d, uint8_t class, const bool outside[256], uint8_t inside[256]) {
    if (!outside[class]) return class;
    if (inside[class] == 0 && d->n < MAX_CLASSES) inside[class] = (uint8_t)++d->n;
    return inside[class];
}

/* Divides classes that have characters in the set and others; false: there are too many. *work is added to. */
static bool divide(division *d, const tfm_char_set *set, uint64_t *work) {
    uint8_t inside[256] = {0};   /* class -> that of its characters in the set */
    bool outside[256] = {false}; /* class has characters that are not */
    find_outside(d, set, outside);
    *work += 2 * TFM_SET_WORDS;
    for (uint32_t word = 0; word < TFM_SET_WORDS; word++) {
        if (set->bits[word] == 0) continue;
        const bool all = set->bits[word] == ~(uint64_t)0 && d->whole[word];
        if (all) {
            const uint8_t class = inner_class(d, d->whole[word], outside, inside);
            if (class == 0) return false;
            if (class != d->whole[word]) memset(d->classes + 64 * word, class, 64);
            d->whole[word] = class;
            continue;
        }
        d->whole[word] = 0;
        *work += 256; /* each with a branch */
        for (uint32_t code = 64 * word; code < 64 * (word + 1); code++) {
            if (!tfm_char_set_has(set, code)) continue;
            d->classes[code] = inner_class(d, d->classes[code], outside, inside);
            if (d->classes[code] == 0) return false;
        }
    }
    return true;
}

/* Class of every character: a number, from 1, for each combination of sets that occurs. */
static tfm_status classify(parser *p, uint8_t *classes) {
    division *d = malloc(sizeof *d);
    if (!d) return tfm_no_memory(p->error, "%s: a pattern", p->what);
    *d = (division){.classes = classes, .n = 1};
    memset(classes, 1, TFM_UNICODE_CODES);
    memset(d->whole, 1, sizeof d->whole);
    tfm_status status = count_work(p, TFM_UNICODE_CODES); /* without any set */
    for (size_t i = 0; status == TFM_OK && i < p->n_sets; i++) {
        uint64_t work = 0;
        status = divide(d, p->sets[i], &work) ? count_work(p, work) : refuse(p, "too many classes of characters");
    }
    free(d);
    return status;
}

/* A character of each class; UINT32_MAX: it has none. */
static void find_members(const uint8_t *classes, uint32_t members[256]) {
    for (unsigned class = 0; class < 256; class ++) members[class] = UINT32_MAX;
    for (uint32_t code = TFM_UNICODE_CODES; code-- > 0;) members[classes[code]] = code;
}

/* Appends a set as a bracket of classes, each of which is in it or not; false when memory is out. */
static bool write_set(tfm_text *out, const tfm_char_set *set, const uint32_t members[256]) {
    const size_t start = out->size;
    bool ok = tfm_text_append(out, "[", 1);
    for (unsigned class = 1; ok && class < 256; class ++) {
        char text[8];
        if (members[class] != UINT32_MAX && tfm_char_set_has(set, members[class]))
            ok = tfm_text_append(out, text, (size_t)snprintf(text, sizeof text, "\\x%02X", class));
    }
    if (!ok || out->size > start + 1) return ok && tfm_text_append(out, "]", 1);
    out->size = start;
    return tfm_text_append(out, "(?!)", 4);
}

static tfm_status finish(parser *p, tfm_regex *regex) {
    tfm_text out = {0};
    regex->classes = malloc(TFM_UNICODE_CODES);
    if (!regex->classes) return tfm_no_memory(p->error, "%s: a pattern", p->what);
    uint32_t members[256];
    tfm_status status = classify(p, regex->classes);
    if (status == TFM_OK) find_members(regex->classes, members);
    for (size_t i = 0; status == TFM_OK && i < p->n_items; i++) {
        const item *it = &p->items[i];
        bool ok = it->set < 0 ? tfm_text_append(&out, it->text, strlen(it->text))
                              : write_set(&out, p->sets[it->set], members);
        if (!ok) status = tfm_no_memory(p->error, "%s: a pattern", p->what);
        if (ok && out.size > TFM_STEP_MAX_PATTERN)
            status = refuse(p, "more parts than a model file takes (64 KiB when translated); it ends");
    }
    regex->pattern = out.data; /* ends in NUL */
    return status;
}

static tfm_status translate(tfm_regex *regex, parser *p, bool literal) {
    *regex = (tfm_regex){0};
    tfm_status status = TFM_OK;
    if (p->n == 0) status = refuse(p, "nothing");
    if (!literal && status == TFM_OK) status = parse(p);
    while (literal && status == TFM_OK && p->at < p->n) status = add_character(p, next_character(p));
    if (status == TFM_OK) status = finish(p, regex);
    for (size_t i = 0; i < p->n_sets; i++) free(p->sets[i]);
    free(p->items);
    return status;
}

tfm_status tfm_regex_translate(tfm_regex *regex, const char *pattern, size_t n, const char *what, tfm_named_sets *named,
                               tfm_error *error) {
    parser p = {.pattern = pattern, .n = n, .what = what, .named = named, .error = error};
    return translate(regex, &p, false);
}

tfm_status tfm_regex_literal(tfm_regex *regex, const char *text, size_t n, const char *what, tfm_named_sets *named,
                             tfm_error *error) {
    parser p = {.pattern = text, .n = n, .what = what, .named = named, .error = error};
    return translate(regex, &p, true);
}

void tfm_regex_free(tfm_regex *regex) {
    free(regex->pattern);
    free(regex->classes);
    *regex = (tfm_regex){0};
}
