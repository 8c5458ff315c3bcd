/* tiny_spm.h - SentencePiece files made for a test, byte by byte known. */
#ifndef TFM_TESTS_RUNTIME_TOKENIZER_TINY_SPM_H
#define TFM_TESTS_RUNTIME_TOKENIZER_TINY_SPM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tiny_piece {
    const char *text;
    float score;
    int kind; /* 0: normal; else as in tools/pack/spm/spm.proto */
} tiny_piece;

typedef struct tiny_rule {
    const char *from, *to;
} tiny_rule;

/* Zero is a plain unigram model with SentencePiece's defaults. */
typedef struct tiny_options {
    bool bpe, byte_fallback, as_suffix;
    bool no_dummy_prefix, keep_spaces, no_escape;
    const char *unknown_surface; /* NULL: the default */
    const tiny_rule *rules;      /* ended by {NULL, NULL}; NULL: none */
    const tiny_rule *denormalizer_rules;
} tiny_options;

/*
 * The file in memory the caller frees. Pieces end with a NULL text; <unk>, <s> and </s> come first with numbers 0, 1,
 * 2, with byte_fallback 256 byte pieces follow them.
 */
unsigned char *tiny_spm_model(const tiny_options *options, const tiny_piece *pieces, size_t *n);

/* A precompiled character map alone, in memory the caller frees. */
unsigned char *tiny_charsmap(const tiny_rule *rules, size_t *n);

/* Number of the first of the pieces given. */
#define TINY_FIRST 3
#define TINY_FIRST_AFTER_BYTES (TINY_FIRST + 256)

#endif
