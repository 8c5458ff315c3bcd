/* lexer.c - the tokens of a chat template, with the white space of trim_blocks and lstrip_blocks. */
#include "lexer.h"

#include <stdlib.h>
#include <string.h>

#include "characters.h"
#include "format/utf8.h"
#include "numbers.h"
#include "runtime/tokenizer/common/white_space.h"

jinja_value tfm_jinja_normalize_newlines(jinja_state *state, const char *text, size_t n) {
    char *copy = tfm_jinja_alloc(state, n + 1, 1);
    size_t out = 0;
    if (!copy) return JINJA_UNDEFINED_VALUE;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
        copy[out++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (out > 0 && copy[out - 1] == '\n') out--;
    return tfm_jinja_new_string(state, copy, out);
}

static bool here(const jinja_lexer *l, size_t at, const char *text) {
    size_t n = strlen(text);
    return at <= l->n && l->n - at >= n && memcmp(l->text + at, text, n) == 0;
}

/* Goes on to a place further on and counts the lines between. */
static void go(jinja_lexer *l, size_t at) {
    for (; l->at < at; l->at++) l->line += l->text[l->at] == '\n';
}

static void go_over_space(jinja_lexer *l) { go(l, l->at + tfm_leading_white_space(l->text + l->at, l->n - l->at)); }

/* ---- outside of tags ---- */

/* Text before a tag, shortened as the tag's sign and lstrip_blocks want it. */
static size_t strip_before(const jinja_lexer *l, size_t start, size_t end, char sign, bool output) {
    const char *text = l->text;
    if (sign == '-') return start + tfm_trimmed_length(text + start, end - start);
    if (sign == '+' || output) return end;
    size_t line = end;
    while (line > start && text[line - 1] != '\n') line--;
    if (line == start && start > 0 && text[start - 1] != '\n') return end;
    return line + tfm_leading_white_space(text + line, end - line) >= end ? line : end;
}

/* After a tag: what %} and its like take with them. */
static void end_tag(jinja_lexer *l, char sign, bool trim) {
    go(l, l->at + 2 + (sign != 0));
    if (sign == '-') go_over_space(l);
    if (sign == 0 && trim && l->at < l->n && l->text[l->at] == '\n') go(l, l->at + 1);
}

static char sign_at(const jinja_lexer *l, size_t at) {
    return at < l->n && (l->text[at] == '-' || l->text[at] == '+') ? l->text[at] : 0;
}

static void skip_comment(jinja_state *state, jinja_lexer *l) {
    const char *start = l->text + l->at, *end = memmem(start, l->n - l->at, "#}", 2);
    if (!end) {
        tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "a comment has no end");
        return;
    }
    size_t at = (size_t)(end - l->text);
    char sign = end > start ? sign_at(l, at - 1) : 0;
    go(l, at - (sign != 0));
    end_tag(l, sign, true);
}

/* Whether a tag of one word stands at a place, and where it ends. */
static bool word_tag(const jinja_lexer *l, size_t at, const char *word, size_t *end) {
    if (!here(l, at, "{%")) return false;
    at += 2 + (sign_at(l, at + 2) != 0);
    at += tfm_leading_white_space(l->text + at, l->n - at);
    if (!here(l, at, word)) return false;
    at += strlen(word);
    at += tfm_leading_white_space(l->text + at, l->n - at);
    *end = at;
    return true;
}

/* {% raw %}: the text up to {% endraw %}. */
static void raw_text(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    size_t start = l->at, tag = start, end = 0;
    for (; tag < l->n; tag++) {
        if (!word_tag(l, tag, "endraw", &end)) continue;
        if (here(l, end, "%}") || here(l, end, "-%}") || here(l, end, "+%}")) break;
    }
    if (tag >= l->n) {
        tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "{%% raw %%} has no end");
        return;
    }
    token->text = l->text + start;
    token->n = strip_before(l, start, tag, sign_at(l, tag + 2), false) - start;
    go(l, end);
    end_tag(l, sign_at(l, end), true);
}

/* The next tag; all that is no comment. */
static size_t find_tag(const jinja_lexer *l, size_t at) {
    for (; at + 1 < l->n; at++) {
        if (l->text[at] == '{' && strchr("%{#", l->text[at + 1]) && l->text[at + 1] != '\0') return at;
    }
    return l->n;
}

static void begin_tag(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    char kind = l->text[l->at + 1];
    size_t end;
    if (word_tag(l, l->at, "raw", &end) && (here(l, end, "%}") || here(l, end, "-%}"))) {
        go(l, end);
        end_tag(l, sign_at(l, end), false);
        raw_text(state, l, token);
        return;
    }
    go(l, l->at + 2 + (sign_at(l, l->at + 2) != 0));
    if (kind == '#') {
        skip_comment(state, l);
        return;
    }
    l->mode = kind == '%' ? JINJA_TOKEN_BLOCK_BEGIN : JINJA_TOKEN_OUTPUT_BEGIN;
    l->n_brackets = 0;
    token->type = l->mode;
}

