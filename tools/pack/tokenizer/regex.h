/*
 * regex.h - a tokenizer's pattern, translated from characters to classes of characters.
 *
 * The translation knows the part of the pattern language that tokenizers use and whose meaning is the same in
 * Oniguruma, for which the patterns are written, and in PCRE2, which runs them; everything else is refused.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_REGEX_H
#define TFM_TOOLS_PACK_TOKENIZER_REGEX_H

#include "named_sets.h"

typedef struct tfm_regex {
    char *pattern;    /* over bytes: one a character, its class */
    uint8_t *classes; /* (TFM_UNICODE_CODES) class of every character */
} tfm_regex;

/*
 * what names the pattern in errors; named is shared by the patterns of a tokenizer. *regex is freed with
 * tfm_regex_free, also after an error. Errors: TFM_ERROR_UNSUPPORTED (what is not understood, with its place),
 * TFM_ERROR_LIMIT (more work than tfmpack does for a tokenizer), TFM_ERROR_MEMORY.
 */
tfm_status tfm_regex_translate(tfm_regex *regex, const char *pattern, size_t n, const char *what, tfm_named_sets *named,
                               tfm_error *error);
/* A pattern that matches exactly this text. */
tfm_status tfm_regex_literal(tfm_regex *regex, const char *text, size_t n, const char *what, tfm_named_sets *named,
                             tfm_error *error);
void tfm_regex_free(tfm_regex *regex);

#endif
