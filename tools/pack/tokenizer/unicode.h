/*
 * unicode.h - properties of characters as the Hugging Face library's tables have them, for the tables that are packed.
 *
 * Its parts follow different versions of Unicode: 8.0 for BERT's classes, 9.0 for normal forms, 16.0 for patterns and
 * lower case. libutf8proc gives the properties, unicode_ages.c what was assigned when.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_UNICODE_H
#define TFM_TOOLS_PACK_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <utf8proc.h>

#define TFM_UNICODE_CODES 0x110000u

typedef struct tfm_unicode_range {
    uint32_t first, last;
    uint8_t version;  /* of Unicode, 9 to 16 */
    uint8_t category; /* where version is over 15; else libutf8proc knows it */
} tfm_unicode_range;

extern const tfm_unicode_range tfm_unicode_ages[]; /* sorted */
extern const size_t tfm_n_unicode_ages;

/* General category in Unicode 16.0. */
utf8proc_category_t tfm_unicode_category(uint32_t code);
/* In which version of Unicode a code point was assigned; 8 for all before 9.0. */
unsigned tfm_unicode_version(uint32_t code);

/* Two letters, the second 0 for a whole group: ('L', 0) letters, ('L', 'u') upper-case letters. */
bool tfm_unicode_in(utf8proc_category_t category, char group, char subgroup);

bool tfm_unicode_space(uint32_t code);   /* White_Space */
bool tfm_unicode_numeric(uint32_t code); /* N */
bool tfm_unicode_word(uint32_t code);    /* \w without the two joiners */
bool tfm_unicode_bert_punctuation(uint32_t code);
bool tfm_unicode_bert_control(uint32_t code); /* other than tab, newline and carriage return */
bool tfm_unicode_nonspacing(uint32_t code);   /* Mn in Unicode 8.0 */
bool tfm_unicode_mark(uint32_t code);         /* M in Unicode 9.0 */
unsigned tfm_unicode_boundclass(uint32_t code);

/* Lower case of one character without context: its length in out, 1 or 2. */
size_t tfm_unicode_lower(uint32_t code, uint32_t out[2]);

/* Unicode 9.0 normalisation of a character: full decomposition (0: none), combining class. Hangul syllables are left
 * out. */
size_t tfm_unicode_decompose(uint32_t code, bool compatibility, uint32_t out[32]);
unsigned tfm_unicode_combining_class(uint32_t code);
/* Whether a character is composed of two others, as NFC does it. */
bool tfm_unicode_pair(uint32_t code, uint32_t *first, uint32_t *second);

#endif