/* Data tokens may be empty. */
static void data_token(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    token->type = JINJA_TOKEN_DATA;
    token->text = l->text + l->at;
    if (l->at >= l->n) {
        token->type = JINJA_TOKEN_END;
        return;
    }
    if (l->begin == JINJA_TOKEN_END) {
        size_t start = l->at, tag = find_tag(l, start);
        l->begin = JINJA_TOKEN_BLOCK_BEGIN; /* next time */
        token->n = tag - start;
        if (tag < l->n) token->n = strip_before(l, start, tag, sign_at(l, tag + 2), l->text[tag + 1] == '{') - start;
        go(l, tag);
        return;
    }
    l->begin = JINJA_TOKEN_END;
    begin_tag(state, l, token);
}

/* ---- in tags ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static int digit_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return 99;
}

/* End of digits of a base, with single underscores between them; at: where the first one must be. */
static size_t digits_end(const jinja_lexer *l, size_t at, int base) {
    size_t end = at;
    while (at < l->n && digit_value(l->text[at]) < base) {
        end = ++at;
        if (at < l->n && l->text[at] == '_') at++;
    }
    return end;
}

/* If a float stands here: its end, else 0. */
static size_t float_end(const jinja_lexer *l, size_t whole) {
    size_t at = whole, end = 0;
    if (l->at > 0 && l->text[l->at - 1] == '.') return 0;
    if (at < l->n && l->text[at] == '.') {
        size_t fraction = digits_end(l, at + 1, 10);
        if (fraction == at + 1) return 0;
        at = end = fraction;
    }
    if (at < l->n && (l->text[at] | 0x20) == 'e') {
        size_t digits = at + 1 + (sign_at(l, at + 1) != 0), exponent = digits_end(l, digits, 10);
        if (exponent > digits) end = exponent;
    }
    return end;
}

/* Digits without their point and underscores, and an exponent. */
static double read_float(jinja_state *state, const char *text, size_t n) {
    char *digits = tfm_jinja_alloc(state, n + 1, 1), exponent[24] = "0";
    size_t n_digits = 0, n_exponent = 0, i = 0;
    int64_t places = 0;
    bool after = false;
    if (!digits) return 0;
    for (; i < n && (text[i] | 0x20) != 'e'; i++) {
        if (text[i] == '.') after = true;
        if (!is_digit(text[i])) continue;
        digits[n_digits++] = text[i];
        places += after;
    }
    for (i += i < n; i < n && n_exponent < sizeof exponent - 1; i++) {
        if (text[i] != '_') exponent[n_exponent++] = text[i];
    }
    int64_t power = strtol(exponent, NULL, 10);
    if (power > 100000 || power < -100000) power = power > 0 ? 100000 : -100000;
    return tfm_jinja_decimal(state, digits, n_digits, power - places);
}

static void number_token(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    size_t start = l->at, end = digits_end(l, start, 10), fraction = float_end(l, end);
    int base = 10;
    token->text = l->text + start;
    if (fraction > 0) {
        token->type = JINJA_TOKEN_CONSTANT_FLOAT;
        token->value = jinja_float(read_float(state, token->text, fraction - start));
        go(l, fraction);
        return;
    }
    if (l->text[start] == '0') {
        char kind = start + 1 < l->n ? (char)(l->text[start + 1] | 0x20) : 0;
        base = kind == 'b' ? 2 : kind == 'o' ? 8 : kind == 'x' ? 16 : 10;
        size_t digits = start + 2 + (here(l, start + 2, "_"));
        if (base != 10 && digits_end(l, digits, base) > digits) {
            start = digits;
            end = digits_end(l, digits, base);
        } else { /* only zeros are one number */
            base = 10;
            end = digits_end(l, start, 1);
        }
    }
    int64_t number = 0;
    for (size_t i = start; i < end; i++) {
        if (l->text[i] == '_') continue;
        if (__builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, digit_value(l->text[i]), &number)) {
            tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "a number is too large");
            return;
        }
    }
    token->type = JINJA_TOKEN_CONSTANT_INT;
    token->value = jinja_int(number);
    go(l, end);
}

