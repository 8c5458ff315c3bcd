/*
 * sentence_tokenizer.c - lower case and the tokenizers of BLEU, as chains of substitutions.
 *
 * The rules of 13a and intl are those of NIST's mteval-v13a.pl and mteval-v14.pl as sacreBLEU applies them: one rule
 * after the other over the whole sentence, matches from left to right without overlap.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "sentence.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/tfm.h"

typedef struct rule {
    const char *pattern, *replacement;
} rule;

#define PUNCTUATION_13A "[ !\"#$%&()*+/:;<=>?@\\[\\\\\\]^_`{|}~]"

static const rule rules_13a[] = {
    {PUNCTUATION_13A, " $0 "},    /* all of ASCII but ' , - . */
    {"([^0-9])([.,])", "$1 $2 "}, /* period and comma, unless after a digit */
    {"([.,])([^0-9])", " $1 $2"}, /* period and comma, unless before a digit */
    {"([0-9])-", "$1 - "},        /* a dash after a digit */
    {NULL, NULL},
};
static const rule rules_intl[] = {
    {"(\\P{N})(\\p{P})", "$1 $2 "},
    {"(\\p{P})(\\P{N})", " $1 $2"},
    {"\\p{S}", " $0 "},
    {NULL, NULL},
};
static const rule rules_char[] = {{"(?s).", "$0 "}, {NULL, NULL}};
static const rule rules_none[] = {{NULL, NULL}};

/*
 * A capital sigma after a cased letter and not before one, whatever lies between that has no case, ends a word and
 * becomes a final sigma (Unicode, SpecialCasing: Final_Sigma). The dotted capital I is the one letter whose lower case
 * has two characters.
 */
static const rule rules_special_case[] = {
    {"(?!\\p{Case_Ignorable})\\p{Cased}\\p{Case_Ignorable}*+\\K\\x{3A3}(?!\\p{Case_Ignorable}*+\\p{Cased})", "\u03C2"},
    {"\\x{130}", "i\u0307"},
    {NULL, NULL},
};

enum { MAX_RULES = 4 };

/* Compiled rules. */
typedef struct chain {
    pcre2_code *codes[MAX_RULES];
    const char *replacements[MAX_RULES];
    size_t n;
} chain;

static void free_chain(chain *c) {
    for (size_t i = 0; i < c->n; i++) pcre2_code_free(c->codes[i]);
    c->n = 0;
}

static tfm_status say_pcre2(tfm_error *error, int code) {
    char reason[128] = "";
    if (code == PCRE2_ERROR_NOMEMORY) return tfm_no_memory(error, "sentence");
    pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
    return tfm_fail(error, TFM_ERROR_LIMIT, "a sentence cannot be tokenized: %s", reason);
}

