/*
 * sentence.h - sentences for the metrics: words and characters of UTF-8 text, lower case, the tokenizers of BLEU.
 *
 * Text is valid UTF-8. What counts as white space, and what the lower case of a character is, is as in Python's str,
 * because published scores were made there.
 */
#ifndef TFM_TOOLS_EVAL_SENTENCE_H
#define TFM_TOOLS_EVAL_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/common/bytes.h"

/* Bytes that belong to somebody else. */
typedef struct tfm_slice {
    const char *data;
    size_t n;
} tfm_slice;

/* White space of Unicode: separators of words, lines and paragraphs, the no-break ones included. */
bool tfm_is_space(uint32_t code);
/* Text without white space at its end. */
tfm_slice tfm_trim_end(tfm_slice text);

/* Words, numbered so that equal numbers are equal words. */
typedef struct tfm_words {
    tfm_slice *items;  /* point into the text */
    uint32_t *numbers; /* NULL before tfm_words_number */
    size_t n, capacity;
} tfm_words;

/* The functions on words and characters return false when memory is out; start with all zero. */
bool tfm_words_split(tfm_words *words, tfm_slice text);
/* Splits an ASCII punctuation mark off the end, or else off the beginning, of each word of more than one character. */
bool tfm_words_split_punctuation(tfm_words *words);
/* Numbers the words of n texts together. */
bool tfm_words_number(tfm_words *words, size_t n);
void tfm_words_free(tfm_words *words);

/* Code points of a text. */
typedef struct tfm_characters {
    uint32_t *data;
    size_t n;
} tfm_characters;
bool tfm_characters_decode(tfm_characters *characters, tfm_slice text, bool whitespace);
void tfm_characters_free(tfm_characters *characters);

/* ---- tokenizers ---- */

typedef enum tfm_bleu_tokenizer_kind {
    TFM_TOKENIZE_13A,  /* mteval-v13a of NIST: splits ASCII punctuation off, but not within numbers */
    TFM_TOKENIZE_INTL, /* mteval-v14: the same for all punctuation and symbols of Unicode */
    TFM_TOKENIZE_CHAR, /* every character a word */
    TFM_TOKENIZE_NONE  /* words are what white space separates */
} tfm_bleu_tokenizer_kind;

typedef struct tfm_bleu_tokenizer tfm_bleu_tokenizer;

/* Errors: TFM_ERROR_MEMORY. */
tfm_status tfm_bleu_tokenizer_create(tfm_bleu_tokenizer **tokenizer, tfm_bleu_tokenizer_kind kind, bool lowercase,
                                     tfm_error *error);
/* Replaces what is in *result with the words of text, white space between. Errors: TFM_ERROR_MEMORY, _LIMIT. */
tfm_status tfm_bleu_tokenizer_run(const tfm_bleu_tokenizer *tokenizer, tfm_slice text, tfm_text *result,
                                  tfm_error *error);
void tfm_bleu_tokenizer_free(tfm_bleu_tokenizer **tokenizer);

/* Lower case on its own, for metrics without a tokenizer; appends to *result. */
typedef struct tfm_lowercase tfm_lowercase;
tfm_status tfm_lowercase_create(tfm_lowercase **lowercase, tfm_error *error);
tfm_status tfm_lowercase_run(const tfm_lowercase *lowercase, tfm_slice text, tfm_text *result, tfm_error *error);
void tfm_lowercase_free(tfm_lowercase **lowercase);

#endif