/* One escape of a string; at: after the backslash. Returns the place after it, 0 after a failure. */
static size_t unescape(jinja_state *state, const jinja_lexer *l, size_t at, char *out, size_t *n_out) {
    static const char plain[] = "\\'\"abfnrtv", meaning[] = "\\'\"\a\b\f\n\r\t\v";
    char c = l->text[at++];
    const char *known = c != '\0' ? strchr(plain, c) : NULL;
    *n_out = 1;
    if (known) {
        out[0] = meaning[known - plain];
        return at;
    }
    uint32_t code = 0;
    size_t n_digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, i = 0;
    if (c == '\n') {
        *n_out = 0;
        return at;
    }
    if (c >= '0' && c <= '7') {
        for (at--; i < 3 && at < l->n && digit_value(l->text[at]) < 8; i++)
            code = code * 8 + (uint32_t)(l->text[at++] - '0');
    } else if (n_digits > 0) {
        for (; i < n_digits && at < l->n && digit_value(l->text[at]) < 16; i++)
            code = code * 16 + (uint32_t)digit_value(l->text[at++]);
        if (i < n_digits || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
            tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "a string has an escape \\%c that is no character", c);
            return 0;
        }
    } else if (c == 'N') {
        tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "characters by name (\\N) are not known");
        return 0;
    } else { /* stays as it is; the character itself comes next */
        out[0] = '\\';
        return at - 1;
    }
    *n_out = tfm_jinja_encode_char(out, code);
    return at;
}

static void string_token(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    char quote = l->text[l->at];
    size_t start = l->at + 1, end = start, n = 0;
    while (end < l->n && l->text[end] != quote) end += l->text[end] == '\\' ? 2 : 1;
    if (end >= l->n) {
        tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "a string has no end");
        return;
    }
    char *text = tfm_jinja_alloc(state, end - start + 1, 1);
    for (size_t at = start; at < end && state->status == TFM_OK;) {
        size_t length = 1;
        if (l->text[at] == '\\') {
            at = unescape(state, l, at + 1, text + n, &length);
        } else {
            text[n] = l->text[at++];
        }
        n += length;
    }
    token->type = JINJA_TOKEN_CONSTANT_STRING;
    token->value = tfm_jinja_new_string(state, text, n);
    go(l, end + 1);
}

/* An opening bracket is kept, a closing one must belong to the last one that is open. */
static void balance(jinja_state *state, jinja_lexer *l, char c) {
    const char *open = strchr("([{", c), *close = strchr(")]}", c);
    if (open) {
        if (l->n_brackets == JINJA_BRACKETS_MAX)
            tfm_jinja_fail(state, TFM_ERROR_LIMIT, "brackets are nested too deeply");
        else
            l->brackets[l->n_brackets++] = ")]}"[open - "([{"];
    } else if (close && (l->n_brackets == 0 || l->brackets[--l->n_brackets] != c)) {
        tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "unexpected '%c'", c);
    }
}

static void punctuation_token(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    static const char *const known[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!here(l, l->at, known[i])) continue;
        token->type = JINJA_TOKEN_PUNCTUATION;
        token->text = known[i];
        token->n = strlen(known[i]);
        if (token->n == 1 && strchr("()[]{}", known[i][0])) balance(state, l, known[i][0]);
        go(l, l->at + token->n);
        return;
    }
    size_t length = tfm_utf8_step(l->text + l->at, l->n - l->at);
    tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "unexpected character '%.*s'", (int)length, l->text + l->at);
}

static bool end_token(jinja_lexer *l, jinja_token *token) {
    bool block = l->mode == JINJA_TOKEN_BLOCK_BEGIN;
    const char *end = block ? "%}" : "}}";
    char sign = sign_at(l, l->at);
    if (sign == '+' && !block) sign = 0;
    if (l->n_brackets > 0 || !here(l, l->at + (sign != 0), end)) return false;
    token->type = block ? JINJA_TOKEN_BLOCK_END : JINJA_TOKEN_OUTPUT_END;
    end_tag(l, sign, block);
    l->mode = JINJA_TOKEN_DATA;
    return true;
}

static void tag_token(jinja_state *state, jinja_lexer *l, jinja_token *token) {
    go_over_space(l);
    token->line = l->line;
    token->text = l->text + l->at;
    if (l->at >= l->n) {
        tfm_jinja_fail(state, TFM_ERROR_UNSUPPORTED, "the template ends inside a tag");
        return;
    }
    char c = l->text[l->at];
    if (end_token(l, token)) return;
    if (is_digit(c)) {
        number_token(state, l, token);
    } else if (is_letter(c)) {
        size_t end = l->at;
        while (end < l->n && (is_letter(l->text[end]) || is_digit(l->text[end]))) end++;
        token->type = JINJA_TOKEN_NAME;
        token->n = end - l->at;
        go(l, end);
    } else if (c == '"' || c == '\'') {
        string_token(state, l, token);
    } else {
        punctuation_token(state, l, token);
    }
}

void tfm_jinja_next_token(jinja_state *state, jinja_lexer *lexer, jinja_token *token) {
    memset(token, 0, sizeof *token);
    state->line = token->line = lexer->line;
    if (!tfm_jinja_charge(state, 1)) return; /* JINJA_TOKEN_END */
    if (lexer->mode == JINJA_TOKEN_DATA)
        data_token(state, lexer, token);
    else
        tag_token(state, lexer, token);
    if (state->status != TFM_OK) token->type = JINJA_TOKEN_END;
}