static tfm_status compile(chain *c, const rule *rules, tfm_error *error) {
    for (const rule *r = rules; r->pattern; r++) {
        int code;
        PCRE2_SIZE at;
        c->codes[c->n] = pcre2_compile((PCRE2_SPTR)r->pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
        if (!c->codes[c->n]) {
            free_chain(c);
            return say_pcre2(error, code);
        }
        c->replacements[c->n++] = r->replacement;
    }
    return TFM_OK;
}

/* Replaces what is in *result with text after one rule. */
static tfm_status substitute(const chain *c, size_t i, const tfm_text *text, tfm_text *result, tfm_error *error) {
    uint32_t options = PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH;
    result->size = 0;
    size_t room = text->size + text->size / 2 + 16;
    for (;;) {
        if (!tfm_text_reserve(result, room)) return tfm_no_memory(error, "sentence");
        PCRE2_SIZE size = result->capacity;
        int code = pcre2_substitute(c->codes[i], (PCRE2_SPTR)(text->data ? text->data : ""), text->size, 0, options,
                                    NULL, NULL, (PCRE2_SPTR)c->replacements[i], PCRE2_ZERO_TERMINATED,
                                    (PCRE2_UCHAR *)result->data, &size);
        if (code >= 0) {
            result->size = size;
            return TFM_OK;
        }
        if (code != PCRE2_ERROR_NOMEMORY || size <= result->capacity) return say_pcre2(error, code);
        room = size; /* what it takes, the terminating zero included */
    }
}

/* Applies all rules to *text in place. */
static tfm_status run_chain(const chain *c, tfm_text *text, tfm_error *error) {
    tfm_text other = {0};
    tfm_status status = TFM_OK;
    for (size_t i = 0; i < c->n && status == TFM_OK; i++) {
        status = substitute(c, i, text, &other, error);
        tfm_text swap = *text;
        *text = other;
        other = swap;
    }
    tfm_text_free(&other);
    return status;
}

/* ---- lower case ---- */

struct tfm_lowercase {
    chain special;
};

tfm_status tfm_lowercase_create(tfm_lowercase **lowercase, tfm_error *error) {
    *lowercase = calloc(1, sizeof **lowercase);
    if (!*lowercase) return tfm_no_memory(error, "sentence");
    tfm_status status = compile(&(*lowercase)->special, rules_special_case, error);
    if (status != TFM_OK) tfm_lowercase_free(lowercase);
    return status;
}

void tfm_lowercase_free(tfm_lowercase **lowercase) {
    if (*lowercase) free_chain(&(*lowercase)->special);
    free(*lowercase);
    *lowercase = NULL;
}

/* The characters that have a lower case of their own, one by one. */
static tfm_status lower_characters(const tfm_text *text, tfm_text *result, tfm_error *error) {
    for (size_t at = 0, size; at < text->size; at += size) {
        uint32_t code;
        size = tfm_character(text->data + at, text->size - at, &code);
        if (size == 0) return tfm_fail(error, TFM_ERROR_ARGUMENT, "a sentence is not valid UTF-8");
        utf8proc_uint8_t lower[4];
        utf8proc_ssize_t n = utf8proc_encode_char(utf8proc_tolower((utf8proc_int32_t)code), lower);
        if (!tfm_text_append(result, (const char *)lower, (size_t)n)) return tfm_no_memory(error, "sentence");
    }
    return TFM_OK;
}

tfm_status tfm_lowercase_run(const tfm_lowercase *lowercase, tfm_slice text, tfm_text *result, tfm_error *error) {
    tfm_text special = {0};
    tfm_status status = tfm_text_append(&special, text.data, text.n) ? TFM_OK : tfm_no_memory(error, "sentence");
    if (status == TFM_OK) status = run_chain(&lowercase->special, &special, error);
    if (status == TFM_OK) status = lower_characters(&special, result, error);
    tfm_text_free(&special);
    return status;
}

/* ---- tokenizers ---- */

struct tfm_bleu_tokenizer {
    tfm_bleu_tokenizer_kind kind;
    chain chain;
    tfm_lowercase *lowercase; /* NULL: case stays */
};

tfm_status tfm_bleu_tokenizer_create(tfm_bleu_tokenizer **tokenizer, tfm_bleu_tokenizer_kind kind, bool lowercase,
                                     tfm_error *error) {
    static const rule *const rules[] = {[TFM_TOKENIZE_13A] = rules_13a,
                                        [TFM_TOKENIZE_INTL] = rules_intl,
                                        [TFM_TOKENIZE_CHAR] = rules_char,
                                        [TFM_TOKENIZE_NONE] = rules_none};
    *tokenizer = calloc(1, sizeof **tokenizer);
    if (!*tokenizer) return tfm_no_memory(error, "sentence");
    (*tokenizer)->kind = kind;
    tfm_status status = compile(&(*tokenizer)->chain, rules[kind], error);
    if (status == TFM_OK && lowercase) status = tfm_lowercase_create(&(*tokenizer)->lowercase, error);
    if (status != TFM_OK) tfm_bleu_tokenizer_free(tokenizer);
    return status;
}

void tfm_bleu_tokenizer_free(tfm_bleu_tokenizer **tokenizer) {
    if (*tokenizer) {
        free_chain(&(*tokenizer)->chain);
        tfm_lowercase_free(&(*tokenizer)->lowercase);
    }
    free(*tokenizer);
    *tokenizer = NULL;
}

/* Replaces every occurrence of from by to, which must not be longer, in place. */
static void replace_shorter(tfm_text *text, const char *from, const char *to) {
    size_t n_from = strlen(from), n_to = strlen(to), kept = 0, at = 0;
    while (at < text->size) {
        if (text->size - at >= n_from && memcmp(text->data + at, from, n_from) == 0) {
            memcpy(text->data + kept, to, n_to);
            kept += n_to;
            at += n_from;
        } else {
            text->data[kept++] = text->data[at++];
        }
    }
    text->size = kept;
}

/* What 13a does before its rules: marks that mteval knows, and the sentence gets a space at either end. */
static tfm_status prepare_13a(tfm_text *text, tfm_error *error) {
    static const char *const marks[][2] = {
        {"<skipped>", ""}, {"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) replace_shorter(text, marks[i][0], marks[i][1]);
    if (!tfm_text_reserve(text, 2)) return tfm_no_memory(error, "sentence");
    memmove(text->data + 1, text->data, text->size);
    text->data[0] = ' ';
    text->data[text->size + 1] = ' ';
    text->size += 2;
    text->data[text->size] = 0;
    return TFM_OK;
}

tfm_status tfm_bleu_tokenizer_run(const tfm_bleu_tokenizer *tokenizer, tfm_slice text, tfm_text *result,
                                  tfm_error *error) {
    text = tfm_trim_end(text);
    result->size = 0;
    tfm_status status = TFM_OK;
    if (tokenizer->lowercase)
        status = tfm_lowercase_run(tokenizer->lowercase, text, result, error);
    else if (!tfm_text_append(result, text.data, text.n))
        status = tfm_no_memory(error, "sentence");
    if (status == TFM_OK && tokenizer->kind == TFM_TOKENIZE_13A) status = prepare_13a(result, error);
    if (status == TFM_OK) status = run_chain(&tokenizer->chain, result, error);
    return status;
}
