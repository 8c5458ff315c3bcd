/*
 * steps.h - what happens to a text before a model sees its words: the steps of a normalizer and of a pre-tokenizer.
 *
 * All that a step knows of characters lies in the model file as tables made by tfmpack, so that the same file gives the
 * same ids on every machine, whatever its libraries know of Unicode.
 */
#ifndef TFM_RUNTIME_TOKENIZER_STEPS_STEPS_H
#define TFM_RUNTIME_TOKENIZER_STEPS_STEPS_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "runtime/tfm.h"
#include "runtime/tokenizer/common/char_classes.h"
#include "runtime/tokenizer/common/table_reader.h"
#include "runtime/tokenizer/common/trie.h"

#define TFM_STEP_MAX_PATTERN 65536 /* bytes */

typedef enum tfm_step_kind {
    TFM_STEP_MAP,         /* the longest spelling among the rules is replaced */
    TFM_STEP_PRECOMPILED, /* the same, by grapheme clusters and with the shortest spelling */
    TFM_STEP_NORMAL_FORM, /* NFC, NFD, NFKC or NFKD */
    TFM_STEP_REPLACE,     /* what matches is replaced by the text */
    TFM_STEP_PREPEND,     /* the text goes before what is not empty */
    TFM_STEP_FILTER,      /* characters of class 1 go, for those of class 2 the text stands */
    TFM_STEP_SURROUND,    /* the text goes before and after each character of class 1 */
    TFM_STEP_STRIP,       /* characters of class 1 go from the ends */
    TFM_STEP_PREFIX,      /* the text goes before a piece that does not begin with it */
    TFM_STEP_SPLIT,       /* pieces are cut where a pattern or a class of characters says */
    TFM_STEP_KINDS
} tfm_step_kind;

typedef enum tfm_split_behavior {
    TFM_SPLIT_REMOVED,
    TFM_SPLIT_ISOLATED,
    TFM_SPLIT_MERGED_WITH_PREVIOUS,
    TFM_SPLIT_MERGED_WITH_NEXT,
    TFM_SPLIT_CONTIGUOUS,
    TFM_SPLIT_BEHAVIORS
} tfm_split_behavior;

typedef struct tfm_step {
    tfm_step_kind kind;
    tfm_trie rules; /* spelling -> number of its replacement + 1 */
    const char *replacements;
    const uint32_t *offsets; /* (n_replacements + 1) */
    size_t n_replacements;
    bool plain[128]; /* ASCII that begins no rule */
    tfm_trie pairs;  /* normal forms that compose: two characters -> their composition */
    tfm_char_classes classes;
    const uint8_t *byte_classes; /* (256), or NULL: the pieces are characters */
    pcre2_code *pattern;         /* over classes; NULL: each character of class 1 is a match */
    const char *text;
    size_t n_text;
    tfm_split_behavior behavior;
    bool invert, first, left, right;
    bool no_memory; /* something was not there for the pattern */
} tfm_step;

typedef struct tfm_steps {
    tfm_step *steps;
    size_t n;
} tfm_steps;

/* A text and the pieces it is cut into. */
typedef struct tfm_piece_span {
    uint32_t start, end;
} tfm_piece_span;

typedef struct tfm_split_pieces {
    tfm_text text;
    tfm_piece_span *spans;
    size_t n, capacity;
    bool at_start; /* the first piece begins where the input begins */
} tfm_split_pieces;

/* Memory of one call, kept from step to step. */
typedef struct tfm_step_scratch {
    pcre2_match_data *match;
    pcre2_match_context *context;
    uint8_t *classes;
    size_t capacity;
    tfm_split_pieces other; /* the next state of the pieces */
    size_t most;            /* bytes that a step may make of a text: steps that each double it must end somewhere */
    uint32_t match_limit;   /* of PCRE2 for a match; 0: what texts of their length need */
} tfm_step_scratch;

/* What steps may make of a text of n bytes. Compatibility forms, spaces as U+2581 and more of the kind need up to 20 n.
 */
static inline size_t tfm_step_most(size_t n) { return n > (INT32_MAX - 65536) / 32 ? INT32_MAX : 65536 + 32 * n; }

void tfm_step_scratch_free(tfm_step_scratch *work);
void tfm_split_pieces_free(tfm_split_pieces *pieces);
bool tfm_split_pieces_add(tfm_split_pieces *pieces, size_t start, size_t end);

/* Reads NAME.count and the keys NAME.I.*; on failure *steps needs closing all the same. */
void tfm_steps_read(tfm_table_reader *r, const char *name, tfm_steps *steps);
void tfm_steps_close(tfm_steps *steps);

/*
 * Applies all steps but splits to a text in turn; the result is appended to *out. *at_start turns false where the
 * first character of the result is not the first of the text. Returns TFM_OK, TFM_ERROR_MEMORY or TFM_ERROR_LIMIT.
 */
tfm_status tfm_steps_normalize(const tfm_steps *steps, tfm_step_scratch *work, const char *text, size_t n,
                               bool *at_start, tfm_text *out);
/* Applies all steps to pieces. */
tfm_status tfm_steps_split(const tfm_steps *steps, tfm_step_scratch *work, tfm_split_pieces *pieces);

/* Single steps; bool ones return false when memory is out, or with over `most` bytes in *out. */
tfm_status tfm_step_text(const tfm_step *step, tfm_step_scratch *work, const char *text, size_t n, bool *at_start,
                         tfm_text *out);
bool tfm_step_precompiled(const tfm_step *step, const char *text, size_t n, size_t most, bool *at_start, tfm_text *out);
bool tfm_step_normal_form(const tfm_step *step, const char *text, size_t n, size_t most, tfm_text *out);

/*
 * Finds what a split's or replacement's pattern matches in a text, in order, and calls found for every stretch of it,
 * matched or not.
 */
typedef bool tfm_match_sink(void *arg, size_t start, size_t end, bool is_match);
tfm_status tfm_step_match(const tfm_step *step, tfm_step_scratch *work, const char *text, size_t n,
                          tfm_match_sink *found, void *arg);

#endif
